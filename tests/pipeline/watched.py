"""Companies watched through scripted zones: a scanner on real servers, and time that is let pass."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from hunter.config import Config
from hunter.core.answers import Depth
from hunter.knowledge.load import load_knowledge
from hunter.local.nameserver import NameServer
from hunter.ops.metrics import Metrics
from hunter.pipeline.accept import Line, accept_scan
from hunter.pipeline.looking import Looker
from hunter.pipeline.scan import Scanner
from hunter.pipeline.second_look import SecondLook
from hunter.pipeline.watching import watch_of
from hunter.queue.hints import Hints
from hunter.resolver.opening import open_engine
from hunter.resolver.tuning import Tuning
from hunter.store import schedule
from hunter.store.database import Connection, Database
from hunter.store.identifiers import uuid7
from hunter.worker.dispatcher import Dispatcher

QUICK = Tuning(timeouts_s=(0.05, 0.05, 0.05), tick_s=0.01, tcp_timeout_s=0.2, sockets_min=4)
_LATER = """
    UPDATE lead SET
        pending_since = pending_since - make_interval(secs => $1),
        pending = (
            SELECT jsonb_object_agg(key, value || jsonb_build_object('since', to_char(
                ((value ->> 'since')::timestamptz - make_interval(secs => $1)) AT TIME ZONE 'UTC',
                'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"'
            ))) FROM jsonb_each(pending)
        )
    WHERE pending IS NOT NULL
"""


class Watched:
    """What a test does to companies that are watched."""

    def __init__(self, db: Database, hints: Hints, scanner: Scanner, config: Config) -> None:
        self.db = db
        self.dispatcher = Dispatcher(db, hints, Metrics(), config)
        self._hints = hints
        self._scanner = scanner

    async def look(self, *names: str, chunk_size: int = 100) -> None:
        """Have names scanned because somebody asked, and wait for it."""
        lines = [Line(number, name) for number, name in enumerate(names, 1)]
        await accept_scan(
            self.db, self._hints, lines, lane="bulk", depth=Depth.QUICK, allow_test_names=True,
            chunk_size=chunk_size,
        )  # fmt: skip
        await self.scan()

    async def look_by_schedule(self) -> int:
        """Have scanned what is due; how many jobs that was."""

        async def work(conn: Connection) -> int:
            return len(await schedule.take_due(conn, open_max=100, chunk_size=100))

        made = await self.db.transact(work)
        await self.scan()
        return made

    async def scan(self) -> None:
        """Scan what is accepted; a chunk put back is not tried again."""
        while await self._scanner.take_next("bulk"):
            pass

    async def let_pass(self, minutes: float) -> None:
        """As if what waits had been seen so much earlier, and what is due came as much nearer."""
        async with self.db.acquire() as conn:
            await conn.execute(_LATER, 60 * minutes)
            await conn.execute(
                "UPDATE lead SET next_scan_at = next_scan_at - make_interval(secs => $1)",
                60 * minutes,
            )

    async def ask(self, query: str, *arguments: object) -> Any:
        """One value out of the database."""
        async with self.db.acquire() as conn:
            return await conn.fetchval(query, *arguments)

    async def told(self, domain: str | None = None) -> list[str]:
        """Kinds of the changes so far, by domain, in their order."""
        async with self.db.acquire() as conn:
            rows = await conn.fetch(
                "SELECT kind FROM change WHERE $1::text IS NULL OR domain = $1 "
                "ORDER BY domain, sequence",
                domain,
            )
        return [row["kind"] for row in rows]


@asynccontextmanager
async def watching(
    db: Database, hints: Hints, config: Config, *servers: NameServer
) -> AsyncIterator[Watched]:
    """Companies watched through one name server, or with a second one that confirms."""
    first, second = servers[0], servers[1:]
    settings = dataclasses.replace(
        config,
        dns_servers=(first.address,),
        dns_confirm_servers=tuple(each.address for each in second),
    )
    async with AsyncExitStack() as stack:
        engine = await stack.enter_async_context(open_engine(settings, tuning=QUICK))
        looker, look = Looker(engine), None
        if second:
            through = dataclasses.replace(settings, dns_servers=settings.dns_confirm_servers)
            other = await stack.enter_async_context(open_engine(through, tuning=QUICK))
            look = SecondLook(looker, Looker(other))
        scanner = Scanner(
            db, hints, engine, load_knowledge(), Metrics(), worker_id=uuid7(), lease_s=20,
            looker=looker, second_looker=look, watch=watch_of(settings),
        )  # fmt: skip
        yield Watched(db, hints, scanner, settings)


def companies(count: int, *, mx: str = "", words: Sequence[str] = ()) -> str:
    """Zone text of d0.example to dN.example, each with mail of its own or all at one host."""
    records = "".join(
        f"d{n}.example. MX 10 {mx or f'mx.d{n}.example.'}\nd{n}.example. NS ns.d{n}.example.\n"
        f'd{n}.example. TXT "v=spf1 mx -all"\nmx.d{n}.example. A 192.0.2.1\n'
        for n in range(count)
    )
    return records + "".join(f";! . {word}\n" for word in words)
