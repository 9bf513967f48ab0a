"""The audit log: who changed what and when, written by the transaction that changes it."""

from __future__ import annotations

from contextvars import ContextVar
from datetime import datetime
from typing import Final, LiteralString
from uuid import UUID

import msgspec

from hunter.store.database import Connection
from hunter.store.identifiers import uuid7
from hunter.store.pages import Page, read_cursor, write_cursor


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One write."""

    id: str
    at: datetime
    #: id of a key, admin, anonymous, cli, or system
    actor: str
    #: what was done, such as key.created
    action: str
    #: id of what it was done to
    target: str
    #: of the request, as in X-Request-ID and the log; empty where there was none
    request_id: str


class Actor:
    """Who acts in this request or command; its writes are told apart by it."""

    def __init__(self, name: str, request_id: str = "") -> None:
        self.name = name
        self.request_id = request_id
        #: an entry stands in a transaction, or there was nothing to write
        self.is_settled = False


#: set around a request; ambient, because a write must not go unsaid for want of a parameter
ACTOR: ContextVar[Actor | None] = ContextVar("actor", default=None)

_ACTION_CHARS: Final = 60
_TARGET_CHARS: Final = 300
_ADD: Final[LiteralString] = """
    INSERT INTO audit_log (id, actor, action, target, request_id) VALUES ($1, $2, $3, $4, $5)
"""


async def record(conn: Connection, action: str, target: object = "") -> None:
    """Write who does this, in the transaction of `conn`; `target` is an id, never a body."""
    actor = ACTOR.get()
    await conn.execute(
        _ADD,
        uuid7(),
        actor.name if actor else "system",
        action[:_ACTION_CHARS],
        str(target).replace("\0", "")[:_TARGET_CHARS],
        actor.request_id if actor else "",
    )
    if actor is not None:
        actor.is_settled = True


def nothing_written() -> None:
    """Say that this request changes nothing after all, such as the replay of an earlier one."""
    actor = ACTOR.get()
    if actor is not None:
        actor.is_settled = True


_LIST: Final[LiteralString] = """
    SELECT id, at, actor, action, target, request_id FROM audit_log
    WHERE ($1::uuid IS NULL OR id < $1)
      AND ($2::text IS NULL OR actor = $2)
      AND ($3::text IS NULL OR action = $3)
      AND ($4::text IS NULL OR target = $4)
    ORDER BY id DESC LIMIT $5
"""


async def list_entries(
    conn: Connection,
    *,
    actor: str | None = None,
    action: str | None = None,
    target: str | None = None,
    after: str | None = None,
    limit: int = 100,
) -> Page[Entry]:
    """Writes, newest first."""
    (key,) = read_cursor("audit", after, UUID)
    rows = await conn.fetch(_LIST, key, actor, action, target, limit + 1)
    items = [Entry(**{**row, "id": str(row["id"])}) for row in rows[:limit]]
    more = len(rows) > limit
    return Page(items, write_cursor("audit", items[-1].id) if more else None)


_SWEEP: Final[LiteralString] = """
    DELETE FROM audit_log WHERE id IN (
        SELECT id FROM audit_log WHERE at < now() - make_interval(days => $1)
        ORDER BY id LIMIT 5000 FOR UPDATE SKIP LOCKED
    )
"""


async def sweep(conn: Connection, kept_days: int) -> None:
    """Forget entries older than so many days, some thousands at a time."""
    await conn.execute(_SWEEP, kept_days)
