"""The parts of a registration: days, statuses, and text that can be shown."""

from __future__ import annotations

import datetime as dt
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunter.core.registration import (
    RegistrationState,
    parse_day,
    parse_statuses,
    plain_text,
    unknown,
)

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2027-03-04T05:06:07Z", dt.date(2027, 3, 4)),
        ("2027-03-04t05:06:07z", dt.date(2027, 3, 4)),
        (" 2027-03-04T05:06:07.123456789Z ", dt.date(2027, 3, 4)),
        ("2027-03-04T01:00:00+03:00", dt.date(2027, 3, 3)),
        ("2027-03-04T23:00:00-05:00", dt.date(2027, 3, 5)),
        ("2027-03-04T05:06:07", dt.date(2027, 3, 4)),
        ("2027-03-04 05:06:07", dt.date(2027, 3, 4)),
        ("2027-03-04", dt.date(2027, 3, 4)),
        ("2016-12-31T23:59:60Z", dt.date(2016, 12, 31)),
        ("9999-12-31T23:59:59-12:00", dt.date(9999, 12, 31)),
        ("0001-01-01T00:00:00+14:00", dt.date(1, 1, 1)),
        ("2027-02-30", None),
        ("2027-03-04T-", dt.date(2027, 3, 4)),
        ("20270304", None),
        ("2027-03-041", None),
        ("04/03/2027", None),
        ("٢٠٢٧-03-04", None),
        ("", None),
        (None, None),
        (20270304, None),
    ],
)
def test_a_registrys_date_becomes_a_day_in_utc(text: object, day: dt.date | None) -> None:
    assert parse_day(text) == day


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (["active"], ("active",)),
        (["ok"], ("active",)),
        (["clientTransferProhibited"], ("client transfer prohibited",)),
        (["client transfer prohibited", "Client  Transfer\tProhibited"], ("client transfer prohibited",)),
        (["pendingDelete", "redemptionPeriod"], ("pending delete", "redemption period")),
        (["<b>active</b>", "a\x1b[31m", "", 7, None, ["active"], "x" * 300], ()),
        ("active", ()),
        (None, ()),
        ({"active": True}, ()),
    ],
)  # fmt: skip
def test_statuses_are_told_in_the_words_of_rdap(said: object, words: tuple[str, ...]) -> None:
    assert parse_statuses(said) == words


def test_of_many_statuses_some_are_kept() -> None:
    assert len(parse_statuses(["a" * n for n in range(1, 100)])) == 20


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("  ODTÜ GELİŞTİRME\r\n\tVAKFI  ", "ODTÜ GELİŞTİRME VAKFI"),
        ("red \x1b[31malert\x07\x00", "red [31malert"),
        ("abc\u202edef\u200f", "abcdef"),
        ("\ud800x\U000e0001", "x"),
        ("y" * 1000, "y" * 200),
        (None, ""),
        (["x"], ""),
    ],
)
def test_text_of_a_stranger_becomes_one_harmless_line(text: object, shown: str) -> None:
    assert plain_text(text) == shown


@given(anything)
def test_whatever_a_registry_sends_is_read_without_an_exception(value: object) -> None:
    day = parse_day(value)
    text = plain_text(value)

    assert day is None or isinstance(day, dt.date)
    assert all(unicodedata.category(each)[0] != "C" for each in text)
    assert list(parse_statuses(value)) == sorted(set(parse_statuses(value)))


def test_what_was_not_learned_says_why_and_states_nothing() -> None:
    found = unknown("contoso.com", "no answer\x07 in time", server="rdap.test", source="rdap")

    assert found.state is RegistrationState.UNKNOWN
    assert found.reason == "no answer in time"
    assert not found.is_known
    assert (found.expires, found.created, found.delegation_signed) == (None, None, None)
