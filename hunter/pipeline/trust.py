"""Whether a change may be believed now: not while too many companies seem to have moved at once."""

from __future__ import annotations

from typing import Final

from hunter.core.health import weigh
from hunter.store import schedule
from hunter.store.database import Connection

#: no longer than a change waits for its second look: a lie is noticed before it is believed
WINDOW_S: Final = 600.0


async def is_held(conn: Connection) -> bool:
    """True while no change is to be confirmed, by what was seen up to this transaction.

    The dispatcher weighs the same every few seconds, tells operators and keeps what it found; a
    second resolver confirms sooner than that.
    """
    now = await schedule.trust(conn)
    if now.is_held or now.is_released:
        return now.is_held and not now.is_released
    return weigh(await schedule.sample(conn, window_s=WINDOW_S), now).is_held
