"""Digests made when they are due, by whichever worker is first; a day that was missed is made up for."""

from __future__ import annotations

import asyncio
import datetime as dt
import random
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import structlog

from hunter.core.digest_time import digest_day, next_digest
from hunter.core.errors import Unavailable
from hunter.core.points import Point
from hunter.ops.crash import pass_point
from hunter.queue.hints import DELIVERIES, Hints
from hunter.store import digests
from hunter.store.database import Connection, Database

log = structlog.get_logger()

_LOOK_EVERY_S: Final = 15.0
_DEADLINE_S: Final = 20.0


def zone_of(name: str) -> dt.tzinfo:
    """A time zone by its name; UTC for one that this machine does not know (any more)."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        log.warning("unknown time zone", zone=name)
        return dt.UTC


class Digester:
    """Makes one message of a rule's day. Rule, alerts and messages move together or not at all."""

    def __init__(self, db: Database, hints: Hints, *, every_s: float = _LOOK_EVERY_S) -> None:
        self._db = db
        self._hints = hints
        self._every_s = every_s

    async def run(self) -> None:
        """Look for due digests for ever."""
        while True:
            try:
                while await self.make_one():
                    pass
            except Unavailable as error:
                log.warning("digests not made", reason=str(error))
            except Exception:  # the next round starts from the database again
                log.exception("digests failed")
            await asyncio.sleep(self._every_s * random.uniform(0.8, 1.2))  # noqa: S311  # jitter

    async def make_one(self) -> bool:
        """Make the digest of one rule that is due; False when none is."""
        made = await self._db.transact(_make, deadline_s=_DEADLINE_S)
        if made:
            await self._hints.announce(DELIVERIES)
        return made is not None


async def _make(conn: Connection) -> int | None:
    """How many messages one due digest became; None when none is due."""
    rule = await digests.due(conn)
    if rule is None:
        return None
    zone = zone_of(rule.timezone)
    made = await digests.close_day(conn, rule.id, digest_day(rule.due_at, zone))
    await digests.set_next(conn, rule.id, next_digest(rule.now, rule.hour, zone))
    pass_point(Point.DELIVERY_GATHERED)
    return made
