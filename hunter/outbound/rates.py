"""Turns at servers of others: so many requests a second at each, and none while one wants a rest."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from hunter.core.errors import Unavailable

#: longer than this nobody waits for a turn
MAX_WAIT_S: Final = 60.0
_MOST_SERVERS: Final = 2000


class Rates:
    """The limits of this process, by server. Other processes have their own.

    `per_second` is what one server gets; requests are spaced evenly, without bursts.
    """

    def __init__(self, per_second: float) -> None:
        self._gap_s = 1 / per_second
        #: by server, the instant from which it may be asked again
        self._free_at: dict[str, float] = {}

    async def turn(self, server: str) -> None:
        """Wait for a turn. Raises Unavailable, with how long to stay away, when it is too far off."""
        await asyncio.sleep(self.reserve(server, time.monotonic()))

    def reserve(self, server: str, now: float) -> float:
        """Take the next free turn at a server: seconds until then. Raises as `turn` does."""
        free_at = max(now, self._free_at.get(server, now))
        wait_s = free_at - now
        if wait_s > MAX_WAIT_S:
            raise Unavailable(
                f"{server} is to be left alone for a while", retry_after_s=int(wait_s)
            )
        if len(self._free_at) >= _MOST_SERVERS:
            self._free_at = {name: at for name, at in self._free_at.items() if at > now}
        self._free_at[server] = free_at + self._gap_s
        return wait_s

    def rest(self, server: str, seconds: float) -> None:
        """Leave a server alone for so long from now on."""
        until = time.monotonic() + seconds
        self._free_at[server] = max(until, self._free_at.get(server, until))
