"""Checks for what registries send: the result can be stored, and states only what it may."""

from __future__ import annotations

import datetime as dt

from hunter.core.jcard import parse_jcard
from hunter.core.rdap import decode_json, is_not_found, parse_bootstrap, parse_registration
from hunter.core.registration import Registration, RegistrationState
from hunter.core.whois import parse_trabis
from tests.fuzz.rules import hold

_NOW = dt.datetime(2026, 11, 24, tzinfo=dt.UTC)
_NAME = "contoso.com"


def check_rdap(data: bytes) -> None:
    """An answer, an error, a bootstrap file and a jCard, all of the same bytes."""
    _hold(parse_registration(data, _NAME, server="rdap.test", observed_at=_NOW), len(data))
    is_not_found(data)
    found = parse_bootstrap(data)
    assert bool(found.fault) is not bool(found.servers)
    assert found.fault or all(found.servers_for(name) for name in found.servers)
    card = parse_jcard(decode_json(data))
    assert card.valid or card.faults


def check_whois(data: bytes) -> None:
    """A text of TRABIS."""
    _hold(parse_trabis(data, _NAME, server="whois.test", observed_at=_NOW), len(data))


def _hold(found: Registration, size: int) -> None:
    hold(found, size)
    assert found.is_known is not bool(found.reason)
    assert found.is_known is bool(found.observed_at)
    told = (found.registrar, found.created, found.expires, found.statuses)
    assert found.state is RegistrationState.REGISTERED or not any(told)
