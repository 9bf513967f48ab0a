"""A finding told: words of a catalogue, filled with what the record said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunter.core.advice import AdviceRow, Language, Severity, Words, advise, advise_all
from hunter.core.judgement import MAX_QUOTED, Finding

ROW = AdviceRow(
    "x_bad",
    Severity.WARNING,
    "RFC 1 section 2",
    Words("Bad", "{host} is bad.", "Mend {host}."),
    Words("Kötü", "{host} kötü.", "{host} düzeltin."),
)
NOTE = AdviceRow("x_note", Severity.INFO, "RFC 1", *[Words("A", "b", "c")] * 2)
FATAL = AdviceRow("x_fatal", Severity.ERROR, "RFC 1", *[Words("A", "b", "c")] * 2)
CATALOGUE = {row.code: row for row in (ROW, NOTE, FATAL)}


def test_a_finding_is_told_in_the_language_asked_for() -> None:
    finding = Finding.of("x_bad", host="mx.contoso.com")

    english = advise(finding, CATALOGUE)
    turkish = advise(finding, CATALOGUE, Language.TR)

    assert (english.message, english.fix) == ("mx.contoso.com is bad.", "Mend mx.contoso.com.")
    assert (turkish.title, turkish.message) == ("Kötü", "mx.contoso.com kötü.")
    assert english.severity == turkish.severity == "warning"
    assert english.source == "RFC 1 section 2"
    assert english.params == {"host": "mx.contoso.com"}


@pytest.mark.parametrize("language", Language)
def test_what_another_version_stored_can_be_told_too(language: Language) -> None:
    assert advise(Finding("x_bad"), CATALOGUE, language).message.startswith("…")
    unknown = advise(Finding.of("x_new", any="thing"), CATALOGUE, language)
    assert "x_new" in unknown.message


def test_the_worst_finding_is_told_first() -> None:
    findings = [Finding(code) for code in ("x_note", "x_bad", "x_fatal")]

    told = advise_all(findings, CATALOGUE)

    assert [each.code for each in told] == ["x_fatal", "x_bad", "x_note"]


def test_a_value_of_a_finding_is_not_taken_for_a_hole() -> None:
    assert advise(Finding.of("x_bad", host="{host.__class__}"), CATALOGUE).message == (
        "{host.__class__} is bad."
    )


def test_a_parameter_is_had_by_its_name() -> None:
    finding = Finding.of("x_bad", host="a", count=2)

    assert (finding.get("count"), finding.get("other")) == ("2", "")


@given(st.text(st.characters(codec=None), max_size=400))
def test_what_a_finding_quotes_is_short_and_prints(text: str) -> None:
    (pair,) = Finding.of("x_bad", host=text).params

    assert pair[1].isprintable()
    assert len(pair[1]) <= MAX_QUOTED * len("\\U0001f600")
    assert not text.isprintable() or len(text) > MAX_QUOTED or pair[1] == text
