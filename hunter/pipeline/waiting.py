"""Chunks that wait for a few silent domains, and give their slots to others meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

#: A chunk that has waited so long for its last tenth lets the next one in: a domain whose name
#: servers are dead takes seconds, and in a long list nearly every chunk has one.
PATIENCE_S: Final = 0.5
_LAST: Final = 10
#: most domains in chunks that gave their slot away; their answers are held in memory, some 5 KiB
#: each, until they are committed, which on a busy machine can take longer than the silence
MOST_WAITING: Final = 6_000


class Waiting:
    """How many domains are in chunks of this process that gave their slot away."""

    def __init__(self, is_behind: Callable[[], bool] = lambda: False) -> None:
        #: True while the processor, and no name server, is what chunks wait for
        self._is_behind = is_behind
        #: the slot's event, of each of these chunks, and how many domains it has
        self._given: dict[asyncio.Event, int] = {}

    @property
    def domains(self) -> int:
        """How many these are now."""
        return sum(self._given.values())

    def ended(self, slot_is_free: asyncio.Event) -> None:
        """A chunk is through, whether it gave its slot away or not."""
        self._given.pop(slot_is_free, None)

    @contextmanager
    def for_the_last_of(
        self, total: int, slot_is_free: asyncio.Event
    ) -> Iterator[Callable[[], None]]:
        """While a chunk of `total` domains is surveyed: gives what to call after each of them."""
        loop = asyncio.get_running_loop()
        left = total
        timer: asyncio.TimerHandle | None = None

        def give_slot() -> None:
            nonlocal timer
            if self._is_behind():
                timer = loop.call_later(PATIENCE_S, give_slot)
            elif self.domains + total <= MOST_WAITING:
                self._given[slot_is_free] = total
                slot_is_free.set()

        def one_less() -> None:
            nonlocal left, timer
            left -= 1
            if left == max(1, total // _LAST):
                timer = loop.call_later(PATIENCE_S, give_slot)

        try:
            yield one_less
        finally:
            if timer is not None:
                timer.cancel()
