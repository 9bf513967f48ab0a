"""Alerts raised by a commit, and told of once it is one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from hunter.ops.metrics import Metrics
from hunter.queue.hints import DELIVERIES, Hints
from hunter.store import deliveries
from hunter.store.database import Connection
from hunter.store.deliveries import Raised

_NOTHING: Final = Raised()


class Alarm:
    """Stands between a transaction, which may be run again or come to nothing, and what is told."""

    def __init__(self, hints: Hints, metrics: Metrics) -> None:
        self._hints = hints
        self._metrics = metrics
        #: by chunk: what its transaction, as far as it came last, has raised
        self._raised: dict[int, Raised] = {}

    async def write(self, conn: Connection, chunk_id: int, changes: Sequence[UUID]) -> None:
        """Make alerts and messages of changes, in the transaction that wrote them."""
        self._raised.pop(chunk_id, None)
        if changes:
            self._raised[chunk_id] = await deliveries.raise_alerts(conn, changes)

    async def tell(self, chunk_id: int) -> None:
        """After the COMMIT: count them, and wake those who deliver."""
        raised = self._raised.pop(chunk_id, _NOTHING)
        self._metrics.alerts_triggered_total.add({}, raised.alerts)
        if raised.deliveries:
            await self._hints.announce(DELIVERIES)

    def forget(self, chunk_id: int) -> None:
        """The transaction came to nothing."""
        self._raised.pop(chunk_id, None)
