"""What was seen of a domain over time, and what became different: observations and changes, page by page."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, LiteralString
from uuid import UUID

import msgspec

from hunter.core.answers import Survey
from hunter.core.changes import INTERNAL
from hunter.core.errors import NotFound
from hunter.core.pending import Doubt
from hunter.store.database import Connection
from hunter.store.pages import Page, read_cursor, write_cursor

_survey_of: Final = msgspec.json.Decoder(Survey).decode
_fields_of: Final = msgspec.json.Decoder(dict[str, Any]).decode
_doubts_of: Final = msgspec.json.Decoder(dict[str, Doubt]).decode
_INTERNAL: Final = sorted(kind.value for kind in INTERNAL)


class Observation(msgspec.Struct, frozen=True):
    """What was seen of a domain, and from when to when it was all the same."""

    id: UUID
    observed_from: datetime
    observed_to: datetime
    fingerprint: str
    #: of the latest judgement of it
    rules_version: str
    score: int


class Past(msgspec.Struct, frozen=True):
    """One observation with its records."""

    observation: Observation
    survey: Survey


class Event(msgspec.Struct, frozen=True):
    """One change as it is stored."""

    id: UUID
    domain: str
    #: counts the changes of a domain up by one
    sequence: int
    at: datetime
    kind: str
    before: dict[str, Any]
    after: dict[str, Any]
    observation_before: UUID | None
    observation_after: UUID | None
    #: of the lead after the change
    segment: str | None
    provider: str | None
    score: int | None


class EventFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which changes; None takes any, kinds None all that customers may hear of."""

    domain: str | None = None
    kinds: tuple[str, ...] | None = None
    segments: tuple[str, ...] | None = None
    provider: str | None = None
    since: datetime | None = None
    until: datetime | None = None


_OBSERVATION: Final[LiteralString] = (
    "id, observed_from, observed_to, fingerprint, rules_version, score"
)
_LEAD: Final[LiteralString] = "SELECT pending FROM lead WHERE domain = $1"
_OBSERVATIONS: Final[LiteralString] = f"""
    SELECT {_OBSERVATION} FROM observation
    WHERE domain = $1 AND ($2::timestamptz IS NULL OR (observed_from, id) < ($2, $3::uuid))
    ORDER BY observed_from DESC, id DESC LIMIT $4
"""  # noqa: S608  # of constants


async def pending(conn: Connection, domain: str) -> dict[str, Doubt]:
    """What of a lead waits for a second look, by question. Raises NotFound."""
    row = await conn.fetchrow(_LEAD, domain)
    if row is None:
        raise NotFound(f"no lead {domain}")
    return _doubts_of(row["pending"]) if row["pending"] else {}


async def observations(
    conn: Connection, domain: str, after: str | None = None, limit: int = 100
) -> Page[Observation]:
    """Observations of a lead, newest first. Raises NotFound."""
    await pending(conn, domain)
    began, key = read_cursor("history", after, datetime, UUID)
    rows = await conn.fetch(_OBSERVATIONS, domain, began, key, limit + 1)
    items = [Observation(**dict(row)) for row in rows[:limit]]
    if len(rows) <= limit:
        return Page(items)
    return Page(items, write_cursor("history", items[-1].observed_from, items[-1].id))


_AT: Final[LiteralString] = f"""
    SELECT {_OBSERVATION}, evidence FROM observation
    WHERE domain = $1 AND observed_from <= $2 ORDER BY observed_from DESC, id DESC LIMIT 1
"""  # noqa: S608  # of constants


async def at(conn: Connection, domain: str, moment: datetime) -> Past:
    """What was known of a domain at a moment. Raises NotFound before the first observation."""
    row = await conn.fetchrow(_AT, domain, moment)
    if row is None:
        raise NotFound(f"nothing was known of {domain} at {moment.isoformat()}")
    values = {name: row[name] for name in Observation.__struct_fields__}
    return Past(Observation(**values), _survey_of(row["evidence"]))


_EVENT: Final[LiteralString] = """
    c.id, c.domain, c.sequence, c.at, c.kind, c.before, c.after, c.observation_before,
    c.observation_after, c.segment, c.provider, c.score
"""
#: ids begin with their time: since and until are bounds of the index that gives the order
_FILTER: Final[LiteralString] = """
    ($2::text[] IS NOT NULL AND c.kind = ANY($2) OR $2 IS NULL AND c.kind <> ALL($8::text[]))
    AND ($3::text[] IS NULL OR c.segment = ANY($3))
    AND ($4::text IS NULL OR c.provider = $4 OR c.before ->> 'provider' = $4)
    AND ($5::timestamptz IS NULL OR c.id >= uuid_floor($5))
    AND ($6::timestamptz IS NULL OR c.id < uuid_floor($6))
"""
_EVENTS: Final[LiteralString] = f"""
    SELECT {_EVENT} FROM change c
    WHERE ($1::text IS NULL) AND {_FILTER} AND ($7::uuid IS NULL OR c.id < $7)
    ORDER BY c.id DESC LIMIT $9
"""  # noqa: S608  # of constants
_EVENTS_OF: Final[LiteralString] = f"""
    SELECT {_EVENT} FROM change c
    WHERE c.domain = $1 AND {_FILTER} AND ($7::bigint IS NULL OR c.sequence < $7)
    ORDER BY c.sequence DESC LIMIT $9
"""  # noqa: S608  # of constants


async def events(
    conn: Connection, wanted: EventFilter, after: str | None = None, limit: int = 100
) -> Page[Event]:
    """Changes, newest first: of all leads, or of one by its own count."""
    is_one = wanted.domain is not None
    name, kind = ("changes of one", int) if is_one else ("changes", UUID)
    (key,) = read_cursor(name, after, kind)
    statement = await conn.prepare(_EVENTS_OF if is_one else _EVENTS)
    rows = await statement.fetch(
        wanted.domain,
        wanted.kinds,
        wanted.segments,
        wanted.provider,
        wanted.since,
        wanted.until,
        key,
        _INTERNAL,
        limit + 1,
    )
    items = [_event(row) for row in rows[:limit]]
    if len(rows) <= limit:
        return Page(items)
    return Page(items, write_cursor(name, items[-1].sequence if is_one else items[-1].id))


_OF_JOB: Final[LiteralString] = f"""
    SELECT {_EVENT} FROM scan_job j JOIN scan_result r ON r.job_id = j.id
    JOIN change c ON c.domain = r.domain AND c.observation_after = r.observation_id
        AND c.at >= j.accepted_at
    WHERE j.id = $1 AND c.kind <> ALL($2::text[])
    ORDER BY c.domain, c.sequence LIMIT $3
"""  # noqa: S608  # of constants
_WAITING_OF_JOB: Final[LiteralString] = """
    SELECT l.domain, l.pending FROM scan_result r JOIN lead l ON l.domain = r.domain
    WHERE r.job_id = $1 AND l.pending IS NOT NULL ORDER BY l.domain LIMIT $2
"""


async def events_of_job(conn: Connection, job_id: UUID, limit: int) -> list[Event]:
    """Changes that a job confirmed, by domain."""
    return [_event(row) for row in await conn.fetch(_OF_JOB, job_id, _INTERNAL, limit)]


async def waiting_of_job(
    conn: Connection, job_id: UUID, limit: int
) -> Sequence[tuple[str, dict[str, Doubt]]]:
    """Domains of a job of which something waits for a second look."""
    rows = await conn.fetch(_WAITING_OF_JOB, job_id, limit)
    return [(row["domain"], _doubts_of(row["pending"])) for row in rows]


def _event(row: Any) -> Event:  # a Record reads by name
    values = dict(row)
    values["before"], values["after"] = _fields_of(row["before"]), _fields_of(row["after"])
    return Event(**values)
