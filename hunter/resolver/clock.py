"""Time as the engine knows it: ticks that really happened."""

from __future__ import annotations


class Clock:
    """Counts ticks. What is due at a tick is found by looking through what is under way.

    When the loop is held up for a second the questions are given that second too, instead of timing
    out while their answers lie in the socket. No heap, and no ring of time-outs: either would hold
    every question for seconds after its answer, a hundred thousand at a time.
    """

    __slots__ = ("_tick_s", "now")

    def __init__(self, tick_s: float) -> None:
        self._tick_s = tick_s
        #: number of the tick; begins at 1 so that 0 can mean "none"
        self.now = 1

    def ticks(self, seconds: float) -> int:
        """Seconds as ticks: at least as long, and at least one."""
        return max(1, int(seconds / self._tick_s + 1))
