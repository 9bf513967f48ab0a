"""Alerts under fire: changes told in the storm, their messages counted in the tables and at the receiver."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from string import ascii_lowercase
from typing import Final
from uuid import UUID, uuid4

import asyncpg
from aiohttp import web
from chaos_cluster import Cluster
from chaos_edits import KINDS

from hunter.pipeline.sealing import Seal
from hunter.store.deliveries import raise_alerts

#: one in so many messages is refused the first time, so that it comes again
_REFUSED: Final = 10
_AT_ONCE: Final = 3
_SECRET: Final = b"chaos" * 8

_ENDPOINT: Final = """
    INSERT INTO alert_endpoint (id, name, kind, target, shown, secret)
    VALUES ($1, 'chaos', 'webhook', $2, $3, $4)
"""
_RULE: Final = """
    INSERT INTO alert_rule (id, name, kinds, cadence, digest_at)
    VALUES ($1, $2, $3, $2, CASE WHEN $2 = 'daily' THEN now() + interval '1 hour' END)
"""
_JOIN: Final = "INSERT INTO alert_rule_endpoint (rule_id, endpoint_id) VALUES ($1, $2)"
_LEADS: Final = """
    SELECT domain FROM lead WHERE domain > $1 AND last_scanned_at IS NOT NULL
        AND domain NOT LIKE 'edited%'
    ORDER BY domain LIMIT $2
"""
_NUMBER: Final = """
    UPDATE lead SET change_sequence = change_sequence + 1 WHERE domain = $1 RETURNING change_sequence
"""
_CHANGE: Final = """
    INSERT INTO change (id, domain, kind, before, after, sequence) VALUES ($1, $2, $3, $4, $5, $6)
"""
_THERE: Final = "SELECT count(*) FROM change WHERE id = ANY($1::uuid[])"
_WHICH: Final = "SELECT id FROM change WHERE id = ANY($1::uuid[])"
_DIGEST_NOW: Final = "UPDATE alert_rule SET digest_at = now() WHERE cadence = 'daily'"

#: every pair of what was told and who wanted it: how many alerts, and how many messages
_PAIRS: Final = """
    SELECT count(*) FILTER (WHERE alerts = 0) AS no_alert,
        coalesce(sum(alerts - 1) FILTER (WHERE alerts > 1), 0) AS alerts_twice,
        count(*) FILTER (WHERE messages = 0) AS no_message,
        coalesce(sum(messages - 1) FILTER (WHERE messages > 1), 0) AS messages_twice
    FROM (
        SELECT
            (SELECT count(*) FROM alert a WHERE a.rule_id = r.id AND a.change_id = c.id) AS alerts,
            CASE r.cadence
                WHEN 'immediate' THEN (
                    SELECT count(*) FROM delivery d WHERE d.rule_id = r.id AND d.change_id = c.id
                )
                -- a digest tells every alert that waits no more
                ELSE (
                    SELECT count(*) FROM alert a LEFT JOIN delivery d
                        ON d.rule_id = a.rule_id AND d.digest_day = a.digest_day
                    WHERE a.rule_id = r.id AND a.change_id = c.id
                        AND (a.awaits_digest OR d.id IS NOT NULL)
                )
            END AS messages
        FROM unnest($1::uuid[]) AS c(id) CROSS JOIN alert_rule r
    ) pairs
"""
_STRANGERS: Final = "SELECT count(*) FROM alert WHERE change_id <> ALL($1::uuid[])"
_MESSAGES: Final = "SELECT id, state, body FROM delivery"
_OPEN: Final = "SELECT count(*) FROM delivery WHERE state IN ('ready', 'leased')"


@dataclass(slots=True)
class Alerts:
    """What is wrong with alerts and messages, and how many there were."""

    changes: int = 0
    messages: int = 0
    missing: int = 0
    doubled: int = 0
    #: messages taken, as the table says, that the receiver never got, or got with another text
    not_received: int = 0
    other_text: int = 0
    #: neither taken nor waiting for a later try when the patience ended
    open: int = 0
    #: beyond the first of a message: at least once is what is promised
    received_again: int = 0

    @property
    def violations(self) -> int:
        """Zero, or the run has failed."""
        return self.missing + self.doubled + self.not_received + self.other_text + self.open


@dataclass(slots=True)
class Sink:
    """A receiver of webhooks that refuses some requests."""

    draw: random.Random
    url: str = ""
    #: digests of the bodies taken, by message id
    taken: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    refused: set[str] = field(default_factory=set)

    async def take(self, request: web.Request) -> web.Response:
        """Remember the message, or refuse it."""
        body, message = await request.read(), request.headers["webhook-id"]
        # once: a message that fails again and again waits for minutes, and then for hours
        if message not in self.refused and self.draw.randrange(_REFUSED) == 0:
            self.refused.add(message)
            return web.Response(status=503)
        self.taken[message].append(sha256(body).hexdigest())
        return web.Response()


@contextlib.asynccontextmanager
async def receiving(draw: random.Random) -> AsyncIterator[Sink]:
    """A sink that listens on loopback while inside."""
    sink = Sink(draw)
    app = web.Application()
    app.router.add_post("/hook", sink.take)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        sink.url = f"http://{host}:{port}/hook"
        yield sink
    finally:
        await runner.cleanup()


class Teller:
    """Writes changes with their alerts in one transaction, as a commit that confirms them does."""

    def __init__(self, cluster: Cluster, sink: Sink, draw: random.Random) -> None:
        self.cluster = cluster
        self.sink = sink
        self.draw = draw
        #: ids of changes whose transaction was answered, and of all that may be there
        self.told: list[UUID] = []
        self.tried: list[UUID] = []

    async def begin(self) -> None:
        """An endpoint, a rule that tells at once and one that tells daily."""
        endpoint, seal = uuid4(), Seal("")
        async with self.cluster.connection() as conn, conn.transaction():
            address = seal.close(self.sink.url.encode(), endpoint, "address")
            secret = seal.close(_SECRET, endpoint, "secret")
            await conn.execute(_ENDPOINT, endpoint, address, self.sink.url, secret)
            for cadence in ("immediate", "daily"):
                rule = uuid4()
                await conn.execute(_RULE, rule, cadence, list(KINDS))
                await conn.execute(_JOIN, rule, endpoint)

    async def tell(self, *, digest: bool = False) -> None:
        """A few changes of leads; written again under the same ids until that is answered."""
        ids = [uuid4() for _ in range(_AT_ONCE)]
        kinds = [self.draw.choice(KINDS) for _ in ids]
        self.tried += ids
        while not await self._written(ids, kinds, digest=digest):  # noqa: ASYNC110  # PostgreSQL is away
            await asyncio.sleep(0.2)
        self.told += ids

    async def _written(self, ids: list[UUID], kinds: list[str], *, digest: bool) -> bool:
        try:
            async with self.cluster.connection() as conn, conn.transaction():
                if await conn.fetchval(_THERE, ids):
                    return True  # only the answer to the COMMIT got lost
                start = f"{self.draw.choice(ascii_lowercase)}{self.draw.randrange(1000)}"
                domains = [row["domain"] for row in await conn.fetch(_LEADS, start, len(ids))]
                if len(domains) < len(ids):
                    return False  # none behind that name yet: another one next time
                for change, domain, kind in zip(ids, domains, kinds, strict=True):
                    before, after = json.dumps({"value": "before"}), json.dumps({"value": "after"})
                    number = await conn.fetchval(_NUMBER, domain)
                    await conn.execute(_CHANGE, change, domain, kind, before, after, number)
                await raise_alerts(conn, ids)
                if digest:
                    await conn.execute(_DIGEST_NOW)
        except (asyncpg.IntegrityConstraintViolationError, asyncpg.SyntaxOrAccessError):
            raise  # a schema that is another one now: not a fault of the storm
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return False
        return True

    async def go_on(self, every_s: float) -> None:
        """Tell of changes at a steady rate until cancelled."""
        while True:
            await self.tell()
            await asyncio.sleep(every_s)

    async def settled(self, patience_s: float) -> None:
        """Have a last digest made, and wait until every message was taken; at most so long."""
        await self.tell(digest=True)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience_s), self.cluster.connection() as conn:
                while await conn.fetchval(_OPEN):  # noqa: ASYNC110  # tables tell nobody
                    await asyncio.sleep(0.3)

    async def audit(self, others: Sequence[UUID] = ()) -> Alerts:
        """Everything told, and `others`, against the tables and against what the sink got."""
        async with self.cluster.connection() as conn:
            # a transaction that was never answered may be there, and then with all that belongs to it
            there = [row["id"] for row in await conn.fetch(_WHICH, self.tried)]
            told = {*self.told, *there, *others}
            return await audit_alerts(conn, [*told], self.sink.taken)


async def audit_alerts(
    conn: asyncpg.Connection, told: list[UUID], taken: dict[str, list[str]]
) -> Alerts:
    """Count what is missing, doubled or different; `taken` are digests of bodies by message id."""
    found = Alerts(changes=len(told))
    pairs = await conn.fetchrow(_PAIRS, told)
    assert pairs is not None
    found.missing = pairs["no_alert"] + pairs["no_message"]
    found.doubled = int(pairs["alerts_twice"]) + int(pairs["messages_twice"])
    found.doubled += await conn.fetchval(_STRANGERS, told)
    known = set()
    for row in await conn.fetch(_MESSAGES):
        found.messages += 1
        known.add(str(row["id"]))
        bodies = taken.get(str(row["id"]), [])
        found.received_again += max(0, len(bodies) - 1)
        found.open += row["state"] != "done"
        found.not_received += row["state"] == "done" and not bodies
        right = sha256(row["body"] or b"").hexdigest()
        found.other_text += any(body != right for body in bodies)
    found.doubled += len(taken.keys() - known)
    return found
