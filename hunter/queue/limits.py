"""Rate limits shared by all processes on Redis, and by each process for itself while that is away."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import structlog
from redis.asyncio import BlockingConnectionPool, Redis
from redis.exceptions import NoScriptError

from hunter.config import Config
from hunter.core.gcra import Limit, Verdict, step, verdict
from hunter.queue.hints import REDIS_AWAY

log = structlog.get_logger()

#: so long a request waits for Redis before this process decides for itself
DEADLINE_S: Final = 0.05
#: a Redis that was away or slow is left alone for so long, twice as long each time
_FIRST_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 10.0
#: callers in one round trip
_AT_ONCE: Final = 256
#: callers remembered by the process; the one not seen for the longest is forgotten
REMEMBERED: Final = 10_000
_KEY: Final = "hunter:limit:"

#: `step` of hunter.core.gcra for each key, by Redis's clock; gives (wait, ahead) pairs.
#: %.0f, because Lua would write a moment in microseconds as 1.7e+15.
_SCRIPT: Final = """
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local out = {}
for i, key in ipairs(KEYS) do
  local interval, span = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  local due = tonumber(redis.call('GET', key) or now) or now
  due = math.min(math.max(due, now), now + span)
  local later = due + interval
  local wait = later - now - span
  if wait > 0 then
    out[#out + 1], out[#out + 2] = wait, due - now
  else
    redis.call('SET', key, string.format('%.0f', later), 'PX', math.ceil((later - now) / 1000))
    out[#out + 1], out[#out + 2] = 0, later - now
  end
end
return out
"""

_Asked = tuple[str, Limit, "asyncio.Future[Verdict]"]


class LocalLimits:
    """Limits that one process keeps for itself; bounded, whatever callers come."""

    def __init__(self, remembered: int = REMEMBERED) -> None:
        self._due: OrderedDict[str, int] = OrderedDict()
        self._remembered = remembered

    def __len__(self) -> int:
        return len(self._due)

    def take(self, who: str, limit: Limit) -> Verdict:
        """Count one request."""
        due, wait, ahead = step(limit, self._due.get(who, 0), time.monotonic_ns() // 1000)
        self._due[who] = due
        self._due.move_to_end(who)
        if len(self._due) > self._remembered:
            self._due.popitem(last=False)
        return verdict(limit, wait, ahead)

    def look(self, who: str, limit: Limit) -> Verdict:
        """What one request would be told; counts nothing."""
        _, wait, ahead = step(limit, self._due.get(who, 0), time.monotonic_ns() // 1000)
        return verdict(limit, wait, ahead)


class Limits:
    """Limits over Redis. What arrives while a round trip is under way shares the next one."""

    def __init__(self, client: Redis, *, deadline_s: float = DEADLINE_S) -> None:
        self._redis: Any = client
        self._deadline_s = deadline_s
        self._local = LocalLimits()
        self._waiting: list[_Asked] = []
        #: those whose round trip is under way
        self._asked: list[_Asked] = []
        self._asking: asyncio.Task[None] | None = None
        self._sha: str | None = None
        self._pause_s = _FIRST_PAUSE_S
        self._away_until = 0.0

    @property
    def is_local(self) -> bool:
        """True while this process decides for itself."""
        return self._away_until > 0

    async def take(self, who: str, limit: Limit) -> Verdict:
        """Count one request of `who`. Never raises, and never waits much longer than the deadline."""
        loop = asyncio.get_running_loop()
        if self._away_until > loop.time():
            return self._local.take(who, limit)
        future: asyncio.Future[Verdict] = loop.create_future()
        self._waiting.append((who, limit, future))
        if self._asking is None:
            self._asking = loop.create_task(self._ask_all())
        return await future

    async def _ask_all(self) -> None:
        """Round trips until nobody waits; whom one that fails leaves over is decided here."""
        try:
            while self._waiting:
                self._asked, self._waiting = self._waiting[:_AT_ONCE], self._waiting[_AT_ONCE:]
                async with asyncio.timeout(self._deadline_s):
                    found = await self._ask(self._asked)
                self._come_back()
                for (_, limit, future), wait, ahead in zip(
                    self._asked, found[::2], found[1::2], strict=True
                ):
                    if not future.done():
                        future.set_result(verdict(limit, wait, ahead))
        except REDIS_AWAY as error:
            self._leave_alone(error)
        finally:
            self._asking = None
            self._decide_all()

    def _decide_all(self) -> None:
        for who, limit, future in (*self._asked, *self._waiting):
            if not future.done():
                future.set_result(self._local.take(who, limit))
        self._asked, self._waiting = [], []

    async def _ask(self, asked: Sequence[_Asked]) -> list[int]:
        keys = [_KEY + who for who, _, _ in asked]
        spans = [each for _, limit, _ in asked for each in (limit.interval_us, limit.span_us)]
        if self._sha is not None:
            with suppress(NoScriptError):  # Redis was wiped or restarted
                found: list[int] = await self._redis.evalsha(self._sha, len(keys), *keys, *spans)
                return found
        self._sha = await self._redis.script_load(_SCRIPT)
        again: list[int] = await self._redis.evalsha(self._sha, len(keys), *keys, *spans)
        return again

    def _leave_alone(self, error: BaseException) -> None:
        if not self.is_local:
            log.warning("rate limits are local", error=type(error).__name__)
        self._away_until = asyncio.get_running_loop().time() + self._pause_s
        self._pause_s = min(self._pause_s * 2, _LONGEST_PAUSE_S)

    def _come_back(self) -> None:
        if self.is_local:
            log.info("rate limits are shared again")
        self._away_until, self._pause_s = 0.0, _FIRST_PAUSE_S

    async def close(self) -> None:
        """Close the connections; who still waits is decided here."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait({self._asking})
            self._decide_all()  # a task that never began decides nothing
        with suppress(*REDIS_AWAY):
            await self._redis.aclose(close_connection_pool=True)


@asynccontextmanager
async def open_limits(config: Config, *, deadline_s: float = DEADLINE_S) -> AsyncIterator[Limits]:
    """Limits over HUNTER_REDIS_URL. Connects when first used, so a late Redis is no error."""
    pool: Any = BlockingConnectionPool.from_url(
        str(config.redis_url),
        max_connections=2,
        timeout=deadline_s,
        socket_timeout=deadline_s,
        socket_connect_timeout=deadline_s,
        socket_keepalive=True,
    )
    limits = Limits(Redis(connection_pool=pool), deadline_s=deadline_s)
    try:
        yield limits
    finally:
        await limits.close()
