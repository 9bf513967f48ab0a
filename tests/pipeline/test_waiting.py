"""A chunk that waits for a few silent domains lets others in, within bounds."""

from __future__ import annotations

import asyncio
import dataclasses
from uuid import UUID

import pytest

from hunter.config import Config
from hunter.core.answers import Depth
from hunter.knowledge.load import load_knowledge
from hunter.local.nameserver import NameServer
from hunter.ops.metrics import Metrics
from hunter.pipeline import waiting
from hunter.pipeline.accept import Line, accept_scan
from hunter.pipeline.scan import Scanner
from hunter.pipeline.waiting import Waiting
from hunter.queue.hints import Hints
from hunter.resolver.opening import open_engine
from hunter.resolver.tuning import Tuning
from hunter.store import jobs
from hunter.store.database import Database
from hunter.store.identifiers import uuid7

#: three tries of a second each: longer than a chunk waits before it gives its slot away
_SLOW = Tuning(timeouts_s=(1.0, 1.0, 1.0), tick_s=0.01, tcp_timeout_s=0.3, sockets_min=4)


async def test_a_chunk_with_a_silent_domain_gives_its_slot_away_and_is_committed_later(
    db: Database, hints: Hints, config: Config
) -> None:
    zone = "\n".join(f"n{number}.example. MX 10 mx.n{number}.example." for number in range(20))
    lines = [Line(number + 1, f"n{number}.example") for number in range(20)]
    accepted = await accept_scan(
        db, hints, lines, lane="bulk", depth=Depth.QUICK, allow_test_names=True
    )
    async with NameServer(zone + "\n;! .n7.example timeout") as server:
        settings = dataclasses.replace(config, dns_servers=(server.address,))
        async with open_engine(settings, tuning=_SLOW) as engine:
            scanner = Scanner(
                db, hints, engine, load_knowledge(), Metrics(), worker_id=uuid7(), lease_s=20
            )

            assert await scanner.take_next("bulk")

            held = list(scanner.holding.held.values())
            assert len(held) == 1
            await asyncio.wait({held[0].work})
    async with db.acquire() as conn:
        progress = await jobs.progress(conn, UUID(accepted.job_id))
    assert (progress.succeeded, progress.unknown) == (19, 1)
    assert scanner.waiting.domains == 0
    assert scanner.holding.held == {}


async def test_a_slot_is_kept_while_enough_domains_wait_already(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(waiting, "PATIENCE_S", 0.0)
    monkeypatch.setattr(waiting, "MOST_WAITING", 199)
    chunks = Waiting()
    slot_is_free = asyncio.Event()

    with chunks.for_the_last_of(200, slot_is_free) as one_less:
        for _ in range(190):
            one_less()
        await asyncio.sleep(0.01)

    assert not slot_is_free.is_set()


async def test_a_slot_is_kept_while_the_processor_is_what_chunks_wait_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(waiting, "PATIENCE_S", 0.001)
    is_behind, asked = True, asyncio.Event()

    def behind() -> bool:
        asked.set()
        return is_behind

    slot_is_free = asyncio.Event()
    with Waiting(behind).for_the_last_of(10, slot_is_free) as one_less:
        for _ in range(9):
            one_less()
        async with asyncio.timeout(10):
            await asked.wait()
            assert not slot_is_free.is_set()
            is_behind = False
            await slot_is_free.wait()


async def test_waiting_domains_are_counted_until_their_chunk_has_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(waiting, "PATIENCE_S", 0.0)
    chunks = Waiting()
    slot_is_free = asyncio.Event()

    with chunks.for_the_last_of(200, slot_is_free) as one_less:
        for _ in range(195):
            one_less()
        await slot_is_free.wait()

    assert chunks.domains == 200
    chunks.ended(slot_is_free)
    assert chunks.domains == 0


async def test_a_chunk_that_is_answered_at_once_keeps_its_slot() -> None:
    chunks = Waiting()
    slot_is_free = asyncio.Event()

    with chunks.for_the_last_of(200, slot_is_free) as one_less:
        for _ in range(200):
            one_less()

    assert not slot_is_free.is_set()
    assert chunks.domains == 0
