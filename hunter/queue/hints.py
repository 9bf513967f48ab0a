"""Hints on Redis that a chunk may be looked at, and news that a job moved; neither is ever work.

The only module that enqueues. Everything here may fail or be lost: what matters is in PostgreSQL,
and a lost hint is given again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from enum import Enum, auto
from typing import Any, Final
from uuid import UUID

import msgspec
import structlog
from arq.connections import ArqRedis
from arq.constants import job_key_prefix
from arq.jobs import serialize_job
from arq.utils import timestamp_ms
from redis.asyncio import BlockingConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import RedisError, ResponseError

from hunter.config import Config
from hunter.core.errors import Unavailable

log = structlog.get_logger()

#: name of the arq function that looks at a chunk
LOOK: Final = "look_at_chunk"
#: raised whenever the arguments of `LOOK` change
HINT_VERSION: Final = 1
#: a hint nobody took by then is dropped; the dispatcher gives it again long before
EXPIRES_S: Final = 30
#: its absence says that Redis was wiped
_GENERATION_KEY: Final = "hunter:generation"
#: written to see that writes are taken; PING is answered by a Redis that is full, too
_PING_KEY: Final = "hunter:ping"
_PING_KEPT_MS: Final = 1000

#: instead of a job: messages may be due
DELIVERIES: Final = "deliveries"

_TIMEOUT_S: Final = 2.0
_CONNECTIONS: Final = 16
#: before every hint that waits; arq takes a score of 0 for a job that is gone
_AHEAD_MS: Final = 1
#: hints in one round trip
_AT_ONCE: Final = 100
_NEWS_PAUSE_S: Final = 1.0
#: what arq and redis raise when Redis is away; built-in OSError comes through unwrapped
REDIS_AWAY: Final = (RedisError, OSError, TimeoutError)


def queue_name(lane: str) -> str:
    """The arq queue of a lane; the version is that of what a hint holds.

    During a deploy old workers never see hints they could not read, nor the other way round: each
    dispatcher hints in its own version what it can work on.
    """
    return f"hunter:queue:v{HINT_VERSION}:{lane}"


def encode_job(job: dict[str, Any]) -> bytes:
    """arq's default is pickle: whoever may write to Redis could then run code here."""
    return msgspec.json.encode(job, enc_hook=repr)


def decode_job(data: bytes) -> dict[str, Any]:
    """A job as `encode_job` wrote it."""
    job: dict[str, Any] = msgspec.json.decode(data)
    return job


def redis_pool(config: Config, lane: str = "bulk", connections: int = _CONNECTIONS) -> ArqRedis:
    """arq's Redis client over a pool whose sockets time out (arq's own never do)."""
    pool: Any = BlockingConnectionPool.from_url(
        str(config.redis_url),
        max_connections=connections,
        timeout=_TIMEOUT_S,
        socket_timeout=_TIMEOUT_S,
        socket_connect_timeout=_TIMEOUT_S,
        socket_keepalive=True,
        retry=Retry(ExponentialBackoff(cap=0.2, base=0.05), 2),
        retry_on_error=[*REDIS_AWAY],
    )
    return ArqRedis(
        pool,
        job_serializer=encode_job,
        job_deserializer=decode_job,
        default_queue_name=queue_name(lane),
        expires_extra_ms=EXPIRES_S * 1000,
    )


class Generation(Enum):
    """What became of the things Redis was given."""

    #: they are there, as far as they have not been taken or expired
    SAME = auto()
    #: Redis answers and has lost them all
    WIPED = auto()
    #: nobody knows: Redis does not answer
    AWAY = auto()


class Hints:
    """Gives hints and news; none of it raises while Redis is away."""

    def __init__(self, redis: ArqRedis) -> None:
        self._redis = redis
        #: who waits for news of a job, by channel
        self._listeners: dict[str, set[News]] = {}
        self._reader: asyncio.Task[None] | None = None

    @property
    def connections_in_use(self) -> int:
        """Redis connections handed out now."""
        return len(getattr(self._redis.connection_pool, "_in_use_connections", ()))

    @property
    def connections_max(self) -> int:
        """Redis connections this process may open."""
        return int(self._redis.connection_pool.max_connections)

    async def ping(self) -> None:
        """Raises Unavailable when Redis does not answer, or takes no writes: full, or a replica."""
        try:
            await self._redis.set(_PING_KEY, b"", px=_PING_KEPT_MS)
        except ResponseError as error:
            raise Unavailable("Redis takes no writes") from error
        except REDIS_AWAY as error:
            raise Unavailable("Redis does not answer") from error

    async def evicted_keys(self) -> int | None:
        """Keys the server threw away for lack of memory since it started; None when it is away."""
        try:
            told = await self._redis.info("stats")
        except REDIS_AWAY:
            return None
        return int(told.get("evicted_keys", 0))

    async def give(
        self,
        lane: str,
        hints: Sequence[tuple[int, int]],
        *,
        within_s: float | None = None,
        ahead: bool = False,
    ) -> bool:
        """Hint (chunk id, number of the hint) each; False when Redis did not take them all in time.

        With `ahead` they go before all hints that wait: arq takes what is due the longest first.
        The job id holds the number, so the same hint twice is one, and a later one is another.
        """
        try:
            async with asyncio.timeout(within_s):
                for start in range(0, len(hints), _AT_ONCE):
                    await self._give_some(lane, hints[start : start + _AT_ONCE], ahead=ahead)
        except REDIS_AWAY as error:
            log.warning("hints not given", lane=lane, error=type(error).__name__)
            return False
        return True

    async def _give_some(self, lane: str, hints: Sequence[tuple[int, int]], *, ahead: bool) -> None:
        """Put jobs into arq's queue as its enqueue_job does, many at once and without its WATCH.

        A connection that goes dead while it watches is never given back to redis-py's pool: a few
        outages would use the pool up, and the process could give no hint any more. The number in
        the job id tells hints apart, so nothing needs watching.
        """
        now_ms = timestamp_ms()
        async with self._redis.pipeline(transaction=True) as pipe:
            for chunk_id, number in hints:
                job_id = f"c{chunk_id}-{number}"
                job = serialize_job(LOOK, (chunk_id,), {}, None, now_ms, serializer=encode_job)
                pipe.psetex(job_key_prefix + job_id, EXPIRES_S * 1000, job)
                pipe.zadd(queue_name(lane), {job_id: _AHEAD_MS if ahead else now_ms}, nx=True)
            await pipe.execute()

    async def generation(self) -> Generation:
        """Whether Redis still has what it was given."""
        try:
            there = await self._redis.exists(_GENERATION_KEY)
        except REDIS_AWAY:
            return Generation.AWAY
        return Generation.SAME if there else Generation.WIPED

    async def set_generation(self) -> None:
        """Plant the key whose absence tells of a wipe; after the hints were reset, not before."""
        with suppress(*REDIS_AWAY):
            await self._redis.set(_GENERATION_KEY, b"1", nx=True)

    async def announce(self, job_id: UUID | str) -> None:
        """Tell whoever waits that a job, or a message, moved; or that DELIVERIES are due."""
        with suppress(*REDIS_AWAY):
            await self._redis.publish(_channel(job_id), b"")

    @asynccontextmanager
    async def listen(self, job_id: UUID | str) -> AsyncIterator[News]:
        """News of one job while inside. Without Redis there are none, and `wait` just waits.

        All listeners of a process share one connection: thousands who wait must not use up what
        pings and hints need.
        """
        if self._reader is None or self._reader.done():
            self._reader = asyncio.create_task(self._read_news())
        news, channel = News(), _channel(job_id)
        self._listeners.setdefault(channel, set()).add(news)
        try:
            yield news
        finally:
            self._listeners[channel].discard(news)
            if not self._listeners[channel]:
                del self._listeners[channel]

    async def _read_news(self) -> None:
        """Hand out the news of every job, for ever; Redis may come and go."""
        while True:
            with suppress(*REDIS_AWAY):
                async with self._redis.pubsub(ignore_subscribe_messages=True) as pubsub:
                    await pubsub.psubscribe(_channel("*"))
                    while True:
                        told = await pubsub.get_message(timeout=_NEWS_PAUSE_S)
                        for news in self._listeners.get(_text(told), ()):
                            news.come()
            await asyncio.sleep(_NEWS_PAUSE_S)

    async def close(self) -> None:
        """Stop reading news and close the connections."""
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.wait({self._reader})
        with suppress(*REDIS_AWAY):
            await self._redis.aclose(close_connection_pool=True)


class News:
    """Wake-ups for one job."""

    def __init__(self) -> None:
        self._came = asyncio.Event()

    def come(self) -> None:
        """Wake whoever waits."""
        self._came.set()

    async def wait(self, timeout_s: float) -> bool:
        """Wait for news at most so long; True when there were any. Look at PostgreSQL either way."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._came.wait()
        came = self._came.is_set()
        self._came.clear()
        return came


def _channel(job_id: UUID | str) -> str:
    return f"hunter:progress:{job_id}"


def _text(told: dict[str, Any] | None) -> str:
    """The channel a message came over, "" for none."""
    return told["channel"].decode() if told else ""


@asynccontextmanager
async def open_queue(config: Config) -> AsyncIterator[Hints]:
    """Hints over HUNTER_REDIS_URL. Connects when first used, so a late Redis is no error."""
    hints = Hints(redis_pool(config))
    try:
        yield hints
    finally:
        await hints.close()
