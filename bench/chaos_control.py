"""Two short faults without any luck in them, to tell a system that keeps its work from one that does not."""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
from collections.abc import AsyncIterator, Sequence
from typing import Final

from chaos import KEPT, SYSTEMS, cluster_of
from chaos_audit import Verdict, audit
from chaos_cluster import Cluster, Shape, new_worker
from chaos_faults import direct_redis
from chaos_load import Callers
from chaos_naive import QUEUE, NaiveCallers
from chaos_names import names_and_zone

_NAMES: Final = 200
_LEASE_S: Final = 3.0
_DEADLINE_S: Final = 60.0
_LEASED = "SELECT count(*) FROM scan_chunk WHERE state = 'leased'"
_OPEN = "SELECT count(*) FROM scan_job WHERE status IN ('pending', 'running')"


async def freeze_beyond_lease(system: str, *, unique_results: bool) -> Verdict:
    """A worker sleeps in the middle of its chunks until another one has committed them, and wakes up.

    The name server is silent while the first worker takes chunks, so none of them can have been
    committed when it is stopped. `system` is hunter or unfenced.
    """
    shape = _shape(system, workers=1, unique_results=unique_results)
    names, zone = names_and_zone(_NAMES, seed=1)
    async with (
        cluster_of(shape, zone, KEPT / system) as cluster,
        _callers(cluster, names, system) as callers,
    ):
        first = cluster.workers[0]
        cluster.freeze_name_server()
        await callers.bulk(names)
        await _until(cluster, _LEASED)
        first.signal(signal.SIGSTOP)
        cluster.thaw_name_server()
        async with _one_more_worker(cluster):
            await _until(cluster, _OPEN, wanted=False)
            # its leases are gone and their work is done: whatever it writes now is too late
            pid = first.signal(signal.SIGCONT)
            assert pid is not None
            # it ends when its work under way is committed, or found to be somebody else's
            first.signal(signal.SIGTERM)
            await first.gone(pid, _DEADLINE_S)
        return await audit(cluster, callers, with_api=False)


async def flush_under_work(system: str) -> Verdict:
    """FLUSHALL while chunks wait in the queue; `system` is hunter or naive.

    The name server is silent until then, so none of them can have been done.
    """
    shape = _shape(system, workers=1, unique_results=system == "hunter")
    names, zone = names_and_zone(_NAMES, seed=1)
    async with (
        cluster_of(shape, zone, KEPT / system) as cluster,
        _callers(cluster, names, system) as callers,
    ):
        cluster.freeze_name_server()
        await callers.bulk(names)
        if system == "hunter":
            await _until(cluster, _LEASED)
        async with direct_redis(cluster.valkey) as client:
            if system == "naive":
                # accepted means queued there: nothing else knows of it
                assert await client.zcard(QUEUE)
            await client.flushall()
        cluster.thaw_name_server()
        if system == "naive":
            await _nothing_left(cluster)
        else:
            await _until(cluster, _OPEN, wanted=False)
        return await audit(cluster, callers, with_books=system == "hunter", with_api=False)


def _shape(system: str, *, workers: int, unique_results: bool) -> Shape:
    return Shape(
        workers=workers,
        apis=1,
        lease_s=_LEASE_S,
        drain_grace_s=15.0,
        # small enough that silence for all of a chunk is not taken for an outage
        chunk_size=10,
        slots=4,
        worker=SYSTEMS[system],
        unique_results=unique_results,
    )


@contextlib.asynccontextmanager
async def _callers(cluster: Cluster, names: Sequence[str], system: str) -> AsyncIterator[Callers]:
    kind = NaiveCallers if system == "naive" else Callers
    callers = kind(cluster, names, random.Random(1))
    try:
        async with asyncio.timeout(2 * _DEADLINE_S):
            yield callers
    finally:
        await callers.close()


@contextlib.asynccontextmanager
async def _one_more_worker(cluster: Cluster) -> AsyncIterator[None]:
    worker = new_worker(cluster, len(cluster.workers))
    try:
        await worker.start()
        yield
    finally:
        await worker.end()


async def _until(cluster: Cluster, question: str, *, wanted: bool = True) -> None:
    """Ask the tables until the answer is not zero, or zero; raises TimeoutError."""
    async with asyncio.timeout(_DEADLINE_S), cluster.connection() as conn:
        while bool(await conn.fetchval(question)) is not wanted:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def _nothing_left(cluster: Cluster) -> None:
    """Until the naive worker says that nothing is queued and nothing under way."""
    async with asyncio.timeout(_DEADLINE_S), direct_redis(cluster.valkey) as client:
        while True:
            told = await client.get(f"{QUEUE}:health-check") or b""
            if b"j_ongoing=0" in told and b"queued=0" in told:
                return
            await asyncio.sleep(0.1)
