"""How many bulk chunks a process works on at once: what keeps it busy, and no more that it could lose."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

#: one is surveyed while another is judged and committed
LEAST: Final = 2
#: Chunks judged and committed at once. The processor takes them one after the other anyhow;
#: more at once only hold their verdicts in memory, some 3 MiB a chunk of 100.
_COMMITS_AT_ONCE: Final = 2
#: a chunk that waited for its commit for longer came too early
_TOO_LONG_S: Final = 0.2


class Pace:
    """Slots for chunks, as many as are of use.

    While name servers are what a chunk waits for, more at once get more done. Once the processor
    is, they only wait for each other: each ends later, and a process that dies takes more along.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        #: how many may be worked on now; it doubles with every round that nothing holds up
        self.limit = min(LEAST, most)
        self._taken = 0
        self._commits = asyncio.Semaphore(_COMMITS_AT_ONCE)
        self._queue: deque[asyncio.Future[None]] = deque()

    @property
    def is_behind(self) -> bool:
        """True while as many chunks as may are being judged and committed: one more would wait."""
        return self._commits.locked()

    async def __aenter__(self) -> None:
        """Wait for a slot."""
        if self._taken < self.limit and not self._queue:
            self._taken += 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._queue.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._taken -= 1  # it was given just then: the next one's
            else:
                self._queue.remove(turn)
            self._admit()
            raise

    async def __aexit__(self, *_: object) -> None:
        """Give the slot back."""
        self._taken -= 1
        self._admit()

    @asynccontextmanager
    async def commit(self) -> AsyncIterator[None]:
        """A surveyed chunk's turn to be judged and committed; what it waits for it sets the pace."""
        loop = asyncio.get_running_loop()
        surveyed_at = loop.time()
        async with self._commits:
            self.waited(loop.time() - surveyed_at)
            yield

    def waited(self, waited_s: float) -> None:
        """A surveyed chunk has waited so long for the commits of others."""
        if waited_s > _TOO_LONG_S:
            self.limit = max(min(LEAST, self.most), self.limit - 1)
        else:
            self.limit = min(self.most, self.limit + 1)
            self._admit()

    def _admit(self) -> None:
        while self._queue and self._taken < self.limit:
            turn = self._queue.popleft()
            if not turn.done():
                self._taken += 1
                turn.set_result(None)
