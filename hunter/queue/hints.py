"""Hints on Redis that a chunk may be looked at, and news that a job moved; neither is ever work.

The only module that enqueues. Everything here may fail or be lost: what matters is in PostgreSQL,
and a lost hint is given again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Final
from uuid import UUID

import msgspec
import structlog
from arq.connections import ArqRedis
from redis.asyncio import BlockingConnectionPool
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import RedisError

from hunter.config import Config
from hunter.core.errors import Unavailable

log = structlog.get_logger()

#: name of the arq function that looks at a chunk
LOOK: Final = "look_at_chunk"
#: a hint nobody took by then is dropped; the dispatcher gives it again long before
EXPIRES_S: Final = 30
#: its absence says that Redis was wiped
_GENERATION_KEY: Final = "hunter:generation"

_TIMEOUT_S: Final = 2.0
_CONNECTIONS: Final = 16
_AT_ONCE: Final = 8
#: what arq and redis raise when Redis is away; built-in OSError comes through unwrapped
REDIS_AWAY: Final = (RedisError, OSError, TimeoutError)


def queue_name(lane: str) -> str:
    """The arq queue of a lane."""
    return f"hunter:queue:{lane}"


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


class Hints:
    """Gives hints and news; none of it raises while Redis is away."""

    def __init__(self, redis: ArqRedis) -> None:
        self._redis = redis

    @property
    def connections_in_use(self) -> int:
        """Redis connections handed out now."""
        return len(getattr(self._redis.connection_pool, "_in_use_connections", ()))

    @property
    def connections_max(self) -> int:
        """Redis connections this process may open."""
        return int(self._redis.connection_pool.max_connections)

    async def ping(self) -> None:
        """Raises Unavailable when Redis does not answer."""
        try:
            await self._redis.ping()
        except REDIS_AWAY as error:
            raise Unavailable("Redis does not answer") from error

    async def give(self, lane: str, hints: Sequence[tuple[int, int]]) -> bool:
        """Hint (chunk id, number of the hint) each; False when Redis did not take them all.

        The job id holds the number, so the same hint twice is one, and a later one is another.
        """
        try:
            for start in range(0, len(hints), _AT_ONCE):
                some = hints[start : start + _AT_ONCE]
                await asyncio.gather(*(self._give_one(lane, *hint) for hint in some))
        except REDIS_AWAY as error:
            log.warning("hints not given", lane=lane, error=type(error).__name__)
            return False
        return True

    async def _give_one(self, lane: str, chunk_id: int, number: int) -> None:
        await self._redis.enqueue_job(
            LOOK,
            chunk_id,
            _job_id=f"c{chunk_id}-{number}",
            _queue_name=queue_name(lane),
            _expires=EXPIRES_S,
        )

    async def was_wiped(self) -> bool:
        """True when Redis answers and has lost all it had; False while it is away."""
        try:
            return not await self._redis.exists(_GENERATION_KEY)
        except REDIS_AWAY:
            return False

    async def set_generation(self) -> None:
        """Plant the key whose absence tells of a wipe; after the hints were reset, not before."""
        with suppress(*REDIS_AWAY):
            await self._redis.set(_GENERATION_KEY, b"1", nx=True)

    async def announce(self, job_id: UUID) -> None:
        """Tell whoever waits that a job moved."""
        with suppress(*REDIS_AWAY):
            await self._redis.publish(_channel(job_id), b"")

    @asynccontextmanager
    async def listen(self, job_id: UUID) -> AsyncIterator[News]:
        """News of one job while inside. Without Redis there are none, and `wait` just waits."""
        pubsub = self._redis.pubsub(ignore_subscribe_messages=True)
        news = News(pubsub)
        try:
            with suppress(*REDIS_AWAY):
                await pubsub.subscribe(_channel(job_id))
                news.is_open = True
            yield news
        finally:
            with suppress(*REDIS_AWAY):
                await pubsub.aclose()  # type: ignore[no-untyped-call]


class News:
    """Wake-ups for one job."""

    def __init__(self, pubsub: PubSub) -> None:
        self._pubsub = pubsub
        self.is_open = False

    async def wait(self, timeout_s: float) -> bool:
        """Wait for news at most so long; True when there were any. Look at PostgreSQL either way."""
        deadline = asyncio.get_running_loop().time() + timeout_s
        while self.is_open and (left := deadline - asyncio.get_running_loop().time()) > 0:
            try:
                if await self._pubsub.get_message(timeout=left) is not None:
                    return True
            except REDIS_AWAY:
                self.is_open = False
        await asyncio.sleep(max(0.0, deadline - asyncio.get_running_loop().time()))
        return False


def _channel(job_id: UUID) -> str:
    return f"hunter:progress:{job_id}"


@asynccontextmanager
async def open_queue(config: Config) -> AsyncIterator[Hints]:
    """Hints over HUNTER_REDIS_URL. Connects when first used, so a late Redis is no error."""
    redis = redis_pool(config)
    try:
        yield Hints(redis)
    finally:
        with suppress(*REDIS_AWAY):
            await redis.aclose(close_connection_pool=True)
