"""Progress of a job as server-sent events, and its results while it runs."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Final
from uuid import UUID

import msgspec
import structlog
from aiohttp import web

from hunter.core.errors import Unavailable
from hunter.queue.hints import News
from hunter.store import jobs
from hunter.store.database import Database
from hunter.store.following import Follower
from hunter.store.jobs import JobProgress
from hunter.store.results import Result
from hunter.web.keys import DB, HEALTH, HINTS
from hunter.web.schema import id_in_path
from hunter.web.streams import StalledError, write

log = structlog.get_logger()

EVENT_STREAM: Final = "text/event-stream"
#: streams of one process; each holds a socket, and together they ask PostgreSQL once a job and look
STREAMS_MAX: Final = 1000
#: PostgreSQL is asked so often for each job that somebody watches; news on Redis only wake earlier
LOOK_EVERY_S: Final = 1.0
#: news come with every chunk; nobody reads progress faster
_APART_S: Final = 0.25
#: a comment that keeps proxies from closing a silent connection
BEAT_EVERY_S: Final = 15.0
#: how long a caller is to wait before it comes back, in milliseconds
_RETRY_MS: Final = 2000


class Board:
    """What is known of the progress of jobs in this process: many watchers, one question."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._asked: dict[UUID, asyncio.Task[JobProgress]] = {}
        self.streams = 0

    async def progress(self, job_id: UUID) -> JobProgress:
        """Of a moment ago at most. Raises NotFound, Unavailable."""
        task = self._asked.get(job_id)
        if task is None:
            task = self._asked[job_id] = asyncio.create_task(self._ask(job_id))
            task.add_done_callback(lambda _: self._asked.pop(job_id, None))
        return await asyncio.shield(task)

    async def _ask(self, job_id: UUID) -> JobProgress:
        async with self._db.acquire() as conn:
            return await jobs.progress(conn, job_id)

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """One of the streams of this process. Raises Unavailable when there are enough."""
        if self.streams >= STREAMS_MAX:
            raise Unavailable("this server has as many streams open as it keeps", retry_after_s=5)
        self.streams += 1
        try:
            yield
        finally:
            self.streams -= 1


BOARD: Final = web.AppKey("board", Board)


async def job_events(request: web.Request) -> web.StreamResponse:
    """GET /scan/bulk/{job_id}/events"""
    job_id, board = id_in_path(request, "job_id"), request.app[BOARD]
    progress = await board.progress(job_id)
    if progress.is_finished and request.headers.get("Last-Event-ID") == _event_id(progress):
        # the last thing there is was received: an event source asks no more after this
        return web.Response(status=204)
    async with board.place():
        response = web.StreamResponse(
            headers={
                "Content-Type": EVENT_STREAM,
                "Cache-Control": "no-store",
                "X-Accel-Buffering": "no",
            }
        )
        await response.prepare(request)
        if request.method == "HEAD":
            return response
        try:
            async with request.app[HINTS].listen(job_id) as news:
                await _tell(request, response, job_id, progress, news)
            await response.write_eof()
        except ConnectionError:
            log.info("caller went away")
        except StalledError:
            log.info("caller stopped reading")
            if request.transport is not None:
                request.transport.abort()
    return response


async def _tell(
    request: web.Request,
    response: web.StreamResponse,
    job_id: UUID,
    progress: JobProgress,
    news: News,
) -> None:
    """Write what is new until the job is finished, the caller is gone, or this process is to stop."""
    loop = asyncio.get_running_loop()
    told = request.headers.get("Last-Event-ID", "")
    await write(response, f"retry: {_RETRY_MS}\n\n".encode())
    last_write = loop.time()
    while True:
        name = _event_id(progress)
        if name != told or progress.is_finished:
            await write(response, _event(progress))
            told, last_write = name, loop.time()
        if progress.is_finished:
            return
        if request.app[HEALTH].draining:
            # not all at once to the process that takes over
            pause = random.randint(_RETRY_MS // 2, 2 * _RETRY_MS)  # noqa: S311  # jitter
            await write(response, f": this server stops\nretry: {pause}\n\n".encode())
            return
        if loop.time() - last_write > BEAT_EVERY_S:
            await write(response, b": beat\n\n")
            last_write = loop.time()
        await asyncio.sleep(_APART_S)
        await news.wait(LOOK_EVERY_S - _APART_S)
        with suppress(Unavailable):  # PostgreSQL will be back; until then there are beats
            progress = await request.app[BOARD].progress(job_id)


def _event_id(progress: JobProgress) -> str:
    """Where a job is: the same id, the same news. Progress is a state, so there is nothing to replay."""
    return f"{progress.status}-{progress.processed}"


def _event(progress: JobProgress) -> bytes:
    kind = "end" if progress.is_finished else "progress"
    data = msgspec.json.encode(progress)
    return f"id: {_event_id(progress)}\nevent: {kind}\ndata: ".encode() + data + b"\n\n"


async def followed(
    request: web.Request, job_id: UUID, view: Callable[[Result], Any]
) -> AsyncGenerator[list[Any], None]:
    """Rows of a job in the order in which its chunks end; empty lists in between, as beats.

    Raises Unavailable when this process is to stop: what was sent is not the whole.
    """
    board, db = request.app[BOARD], request.app[DB]
    follower, loop = Follower(job_id), asyncio.get_running_loop()
    async with db.acquire() as conn:
        await follower.open(conn)
    async with board.place(), request.app[HINTS].listen(job_id) as news:
        yield []
        beat_at = loop.time() + BEAT_EVERY_S
        while not follower.is_over:
            rows: list[Result] = []
            with suppress(Unavailable):
                async with db.acquire() as conn:
                    rows = await follower.next_rows(conn)
            if rows:
                yield [view(row) for row in rows]
                beat_at = loop.time() + BEAT_EVERY_S
                continue
            if request.app[HEALTH].draining:
                raise Unavailable("this server stops")
            if loop.time() > beat_at:
                yield []
                beat_at = loop.time() + BEAT_EVERY_S
            await news.wait(LOOK_EVERY_S)
