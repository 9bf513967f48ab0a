"""A pause before more bulk work is begun, while PostgreSQL has no room for what comes of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

#: the first pause, and the longest
FIRST_S: Final = 2.0
LONGEST_S: Final = 30.0


class Pause:
    """Each pause is twice as long as the one before, until something is written again.

    Without it a full disk would have the same domains asked about again and again, all for nothing.
    """

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._length_s = 0.0
        self._ends_at = float("-inf")

    @property
    def is_on(self) -> bool:
        """True while no more work is to be begun."""
        return self._now_s() < self._ends_at

    def begin(self) -> None:
        """There is no room. Work that ends while a pause is on adds nothing to it."""
        if not self.is_on:
            self._length_s = min(max(FIRST_S, 2 * self._length_s), LONGEST_S)
            self._ends_at = self._now_s() + self._length_s

    def end(self) -> None:
        """There is room again."""
        self._length_s, self._ends_at = 0.0, float("-inf")
