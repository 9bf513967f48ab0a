"""Who is let in under load: bounded places and a bounded queue for each class of routes."""

from __future__ import annotations

import asyncio
from collections import deque
from enum import StrEnum
from typing import Final

from aiohttp import web

from hunter.config import Config
from hunter.core.errors import HunterError
from hunter.ops.metrics import Metrics, zero


class Load(StrEnum):
    """What a route costs; each class has places of its own, so that none can crowd out another."""

    #: an answer out of the database, in milliseconds
    READ = "read"
    #: a small body and one transaction
    WRITE = "write"
    #: an upload, or an answer of any length
    BULK = "bulk"
    #: a connection that stays open and mostly waits
    STREAM = "stream"
    #: health, metrics and what is static: never turned away
    PROBE = "probe"


#: a place in the queue lasts so long
PATIENCE_S: Final = 1.0
#: when to come back, by class
_RETRY_AFTER_S: Final = {Load.READ: 1, Load.WRITE: 1, Load.BULK: 5, Load.STREAM: 5, Load.PROBE: 1}


class Overloaded(HunterError):
    """Overloaded"""

    def __init__(self, load: Load) -> None:
        super().__init__(
            f"This server has all the {load} requests it can do and as many in its queue. "
            "Come back after `Retry-After` seconds, with less at once."
        )
        self.retry_after_s = _RETRY_AFTER_S[load]


class Gate:
    """Places and queue of one class."""

    def __init__(self, load: Load, places: int, queue: int) -> None:
        self.load = load
        self.places = places
        self.queue = queue
        self.in_flight = 0
        self.shed = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def queued(self) -> int:
        """Requests that wait for a place."""
        return len(self._waiting)

    @property
    def is_full(self) -> bool:
        """True when the next request would be turned away."""
        return self.in_flight >= self.places and len(self._waiting) >= self.queue

    def try_enter(self) -> bool:
        """Take a place when one is free and nobody waits for it."""
        if self.in_flight >= self.places or self._waiting:
            return False
        self.in_flight += 1
        return True

    async def enter(self) -> None:
        """Take a place, after those who came before. Raises Overloaded: at once when all is full."""
        if self.try_enter():
            return
        if len(self._waiting) >= self.queue:
            self.shed += 1
            raise Overloaded(self.load)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout(PATIENCE_S):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                self.leave()  # the place was given in the very moment
            elif turn in self._waiting:
                self._waiting.remove(turn)
            if isinstance(error, TimeoutError):
                self.shed += 1
                raise Overloaded(self.load) from None
            raise

    def leave(self) -> None:
        """Give the place to whoever waits the longest, or back."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self.in_flight -= 1


class Place:
    """A request's place, which it may give up early."""

    def __init__(self, gate: Gate) -> None:
        self._gate: Gate | None = gate

    def leave(self) -> None:
        """Give the place up; again is harmless."""
        gate, self._gate = self._gate, None
        if gate is not None:
            gate.leave()

    def move_to(self, gate: Gate) -> bool:
        """Change over to another class when it has a place free; False, and nothing moves, when not.

        A place that was given up stays so.
        """
        if self._gate is None:
            return True
        if not gate.try_enter():
            return False
        self.leave()
        self._gate = gate
        return True


class Admission:
    """The gates of one process."""

    def __init__(self, config: Config, metrics: Metrics) -> None:
        sizes = {
            Load.READ: config.max_reads,
            Load.WRITE: config.max_writes,
            Load.BULK: config.max_bulks,
            Load.STREAM: config.max_streams,
        }
        self.gates = {
            load: Gate(load, places, 0 if load is Load.STREAM else 2 * places)
            for load, places in sizes.items()
        }
        zero(metrics.hunter_requests_shed_total, load=self.gates)
        metrics.on_render(lambda: self._show(metrics))

    def _show(self, metrics: Metrics) -> None:
        for load, gate in self.gates.items():
            metrics.hunter_requests_in_flight.set({"load": load.value}, gate.in_flight)
            metrics.hunter_requests_queued.set({"load": load.value}, gate.queued)
            metrics.hunter_requests_shed_total.set({"load": load.value}, gate.shed)


def among_bulks(request: web.Request) -> None:
    """Leave the reads to others: this answer has any length. Raises Overloaded.

    To be called before the answer is prepared, when a problem can still be told.
    """
    bulk = request.app[ADMISSION].gates[Load.BULK]
    if not request[PLACE].move_to(bulk):
        bulk.shed += 1
        raise Overloaded(Load.BULK)


ADMISSION: Final = web.AppKey("admission", Admission)
PLACE: Final = web.RequestKey("place", Place)
