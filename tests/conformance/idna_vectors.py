"""The UTS 46 vectors: read, compared, and every difference put into a class."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

import idna

from hunter.core.errors import InvalidDomain
from hunter.core.idn import to_ascii

_ESCAPE = re.compile(r"\\u([0-9A-F]{4})|\\x\{([0-9A-F]+)\}")
_EMPTY = '""'
#: status codes that go with input flags which Hunter has off (the table in the file's own head):
#: CheckHyphens, because plain labels with hyphens in places 3 and 4 exist in DNS
_FLAGS_OFF = frozenset({"V2"})
#: VerifyDnsLength is off for one trailing dot alone: it is the root, and people paste it
_ROOT = "A4_2"

IDNA_2008 = "stricter by IDNA 2008"
UNICODE = "other Unicode version"
BIDI = "bidi"
#: class of a difference → what it means
CLASSES = {
    IDNA_2008: "a character is allowed by UTS 46 and not by IDNA 2008 (NV8, XV8)",
    UNICODE: "this Python's Unicode tables do not know the direction of a character yet",
    BIDI: "a right-to-left label makes RFC 5893 refuse one that UTS 46 alone lets through",
}


class Vector(NamedTuple):
    """One line: a source and what non-transitional toASCII makes of it."""

    line: int
    source: str
    ascii_name: str
    errors: frozenset[str]


class Difference(NamedTuple):
    """A line that Hunter answers otherwise."""

    vector: Vector
    #: Hunter's answer, "" for a refusal
    got: str
    #: one of `CLASSES`, "" when none explains it
    kind: str

    def __str__(self) -> str:
        source, wanted, got = map(ascii, (self.vector.source, self.vector.ascii_name, self.got))
        return f"line {self.vector.line}: {source}: UTS 46 {wanted}, Hunter {got}: {self.kind}"


def vectors(text: str) -> Iterator[Vector]:
    """The lines of IdnaTestV2.txt that hold a vector."""
    for number, line in enumerate(text.splitlines(), 1):
        fields = line.partition("#")[0].split(";")
        if len(fields) < 7:
            continue
        source, shown, status, ascii_name, ascii_status, *_ = (
            _ESCAPE.sub(lambda m: chr(int(m[1] or m[2], 16)), field.strip(" \t"))
            for field in fields
        )
        source = "" if source == _EMPTY else source
        shown = "" if shown == _EMPTY else shown or source
        ascii_name = "" if ascii_name == _EMPTY else ascii_name or shown
        codes = (ascii_status or status).strip("[]")
        errors = frozenset(code.strip() for code in codes.split(",") if code.strip())
        yield Vector(number, source, ascii_name, errors)


def differences(text: str) -> list[Difference]:
    """Every line that Hunter answers otherwise, with its class."""
    return [found for found in map(_difference, vectors(text)) if found is not None]


def _difference(vector: Vector) -> Difference | None:
    wanted = vector.ascii_name.removesuffix(".")
    errors = vector.errors - _FLAGS_OFF
    if errors == {_ROOT} and wanted and not wanted.endswith(".") and ".." not in wanted:
        errors = frozenset()
    try:
        got = to_ascii(vector.source)
    except InvalidDomain:
        return None if vector.errors else Difference(vector, "", _class_of(vector.source))
    return None if not errors and got == wanted else Difference(vector, got, "")


def _class_of(source: str) -> str:
    """Why a name that UTS 46 lets through is refused."""
    shown = _shown(source)
    if not _is_idna2008(shown):
        return IDNA_2008
    if not all(map(unicodedata.bidirectional, shown)):
        return UNICODE
    return BIDI if any(map(_breaks_bidi, shown.split("."))) else ""


def _shown(source: str) -> str:
    """What the mapping makes of a source, before it is checked."""
    mapped = idna.uts46_remap(source, std3_rules=False)
    return ".".join(
        label[4:].encode().decode("punycode") if label.startswith("xn--") else label
        for label in mapped.split(".")
    )


def _is_idna2008(name: str) -> bool:
    """True when IDNA 2008 has a class for every character (the vectors' NV8 and XV8 have none)."""
    classes = idna.idnadata.codepoint_classes
    return all(
        char == "." or any(idna.intranges_contain(ord(char), ranges) for ranges in classes.values())
        for char in name
    )


def _breaks_bidi(label: str) -> bool:
    try:
        idna.check_bidi(label, check_ltr=True)
    except idna.IDNAError:
        return True
    return False
