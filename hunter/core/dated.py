"""Facts with a date: what history proves to be new, and ends that vendors announced."""

from __future__ import annotations

import datetime as dt
from typing import Final

from hunter.core import provider
from hunter.core.case import Case
from hunter.core.history import appeared, receiver
from hunter.core.judgement import Evidence, State
from hunter.core.placement import is_gateway
from hunter.core.score import Fact

_ABSENT = State.ABSENT
#: days before and after its end that a registration is worth a word
_EXPIRY_DAYS: Final = 90


def add_dated(case: Case) -> None:
    """Facts with a date: what history proves to be new, and ends that vendors announced."""
    place = case.place
    if not place.fact:
        return
    _add_ends(case)
    _add_expiry(case)
    if place.fact not in {"mail_microsoft", "mail_microsoft_probable"}:
        _add_tenant_dates(case)
    if case.seen.mx is None or case.operator is None:
        return
    if place.fact == "mail_mixed":
        since = appeared(case.history.seen.get("mx:" + provider.MIXED))
        if since is not None:
            case.facts["mixed_since"] = Fact(place.evidence, place.what, since)
        return
    _add_moves(case, case.operator)


def _add_moves(case: Case, operator: str) -> None:
    """Moves of mail, filter and DNS from one operator to another."""
    facts, seen, base = case.facts, case.seen, case.place.evidence
    history, rules = case.history, case.rules
    moved = appeared(
        history.seen.get("mx:" + receiver(operator, seen.mail.hosts if seen.mail else ()))
    )
    if moved is not None:
        name = provider.operator_name(operator, rules) or operator
        facts["mx_moved"] = Fact(base, name, moved)
    if not is_gateway(operator, rules):
        gone = [
            (dates.last_present, name.removeprefix("gateway:"))
            for name, dates in history.seen.items()
            if name.startswith("gateway:")
            and dates.last_present is not None
            and name.removeprefix("gateway:") in rules.providers
        ]
        if gone:
            last, gateway = max(gone)
            facts["gateway_gone"] = Fact(base, rules.providers[gateway].name, last)
    hosts = seen.signals.get("ns")
    if hosts is not None:
        moves = [
            (date, host)
            for host in hosts.value.split()
            if (date := appeared(history.seen.get("ns:" + host))) is not None
        ]
        if moves:
            date, host = max(moves)
            facts["dns_host_moved"] = Fact(
                hosts.evidence, provider.operator_name(host, rules) or host, date
            )


def _add_ends(case: Case) -> None:
    """The announced end that presses most: the one nearest to this day, before or after it."""
    place, rules, as_of = case.place, case.rules, case.as_of
    shown = {each: place.evidence for each in (case.operator, place.provider) if each is not None}
    shown |= {product.id: product.evidence for product in case.products}
    ends = [(event, shown[each]) for each in sorted(shown) for event in rules.events.get(each, ())]
    if not ends:
        return
    event, evidence = min(ends, key=lambda end: abs((end[0].date - as_of).days))
    verb = "ended" if event.date < as_of else "ends"
    what = f"{event.name} {verb} on {event.date.isoformat()}"
    what += f"; {event.condition}," if event.condition else ":"
    case.facts["product_end"] = Fact(evidence, what, event.date, event.name, event.condition)


def _add_expiry(case: Case) -> None:
    """The end of the registration, when it is near.

    What a registry said before that day tells nothing after it: most owners renew in time.
    """
    found = case.registration
    if found is None or found.expires is None or not found.is_known:
        return
    observed = _day(found.observed_at)
    is_renewed = observed is None or observed < found.expires <= case.as_of
    if is_renewed or abs((found.expires - case.as_of).days) > _EXPIRY_DAYS:
        return
    said = f"expires {found.expires.isoformat()}"
    proof = Evidence(f"{found.domain} {found.source.upper()}", "found", said)
    case.facts["expires_soon"] = Fact((proof,), found.registrar or found.server, found.expires)


def _day(instant: str) -> dt.date | None:
    """The day of an ISO 8601 instant, None when it is none."""
    try:
        return dt.datetime.fromisoformat(instant).date()
    except ValueError:
        return None


def _add_tenant_dates(case: Case) -> None:
    """When a tenant appeared, and when mail was last at Microsoft."""
    facts, history = case.facts, case.history
    dated = [
        (date, says, signal)
        for name, (says, signal) in case.tenant.items()
        if (date := appeared(history.seen.get(name))) is not None
    ]
    if dated:
        date, says, signal = max(dated, key=lambda each: (each[0], each[1]))
        facts["tenant_appeared"] = Fact(signal.evidence, says, date)
    was = history.seen.get("mx_microsoft")
    now = case.seen.signals.get("mx_microsoft")
    if (
        was is not None
        and was.last_present is not None
        and now is not None
        and now.state is _ABSENT
    ):
        facts["microsoft_lost"] = Fact(now.evidence, "", was.last_present)
