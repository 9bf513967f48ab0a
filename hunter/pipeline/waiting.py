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
#: most domains in chunks that wait so; their answers are held in memory, some 5 KiB each
MOST_WAITING: Final = 12_800


class Waiting:
    """How many domains are in chunks of this process that gave their slot away."""

    def __init__(self) -> None:
        self.domains = 0

    @contextmanager
    def for_the_last_of(
        self, total: int, slot_is_free: asyncio.Event
    ) -> Iterator[Callable[[], None]]:
        """While a chunk of `total` domains is surveyed: gives what to call after each of them."""
        loop = asyncio.get_running_loop()
        left = total
        timer: asyncio.TimerHandle | None = None
        counted = 0

        def give_slot() -> None:
            nonlocal counted
            if self.domains + total <= MOST_WAITING:
                counted = total
                self.domains += total
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
            self.domains -= counted
