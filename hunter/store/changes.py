"""Changes: what became different about a domain, or about what Hunter makes of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, LiteralString
from uuid import UUID

import msgspec

from hunter.store.database import Connection
from hunter.store.identifiers import uuid7

#: other rules, the same records
RECLASSIFIED: Final = "reclassified"
#: another fact table, the same records
FACT_TABLE_EFFECT: Final = "fact_table_effect"


class Change(msgspec.Struct, frozen=True):
    """One change; `before` and `after` have the fields that differ."""

    domain: str
    kind: str
    before: dict[str, object]
    after: dict[str, object]
    observation_before: UUID | None
    observation_after: UUID | None


_ADD: Final[LiteralString] = """
    INSERT INTO change (id, domain, kind, before, after, observation_before, observation_after)
    SELECT * FROM unnest(
        $1::uuid[], $2::text[], $3::text[], $4::jsonb[], $5::jsonb[], $6::uuid[], $7::uuid[]
    )
"""


async def add(conn: Connection, changes: Sequence[Change]) -> None:
    """Write changes in the transaction that writes what they tell of."""
    if changes:
        await conn.execute(
            _ADD,
            [uuid7() for _ in changes],
            [each.domain for each in changes],
            [each.kind for each in changes],
            [msgspec.json.encode(each.before).decode() for each in changes],
            [msgspec.json.encode(each.after).decode() for each in changes],
            [each.observation_before for each in changes],
            [each.observation_after for each in changes],
        )
