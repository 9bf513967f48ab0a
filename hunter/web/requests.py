"""What callers send: the types of bodies and query strings."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal
from uuid import UUID

import msgspec

from hunter.core.advice import Language
from hunter.core.answers import Depth
from hunter.core.contacts import Purpose
from hunter.core.judgement import ScanStatus, Segment
from hunter.core.scopes import Scope
from hunter.store.lead_filters import LeadFilter, Sort
from hunter.web.views import LeadItem

PageLimit = Annotated[int, msgspec.Meta(ge=1, le=1000)]
Score = Annotated[int, msgspec.Meta(ge=0, le=100)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
#: RFC 3339, with its offset
Moment = Annotated[dt.datetime, msgspec.Meta(tz=True)]
Mark = Literal["called", "won", "lost"]
#: what a person calls a group of leads; a comma would end it in a query
Tag = Annotated[
    str,
    msgspec.Meta(
        min_length=1, max_length=50, pattern=r"^[^\s,/\x00-\x1f]([^,/\x00-\x1f]*[^\s,/\x00-\x1f])?$"
    ),
]
LeadField = Annotated[
    str, msgspec.Meta(extra_json_schema={"enum": list(LeadItem.__struct_fields__)})
]
TenantState = Literal[
    "m365_mail",
    "m365_mail_probable",
    "tenant_without_mail",
    "migrating_in",
    "migrating_out",
    "no_microsoft",
    "unknown",
]
MailState = Literal[
    "forwarding",
    "parked",
    "consumer",
    "no_mail",
    "no_mail_likely",
    "domain_missing",
    "mail",
    "unknown",
]


#: which columns: all of Hunter's, or those from which Dynamics 365 imports leads
Profile = Literal["hunter", "dynamics365"]
Delimiter = Literal["comma", "semicolon", "tab"]


#: of a company: an address or a mail address holds one too
DomainText = Annotated[str, msgspec.Meta(extra_json_schema={"format": "domain", "minLength": 1})]


class ScanRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One domain to scan; quick unless body or query say how deep."""

    domain: DomainText
    depth: Depth | None = None


class CompanyRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One company. Its domain is read from domain, else website, else email."""

    domain: str = ""
    website: str = ""
    email: str = ""
    company_name: str = ""
    #: where the lead comes from, such as "fair 2026"
    source: str = ""
    depth: Depth = Depth.QUICK


class ContactEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A person at a company: reachable by e-mail or phone."""

    name: str = ""
    role: str = ""
    email: str = ""
    phone: str = ""
    #: where the data is from; that of the request without it
    source: str = ""
    purpose: Purpose | None = None


class EnrichRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """People to add to a lead; the same e-mail address, or name and phone, is the same person."""

    contacts: Annotated[list[ContactEntry], msgspec.Meta(max_length=100)]
    #: where the data is from, such as "fair 2026"
    source: str = ""
    #: what it is kept for
    purpose: Purpose = Purpose.SALES


class DomainLine(msgspec.Struct, frozen=True):
    """One name of a bulk as an object; other fields of it are ignored."""

    domain: str


#: CRM exports have holes, numbers and lists in them: each is refused in its place, not with the list
Name = Annotated[
    msgspec.Raw,
    msgspec.Meta(
        description="A name, or an object with it in domain. Anything else is refused in its place.",
        extra_json_schema={"examples": ["contoso.com", {"domain": "contoso.com"}]},
    ),
]


class BulkRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Up to 100,000 names to scan. `domain_list` is the earlier system's word for `domains`."""

    domains: list[Name] = []
    domain_list: list[Name] = []
    depth: Depth | None = None


KeyName = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
KeyScopes = Annotated[list[Scope], msgspec.Meta(min_length=1, max_length=len(Scope))]
Rate = Annotated[int, msgspec.Meta(ge=1, le=10_000_000)]
Burst = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
Quota = Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000_000)]
#: with its offset from UTC
End = Annotated[dt.datetime, msgspec.Meta(tz=True)]


class NewKeyRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A key to be made."""

    #: for people: who uses it, and what for
    name: KeyName
    scopes: KeyScopes
    #: requests a minute and at once; without, the server's own
    rate_per_minute: Rate | None = None
    burst: Burst | None = None
    #: domains accepted for scanning in one day (UTC); without, no quota
    domains_per_day: Quota | None = None
    expires_at: End | None = None


class KeyChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is to change of a key; what is left out stays, null takes a limit away."""

    name: KeyName | msgspec.UnsetType = msgspec.UNSET
    scopes: KeyScopes | msgspec.UnsetType = msgspec.UNSET
    rate_per_minute: Rate | msgspec.UnsetType | None = msgspec.UNSET
    burst: Burst | msgspec.UnsetType | None = msgspec.UNSET
    domains_per_day: Quota | msgspec.UnsetType | None = msgspec.UNSET
    expires_at: End | msgspec.UnsetType | None = msgspec.UNSET


class RotateRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long the secret before still counts; 0 ends it at once."""

    grace_hours: Annotated[float, msgspec.Meta(ge=0, le=720)] = 24


class NoQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The query of a path that takes no parameters."""


class CalibrationQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of which market; without, every market that has labels."""

    #: country code, or global for names under no country's
    market: Annotated[str, msgspec.Meta(pattern="^([a-z]{2}|global)$")] | None = None


class DepthQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How much to ask about each domain, where the body does not say; quick without."""

    depth: Depth | None = None


class IngestQuery(DepthQuery, frozen=True, forbid_unknown_fields=True):
    """Settings of a file."""

    #: where the leads come from, such as "fair 2026"
    source: str = ""


class PageQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A page of a list."""

    limit: PageLimit = 100
    #: next_cursor of the page before
    cursor: str | None = None


class AuditQuery(PageQuery, frozen=True, forbid_unknown_fields=True):
    """Which writes, newest first."""

    #: id of a key, or admin, anonymous, cli, system
    actor: str | None = None
    #: such as key.created
    action: str | None = None
    #: id of what was written
    target: str | None = None


class LanguageQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """In which language findings are told."""

    #: Accept-Language is asked without it, and English is told without both
    lang: Language | None = None


ChangeKind = Literal[
    "mx_changed",
    "provider_changed",
    "gateway_changed",
    "gateway_removed",
    "spf_changed",
    "dkim_changed",
    "dkim_key_rotated",
    "dmarc_added",
    "dmarc_removed",
    "dmarc_strengthened",
    "dmarc_weakened",
    "product_added",
    "product_removed",
    "score_changed",
    "segment_changed",
    "tenant_state_changed",
    "nameserver_changed",
    "expire_soon",
    "expired",
    "domain_gone",
    "dane_ready",
    "reclassified",
    "fact_table_effect",
    "observation_failed",
    "scan_health_degraded",
]


class ChangesWanted(PageQuery, frozen=True, forbid_unknown_fields=True):
    """Which changes."""

    #: any of these; without it, all that may notify a customer
    kind: tuple[ChangeKind, ...] | None = None
    since: Moment | None = None
    #: before this moment
    until: Moment | None = None
    #: of the sentences; Accept-Language is asked without it
    lang: Language | None = None


class LeadChangesQuery(ChangesWanted, frozen=True, forbid_unknown_fields=True):
    """Which changes of a lead."""


class ChangesQuery(ChangesWanted, frozen=True, forbid_unknown_fields=True):
    """Which changes of all leads."""

    #: of the lead after the change
    segment: tuple[Segment, ...] | None = None
    #: of the lead after the change, or the one it left
    provider: str | None = None


class LeadQuery(LanguageQuery, frozen=True, forbid_unknown_fields=True):
    """A lead, now or in the past."""

    #: a day (its end, UTC) or a moment (RFC 3339): the records known then
    as_of: str | None = None
    #: with as_of: what became different between the two
    compare_to: str | None = None


class RescanFilter(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Leads to be scanned again, by what is known of them."""

    segment: Segment | None = None
    provider: str | None = None
    priority: Annotated[int, msgspec.Meta(ge=1, le=6)] | None = None
    #: those not scanned since
    scanned_before: Moment | None = None


class RescanRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Known leads to be scanned again: a list of them, or a filter."""

    domains: tuple[str, ...] = ()
    filter: RescanFilter | None = None
    depth: Depth | None = None


class RejectsQuery(PageQuery, frozen=True, forbid_unknown_fields=True):
    """A page of what was refused, or all of it as a file."""

    #: the Accept header is asked without it
    format: Literal["json", "ndjson", "csv", "xlsx"] | None = None
    #: of the headings; Accept-Language is asked without it
    lang: Language | None = None
    #: CSV only: the mark by which Excel knows UTF-8
    bom: bool = True
    #: CSV only; Excel in Turkish opens those with semicolons
    delimiter: Delimiter = "comma"


class ReportQuery(LanguageQuery, frozen=True, forbid_unknown_fields=True):
    """For whom a page about a lead is."""

    #: the customer's copy has no priority and no score, and says what to put right
    audience: Literal["manager", "customer"] = "manager"


class JobsQuery(PageQuery, frozen=True, forbid_unknown_fields=True):
    """A page of jobs, newest first."""

    status: Literal["pending", "running", "completed", "cancelled"] | None = None
    created_after: Moment | None = None
    created_before: Moment | None = None
    #: id of the job whose failures are tried again
    redrive_of: UUID | None = None


class DeskQuery(PageQuery, frozen=True, forbid_unknown_fields=True):
    """A page of the jobs of every lane, newest first."""

    status: Literal["receiving", "pending", "running", "completed", "cancelled"] | None = None
    lane: Literal["interactive", "bulk"] | None = None
    #: only jobs of which domains were given up
    has_dead: bool = False


class LeadsWanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which leads; several values of a parameter, between commas, widen it."""

    segment: tuple[Segment, ...] | None = None
    provider: tuple[str, ...] | None = None
    mx_operator: tuple[str, ...] | None = None
    gateway: tuple[str, ...] | None = None
    tenant_state: tuple[TenantState, ...] | None = None
    mail_state: tuple[MailState, ...] | None = None
    priority: tuple[Annotated[int, msgspec.Meta(ge=1, le=6)], ...] | None = None
    min_score: Score | None = None
    max_score: Score | None = None
    min_fit: Score | None = None
    max_fit: Score | None = None
    min_urgency: Score | None = None
    max_urgency: Score | None = None
    min_confidence: Share | None = None
    max_confidence: Share | None = None
    posture: tuple[Literal["A", "B", "C", "D", "E", "F"], ...] | None = None
    dmarc_policy: (
        tuple[Literal["reject", "quarantine", "none", "absent", "unknown"], ...] | None
    ) = None
    scan_status: tuple[ScanStatus, ...] | None = None
    #: country code, or global for names under no country's
    market: tuple[Annotated[str, msgspec.Meta(pattern="^([a-z0-9]{2}|global)$")], ...] | None = None
    tenant_name: tuple[str, ...] | None = None
    #: how far a salesperson came
    mark: tuple[Mark, ...] | None = None
    #: every one of them
    tags: tuple[Tag, ...] | None = None
    favourite: bool | None = None
    #: as it was given with the list
    source: str | None = None
    #: the mailboxes are at a provider of the country
    local_provider: bool | None = None
    #: records changed since this instant
    changed_since: Moment | None = None
    first_seen_after: Moment | None = None
    first_seen_before: Moment | None = None
    scanned_after: Moment | None = None
    scanned_before: Moment | None = None
    next_scan_before: Moment | None = None
    #: part of the domain or company name, Turkish letters or plain
    q: Annotated[str, msgspec.Meta(max_length=200)] | None = None

    def wanted(self) -> LeadFilter:
        """The filter part, as the store takes it."""
        names = LeadFilter.__struct_fields__
        return LeadFilter(**{name: getattr(self, name) for name in names})


class LeadsQuery(LeadsWanted, frozen=True, forbid_unknown_fields=True):
    """Which leads, in which order."""

    limit: PageLimit = 50
    #: next_cursor of the page before; it belongs to this very query
    cursor: str | None = None
    sort: Sort = Sort.CALL
    #: only these fields of each lead, and its domain
    fields: tuple[LeadField, ...] | None = None


class ExportQuery(LeadsWanted, frozen=True, forbid_unknown_fields=True):
    """Which leads go into a file, and how it is written."""

    #: by domain, each lead comes exactly once whatever happens meanwhile
    sort: Literal["domain", "call"] = "domain"
    #: the people of the leads too: personal data, wanted with the right leads:read besides
    contacts: bool = False
    #: CSV without it and without an Accept header
    format: Literal["ndjson", "csv", "xlsx"] | None = None
    profile: Profile = "hunter"
    #: of the headings; Accept-Language is asked without it
    lang: Language | None = None
    #: CSV only: the mark by which Excel knows UTF-8
    bom: bool = True
    #: CSV only; Excel in Turkish opens those with semicolons
    delimiter: Delimiter = "comma"


class ResultsQuery(PageQuery, frozen=True, forbid_unknown_fields=True):
    """A page of results, or all of them as a file."""

    #: NDJSON only: rows are sent while the scan runs, in the order in which they come, until it ends.
    #: An empty line now and then keeps the connection open; cut off, it is not the whole: ask again
    follow: bool = False

    #: the Accept header is asked without it
    format: Literal["json", "ndjson", "csv", "xlsx"] | None = None
    profile: Profile = "hunter"
    #: of findings and headings; Accept-Language is asked without it
    lang: Language | None = None
    #: CSV only: the mark by which Excel knows UTF-8
    bom: bool = True
    #: CSV only; Excel in Turkish opens those with semicolons
    delimiter: Delimiter = "comma"
