"""Pages of a list: where one ended is an opaque cursor, so that the next starts right behind it."""

from __future__ import annotations

import base64
import binascii
from typing import Any, Generic, TypeVar

import msgspec

from hunter.core.errors import InvalidInput

T = TypeVar("T")


class Page(msgspec.Struct, Generic[T], frozen=True):
    """Some items of a list; `next_cursor` is None on the last page."""

    items: list[T]
    next_cursor: str | None = None


def write_cursor(kind: str, *key: object) -> str:
    """The place behind the item with this sort key, in the list `kind`."""
    return base64.urlsafe_b64encode(msgspec.json.encode([kind, *key])).decode().rstrip("=")


def read_cursor(kind: str, cursor: str | None, *types: type) -> tuple[Any, ...]:
    """The sort key in a cursor, Nones without one. Raises InvalidInput for another list's cursor."""
    if cursor is None:
        return (None,) * len(types)
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        parts = msgspec.json.decode(base64.b64decode(padded, altchars="-_", validate=True))
        if not isinstance(parts, list) or parts[0] != kind or len(parts) != 1 + len(types):
            raise ValueError(kind)  # noqa: TRY301  # one way out for every flaw
        values = zip(parts[1:], types, strict=True)
        return tuple(msgspec.convert(value, wanted) for value, wanted in values)
    except (ValueError, IndexError, binascii.Error, msgspec.MsgspecError):
        place = "pass next_cursor of the page before, unchanged, with the same sort and filters"
        raise InvalidInput("unusable cursor", errors=(("cursor", place),)) from None
