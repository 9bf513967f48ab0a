"""Names: what users paste, the public suffix list's own tests, and the UTS 46 vectors."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from hunter.core.domain import parse_domain, registrable_domain
from hunter.core.errors import InvalidDomain
from hunter.core.idn import to_ascii, to_unicode
from tests.conformance.idna_vectors import CLASSES, differences, vectors
from tests.conformance.report import COUNTED

CASES = {"test_ingest": ("ingest_cases.yml", "cases")}


def test_ingest(case: dict[str, Any]) -> None:
    # companies are reduced by the ICANN section; a case of the other one says so
    private = "PRIVATE section switched on" in case.get("note", "")
    try:
        found = parse_domain(case["input"], registrable=True, private_suffixes=private)
        got = {"domain": found.name}
    except InvalidDomain as refused:
        got = {"reject": refused.reason}

    assert got == {key: case[key] for key in ("domain", "reject") if key in case}


def test_without_the_private_section_a_shared_name_is_warned_about() -> None:
    found = parse_domain("someone.github.io", registrable=True)

    assert (found.name, found.warnings) == ("github.io", ("shared_domain",))


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
def test_public_suffixes(
    conformance_file: Callable[[str], str],
    record_property: Callable[[str, object], None],
    file: str,
) -> None:
    pairs = list(_suffix_tests(conformance_file(f"psl/{file}")))

    wrong = [(text, want) for text, want in pairs if _registrable(text) != want]

    record_property(COUNTED, {"cases": len(pairs), "failed": len(wrong)})
    assert wrong == []
    assert len(pairs) >= 78


def test_uts46_vectors(
    conformance_file: Callable[[str], str], record_property: Callable[[str, object], None]
) -> None:
    text = conformance_file("idna/IdnaTestV2.txt")
    n = sum(1 for _ in vectors(text))
    found = differences(text)
    unexplained = [each for each in found if not each.kind]

    argued = Counter(f"{each.kind}: {CLASSES[each.kind]}" for each in found if each.kind)
    record_property(
        COUNTED,
        {
            "cases": n,
            "failed": len(unexplained),
            "argued": dict(argued),
            "list": [str(each) for each in found],
        },
    )
    assert unexplained == []
    assert n > 6000
