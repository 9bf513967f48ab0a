"""Backups: when the last one ended that was restored and found whole."""

from __future__ import annotations

from typing import Final, LiteralString

from hunter.store.database import Connection

_LAST_SUCCESS: Final[LiteralString] = """
    SELECT coalesce(extract(epoch FROM max(finished_at)), 0)::float8 FROM backup_run WHERE verified
"""


async def last_success(conn: Connection) -> float:
    """Unix time of the last verified backup, 0.0 when there was none; backup.sh writes the rows."""
    return float(await conn.fetchval(_LAST_SUCCESS))
