"""Time-outs of many questions: one timer, a ring of lists, no heap."""

from __future__ import annotations

from hunter.resolver.questions import Batch, Query

#: no wait of the engine is longer
_LONGEST_S = 20.0


class Wheel:
    """Each slot holds what may be over when the hand gets there; most of it has long been answered.

    An answer does not search for its entry: it sets `due` to 0, and the hand passes by. Time is
    counted in ticks that really happened, so when the loop is held up for a second the questions
    are given that second too, instead of timing out while their answers lie in the socket.
    """

    __slots__ = ("_limits", "_mask", "_tick_s", "_watched", "now")

    def __init__(self, tick_s: float) -> None:
        slots = 1 << int(_LONGEST_S / tick_s).bit_length()
        self._mask = slots - 1
        self._tick_s = tick_s
        self._watched: list[list[Query]] = [[] for _ in range(slots)]
        self._limits: list[list[Batch]] = [[] for _ in range(slots)]
        #: number of the tick; begins at 1 so that 0 can mean "none"
        self.now = 1

    def ticks(self, seconds: float) -> int:
        """Seconds as ticks: at least as long, and never more than the ring holds."""
        return max(1, min(self._mask, int(seconds / self._tick_s + 1)))

    def watch(self, query: Query, ticks: int) -> int:
        """Put a question in; gives the tick at which it is due."""
        due = self.now + ticks
        self._watched[due & self._mask].append(query)
        return due

    def limit(self, batch: Batch) -> None:
        """Put a batch in, to be ended at its `due`, or at the next tick when that is past."""
        self._limits[max(batch.due, self.now + 1) & self._mask].append(batch)

    def advance(self) -> tuple[list[Query], list[Batch]]:
        """Move the hand by one tick; gives what is over."""
        self.now += 1
        slot = self.now & self._mask
        watched, limits = self._watched[slot], self._limits[slot]
        self._watched[slot], self._limits[slot] = [], []
        return (
            [query for query in watched if query.due == self.now],
            [batch for batch in limits if batch.left],
        )
