"""What Hunter says about one domain: signals, products, score lines and the verdict, frozen."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from typing import Final

import msgspec

#: most characters of a record that a finding quotes: a whole name fits, and the survey has the rest
MAX_QUOTED: Final = 255
#: A record holds up to 64 KiB, an answer thousands of records. A judgement is stored with every scan
#: and shown in lists: it quotes this many records for one statement, and this much of each. The
#: survey has them all
MAX_EVIDENCE: Final = 50
MAX_RECORD: Final = 1000


class State(StrEnum):
    """The three states of every signal. An unknown is never an absence."""

    #: a record proves it
    PRESENT = "present"
    #: NOERROR/NODATA or NXDOMAIN proves it
    ABSENT = "absent"
    #: not asked, or nobody answered
    UNKNOWN = "unknown"


class Evidence(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The record (or the proved absence) that a statement rests on."""

    #: "contoso.com MX"
    question: str
    #: `hunter.core.answers.Outcome` of that question, or "not_asked"
    outcome: str
    #: the record as DNS gave it, "" when there is none
    record: str = ""


def quoted(record: str) -> str:
    """As much of a record as a judgement quotes."""
    return record if len(record) <= MAX_RECORD else record[: MAX_RECORD - 1] + "…"


class Signal(msgspec.Struct, frozen=True, gc=False, omit_defaults=False):
    """One observable thing about a domain, in one of three states."""

    state: State
    #: what was seen, "" when there is nothing to show
    value: str = ""
    evidence: tuple[Evidence, ...] = ()
    #: ISO 8601 instant of the last real answer when that is older than this scan, else ""
    stale_since: str = ""


class MailHost(msgspec.Struct, frozen=True, gc=False):
    """One MX host and who operates it."""

    preference: int
    host: str
    #: id in the provider table, "self_hosted", or "unknown:<registrable domain>"
    operator: str


class Product(msgspec.Struct, frozen=True, gc=False):
    """A product whose traces the domain carries."""

    id: str
    name: str
    #: crm, erp, marketing_automation, support, identity, e_signature, …
    category: str
    #: competitor_*, existing_*, m365_confirming, adjacent_*, … of the product table
    relation: str
    #: what the trace proves: account, active_sending or active_use
    proves: str
    #: 0 to 1
    confidence: float
    evidence: tuple[Evidence, ...]


class Axis(StrEnum):
    """What a score line counts towards. Score = fit + urgency."""

    FIT = "fit"
    URGENCY = "urgency"


class ScoreLine(msgspec.Struct, frozen=True, gc=False):
    """One line of the score; the lines add up to it exactly."""

    axis: Axis
    #: id of the rule
    code: str
    #: whole points, may be negative
    points: int
    #: a sentence a salesperson can read aloud
    reason: str
    evidence: tuple[Evidence, ...]


class Finding(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Something a parser noticed about a record: a code, and what its words speak of.

    Severity, words and fix are in findings.yaml, in every language Hunter speaks.
    """

    #: stable id, such as "spf_too_many_lookups"
    code: str
    #: (name, value) of what fills the holes in the words
    params: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, code: str, **params: object) -> Finding:
        """A finding whose values, which strangers wrote, are cut and hold nothing unprintable."""
        return cls(code, tuple((name, quotable(str(value))) for name, value in params.items()))

    def get(self, name: str) -> str:
        """The value of a parameter, "" without it."""
        return next((value for each, value in self.params if each == name), "")


def quotable(value: str) -> str:
    """Text of a record as a sentence can quote it: short, and what does not print as an escape."""
    if len(value) > MAX_QUOTED:
        value = value[: MAX_QUOTED - 1] + "…"
    if value.isprintable():
        return value
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in value
    )


class Segment(StrEnum):
    """What kind of lead this is."""

    #: mail elsewhere and addressable: can be brought to Microsoft 365
    MIGRATION = "migration"
    #: Microsoft 365 now: upsell, security, Dynamics
    EXISTING = "existing"
    #: reachable, weak reasons
    COLD = "cold"
    #: not a lead, for a stated reason
    SKIP = "skip"
    #: never enough answered yet: scan again soon
    UNKNOWN = "unknown"


class ScanStatus(StrEnum):
    """How complete the scan behind a judgement was."""

    #: queued, nothing known yet
    PENDING = "pending"
    #: every deciding question was answered
    OK = "ok"
    #: some deciding question was not answered; nothing is concluded from the silence
    UNKNOWN = "unknown"
    #: Hunter itself failed on this domain; the reason is kept
    FAILED = "failed"


class Judgement(msgspec.Struct, frozen=True, gc=False):
    """Everything concluded about one domain, each word with the record that proves it."""

    domain: str
    #: where the mailboxes are: suite id, "self_hosted", "mixed", a hoster's id; None when not known
    provider: str | None
    provider_name: str | None
    #: who receives the mail: provider table id, "mixed", "self_hosted", "unknown:<domain>"; None when not known
    mx_operator: str | None
    mx_operator_name: str | None
    #: `mx_operator` when it filters for someone else
    gateway: str | None
    #: ids of the seven states: m365_mail, m365_mail_probable, tenant_without_mail, migrating_in, migrating_out, no_microsoft, unknown
    tenant_state: str
    #: initial name of the Microsoft tenant, None when no record gives it
    tenant_name: str | None
    #: forwarding, parked, consumer, no_mail, no_mail_likely, domain_missing, mail or unknown
    mail_state: str
    #: True when the mail is at a regional hoster or self-hosted, None when not known
    local_provider: bool | None
    segment: Segment
    #: 1 (call first) to 6 (none)
    priority: int
    #: fit + urgency
    score: int
    fit: int
    urgency: int
    #: probability of `provider`, None when the deciding questions were not answered
    confidence: float | None
    #: sure, likely, unsure or unknown
    confidence_word: str
    #: A to F, None when not known
    posture: str | None
    #: one sentence: why this segment and priority
    reason: str
    mx: Signal
    mx_hosts: tuple[MailHost, ...]
    spf: Signal
    dkim: Signal
    #: reject, quarantine, none, absent or unknown
    dmarc_policy: str
    signals: dict[str, Signal]
    products: tuple[Product, ...]
    #: they add up to `score`
    lines: tuple[ScoreLine, ...]
    findings: tuple[Finding, ...]
    #: what would change this judgement, in sentences
    would_change: tuple[str, ...]
    scan_status: ScanStatus
    #: version of rules and fact tables
    rules_version: str
    #: hex digest over the merged values (never over TTL, order or unknowns)
    fingerprint: str
    #: id of the row of the verdict table that named segment and reason; "" of a judgement older than the field
    reason_code: str = ""
    #: True when `segment` is the one of before: the new answers do not decide it
    segment_is_kept: bool = False
    #: us_gov, china or germany where a record names that cloud of Microsoft's; None for the worldwide one
    cloud: str | None = None


class SignalDates(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """When a signal was first proved absent, first seen and last seen (ISO dates, UTC).

    "Appeared" needs a proved absence before it: without `first_absent` there is no dated event.
    """

    first_absent: dt.date | None = None
    first_present: dt.date | None = None
    last_present: dt.date | None = None


class History(msgspec.Struct, frozen=True, gc=False):
    """What is known of a domain from before this scan."""

    seen: dict[str, SignalDates] = {}
    #: segment and score of the last judgement that was not unknown
    segment: Segment | None = None
    score: int | None = None
    #: provider of the last judgement that had one
    provider: str | None = None


NO_HISTORY = History()
