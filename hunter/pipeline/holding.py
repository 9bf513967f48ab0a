"""The chunks this process holds: taken, worked on to the end, handed back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import TypeAlias
from uuid import UUID

import msgspec
import structlog

from hunter.core.errors import Unavailable
from hunter.core.points import Point
from hunter.ops.crash import pass_point
from hunter.store import leases
from hunter.store.chunks import Claim
from hunter.store.database import Connection, Database

log = structlog.get_logger()

_HAND_BACK_DEADLINE_S = 1.5


Claiming: TypeAlias = "Callable[[], Awaitable[Claim | None]]"
Working: TypeAlias = "Callable[..., Awaitable[None]]"


class Held(msgspec.Struct, frozen=True):
    """A chunk this process works on."""

    epoch: int
    work: asyncio.Task[None]
    lane: str
    alone: bool = False


class Holding:
    """What this process has claimed, and what it is about to claim.

    arq cancels its tasks when Redis blips, so a claim and the work on it are tasks of their own:
    they end with themselves, by the heartbeat or by the drain only.
    """

    def __init__(self, db: Database, worker_id: UUID) -> None:
        #: by chunk id
        self.held: dict[int, Held] = {}
        self._db = db
        self._worker_id = worker_id
        self._under_way: set[asyncio.Task[bool]] = set()
        self._is_closed = False
        #: chunks here that must run alone: one does, the others wait
        self._suspects = 0
        self._turn = asyncio.Lock()

    @property
    def takes(self) -> bool:
        """False while draining, and while a suspect has the process to itself."""
        return not self._is_closed and not self._suspects

    async def take(self, claim: Claiming, work: Working) -> bool:
        """Claim and work to the end; False when nothing was to be had.

        Returns when another chunk may be taken instead, which can be before this one is through:
        `work` gets the event that says so.
        """
        if not self.takes:
            return False
        slot_is_free = asyncio.Event()
        task = asyncio.create_task(self._take(claim, partial(work, slot_is_free=slot_is_free)))
        self._under_way.add(task)

        def ended(_: object) -> None:
            self._under_way.discard(task)
            slot_is_free.set()

        task.add_done_callback(ended)
        await slot_is_free.wait()
        return task.result() if task.done() else True

    async def _take(self, claim: Claiming, work: Callable[[Claim], Awaitable[None]]) -> bool:
        claimed = await claim()
        if claimed is None:
            return False
        if self._is_closed or (self._suspects and not claimed.alone):
            await self.hand_back({claimed.chunk_id: claimed.epoch})
            return False
        task = asyncio.ensure_future(self._work(claimed, work))
        held = self.held[claimed.chunk_id] = Held(claimed.epoch, task, claimed.lane, claimed.alone)

        def let_go(_: object) -> None:
            # a later claim of the same chunk by this process is another entry
            if self.held.get(claimed.chunk_id) is held:
                del self.held[claimed.chunk_id]

        task.add_done_callback(let_go)
        await asyncio.wait({task})
        return True

    async def _work(self, claim: Claim, work: Callable[[Claim], Awaitable[None]]) -> None:
        if not claim.alone:
            await work(claim)
            return
        async with self._alone():
            await work(claim)

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        """Nothing else is worked on while inside: a death of the process would be this chunk's."""
        self._suspects += 1
        try:
            async with self._turn:
                if others := [each.work for each in self.held.values() if not each.alone]:
                    await asyncio.wait(others)
                yield
        finally:
            self._suspects -= 1

    async def settle(self, grace_s: float) -> None:
        """Wait until nothing is under way any more, claims included; at most so long."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + grace_s
        while self._under_way and (left_s := deadline - loop.time()) > 0:
            await asyncio.wait(self._under_way, timeout=left_s)

    def close(self) -> None:
        """Take nothing more; a claim that still comes through is handed back at once."""
        self._is_closed = True

    async def hand_back(self, epochs: Mapping[int, int]) -> list[int]:
        """Make chunks ready again without a loss; the ids of those that are.

        What is being committed just now is left to its commit. Without PostgreSQL the leases run
        out.
        """
        if not epochs:
            return []

        async def work(conn: Connection) -> list[int]:
            handed = await leases.give_back(conn, epochs)
            pass_point(Point.DRAIN_RETURNING)
            return handed

        try:
            handed = await self._db.transact(
                work, deadline_s=_HAND_BACK_DEADLINE_S, try_s=_HAND_BACK_DEADLINE_S, reserved=True
            )
        except Unavailable:
            log.warning("leases left to run out", chunks=len(epochs))
            return []
        pass_point(Point.DRAIN_RETURNED)
        log.info("leases handed back", chunks=len(handed))
        return handed
