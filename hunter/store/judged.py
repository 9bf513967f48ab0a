"""Leads written: locked in order, then judged anew, with the observation behind the judgement."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from hashlib import blake2b
from typing import Any, Final, LiteralString
from uuid import UUID

import msgspec

from hunter.core.answers import Survey
from hunter.core.errors import Unavailable
from hunter.core.judgement import History, Judgement, Segment, SignalDates
from hunter.core.pending import Doubt
from hunter.core.registration import Registration
from hunter.store import registrations
from hunter.store.database import Connection

_survey_of: Final = msgspec.json.Decoder(Survey).decode
_dates_of: Final = msgspec.json.Decoder(dict[str, SignalDates]).decode
_doubts_of: Final = msgspec.json.Decoder(dict[str, Doubt]).decode


class Standing(msgspec.Struct, frozen=True):
    """What is known of a domain before a survey is judged."""

    last_scanned_at: datetime | None
    history: History
    fingerprint: str | None
    observation_id: UUID | None
    #: the merged survey of the current observation
    previous: Survey | None
    #: ISO 8601 instant at which `previous` was last confirmed, "" without one
    observed_at: str
    #: what a registry said of the domain; None when none has
    registration: Registration | None = None
    #: by which rules the lead was judged, None when it never was
    rules_version: str | None = None
    #: answers seen and not believed yet, by question
    doubts: dict[str, Doubt] = {}
    #: True while nothing of them is to be believed: too much seems to have changed at once
    is_held: bool = False


class Waiting(msgspec.Struct, frozen=True):
    """What of a survey is not believed yet, as JSON, from when on, and the survey's fingerprint."""

    doubts: str
    since: datetime
    fingerprint: str


class JudgedLead(msgspec.Struct, frozen=True):
    """The new current judgement of a lead."""

    judgement: Judgement
    #: `judgement` as JSON, made once for lead and result
    encoded: str
    history: History
    observation_id: UUID
    #: the day (UTC) it is of
    judged_on: date
    #: `hunter.core.decay.decays`
    decays: bool = False
    #: None: nothing waits for a second look
    waiting: Waiting | None = None
    #: when it is to be scanned again
    next_scan_at: datetime | None = None
    #: depth of the survey; None when it was judged anew without one
    depth: str | None = None


class Observed(msgspec.Struct, frozen=True):
    """An observation to be written or renewed; `evidence` None leaves the stored one as it is."""

    id: UUID
    domain: str
    fingerprint: str
    rules_version: str
    score: int
    evidence: str | None


_INSERT_MISSING: Final[LiteralString] = """
    INSERT INTO lead (domain, display_name, search)
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[]) AS n(domain, display_name, search)
    ORDER BY domain COLLATE "C"
    ON CONFLICT (domain) DO NOTHING
"""


async def insert_missing(
    conn: Connection, domains: Sequence[str], display_names: Sequence[str], search: Sequence[str]
) -> None:
    """Make sure that every domain is a lead, in the order in which all chunks lock."""
    await conn.execute(_INSERT_MISSING, domains, display_names, search)


#: what `standing_from_row` reads
_STANDING: Final[LiteralString] = f"""
    SELECT l.domain, l.last_scanned_at, l.segment, l.score, l.provider, l.seen, l.fingerprint,
        l.observation_id, l.rules_version, l.pending, o.evidence, o.observed_to,
        {registrations.COLUMNS}
    FROM lead l LEFT JOIN observation o ON o.id = l.observation_id
        LEFT JOIN registration r ON r.domain = l.domain
"""  # noqa: S608  # of constants
_LOCK: Final[LiteralString] = f"""{_STANDING}
    WHERE l.domain = ANY($1::text[])
    ORDER BY l.domain FOR UPDATE OF l
"""


async def lock(conn: Connection, domains: Sequence[str]) -> dict[str, Standing]:
    """Lock leads in the order of their names and say where each stands; no entry, no lead yet."""
    rows = await conn.fetch(_LOCK, domains)
    return {row["domain"]: standing_from_row(row) for row in rows}


_READ: Final[LiteralString] = f"{_STANDING} WHERE l.domain = $1"


async def read(conn: Connection, domain: str) -> Standing | None:
    """Where a lead stands, without locking it; None when there is no such lead."""
    row = await conn.fetchrow(_READ, domain)
    return None if row is None else standing_from_row(row)


NOTHING: Final = Standing(None, History(), None, None, None, "")


def standing_from_row(row: Any) -> Standing:  # a Record reads by name
    """Where a lead stands, from a row with the columns of `_STANDING`."""
    # without an answer of a registry there is nothing to judge by
    told = registrations.registration_from_row(row) if row["fetched_at"] else None
    if row["last_scanned_at"] is None:
        return NOTHING if told is None else msgspec.structs.replace(NOTHING, registration=told)
    # a segment that was never decided says nothing about the past
    decided = row["segment"] not in {None, Segment.UNKNOWN.value}
    history = History(
        seen=_dates_of(row["seen"]) if row["seen"] else {},
        segment=Segment(row["segment"]) if decided else None,
        score=row["score"] if decided else None,
        provider=row["provider"],
    )
    return Standing(
        last_scanned_at=row["last_scanned_at"],
        history=history,
        fingerprint=row["fingerprint"],
        observation_id=row["observation_id"] if row["evidence"] else None,
        previous=_survey_of(row["evidence"]) if row["evidence"] else None,
        observed_at=row["observed_to"].isoformat() if row["observed_to"] else "",
        registration=told,
        rules_version=row["rules_version"],
        doubts=_doubts_of(row["pending"]) if row["pending"] else {},
    )


#: Judged anew without a scan ($1 is NULL), a lead waits and is scanned as it was.
_WRITE: Final[LiteralString] = """
    UPDATE lead SET
        scan_status = n.scan_status, last_scanned_at = coalesce($1::timestamptz, last_scanned_at),
        provider = n.provider,
        mx_operator = n.mx_operator, gateway = n.gateway, local_provider = n.local_provider,
        mail_state = n.mail_state, tenant_state = n.tenant_state, tenant_name = n.tenant_name,
        segment = n.segment, priority = n.priority, score = n.score, fit = n.fit,
        urgency = n.urgency, confidence = n.confidence, posture = n.posture,
        dmarc_policy = n.dmarc_policy, reason = n.reason, rules_version = n.rules_version,
        fingerprint = n.fingerprint, observation_id = n.observation_id,
        judgement = n.judgement, seen = n.seen, judged_on = n.judged_on, decays = n.decays,
        judgement_digest = n.judgement_digest,
        pending = CASE WHEN $1 IS NULL THEN lead.pending ELSE n.pending END,
        pending_since = CASE WHEN $1 IS NULL THEN lead.pending_since ELSE n.pending_since END,
        pending_fingerprint = CASE
            WHEN $1 IS NULL THEN lead.pending_fingerprint ELSE n.pending_fingerprint
        END,
        next_scan_at = CASE WHEN $1 IS NULL THEN lead.next_scan_at ELSE n.next_scan_at END,
        scan_depth = CASE WHEN n.depth = 'full' THEN 'full' ELSE coalesce(lead.scan_depth, n.depth) END
    FROM unnest(
        $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::boolean[], $8::text[],
        $9::text[], $10::text[], $11::text[], $12::smallint[], $13::smallint[], $14::smallint[],
        $15::smallint[], $16::real[], $17::text[], $18::text[], $19::text[], $20::text[],
        $21::text[], $22::uuid[], $23::jsonb[], $24::jsonb[], $25::date[], $26::boolean[],
        $27::bigint[], $28::jsonb[], $29::timestamptz[], $30::text[], $31::timestamptz[], $32::text[]
    ) AS n(
        domain, scan_status, provider, mx_operator, gateway, local_provider, mail_state,
        tenant_state, tenant_name, segment, priority, score, fit, urgency, confidence, posture,
        dmarc_policy, reason, rules_version, fingerprint, observation_id, judgement, seen,
        judged_on, decays, judgement_digest, pending, pending_since, pending_fingerprint,
        next_scan_at, depth
    )
    WHERE lead.domain = n.domain
"""


_INSERT: Final[LiteralString] = """
    INSERT INTO lead (
        domain, display_name, search, last_scanned_at, scan_status, provider, mx_operator, gateway,
        local_provider, mail_state, tenant_state, tenant_name, segment, priority, score, fit,
        urgency, confidence, posture, dmarc_policy, reason, rules_version, fingerprint,
        observation_id, judgement, seen, judged_on, decays, judgement_digest, pending,
        pending_since, pending_fingerprint, next_scan_at, scan_depth
    )
    SELECT n.domain, n.display_name, n.search, $1, n.scan_status, n.provider, n.mx_operator,
        n.gateway, n.local_provider, n.mail_state, n.tenant_state, n.tenant_name, n.segment,
        n.priority, n.score, n.fit, n.urgency, n.confidence, n.posture, n.dmarc_policy, n.reason,
        n.rules_version, n.fingerprint, n.observation_id, n.judgement, n.seen,
        n.judged_on, n.decays, n.judgement_digest, n.pending, n.pending_since,
        n.pending_fingerprint, n.next_scan_at, n.depth
    FROM unnest(
        $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::boolean[], $8::text[],
        $9::text[], $10::text[], $11::text[], $12::smallint[], $13::smallint[], $14::smallint[],
        $15::smallint[], $16::real[], $17::text[], $18::text[], $19::text[], $20::text[],
        $21::text[], $22::uuid[], $23::jsonb[], $24::jsonb[], $25::date[], $26::boolean[],
        $27::bigint[], $28::jsonb[], $29::timestamptz[], $30::text[], $31::timestamptz[],
        $32::text[], $33::text[], $34::text[]
    ) AS n(
        domain, scan_status, provider, mx_operator, gateway, local_provider, mail_state,
        tenant_state, tenant_name, segment, priority, score, fit, urgency, confidence, posture,
        dmarc_policy, reason, rules_version, fingerprint, observation_id, judgement, seen,
        judged_on, decays, judgement_digest, pending, pending_since, pending_fingerprint,
        next_scan_at, depth, display_name, search
    )
    ORDER BY n.domain COLLATE "C"
    ON CONFLICT (domain) DO NOTHING
"""


async def insert(
    conn: Connection,
    scanned_at: datetime,
    leads: Sequence[JudgedLead],
    display_names: Sequence[str],
    search: Sequence[str],
) -> None:
    """Add judged leads that were not there: an update after an empty insert costs every index twice.

    Raises Unavailable when somebody else added one of them meanwhile: judged without knowing what
    was known, it must be judged again.
    """
    if not leads:
        return
    columns = zip(*(_lead_values(lead) for lead in leads), strict=True)
    told = await conn.execute(_INSERT, scanned_at, *columns, display_names, search)
    if told != f"INSERT 0 {len(leads)}":
        raise Unavailable("another scan added one of these leads first")


async def write(conn: Connection, scanned_at: datetime | None, leads: Sequence[JudgedLead]) -> None:
    """Replace the current judgement of locked leads; judged anew without a scan, `scanned_at` is None."""
    if not leads:
        return
    columns = zip(*(_lead_values(lead) for lead in leads), strict=True)
    await conn.execute(_WRITE, scanned_at, *columns)


def _lead_values(lead: JudgedLead) -> tuple[object, ...]:
    """One lead in the order of `_WRITE`."""
    j, waiting = lead.judgement, lead.waiting
    return (
        j.domain,
        j.scan_status.value,
        j.provider,
        j.mx_operator,
        j.gateway,
        j.local_provider,
        j.mail_state,
        j.tenant_state,
        j.tenant_name,
        j.segment.value,
        j.priority,
        j.score,
        j.fit,
        j.urgency,
        j.confidence,
        j.posture,
        j.dmarc_policy,
        j.reason,
        j.rules_version,
        j.fingerprint,
        lead.observation_id,
        lead.encoded,
        msgspec.json.encode(lead.history.seen).decode(),
        lead.judged_on,
        lead.decays,
        judgement_digest(lead.encoded.encode(), j.rules_version),
        waiting.doubts if waiting else None,
        waiting.since if waiting else None,
        waiting.fingerprint if waiting else None,
        lead.next_scan_at,
        lead.depth,
    )


def judgement_digest(encoded: bytes, rules_version: str) -> int:
    """A digest over a judgement as JSON that leaves out by which rules it was made."""
    said = encoded.replace(rules_version.encode(), b"")
    return int.from_bytes(blake2b(said, digest_size=8).digest(), signed=True)


_MARK_FAILED: Final[LiteralString] = """
    UPDATE lead SET scan_status = 'failed'
    WHERE domain = ANY($1::text[]) AND last_scanned_at IS NULL
"""


async def mark_failed(conn: Connection, domains: Sequence[str]) -> None:
    """Say of leads never judged that Hunter failed on them; a judgement at hand stays."""
    if domains:
        await conn.execute(_MARK_FAILED, domains)


_OBSERVE: Final[LiteralString] = """
    INSERT INTO observation
        (id, domain, observed_from, observed_to, fingerprint, rules_version, score, evidence)
    SELECT n.id, n.domain, $1, $1, n.fingerprint, n.rules_version, n.score, n.evidence
    FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::smallint[], $7::jsonb[])
        AS n(id, domain, fingerprint, rules_version, score, evidence)
"""
_RENEW: Final[LiteralString] = """
    UPDATE observation SET observed_to = $1, rules_version = n.rules_version, score = n.score,
        evidence = coalesce(n.evidence, observation.evidence)
    FROM unnest($2::uuid[], $3::text[], $4::smallint[], $5::jsonb[])
        AS n(id, rules_version, score, evidence)
    WHERE observation.id = n.id
"""


async def observe(conn: Connection, observed_at: datetime, new: Sequence[Observed]) -> None:
    """Add observations: something about their domains is different from before."""
    if new:
        await conn.execute(
            _OBSERVE,
            observed_at,
            [o.id for o in new],
            [o.domain for o in new],
            [o.fingerprint for o in new],
            [o.rules_version for o in new],
            [o.score for o in new],
            [o.evidence for o in new],
        )


async def renew(conn: Connection, observed_at: datetime, same: Sequence[Observed]) -> None:
    """Confirm observations: nothing changed since."""
    if same:
        await conn.execute(
            _RENEW,
            observed_at,
            [o.id for o in same],
            [o.rules_version for o in same],
            [o.score for o in same],
            [o.evidence for o in same],
        )
