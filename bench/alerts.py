"""How soon a change is told, and how much a dead endpoint is in the way of others.

`python bench/alerts.py [--events 1000] [--dead 20]`: one courier on a throw-away PostgreSQL and
Valkey, receivers on loopback. First alone: events one after the other and in a burst, from COMMIT
to the first byte at the receiver. Then with dead endpoints, which take connections and never
answer, told of the same changes. Last, what a commit pays for a thousand rules
(it matches what comes to 20,000 rows and leaves the rest to the next round). Figures that the design
wants stand beside those measured.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final
from uuid import UUID

import msgspec
import structlog
from aiohttp import web
from harness import Row, write_results

from hunter.config import Config
from hunter.core.channels import Kind
from hunter.local.https import served
from hunter.local.servers import embedded
from hunter.ops.metrics import Metrics
from hunter.pipeline.courier import Courier
from hunter.pipeline.post import open_post
from hunter.queue.hints import DELIVERIES, Hints, open_queue
from hunter.store import changes, deliveries
from hunter.store.changes import Change
from hunter.store.database import Connection, Database, open_database
from hunter.store.identifiers import uuid7
from hunter.store.migrate import migrate_up

_PAUSE_S: Final = 0.02
_PATIENCE_S: Final = 120.0
#: by metric: from COMMIT to the first try, and what dead endpoints may add to it
_WANTED_MS: Final = {"p99": 2000, "delay": 1000}


class Receiver:
    """When each change arrived, by its id."""

    def __init__(self) -> None:
        self.came: dict[str, float] = {}
        self.port = 0

    async def take(self, request: web.Request) -> web.Response:
        """A message."""
        told = msgspec.json.decode(await request.read())
        self.came.setdefault(told["data"]["change_id"], time.perf_counter())
        return web.Response()


class Silence:
    """A dead endpoint: takes connections and answers nothing until the end."""

    def __init__(self) -> None:
        self.end = asyncio.Event()

    async def take(self, _request: web.Request) -> web.Response:
        """A message that nobody answers."""
        await self.end.wait()
        return web.Response()


async def _loopback(_name: str) -> Sequence[str]:
    return ["127.0.0.1"]


@asynccontextmanager
async def delivering(config: Config) -> AsyncIterator[tuple[Database, Hints]]:
    """A courier at work while inside."""
    async with (
        open_database(config) as db,
        open_queue(config) as hints,
        open_post(config, _loopback) as post,
    ):
        running = asyncio.create_task(Courier(db, hints, post, Metrics(), config).run())
        try:
            yield db, hints
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def add_rule(db: Database, *ports: int, kinds: Sequence[Kind] = tuple(Kind)) -> None:
    """A rule that tells an endpoint at each port."""

    async def work(conn: Connection) -> None:
        rule = uuid7()
        await conn.execute(
            "INSERT INTO alert_rule (id, name, kinds) VALUES ($1, 'bench', $2)", rule, list(kinds)
        )
        for port in ports:
            endpoint, url = uuid7(), f"http://hooks.example:{port}/hook"
            await conn.execute(
                "INSERT INTO alert_endpoint (id, name, kind, target, shown, secret) "
                "VALUES ($1, $2, 'webhook', $3, '', $4)",
                endpoint,
                str(endpoint),
                b"\0" + url.encode(),
                b"\0" + b"k" * 32,
            )
            await conn.execute("INSERT INTO alert_rule_endpoint VALUES ($1, $2)", rule, endpoint)

    await db.transact(work)


async def happen(db: Database, hints: Hints, count: int, *, domain: str) -> dict[str, float]:
    """Commit changes of a domain with their messages; id of each to the time of the COMMIT."""

    async def work(conn: Connection) -> list[UUID]:
        await conn.execute(
            "INSERT INTO lead (domain, display_name, search) VALUES ($1, $1, $1) "
            "ON CONFLICT DO NOTHING",
            domain,
        )
        told = [
            Change(domain, Kind.MX_CHANGED, {"mx": n}, {"mx": n + 1}, None, None)
            for n in range(count)
        ]
        ids = [each.id for each in await changes.add(conn, told)]
        await deliveries.raise_alerts(conn, ids)
        return ids

    ids = await db.transact(work)
    committed = time.perf_counter()
    await hints.announce(DELIVERIES)
    return {str(each): committed for each in ids}


async def waits(receiver: Receiver, committed: dict[str, float]) -> list[float]:
    """Seconds from COMMIT to arrival, sorted, once all have arrived."""
    async with asyncio.timeout(_PATIENCE_S):
        while not committed.keys() <= receiver.came.keys():  # noqa: ASYNC110  # it comes to a server
            await asyncio.sleep(_PAUSE_S)
    return sorted(receiver.came[each] - at for each, at in committed.items())


def figures(row: str, found: Sequence[float]) -> list[Row]:
    """Median, 99th percentile and worst of sorted seconds, in milliseconds."""

    def at(part: float) -> float:
        return round(1000 * found[min(len(found) - 1, int(part * len(found)))], 1)

    return [
        Row(row, "events", len(found), "events"),
        Row(row, "p50", at(0.5), "ms"),
        Row(row, "p99", at(0.99), "ms"),
        Row(row, "worst", at(1.0), "ms"),
    ]


async def one_by_one(
    db: Database, hints: Hints, receiver: Receiver, events: int, prefix: str
) -> list[float]:
    """Events of their own transactions, a little apart."""
    committed: dict[str, float] = {}
    for number in range(events):
        committed |= await happen(db, hints, 1, domain=f"{prefix}{number}.example")
        await asyncio.sleep(_PAUSE_S)
    return await waits(receiver, committed)


async def match_rules(db: Database, hints: Hints, rules: int, count: int) -> Row:
    """What one commit pays for matching its changes with so many rules that want other domains."""

    async def work(conn: Connection) -> None:
        await conn.execute(
            "INSERT INTO alert_rule (id, name, kinds, domains) "
            "SELECT hunter_uuid7(), 'r', $1, ARRAY['d' || n || '.example'] "
            "FROM generate_series(1, $2) n",
            list(Kind),
            rules,
        )

    await db.transact(work)
    started = time.perf_counter()
    await happen(db, hints, count, domain="many.example")
    took_ms = round(1000 * (time.perf_counter() - started), 1)
    return Row(f"{count} changes against {rules} rules", "commit", took_ms, "ms")


async def measure(config: Config, events: int, dead: int) -> list[Row]:
    """All figures."""
    receiver, silence = Receiver(), Silence()
    async with (
        served({"/hook": receiver.take}, None) as port,
        served({"/hook": silence.take}, None) as silent,
        delivering(config) as (db, hints),
    ):
        await add_rule(db, port)
        rows = figures("alone", await one_by_one(db, hints, receiver, events, "a"))
        burst = await happen(db, hints, events, domain="burst.example")
        rows += figures("alone, in one commit", await waits(receiver, burst))
        await add_rule(db, *([silent] * dead))
        beside = await one_by_one(db, hints, receiver, events, "b")
        rows += figures(f"beside {dead} dead endpoints", beside)
        alone_ms = next(row.value for row in rows if row.metric == "p99")
        delay_ms = round(next(row.value for row in rows[::-1] if row.metric == "p99") - alone_ms, 1)
        rows.append(Row(f"beside {dead} dead endpoints", "delay", delay_ms, "ms"))
        rows.append(await match_rules(db, hints, 1000, 500))
        silence.end.set()  # its server waits for what is under way
    return rows


async def run(events: int, dead: int) -> list[Row]:
    """Measure on servers of the run's own."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # PostgreSQL may have to run as nobody
        settings = Config(data_dir=Path(folder))
        async with embedded(settings, lambda _line: None, throwaway=True) as running:
            await asyncio.to_thread(migrate_up, str(running.database_url))
            config = replace(running, outbound_loopback=True)
            return await measure(config, events, dead)


def main() -> None:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1000)
    parser.add_argument("--dead", type=int, default=20)
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    rows = asyncio.run(run(arguments.events, arguments.dead))
    for row in rows:
        wanted = _WANTED_MS.get(row.metric)
        beside = "" if wanted is None else f"  wanted < {wanted:,} {row.unit}"
        print(f"{row.row:40} {row.metric:8} {row.value:10} {row.unit}{beside}")
    print(write_results("alerts", rows))


if __name__ == "__main__":
    main()
