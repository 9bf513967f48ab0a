"""The usual way with arq, as the control: a job per chunk, its names in Redis, no table of chunks.

`python bench/chaos_naive.py` is its worker. It reads Hunter's settings, asks with Hunter's survey
and writes Hunter's result rows, so that only the job protocol differs.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import random
import uuid
from collections.abc import Sequence
from typing import Any

import asyncpg
from arq import create_pool
from arq.connections import ArqRedis, RedisSettings
from arq.worker import Worker, func
from chaos_cluster import Cluster
from chaos_load import Callers, Submission

from hunter.config import Config
from hunter.core.answers import Depth
from hunter.knowledge.load import load_knowledge
from hunter.resolver.opening import open_engine
from hunter.resolver.survey import survey

QUEUE = "naive:queue"
_SCAN = "scan_names"
_JOB_TIMEOUT_S = 10
_ROWS = """
    INSERT INTO scan_result (job_id, domain, outcome, reason, scanned_at)
    SELECT $1, domain, 'failed', 'not judged: only the job protocol is looked at', $3
    FROM unnest($2::text[]) AS t(domain)
"""


async def scan_names(ctx: dict[str, Any], job_id: str, names: list[str]) -> None:
    """The arq job: survey, then one transaction with the rows."""
    at = dt.datetime.now(dt.UTC)
    await asyncio.gather(
        *(survey(ctx["engine"], name, Depth.QUICK, ctx["knowledge"]) for name in names)
    )
    async with ctx["pool"].acquire(timeout=5) as conn:
        await conn.execute(_ROWS, uuid.UUID(job_id), names, at)


async def work(config: Config) -> None:
    """Take jobs until a signal; arq's defaults except for its timeout."""
    async with (
        asyncpg.create_pool(str(config.database_url), min_size=0, max_size=8) as pool,
        open_engine(config) as engine,
    ):
        redis = await _redis(str(config.redis_url))
        worker = Worker(
            functions=[func(scan_names, name=_SCAN)],
            queue_name=QUEUE,
            redis_pool=redis,
            max_jobs=config.worker_slots,
            job_timeout=_JOB_TIMEOUT_S,
            health_check_interval=1,
            ctx={"pool": pool, "engine": engine, "knowledge": load_knowledge()},
        )
        print("worker started", flush=True)
        await worker.async_run()


async def _redis(url: str) -> ArqRedis:
    return await create_pool(RedisSettings.from_dsn(url), default_queue_name=QUEUE)


class NaiveCallers(Callers):
    """Accepts a list the naive way: when its jobs are in Redis."""

    def __init__(self, cluster: Cluster, names: Sequence[str], draw: random.Random) -> None:
        super().__init__(cluster, names, draw)
        self._pool: ArqRedis | None = None

    async def bulk(self, names: Sequence[str]) -> Submission:
        """Enqueue the chunks of a list; a caller who sees an error tries again."""
        sent = self.new(names, "bulk")
        job_id = str(uuid.UUID(int=self.draw.getrandbits(128), version=4))
        size = self.cluster.shape.chunk_size
        for start in range(0, len(names), size):
            while not await self._enqueued(  # noqa: ASYNC110
                job_id, names[start : start + size], start
            ):
                await asyncio.sleep(0.2)
        sent.job_ids.add(job_id)
        return sent

    async def _enqueued(self, job_id: str, names: Sequence[str], start: int) -> bool:
        try:
            if self._pool is None:
                self._pool = await _redis(self.cluster.valkey.url_through_proxy())
            await self._pool.enqueue_job(_SCAN, job_id, list(names), _job_id=f"{job_id}-{start}")
        except Exception:  # noqa: BLE001  # Redis is away: whatever the client says
            return False
        return True

    async def single(self) -> None:
        """No single scans: they would only be smaller chunks."""

    async def close(self) -> None:
        """Close the connections."""
        await super().close()
        if self._pool is not None:
            await self._pool.aclose(close_connection_pool=True)


if __name__ == "__main__":
    asyncio.run(work(Config.from_env(os.environ)))
