"""Questions about names that many domains share: answered from memory, asked once at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hunter.core.answers import Answer, RRType
from hunter.resolver.cache import Cache
from hunter.resolver.questions import Batch, Budget, Lane

Question = tuple[str, RRType]


class _Flight(Batch):
    """A question under way, with a budget of its own, and everybody who waits for it."""

    __slots__ = ("_land", "key", "waiters")

    def __init__(self, key: Question, lane: Lane, land: Callable[[_Flight], None]) -> None:
        super().__init__(1, Budget(), lane, None)
        self.key = key
        self.waiters: list[tuple[Batch, int]] = []
        self._land = land

    def complete(self) -> None:
        self._land(self)


class Sharing:
    """The cache, and the flights that fill it."""

    def __init__(
        self,
        cache: Cache,
        enqueue: Callable[[Batch, int, str, RRType], None],
        hasten: Callable[[Batch], None],
        clock: Callable[[], float],
    ) -> None:
        self._cache = cache
        self._enqueue = enqueue
        self._hasten = hasten
        self._clock = clock
        self._flights: dict[Question, _Flight] = {}
        #: questions that joined one already under way
        self.joined = 0

    def ask(self, batch: Batch, questions: Sequence[Question]) -> None:
        """Fill the batch from memory, let it wait for what is under way, ask for the rest."""
        now = self._clock()
        for index, key in enumerate(questions):
            known = self._cache.get(key, now)
            if known is not None:
                batch.results[index] = known
                batch.left -= 1
                continue
            batch.results[index] = key
            flight = self._flights.get(key)
            if flight is not None:
                self.joined += 1
                flight.waiters.append((batch, index))
                if batch.interactive and not flight.interactive:
                    self._hasten(flight)  # a person must not wait behind a job
                continue
            lane = Lane.INTERACTIVE if batch.interactive else Lane.BULK
            flight = self._flights[key] = _Flight(key, lane, self._landed)
            flight.waiters.append((batch, index))
            self._enqueue(flight, 0, *key)

    def _landed(self, flight: _Flight) -> None:
        del self._flights[flight.key]
        (answer,) = flight.results
        assert isinstance(answer, Answer)  # noqa: S101  # a complete batch holds answers only
        self._cache.put(flight.key, answer, self._clock())
        # whoever asked first pays for the messages
        flight.waiters[0][0].budget.used += flight.budget.used
        for batch, index in flight.waiters:
            if batch.results[index] == flight.key:  # its time may have been up before
                batch.results[index] = answer
                batch.left -= 1
                if not batch.left:
                    batch.complete()
