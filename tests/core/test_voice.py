"""Words in a language: names in the nominative, dates and lists as people say them."""

from __future__ import annotations

import datetime as dt

import pytest

from hunter.core.advice import Language
from hunter.core.score import Fact
from hunter.core.voice import Voice, shown
from hunter.core.wording import Turkish

AS_OF = dt.date(2026, 11, 23)
TURKISH = Turkish(
    rules={},
    verdicts={},
    changes={},
    frame={"and": "ve", "ended": "sona erdi", "ends": "sona eriyor"},
    phrases={"two systems": "iki sistem", "if it is old": "eskiyse", "Box and Co": "Box ve Ort."},
)
EN, TR = (Voice(language, TURKISH, AS_OF) for language in Language)


@pytest.mark.parametrize(
    ("text", "english", "turkish"),
    [
        ("Natro", "Natro", "Natro"),
        ("", "", ""),
        ("two systems", "two systems", "iki sistem"),
        ("SAP and two systems", "SAP and two systems", "SAP ve iki sistem"),
        ("SAP, Slack and Zoom", "SAP, Slack and Zoom", "SAP, Slack ve Zoom"),
        ("Box and Co", "Box and Co", "Box ve Ort."),
    ],
)
def test_phrase_is_translated_and_a_name_is_not(text: str, english: str, turkish: str) -> None:
    assert (EN.phrase(text), TR.phrase(text)) == (english, turkish)


@pytest.mark.parametrize(
    ("date", "english", "turkish"),
    [
        (dt.date(2026, 11, 23), "ends 23 November 2026 today", "sona eriyor 23 Kasım 2026 bugün"),
        (dt.date(2026, 11, 22), "ended 22 November 2026 yesterday", "sona erdi 22 Kasım 2026 dün"),
        (dt.date(2026, 11, 3), "ended 3 November 2026 20 days ago", "sona erdi 3 Kasım 2026 20 gün önce"),
    ],
)  # fmt: skip
def test_date_is_said_as_people_say_it(date: dt.date, english: str, turkish: str) -> None:
    facts = {"end": Fact((), "Box", date)}
    said = [each.say("{ends} {date} {ago}", facts, {}, ["end"]) for each in (EN, TR)]
    assert said == [english[:1].upper() + english[1:], turkish[:1].upper() + turkish[1:]]


def test_word_with_a_fact_speaks_of_that_one_and_others_of_the_first_that_has_them() -> None:
    facts = {"a": Fact(()), "b": Fact((), "two systems", AS_OF), "c": Fact((), "SAP")}
    names = {"provider": "two systems"}
    said = TR.say("{provider}: {what}, {what_c}, {days}{what_gone}", facts, names, ["a", "b"])
    assert said == "İki sistem: iki sistem, SAP, 0"


def test_condition_stands_between_its_marks_and_else_a_colon() -> None:
    facts = {"a": Fact((), condition="if it is old"), "b": Fact((), name="SAP")}
    assert EN.say("{name_b}{condition_a} move", facts, {}) == "SAP; if it is old, move"
    assert TR.say("{name_b}{condition} move", facts, {}, ["b"]) == "SAP: move"


def test_what_does_not_print_stands_as_an_escape() -> None:
    assert shown("a\x1b[2J\u202eb") == "a\\x1b[2J\\u202eb"
    assert shown("Güneş") == "Güneş"
