"""Questions about names that many domains share: answered from memory, asked once at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hunter.core.answers import Answer, RRType
from hunter.resolver.cache import Cache
from hunter.resolver.questions import Batch, Lane

Question = tuple[str, RRType]


class _Flight(Batch):
    """A question under way, and everybody who waits for it: the first with budget left pays.

    It has no clock of its own: whoever waits has one, and nothing is sent when all are over.
    """

    __slots__ = ("_land", "key", "waiters")

    def __init__(
        self, key: Question, payer: Batch, index: int, land: Callable[[_Flight], None]
    ) -> None:
        lane = Lane.INTERACTIVE if payer.interactive else Lane.BULK
        super().__init__(1, payer.budget, lane, None)
        self.due = payer.due
        self.key = key
        self.waiters: list[tuple[Batch, int]] = [(payer, index)]
        self._land = land

    def finds_payer(self, now: int) -> bool:
        for batch, index in self.waiters:
            budget = batch.budget
            is_waiting = batch.results[index] == self.key and not batch.is_abandoned()
            if is_waiting and budget.used < budget.limit and now < budget.due:
                self.budget = budget
                return True
        return False

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
            flight = self._flights[key] = _Flight(key, batch, index, self._landed)
            self._enqueue(flight, 0, *key)

    def _landed(self, flight: _Flight) -> None:
        del self._flights[flight.key]
        (answer,) = flight.results
        assert isinstance(answer, Answer)  # noqa: S101  # a complete batch holds answers only
        self._cache.put(flight.key, answer, self._clock())
        for batch, index in flight.waiters:
            if batch.results[index] == flight.key:  # its time may have been up before
                batch.results[index] = answer
                batch.left -= 1
                if not batch.left:
                    batch.complete()
