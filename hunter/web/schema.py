"""JSON and query strings to values and back; errors name the field and the nearest one."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from functools import cache
from typing import Final, TypeVar
from uuid import UUID

import msgspec
import msgspec.inspect
from aiohttp import web

from hunter.core.errors import InvalidInput, NotFound
from hunter.web.packing import allow_packing
from hunter.web.problems import Malformed

T = TypeVar("T", bound=msgspec.Struct)

_AT = re.compile(r"^(?P<what>.*?)(?: - at `(?P<path>[^`]*)`)?$", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<field>.*)`")
_MISSING = re.compile(r"Object missing required field `(?P<field>.*)`")
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+|\.\.\.)\]")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")

#: values of one parameter
_VALUES_MAX: Final = 20


def read_json(body: bytes, kind: type[T]) -> T:
    """The body as a value of `kind`; raises Malformed or InvalidInput naming the place."""
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise _invalid(error, kind) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Malformed(f"The body is not JSON: {error}.") from error


def read_query(request: web.Request, kind: type[T]) -> T:
    """The query string as a value of `kind`; unknown parameters are refused by name."""
    return read_values(request.query.items(), kind)


def read_values(given: Iterable[tuple[str, str]], kind: type[T]) -> T:
    """Parameters as a value of `kind`; raises InvalidInput naming the parameter."""
    values: dict[str, str | list[str]] = {}
    several = _lists(kind)
    for name, value in given:
        if name in values and name not in several:
            raise InvalidInput(
                f"The parameter {name[:60]} is given twice.",
                errors=((name[:60], "give it once"),),
            )
        if not value.isprintable():
            raise InvalidInput(
                f"The parameter {name[:60]} holds characters that cannot be shown.",
                errors=((name[:60], "remove control characters"),),
            )
        if not value:
            continue
        if name in _moments(kind) and not _DATE.match(value):
            raise InvalidInput(
                f"The parameter {name} is no instant.",
                errors=((name, "send RFC 3339, such as 2026-11-20T09:30:00Z"),),
            )
        if name in several:
            values[name] = _more(values.get(name, []), name, value)
        else:
            values[name] = value
    try:
        return msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError as error:
        raise _invalid(error, kind, is_query=True) from error


@cache
def _moments(kind: type[msgspec.Struct]) -> frozenset[str]:
    """The parameters that are instants: a number in them would pass as seconds since 1970."""
    found = msgspec.inspect.type_info(kind)
    assert isinstance(found, msgspec.inspect.StructType)  # noqa: S101  # of a closed set of types
    return frozenset(field.encode_name for field in found.fields if _is_moment(field.type))


def _is_moment(kind: msgspec.inspect.Type) -> bool:
    if isinstance(kind, msgspec.inspect.UnionType):
        return any(_is_moment(each) for each in kind.types)
    return isinstance(kind, msgspec.inspect.DateTimeType)


@cache
def _lists(kind: type[msgspec.Struct]) -> frozenset[str]:
    """The parameters that take several values: between commas, or each with its own name."""
    found = msgspec.inspect.type_info(kind)
    assert isinstance(found, msgspec.inspect.StructType)  # noqa: S101  # of a closed set of types
    return frozenset(field.encode_name for field in found.fields if _is_list(field.type))


def _is_list(kind: msgspec.inspect.Type) -> bool:
    if isinstance(kind, msgspec.inspect.UnionType):
        return any(_is_list(each) for each in kind.types)
    return isinstance(kind, msgspec.inspect.VarTupleType)


def _more(before: str | list[str], name: str, value: str) -> list[str]:
    """Values of a parameter so far and those of this text, each once."""
    values = list(dict.fromkeys([*before, *(each for each in value.split(",") if each)]))
    if len(values) > _VALUES_MAX:
        detail = f"give at most {_VALUES_MAX} values"
        raise InvalidInput(f"The parameter {name} has too many values.", errors=((name, detail),))
    return values


def _invalid(
    error: msgspec.ValidationError, kind: type[msgspec.Struct], *, is_query: bool = False
) -> InvalidInput:
    match = _AT.match(str(error))
    what, path = (match["what"], match["path"] or "") if match else (str(error), "")
    names = [field.encode_name for field in msgspec.structs.fields(kind)]
    pointer = _pointer(path)
    if unknown := _UNKNOWN.match(what):
        pointer += f"/{unknown['field']}"
        what = _unknown_field(unknown["field"], names, "parameter" if is_query else "field")
    elif missing := _MISSING.match(what):
        pointer += f"/{missing['field']}"
        what = f"the field {missing['field']} is missing"
    elif what.startswith("Invalid enum value"):
        what += f"; known are {', '.join(_allowed(kind, pointer))}"
    if is_query:
        pointer = pointer.lstrip("/")
    noun = "query" if is_query else "body"
    return InvalidInput(f"The {noun} cannot be used: {what}.", errors=((pointer or "/", what),))


def _allowed(kind: type[msgspec.Struct], pointer: str) -> list[str]:
    """The closed set of a field, out of its schema."""
    name = pointer.strip("/").partition("/")[0]
    for field in msgspec.structs.fields(kind):
        if field.encode_name == name:
            return _enums(msgspec.json.schema(field.type))
    return []


def _enums(schema: object) -> list[str]:
    if isinstance(schema, dict):
        found = [str(value) for value in schema.get("enum", ())]
        return found + [value for each in schema.values() for value in _enums(each)]
    if isinstance(schema, list):
        return [value for each in schema for value in _enums(each)]
    return []


def _unknown_field(name: str, known: list[str], noun: str) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}" if near else f"known are {', '.join(known)}"
    return f"there is no {noun} {name[:60]}; {hint if known else 'this path takes none'}"


def _pointer(path: str) -> str:
    """`$.domains[3]` of msgspec as a JSON pointer (RFC 6901)."""
    return "".join(f"/{name or index}" for name, index in _STEP.findall(path))


def render(
    value: object, *, status: int = 200, headers: dict[str, str] | None = None
) -> web.Response:
    """A JSON answer; compressed for those who ask when that is worth it."""
    body = msgspec.json.encode(value)
    response = web.Response(
        body=body, status=status, content_type="application/json", headers=headers
    )
    allow_packing(response)
    return response


def id_in_path(request: web.Request, name: str) -> UUID:
    """The id in the path; raises NotFound when it cannot be one."""
    try:
        return UUID(request.match_info[name])
    except ValueError:
        raise NotFound(f"There is no {name.removesuffix('_id')} with this id.") from None
