"""The worker processes that live, how much each takes at once, and by which rules it judges."""

from __future__ import annotations

from typing import Final, LiteralString
from uuid import UUID

from hunter.store.database import Connection

_BEAT: Final[LiteralString] = """
    INSERT INTO worker_process (id, slots, interactive_slots, rules_version)
    VALUES ($1, $2, $3, $4)
    ON CONFLICT (id) DO UPDATE SET seen_at = now(), slots = EXCLUDED.slots,
        interactive_slots = EXCLUDED.interactive_slots, rules_version = EXCLUDED.rules_version
"""


async def register(
    conn: Connection,
    worker_id: UUID,
    *,
    slots: int,
    interactive_slots: int,
    rules_version: str | None = None,
) -> None:
    """Say that a worker process lives, how much it takes at once, and by which rules it judges."""
    await conn.execute(_BEAT, worker_id, slots, interactive_slots, rules_version)


_LEAVE: Final[LiteralString] = "DELETE FROM worker_process WHERE id = $1"
_SWEEP_WORKERS: Final[LiteralString] = (
    "DELETE FROM worker_process WHERE seen_at < now() - interval '1 hour'"
)


async def leave(conn: Connection, worker_id: UUID) -> None:
    """Forget a worker process that stops."""
    await conn.execute(_LEAVE, worker_id)


async def sweep_workers(conn: Connection) -> None:
    """Forget worker processes not seen for an hour."""
    await conn.execute(_SWEEP_WORKERS)
