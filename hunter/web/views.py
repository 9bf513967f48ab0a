"""What callers get to know about a domain: the wire names of leads, results and scores."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from operator import attrgetter
from typing import Any

import msgspec

from hunter.core.advice import Advice, Language, advise_all
from hunter.core.brief import Brief, Sentence
from hunter.core.judgement import (
    Evidence,
    Judgement,
    MailHost,
    Product,
    ScoreLine,
    Signal,
    State,
)
from hunter.core.registration import Registration, RegistrationState
from hunter.knowledge.findings import load_findings
from hunter.store.contacts import Contact
from hunter.store.leads import Lead
from hunter.store.results import Result
from hunter.store.tenants import Sibling, Tenant
from hunter.web.doubts import PendingView


class SignalView(msgspec.Struct, frozen=True):
    """One observable thing, in one of three states; unknown is never an absence."""

    state: State
    #: what was seen, "" when there is nothing to show
    value: str
    evidence: tuple[Evidence, ...]
    #: when DNS last really answered; null when it never did
    observed_at: str | None


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What is concluded about a domain. null means not known, never no."""

    domain: str
    display_name: str
    company_name: str | None
    #: where the mailboxes are
    provider: str | None
    provider_name: str | None
    #: who receives the mail
    mx_operator: str | None
    mx_operator_name: str | None
    #: the mx_operator when it filters for somebody else
    gateway: str | None
    tenant_state: str
    tenant_name: str | None
    #: us_gov, china or germany: a sovereign cloud of Microsoft's that a record names
    cloud: str | None
    mail_state: str
    local_provider: bool | None
    segment: str
    #: 1 (call first) to 6 (none)
    priority: int | None
    #: fit + urgency
    score: int | None
    fit: int | None
    urgency: int | None
    confidence: float | None
    #: sure, likely, unsure or unknown
    confidence_word: str
    #: A to F
    posture: str | None
    reason: str
    #: id of the rule behind `reason`, such as null_mx, parked, for_sale, public_body
    reason_code: str
    #: true when `segment` is the one of before, because the new answers do not decide it
    segment_is_kept: bool
    dmarc_policy: str
    mx: SignalView
    spf: SignalView
    dkim: SignalView
    products: tuple[Product, ...]
    #: pending, ok, unknown or failed
    scan_status: str
    scanned_at: datetime | None
    rules_version: str | None


class LeadItem(Verdict, frozen=True, kw_only=True):
    """A lead in a list."""

    source: str | None
    first_seen_at: datetime
    last_seen_at: datetime
    next_scan_at: datetime | None
    #: when its records changed last; null: never seen to change
    last_changed_at: datetime | None
    #: country code, or global
    market: str
    tags: list[str]
    favourite: bool
    #: how far a salesperson came: called, won or lost; null: nobody called
    mark: str | None


class RegistrationView(msgspec.Struct, frozen=True):
    """What a registry says about a domain; of its registrant nothing is known."""

    #: registered, unregistered or unknown
    state: RegistrationState
    registrar: str | None
    #: days in UTC, null when not told; `expires` may have passed
    created: date | None
    expires: date | None
    #: RDAP's words (RFC 8056)
    statuses: tuple[str, ...]
    #: whether the registry publishes DS records
    delegation_signed: bool | None
    #: rdap or whois, and the host that said so
    source: str | None
    server: str | None
    #: when it said so
    observed_at: str | None
    #: why the last try brought nothing
    reason: str | None


class LeadView(LeadItem, frozen=True, kw_only=True):
    """A lead with everything behind it."""

    #: what the confidence rests on: "calibrated on … labels" or "uncalibrated, …"; null without one
    confidence_basis: str | None
    notes: str | None
    mx_hosts: tuple[MailHost, ...]
    signals: dict[str, SignalView]
    #: in the language of the request, the worst first
    findings: tuple[Advice, ...]
    #: what would change this judgement
    would_change: tuple[str, ...]
    #: other domains of the same Microsoft tenant, the first 50 in call order
    siblings: tuple[Sibling, ...]
    #: people that somebody entered, those entered last first
    contacts: tuple[Contact, ...]
    #: seen and not believed yet: until a second look the lead is told as it was before
    pending: tuple[PendingView, ...]
    #: null until it was asked for
    registration: RegistrationView | None


class TenantView(msgspec.Struct, frozen=True, kw_only=True):
    """A Microsoft tenant: one customer, however many domains."""

    #: the part before .onmicrosoft.com
    tenant_name: str
    #: how many domains lead to it; `GET /leads?tenant_name=` lists them
    domains: int
    best_lead: LeadItem


class ResultView(Verdict, frozen=True, kw_only=True):
    """What one scan said about one domain."""

    #: ok, unknown (a deciding question unanswered) or failed (Hunter itself failed)
    outcome: str
    #: why Hunter failed, null otherwise
    failure: str | None
    mx_hosts: tuple[MailHost, ...]
    signals: dict[str, SignalView]
    #: in the language of the request, the worst first
    findings: tuple[Advice, ...]


class ScoreBreakdown(msgspec.Struct, frozen=True, kw_only=True):
    """Why a score is what it is: the lines add up to it."""

    domain: str
    score: int | None
    fit: int | None
    urgency: int | None
    priority: int | None
    segment: str
    confidence: float | None
    confidence_word: str
    #: what the confidence rests on: "calibrated on … labels" or "uncalibrated, …"; null without one
    confidence_basis: str | None
    reason: str
    reason_code: str
    lines: tuple[ScoreLine, ...]
    would_change: tuple[str, ...]
    scan_status: str
    scanned_at: datetime | None
    rules_version: str | None


class SalesSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What a salesperson needs before a call, in one language; every sentence with its records."""

    domain: str
    display_name: str
    company_name: str | None
    #: of the sentences
    language: Language
    segment: str
    #: 1 (call first) to 6 (none)
    priority: int
    #: sure, likely, unsure or unknown
    confidence_word: str
    #: the judgement in one sentence; null when no record shows it
    reason: Sentence | None
    #: what they run
    runs: tuple[Sentence, ...]
    why_now: tuple[Sentence, ...]
    #: what to say first
    say: tuple[Sentence, ...]
    ask: tuple[Sentence, ...]
    #: offers, with a price only where HUNTER_PRICE_LIST has one
    offer: tuple[Sentence, ...]
    #: the lines of the score, their reasons in the language
    lines: tuple[ScoreLine, ...]
    would_change: tuple[str, ...]
    scanned_at: datetime | None


_NOT_SEEN = Signal(state=State.UNKNOWN)


def lead_item(lead: Lead) -> LeadItem:
    """A lead as it stands in a list."""
    return LeadItem(**_lead_facts(lead))


def lead_fields(lead: Lead, names: Sequence[str]) -> dict[str, object]:
    """Some fields of a lead in a list; those of `COLUMN_FIELDS` without its judgement."""
    if lead.judgement is None:
        facts = _column_facts(lead)
        return {name: facts[name] for name in names}
    item = lead_item(lead)
    return {name: getattr(item, name) for name in names}


def _column_facts(lead: Lead) -> dict[str, object]:
    facts = _lead_facts(lead)
    for name in _COLUMNS:
        if (value := getattr(lead, name)) is not None:
            facts[name] = value
    if lead.confidence is not None:  # the column holds four bytes of it
        facts["confidence"] = round(lead.confidence, 6)
    return facts


def tenant_view(tenant: Tenant) -> TenantView:
    """A tenant as it stands in a list."""
    return TenantView(
        tenant_name=tenant.tenant_name,
        domains=tenant.domains,
        best_lead=lead_item(tenant.best_lead),
    )


def lead_view(
    lead: Lead,
    siblings: Sequence[Sibling] = (),
    registration: Registration | None = None,
    *,
    language: Language = Language.EN,
    basis: str | None = None,
    contacts: Sequence[Contact] = (),
    pending: Sequence[PendingView] = (),
) -> LeadView:
    """A lead with its evidence, the other domains of its tenant, and its findings in a language."""
    found = lead.judgement
    return LeadView(
        **_lead_facts(lead),
        **_behind(found, lead.last_scanned_at, language),
        notes=lead.notes,
        confidence_basis=basis,
        would_change=found.would_change if found else (),
        siblings=tuple(siblings),
        contacts=tuple(contacts),
        pending=tuple(pending),
        registration=registration_view(registration) if registration else None,
    )


def registration_view(found: Registration) -> RegistrationView:
    """What a registry says; what it did not say is null."""
    return RegistrationView(
        state=found.state,
        registrar=found.registrar or None,
        created=found.created,
        expires=found.expires,
        statuses=found.statuses,
        delegation_signed=found.delegation_signed,
        source=found.source or None,
        server=found.server or None,
        observed_at=found.observed_at or None,
        reason=found.reason or None,
    )


def result_view(result: Result, language: Language = Language.EN) -> ResultView:
    """One row of a job's results, its findings in a language."""
    found = result.judgement
    facts = _verdict(found, result.scanned_at)
    return ResultView(
        **facts | {"scan_status": found.scan_status if found else result.outcome},
        **_behind(found, result.scanned_at, language),
        domain=result.domain,
        display_name=result.domain,
        company_name=result.company_name,
        outcome=result.outcome,
        # one line is for callers; what follows it may quote the row
        failure=result.reason.partition("\n")[0] if result.reason else None,
    )


def sales_summary_view(lead: Lead, brief: Brief) -> SalesSummary:
    """The brief of a lead, with the names it goes by."""
    values = {name: getattr(brief, name) for name in Brief.__struct_fields__}
    return SalesSummary(
        **values | {"segment": brief.segment.value},
        display_name=lead.display_name,
        company_name=lead.company_name,
        scanned_at=lead.last_scanned_at,
    )


def score_breakdown(lead: Lead, basis: str | None = None) -> ScoreBreakdown:
    """The lines of a lead's score; none before its first scan."""
    found = lead.judgement
    facts = _verdict(found, lead.last_scanned_at)
    names = set(ScoreBreakdown.__struct_fields__) & facts.keys()
    return ScoreBreakdown(
        **{name: facts[name] for name in names} | {"scan_status": lead.scan_status},
        domain=lead.domain,
        confidence_basis=basis,
        lines=found.lines if found else (),
        would_change=found.would_change if found else (),
    )


RESULT_COLUMNS = (
    "domain", "company_name", "priority", "segment", "score", "confidence", "provider",
    "mx_operator", "gateway", "tenant_state", "mail_state", "posture", "dmarc_policy", "products",
    "reason", "outcome", "failure", "scanned_at",
)  # fmt: skip


def result_row(result: Result) -> list[object]:
    """One row of a job's results as a spreadsheet has it."""
    view = result_view(result)
    values = {name: getattr(view, name) for name in RESULT_COLUMNS} | {
        "products": ", ".join(product.name for product in view.products),
    }
    return [values[name] for name in RESULT_COLUMNS]


def _lead_facts(lead: Lead) -> dict[str, Any]:
    return _verdict(lead.judgement, lead.last_scanned_at) | {
        "domain": lead.domain,
        "display_name": lead.display_name,
        "company_name": lead.company_name,
        "source": lead.source,
        "first_seen_at": lead.first_seen_at,
        "last_seen_at": lead.last_seen_at,
        "next_scan_at": lead.next_scan_at,
        "scan_status": lead.scan_status,
        "last_changed_at": lead.last_changed_at,
        "market": lead.market,
        "tags": lead.tags,
        "favourite": lead.is_favourite,
        "mark": lead.mark,
    }


def _verdict(found: Judgement | None, scanned_at: datetime | None) -> dict[str, Any]:
    """The fields of `Verdict` that come from a judgement; before a scan all is unknown."""
    if found is None:
        return _NOTHING_YET | {"scanned_at": scanned_at}
    instant = _instant(scanned_at)
    return dict(zip(_COPIED, _copied_of(found), strict=True)) | {
        "mx": _signal(found.mx, instant),
        "spf": _signal(found.spf, instant),
        "dkim": _signal(found.dkim, instant),
        "products": found.products,
        "scanned_at": scanned_at,
    }


def _behind(
    found: Judgement | None, scanned_at: datetime | None, language: Language
) -> dict[str, Any]:
    """What a judgement rests on."""
    if found is None:
        return {"mx_hosts": (), "signals": {}, "findings": ()}
    instant = _instant(scanned_at)
    return {
        "mx_hosts": found.mx_hosts,
        "signals": {name: _signal(each, instant) for name, each in found.signals.items()},
        "findings": advise_all(found.findings, load_findings(), language),
    }


def _signal(signal: Signal, instant: str | None) -> SignalView:
    answered_at: str | None = signal.stale_since
    if not answered_at and signal.state is not State.UNKNOWN:
        answered_at = instant
    return SignalView(signal.state, signal.value, signal.evidence, answered_at or None)


def _instant(scanned_at: datetime | None) -> str | None:
    """An instant as the wire has it; made once for all signals of a judgement."""
    return None if scanned_at is None else scanned_at.isoformat().replace("+00:00", "Z")


_COPIED = (
    "provider", "provider_name", "mx_operator", "mx_operator_name", "gateway", "tenant_state",
    "tenant_name", "mail_state", "local_provider", "segment", "priority", "score", "fit",
    "urgency", "confidence", "confidence_word", "posture", "reason", "reason_code",
    "segment_is_kept", "cloud",
    "dmarc_policy", "scan_status", "rules_version",
)  # fmt: skip
_copied_of = attrgetter(*_COPIED)
_NOTHING_YET: dict[str, Any] = dict.fromkeys(_COPIED) | {
    "tenant_state": "unknown",
    "mail_state": "unknown",
    "segment": "unknown",
    "confidence_word": "unknown",
    "reason": "Not scanned yet.",
    "reason_code": "not_scanned",
    "segment_is_kept": False,
    "dmarc_policy": "unknown",
    "scan_status": "pending",
    "mx": _signal(_NOT_SEEN, None),
    "spf": _signal(_NOT_SEEN, None),
    "dkim": _signal(_NOT_SEEN, None),
    "products": (),
}
#: fields of a judgement that are columns of a lead, too
_COLUMNS = (
    "provider", "mx_operator", "gateway", "tenant_state", "tenant_name", "mail_state",
    "local_provider", "segment", "priority", "score", "fit", "urgency", "confidence", "posture",
    "dmarc_policy", "reason", "rules_version",
)  # fmt: skip
#: fields of a lead in a list that need no judgement to be read
COLUMN_FIELDS = frozenset(_COLUMNS) | {
    "domain", "display_name", "company_name", "scanned_at", "source", "first_seen_at",
    "last_seen_at", "next_scan_at", "scan_status", "last_changed_at", "market", "tags", "favourite",
    "mark",
}  # fmt: skip
