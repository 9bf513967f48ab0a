"""What is known of a domain from before, and after, a judgement; and a digest of what it publishes."""

from __future__ import annotations

import datetime as dt
from hashlib import sha256

from hunter.core import identity, provider
from hunter.core.answers import Outcome, RRType, Survey
from hunter.core.judgement import History, Judgement, MailHost, ScanStatus, SignalDates, State
from hunter.core.suffixes import registrable_domain

#: read once: at each use Python 3.11 takes longer for Enum.MEMBER than for a dictionary
_PRESENT, _ABSENT, _UNKNOWN = State.PRESENT, State.ABSENT, State.UNKNOWN
_MX = RRType.MX
_NXDOMAIN = Outcome.NXDOMAIN
#: the values a fingerprint covers: no addresses, serials or TTLs, which change by themselves
_FINGERPRINT = frozenset(
    {RRType.MX, RRType.TXT, RRType.NS, RRType.CNAME, RRType.SRV, RRType.CAA, RRType.DS}
)


def fingerprint(survey: Survey) -> str:
    """Digest over what the domain publishes: never over TTL, order, silence, or other people's names."""
    suffix = "." + survey.domain
    values = []
    for answer in survey.answers.values():
        if (answer.records or answer.chain) and answer.rrtype in _FINGERPRINT:
            name = answer.name
            if name == survey.domain or name.endswith(suffix):
                # joined, since formatting a member of an enum is dear
                question = name + " " + answer.rrtype
                values.append(f"{question}={sorted(answer.records)}{answer.chain}")
    missing = survey.get(_MX)
    if missing is not None and missing.outcome is _NXDOMAIN:
        values.append("nxdomain")
    return sha256("\n".join(sorted(values)).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def next_history(history: History, judgement: Judgement, as_of: dt.date) -> History:
    """History after this judgement: what was proved present or absent on that day.

    Values inherited from an earlier scan prove nothing and leave the dates alone.
    """
    seen = dict(history.seen)
    for name, signal in judgement.signals.items():
        if name != "ns" and not signal.stale_since:
            _note(seen, name, signal.state, as_of)
    mx = judgement.mx
    if mx.state is not _UNKNOWN and not mx.stale_since:
        _note_group(seen, "mx:", [receiver(judgement.mx_operator, judgement.mx_hosts)], as_of)
        _note_group(seen, "gateway:", [judgement.gateway] if judgement.gateway else [], as_of)
    hosts = judgement.signals.get("ns")
    if hosts is not None and hosts.state is _PRESENT and not hosts.stale_since:
        _note_group(seen, "ns:", hosts.value.split(), as_of)
    is_known = judgement.scan_status is ScanStatus.OK
    return History(
        seen=seen,
        segment=judgement.segment if is_known else history.segment,
        score=judgement.score if is_known else history.score,
        provider=judgement.provider or history.provider,
    )


def appeared(dates: SignalDates | None) -> dt.date | None:
    """The day a signal appeared; None without a proved absence before it."""
    if dates is None or dates.first_absent is None or dates.first_present is None:
        return None
    return dates.first_present if dates.first_present >= dates.first_absent else None


def receiver(operator: str | None, hosts: tuple[MailHost, ...]) -> str:
    """Who receives the mail, by names that no edit of the provider table changes.

    Microsoft's own move from outlook.com to mx.microsoft is no move of the customer.
    """
    if operator is None or not hosts:
        return "none"
    if operator == provider.MIXED or operator.startswith(identity.MICROSOFT):
        return operator
    best = min(hosts, key=lambda each: (each.preference, each.host)).host
    return registrable_domain(best) or best


def _note(seen: dict[str, SignalDates], name: str, state: State, as_of: dt.date) -> None:
    dates = seen.get(name, SignalDates())
    if state is _PRESENT:
        seen[name] = SignalDates(dates.first_absent, dates.first_present or as_of, as_of)
    elif state is _ABSENT and (dates.first_absent is None or dates.first_present is not None):
        # gone again: a later return is a new appearance
        seen[name] = SignalDates(as_of, None, dates.last_present)


def _note_group(
    seen: dict[str, SignalDates], prefix: str, present: list[str], as_of: dt.date
) -> None:
    """Signals of which one excludes the others: seeing others before proves that this one was absent."""
    others = [
        dates.last_present
        for name, dates in seen.items()
        if name.startswith(prefix) and dates.last_present is not None
    ]
    before = max(others, default=None)
    for name in [each for each in seen if each.startswith(prefix)]:
        if name.removeprefix(prefix) not in present:
            _note(seen, name, _ABSENT, as_of)
    for each in present:
        if prefix + each not in seen and before is not None:
            seen[prefix + each] = SignalDates(first_absent=before)
        _note(seen, prefix + each, _PRESENT, as_of)
