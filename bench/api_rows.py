"""The rows of bench/api.py: what is sent, what is counted, and what is wanted of it."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlsplit

import processes
from api_servers import Server
from generator import Line, Outcome, closed_loop, connect, mixed, open_loop, request

_API: Final = "/api/v1"
_CONNECTIONS: Final = 32
_MIXED_RATE: Final = 500
_OPENED_AT_ONCE: Final = 200


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure and what is wanted of it, if anything."""

    row: str
    metric: str
    value: float
    unit: str
    at_least: float | None = None
    at_most: float | None = None

    @property
    def wanted(self) -> str:
        """What is wanted, in words."""
        if self.at_least is not None:
            return f">= {self.at_least:,g}"
        return "" if self.at_most is None else f"<= {self.at_most:,g}"

    @property
    def is_missed(self) -> bool:
        """Whether it is not as wanted."""
        under = self.at_least is not None and self.value < self.at_least
        return under or (self.at_most is not None and self.value > self.at_most)

    def __str__(self) -> str:
        """A line of the table."""
        verdict = "" if not self.wanted else "  missed" if self.is_missed else "  ok"
        told = f"{self.row:28} {self.metric:28} {self.value:>12,} {self.unit:10}"
        return f"{told} {self.wanted}{verdict}".rstrip()


@dataclass(slots=True)
class Subject:
    """A server under load: names of its leads, a cursor into the middle of them, seconds a run."""

    server: Server
    names: list[str]
    cursor: str
    seconds: float

    def get(self, *paths: str) -> Iterator[bytes]:
        """These reads in turn, without end."""
        host = urlsplit(self.server.url).netloc
        return itertools.cycle([request(host, _API + path) for path in paths])

    def leads(self) -> Iterator[bytes]:
        """One lead after the other."""
        return self.get(*(f"/leads/{name}" for name in self.names))

    def scans(self) -> Iterator[bytes]:
        """Single scans, each of another domain."""
        host = urlsplit(self.server.url).netloc
        for number in itertools.count(time.time_ns() // 1000):
            body = json.dumps({"domain": f"scan{number}.com"}).encode()
            yield request(host, f"{_API}/scan/domain", body=body)

    async def closed(self, requests: Iterator[bytes]) -> Outcome:
        """Warmed up, then as fast as it goes. Raises RuntimeError when an answer was no success."""
        await closed_loop(self.server.url, requests, connections=_CONNECTIONS, seconds=0.5)
        outcome = await closed_loop(
            self.server.url, requests, connections=_CONNECTIONS, seconds=self.seconds
        )
        return checked(outcome)

    async def unloaded(self, requests: Iterator[bytes], rate: float) -> Outcome:
        """A tenth of what it can do, for the latency of a caller nobody is in the way of."""
        outcome = await open_loop(
            self.server.url,
            requests,
            rate=max(5.0, rate / 10),
            seconds=self.seconds,
            connections=16,
        )
        return checked(outcome)


def checked(outcome: Outcome) -> Outcome:
    """The outcome, when every answer was a success: errors are fast and would look like speed."""
    bad = {status: n for status, n in outcome.statuses.items() if not 200 <= status < 300}
    if bad or outcome.broken or not outcome.answered:
        raise RuntimeError(f"not a measurement: statuses {bad}, {outcome.broken} without an answer")
    return outcome


async def measure_compared(subject: Subject, who: str) -> tuple[list[Figure], dict[str, float]]:
    """The routes that the peer has too: requests a second, latency; the former by row."""
    figures: list[Figure] = []
    rates: dict[str, float] = {}
    ours = who == "Hunter"
    for row, requests, least, most in (
        ("single lead", subject.leads(), 4000.0, None),
        ("page of 50, first", subject.get("/leads?limit=50"), None, 20.0),
        ("single scan", subject.scans(), None, None),
    ):
        fast = await subject.closed(requests)
        rates[row] = fast.rate
        name = row if ours else f"{row} ({who})"
        figures.append(
            Figure(
                name,
                "closed loop",
                round(fast.rate),
                "requests/s",
                at_least=least if ours else None,
            )
        )
        figures += _latency(
            name, await subject.unloaded(requests, fast.rate), most if ours else None
        )
    return figures, rates


def _latency(row: str, outcome: Outcome, at_most: float | None = None) -> list[Figure]:
    p50, p99 = (round(outcome.percentile_ms(share), 2) for share in (0.5, 0.99))
    return [
        Figure(row, "unloaded p50", p50, "ms"),
        Figure(row, "unloaded p99", p99, "ms", at_most=at_most),
    ]


async def measure_hunter(subject: Subject, *, peak: float) -> list[Figure]:
    """What the peer does not have: other pages, KPIs, overload."""
    figures: list[Figure] = []
    pages = {
        "page of 50, deep": f"/leads?limit=50&cursor={quote(subject.cursor)}",
        "page of 50, filtered": "/leads?limit=50&segment=migration&min_score=40",
        "page of 50, searched": "/leads?limit=50&q=firma%2019",
    }
    if await _has(subject.server, "/dashboard/kpis"):
        pages["KPIs"] = "/dashboard/kpis"
    for row, path in pages.items():
        fast = await subject.closed(subject.get(path))
        figures.append(Figure(row, "closed loop", round(fast.rate), "requests/s"))
        slow = await subject.unloaded(subject.get(path), fast.rate)
        figures += _latency(row, slow, 20.0 if row.startswith("page") else None)
    return figures + await _overload(subject, peak)


async def _has(server: Server, path: str) -> bool:
    async with server.http.get(f"{server.url}/openapi.json") as answer:
        return _API + path in (await answer.json())["paths"]


async def _overload(subject: Subject, peak: float) -> list[Figure]:
    """Twice the peak of single leads, open loop, over more connections than are served at once."""
    outcome = await open_loop(
        subject.server.url,
        subject.leads(),
        rate=2 * peak,
        seconds=subject.seconds,
        connections=400,
    )
    refused = sum(n for status, n in outcome.statuses.items() if status >= 429)
    row = "overload, 2 x peak"
    return [
        Figure(row, "goodput", round(outcome.goodput), "requests/s"),
        Figure(row, "goodput of peak", round(100 * outcome.goodput / peak, 1), "%", at_least=90),
        Figure(row, "refused", refused, "requests"),
        Figure(row, "p99 of answers", round(outcome.percentile_ms(0.99), 1), "ms"),
    ]


async def measure_idle(subject: Subject, count: int) -> list[Figure]:
    """Connections that had one answer and say nothing more, and 500 requests a second beside them.

    On a server that had few connections before: what is freed would be filled first.
    """
    server, host = subject.server, urlsplit(subject.server.url).netloc
    await subject.closed(subject.leads())
    before = processes.proportional_mib(server.pid)
    lines: list[Line] = []
    hello = request(host, "/healthz/live")
    for _ in range(0, count, _OPENED_AT_ONCE):
        opened = await asyncio.gather(*(connect(server.url) for _ in range(_OPENED_AT_ONCE)))
        await asyncio.gather(*(line.ask(hello) for line in opened))
        lines += opened
    after = processes.proportional_mib(server.pid)
    requests = mixed(
        (6, subject.leads()), (2, subject.get("/leads?limit=50")), (2, subject.scans())
    )
    outcome = await open_loop(
        server.url, requests, rate=_MIXED_RATE, seconds=subject.seconds, connections=64
    )
    alive = sum(line.is_open for line in lines)
    for line in lines:
        if line.transport is not None:
            line.transport.abort()
    row = f"{len(lines):,} idle connections"
    kib = round(1024 * (after - before) / len(lines), 1)
    return [
        Figure(row, "memory each", kib, "KiB", at_most=12),
        Figure(row, "still open", alive, "connections", at_least=len(lines)),
        Figure(row, "500/s mixed p50", round(outcome.percentile_ms(0.5), 2), "ms"),
        Figure(row, "500/s mixed p99", round(outcome.percentile_ms(0.99), 2), "ms", at_most=50),
        Figure(row, "500/s mixed errors", round(100 * outcome.error_share, 2), "%", at_most=0),
    ]


async def measure_bulk(server: Server, *, small: int, large: int) -> list[Figure]:
    """Long lists in and a long one out, and the memory it took."""
    figures: list[Figure] = []
    for names, most in ((small, None), (large, 15.0)):
        took = await _sent(server, "/scan/bulk", _names(names), "text/plain")
        row = f"bulk of {names:,}"
        figures.append(Figure(row, "accepted", round(took, 2), "s", at_most=most))
        figures.append(Figure(row, "rate", round(names / took), "names/s"))
    took = await _sent(server, "/ingest/csv", _rows(large), "text/csv")
    figures.append(Figure(f"CSV of {large:,} rows", "accepted", round(took, 2), "s"))
    figures.append(Figure(f"CSV of {large:,} rows", "rate", round(large / took), "rows/s"))
    rows, size, took = await _exported(server)
    figures += [
        Figure("export as CSV", "rows", rows, "rows"),
        Figure("export as CSV", "took", round(took, 2), "s"),
        Figure("export as CSV", "rate", round(rows / took), "rows/s"),
        Figure("export as CSV", "size", round(size / 1024**2, 1), "MiB"),
        Figure("bulks, file and export", "API peak memory", _peak(server), "MiB"),
    ]
    return figures


def _peak(server: Server) -> float:
    return round(processes.resident_peak_mib(server.pid), 1)


async def _names(count: int) -> AsyncIterator[bytes]:
    for first in range(0, count, 5000):
        last = min(first + 5000, count)
        yield "".join(f"bulk{n}.com.tr\n" for n in range(first, last)).encode()


async def _rows(count: int) -> AsyncIterator[bytes]:
    yield "Firma Ünvanı;E-posta;Web Sitesi\n".encode()
    for first in range(0, count, 5000):
        last = min(first + 5000, count)
        rows = (f"Firma {n} A.Ş.;info@dosya{n}.com;www.dosya{n}.com\n" for n in range(first, last))
        yield "".join(rows).encode()


async def _sent(server: Server, path: str, body: Any, media: str) -> float:
    """Seconds until the list was accepted."""
    begin = time.perf_counter()
    headers = {"Content-Type": media}
    async with server.http.post(server.url + _API + path, data=body, headers=headers) as answer:
        if answer.status != 202:
            raise RuntimeError(await answer.text())
        await answer.read()
    return time.perf_counter() - begin


async def _exported(server: Server) -> tuple[int, int, float]:
    """Rows, bytes and seconds of the whole table as CSV, as the caller reads it."""
    begin, lines, size = time.perf_counter(), 0, 0
    headers = {"Accept-Encoding": "identity"}
    async with server.http.get(
        f"{server.url}{_API}/leads/export?format=csv", headers=headers
    ) as answer:
        answer.raise_for_status()
        async for piece in answer.content.iter_any():
            lines += piece.count(b"\n")
            size += len(piece)
    return lines - 1, size, time.perf_counter() - begin
