"""The heartbeat: leases extended, work on lost ones stopped, the process counted as alive."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from hunter.config import Config
from hunter.core.errors import Unavailable
from hunter.core.points import Point
from hunter.ops.crash import pass_point
from hunter.pipeline.scan import CLAIM_DEADLINE_S, Scanner
from hunter.store import leases, processes
from hunter.store.database import Connection, Database

log = structlog.get_logger()

#: how long a drain waits for what was cancelled and for claims under way
_LAST_CLAIMS_S: Final = 1.5


class Heartbeat:
    """One beat a process, however many chunks it holds."""

    def __init__(self, db: Database, scanner: Scanner, config: Config) -> None:
        self._db = db
        self._scanner = scanner
        self._config = config

    async def run(self) -> None:
        """Beat for ever. Without PostgreSQL work goes on: the fence decides at the commit."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._repeat(self.beat, self._config.beat_of("bulk")))
            group.create_task(
                self._repeat(self.beat_interactive, self._config.beat_of("interactive"))
            )

    async def _repeat(self, beat: Callable[[], Awaitable[None]], every_s: float) -> None:
        while True:
            try:
                await beat()
            except Unavailable as error:
                log.warning("heartbeat missed", reason=str(error))
            except Exception:  # a process without a heartbeat would lose all it holds
                log.exception("heartbeat failed")
            await asyncio.sleep(every_s)

    async def beat(self) -> None:
        """Extend bulk leases, cancel work on those that are somebody else's now, and register.

        Leases come first and by themselves: a row of the fleet that cannot be written must not
        cost any.
        """
        await self._extend("bulk")
        await self._register()

    async def beat_interactive(self) -> None:
        """Extend the shorter leases of the chunks somebody waits for."""
        await self._extend("interactive")

    async def _extend(self, lane: str) -> None:
        held = {
            chunk_id: each
            for chunk_id, each in self._scanner.holding.held.items()
            if each.lane == lane
        }
        if not held:
            return
        epochs = {chunk_id: each.epoch for chunk_id, each in held.items()}

        async def work(conn: Connection) -> list[int]:
            return await leases.extend(conn, epochs, self._config.lease_of(lane))

        for chunk_id in await self._transact(work, self._config.beat_of(lane)):
            log.warning("lease lost", chunk=chunk_id)
            held[chunk_id].work.cancel()

    async def _register(self) -> None:
        """Be counted as alive, and return leases that this process has without knowing of them."""

        async def work(conn: Connection) -> list[int]:
            await processes.register(
                conn,
                self._scanner.worker_id,
                slots=self._scanner.pace.limit,
                interactive_slots=self._config.interactive_slots,
                rules_version=self._scanner.knowledge.version,
            )
            # what it holds by now: a slow beat may have begun before some of it was claimed
            held = [*self._scanner.holding.held]
            return await leases.return_unknown(
                conn, self._scanner.worker_id, held, older_s=2 * CLAIM_DEADLINE_S
            )

        if unknown := await self._transact(work, self._config.heartbeat_s):
            log.warning("leases returned whose claim was never answered", chunks=len(unknown))

    async def _transact(
        self, work: Callable[[Connection], Awaitable[list[int]]], beat_s: float
    ) -> list[int]:
        # a connection that swallows everything takes one try; the next has another connection
        return await self._db.transact(work, deadline_s=2 * beat_s, try_s=beat_s, reserved=True)

    async def drain(self, grace_s: float) -> None:
        """Let work under way finish within `grace_s`, then hand the other leases back."""
        pass_point(Point.DRAIN_STARTED)
        holding = self._scanner.holding
        await holding.settle(grace_s)
        holding.close()
        await self._hand_back()
        # claims whose answer is still to come hand themselves back, commits under way end
        await holding.settle(_LAST_CLAIMS_S)
        await self._hand_back()
        for each in holding.held.values():
            each.work.cancel()
        await holding.settle(_LAST_CLAIMS_S)

    async def _hand_back(self) -> None:
        """First the lease, then the work: what commits in between is done, what does not is fenced."""
        left = dict(self._scanner.holding.held)
        epochs = {chunk_id: each.epoch for chunk_id, each in left.items()}
        for chunk_id in await self._scanner.holding.hand_back(epochs):
            left[chunk_id].work.cancel()

    async def leave(self) -> None:
        """Take the process out of the fleet's count."""

        async def work(conn: Connection) -> None:
            await processes.leave(conn, self._scanner.worker_id)

        try:
            await self._db.transact(work, deadline_s=2, reserved=True)
        except Unavailable:
            log.warning("worker not signed off; it is forgotten in an hour")
