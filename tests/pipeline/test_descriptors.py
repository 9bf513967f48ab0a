"""A worker that can open no port for DNS: bulk work is left to others, a single scan is unknown."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager, AsyncExitStack

from hunter.config import Config
from hunter.core.answers import Depth
from hunter.knowledge.load import load_knowledge
from hunter.ops.metrics import Metrics
from hunter.pipeline.accept import Line, accept_scan
from hunter.pipeline.scan import Scanner
from hunter.queue.hints import Hints
from hunter.resolver.opening import open_engine
from hunter.resolver.tuning import Tuning
from hunter.store.database import Database
from hunter.store.identifiers import uuid7

#: what is closed stays closed for the length of a test
_NEVER = Tuning(reopen_s=(600.0, 600.0))


async def test_without_a_port_for_dns_bulk_waits_and_a_single_scan_is_unknown(
    db: Database,
    hints: Hints,
    config: Config,
    no_descriptors: Callable[[], AbstractContextManager[None]],
) -> None:
    for lane in ("bulk", "interactive"):
        line = Line(1, f"{lane}.example")
        await accept_scan(db, hints, [line], lane=lane, depth=Depth.QUICK, allow_test_names=True)
    knowledge = load_knowledge()
    async with AsyncExitStack() as stack:
        with no_descriptors():
            engine = await stack.enter_async_context(open_engine(config, tuning=_NEVER))
        scanner = Scanner(db, hints, engine, knowledge, Metrics(), worker_id=uuid7(), lease_s=20)

        assert not await scanner.take_next("bulk")
        assert await scanner.take_next("interactive")
        await asyncio.gather(*(each.work for each in scanner.holding.held.values()))

    async with db.acquire() as conn:
        waiting = await conn.fetchrow(
            "SELECT state, epoch, failures FROM scan_chunk WHERE lane = 'bulk'"
        )
        written = await conn.fetchrow(
            "SELECT domain, outcome, judgement->'mx'->>'state' AS mx FROM scan_result"
        )
    assert waiting is not None
    assert written is not None
    assert tuple(waiting) == ("ready", 0, 0)
    assert tuple(written) == ("interactive.example", "unknown", "unknown")
