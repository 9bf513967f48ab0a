"""The counts of the dashboard are the truth, whatever was written, rolled back and folded meanwhile."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import msgspec

from hunter.core.judgement import History, Judgement
from hunter.store import changes, ingests, judged, kpis, lead_notes, suppressions
from hunter.store.changes import Change
from hunter.store.database import Connection, Database
from hunter.store.identifiers import uuid7
from hunter.store.ingests import Company
from hunter.store.judged import JudgedLead
from hunter.store.lead_notes import Edit

Judge = Callable[..., Judgement]
DIMENSIONS = (
    "segment", "priority", "provider", "tenant_state", "confidence", "scan_status", "mark",
    "favourite",
)  # fmt: skip


class _CrashError(Exception):
    """The process dies before its COMMIT."""


def _judged(judgement: Judgement) -> JudgedLead:
    encoded = msgspec.json.encode(judgement).decode()
    return JudgedLead(judgement, encoded, History(), uuid7(), date(2026, 11, 24))


def _chosen(judgement: Judge, chance: random.Random, domain: str) -> Judgement:
    return judgement(
        domain,
        segment=chance.choice(["migration", "existing", "skip"]),
        provider=chance.choice(["google_workspace", "natro", None]),
        tenant_state=chance.choice(["m365_mail", "no_microsoft"]),
        priority=chance.randint(1, 6),
        confidence=chance.choice([None, 0.2, 0.75, 0.94, 0.95, 1.0]),
    )


async def _truth(conn: Connection) -> dict[str, dict[str, int]]:
    rows = await conn.fetch("SELECT * FROM kpi_lead")
    names = {"confidence": "band", "favourite": "is_favourite"}

    def value(row: Any, dimension: str) -> str:
        found = row[names.get(dimension, dimension)]
        return "" if found is None else str(found).lower()

    counted = {
        dimension: dict(Counter(value(row, dimension) for row in rows)) for dimension in DIMENSIONS
    }
    return counted | ({"leads": {"": len(rows)}} if rows else {})


async def test_counts_are_the_truth_after_any_work(db: Database, judgement: Judge) -> None:
    chance = random.Random(7489)  # no secret
    domains = [f"c{n:03}.example" for n in range(60)]

    async def work(conn: Connection) -> None:
        some = sorted(chance.sample(domains, 12))
        match chance.randint(0, 5):
            case 0:
                await ingests.upsert_companies(conn, [Company(name, name) for name in some])
            case 1 | 2:
                await judged.insert_missing(conn, some, some, some)
                await judged.lock(conn, some)
                at = datetime(2026, 11, 24, tzinfo=UTC)
                await judged.write(
                    conn, at, [_judged(_chosen(judgement, chance, name)) for name in some]
                )
            case 3:
                await judged.mark_failed(conn, some)
            case 4:
                for name in some:
                    if await conn.fetchval("SELECT 1 FROM lead WHERE domain = $1", name):
                        mark = chance.choice(["called", "won", None])
                        await lead_notes.edit(conn, name, Edit(mark=mark, favourite=bool(mark)))
            case _:
                await suppressions.suppress(conn, some[0], reason="r", caller="c")
        if chance.random() < 0.2:
            raise _CrashError

    async def worker() -> None:
        for _ in range(25):
            try:
                await db.transact(work)
            except _CrashError:
                continue

    folding = asyncio.create_task(_fold_for_ever(db))
    await asyncio.gather(*(worker() for _ in range(3)))
    folding.cancel()
    await asyncio.wait({folding})

    async with db.acquire() as conn:
        truth = await _truth(conn)
        assert truth["leads"][""] > 0
        assert await kpis.read(conn) == truth
    assert await db.transact(kpis.fold)
    async with db.acquire() as conn:
        assert await kpis.read(conn) == truth
        assert await conn.fetchval("SELECT count(*) FROM kpi_delta") == 0


async def _fold_for_ever(db: Database) -> None:
    while True:
        await db.transact(kpis.fold)
        await asyncio.sleep(0)


async def test_a_statement_of_many_rows_is_a_few_deltas(db: Database, judgement: Judge) -> None:
    names = [f"c{n:03}.example" for n in range(200)]
    async with db.acquire() as conn:
        await judged.insert_missing(conn, names, names, names)
        inserted = await conn.fetchval("SELECT count(*) FROM kpi_delta")
        at = datetime(2026, 11, 24, tzinfo=UTC)
        found = [_judged(judgement(name, provider="natro")) for name in names]
        await judged.write(conn, at, found)
        written = await conn.fetchval("SELECT count(*) FROM kpi_delta")
        await judged.write(conn, at, found)
        again = await conn.fetchval("SELECT count(*) FROM kpi_delta")

    assert inserted == 9
    assert written - inserted <= 16
    assert again == written


async def test_the_largest_move_of_a_score_comes_first(db: Database, judgement: Judge) -> None:
    async with db.acquire() as conn:
        await ingests.upsert_companies(conn, [Company(f"{n}.example", n, n) for n in "abc"])
        for name, before, after in (("a", 10, 30), ("b", 70, 20), ("c", 5, 6)):
            change = Change(
                f"{name}.example", "score_changed", {"score": before}, {"score": after}, None, None
            )
            await changes.add(conn, [change])
        moved = await kpis.movers(conn, UUID(int=0), 2)
        counts = await kpis.read(conn)

    assert [(each.domain, each.score_before, each.score_after) for each in moved] == [
        ("b.example", 70, 20),
        ("a.example", 10, 30),
    ]
    assert [n for value, n in counts["changes"].items() if value.endswith("score_changed")] == [3]
