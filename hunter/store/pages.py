"""Pages of a list: where one ended is an opaque cursor, so that the next starts right behind it."""

from __future__ import annotations

import base64
import binascii
from hashlib import blake2b
from hmac import compare_digest
from typing import Any, Final, Generic, TypeVar

import msgspec

from hunter.core.errors import InvalidCursor

T = TypeVar("T")

_SEAL_BYTES: Final = 8


class Page(msgspec.Struct, Generic[T], frozen=True):
    """Some items of a list; `next_cursor` is None on the last page."""

    items: list[T]
    next_cursor: str | None = None


def write_cursor(kind: str, *key: object) -> str:
    """The place behind the item with this sort key, in the list `kind`."""
    place = msgspec.json.encode(key)
    return base64.urlsafe_b64encode(_seal(kind, place) + place).decode().rstrip("=")


def _seal(kind: str, place: bytes) -> bytes:
    """Ties a place to its list: a cursor altered, or of another list or query, has another seal.

    No secret is in it: a forged cursor is a place in the very list that its maker may read anyway.
    """
    return blake2b(place, key=kind.encode()[:64], person=b"hunter cursor", digest_size=8).digest()


def read_cursor(kind: str, cursor: str | None, *types: type) -> tuple[Any, ...]:
    """The sort key in a cursor, Nones without one. Raises InvalidCursor for another list's cursor."""
    if cursor is None:
        return (None,) * len(types)
    try:
        sealed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars="-_", validate=True)
        seal, place = sealed[:_SEAL_BYTES], sealed[_SEAL_BYTES:]
        if not compare_digest(seal, _seal(kind, place)):
            raise ValueError(kind)  # noqa: TRY301  # one way out for every flaw
        values = zip(msgspec.json.decode(place), types, strict=True)
        return tuple(msgspec.convert(value, wanted) for value, wanted in values)
    except (ValueError, TypeError, binascii.Error, msgspec.MsgspecError):
        fix = "pass next_cursor of the page before, unchanged, with the same sort and filters"
        raise InvalidCursor("unusable cursor", errors=(("cursor", fix),)) from None
