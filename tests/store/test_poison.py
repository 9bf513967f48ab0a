"""Poison: what costs worker after worker is halved, then runs alone, then is given up and can be redriven."""

from __future__ import annotations

from uuid import UUID

import pytest

from hunter.core.answers import Depth
from hunter.core.errors import Conflict, NotFound
from hunter.store import chunks, completion, dispatch, jobs, leases, poison, redrive, results
from hunter.store.chunks import Claim
from hunter.store.database import Connection, Database
from hunter.store.identifiers import uuid7

ME = uuid7()


async def _job(conn: Connection, *names: str) -> tuple[UUID, int]:
    job_id = uuid7()
    await jobs.create(conn, job_id, lane="bulk", depth=Depth.QUICK, caller="test")
    (chunk_id,) = await chunks.add(conn, job_id, "bulk", [names])
    await jobs.grow(conn, job_id, total=len(names), rejected=0, duplicates=0)
    await jobs.accept(conn, job_id, rejected=0, duplicates=0)
    return job_id, chunk_id


async def _claim(conn: Connection, chunk_id: int) -> Claim | None:
    return await chunks.claim(conn, chunk_id, worker_id=ME, lease_s=20)


async def _lose(conn: Connection, chunk_id: int, times: int = 1) -> None:
    """Have so many workers claim the chunk and die over it."""
    for _ in range(times):
        assert await _claim(conn, chunk_id) is not None
        await conn.execute("UPDATE scan_chunk SET lease_until = now() - interval '1 second'"
                           " WHERE state = 'leased'")  # fmt: skip


async def _fail(conn: Connection, chunk_id: int, times: int) -> None:
    for _ in range(times):
        claim = await _claim(conn, chunk_id)
        assert claim is not None
        await leases.postpone(conn, chunk_id, claim.epoch, reason="chunk: KeyError", counted=True)
        await conn.execute("UPDATE scan_chunk SET not_before = now()")


async def _state(conn: Connection, chunk_id: int) -> str:
    return str(await conn.fetchval("SELECT state FROM scan_chunk WHERE id = $1", chunk_id))


async def _give_up(conn: Connection, *names: str) -> UUID:
    """A completed job of single domains that are all dead."""
    job_id, _ = await _job(conn, *names)
    while True:
        ids = [
            row["id"]
            for row in await conn.fetch(
                "SELECT id FROM scan_chunk WHERE job_id = $1 AND state IN ('ready', 'leased')",
                job_id,
            )
        ]
        if not ids:
            break
        for chunk_id in ids:
            await _lose(conn, chunk_id, 3)
        await poison.condemn(conn)
        for chunk_id in ids:
            if await _state(conn, chunk_id) == "leased":
                await _lose(conn, chunk_id)
        await poison.condemn(conn)
    assert await completion.finish(conn, job_id) == "completed"
    return job_id


async def test_three_lost_leases_halve_a_chunk(db: Database) -> None:
    async with db.acquire() as conn, conn.transaction():
        job_id, chunk_id = await _job(conn, "a.example", "b.example", "c.example")
        await _lose(conn, chunk_id, 2)
        too_early = await poison.condemn(conn)
        await _lose(conn, chunk_id)
        refused = await _claim(conn, chunk_id)

        (verdict,) = await poison.condemn(conn)

        assert (too_early, refused, verdict.domain) == ([], None, None)
        assert await _state(conn, chunk_id) == "split"
        parts = await conn.fetch(
            "SELECT id, domains, losses, state FROM scan_chunk WHERE parent_id = $1 ORDER BY id",
            chunk_id,
        )
        assert [tuple(row)[1:] for row in parts] == [
            (["a.example"], 0, "ready"),
            (["b.example", "c.example"], 0, "ready"),
        ]
        assert verdict.parts == tuple(row["id"] for row in parts)
        assert (await jobs.progress(conn, job_id)).total == 3
        assert await completion.mismatched(conn) == 0


async def test_whoever_works_on_a_halved_chunk_is_fenced_out(db: Database) -> None:
    async with db.acquire() as conn, conn.transaction():
        _, chunk_id = await _job(conn, "a.example", "b.example")
        await _lose(conn, chunk_id, 2)
        claim = await _claim(conn, chunk_id)
        assert claim is not None
        await conn.execute("UPDATE scan_chunk SET lease_until = now() - interval '1 second'")

        await poison.condemn(conn)

        assert await chunks.fence(conn, chunk_id, claim.epoch) is chunks.Fence.LOST
        assert await leases.extend(conn, {chunk_id: claim.epoch}, 20) == [chunk_id]


async def test_five_exceptions_halve_a_chunk(db: Database) -> None:
    async with db.acquire() as conn, conn.transaction():
        _, chunk_id = await _job(conn, "a.example", "b.example")
        await _fail(conn, chunk_id, 5)

        assert [len(v.parts) for v in await poison.condemn(conn)] == [2]


async def test_a_single_suspect_runs_alone_before_it_is_given_up(db: Database) -> None:
    async with db.acquire() as conn, conn.transaction():
        job_id, chunk_id = await _job(conn, "a.example")
        await _lose(conn, chunk_id, 3)
        before = await poison.condemn(conn)
        claim = await _claim(conn, chunk_id)
        assert claim is not None
        await conn.execute("UPDATE scan_chunk SET lease_until = now() - interval '1 second'")
        (verdict,) = await poison.condemn(conn)

        assert (before, claim.alone) == ([], True)
        assert (verdict.domain, await _state(conn, chunk_id)) == ("a.example", "dead")
        assert "4 workers stopped or froze over it" in verdict.reason
        assert await completion.finish(conn, job_id) == "completed"
        progress = await jobs.progress(conn, job_id)
        assert (progress.processed, progress.failed) == (1, 1)


async def test_a_suspect_that_fails_alone_is_given_up_with_its_last_exception(db: Database) -> None:
    async with db.acquire() as conn, conn.transaction():
        _, chunk_id = await _job(conn, "a.example")
        await _fail(conn, chunk_id, 6)

        (verdict,) = await poison.condemn(conn)

        assert verdict.reason.endswith("6 attempts failed; last: chunk: KeyError")


async def test_what_a_drain_hands_back_is_not_given_up(db: Database) -> None:
    async with db.acquire() as conn, conn.transaction():
        _, chunk_id = await _job(conn, "a.example")
        await _lose(conn, chunk_id, 3)
        claim = await _claim(conn, chunk_id)
        assert claim is not None
        await leases.give_back(conn, {chunk_id: claim.epoch})

        assert await poison.condemn(conn) == []
        again = await _claim(conn, chunk_id)
        assert again is not None
        assert again.alone


async def test_a_lease_lost_while_postgres_was_away_condemns_nobody(db: Database) -> None:
    async with db.acquire() as conn, conn.transaction():
        _, chunk_id = await _job(conn, "a.example")
        await _lose(conn, chunk_id, 4)
        await conn.execute("UPDATE scan_chunk SET leased_at = pg_postmaster_start_time()")

        assert await poison.condemn(conn) == []
        assert await _claim(conn, chunk_id) is not None


async def test_a_domain_given_up_is_among_the_results_with_its_reason(db: Database) -> None:
    async with db.acquire() as conn, conn.transaction():
        job_id = await _give_up(conn, "a.example", "c.example", "b.example")

        first = await results.results_page(conn, job_id, limit=2)
        rest = await results.results_page(conn, job_id, first.next_cursor, limit=2)

        items = [*first.items, *rest.items]
        assert [item.domain for item in items] == ["a.example", "b.example", "c.example"]
        assert {item.outcome for item in items} == {"failed"}
        assert all(item.reason and "given up" in item.reason for item in items)


async def test_a_redrive_is_a_job_of_all_that_failed(db: Database) -> None:
    async with db.acquire() as conn, conn.transaction():
        job_id = await _give_up(conn, "a.example", "b.example", "c.example")
        new_id = uuid7()

        made = await redrive.redrive(conn, job_id, new_id=new_id, caller="me", chunk_size=2)
        again = await redrive.redrive(conn, job_id, new_id=uuid7(), caller="me", chunk_size=2)

        progress = await jobs.progress(conn, made)
        parts = await conn.fetch(
            "SELECT domains FROM scan_chunk WHERE job_id = $1 ORDER BY id", made
        )
        assert (made, again) == (new_id, new_id)
        assert (progress.total, progress.redrive_of) == (3, str(job_id))
        assert [row["domains"] for row in parts] == [["a.example", "b.example"], ["c.example"]]
        assert await completion.mismatched(conn) == 0


async def test_only_a_finished_job_with_failures_is_redriven(db: Database) -> None:
    async with db.acquire() as conn:
        job_id, _ = await _job(conn, "a.example")

        with pytest.raises(Conflict, match="still runs"):
            await redrive.redrive(conn, job_id, new_id=uuid7(), caller="me", chunk_size=2)
        with pytest.raises(NotFound):
            await redrive.redrive(conn, uuid7(), new_id=uuid7(), caller="me", chunk_size=2)
        async with conn.transaction():
            await jobs.cancel(conn, job_id)
        with pytest.raises(Conflict, match="nothing to redrive"):
            async with conn.transaction():
                await redrive.redrive(conn, job_id, new_id=uuid7(), caller="me", chunk_size=2)


async def test_a_job_of_a_newer_version_is_left_to_newer_workers(db: Database) -> None:
    async with db.acquire() as conn:
        _, chunk_id = await _job(conn, "a.example")
        await conn.execute("UPDATE scan_job SET payload_version = $1", chunks.PAYLOAD_VERSION + 1)

        assert await _claim(conn, chunk_id) is None
        assert await dispatch.pick(conn, "bulk", limit=9, stale_s=1) == []
        async with conn.transaction():
            assert await chunks.claim_next(conn, "bulk", worker_id=ME, lease_s=9) is None


async def test_a_lease_whose_claim_was_never_answered_is_returned(db: Database) -> None:
    async with db.acquire() as conn:
        _, chunk_id = await _job(conn, "a.example")
        await _claim(conn, chunk_id)

        fresh = await leases.return_unknown(conn, ME, [], older_s=5)
        await conn.execute("UPDATE scan_chunk SET leased_at = now() - interval '6 seconds'")
        known = await leases.return_unknown(conn, ME, [chunk_id], older_s=5)
        others = await leases.return_unknown(conn, uuid7(), [], older_s=5)
        unknown = await leases.return_unknown(conn, ME, [], older_s=5)

        assert (fresh, known, others, unknown) == ([], [], [], [chunk_id])
        assert await conn.fetchval("SELECT losses FROM scan_chunk") == 0
