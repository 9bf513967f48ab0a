"""Pauses grow while nothing can be written, and are short again once something is."""

from __future__ import annotations

import asyncio
import dataclasses

from hunter.config import Config
from hunter.core.answers import Depth
from hunter.knowledge.load import load_knowledge
from hunter.local.nameserver import NameServer
from hunter.ops.metrics import Metrics
from hunter.pipeline.accept import Line, accept_scan
from hunter.pipeline.pause import FIRST_S, LONGEST_S, Pause
from hunter.pipeline.scan import Scanner
from hunter.queue.hints import Hints
from hunter.resolver.opening import open_engine
from hunter.store.database import Database
from hunter.store.identifiers import uuid7

#: what PostgreSQL says when a table cannot grow
_NO_ROOM = """
    CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE 'could not extend file' USING ERRCODE = '53100'; END $$;
    CREATE TRIGGER no_room BEFORE INSERT ON scan_result FOR EACH ROW EXECUTE FUNCTION no_room()
"""
_CHUNKS = "SELECT state, sum(losses + failures) FROM scan_chunk GROUP BY state ORDER BY state"


class Clock:
    """Stands still but for what a test adds."""

    def __init__(self) -> None:
        self.now = 1000.0

    def length_of(self, pause: Pause) -> float:
        """Begin a pause and go on to its end; its length to half a second."""
        began = self.now
        pause.begin()
        while pause.is_on:
            self.now += 0.5
        return self.now - began


def test_pauses_double_up_to_the_longest() -> None:
    clock = Clock()
    pause = Pause(lambda: clock.now)

    assert not pause.is_on
    assert [clock.length_of(pause) for _ in range(6)] == [2, 4, 8, 16, LONGEST_S, LONGEST_S]


def test_work_that_ends_during_a_pause_adds_nothing_to_it() -> None:
    clock = Clock()
    pause = Pause(lambda: clock.now)
    pause.begin()
    clock.now += 1
    for _ in range(20):
        pause.begin()
    clock.now += FIRST_S - 1

    assert not pause.is_on


def test_after_a_commit_work_begins_at_once_and_pauses_are_short_again() -> None:
    clock = Clock()
    pause = Pause(lambda: clock.now)
    clock.length_of(pause)
    pause.begin()
    pause.end()

    assert not pause.is_on
    assert clock.length_of(pause) == FIRST_S


async def test_without_room_for_results_no_other_chunk_is_surveyed_in_vain(
    db: Database, hints: Hints, config: Config
) -> None:
    names = ["a.example", "b.example"]
    lines = [Line(number, name) for number, name in enumerate(names, start=1)]
    await accept_scan(
        db, hints, lines, lane="bulk", depth=Depth.QUICK, allow_test_names=True, chunk_size=1
    )
    async with NameServer("a.example. MX 10 mx.a.example.") as server:
        settings = dataclasses.replace(config, dns_servers=(server.address,))
        async with open_engine(settings) as engine, db.acquire() as conn:
            scanner = Scanner(
                db, hints, engine, load_knowledge(), Metrics(), worker_id=uuid7(), lease_s=20
            )
            await conn.execute(_NO_ROOM)
            assert await _work(scanner)
            asked = server.total
            assert not await _work(scanner)
            assert server.total == asked > 0
            assert [tuple(row) for row in await conn.fetch(_CHUNKS)] == [("ready", 0)]

            await conn.execute("DROP TRIGGER no_room ON scan_result")
            scanner.pause.end()
            await conn.execute("UPDATE scan_chunk SET not_before = now()")
            assert await _work(scanner)
            assert await _work(scanner)
            assert [tuple(row) for row in await conn.fetch(_CHUNKS)] == [("done", 0)]


async def _work(scanner: Scanner) -> bool:
    """Have a chunk taken and worked on; False when it takes none."""
    taken = await scanner.take_next("bulk")
    await asyncio.gather(*(each.work for each in scanner.holding.held.values()))
    return taken
