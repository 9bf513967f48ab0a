"""The heartbeat: leases extended, work on lost ones stopped, the process counted as alive."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from hunter.config import Config
from hunter.core.errors import Unavailable
from hunter.core.points import Point
from hunter.ops.crash import pass_point
from hunter.pipeline.scan import CLAIM_DEADLINE_S, Scanner
from hunter.store import chunks
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
        held = dict(self._scanner.holding.held)

        async def work(conn: Connection) -> list[int]:
            await chunks.register(
                conn,
                self._scanner.worker_id,
                slots=self._config.worker_slots,
                interactive_slots=self._config.interactive_slots,
                rules_version=self._scanner.knowledge.version,
            )
            unknown = await chunks.return_unknown(
                conn, self._scanner.worker_id, list(held), older_s=2 * CLAIM_DEADLINE_S
            )
            if unknown:
                log.warning("leases returned whose claim was never answered", chunks=len(unknown))
            epochs = {chunk_id: each.epoch for chunk_id, each in held.items()}
            return await chunks.extend(conn, epochs, self._config.lease_s) if epochs else []

        beat_s = self._config.heartbeat_s
        lost = await self._db.transact(work, deadline_s=beat_s, try_s=beat_s, reserved=True)
        for chunk_id in lost:
            log.warning("lease lost", chunk=chunk_id)
            held[chunk_id].work.cancel()

    async def drain(self, grace_s: float) -> None:
        """Let work under way finish within `grace_s`, then hand the other leases back."""
        pass_point(Point.DRAIN_STARTED)
        holding = self._scanner.holding
        await holding.settle(grace_s)
        holding.close()
        if left := dict(holding.held):
            # first the lease, then the work: what commits in between is done, what does not is fenced
            await holding.hand_back({chunk_id: each.epoch for chunk_id, each in left.items()})
            for each in left.values():
                each.work.cancel()
        # claims whose answer is still to come hand themselves back
        await holding.settle(_LAST_CLAIMS_S)

    async def leave(self) -> None:
        """Take the process out of the fleet's count."""

        async def work(conn: Connection) -> None:
            await chunks.leave(conn, self._scanner.worker_id)

        try:
            await self._db.transact(work, deadline_s=2, reserved=True)
        except Unavailable:
            log.warning("worker not signed off; it is forgotten in an hour")
