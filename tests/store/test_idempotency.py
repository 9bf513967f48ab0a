"""Idempotency keys: whoever holds one is known, also when it changes hands just now."""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID

import pytest

from hunter.core.answers import Depth
from hunter.core.errors import Unavailable
from hunter.store import idempotency, jobs
from hunter.store.database import Connection, Database
from hunter.store.identifiers import uuid7

KEY = idempotency.Key("somebody", "k1", "POST", "/scan/bulk")


async def _upload(conn: Connection) -> UUID:
    job_id = uuid7()
    await jobs.create(conn, job_id, lane="bulk", depth=Depth.QUICK, caller="somebody")
    return job_id


class _Interrupted:
    """A real connection; after each of its first statements somebody else does something."""

    def __init__(self, conn: Connection, meanwhile: Any) -> None:
        self._conn = conn
        self._meanwhile = meanwhile

    async def execute(self, *query: Any) -> None:
        await self._conn.execute(*query)
        await self._meanwhile()

    async def fetchrow(self, *query: Any) -> Any:
        return await self._conn.fetchrow(*query)


async def test_a_key_dropped_between_two_looks_is_taken_and_not_only_thought_to_be(
    db: Database,
) -> None:
    async with db.acquire() as mine, db.acquire() as theirs:
        other, job_id = await _upload(theirs), await _upload(mine)
        assert await idempotency.reserve(theirs, KEY, other) is None

        async def drop() -> None:
            await jobs.drop_receiving(theirs, other)

        conn = cast("Connection", _Interrupted(mine, drop))
        assert await idempotency.reserve(conn, KEY, job_id) is None

        assert await mine.fetchval("SELECT job_id FROM idempotency") == job_id


async def test_a_key_that_changes_hands_without_end_is_tried_again_later(db: Database) -> None:
    async with db.acquire() as mine, db.acquire() as theirs:
        job_id = await _upload(mine)

        async def drop() -> None:
            await theirs.execute("DELETE FROM idempotency")

        with pytest.raises(Unavailable):
            await idempotency.reserve(cast("Connection", _Interrupted(mine, drop)), KEY, job_id)
