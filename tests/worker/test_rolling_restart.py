"""API processes replaced one after the other while callers go on: not one request fails."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import aiohttp
import pytest

BULK = "/api/v1/scan/bulk"
CALLERS = 4
#: answers of each kind before a restart counts as one under load
ENOUGH = 15


class Balancer:
    """Round robin over what is ready, as a Service does with its pods; it never tries again."""

    def __init__(self) -> None:
        self.answers: Counter[int] = Counter()
        self.failures: list[str] = []
        #: long waits that came to an end
        self.waits = 0
        self._ready: dict[str, bool] = {}
        self._turn = itertools.count()

    def add(self, url: str) -> None:
        """Ask this process, too, once it is ready."""
        self._ready[url] = False

    def trust(self, url: str) -> None:
        """Ask this process without ever looking after it."""
        self._ready[url] = True

    def is_ready(self, url: str) -> bool:
        """What its last probe said."""
        return self._ready.get(url, False)

    def remove(self, url: str) -> None:
        """Ask it no more: its process has ended."""
        del self._ready[url]

    async def probe(self) -> None:
        """Look after all, for ever; a probe takes a connection of its own, as a kubelet's does."""
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as http:
            while True:
                for url in list(self._ready):
                    ready = False
                    with suppress(aiohttp.ClientConnectionError):
                        async with http.get(f"{url}/healthz/ready") as answer:
                            ready = answer.status == 200
                    if url in self._ready:
                        self._ready[url] = ready
                await asyncio.sleep(0.05)

    async def call(self) -> None:
        """Accept, read, accept, read, for ever, on connections that are kept."""
        async with aiohttp.ClientSession() as http:
            for number in itertools.count():
                if number % 2:
                    await self._ask(http, "GET", BULK)
                else:
                    await self._ask(http, "POST", BULK, json={"domains": [f"d{number}.example"]})

    async def wait_long(self) -> None:
        """Have scans accepted and wait for their results, which do not come, for ever."""
        async with aiohttp.ClientSession(headers={"Prefer": "wait=30"}) as http:
            for number in itertools.count():
                body = {"domain": f"w{number}.example"}
                await self._ask(http, "POST", "/api/v1/scan/domain", json=body)
                self.waits += 1

    async def _ask(self, http: aiohttp.ClientSession, method: str, path: str, **body: Any) -> None:
        url = self._next()
        try:
            async with http.request(method, url + path, **body) as answer:
                await answer.read()
                self.answers[answer.status] += 1
                if answer.status not in {200, 202}:
                    self.failures.append(f"{answer.status} from {url}")
        except aiohttp.ClientError as error:
            self.failures.append(f"{type(error).__name__} from {url}: {error}")

    def _next(self) -> str:
        ready = [url for url, is_ready in self._ready.items() if is_ready]
        assert ready, "no process is ready"
        return ready[next(self._turn) % len(ready)]

    async def until(self, more: int) -> None:
        """Wait for so many more answers of each kind."""
        goal = {status: self.answers[status] + more for status in (200, 202)}
        async with asyncio.timeout(20):
            while any(self.answers[status] < number for status, number in goal.items()):
                await asyncio.sleep(0.02)


@pytest.fixture
async def balancer() -> AsyncIterator[Balancer]:
    """A balancer whose probes go on until the end of the test."""
    balancer = Balancer()
    async with _going_on(balancer.probe()):
        yield balancer


@asynccontextmanager
async def _going_on(*works: Any) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(work) for work in works]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(end, asyncio.CancelledError) for end in ends), ends


async def test_a_rolling_restart_fails_no_request(
    case: Any, start_api: Any, balancer: Balancer
) -> None:
    async def begin() -> tuple[Any, str]:
        process, url = await start_api(drain_delay_s=1.0)
        balancer.add(url)
        async with asyncio.timeout(15):
            while not balancer.is_ready(url):
                await asyncio.sleep(0.02)
        return process, url

    old = [await begin(), await begin()]
    calls = [balancer.call() for _ in range(CALLERS)]
    async with _going_on(*calls, balancer.wait_long()):
        for process, url in old:
            await balancer.until(ENOUGH)
            assert await process.terminate() == 0
            balancer.remove(url)
            await begin()
        await balancer.until(ENOUGH)

    assert balancer.failures == []
    # nobody holds up the end of a process by waiting for a scan
    assert balancer.waits >= 1
    accepted = balancer.answers[202]
    # a caller that is stopped in the middle of an accept never hears of it
    assert accepted <= await case.ask("SELECT count(*) FROM scan_job") <= accepted + CALLERS + 1


async def test_a_process_that_just_ends_is_counted_as_failures(start_api: Any) -> None:
    balancer = Balancer()
    process, url = await start_api()
    balancer.trust(url)
    async with _going_on(balancer.call()):
        await balancer.until(1)
        await process.kill()
        async with asyncio.timeout(10):
            while not balancer.failures:
                await asyncio.sleep(0.02)
