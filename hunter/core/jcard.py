"""A jCard: a contact as JSON (RFC 7095). Hunter reads the names of organisations out of it."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import msgspec

#: name, parameters, type and at least one value (RFC 7095 section 3.3)
_LEAST_PARTS: Final = 4
_MAX_PROPERTIES: Final = 500

Value: TypeAlias = "str | int | float | bool | list[Any] | None"


class Property(msgspec.Struct, frozen=True):
    """One property, its name in lower case."""

    name: str
    kind: str
    values: tuple[Value, ...]


class JCard(msgspec.Struct, frozen=True):
    """A contact: the properties that are well-formed, and what is wrong with the others."""

    properties: tuple[Property, ...] = ()
    #: one sentence a fault
    faults: tuple[str, ...] = ()

    @property
    def valid(self) -> bool:
        """True when the whole card follows RFC 7095."""
        return not self.faults

    def texts(self, name: str) -> tuple[str, ...]:
        """Every text value of a property, structured ones piece by piece, in order."""
        return tuple(
            text
            for each in self.properties
            if each.name == name
            for value in each.values
            for text in _texts(value)
        )


def parse_jcard(value: object) -> JCard:
    """Read decoded JSON as a jCard. Total: whatever is not one leaves a fault."""
    match value:
        case ["vcard", [*rows]]:
            pass
        case ["vcard", *_]:
            return JCard(faults=("The card has no list of properties.",))
        case _:
            return JCard(faults=('The card is no list beginning with "vcard".',))
    properties = []
    faults = []
    for number, row in enumerate(rows[:_MAX_PROPERTIES]):
        found = _parse_property(row)
        if isinstance(found, Property):
            properties.append(found)
        else:
            faults.append(f"Property {number}: {found}")
    if len(rows) > _MAX_PROPERTIES:
        faults.append(f"The card has more than {_MAX_PROPERTIES} properties.")
    if not any(each.name == "version" for each in properties):
        faults.append("The card has no version (RFC 6350 section 6.7.9).")
    return JCard(tuple(properties), tuple(faults))


def _parse_property(row: object) -> Property | str:
    """The property, or what is wrong with it."""
    if not isinstance(row, list) or len(row) < _LEAST_PARTS:
        return "not a list of a name, parameters, a type and a value."
    name, parameters, kind, *values = row
    if not isinstance(name, str):
        return "the name is no text."
    if not isinstance(parameters, dict):
        return "the parameters are no object."
    if not all(_is_parameter(each) for each in parameters.values()):
        return "a parameter is neither text nor a list of texts."
    if not isinstance(kind, str):
        return "the type is no text."
    if not all(_is_value(each) for each in values):
        return "a value is an object, or nested too deep."
    return Property(name.lower(), kind.lower(), tuple(values))


def _is_parameter(value: object) -> bool:
    return isinstance(value, str) or (
        isinstance(value, list) and all(isinstance(each, str) for each in value)
    )


def _is_value(value: object) -> bool:
    """Plain, or structured: pieces, each of which may have several parts (RFC 7095 section 3.3.1.3)."""
    if not isinstance(value, list):
        return _is_plain(value)
    return all(
        _is_plain(piece) or (isinstance(piece, list) and all(_is_plain(part) for part in piece))
        for piece in value
    )


def _is_plain(value: object) -> bool:
    return value is None or isinstance(value, str | int | float | bool)


def _texts(value: Value) -> list[str]:
    if isinstance(value, list):
        return [text for piece in value for text in _texts(piece)]
    return [value] if isinstance(value, str) else []
