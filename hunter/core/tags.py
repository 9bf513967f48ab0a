"""Tag lists of mail records: `name=value` pairs between semicolons, with what panels break in them."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

_WSP = " \t"


class Tag(msgspec.Struct, frozen=True, gc=False):
    """One pair; `value` as written without surrounding blanks."""

    #: lower case, unless case was to be kept
    name: str
    value: str
    #: the name as written, to warn about capitals
    written: str


def parse_tags(
    text: str, *, blanks: str = _WSP, keep_case: bool = False
) -> tuple[tuple[Tag, ...], tuple[str, ...]]:
    """Split a tag list into its pairs and the parts that are none; empty parts are dropped."""
    tags: list[Tag] = []
    broken: list[str] = []
    for part in text.split(";"):
        stripped = part.strip(blanks)
        name, equals, value = stripped.partition("=")
        written = name.rstrip(blanks)
        if equals and written:
            known = written if keep_case else written.lower()
            tags.append(Tag(known, value.strip(blanks), written))
        elif stripped:
            broken.append(stripped)
    return tuple(tags), tuple(broken)


def first_of_each(tags: Iterable[Tag]) -> tuple[dict[str, str], tuple[str, ...]]:
    """The first value of every tag name, and the names that come again."""
    values: dict[str, str] = {}
    again: dict[str, None] = {}
    for tag in tags:
        if tag.name in values:
            again[tag.name] = None
        values.setdefault(tag.name, tag.value)
    return values, tuple(again)


def panel_fault(text: str) -> str | None:
    """How a DNS panel mangled a record: quoted_record, escaped_semicolon or None."""
    if text.startswith(('"', "'")):
        return "quoted_record"
    if "\\;" in text:
        return "escaped_semicolon"
    return None
