"""Names: what users paste, the public suffix list's own tests, and the UTS 46 vectors."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from typing import Any

import idna
import pytest

from hunter.core.domain import parse_domain, registrable_domain
from hunter.core.errors import InvalidDomain
from hunter.core.idn import to_ascii, to_unicode

CASES = {"test_ingest": ("ingest_cases.yml", "cases")}
DEVIATIONS = {
    "cases-7": "someone.github.io needs the private section; companies are reduced by the ICANN "
    "section, so github.io comes out with the warning shared_domain",
}


def test_ingest(case: dict[str, Any]) -> None:
    try:
        got = {"domain": parse_domain(case["input"], registrable=True).name}
    except InvalidDomain as refused:
        got = {"reject": refused.reason}

    assert got == {key: case[key] for key in ("domain", "reject") if key in case}


def test_private_section_is_a_switch(conformance_file: Callable[[str], str]) -> None:
    assert "someone.github.io" in conformance_file("ingest_cases.yml")

    name = "someone.github.io"

    assert parse_domain(name, registrable=True, private_suffixes=True).name == name
    assert parse_domain(name, registrable=True).warnings == ("shared_domain",)


def _registrable(text: str | None) -> str | None:
    """The list's checkPublicSuffix: names in, names of the same alphabet out."""
    if text is None:
        return None
    try:
        name = registrable_domain(to_ascii(text), private=True)
    except InvalidDomain:
        return None
    return name if name is None or text.isascii() else to_unicode(name)


def _suffix_tests(text: str) -> Iterator[tuple[str | None, str | None]]:
    for line in text.splitlines():
        quoted = re.findall(r"checkPublicSuffix\((.+), (.+)\);", line)
        pair = quoted[0] if quoted else tuple(line.split(" "))
        if not line.startswith("//") and len(pair) == 2:
            first, second = (None if part == "null" else part.strip("'") for part in pair)
            yield first, second


@pytest.mark.parametrize("file", ["test_psl.txt", "tests.txt"])
def test_public_suffixes(conformance_file: Callable[[str], str], file: str) -> None:
    pairs = list(_suffix_tests(conformance_file(f"psl/{file}")))

    wrong = [(text, want) for text, want in pairs if _registrable(text) != want]

    assert wrong == []
    assert len(pairs) == 78


def _shown(source: str) -> str:
    """What the mapping makes of a source, before it is checked."""
    mapped = idna.uts46_remap(source, std3_rules=False)
    return ".".join(
        label[4:].encode().decode("punycode") if label.startswith("xn--") else label
        for label in mapped.split(".")
    )


_ESCAPE = re.compile(r"\\u([0-9A-F]{4})|\\x\{([0-9A-F]+)\}")


def _vectors(text: str) -> Iterator[tuple[str, str, set[str]]]:
    """Source, toASCII (non-transitional) and its error codes, from IdnaTestV2.txt."""
    for line in text.splitlines():
        fields = line.partition("#")[0].split(";")
        if len(fields) < 7:
            continue
        source, shown, status, ascii_name, ascii_status, *_ = (
            _ESCAPE.sub(lambda m: chr(int(m[1] or m[2], 16)), field.strip(" \t"))
            for field in fields
        )
        source = "" if source == '""' else source
        shown = "" if shown == '""' else shown or source
        ascii_name = "" if ascii_name == '""' else ascii_name or shown
        codes = (ascii_status or status).strip("[]")
        yield source, ascii_name, {code.strip() for code in codes.split(",") if code.strip()}


def _is_idna2008(name: str) -> bool:
    """True when IDNA 2008 has a class for every character (the vectors' NV8 and XV8 have none)."""
    classes = idna.idnadata.codepoint_classes
    return all(
        char == "." or any(idna.intranges_contain(ord(char), ranges) for ranges in classes.values())
        for char in name
    )


#: where Hunter reads a vector otherwise than UTS 46 alone does, and why
UTS46_DEVIATIONS = {
    "reserved_hyphens": "hyphens in places 3 and 4 of a plain label exist in DNS; warned about",
    "trailing_dot": "one trailing dot is the root, which people paste",
    "not_idna2008": "IDNA 2008 does not allow the character (NV8, XV8)",
    "newer_unicode": "this Python's Unicode tables do not know the character's direction yet",
}


def _deviation(source: str, want: str, errors: set[str]) -> str:
    """The key of the deviation that explains a difference, "" when none does."""
    if errors:
        if errors == {"V2"}:
            return "reserved_hyphens"
        lone_dot = errors == {"A4_2"} and want.endswith(".") and ".." not in want
        return "trailing_dot" if lone_dot else ""
    shown = _shown(source)
    if not _is_idna2008(shown):
        return "not_idna2008"
    return "" if all(map(unicodedata.bidirectional, shown)) else "newer_unicode"


def _agrees(source: str, want: str, errors: set[str]) -> bool:
    try:
        return to_ascii(source) == want and not errors
    except InvalidDomain:
        return bool(errors)


def test_uts46_vectors(conformance_file: Callable[[str], str]) -> None:
    vectors = list(_vectors(conformance_file("idna/IdnaTestV2.txt")))
    differing = [vector for vector in vectors if not _agrees(*vector)]

    reasons = [_deviation(*vector) for vector in differing]

    assert [vector for vector, why in zip(differing, reasons, strict=True) if not why] == []
    assert set(UTS46_DEVIATIONS) - set(reasons) <= {"newer_unicode"}
    assert len(vectors) > 6000
