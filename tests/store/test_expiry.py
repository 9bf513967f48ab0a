"""Leases that ran out: whoever lives finds them, what killed workers before is left to the poison path."""

from __future__ import annotations

from uuid import UUID

from hunter.core.answers import Depth
from hunter.store import chunks, expiry, jobs
from hunter.store.chunks import Claim
from hunter.store.database import Connection, Database
from hunter.store.identifiers import uuid7

DEAD, LIVING = uuid7(), uuid7()


async def _leased(conn: Connection, *names: str, lane: str = "bulk") -> tuple[UUID, int]:
    """A job of one chunk that a worker holds."""
    job_id = uuid7()
    await jobs.create(conn, job_id, lane=lane, depth=Depth.QUICK, caller="test")
    (chunk_id,) = await chunks.add(conn, job_id, lane, [names])
    await jobs.grow(conn, job_id, total=len(names), rejected=0, duplicates=0)
    await jobs.accept(conn, job_id, rejected=0, duplicates=0)
    assert await chunks.claim(conn, chunk_id, worker_id=DEAD, lease_s=20)
    return job_id, chunk_id


async def _let_go(conn: Connection, chunk_id: int, **columns: object) -> None:
    await conn.execute(
        "UPDATE scan_chunk SET lease_until = now() - interval '1 second' WHERE id = $1", chunk_id
    )
    for name, value in columns.items():
        await conn.execute(f"UPDATE scan_chunk SET {name} = $2 WHERE id = $1", chunk_id, value)


async def _take_over(db: Database, lane: str = "bulk", spare_s: float = 0) -> Claim | None:
    async def work(conn: Connection) -> Claim | None:
        return await expiry.claim_expired(conn, lane, worker_id=LIVING, lease_s=20, spare_s=spare_s)

    return await db.transact(work)


async def test_what_ran_out_first_is_taken_over_first_and_without_a_hint(db: Database) -> None:
    async with db.acquire() as conn:
        ids = [(await _leased(conn, "a.example", "b.example"))[1] for _ in range(3)]
        for chunk_id in (ids[1], ids[0]):
            await _let_go(conn, chunk_id)
        await conn.execute(
            "UPDATE scan_chunk SET lease_until = lease_until - interval '1 s' WHERE id = $1", ids[1]
        )

    claims = [await _take_over(db) for _ in range(3)]

    assert [claim and (claim.chunk_id, claim.epoch, claim.was_lost) for claim in claims] == [
        (ids[1], 2, True),
        (ids[0], 2, True),
        None,
    ]


async def test_a_chunk_is_taken_over_once_by_whoever_locks_it(db: Database) -> None:
    async with db.acquire() as conn, db.acquire() as other:
        _, chunk_id = await _leased(conn, "a.example")
        await _let_go(conn, chunk_id)
        async with conn.transaction():
            found = [
                await expiry.expired(each, "bulk", spare_s=0, limit=4) for each in (conn, other)
            ]

    assert found == [[chunk_id], []]


async def test_a_chunk_that_cost_two_workers_is_left_to_be_halved(db: Database) -> None:
    async with db.acquire() as conn:
        for losses, failures in ((2, 0), (0, 5)):
            _, chunk_id = await _leased(conn, "a.example", "b.example")
            await _let_go(conn, chunk_id, losses=losses, failures=failures)

    assert await _take_over(db) is None


async def test_a_single_domain_has_its_last_chance_without_delay(db: Database) -> None:
    async with db.acquire() as conn:
        _, chunk_id = await _leased(conn, "a.example", lane="interactive")
        await _let_go(conn, chunk_id, losses=2)

    claim = await _take_over(db, "interactive")

    assert claim is not None
    assert claim.alone
    async with db.acquire() as conn:
        await _let_go(conn, chunk_id)
    assert await _take_over(db, "interactive") is None


async def test_after_an_outage_the_holders_have_time_for_a_beat(db: Database) -> None:
    async with db.acquire() as conn:
        _, chunk_id = await _leased(conn, "a.example")
        await _let_go(conn, chunk_id)
        up_s = await conn.fetchval(
            "SELECT extract(epoch FROM now() - pg_postmaster_start_time())::float8"
        )

    assert await _take_over(db, spare_s=up_s + 600) is None
    assert await _take_over(db) is not None


async def test_nothing_of_a_cancelled_job_or_of_the_other_lane_is_taken_over(db: Database) -> None:
    async with db.acquire() as conn:
        job_id, chunk_id = await _leased(conn, "a.example")
        await _let_go(conn, chunk_id)
        assert await expiry.expired(conn, "interactive", spare_s=0, limit=4) == []
        async with conn.transaction():
            await jobs.cancel(conn, job_id)

    assert await _take_over(db) is None
