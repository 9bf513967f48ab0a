"""Changes: what became different about a domain, or about what Hunter makes of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, LiteralString
from uuid import UUID

import msgspec

from hunter.core.changes import Kind
from hunter.store.database import Connection
from hunter.store.identifiers import uuid7

#: other rules, the same records
RECLASSIFIED: Final = Kind.RECLASSIFIED.value
#: another fact table, the same records
FACT_TABLE_EFFECT: Final = Kind.FACT_TABLE_EFFECT.value
#: stands for the domain in what is about all of them
EVERYWHERE: Final = "*"


class Change(msgspec.Struct, frozen=True):
    """One change to be written; `before` and `after` have the fields that differ."""

    domain: str
    kind: str
    before: dict[str, object]
    after: dict[str, object]
    observation_before: UUID | None
    observation_after: UUID | None
    #: of the lead after the change
    segment: str | None = None
    provider: str | None = None
    score: int | None = None


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """One change as it was written: what an alert rule filters by, and what it tells."""

    id: UUID
    domain: str
    #: counts the changes of a domain up by one
    sequence: int
    at: datetime
    kind: str
    before: dict[str, object]
    after: dict[str, object]
    segment: str | None
    provider: str | None
    score: int | None


#: numbered under the lock that the lead's transaction holds; a domain without a lead counts in microseconds
_ADD: Final[LiteralString] = """
    WITH n AS (
        SELECT *, row_number() OVER (PARTITION BY domain ORDER BY place) AS number,
            count(*) OVER (PARTITION BY domain) AS many
        FROM unnest(
            $1::uuid[], $2::text[], $3::text[], $4::jsonb[], $5::jsonb[], $6::uuid[], $7::uuid[],
            $8::text[], $9::text[], $10::smallint[]
        ) WITH ORDINALITY AS u(
            id, domain, kind, before, after, observation_before, observation_after,
            segment, provider, score, place
        )
    ), numbered AS (
        UPDATE lead SET change_sequence = change_sequence + n.many
        FROM n WHERE n.number = 1 AND lead.domain = n.domain
        RETURNING lead.domain, lead.change_sequence
    )
    INSERT INTO change (
        id, domain, kind, before, after, observation_before, observation_after, segment, provider,
        score, sequence
    )
    SELECT n.id, n.domain, n.kind, n.before, n.after, n.observation_before, n.observation_after,
        n.segment, n.provider, n.score,
        coalesce(
            numbered.change_sequence - n.many,
            (extract(epoch FROM clock_timestamp()) * 1000000)::bigint
        ) + n.number
    FROM n LEFT JOIN numbered ON numbered.domain = n.domain
    ORDER BY n.place
    RETURNING id, sequence, at
"""


async def add(conn: Connection, changes: Sequence[Change]) -> list[Written]:
    """Write changes in the transaction that writes what they tell of, their leads locked."""
    if not changes:
        return []
    ids = [uuid7() for _ in changes]
    rows = await conn.fetch(
        _ADD,
        ids,
        [each.domain for each in changes],
        [each.kind for each in changes],
        [msgspec.json.encode(each.before).decode() for each in changes],
        [msgspec.json.encode(each.after).decode() for each in changes],
        [each.observation_before for each in changes],
        [each.observation_after for each in changes],
        [each.segment for each in changes],
        [each.provider for each in changes],
        [each.score for each in changes],
    )
    written = {row["id"]: row for row in rows}
    return [
        Written(
            id=change_id,
            domain=each.domain,
            sequence=written[change_id]["sequence"],
            at=written[change_id]["at"],
            kind=each.kind,
            before=each.before,
            after=each.after,
            segment=each.segment,
            provider=each.provider,
            score=each.score,
        )
        for change_id, each in zip(ids, changes, strict=True)
    ]
