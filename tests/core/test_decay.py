"""Which judgements another day changes without a new record."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from hunter.core.decay import decays
from hunter.core.judgement import History, SignalDates
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


def test_announced_end_comes_nearer_until_it_is_past(judged: Any) -> None:
    found = judged({"MX": ["10 inbound-smtp.eu-west-1.amazonaws.com"]})
    (end,) = RULES.events["amazon_workmail"]
    later = end.date + dt.timedelta(days=1)
    plain = {"urgency": 0, "provider": "amazon_workmail"}
    for name, value in plain.items():
        found = _with(found, name, value)
    assert decays(found, RULES, end.date - dt.timedelta(days=1))
    assert not decays(found, RULES, later)


def _with(found: Any, name: str, value: object) -> Any:
    import msgspec

    return msgspec.structs.replace(found, **{name: value})
