"""The OpenAPI 3.1 document, made from the routes and the types they carry."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any, Final

import msgspec

from hunter import __version__
from hunter.core.scopes import PUBLIC
from hunter.ops.server import PROBES
from hunter.web.documented import (
    FILES,
    answer_headers,
    bare_statuses,
    error_statuses,
    header_parameters,
    path_parameter,
)
from hunter.web.middleware import API
from hunter.web.problems import CONTENT_TYPE, Problem
from hunter.web.routes import ROUTES, Route

_REF: Final = "#/components/schemas/{name}"


def document(*, is_open: bool = True) -> dict[str, Any]:
    """The whole document; types of the wire become its schemas.

    `is_open`: the server lets everybody in, as in development.
    """
    kinds = _kinds()
    schemas, components = msgspec.json.schema_components(kinds, ref_template=_REF)
    refs = {id(kind): schema for kind, schema in zip(kinds, schemas, strict=True)}
    paths: dict[str, dict[str, Any]] = {}
    for route in _documented():
        prefix = API if route.versioned else ""
        paths.setdefault(prefix + route.path, {})[route.method.lower()] = _operation(route, refs)
        if route.versioned:
            earlier = _operation(route, refs, is_earlier=True) | {"deprecated": True}
            earlier["operationId"] += "_unversioned"
            paths.setdefault(route.path, {})[route.method.lower()] = earlier
    if not is_open:
        _want_keys(paths)
    for path, summary in PROBES.items():
        paths[path] = {"get": _probe(path, summary)}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Hunter", "version": __version__, "description": _DESCRIPTION},
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": _SECURITY_SCHEMES},
    }


def _want_keys(paths: dict[str, dict[str, Any]]) -> None:
    for operations in paths.values():
        for operation in operations.values():
            if "security" in operation:
                operation["security"].remove({})


_DESCRIPTION: Final = (
    "Microsoft 365 and Dynamics 365 leads from DNS. Errors are application/problem+json (RFC 9457). "
    "The unversioned paths are those of the earlier system and are deprecated."
)
_SECURITY_SCHEMES: Final = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}


def _documented() -> list[Route]:
    return [route for route in ROUTES if not route.is_page]


def _kinds() -> list[Any]:
    """Every type of the wire, each once."""
    found: list[Any] = [Problem]
    for route in _documented():
        found += [route.query, *route.body.values()]
        for answer in route.answers.values():
            found += answer if isinstance(answer, tuple) else (answer,)
    unique = {id(kind): kind for kind in found if kind is not None and not isinstance(kind, str)}
    return list(unique.values())


def _operation(route: Route, refs: dict[int, Any], *, is_earlier: bool = False) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": f"{route.handler.__module__.rpartition('.')[2]}_{route.handler.__name__}",
        "summary": route.summary,
        "tags": [route.path.strip("/").partition("/")[0] or "front"],
        "parameters": [
            *(path_parameter(name) for name in re.findall(r"\{(\w+)\}", route.path)),
            *_query_parameters(route),
            *header_parameters(route),
        ],
        "responses": _responses(route, refs, is_earlier=is_earlier),
    }
    if route.body:
        content = {name: {"schema": _body(name, kind, refs)} for name, kind in route.body.items()}
        operation["requestBody"] = {"required": True, "content": content}
    if route.scope != PUBLIC:
        # the empty one stands for an open server in development
        operation["security"] = [{"bearer": [route.scope]}, {"header": [route.scope]}, {}]
    return operation


def _responses(route: Route, refs: dict[int, Any], *, is_earlier: bool) -> dict[str, Any]:
    problem = {CONTENT_TYPE: {"schema": refs[id(Problem)]}}
    given = {
        str(status): _answer(route, status, kind, refs, is_earlier=is_earlier)
        for status, kind in route.answers.items()
    }
    bare = {str(status): {"description": told} for status, told in bare_statuses(route).items()}
    errors = {
        str(status): {"description": f"Problem {' or '.join(slugs)}", "content": problem}
        for status, slugs in error_statuses(route).items()
    }
    return {**given, **bare, **errors, "default": {"description": "A problem", "content": problem}}


def _answer(
    route: Route, status: int, kind: Any, refs: dict[int, Any], *, is_earlier: bool
) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "description": HTTPStatus(status).phrase,
        "headers": answer_headers(route, status, is_earlier=is_earlier),
    }
    content: dict[str, Any] = {}
    if isinstance(kind, tuple):
        content["application/json"] = {"schema": {"anyOf": [refs[id(each)] for each in kind]}}
    elif kind is not None:
        content["application/json"] = {"schema": refs[id(kind)]}
    if status == HTTPStatus.OK:
        for name, told in FILES.get(route.path, {}).items():
            # tools read a stream of events event by event, each an object
            kind_of = {} if name == "text/event-stream" else {"type": "string"}
            content[name] = {"schema": kind_of | {"description": told}}
    if content:
        answer["content"] = content
    return answer


def _body(media: str, kind: Any, refs: dict[int, Any]) -> Any:
    if not isinstance(kind, str):
        return refs[id(kind)]
    if media == "application/json":
        return {"type": ["object", "array"], "description": kind}
    if media == "multipart/form-data":
        file = {"type": "string", "contentMediaType": "application/octet-stream"}
        shape = {"type": "object", "properties": {"file": file}, "required": ["file"]}
        return shape | {"description": kind}
    return {"type": "string", "description": kind}


def _query_parameters(route: Route) -> list[dict[str, Any]]:
    if route.query is None:
        return []
    schema, components = msgspec.json.schema_components((route.query,), ref_template=_REF)
    own = components[schema[0]["$ref"].rpartition("/")[2]]
    return [
        _query_parameter(name, _inlined(each, components))
        for name, each in own["properties"].items()
    ]


def _query_parameter(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    if name == "cursor":  # made by the server alone
        schema |= {"format": "cursor"}
    parameter = {"name": name, "in": "query", "required": False, "schema": schema}
    # a form sends its empty fields too: they count as not given
    parameter["allowEmptyValue"] = True
    kinds = schema.get("anyOf", [schema])
    if any(kind.get("type") == "array" for kind in kinds):
        # several values between commas
        parameter |= {"style": "form", "explode": False}
    return parameter


def _inlined(schema: Any, components: dict[str, Any]) -> Any:
    """A schema without references, as parameters are read by simple tools too."""
    if isinstance(schema, dict):
        if ref := schema.get("$ref"):
            return _inlined(components[ref.rpartition("/")[2]], components)
        return {name: _inlined(each, components) for name, each in schema.items()}
    if isinstance(schema, list):
        return [_inlined(each, components) for each in schema]
    return schema


def _probe(path: str, summary: str) -> dict[str, Any]:
    is_text = path == "/metrics"
    media = "text/plain" if is_text else "application/json"
    content = {"content": {media: {"schema": {"type": "string" if is_text else "object"}}}}
    responses = {"200": {"description": "OK"} | content}
    if not is_text:
        responses["503"] = {"description": "Not now"} | content
    return {
        "operationId": "probe" + path.replace("/", "_"),
        "summary": summary,
        "responses": responses,
    }
