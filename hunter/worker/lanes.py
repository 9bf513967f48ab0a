"""The arq side: one Worker per lane, made again when Redis blips, replaced by PostgreSQL when it stays away."""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack, suppress
from typing import Any, Final, cast

import structlog
from arq.connections import ArqRedis
from arq.typing import WorkerCoroutine
from arq.worker import Worker, func

from hunter.config import Config
from hunter.core.errors import Unavailable
from hunter.ops.metrics import Metrics
from hunter.pipeline.scan import Scanner
from hunter.queue.hints import (
    LOOK,
    REDIS_AWAY,
    Hints,
    decode_job,
    encode_job,
    queue_name,
    redis_pool,
)

log = structlog.get_logger()

#: without a hint for so long, chunks are claimed straight from PostgreSQL
ALONE_AFTER_S: Final = 10.0
#: it caps what the whole fleet can have in progress: arq reads only so far into the queue
_READ_LIMIT: Final = 5000
_JOB_TIMEOUT_S: Final = 300
#: a hint that a killed worker took is in every poll's way for so long; arq's own is _JOB_TIMEOUT_S
_IN_PROGRESS_S: Final = 30
#: chunks taken up without a hint at once
_TAKEN_OVER: Final = 4
_PAUSE_S: Final = 0.5
_WATCH_S: Final = 1.0
_LAST_WRITES_S: Final = 2.0


class Lane:
    """One lane of one process: hints in, chunks worked on, `slots` at once."""

    def __init__(
        self,
        name: str,
        slots: int,
        *,
        scanner: Scanner,
        hints: Hints,
        metrics: Metrics,
        config: Config,
    ) -> None:
        self._name = name
        self._slots = slots
        self._free = scanner.pace if name == "bulk" else asyncio.Semaphore(slots)
        self._scanner = scanner
        self._hints = hints
        self._metrics = metrics
        self._config = config
        self._stopping = False
        self._worker: Worker | None = None
        #: until shown otherwise
        self._is_redis_away = True
        #: when the last hint came
        self._told_at = asyncio.get_running_loop().time()
        #: hints that are followed, each in a slot; they end with their chunk, not with arq's job
        self._followed: set[asyncio.Task[None]] = set()
        self._taking_over = 0

    async def run(self) -> None:
        """Take hints for ever, and look for work without them while none come."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._follow_hints())
                group.create_task(self._look_around())
                group.create_task(self._take_over())
        finally:
            for following in self._followed:
                following.cancel()
            await asyncio.gather(*self._followed, return_exceptions=True)

    async def _follow_hints(self) -> None:
        """arq's Worker gives up when Redis blips, this does not."""
        while not self._stopping:
            try:
                await self._hints.ping()
                self._is_redis_away = False
                await self._run_worker()
            except (*REDIS_AWAY, Unavailable) as error:
                log.warning("Redis is away", lane=self._name, error=type(error).__name__)
            except Exception:  # arq lets a job's own Redis error out; the lane must go on
                log.exception("arq worker ended", lane=self._name)
            self._is_redis_away = True
            await asyncio.sleep(_PAUSE_S)

    def stop_taking(self) -> None:
        """Take no more hints and claim nothing; work under way goes on."""
        self._stopping = True
        if self._worker is not None:
            self._worker.allow_pick_jobs = False

    async def _run_worker(self) -> None:
        redis = redis_pool(self._config, self._name, connections=self._slots + 8)
        worker = self._worker = self._make_worker(redis)
        self._keep_pace()
        if self._stopping:
            worker.allow_pick_jobs = False
        tasks = [
            asyncio.create_task(worker.async_run()),
            asyncio.create_task(self._until_refused()),
        ]
        try:
            ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in ended:
                task.result()
        finally:
            await _close(worker, redis)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _until_refused(self) -> None:
        """Raises Unavailable once Redis takes no writes: arq would poll on and start nothing."""
        while True:
            await asyncio.sleep(_WATCH_S)
            await self._hints.ping()

    def _make_worker(self, redis: ArqRedis) -> Worker:
        worker = Worker(
            # arq's protocol wants a __qualname__, which a bound method has and its type lacks
            functions=[func(cast("WorkerCoroutine", self._look), name=LOOK, max_tries=1)],
            queue_name=queue_name(self._name),
            redis_pool=redis,
            handle_signals=False,
            max_jobs=self._slots + 1,
            job_timeout=_JOB_TIMEOUT_S,
            keep_result=0,
            poll_delay=0.1,
            queue_read_limit=_READ_LIMIT,
            max_tries=1,
            retry_jobs=False,
            allow_abort_jobs=False,
            job_serializer=encode_job,
            job_deserializer=decode_job,
            log_results=False,
        )
        worker.in_progress_timeout_s = _IN_PROGRESS_S
        return worker

    async def _look(self, ctx: dict[Any, Any], chunk_id: int) -> None:
        """The arq function. Whatever the hint says, PostgreSQL decides."""
        self._metrics.arq_tasks_total.inc({"task": LOOK})
        self._told_at = asyncio.get_running_loop().time()
        try:
            if self._name == "bulk":
                # arq leaves a job queued until it ends, and every poll of every worker asks three
                # times about each of these before it comes to one that waits
                await ctx["redis"].zrem(queue_name(self._name), ctx["job_id"])
            async with AsyncExitStack() as slot:
                await slot.enter_async_context(self._free)
                following = asyncio.create_task(self._follow(chunk_id, slot.pop_all()))
            self._followed.add(following)
            following.add_done_callback(self._followed.discard)
            # arq cancels its jobs when Redis blips: the chunk goes on, and so the slot stays taken
            await asyncio.shield(following)
        except Exception:
            self._metrics.arq_tasks_failed_total.inc({"task": LOOK})
            raise

    async def _follow(self, chunk_id: int, slot: AsyncExitStack) -> None:
        try:
            async with slot:
                if self._stopping or not self._scanner.holding.takes:
                    await self._scanner.decline(chunk_id)
                else:
                    await self._scanner.look_at(chunk_id, self._name)
        finally:
            self._keep_pace()

    def _keep_pace(self) -> None:
        """Leave hints this process has no slot for to others; one more is at hand for the next slot."""
        if self._name == "bulk" and self._worker is not None:
            self._worker.max_jobs = self._scanner.pace.limit + 1

    async def _take_over(self) -> None:
        """Take up what others let go, and for whom somebody waits, without a hint.

        So neither a wiped Redis nor hints that went to a dead process delay it. What was let go is
        taken up a few beyond the slots: it has waited for its lease to end.
        """
        async with asyncio.TaskGroup() as group:
            while not self._stopping:
                await asyncio.sleep(
                    self._config.dispatch_interval_s * random.uniform(0.8, 1.2)  # noqa: S311  # jitter
                )
                room = _TAKEN_OVER - self._taking_over
                if room and self._scanner.holding.takes:
                    for _ in range(await self._found(room)):
                        group.create_task(self._take_over_some())

    async def _found(self, room: int) -> int:
        """How many may be taken up now, of `room`."""
        if self._name == "bulk":
            return await self._scanner.left_over(self._name, room)
        return room if await self._scanner.is_wanted(self._name) else 0

    async def _take_over_some(self) -> None:
        self._taking_over += 1
        try:
            while not self._stopping and await self._take_over_one():
                pass
        except Exception:  # the next look finds what is left
            log.exception("chunk not taken over", lane=self._name)
        finally:
            self._taking_over -= 1

    async def _take_over_one(self) -> bool:
        if self._name == "bulk":
            return await self._scanner.take_over(self._name)
        async with self._free:
            return not self._stopping and await self._scanner.take_next(self._name)

    async def _look_around(self) -> None:
        """Claim straight from PostgreSQL while no hint comes, whatever is the matter with Redis.

        Lost hints look like no work: Redis may be away, or answer and refuse them, or arq may have
        stopped. So a lane without a hint asks now and then, and often where it has reason to.
        """
        loop = asyncio.get_running_loop()
        asked_at, has_found = loop.time(), False
        while not self._stopping:
            await asyncio.sleep(_PAUSE_S * random.uniform(0.8, 1.2))  # noqa: S311  # jitter
            if loop.time() - self._told_at < ALONE_AFTER_S:
                has_found = False
            elif self._is_redis_away or has_found or loop.time() - asked_at >= ALONE_AFTER_S:
                asked_at = loop.time()
                has_found = await self._work_without_hints()

    async def _work_without_hints(self) -> bool:
        """Claim until there is no more or hints come again; False when there was nothing."""
        if not await self._scanner.is_wanted(self._name):
            return False
        log.warning("working without hints", lane=self._name)
        async with asyncio.TaskGroup() as group:
            for _ in range(self._slots):
                group.create_task(self._claim_on(self._told_at))
        return True

    async def _claim_on(self, told_at: float) -> None:
        found = True
        while found and self._told_at == told_at:
            async with self._free:
                found = not self._stopping and await self._scanner.take_next(self._name)


async def _close(worker: Worker, redis: ArqRedis) -> None:
    """Stop polling, let jobs write their end, close the connections.

    arq shields that last write: a job cancelled just then would use a closed pool. Cancelling an
    arq job does not stop the work on its chunk.
    """
    if worker.main_task is not None:
        worker.main_task.cancel()
        # a poll cut off gives its connection back first: cancelled twice, it would lose it
        await asyncio.wait({worker.main_task}, timeout=_LAST_WRITES_S)
    tasks = [*worker.tasks.values()]
    if tasks:
        await asyncio.wait(tasks, timeout=_LAST_WRITES_S)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    with suppress(*REDIS_AWAY):
        await redis.aclose(close_connection_pool=True)
