"""Claim, lease, fence: of all who want a chunk one writes, and every chunk comes to an end."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import signal
from pathlib import Path
from uuid import UUID

import pytest

from hunter.config import Config, Secret
from hunter.core.answers import Depth
from hunter.core.errors import Conflict, NotFound
from hunter.local.servers import postgres
from hunter.store import chunks, completion, dispatch, jobs, leases, processes
from hunter.store.chunks import Claim, Fence
from hunter.store.database import Connection, Database, open_database
from hunter.store.identifiers import uuid7
from hunter.store.migrate import migrate_up

ME, OTHER = uuid7(), uuid7()


async def _job(conn: Connection, *sizes: int, lane: str = "bulk") -> tuple[UUID, list[int]]:
    """A pending job with one chunk of each size."""
    job_id = uuid7()
    await jobs.create(conn, job_id, lane=lane, depth=Depth.QUICK, caller="test")
    names = [[f"d{i}x{n}.example" for n in range(size)] for i, size in enumerate(sizes)]
    ids = await chunks.add(conn, job_id, lane, names)
    await jobs.grow(conn, job_id, total=sum(sizes), rejected=0, duplicates=0)
    await jobs.accept(conn, job_id, rejected=0, duplicates=0)
    return job_id, ids


async def _claim(conn: Connection, chunk_id: int, worker: UUID = ME) -> Claim | None:
    return await chunks.claim(conn, chunk_id, worker_id=worker, lease_s=20)


async def _must_claim(conn: Connection, chunk_id: int, worker: UUID = ME) -> Claim:
    claim = await _claim(conn, chunk_id, worker)
    assert claim is not None
    return claim


async def _expire(conn: Connection) -> None:
    await conn.execute(
        "UPDATE scan_chunk SET lease_until = now() - interval '1 second' WHERE state = 'leased'"
    )


async def _record(conn: Connection, claim: Claim) -> None:
    """End a chunk as the pipeline does, with a failed result for each domain."""
    await conn.executemany(
        "INSERT INTO scan_result (job_id, domain, outcome, reason, scanned_at) "
        "VALUES ($1, $2, 'failed', 'test', now())",
        [(claim.job_id, domain) for domain in claim.domains],
    )
    await chunks.finish(
        conn, claim.chunk_id, claim.epoch, ok=0, failed=len(claim.domains), unknown=0
    )


async def test_of_many_claims_one_wins(db: Database) -> None:
    async with db.acquire() as conn:
        _, (chunk_id,) = await _job(conn, 2)

    async def try_it() -> Claim | None:
        async with db.acquire() as conn:
            return await _claim(conn, chunk_id, uuid7())

    claims = await asyncio.gather(*(try_it() for _ in range(8)))

    won = [claim for claim in claims if claim is not None]
    assert len(won) == 1
    assert (won[0].epoch, won[0].domains) == (1, ["d0x0.example", "d0x1.example"])


async def test_a_claim_starts_the_job(db: Database) -> None:
    async with db.acquire() as conn:
        job_id, (chunk_id,) = await _job(conn, 1)
        before = (await jobs.progress(conn, job_id)).status
        await _must_claim(conn, chunk_id)

        progress = await jobs.progress(conn, job_id)

    assert (before, progress.status) == ("pending", "running")
    assert progress.started_at is not None


async def test_a_chunk_of_a_receiving_job_cannot_be_claimed(db: Database) -> None:
    async with db.acquire() as conn:
        job_id = uuid7()
        await jobs.create(conn, job_id, lane="bulk", depth=Depth.QUICK, caller="test")
        (chunk_id,) = await chunks.add(conn, job_id, "bulk", [["a.example"]])

        assert await _claim(conn, chunk_id) is None
        assert await dispatch.pick(conn, "bulk", limit=10, stale_s=10) == []


async def test_a_lease_that_ran_out_is_taken_over_under_a_new_epoch(db: Database) -> None:
    async with db.acquire() as conn:
        _, (chunk_id,) = await _job(conn, 1)
        mine = await _must_claim(conn, chunk_id)
        await _expire(conn)

        theirs = await _must_claim(conn, chunk_id, OTHER)

        assert (theirs.epoch, theirs.was_lost) == (mine.epoch + 1, True)
        assert await conn.fetchval("SELECT losses FROM scan_chunk") == 1
        async with conn.transaction():
            assert await chunks.fence(conn, chunk_id, mine.epoch) is Fence.LOST
            assert await chunks.fence(conn, chunk_id, theirs.epoch) is Fence.HELD


async def test_a_lease_lost_while_postgres_was_away_is_no_loss(db: Database) -> None:
    async with db.acquire() as conn:
        _, (chunk_id,) = await _job(conn, 1)
        await _must_claim(conn, chunk_id)
        await conn.execute("UPDATE scan_chunk SET leased_at = pg_postmaster_start_time()")
        await _expire(conn)

        await _must_claim(conn, chunk_id, OTHER)

        assert await conn.fetchval("SELECT losses FROM scan_chunk") == 0


async def test_a_lease_lost_while_postgres_recovered_from_a_crash_is_no_loss(
    config: Config, tmp_path: Path
) -> None:
    tmp_path.chmod(0o755)
    async with postgres(tmp_path, lambda _line: None) as url:
        await asyncio.to_thread(migrate_up, url)
        async with open_database(dataclasses.replace(config, database_url=Secret(url))) as db:
            async with db.acquire() as conn:
                _, (first, second) = await _job(conn, 1, 1)
                await _must_claim(conn, first)
                crashing = await conn.fetchval("SELECT pg_backend_pid()")
                started = await conn.fetchval("SELECT pg_postmaster_start_time()")
            os.kill(crashing, signal.SIGKILL)

            await db.transact(lambda conn: _must_claim(conn, second), deadline_s=20)
            async with db.acquire() as conn:
                await _expire(conn)
                await _must_claim(conn, first, OTHER)
                await _must_claim(conn, second, OTHER)
                rows = await conn.fetch("SELECT losses FROM scan_chunk ORDER BY id")
                assert await conn.fetchval("SELECT pg_postmaster_start_time()") == started

    # the second was claimed after the recovery
    assert [row["losses"] for row in rows] == [0, 1]


async def test_a_heartbeat_extends_what_is_held_and_names_what_is_lost(db: Database) -> None:
    async with db.acquire() as conn:
        _, (kept, lost, done) = await _job(conn, 1, 1, 1)
        claims = {i: await _must_claim(conn, i) for i in (kept, lost, done)}
        await _expire(conn)
        await _must_claim(conn, lost, OTHER)
        await _record(conn, claims[done])

        gone = await leases.extend(conn, {i: c.epoch for i, c in claims.items()}, 20)

        # done under our own epoch is our commit, whose answer may still be on its way
        assert gone == [lost]
        assert await conn.fetchval("SELECT lease_until > now() FROM scan_chunk WHERE id = $1", kept)


async def test_a_heartbeat_passes_by_a_chunk_under_commit(db: Database) -> None:
    async with db.acquire() as conn:
        _, (chunk_id,) = await _job(conn, 1)
        claim = await _must_claim(conn, chunk_id)
        async with conn.transaction():
            assert await chunks.fence(conn, chunk_id, claim.epoch) is Fence.HELD
            async with db.acquire() as beating:
                assert await leases.extend(beating, {chunk_id: claim.epoch}, 20) == []


async def test_a_lease_handed_back_is_free_at_once_and_no_loss(db: Database) -> None:
    async with db.acquire() as conn:
        _, (chunk_id,) = await _job(conn, 1)
        claim = await _must_claim(conn, chunk_id)

        assert await leases.give_back(conn, {chunk_id: claim.epoch}) == [chunk_id]
        assert await leases.give_back(conn, {chunk_id: claim.epoch}) == []

        again = await _must_claim(conn, chunk_id, OTHER)
        assert (again.epoch, again.was_lost) == (claim.epoch + 1, False)
        row = await conn.fetchrow("SELECT losses, failures FROM scan_chunk")
        assert row is not None
        assert tuple(row) == (0, 0)


async def test_a_postponed_chunk_waits(db: Database) -> None:
    async with db.acquire() as conn:
        _, (chunk_id,) = await _job(conn, 1)
        claim = await _must_claim(conn, chunk_id)

        await leases.postpone(conn, chunk_id, claim.epoch, reason="disk", counted=True)

        assert await _claim(conn, chunk_id) is None
        assert await dispatch.pick(conn, "bulk", limit=10, stale_s=10) == []
        await conn.execute("UPDATE scan_chunk SET not_before = now()")
        assert await _claim(conn, chunk_id) is not None


async def test_a_stale_epoch_can_neither_finish_nor_postpone_nor_return(db: Database) -> None:
    async with db.acquire() as conn:
        _, (chunk_id,) = await _job(conn, 1)
        stale = await _must_claim(conn, chunk_id)
        await _expire(conn)
        holder = await _must_claim(conn, chunk_id, OTHER)

        await chunks.finish(conn, chunk_id, stale.epoch, ok=1, failed=0, unknown=0)
        await leases.postpone(conn, chunk_id, stale.epoch, reason="x", counted=True)
        await leases.give_back(conn, {chunk_id: stale.epoch})

        row = await conn.fetchrow("SELECT state, epoch, failures FROM scan_chunk")
        assert row is not None
        assert tuple(row) == ("leased", holder.epoch, 0)


async def test_hints_go_round_robin_over_jobs(db: Database) -> None:
    async with db.acquire() as conn:
        _, big = await _job(conn, *[1] * 20)
        _, small = await _job(conn, 1, 1)

        first = {h.chunk_id for h in await dispatch.pick(conn, "bulk", limit=4, stale_s=10)}
        second = {h.chunk_id for h in await dispatch.pick(conn, "bulk", limit=4, stale_s=10)}

        assert first == {*big[:2], *small}
        assert second == set(big[2:6])


async def test_a_hint_is_not_given_again_before_it_is_stale(db: Database) -> None:
    async with db.acquire() as conn:
        await _job(conn, 1)

        first = await dispatch.pick(conn, "bulk", limit=9, stale_s=10)
        soon = await dispatch.pick(conn, "bulk", limit=9, stale_s=10)
        await conn.execute("UPDATE scan_chunk SET hinted_at = now() - interval '11 seconds'")
        later = await dispatch.pick(conn, "bulk", limit=9, stale_s=10)

        assert [len(first), len(soon), len(later)] == [1, 0, 1]
        assert later[0].number == first[0].number + 1


async def test_a_chunk_somebody_had_begun_is_hinted_as_such(db: Database) -> None:
    async with db.acquire() as conn:
        _, (lost, _) = await _job(conn, 1, 1)
        await _must_claim(conn, lost)
        await _expire(conn)

        picked = await dispatch.pick(conn, "bulk", limit=9, stale_s=10)

        assert [hint.begun for hint in picked] == [True, False]


async def test_two_dispatchers_pick_different_chunks(db: Database) -> None:
    async with db.acquire() as conn:
        for _ in range(4):
            await _job(conn, *[1] * 5)

    async def pick() -> list[int]:
        async with db.acquire() as conn, conn.transaction():
            picked = await dispatch.pick(conn, "bulk", limit=8, stale_s=10)
            await asyncio.sleep(0.05)
            return [hint.chunk_id for hint in picked]

    one, two = await asyncio.gather(pick(), pick())

    assert not set(one) & set(two)


async def test_room_is_thrice_the_slots_of_living_workers_less_hints(db: Database) -> None:
    async with db.acquire() as conn:
        await _job(conn, *[1] * 4)
        nobody = await dispatch.room(conn, "bulk", alive_s=15, stale_s=10)
        await processes.register(conn, ME, slots=2, interactive_slots=16)
        alone = await dispatch.room(conn, "bulk", alive_s=15, stale_s=10)
        await dispatch.pick(conn, "bulk", limit=4, stale_s=10)

        assert (nobody, alone) == (0, 6)
        assert await dispatch.room(conn, "bulk", alive_s=15, stale_s=10) == 2
        assert await dispatch.room(conn, "interactive", alive_s=15, stale_s=10) == 48


async def test_forgotten_hints_are_given_at_once(db: Database) -> None:
    async with db.acquire() as conn:
        await _job(conn, 1, 1)
        await dispatch.pick(conn, "bulk", limit=9, stale_s=10)

        await dispatch.forget_hints(conn)

        assert len(await dispatch.pick(conn, "bulk", limit=9, stale_s=10)) == 2


async def test_hints_of_expired_leases_that_came_to_nothing_are_given_at_once(db: Database) -> None:
    async with db.acquire() as conn:
        _, (first, second, held) = await _job(conn, 1, 1, 1)
        for chunk_id in (first, second):
            await _must_claim(conn, chunk_id)
        await _expire(conn)
        await _must_claim(conn, held)
        picked = [hint.chunk_id for hint in await dispatch.pick(conn, "bulk", limit=9, stale_s=10)]
        again = await dispatch.pick(conn, "bulk", limit=9, stale_s=10)
        await dispatch.unmark(conn, [first])
        declined = await dispatch.pick(conn, "bulk", limit=9, stale_s=10)
        await dispatch.forget_hints(conn)
        wiped = await dispatch.pick(conn, "bulk", limit=9, stale_s=10)

    assert (picked, again) == ([first, second], [])
    assert [hint.chunk_id for hint in declined] == [first]
    assert [hint.chunk_id for hint in wiped] == [first, second]


async def test_without_hints_any_claimable_chunk_is_taken(db: Database) -> None:
    async with db.acquire() as conn:
        _, (first, second) = await _job(conn, 1, 1)
        taken = []
        for _ in range(3):
            async with conn.transaction():
                taken.append(await chunks.claim_next(conn, "bulk", worker_id=ME, lease_s=20))

        assert [claim and claim.chunk_id for claim in taken] == [first, second, None]


async def test_without_hints_jobs_take_turns(db: Database) -> None:
    async with db.acquire() as conn:
        large, _ = await _job(conn, 1, 1, 1, 1)
        small, _ = await _job(conn, 1, 1)
        turns = []
        for _ in range(4):
            async with conn.transaction():
                claim = await chunks.claim_next(conn, "bulk", worker_id=ME, lease_s=20)
            assert claim is not None
            turns.append(claim.job_id)

        assert turns == [large, small, large, small]


async def test_of_single_scans_the_oldest_is_taken_first(db: Database) -> None:
    async with db.acquire() as conn:
        ids = [(await _job(conn, 1, lane="interactive"))[1][0] for _ in range(3)]
        # hinted, and hinted in vain: its turn is not over
        await dispatch.pick(conn, "interactive", limit=1, stale_s=10)
        taken = []
        for _ in ids:
            async with conn.transaction():
                claim = await chunks.claim_next(conn, "interactive", worker_id=ME, lease_s=20)
            taken.append(claim and claim.chunk_id)

    assert taken == ids


async def test_a_job_completes_when_results_are_the_total(db: Database) -> None:
    async with db.acquire() as conn:
        job_id, ids = await _job(conn, 2, 3)
        assert await completion.finishable(conn) == []
        for chunk_id in ids:
            await _record(conn, await _must_claim(conn, chunk_id))

        assert await completion.finishable(conn) == [job_id]
        async with conn.transaction():
            assert await completion.finish(conn, job_id) == "completed"

        progress = await jobs.progress(conn, job_id)
        assert (progress.processed, progress.failed, progress.progress) == (5, 5, 100.0)
        assert await completion.mismatched(conn) == 0
        assert await completion.finishable(conn) == []


async def test_a_job_with_a_missing_result_does_not_complete_and_is_counted(db: Database) -> None:
    async with db.acquire() as conn:
        job_id, (chunk_id,) = await _job(conn, 2)
        await _record(conn, await _must_claim(conn, chunk_id))
        await conn.execute("DELETE FROM scan_result WHERE domain = 'd0x0.example'")

        async with conn.transaction():
            assert await completion.finish(conn, job_id) == "running"

        assert await completion.mismatched(conn) == 1


async def test_an_open_job_whose_chunks_are_not_its_total_is_counted(db: Database) -> None:
    async with db.acquire() as conn:
        _, (one, _) = await _job(conn, 1, 1)
        await conn.execute("DELETE FROM scan_chunk WHERE id = $1", one)

        assert await completion.mismatched(conn) == 1


async def test_a_cancelled_job_writes_nothing_more(db: Database) -> None:
    async with db.acquire() as conn:
        job_id, (done, leased, ready) = await _job(conn, 1, 1, 1)
        await _record(conn, await _must_claim(conn, done))
        claim = await _must_claim(conn, leased)

        async with conn.transaction():
            progress = await jobs.cancel(conn, job_id)
        async with conn.transaction():
            assert await chunks.fence(conn, leased, claim.epoch) is Fence.LOST

        assert (progress.status, progress.processed) == ("cancelled", 1)
        assert await _claim(conn, ready) is None
        assert await leases.extend(conn, {leased: claim.epoch}, 20) == [leased]
        async with conn.transaction():
            assert (await jobs.cancel(conn, job_id)).status == "cancelled"


async def test_cancel_waits_for_a_commit_under_way_and_keeps_it(db: Database) -> None:
    async with db.acquire() as conn:
        job_id, (chunk_id,) = await _job(conn, 1)
        claim = await _must_claim(conn, chunk_id)

        async def cancel() -> jobs.JobProgress:
            async with db.acquire() as other, other.transaction():
                return await jobs.cancel(other, job_id)

        async with conn.transaction():
            assert await chunks.fence(conn, chunk_id, claim.epoch) is Fence.HELD
            cancelling = asyncio.create_task(cancel())
            await asyncio.sleep(0.1)
            await _record(conn, claim)

        progress = await cancelling

        assert (progress.status, progress.processed) == ("cancelled", 1)


async def test_a_cancel_ends_the_alarm_over_a_job_that_does_not_add_up(db: Database) -> None:
    async with db.acquire() as conn:
        job_id, (chunk_id,) = await _job(conn, 2)
        claim = await _must_claim(conn, chunk_id)
        await chunks.finish(conn, claim.chunk_id, claim.epoch, ok=2, failed=0, unknown=0)
        async with conn.transaction():
            assert await completion.finish(conn, job_id) == "running"
        assert await completion.mismatched(conn) == 1

        async with conn.transaction():
            await jobs.cancel(conn, job_id)

        assert await completion.mismatched(conn) == 0


async def test_a_completed_job_cannot_be_cancelled(db: Database) -> None:
    async with db.acquire() as conn:
        job_id, (chunk_id,) = await _job(conn, 1)
        await _record(conn, await _must_claim(conn, chunk_id))
        async with conn.transaction():
            await completion.finish(conn, job_id)

        with pytest.raises(Conflict, match="already completed"):
            await jobs.cancel(conn, job_id)
        with pytest.raises(NotFound):
            await jobs.cancel(conn, uuid7())


async def test_jobs_are_listed_newest_first_in_pages(db: Database) -> None:
    async with db.acquire() as conn:
        ids = []
        for _ in range(5):
            ids.append(str((await _job(conn, 1))[0]))
            await asyncio.sleep(0.002)
        interactive, _ = await _job(conn, 1, lane="interactive")

        first = await jobs.list_jobs(conn, lane="bulk", limit=3)
        rest = await jobs.list_jobs(conn, lane="bulk", limit=3, after=first.next_cursor)

        listed = [job.job_id for job in [*first.items, *rest.items]]
        assert listed == ids[::-1]
        assert rest.next_cursor is None
        assert (await jobs.list_jobs(conn)).items[0].job_id == str(interactive)
        assert (await jobs.list_jobs(conn, status="completed")).items == []


async def test_a_second_result_of_a_domain_in_a_job_is_refused(db: Database) -> None:
    import asyncpg

    async with db.acquire() as conn:
        _, (chunk_id,) = await _job(conn, 1)
        claim = await _must_claim(conn, chunk_id)
        await _record(conn, claim)

        with pytest.raises(asyncpg.UniqueViolationError):
            await _record(conn, claim)


async def test_gauges_count_open_chunks_and_the_age_of_the_oldest(db: Database) -> None:
    async with db.acquire() as conn:
        _, (one, _) = await _job(conn, 1, 1)
        await _must_claim(conn, one)
        await conn.execute("UPDATE scan_chunk SET created_at = now() - interval '30 seconds'")

        by_state, oldest_s = await chunks.counts(conn)

        assert by_state == {"ready": 1, "leased": 1, "dead": 0}
        assert 29 < oldest_s < 60
