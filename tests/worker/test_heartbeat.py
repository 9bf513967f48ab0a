"""The heartbeat in one process: lost leases stop their work, a drain hands the rest back."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest

from hunter.config import Config, Secret
from hunter.knowledge.load import load_knowledge
from hunter.local.nameserver import NameServer
from hunter.local.proxy import Proxy
from hunter.ops.metrics import Metrics
from hunter.pipeline.scan import Scanner
from hunter.queue.hints import Hints
from hunter.resolver.opening import open_engine
from hunter.store.database import Database, Exhausted, open_database
from hunter.store.identifiers import uuid7
from hunter.worker.heartbeat import Heartbeat
from hunter.worker.lanes import Lane


@pytest.fixture
async def scanner(
    db: Database, hints: Hints, settings: Config, name_server: NameServer
) -> AsyncIterator[Scanner]:
    """A scanner whose names below slow.example take long."""
    name_server.load(";! .slow.example delay=5000")
    async with open_engine(settings) as engine:
        made = Scanner(
            db,
            hints,
            engine,
            load_knowledge(),
            Metrics(),
            worker_id=uuid7(),
            lease_s=20,
            slots=settings.worker_slots,
        )
        yield made
        for held in list(made.holding.held.values()):
            held.work.cancel()


@pytest.fixture
async def looking(
    case: Any, scanner: Scanner
) -> AsyncIterator[Callable[..., Awaitable[tuple[UUID, asyncio.Task[bool]]]]]:
    """Submit one chunk and start to work on it."""
    tasks: list[asyncio.Task[bool]] = []

    async def look(*names: str, lane: str = "bulk") -> tuple[UUID, asyncio.Task[bool]]:
        job_id = await case.submit(*names, lane=lane)
        chunk_id = await case.ask("SELECT id FROM scan_chunk WHERE job_id = $1", job_id)
        tasks.append(asyncio.create_task(scanner.look_at(chunk_id, lane)))
        while chunk_id not in scanner.holding.held:
            await asyncio.sleep(0.01)
        return job_id, tasks[-1]

    yield look
    for held in list(scanner.holding.held.values()):
        held.work.cancel()
    await asyncio.gather(*tasks)


async def test_a_beat_registers_the_process_and_extends_its_leases(
    case: Any, db: Database, scanner: Scanner, settings: Config, looking: Any
) -> None:
    await looking("a.slow.example")
    await case.ask("UPDATE scan_chunk SET lease_until = now() + interval '1 second' RETURNING 1")

    await Heartbeat(db, scanner, settings).beat()

    assert await case.ask("SELECT lease_until > now() + interval '2 seconds' FROM scan_chunk")
    assert await case.ask("SELECT slots FROM worker_process") == 2


async def test_leases_are_extended_where_the_process_cannot_be_registered(
    case: Any, db: Database, scanner: Scanner, settings: Config, looking: Any
) -> None:
    await looking("a.slow.example")
    await case.ask("UPDATE scan_chunk SET lease_until = now() + interval '1 second' RETURNING 1")
    await case.ask(
        "CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE 'no space left on device' USING ERRCODE = 'disk_full'; END $$"
    )
    await case.ask(
        "CREATE TRIGGER no_room BEFORE INSERT OR UPDATE ON worker_process"
        " FOR EACH ROW EXECUTE FUNCTION no_room()"
    )

    with pytest.raises(Exhausted):
        await Heartbeat(db, scanner, settings).beat()

    assert await case.ask("SELECT lease_until > now() + interval '2 seconds' FROM scan_chunk")


async def test_a_connection_that_swallows_everything_costs_no_beat(
    case: Any, scanner: Scanner, settings: Config
) -> None:
    async with Proxy(str(settings.database_url)) as proxy:
        over = dataclasses.replace(
            settings, database_url=Secret(proxy.url), heartbeat_s=1.0, lease_s=4.0
        )
        async with open_database(over) as db:
            heartbeat = Heartbeat(db, scanner, over)
            await heartbeat.beat()
            await case.ask("DELETE FROM worker_process RETURNING 1")
            proxy.freeze()
            beating = asyncio.create_task(heartbeat.beat())
            for is_lent in (True, False):  # and given up
                while (db.in_use > 0) is not is_lent:
                    await asyncio.sleep(0.01)
            proxy.thaw()
            await beating

    assert await case.ask("SELECT count(*) FROM worker_process") == 1


async def test_work_on_a_lost_lease_is_cancelled(
    case: Any, db: Database, scanner: Scanner, settings: Config, looking: Any
) -> None:
    job_id, task = await looking("a.slow.example")
    await case.ask("UPDATE scan_chunk SET epoch = epoch + 1 RETURNING 1")

    await Heartbeat(db, scanner, settings).beat()

    assert await task is True
    assert scanner.holding.held == {}
    assert await case.books(job_id) == (0, 0, 0)


async def test_a_drain_hands_back_what_does_not_fit_into_the_grace(
    case: Any, db: Database, scanner: Scanner, settings: Config, looking: Any
) -> None:
    await looking("a.slow.example")

    await Heartbeat(db, scanner, settings).drain(0.05)

    async with db.acquire() as conn:
        row = await conn.fetchrow("SELECT state, losses, failures, hinted_at FROM scan_chunk")
    assert row is not None
    assert tuple(row) == ("ready", 0, 0, None)
    assert scanner.holding.held == {}


async def test_a_drain_does_not_wait_for_a_chunk_that_is_being_committed(
    case: Any, db: Database, scanner: Scanner, settings: Config, looking: Any
) -> None:
    committing, _ = await looking("a.slow.example")
    other, _ = await looking("b.slow.example")
    async with db.acquire() as conn, conn.transaction():
        await conn.execute("SELECT FROM scan_chunk WHERE job_id = $1 FOR UPDATE", committing)
        await Heartbeat(db, scanner, settings).drain(0.05)

        assert await case.ask("SELECT state FROM scan_chunk WHERE job_id = $1", other) == "ready"
    assert scanner.holding.held == {}
    assert await case.ask("SELECT state FROM scan_chunk WHERE job_id = $1", committing) == "leased"


async def test_a_drain_waits_for_what_fits(
    case: Any, db: Database, scanner: Scanner, settings: Config, looking: Any
) -> None:
    job_id, _ = await looking("d1.example")

    await Heartbeat(db, scanner, settings).drain(5)

    assert (await case.progress(job_id)).succeeded == 1


async def test_a_claim_answered_after_the_drain_hands_itself_back(
    case: Any, db: Database, scanner: Scanner, settings: Config
) -> None:
    await case.submit("a.slow.example")
    chunk_id = await case.ask("SELECT id FROM scan_chunk")
    async with db.acquire() as conn, conn.transaction():
        # the claim waits for this lock until the drain is through with its leases
        await conn.execute("SELECT FROM scan_chunk FOR UPDATE")
        looking = asyncio.create_task(scanner.look_at(chunk_id, "bulk"))
        await case.wait_for("SELECT count(*) > 0 FROM pg_locks WHERE NOT granted")
        draining = asyncio.create_task(Heartbeat(db, scanner, settings).drain(0.05))
        while scanner.holding.takes:
            await asyncio.sleep(0.01)
    await draining

    assert await looking is False
    assert await case.ask("SELECT state = 'ready' AND losses = 0 AND epoch = 1 FROM scan_chunk")


async def test_a_drained_worker_takes_nothing_more(
    case: Any, db: Database, scanner: Scanner, settings: Config
) -> None:
    await case.submit("d1.example")
    await Heartbeat(db, scanner, settings).drain(0.05)

    assert await scanner.look_at(await case.ask("SELECT id FROM scan_chunk"), "bulk") is False
    assert await scanner.take_next("bulk") is False


async def test_a_lease_this_process_does_not_know_of_is_returned(
    case: Any, db: Database, scanner: Scanner, settings: Config
) -> None:
    await case.submit("d1.example")
    await case.ask(
        "UPDATE scan_chunk SET state = 'leased', worker_id = $1, leased_at = now() - interval '1 hour',"
        " lease_until = now() + interval '1 hour' RETURNING 1",
        scanner.worker_id,
    )

    await Heartbeat(db, scanner, settings).beat()

    assert await case.ask("SELECT state = 'ready' AND losses = 0 FROM scan_chunk")


async def test_a_suspect_runs_with_nothing_beside_it(
    case: Any, db: Database, scanner: Scanner, looking: Any
) -> None:
    _, beside = await looking("a.slow.example")
    suspect = await case.submit("d2.example")
    await case.submit("d3.example")
    await case.ask("UPDATE scan_chunk SET losses = 3 WHERE job_id = $1 RETURNING 1", suspect)
    chunk_id = await case.ask("SELECT id FROM scan_chunk WHERE job_id = $1", suspect)
    third = await case.ask("SELECT max(id) FROM scan_chunk")

    alone = asyncio.create_task(scanner.look_at(chunk_id, "bulk"))
    while scanner.holding.takes:
        await asyncio.sleep(0.01)

    assert await scanner.look_at(third, "bulk") is False
    assert (await case.progress(suspect)).processed == 0
    for held in list(scanner.holding.held.values()):
        if not held.alone:
            held.work.cancel()
    assert await beside is True
    assert await alone is True
    assert (await case.progress(suspect)).succeeded == 1
    assert scanner.holding.takes


async def test_without_postgres_a_drain_ends_and_the_leases_run_out(
    scanner: Scanner, settings: Config, looking: Any
) -> None:
    await looking("a.slow.example")
    away = dataclasses.replace(settings, database_url=Secret("postgresql://x@127.0.0.1:1/x"))
    async with open_database(away) as nowhere:
        heartbeat = Heartbeat(nowhere, scanner, settings)
        beating = asyncio.create_task(heartbeat.run())
        await heartbeat.drain(0.05)
        await heartbeat.leave()

        assert not beating.done()
        assert scanner.holding.held == {}
        beating.cancel()


async def test_the_leases_of_the_two_lanes_are_extended_by_beats_of_their_own(
    case: Any, db: Database, scanner: Scanner, settings: Config, looking: Any
) -> None:
    await looking("a.slow.example")
    await looking("b.slow.example", lane="interactive")
    left = (
        "SELECT array_agg(round(extract(epoch FROM lease_until - now())) ORDER BY id)::int[]"
        " FROM scan_chunk"
    )
    await case.ask("UPDATE scan_chunk SET lease_until = now() + interval '1 second' RETURNING 1")
    changed = dataclasses.replace(settings, lease_s=90.0, interactive_lease_s=30.0)
    heartbeat = Heartbeat(db, scanner, changed)

    await heartbeat.beat_interactive()
    first = await case.ask(left)
    await heartbeat.beat()

    assert first[0] <= 1
    assert first[1] >= 25
    assert (await case.ask(left))[0] >= 80
    assert changed.beat_of("interactive") == min(changed.heartbeat_s, 10.0)


async def test_a_slot_is_the_chunks_until_its_end_although_arq_cancels_its_job(
    case: Any, hints: Hints, scanner: Scanner, settings: Config
) -> None:
    await case.submit("a.slow.example")
    chunk_id = await case.ask("SELECT id FROM scan_chunk")
    lane = Lane("bulk", 2, scanner=scanner, hints=hints, metrics=Metrics(), config=settings)
    job = asyncio.create_task(lane._look({"redis": hints._redis, "job_id": "c1-1"}, chunk_id))
    while chunk_id not in scanner.holding.held:
        await asyncio.sleep(0.01)

    job.cancel()
    await asyncio.gather(job, return_exceptions=True)
    taken = scanner.pace._taken
    scanner.holding.held[chunk_id].work.cancel()
    await asyncio.gather(*lane._followed)

    assert (taken, scanner.pace._taken) == (1, 0)
