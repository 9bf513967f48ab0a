"""Whole workers over real servers: whatever is killed, wiped or repeated, each domain has one result."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest

from hunter.config import Config, Secret
from hunter.local.nameserver import NameServer
from hunter.local.servers import free_port
from hunter.queue.hints import queue_name
from hunter.store import jobs, processes
from hunter.store.database import Connection
from hunter.worker import lanes

NAMES = [f"d{n}.example" for n in range(300)]


async def test_a_bulk_ends_with_one_result_for_each_domain(case: Any, working: Any) -> None:
    async with working():
        job_id = await case.submit(*NAMES, "gone.example")
        progress = await case.finished(job_id)

    assert (progress.status, progress.total, progress.processed) == ("completed", 301, 301)
    assert (progress.succeeded, progress.failed, progress.progress) == (301, 0, 100.0)
    assert await case.books(job_id) == (301, 301, 0)
    assert await case.ask("SELECT count(*) FROM lead WHERE judgement IS NOT NULL") == 301
    assert await case.ask("SELECT count(*) FROM observation") == 301
    assert await case.ask("SELECT count(*) FROM worker_process") == 0


async def test_an_interactive_scan_passes_a_bulk_that_stands(
    case: Any, working: Any, name_server: NameServer
) -> None:
    name_server.load(";! .slow.example delay=1500")
    async with working():
        bulk = await case.submit(*(f"s{n}.slow.example" for n in range(40)))
        await case.wait_for("SELECT count(*) = 2 FROM scan_chunk WHERE state = 'leased'")
        single = await case.submit("d1.example", lane="interactive")
        progress = await case.finished(single)

        assert (progress.status, progress.succeeded) == ("completed", 1)
        assert not (await case.progress(bulk)).is_finished


async def test_a_killed_worker_loses_nothing(
    case: Any, start_worker: Callable[..., Any], name_server: NameServer
) -> None:
    name_server.load(";! .slow.example delay=700")
    job_id = await case.submit(*(f"s{n}.slow.example" for n in range(30)), *NAMES[:100])
    victim = await start_worker()
    await case.wait_for("SELECT count(*) > 0 FROM scan_chunk WHERE state = 'leased'")
    await victim.kill()
    assert await case.ask("SELECT count(*) FROM scan_chunk WHERE state = 'leased'")

    await start_worker()
    progress = await case.finished(job_id)

    assert progress.processed == 130
    assert await case.books(job_id) == (130, 130, 0)
    assert await case.ask("SELECT max(losses) FROM scan_chunk") == 1


async def test_a_frozen_worker_is_fenced_out(
    case: Any, start_worker: Callable[..., Any], name_server: NameServer
) -> None:
    name_server.load(";! .slow.example delay=600")
    job_id = await case.submit(*(f"s{n}.slow.example" for n in range(20)))
    frozen = await start_worker()
    await case.wait_for("SELECT count(*) > 0 FROM scan_chunk WHERE state = 'leased'")
    frozen.freeze()
    await start_worker()
    progress = await case.finished(job_id)
    at = await case.ask("SELECT max(done_at) FROM scan_chunk")

    frozen.thaw()
    assert await frozen.terminate() == 0

    assert progress.processed == 20
    assert await case.books(job_id) == (20, 20, 0)
    assert await case.ask("SELECT max(done_at) FROM scan_chunk") == at


async def test_a_wiped_redis_costs_no_work(case: Any, working: Any) -> None:
    async with working():
        job_id = await case.submit(*NAMES, chunk_size=5)
        for _ in range(4):
            await case.hints._redis.flushall()
            await asyncio.sleep(0.1)
        progress = await case.finished(job_id)

    assert progress.processed == 300
    assert await case.books(job_id) == (300, 300, 0)


async def test_hints_given_again_and_again_are_harmless(case: Any, working: Any) -> None:
    async with working():
        job_id = await case.submit(*NAMES[:100])
        async with case.db.acquire() as conn:
            ids = [row["id"] for row in await conn.fetch("SELECT id FROM scan_chunk")]
        for number in range(100, 105):
            await case.hints.give("bulk", [(chunk_id, number) for chunk_id in [*ids, 999_999]])
        progress = await case.finished(job_id)

    assert progress.processed == 100
    assert await case.books(job_id) == (100, 100, 0)


async def test_nothing_is_written_after_a_cancel(
    case: Any, working: Any, name_server: NameServer
) -> None:
    name_server.load(";! .slow.example delay=400")
    async with working():
        job_id = await case.submit(*NAMES[:50], *(f"s{n}.slow.example" for n in range(50)))
        await case.until(job_id, lambda progress: progress.processed > 0)
        cancelled = await case.db.transact(lambda conn: jobs.cancel(conn, job_id))
        results, _, _ = await case.books(job_id)
        await asyncio.sleep(1.2)

        assert cancelled.status == "cancelled"
        assert results == cancelled.processed < 100
        assert await case.books(job_id) == (results, results, 0)


async def test_a_cancel_amid_commits_is_the_last_word(
    case: Any, working: Any, name_server: NameServer
) -> None:
    name_server.load(";! .slow.example delay=300")
    names = [name for n in range(100) for name in (f"d{n}.example", f"s{n}.slow.example")]

    async def cancel(conn: Connection) -> int:
        await jobs.cancel(conn, job_id)
        # the job's chunks are locked: what is there now had its COMMIT before ours
        count: int = await conn.fetchval(
            "SELECT count(*) FROM scan_result WHERE job_id = $1", job_id
        )
        return count

    written = {}
    async with working():
        for _ in range(5):
            job_id = await case.submit(*names, chunk_size=5)
            await case.until(job_id, lambda progress: progress.processed > 0)
            written[job_id] = await case.db.transact(cancel)

    # the drain has waited for all that was under way
    for job_id, count in written.items():
        assert 0 < count < len(names)
        assert await case.books(job_id) == (count, count, 0)
        assert (await case.progress(job_id)).status == "cancelled"


async def test_a_drained_worker_hands_its_leases_back(
    case: Any, start_worker: Callable[..., Any], name_server: NameServer
) -> None:
    name_server.load(";! .slow.example delay=3000")
    job_id = await case.submit(*(f"s{n}.slow.example" for n in range(20)))
    worker = await start_worker(drain_grace_s=0.2)
    await case.wait_for("SELECT count(*) = 2 FROM scan_chunk WHERE state = 'leased'")

    assert await worker.terminate() == 0

    async with case.db.acquire() as conn:
        rows = await conn.fetch("SELECT state, losses, failures FROM scan_chunk")
    assert {tuple(row) for row in rows} == {("ready", 0, 0)}
    assert (await case.progress(job_id)).processed == 0
    assert await case.ask("SELECT count(*) FROM worker_process") == 0


async def test_a_drained_worker_finishes_what_fits_into_the_grace(
    case: Any, working: Any, name_server: NameServer
) -> None:
    name_server.load(";! .slow.example delay=100")
    job_id = await case.submit(*(f"s{n}.slow.example" for n in range(20)))
    async with working():
        await case.wait_for("SELECT count(*) > 0 FROM scan_chunk WHERE state = 'leased'")

    assert (await case.progress(job_id)).processed > 0
    assert not await case.ask("SELECT count(*) FROM scan_chunk WHERE state = 'leased'")


async def test_without_redis_chunks_are_claimed_from_postgres(
    case: Any, working: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "ALONE_AFTER_S", 0.2)
    async with working(redis_url=Secret("redis://127.0.0.1:1/0")):
        job_id = await case.submit(*NAMES[:60])
        progress = await case.finished(job_id)

    assert progress.processed == 60
    assert await case.books(job_id) == (60, 60, 0)


async def test_where_redis_answers_and_takes_no_hints_chunks_are_claimed_all_the_same(
    case: Any, working: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "ALONE_AFTER_S", 0.2)
    # a key of another kind in the queue's place: neither the dispatcher nor arq can use it
    await case.hints._redis.set(queue_name("bulk"), "taken")
    async with working():
        await case.hints.ping()
        job_id = await case.submit(*NAMES[:60])
        progress = await case.finished(job_id)
    await case.hints._redis.delete(queue_name("bulk"))

    assert progress.processed == 60
    assert await case.books(job_id) == (60, 60, 0)


async def test_a_lane_comes_back_when_redis_does(case: Any, working: Any, settings: Config) -> None:
    async with working():
        first = await case.submit(*NAMES[:20])
        await case.finished(first)
        # every client's connection dies, the lanes' own included
        await case.hints._redis.client_kill_filter(_type="normal", skipme=True)
        second = await case.submit(*NAMES[20:40])
        progress = await case.finished(second)

    assert progress.processed == 20


async def test_probes_and_metrics_tell_what_the_worker_does(
    case: Any, working: Any, settings: Config
) -> None:
    port = free_port()
    async with working(worker_port=port), aiohttp.ClientSession() as http:
        job_id = await case.submit(*NAMES[:30])
        await case.finished(job_id)
        base = f"http://127.0.0.1:{port}"
        for probe in ("live", "ready", "startup"):
            async with http.get(f"{base}/healthz/{probe}") as answer:
                assert answer.status == 200
        async with http.get(f"{base}/metrics") as answer:
            text = await answer.text()

    assert "\ndomains_scanned_total 30" in text
    assert "\nhunter_job_accounting_mismatch 0" in text
    assert 'arq_tasks_total{task="look_at_chunk"}' in text
    assert "\ndb_connection_pool_max 8" in text


async def test_a_worker_waits_for_a_schema_that_is_not_there_yet(
    empty_database_url: str, settings: Config, working: Any
) -> None:
    async with working(database_url=Secret(empty_database_url)) as stop:
        await asyncio.sleep(0.2)
        stop.set()


async def test_the_redis_queue_holds_a_window_only(case: Any, settings: Config) -> None:
    from hunter.ops.metrics import Metrics
    from hunter.store.identifiers import uuid7
    from hunter.worker.dispatcher import Dispatcher

    await case.submit(*NAMES, chunk_size=1)
    async with case.db.acquire() as conn:
        await processes.register(conn, uuid7(), slots=2, interactive_slots=2)
    dispatcher = Dispatcher(
        case.db, case.hints, Metrics(), dataclasses.replace(settings, hint_stale_s=60.0)
    )
    for _ in range(5):
        await dispatcher.look()

    assert await case.hints._redis.zcard(queue_name("bulk")) == 6


async def test_a_busy_worker_leaves_hints_to_others(
    case: Any, working: Any, name_server: NameServer
) -> None:
    name_server.load(";! .slow.example delay=4000")
    await case.submit(*(f"s{n}.slow.example" for n in range(12)), chunk_size=1)
    async with working(worker_slots=24, drain_grace_s=0.1):
        await case.wait_for("SELECT count(*) = 6 FROM scan_chunk WHERE hinted_at IS NOT NULL")
        async with asyncio.timeout(10):
            # two slots at first, and one hint at hand
            while await case.hints._redis.zcard(queue_name("bulk")) != 3:
                await asyncio.sleep(0.02)
        await case.wait_for("SELECT count(*) = 2 FROM scan_chunk WHERE state = 'leased'")

        assert await case.hints._redis.zcard(queue_name("bulk")) == 3


async def test_ended_sessions_cost_no_work(
    case: Any, working: Any, name_server: NameServer
) -> None:
    name_server.load(";! .slow.example delay=150")
    end_all = """
        SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()
    """
    async with working():
        job_id = await case.submit(*NAMES[:200], *(f"s{n}.slow.example" for n in range(100)))
        for _ in range(6):
            await case.ask(end_all)
            await asyncio.sleep(0.15)
        progress = await case.finished(job_id)

    assert progress.processed == 300
    assert await case.books(job_id) == (300, 300, 0)


async def test_what_a_dead_worker_held_is_taken_over_although_all_slots_are_busy(
    case: Any, working: Any, name_server: NameServer
) -> None:
    name_server.load(";! .slow.example delay=6000")
    await case.submit(*(f"s{n}.slow.example" for n in range(4)), chunk_size=1)
    async with working(lease_s=1.0, heartbeat_s=0.3, drain_grace_s=0.1):
        await case.wait_for("SELECT count(*) = 2 FROM scan_chunk WHERE state = 'leased'")
        left = await case.ask(
            "UPDATE scan_chunk SET state = 'leased', epoch = 1, worker_id = gen_random_uuid(),"
            " leased_at = now(), lease_until = now() WHERE state = 'ready' AND id = ("
            " SELECT max(id) FROM scan_chunk) RETURNING id"
        )
        await case.wait_for("SELECT epoch = 2 FROM scan_chunk WHERE id = $1", left, limit_s=30)

        assert await case.ask("SELECT count(*) FROM scan_chunk WHERE state = 'leased'") == 3


async def test_a_single_scan_whose_hint_is_lost_is_taken_from_the_table(
    case: Any, working: Any
) -> None:
    single = await case.submit("d1.example", lane="interactive")
    await case.hints._redis.delete(queue_name("interactive"))
    await case.hints.set_generation()

    async with working(hint_stale_s=600.0):
        progress = await case.finished(single)

    assert progress.succeeded == 1
    assert await case.ask("SELECT hints FROM scan_chunk") == 1
