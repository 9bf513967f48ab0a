"""Which judgements another day changes without a new record."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
import pytest

from hunter.core.decay import decays
from hunter.core.judgement import History, SignalDates
from hunter.core.registration import Registration, RegistrationState
from tests.core.zones import AS_OF, RULES

_APPEARED = SignalDates(AS_OF - dt.timedelta(days=30), AS_OF - dt.timedelta(days=5), AS_OF)


@pytest.mark.parametrize(
    ("zone", "history", "expected"),
    [
        ({"MX": ["10 mx.contoso.com"]}, History(), False),
        ({"MX": ["10 mx.contoso.com"]}, History(seen={"mx:contoso.com": _APPEARED}), True),
        (
            {"MX": ["10 aspmx.l.google.com", "10 contoso-com.mail.protection.outlook.com"]},
            History(),
            True,
        ),
    ],
    ids=["own server", "moved lately", "moving in"],
)
def test_dated_lines_and_moves_under_way_change_with_the_day(
    judged: Any, zone: Any, history: History, *, expected: bool
) -> None:
    assert decays(judged(zone, history), RULES, AS_OF) is expected


def test_end_of_a_registration_comes_nearer_until_it_is_past(judged: Any) -> None:
    found = judged({"MX": ["10 mx.contoso.com"]})
    registered = Registration("contoso.com", RegistrationState.REGISTERED)
    assert not decays(found, RULES, AS_OF, registered)
    for days, expected in ((400, True), (-1, False)):
        expires = AS_OF + dt.timedelta(days=days)
        ending = Registration("contoso.com", RegistrationState.REGISTERED, expires=expires)
        assert decays(found, RULES, AS_OF, ending) is expected


def test_announced_end_comes_nearer_until_it_is_past(judged: Any) -> None:
    found = judged({"MX": ["10 inbound-smtp.eu-west-1.amazonaws.com"]})
    (end,) = RULES.events["amazon_workmail"]
    later = end.date + dt.timedelta(days=1)
    found = msgspec.structs.replace(found, urgency=0, provider="amazon_workmail")
    assert decays(found, RULES, end.date - dt.timedelta(days=1))
    assert not decays(found, RULES, later)
