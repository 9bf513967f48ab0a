"""How long each recovery takes, one fault at a time, with work under way."""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final
from uuid import UUID

import redis.asyncio
from chaos_cluster import Cluster, Member
from chaos_faults import direct_redis
from chaos_load import Callers

_LOOK_S = 0.02
_DEADLINE_S = 90.0
#: names that are kept open while recoveries are measured
_OPEN_NAMES = 20_000
_BULK = 5_000

_HELD = "SELECT id, epoch FROM scan_chunk WHERE worker_id = $1 AND state = 'leased'"
_STILL_HELD = """
    SELECT count(*) FROM scan_chunk c
    JOIN unnest($1::bigint[], $2::bigint[]) AS h(id, epoch) USING (id, epoch)
    WHERE c.state = 'leased'
"""
_LEFT = """
    SELECT c.state, j.status, count(*) AS chunks, max(now() - lease_until)::text AS expired_for,
        max(now() - hinted_at)::text AS hinted_before, max(not_before - now())::text AS not_for,
        max(losses) AS losses, max(failures) AS failures
    FROM scan_chunk c JOIN scan_job j ON j.id = c.job_id
    WHERE c.state IN ('ready', 'leased') GROUP BY 1, 2
"""
_DONE = "SELECT count(*) FROM scan_chunk WHERE done_at IS NOT NULL"
_OPEN = "SELECT coalesce(sum(size), 0) FROM scan_chunk WHERE state IN ('ready', 'leased')"
_READY = "SELECT count(*) FROM scan_chunk WHERE state = 'ready' AND lane = 'bulk'"


async def kill_to_resumed(cluster: Cluster, draw: random.Random) -> float:
    """SIGKILL of a worker → the last of its chunks is under somebody else's lease."""
    worker = await _with_chunks(cluster, draw)
    told = worker.worker_id()
    assert told
    begin = time.monotonic()
    worker.signal(signal.SIGKILL)
    async with cluster.connection() as conn:
        held = await conn.fetch(_HELD, UUID(told))
        ids, epochs = [row["id"] for row in held], [row["epoch"] for row in held]
        await _until(lambda: conn.fetchval(_STILL_HELD, ids, epochs))
    return time.monotonic() - begin


async def term_to_handed_over(cluster: Cluster, draw: random.Random) -> float:
    """SIGTERM of a worker → it holds no lease any more; what is beyond its grace."""
    worker = await _with_chunks(cluster, draw)
    told = worker.worker_id()
    assert told
    begin = time.monotonic()
    pid = worker.signal(signal.SIGTERM)
    assert pid is not None
    handed_over = begin
    async with cluster.connection() as conn:
        while worker.pid == pid:
            if await conn.fetch(_HELD, UUID(told)):
                handed_over = time.monotonic()
            await asyncio.sleep(_LOOK_S)
        if left := await conn.fetch(_HELD, UUID(told)):
            print(f"{worker.name} ended and left {len(left)} leases to run out")
            return _DEADLINE_S
    return max(0.0, handed_over - begin - cluster.shape.drain_grace_s)


async def flush_to_hints(cluster: Cluster, _draw: random.Random) -> float:
    """FLUSHALL → the first hint is back in the queue."""
    async with cluster.connection() as conn, direct_redis(cluster.valkey) as client:
        await _until(lambda: conn.fetchval(_READY), wanted=True)
        await client.flushall()
        begin, before = time.monotonic(), await _queued(client)
        await _until(lambda: _more(_queued(client), before), wanted=True)
    return time.monotonic() - begin


async def postgres_to_commit(cluster: Cluster, _draw: random.Random) -> float:
    """PostgreSQL answers again after SIGKILL → the first chunk is committed."""
    with cluster.outage("postgres"):
        await cluster.postgres.crash()
        await cluster.postgres.start()
    begin = time.monotonic()
    async with cluster.connection() as conn:
        before = await conn.fetchval(_DONE)
        await _until(lambda: _more(conn.fetchval(_DONE), before), wanted=True)
    return time.monotonic() - begin


#: name, what is waited for, measurement, wanted seconds at the default lease of 20 s
RECOVERIES: Final[
    dict[str, tuple[str, Callable[[Cluster, random.Random], Awaitable[float]], float]]
] = {
    "sigkill": ("SIGKILL of a worker → all its chunks resumed", kill_to_resumed, 21.0),
    "flushall": ("FLUSHALL → hints back", flush_to_hints, 2.0),
    "postgres": ("PostgreSQL back → first commit", postgres_to_commit, 3.0),
    "sigterm": ("SIGTERM → handed over, beyond the grace", term_to_handed_over, 2.0),
}


async def measure(
    cluster: Cluster, callers: Callers, draw: random.Random, rounds: int
) -> dict[str, list[float]]:
    """Every recovery `rounds` times; the callers keep enough work open."""
    figures: dict[str, list[float]] = {name: [] for name in RECOVERIES}
    async with _busy(cluster, callers):
        for _ in range(rounds):
            for name, (_, recovery, _) in RECOVERIES.items():
                try:
                    figures[name].append(await recovery(cluster, draw))
                except TimeoutError:
                    # a recovery that did not come is a figure as well, and a bad one
                    figures[name].append(_DEADLINE_S)
                    print(f"{name}: not within {_DEADLINE_S:g} s; {await _left(cluster)}")
    return figures


@contextlib.asynccontextmanager
async def _busy(cluster: Cluster, callers: Callers) -> AsyncIterator[None]:
    async def feed() -> None:
        while True:
            with contextlib.suppress(OSError, TimeoutError, Exception):
                async with cluster.connection() as conn:
                    enough = await conn.fetchval(_OPEN) >= _OPEN_NAMES
                if not enough:
                    await callers.bulk(callers.take(_BULK))
                    continue
            await asyncio.sleep(0.2)

    feeding = asyncio.create_task(feed())
    try:
        yield
    finally:
        feeding.cancel()
        await asyncio.gather(feeding, return_exceptions=True)


async def _with_chunks(cluster: Cluster, draw: random.Random) -> Member:
    """A worker that holds chunks right now."""
    async with asyncio.timeout(_DEADLINE_S), cluster.connection() as conn:
        while True:
            worker = cluster.pick(draw, cluster.workers)
            told = worker.worker_id() if worker is not None else None
            if worker is not None and told and await conn.fetch(_HELD, UUID(told)):
                return worker
            await asyncio.sleep(_LOOK_S)


async def _left(cluster: Cluster) -> str:
    """What is open, for whoever has to find out why."""
    async with cluster.connection() as conn:
        return "; ".join(str(dict(row)) for row in await conn.fetch(_LEFT))


async def _queued(client: redis.asyncio.Redis) -> int:
    """How many jobs were ever queued; a worker may take them sooner than anyone can look."""
    told = await client.info("commandstats")
    return int(told.get("cmdstat_zadd", {}).get("calls", 0))


async def _more(counting: Awaitable[int], than: int) -> bool:
    return await counting > than


async def _until(look: Callable[[], Awaitable[int | bool]], *, wanted: bool = False) -> None:
    """Look until it is true, or no longer; raises TimeoutError."""
    async with asyncio.timeout(_DEADLINE_S):
        while bool(await look()) is not wanted:  # noqa: ASYNC110  # tables tell nobody
            await asyncio.sleep(_LOOK_S)
