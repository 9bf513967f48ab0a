"""Answers that contradict what was known: held back, confirmed, refuted, or another one each time."""

from __future__ import annotations

import datetime as dt

import msgspec
import pytest

from hunter.core.answers import Answer, Depth, Outcome, RRType, Survey, survey_of
from hunter.core.merge import merge
from hunter.core.pending import Settled, differing, look_again_s, settle

FOUND = Outcome.FOUND
NOW = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
LATER = NOW + dt.timedelta(minutes=10)


def _survey(*mx: str, txt: tuple[str, ...] = (), outcome: str = "found", ttl: int = 0) -> Survey:
    return survey_of(
        "contoso.com",
        Depth.QUICK,
        [
            Answer("contoso.com", RRType.MX, Outcome(outcome), mx, ttl=ttl),
            Answer("contoso.com", RRType.TXT, Outcome.FOUND, txt),
        ],
    )


def _look(known: Survey, new: Survey, before: Settled | None = None, **how: object) -> Settled:
    at = how.pop("at", NOW)
    merged = merge(known, new, NOW.isoformat())
    doubts = before.doubts if before is not None else {}
    return settle(known, merged, doubts, at, wait_s=600, **how)  # type: ignore[arg-type]


OLD, NEW = _survey("10 a.example.net"), _survey("10 b.example.net")


def test_a_new_answer_is_held_back_until_ten_minutes_later() -> None:
    first = _look(OLD, NEW)
    early = _look(OLD, NEW, first, at=NOW + dt.timedelta(minutes=9))
    second = _look(OLD, NEW, first, at=LATER)

    assert first.survey.answers == early.survey.answers == OLD.answers
    assert list(first.doubts) == ["contoso.com MX"]
    assert early.doubts == first.doubts
    assert (second.survey.answers, second.doubts) == (NEW.answers, {})


def _through(server: str, survey: Survey) -> Survey:
    answers = {
        name: msgspec.structs.replace(answer, server=server)
        for name, answer in survey.answers.items()
    }
    return msgspec.structs.replace(survey, answers=answers)


@pytest.mark.parametrize("order", [("first:53", "second:53"), ("second:53", "first:53")])
def test_another_resolver_confirms_at_once(order: tuple[str, str]) -> None:
    second = frozenset({"second:53"})
    seen = _look(OLD, _through(order[0], NEW), second=second)
    again = _look(OLD, _through(order[0], NEW), seen, second=second)
    confirmed = _look(OLD, _through(order[1], NEW), seen, second=second)

    assert again.doubts == seen.doubts
    assert confirmed.doubts == {}
    assert (look_again_s(seen.doubts, NOW, wait_s=600, second=second) == 0) == (
        order[0] == "first:53"
    )


def test_while_changes_are_held_nothing_confirms_them() -> None:
    assert _look(OLD, NEW, _look(OLD, NEW), at=LATER, is_held=True).doubts


def test_the_earlier_answer_come_back_refutes_a_doubt() -> None:
    assert _look(OLD, OLD, _look(OLD, NEW), at=LATER).doubts == {}


def test_silence_neither_confirms_nor_refutes() -> None:
    first = _look(OLD, NEW)
    silent = _look(OLD, _survey(outcome="servfail"), first, at=LATER)

    assert silent.doubts == first.doubts
    answer = silent.survey.answers["contoso.com MX"]
    assert (answer.records, bool(answer.stale_since)) == (("10 a.example.net",), True)


def test_a_third_answer_begins_the_wait_anew() -> None:
    third = _look(OLD, _survey("10 c.example.net"), _look(OLD, NEW), at=LATER)

    (doubt,) = third.doubts.values()
    assert (doubt.since, doubt.restarts) == (LATER.isoformat(), 1)
    assert third.survey.answers == OLD.answers
    assert look_again_s(third.doubts, LATER, wait_s=600) == 1200


def test_the_copy_in_a_cache_is_no_second_look() -> None:
    first = _look(OLD, _survey("10 b.example.net", ttl=3600))
    copy = _look(OLD, _survey("10 b.example.net", ttl=3000), first, at=LATER)
    asked_anew = _look(OLD, _survey("10 b.example.net", ttl=3600), first, at=LATER)

    assert (bool(copy.doubts), bool(asked_anew.doubts)) == (True, False)
    assert look_again_s(first.doubts, NOW, wait_s=600) == 600
    assert look_again_s(copy.doubts, LATER, wait_s=600) == pytest.approx(3000, abs=5)


@pytest.mark.parametrize("way", ["gone", "back"])
def test_a_domain_is_not_gone_nor_back_before_the_second_look(way: str) -> None:
    gone = survey_of(
        "contoso.com", Depth.QUICK, [Answer("contoso.com", RRType.MX, Outcome.NXDOMAIN)]
    )
    known, new = (OLD, gone) if way == "gone" else (gone, OLD)

    first = _look(known, new)
    second = _look(known, new, first, at=LATER)

    assert first.survey.answers == known.answers
    assert second.survey.answers == new.answers


def test_a_record_that_is_another_each_time_hides_no_other() -> None:
    known = _survey("10 a.example.net", txt=("v=spf1 -all", "token=1"))
    second = _survey("10 a.example.net", txt=("v=spf1 mx -all", "token=2"))
    third = _survey("10 a.example.net", txt=("v=spf1 mx -all", "token=3"))

    seen = _look(known, third, _look(known, second), at=LATER)

    assert seen.survey.answers["contoso.com TXT"].records == ("v=spf1 mx -all",)
    assert list(seen.doubts) == ["contoso.com TXT"]


@pytest.mark.parametrize(
    ("second", "third"),
    [
        (("token=1",), ("token=2",)),
        (("v=spf1 -all", "token=1"), ("v=spf1 -all", "token=2")),
    ],
    ids=["nothing", "what was known"],
)
def test_looks_that_agree_on_nothing_new_leave_what_was_known(
    second: tuple[str, ...], third: tuple[str, ...]
) -> None:
    known = _survey("10 a.example.net", txt=("v=spf1 -all",))
    first = _look(known, _survey("10 a.example.net", txt=second))

    seen = _look(known, _survey("10 a.example.net", txt=third), first, at=LATER)

    assert seen.survey.answers == known.answers
    assert [doubt.answer.records for doubt in seen.doubts.values()] == [third]


@pytest.mark.parametrize(
    ("name", "rrtype", "records"),
    [
        ("contoso.com", RRType.A, ("192.0.2.1", "192.0.2.2")),
        ("contoso.com", RRType.SOA, ("ns1. h. 1 2 3 4 5", "ns1. h. 2 2 3 4 5")),
        ("_25._tcp.mx.example.net", RRType.TLSA, ("3 1 1 aa", "3 1 1 bb")),
        ("notcontoso.com", RRType.TXT, ("one", "two")),
    ],
)
def test_what_changes_by_itself_or_at_somebody_elses_is_believed_at_once(
    name: str, rrtype: RRType, records: tuple[str, str]
) -> None:
    known, new = (
        msgspec.structs.replace(
            OLD, answers=OLD.answers | {f"{name} {rrtype}": Answer(name, rrtype, FOUND, (each,))}
        )
        for each in records
    )

    seen = _look(known, new)

    assert (seen.survey.answers, seen.doubts) == (new.answers, {})
    assert differing(known, new) == []


def test_what_was_asked_because_of_a_doubted_answer_waits_with_it() -> None:
    extra = Answer("s1._domainkey.contoso.com", RRType.TXT, Outcome.FOUND, ("v=DKIM1; p=AA",))
    new = msgspec.structs.replace(NEW, answers=NEW.answers | {extra.question: extra})

    first = _look(OLD, new)

    assert extra.question not in first.survey.answers
    assert extra.question in _look(OLD, new, first, at=LATER).survey.answers


def test_order_and_the_kind_of_absence_are_no_difference() -> None:
    def both(first: str, second: str, outcome: Outcome) -> Survey:
        return survey_of(
            "contoso.com",
            Depth.QUICK,
            [
                Answer("contoso.com", RRType.MX, Outcome.FOUND, (first, second)),
                Answer("_dmarc.contoso.com", RRType.TXT, outcome),
            ],
        )

    known = both("1 a.example", "5 b.example", Outcome.NODATA)

    assert _look(known, both("5 b.example", "1 a.example", Outcome.NXDOMAIN)).doubts == {}
