"""The Microsoft tenant: what proves one, which of seven states it is in, and the facts that follow."""

from __future__ import annotations

import datetime as dt

from hunter.core import identity, provider
from hunter.core.answers import RRType
from hunter.core.case import Case, Placement, TenantSignals
from hunter.core.facts import Kind, Rules
from hunter.core.history import appeared
from hunter.core.judgement import Evidence, History, State
from hunter.core.placement import PLACEMENT_FACTS
from hunter.core.score import Fact
from hunter.core.seen import Seen, is_silent, not_asked, proof

#: read once: at each use Python 3.11 takes longer for Enum.MEMBER than for a dictionary
_PRESENT, _UNKNOWN = State.PRESENT, State.UNKNOWN
_TXT, _CNAME = RRType.TXT, RRType.CNAME
#: placements with which a Microsoft tenant would change what to say
TENANT_MATTERS = frozenset(
    {
        *PLACEMENT_FACTS.values(),
        "mail_exchange_onprem",
        "mail_gateway_unseen",
        "mail_mixed",
        "mail_none_likely",
        "mail_unknown_operator",
    }
)
#: signals that prove who owns the name, at some time, and no use of a tenant
_CLAIMS = frozenset({"txt_ms", "mx_proof"})
#: facts of a tenant that earn points for the record that proves it
TENANT_FACTS = ("tenant_without_mail", "migrating_in", "migrating_out")
_MICROSOFT_SELECTORS = ("selector1._domainkey", "selector2._domainkey")


def tenant_signals(seen: Seen, rules: Rules) -> TenantSignals:
    """Signals that prove a Microsoft tenant: id → (half a sentence, signal)."""
    found = {}
    signals = seen.signals
    for row in rules.signals.values():
        if row.tenant and row.id in signals and signals[row.id].state is _PRESENT:
            found[row.id] = (row.says, signals[row.id])
    for name, says in (
        ("mx_proof", "the domain is being proved to Microsoft by an MX record"),
        ("dkim_microsoft", "DKIM keys point to a Microsoft tenant"),
    ):
        signal = seen.signals.get(name)
        if signal is not None and signal.state is _PRESENT:
            found[name] = (says, signal)
    return found


def tenant_state(
    seen: Seen,
    place: Placement,
    tenant: TenantSignals,
    *,
    history: History,
    rules: Rules,
    as_of: dt.date,
) -> str:
    """One of the seven states of signals.yaml."""
    if place.fact == "mail_microsoft":
        return "m365_mail"
    if place.fact == "mail_microsoft_probable":
        return "m365_mail_probable"
    if place.fact in {"", "mail_faulty", "domain_missing"}:
        return "unknown"
    mixed = seen.mail.mailboxes if place.fact == "mail_mixed" and seen.mail is not None else ()
    if any(provider.family_of(each, rules) == identity.MICROSOFT for each in mixed):
        return "m365_mail" if _has_moved(seen, mixed, history, rules) else "migrating_in"
    was = history.seen.get("mx_microsoft")
    leftover = any(
        name in seen.signals and seen.signals[name].state is _PRESENT
        for name in ("spf_microsoft", "dkim_microsoft", "autodiscover_microsoft")
    )
    if was is not None and was.last_present is not None and leftover:
        return "migrating_out"
    if tenant:
        if place.fact == "mail_gateway_unseen" and seen.spf.is_hidden:
            return "unknown"
        dates = [appeared(history.seen.get(name)) for name in tenant]
        newest = max((each for each in dates if each is not None), default=None)
        if newest is not None and (as_of - newest).days < rules.migrating_days:
            return "migrating_in"
        return "tenant_without_mail"
    if place.fact == "mail_gateway_unseen" or _silent_on_tenant(seen, rules):
        return "unknown"
    return "no_microsoft"


def _has_moved(seen: Seen, mailboxes: tuple[str, ...], history: History, rules: Rules) -> bool:
    """True when mail is at Microsoft and what stands behind is an old entry.

    Another suite there, or a mix that history proves to be new, is a move that is not over.
    """
    kinds = [rules.providers[each] for each in mailboxes if each in rules.providers]
    suites = {row.family for row in kinds if row.kind is Kind.SUITE}
    is_new = appeared(history.seen.get("mx:" + provider.MIXED)) is not None
    return suites == {identity.MICROSOFT} and not is_new and _is_microsoft_first(seen, rules)


def _silent_on_tenant(seen: Seen, rules: Rules) -> tuple[Evidence, ...]:
    """Questions that would show a tenant and that nobody answered."""
    survey = seen.survey
    found = [
        not_asked(survey, rrtype, label)
        for rrtype, label in ((_TXT, ""), (_CNAME, "autodiscover"))
        if survey.get(rrtype, label) is None
    ]
    for row in rules.signals.values():
        signal = seen.signals.get(row.id)
        if row.tenant and signal is not None and signal.state is _UNKNOWN:
            found += signal.evidence
    found += [
        proof(answer)
        for selector in _MICROSOFT_SELECTORS
        if (answer := survey.get(_TXT, selector)) is not None and is_silent(answer)
    ]
    return tuple(dict.fromkeys(found))


def add_silence(case: Case) -> None:
    """The fact that nobody said whether there is a tenant, where a company may have one."""
    if case.tenant or case.tenant_state != "unknown" or case.place.fact not in TENANT_MATTERS:
        return
    silent = _silent_on_tenant(case.seen, case.rules)
    if silent:
        case.facts["tenant_unanswered"] = Fact(silent)


def add_tenant(case: Case) -> None:
    """The facts of a Microsoft tenant, and of what is left of one."""
    seen, place, facts, tenant, state = (
        case.seen, case.place, case.facts, case.tenant, case.tenant_state,
    )  # fmt: skip
    evidence = tuple(
        dict.fromkeys(each for _, signal in tenant.values() for each in signal.evidence)
    )
    says = next((says for says, _ in tenant.values()), "")
    if state == "migrating_in":
        facts["migrating_in"] = Fact(
            evidence or place.evidence, says or "mail goes to Microsoft and to another system"
        )
    elif state == "tenant_without_mail":
        strong = [(half, signal) for name, (half, signal) in tenant.items() if name not in _CLAIMS]
        if strong:
            says = strong[0][0]
            evidence = tuple(
                dict.fromkeys(each for _, signal in strong for each in signal.evidence)
            )
        facts["tenant_without_mail"] = Fact(evidence, says)
        facts["tenant_set_up" if strong else "tenant_claimed"] = Fact(evidence, says)
    elif state == "migrating_out":
        left = [
            seen.signals[name].evidence
            for name in ("spf_microsoft", "dkim_microsoft", "autodiscover_microsoft")
            if name in seen.signals and seen.signals[name].state is _PRESENT
        ]
        facts["migrating_out"] = Fact(
            tuple(dict.fromkeys(each for group in left for each in group)),
            says or "the SPF record names Microsoft",
        )
    elif state == "no_microsoft":
        facts["no_tenant"] = Fact(place.evidence)
    if place.fact == "mail_mixed" and _is_microsoft_first(seen, case.rules):
        facts["mixed_microsoft_first"] = Fact(place.evidence, place.what)
    if "godaddy_tenant" in tenant:
        facts["godaddy_tenant"] = Fact(tenant["godaddy_tenant"][1].evidence)
    spf = seen.signals.get("spf_microsoft")
    elsewhere = place.fact and place.fact not in {"mail_microsoft", "mail_microsoft_probable"}
    if elsewhere and spf is not None and spf.state is _PRESENT:
        facts["spf_names_microsoft"] = Fact(spf.evidence)


def _is_microsoft_first(seen: Seen, rules: Rules) -> bool:
    """True when the hosts with the best preference are Microsoft's, all of them."""
    hosts = seen.mail.hosts if seen.mail is not None else ()
    best = min((host.preference for host in hosts), default=0)
    first = [host.operator for host in hosts if host.preference == best]
    return all(provider.family_of(each, rules) == identity.MICROSOFT for each in first)
