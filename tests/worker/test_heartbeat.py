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
from hunter.ops.metrics import Metrics
from hunter.pipeline.scan import Scanner
from hunter.queue.hints import Hints
from hunter.resolver.opening import open_engine
from hunter.store.database import Database, open_database
from hunter.store.identifiers import uuid7
from hunter.worker.heartbeat import Heartbeat


@pytest.fixture
async def scanner(
    db: Database, hints: Hints, settings: Config, name_server: NameServer
) -> AsyncIterator[Scanner]:
    """A scanner whose names below slow.example take long."""
    name_server.load(";! .slow.example delay=5000")
    async with open_engine(settings) as engine:
        made = Scanner(
            db, hints, engine, load_knowledge(), Metrics(), worker_id=uuid7(), lease_s=20
        )
        yield made
        for held in list(made.held.values()):
            held.work.cancel()


@pytest.fixture
async def looking(
    case: Any, scanner: Scanner
) -> AsyncIterator[Callable[..., Awaitable[tuple[UUID, asyncio.Task[bool]]]]]:
    """Submit one chunk and start to work on it."""
    tasks: list[asyncio.Task[bool]] = []

    async def look(*names: str) -> tuple[UUID, asyncio.Task[bool]]:
        job_id = await case.submit(*names)
        chunk_id = await case.ask("SELECT id FROM scan_chunk WHERE job_id = $1", job_id)
        tasks.append(asyncio.create_task(scanner.look_at(chunk_id, "bulk")))
        while chunk_id not in scanner.held:
            await asyncio.sleep(0.01)
        return job_id, tasks[-1]

    yield look
    for held in list(scanner.held.values()):
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


async def test_work_on_a_lost_lease_is_cancelled(
    case: Any, db: Database, scanner: Scanner, settings: Config, looking: Any
) -> None:
    job_id, task = await looking("a.slow.example")
    await case.ask("UPDATE scan_chunk SET epoch = epoch + 1 RETURNING 1")

    await Heartbeat(db, scanner, settings).beat()

    assert await task is True
    assert scanner.held == {}
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
    assert scanner.held == {}


async def test_a_drain_waits_for_what_fits(
    case: Any, db: Database, scanner: Scanner, settings: Config, looking: Any
) -> None:
    job_id, _ = await looking("d1.example")

    await Heartbeat(db, scanner, settings).drain(5)

    assert (await case.progress(job_id)).succeeded == 1


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
        assert scanner.held == {}
        beating.cancel()
