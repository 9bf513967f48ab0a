"""Checks for what reads names and walks from one to the next."""

from __future__ import annotations

import re

from hunter.core.answers import RRType
from hunter.core.dmarc_walk import DmarcState, discover, walk_names
from hunter.core.domain import REASONS, WARNINGS, Domain, parse_domain, registrable_domain
from hunter.core.errors import InvalidDomain
from hunter.core.idn import MAX_LABEL, MAX_NAME, is_confusable, to_ascii, to_unicode
from hunter.core.spf import SpfState
from hunter.core.spf_walk import walk_spf
from tests.fuzz.inputs import Zone, typed_text_of
from tests.fuzz.rules import errors_of, hold, hold_findings

_NAME = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)*")
#: RFC 7208 allows 10; the walk goes on to 100 and notes what stands on the way back
_MOST_LOOKUPS = 210
_DOMAIN = "mail.contoso.com"


def check_spf_walk(data: bytes) -> None:
    """The worst case of a policy costs no more than its limit, whatever the tree."""
    zone = Zone(data)
    posture = walk_spf("contoso.com", zone.lookup)
    hold(posture, 20 * len(data))
    hold_findings(posture.findings, len(data), "spf_")
    assert posture.voids <= posture.lookups <= _MOST_LOOKUPS
    assert zone.asked <= 2 * _MOST_LOOKUPS
    assert len(posture.includes) <= posture.lookups
    assert not posture.unasked or not posture.complete
    if posture.state is SpfState.OK:
        assert posture.record is not None
        assert posture.lookups <= 10
        assert set(errors_of(posture.findings)) <= {"spf_plus_all", "spf_like_record_ignored"}
    assert posture == walk_spf("contoso.com", zone.lookup)


def check_dmarc_walk(data: bytes) -> None:
    """The policy that applies comes from a name on the way, and silence is never its absence."""
    zone = Zone(data)
    posture = discover(_DOMAIN, zone.lookup)
    hold(posture, 20 * len(data))
    hold_findings(posture.findings, 2 * len(data), "dmarc_")
    names = walk_names(_DOMAIN)
    assert posture.queries[0] == f"_dmarc.{_DOMAIN}"
    assert posture.org_domain in names
    assert (posture.state is DmarcState.FOUND) == (posture.policy is not None)
    assert (posture.policy_domain is None) == (posture.policy is None)
    assert posture.policy_domain is None or posture.policy_domain in names
    assert 0 <= posture.rfc7489_pct <= 100
    own = zone.lookup(f"_dmarc.{_DOMAIN}", RRType.TXT)
    if own is None or not own.outcome.is_known:
        assert posture.state is not DmarcState.ABSENT
        assert not posture.complete
    assert posture == discover(_DOMAIN, zone.lookup)


def check_domain(data: bytes) -> None:
    """Any text is a canonical name or a refusal with a reason."""
    text = typed_text_of(data)
    for registrable in (False, True):
        for private in (False, True):
            _check_parsed(text, registrable=registrable, private=private)


def _check_parsed(text: str, *, registrable: bool, private: bool) -> None:
    try:
        domain = parse_domain(
            text, registrable=registrable, private_suffixes=private, allow_test_names=True
        )
    except InvalidDomain as error:
        _check_refusal(error)
        return
    hold(domain, len(text))
    _check_canonical(domain.name)
    assert "." in domain.name
    assert set(domain.warnings) <= set(WARNINGS)
    again = parse_domain(
        domain.name, registrable=registrable, private_suffixes=private, allow_test_names=True
    )
    assert again.name == domain.name, "a canonical name is its own"
    assert to_ascii(domain.display) == domain.name, "what is shown leads back"
    _check_held(domain, registrable=registrable, private=private)


def _check_refusal(error: InvalidDomain) -> None:
    assert str(error) == REASONS[error.reason]


def _check_held(domain: Domain, *, registrable: bool, private: bool) -> None:
    held = registrable_domain(domain.name, private=private and registrable)
    if registrable:
        assert held == domain.name
    else:
        assert held is not None
        assert domain.name == held or domain.name.endswith("." + held)


def check_idn(data: bytes) -> None:
    """International names: canonical or refused, and shown so that they lead back."""
    text = typed_text_of(data)
    is_confusable(text)
    to_unicode(text)
    try:
        name = to_ascii(text)
    except InvalidDomain as error:
        _check_refusal(error)
        return
    _check_canonical(name)
    assert to_ascii(name) == name
    assert to_ascii(to_unicode(name)) == name, "what is shown leads back"


def _check_canonical(name: str) -> None:
    assert len(name) <= MAX_NAME
    assert _NAME.fullmatch(name), name
    assert all(0 < len(label) <= MAX_LABEL for label in name.split("."))
