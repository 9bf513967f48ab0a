"""Results of a job as they come: chunk after chunk, each row once, whatever order they end in."""

from __future__ import annotations

from collections import deque
from typing import Any, Final, LiteralString
from uuid import UUID

from hunter.core.errors import NotFound
from hunter.store import jobs
from hunter.store.database import Connection
from hunter.store.results import Result, result_from_row

#: chunks watched at once: they end about in the order of their ids, and one that stands holds up no other
_WATCHED: Final = 256
#: chunks whose rows are read at once
_AT_ONCE: Final = 5

_ALL: Final[LiteralString] = """
    SELECT id FROM scan_chunk WHERE job_id = $1 AND parent_id IS NULL ORDER BY id
"""
_ENDED: Final[LiteralString] = """
    SELECT id, state, domains FROM scan_chunk
    WHERE id = ANY($1::bigint[]) AND state NOT IN ('ready', 'leased') ORDER BY id LIMIT $2
"""
_PARTS: Final[LiteralString] = "SELECT id FROM scan_chunk WHERE parent_id = ANY($1::bigint[])"
_ROWS: Final[LiteralString] = """
    SELECT r.domain, l.company_name, r.outcome, r.reason, r.scanned_at, r.judgement
    FROM (
        SELECT domain, outcome, reason, scanned_at, judgement FROM scan_result
        WHERE job_id = $1 AND domain = ANY($2::text[])
        UNION ALL
        SELECT domains[1] COLLATE "C", 'failed', reason, done_at, NULL FROM scan_chunk
        WHERE id = ANY($3::bigint[])
    ) r LEFT JOIN lead l USING (domain)
    ORDER BY r.domain
"""


class Follower:
    """Knows which chunks of a job are still to end; each of its ends is told once."""

    def __init__(self, job_id: UUID) -> None:
        self._job_id = job_id
        self._left: deque[int] = deque()

    async def open(self, conn: Connection) -> None:
        """Note the chunks of the job. Raises NotFound."""
        if await jobs.status(conn, self._job_id) in {None, "receiving"}:
            raise NotFound(f"no scan job {self._job_id}")
        self._left.extend(row["id"] for row in await conn.fetch(_ALL, self._job_id))

    @property
    def is_over(self) -> bool:
        """True when every chunk has ended and was told."""
        return not self._left

    async def next_rows(self, conn: Connection) -> list[Result]:
        """Rows of chunks that ended since; none when none did."""
        watched = [self._left[place] for place in range(min(_WATCHED, len(self._left)))]
        ended = await conn.fetch(_ENDED, watched, _AT_ONCE)
        if not ended:
            return []
        rows = await conn.fetch(
            _ROWS,
            self._job_id,
            [name for row in ended if row["state"] == "done" for name in row["domains"]],
            _in_state(ended, "dead"),
        )
        parts = await conn.fetch(_PARTS, _in_state(ended, "split"))
        gone = {row["id"] for row in ended}
        rest = [chunk for chunk in self._left if chunk not in gone]
        self._left = deque([*(row["id"] for row in parts), *rest])
        return [result_from_row(row) for row in rows]


def _in_state(rows: list[Any], state: str) -> list[int]:
    return [row["id"] for row in rows if row["state"] == state]
