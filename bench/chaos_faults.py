"""The faults, drawn from a seeded bag, at so many a second."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

import asyncpg
import redis.asyncio
from chaos_cluster import Cluster, Member, Server

#: beyond its lease a frozen worker has surely lost it
FROZEN_BEYOND_LEASE_S: Final = 9.0
NAME_SERVER_SILENT_S: Final = 10.0
#: a process has surely begun to work so long after its start
_STARTED_S: Final = 4.0
_REDIS_FROZEN_S = (1.0, 6.0)
_REDIS_AWAY_S = (0.2, 4.0)

#: so long a process is led to the point at which it is to die; it stays armed afterwards
_PROVOKED_S: Final = 20.0
_PROVOKE_EVERY_S: Final = 0.5
#: passed again and again; the others are rare
_MOST_PASSES: Final = {
    "claim.taken": 4, "claim.committed": 4, "claim.surveyed": 4, "commit.fenced": 4,
    "commit.written": 4, "commit.counted": 4, "commit.committed": 4,
    "dispatch.picked": 2, "dispatch.marked": 2, "dispatch.hinted": 2,
}  # fmt: skip
_HOLDS: Final = "SELECT count(*) FROM scan_chunk WHERE worker_id = $1 AND state = 'leased'"
#: as if three workers had died over it
_THREE_LOSSES: Final = """
    UPDATE scan_chunk SET losses = 3 WHERE id = (
        SELECT id FROM scan_chunk WHERE lane = 'bulk' AND state = 'ready' AND size > 1
        ORDER BY id DESC LIMIT 1 FOR UPDATE SKIP LOCKED
    )
"""

Act = Callable[["Storm"], Awaitable[bool]]


async def worker_kill(storm: Storm) -> bool:
    """SIGKILL of a worker."""
    member = storm.pick(storm.cluster.workers)
    return member is not None and member.signal(signal.SIGKILL) is not None


async def worker_term(storm: Storm) -> bool:
    """SIGTERM of a worker, which drains."""
    member = storm.pick(storm.cluster.workers)
    return member is not None and member.signal(signal.SIGTERM) is not None


async def worker_freeze(storm: Storm) -> bool:
    """SIGSTOP of a worker until its leases are somebody else's."""
    awake = sum(not worker.frozen for worker in storm.cluster.workers)
    member = storm.pick(storm.cluster.workers)
    if member is None or awake * 2 <= len(storm.cluster.workers):
        return False
    pid = member.signal(signal.SIGSTOP)
    await asyncio.sleep(storm.cluster.shape.lease_s + FROZEN_BEYOND_LEASE_S)
    if pid is not None and member.pid == pid:
        member.signal(signal.SIGCONT)
    return pid is not None


async def api_kill(storm: Storm) -> bool:
    """SIGKILL of an API process while lists are being sent."""
    member = storm.pick(storm.cluster.apis)
    if member is None:
        return False
    sending = asyncio.Event()
    storm.send_now(sending)
    await sending.wait()
    await asyncio.sleep(storm.draw.uniform(0, 0.2))
    return member.signal(signal.SIGKILL) is not None


async def redis_flush(storm: Storm) -> bool:
    """FLUSHALL."""
    if not storm.cluster.valkey.is_up:
        return False
    async with direct_redis(storm.cluster.valkey) as client:
        await client.flushall()
    return True


async def redis_kill(storm: Storm) -> bool:
    """SIGKILL of Redis, which kept nothing; started again a little later."""
    server = storm.cluster.valkey
    if storm.busy(server.name):
        return False
    with storm.using(server.name):
        await server.crash()
        await asyncio.sleep(storm.draw.uniform(*_REDIS_AWAY_S))
        await server.start()
    return True


async def redis_freeze(storm: Storm) -> bool:
    """SIGSTOP of Redis: connections stay open and say nothing."""
    server = storm.cluster.valkey
    if storm.busy(server.name):
        return False
    with storm.using(server.name):
        pid = server.pid
        _send(pid, signal.SIGSTOP)
        try:
            await asyncio.sleep(storm.draw.uniform(*_REDIS_FROZEN_S))
        finally:
            _send(pid, signal.SIGCONT)
    return True


async def postgres_crash(storm: Storm) -> bool:
    """PostgreSQL ends without a checkpoint: SIGKILL of all its processes, or immediate shutdown."""
    server = storm.cluster.postgres
    if storm.busy(server.name):
        return False
    with storm.using(server.name), storm.cluster.outage(server.name):
        await server.crash(storm.draw.choice([signal.SIGKILL, signal.SIGQUIT]))
        await server.start()
    return True


async def postgres_black_hole(storm: Storm) -> bool:
    """One or more connections to PostgreSQL swallow everything from now on."""
    return _swallow(storm, storm.cluster.postgres)


async def redis_black_hole(storm: Storm) -> bool:
    """The same on the way to Redis."""
    return _swallow(storm, storm.cluster.valkey)


def _swallow(storm: Storm, server: Server) -> bool:
    links = sorted(
        (link for link in server.proxy.links if not link.swallowed), key=lambda link: link.number
    )
    if not links:
        return False
    for link in storm.draw.sample(links, min(len(links), storm.draw.choice([1, 1, 2, 5]))):
        link.swallowed = True
    return True


async def dns_silence(storm: Storm) -> bool:
    """The only name server says nothing for ten seconds."""
    if storm.busy("dns"):
        return False
    with storm.using("dns"), storm.cluster.outage("name server"):
        storm.cluster.freeze_name_server()
        try:
            await asyncio.sleep(NAME_SERVER_SILENT_S)
        finally:
            storm.cluster.thaw_name_server()
    return True


async def crash_point(storm: Storm) -> bool:
    """A process kills itself at a named place in the code."""
    point = storm.next_point()
    if point is None:
        return False
    is_accept = point.startswith("accept")
    member = storm.pick(storm.cluster.apis if is_accept else storm.cluster.workers)
    if member is None:
        return False
    with storm.using(member.name):  # any other end would come before the one it is led to
        return await _crash_at(storm, member, point)


async def _crash_at(storm: Storm, member: Member, point: str) -> bool:
    storm.armed.add(point)
    member.extra = {"HUNTER_CRASH": f"{point}:{storm.draw.randint(1, _MOST_PASSES.get(point, 1))}"}
    if point.startswith("drain"):
        # work that fits into the grace leaves nothing to hand back
        member.extra["HUNTER_DRAIN_GRACE_S"] = "0"
    if (pid := member.signal(signal.SIGKILL)) is None:
        return False
    await member.gone(pid, _STARTED_S)
    hits = len(member.crashed)
    deadline = time.monotonic() + _PROVOKED_S
    while len(member.crashed) == hits and time.monotonic() < deadline:
        await asyncio.sleep(_PROVOKE_EVERY_S)
        with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            await _provoke(storm, member, point)
    return True


async def _provoke(storm: Storm, member: Member, point: str) -> None:
    """The way to some points is a fault, or a request, of its own."""
    if point.startswith("accept"):
        storm.send_now(asyncio.Event())
    elif member.worker_id() is None:
        return  # it has not begun to work yet
    elif point.startswith("drain"):
        async with storm.cluster.connection() as conn:
            if await conn.fetchval(_HOLDS, UUID(member.worker_id())):
                member.signal(signal.SIGTERM)
    elif point.startswith("delivery") and storm.tell is not None:
        await storm.tell(point == "delivery.gathered")
    elif point == "dispatch.wiped":
        await redis_flush(storm)
    elif point == "dispatch.finishing":
        storm.send_now(asyncio.Event())
    elif point == "dispatch.condemned":
        async with storm.cluster.connection() as conn:
            await conn.execute(_THREE_LOSSES)


#: how often each is in the bag
FAULTS: Final[dict[str, tuple[Act, int]]] = {
    "worker-kill": (worker_kill, 5),
    "worker-term": (worker_term, 3),
    "worker-freeze": (worker_freeze, 2),
    "api-kill": (api_kill, 2),
    "redis-flush": (redis_flush, 2),
    "redis-kill": (redis_kill, 1),
    "redis-freeze": (redis_freeze, 1),
    "postgres-crash": (postgres_crash, 1),
    "postgres-black-hole": (postgres_black_hole, 2),
    "redis-black-hole": (redis_black_hole, 1),
    "dns-silence": (dns_silence, 1),
    "crash-point": (crash_point, 3),
}
#: faults in one: a process is killed to be armed, and then kills itself
_COUNTS_FOR: Final = {"crash-point": 2}


@dataclass(slots=True)
class Storm:
    """Draws a fault every `1 / rate` seconds and lets each run its course beside the others."""

    cluster: Cluster
    draw: random.Random
    kinds: tuple[str, ...]
    rate: float
    #: asks the callers to send a list now, and is told when they do
    send_now: Callable[[asyncio.Event], None]
    points: list[str] = field(default_factory=list)
    #: has a change told of now, and with True a digest made
    tell: Callable[[bool], Awaitable[None]] | None = None
    #: points a process was armed with
    armed: set[str] = field(default_factory=set)
    done: Counter[str] = field(default_factory=Counter)
    log: list[tuple[float, str]] = field(default_factory=list)
    _busy: set[str] = field(default_factory=set)
    _bag: list[str] = field(default_factory=list)
    _running: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def happened(self) -> int:
        """Faults so far; a crash point is two."""
        return sum(count * _COUNTS_FOR.get(kind, 1) for kind, count in self.done.items())

    def busy(self, what: str) -> bool:
        """True while another fault has hold of it."""
        return what in self._busy

    def pick(self, members: Sequence[Member]) -> Member | None:
        """A member that may be broken now; None when there is none to spare."""
        return self.cluster.pick(self.draw, members, busy=self._busy)

    @contextlib.contextmanager
    def using(self, what: str) -> Iterator[None]:
        """Keep other faults away from it while inside."""
        self._busy.add(what)
        try:
            yield
        finally:
            self._busy.discard(what)

    def hit(self) -> set[str]:
        """Points at which a process has killed itself."""
        members = [*self.cluster.workers, *self.cluster.apis]
        return {
            extra["HUNTER_CRASH"].split(":")[0] for member in members for extra in member.crashed
        }

    def next_point(self) -> str | None:
        """The one that waits for the longest, those first that were not hit yet."""
        if not self.points:
            return None
        hit = self.hit()
        point = min(self.points, key=lambda each: each in hit)
        self.points.remove(point)
        self.points.append(point)
        return point

    async def rage(self, until: Callable[[], bool]) -> None:
        """Fault after fault until `until`; those that last go on after it."""
        while not until():
            kind = self._next()
            self._start(kind)
            await asyncio.sleep(_COUNTS_FOR.get(kind, 1) / self.rate)

    def _next(self) -> str:
        if not self._bag:
            self._bag = [kind for kind in self.kinds for _ in range(FAULTS[kind][1])]
            self.draw.shuffle(self._bag)
        return self._bag.pop()

    def _start(self, kind: str) -> None:
        task = asyncio.create_task(self._run(kind))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _run(self, kind: str) -> None:
        at = time.time()
        # Redis frozen by one fault cannot be flushed by the next
        with contextlib.suppress(redis.exceptions.RedisError):
            if await FAULTS[kind][0](self):
                self.done[kind] += 1
                self.log.append((at, kind))

    async def stop(self) -> None:
        """End every fault where it is; the cluster is about to be taken down."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def settle(self) -> None:
        """Wait until every fault has run its course and nothing is frozen or away."""
        while self._running:
            for task in (await asyncio.wait(self._running))[0]:
                task.result()
        for member in [*self.cluster.workers, *self.cluster.apis]:
            if member.frozen:
                member.signal(signal.SIGCONT)


@contextlib.asynccontextmanager
async def direct_redis(server: Server) -> AsyncIterator[redis.asyncio.Redis]:
    """A client past the proxy, which gives up at once."""
    client = redis.asyncio.Redis.from_url(server.url, socket_timeout=2, socket_connect_timeout=2)
    try:
        yield client
    finally:
        await client.aclose()


def _send(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
