"""The heartbeat: leases extended, work on lost ones stopped, the process counted as alive."""

from __future__ import annotations

import asyncio

import structlog

from hunter.config import Config
from hunter.core.errors import Unavailable
from hunter.pipeline.scan import Scanner
from hunter.store import chunks
from hunter.store.database import Connection, Database

log = structlog.get_logger()


class Heartbeat:
    """One beat a process, however many chunks it holds."""

    def __init__(self, db: Database, scanner: Scanner, config: Config) -> None:
        self._db = db
        self._scanner = scanner
        self._config = config

    async def run(self) -> None:
        """Beat for ever. Without PostgreSQL work goes on: the fence decides at the commit."""
        while True:
            try:
                await self.beat()
            except Unavailable as error:
                log.warning("heartbeat missed", reason=str(error))
            except Exception:  # a process without a heartbeat would lose all it holds
                log.exception("heartbeat failed")
            await asyncio.sleep(self._config.heartbeat_s)

    async def beat(self) -> None:
        """Extend every lease held and cancel work on those that are somebody else's now."""
        held = dict(self._scanner.held)

        async def work(conn: Connection) -> list[int]:
            await chunks.register(
                conn,
                self._scanner.worker_id,
                slots=self._config.worker_slots,
                interactive_slots=self._config.interactive_slots,
            )
            epochs = {chunk_id: each.epoch for chunk_id, each in held.items()}
            return await chunks.extend(conn, epochs, self._config.lease_s) if epochs else []

        deadline_s = self._config.heartbeat_s
        for chunk_id in await self._db.transact(work, deadline_s=deadline_s, reserved=True):
            log.warning("lease lost", chunk=chunk_id)
            held[chunk_id].work.cancel()

    async def drain(self, grace_s: float) -> None:
        """Let work under way finish within `grace_s`, then hand the other leases back."""
        if works := [each.work for each in self._scanner.held.values()]:
            await asyncio.wait(works, timeout=grace_s)
        left = dict(self._scanner.held)
        if left:
            # first the lease, then the work: what commits in between is done, what does not is fenced
            epochs = {chunk_id: each.epoch for chunk_id, each in left.items()}
            await self._hand_back(epochs)
            for each in left.values():
                each.work.cancel()
            await asyncio.wait([each.work for each in left.values()], timeout=5)

    async def _hand_back(self, epochs: dict[int, int]) -> None:
        async def work(conn: Connection) -> int:
            return await chunks.give_back(conn, epochs)

        try:
            handed = await self._db.transact(work, deadline_s=5, reserved=True)
            log.info("leases handed back", chunks=handed)
        except Unavailable:
            log.warning("leases left to run out", chunks=len(epochs))

    async def leave(self) -> None:
        """Take the process out of the fleet's count."""

        async def work(conn: Connection) -> None:
            await chunks.leave(conn, self._scanner.worker_id)

        try:
            await self._db.transact(work, deadline_s=2, reserved=True)
        except Unavailable:
            log.warning("worker not signed off; it is forgotten in an hour")
