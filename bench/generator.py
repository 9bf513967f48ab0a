"""Load for an HTTP server: open loop, where requests come when they are due, and closed loop.

Raw sockets under asyncio, one request at a time on each connection, because two things have to be
right that general clients get wrong here. *Coordinated omission*: in the open loop a request's time
begins when it was due, not when a connection became free, so a server that stops for a second is
charged for every request of that second (wrk and most closed-loop tools leave them out). *Cost*: a
full client spends more on a request than the server under test does; this one sends prepared bytes
and reads no more of an answer than its status and its length.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import time
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import urlsplit

_STATUS = slice(9, 12)
#: seconds for answers still under way when the load ends
_GRACE_S = 10.0
#: between two looks at what is due
_TICK_S = 0.001


def request(
    host: str, path: str, *, body: bytes | None = None, headers: dict[str, str] | None = None
) -> bytes:
    """A GET, or with `body` a POST of JSON, as it goes over the wire."""
    lines = [f"{'GET' if body is None else 'POST'} {path} HTTP/1.1", f"Host: {host}"]
    given = dict(headers or {})
    if body is not None:
        given = {"Content-Type": "application/json", "Content-Length": str(len(body))} | given
    lines += [f"{name}: {value}" for name, value in given.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + (body or b"")


@dataclass(slots=True)
class Outcome:
    """What came of a load."""

    #: seconds from when a request was due (open loop) or sent (closed loop) to the end of its answer
    latencies_s: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    #: connections that were refused, cut or stayed silent, each with one request
    broken: int = 0
    elapsed_s: float = 0.0
    #: answers with 2xx, in time
    good: int = 0

    @property
    def answered(self) -> int:
        """Answers of any status."""
        return len(self.latencies_s)

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.answered / self.elapsed_s if self.elapsed_s else 0.0

    @property
    def goodput(self) -> float:
        """Answers a second that are of use."""
        return self.good / self.elapsed_s if self.elapsed_s else 0.0

    @property
    def error_share(self) -> float:
        """Part of all requests that brought no answer, or one of 5xx or 429."""
        refused = sum(n for status, n in self.statuses.items() if status >= 500 or status == 429)
        total = self.answered + self.broken
        return (refused + self.broken) / total if total else 1.0

    def percentile_ms(self, share: float) -> float:
        """The latency in milliseconds that `share` of the answers keep, by the nearest rank."""
        if not self.latencies_s:
            return float("inf")
        ordered = sorted(self.latencies_s)
        rank = min(len(ordered) - 1, max(0, round(share * len(ordered) + 0.5) - 1))
        return ordered[rank] * 1000


class Line(asyncio.Protocol):
    """One connection that asks one thing at a time."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.free: asyncio.Future[int] | None = None
        self.is_open = False
        self._head = b""
        self._left = -1  # of the body; -1 before the head is there, -2 while it comes in chunks
        self._tail = b""
        self._status = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop."""
        # uvloop's is no subclass of asyncio.Transport
        self.transport, self.is_open = cast("asyncio.Transport", transport), True

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the loop."""
        self.is_open = False
        if self.free is not None and not self.free.done():
            self.free.set_exception(ConnectionError("cut"))

    def ask(self, data: bytes) -> asyncio.Future[int]:
        """Send a request; the future is the answer's status once all of it is there."""
        assert self.transport is not None
        self.free = asyncio.get_running_loop().create_future()
        self._head, self._left = b"", -1
        self.transport.write(data)
        return self.free

    def data_received(self, data: bytes) -> None:
        """Called by the loop."""
        if self._left == -1:
            self._head += data
            head, separator, data = self._head.partition(b"\r\n\r\n")
            if not separator:
                return
            self._status = int(head[_STATUS])
            low = head.lower()
            at = low.find(b"\r\ncontent-length:")
            if at >= 0:
                self._left = int(low[at + 17 :].split(b"\r", 1)[0])
            elif b"\r\ntransfer-encoding: chunked" in low:
                self._left, self._tail = -2, b""
            else:
                self._left = 0
        if self._left == -2:
            self._tail = (self._tail + data)[-5:]
            done = self._tail == b"0\r\n\r\n"
        else:
            self._left -= len(data)
            done = self._left <= 0
        if done and self.free is not None and not self.free.done():
            self.free.set_result(self._status)


async def connect(url: str) -> Line:
    """A connection to the server of `url`."""
    parts = urlsplit(url)
    loop = asyncio.get_running_loop()
    is_tls = parts.scheme == "https"
    port = parts.port or (443 if is_tls else 80)
    _, line = await loop.create_connection(
        Line, parts.hostname or "127.0.0.1", port, ssl=is_tls or None
    )
    return line


async def closed_loop(
    url: str, requests: Iterator[bytes], *, connections: int, seconds: float
) -> Outcome:
    """Every connection asks again as soon as it has its answer: the most the server can do."""
    outcome, end = Outcome(), time.perf_counter() + seconds

    async def keep_asking() -> None:
        line = await connect(url)
        while time.perf_counter() < end:
            await _ask(line, next(requests), time.perf_counter(), outcome, within_s=_GRACE_S)
            if not line.is_open:
                line = await connect(url)
        _hang_up(line)

    begin = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(connections):
            group.create_task(keep_asking())
    outcome.elapsed_s = time.perf_counter() - begin
    return outcome


async def open_loop(  # the load, told whole
    url: str,
    requests: Iterator[bytes],
    *,
    rate: float,
    seconds: float,
    connections: int,
    good_within_s: float = 1.0,
) -> Outcome:
    """`rate` requests a second whatever the server does, over at most `connections`.

    A request for which no connection is free waits, and its time runs.
    """
    outcome, free = Outcome(), deque([await connect(url) for _ in range(connections)])
    waiting: deque[float] = deque()
    running: set[asyncio.Task[None]] = set()

    async def serve(line: Line) -> None:
        while waiting:
            due = waiting.popleft()
            if not line.is_open:
                try:
                    line = await connect(url)
                except OSError:
                    outcome.broken += 1
                    continue
            await _ask(line, next(requests), due, outcome, within_s=_GRACE_S, good_s=good_within_s)
        free.append(line)

    begin, sent, total = time.perf_counter(), 0, int(rate * seconds)
    while sent < total:
        now = time.perf_counter()
        due = min(total, int((now - begin) * rate) + 1)
        for number in range(sent, due):
            waiting.append(begin + number / rate)
        sent = due
        for _ in range(min(len(free), len(waiting))):
            task = asyncio.create_task(serve(free.popleft()))
            running.add(task)
            task.add_done_callback(running.discard)
        await asyncio.sleep(_TICK_S)
    outcome.elapsed_s = time.perf_counter() - begin
    # what did not get its turn by now is late in any case: it counts as broken, not as answered
    in_time = outcome.good
    outcome.broken += len(waiting)
    waiting.clear()
    if running:
        await asyncio.wait(running, timeout=_GRACE_S)
    outcome.good = in_time
    for line in free:
        _hang_up(line)
    return outcome


async def _ask(  # noqa: PLR0917  # of one request
    line: Line,
    data: bytes,
    since: float,
    outcome: Outcome,
    within_s: float,
    good_s: float = _GRACE_S,
) -> None:
    try:
        async with asyncio.timeout(within_s):
            status = await line.ask(data)
    except (TimeoutError, OSError):
        outcome.broken += 1
        _hang_up(line)
        return
    took = time.perf_counter() - since
    outcome.latencies_s.append(took)
    outcome.statuses[status] += 1
    if 200 <= status < 300 and took <= good_s:
        outcome.good += 1


def _hang_up(line: Line) -> None:
    line.is_open = False
    if line.transport is not None:
        line.transport.abort()


def mixed(*kinds: tuple[int, Iterator[bytes]]) -> Iterator[bytes]:
    """Requests of several kinds in turn: (how many of it in a round, its requests)."""
    order = [source for share, source in kinds for _ in range(share)]
    # spread: a kind does not come all at once
    step = next(n for n in (7, 11, 13, 17, 1) if math.gcd(n, len(order)) == 1)
    spread = [order[i * step % len(order)] for i in range(len(order))]
    return (next(source) for source in itertools.cycle(spread))
