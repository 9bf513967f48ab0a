"""A resource at its end: nothing is lost or promised falsely, and all goes on once there is more."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from hunter.worker import lanes

BULK = "/api/v1/scan/bulk"
NAMES = [f"d{n}.example" for n in range(60)]
#: the interpreter with few file descriptors, which are enough for a quiet `hunter`
_FEW = """
import resource, runpy, sys
resource.setrlimit(resource.RLIMIT_NOFILE, ({limit}, {limit}))
sys.argv = ["hunter", "{command}"]
runpy.run_module("hunter", run_name="__main__")
"""


@pytest.fixture
async def full_redis(case: Any) -> AsyncIterator[Callable[[], Any]]:
    """Makes the run's Valkey refuse whatever takes memory, and end it: `await full(False)`."""
    redis = case.hints._redis
    before = (await redis.config_get("maxmemory"))["maxmemory"]

    async def full(is_full: bool = True) -> None:
        await redis.config_set("maxmemory", "1" if is_full else before)

    yield full
    await full(False)


async def test_with_redis_out_of_memory_work_goes_on_without_it(
    case: Any, working: Any, full_redis: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "ALONE_AFTER_S", 0.2)
    async with working():
        await case.finished(await case.submit(*NAMES[:10]))
        await full_redis()
        job_id = await case.submit(*NAMES)
        progress = await case.finished(job_id)
        await full_redis(False)
        after = await case.finished(await case.submit(*NAMES[:10]))

    assert (progress.processed, after.processed) == (60, 10)
    assert await case.books(job_id) == (60, 60, 0)


async def test_a_redis_out_of_memory_is_told_by_readiness_and_accepts_go_on(
    case: Any, start_api: Any, full_redis: Any
) -> None:
    _, url = await start_api()
    async with aiohttp.ClientSession(url) as http:
        await full_redis()
        async with http.get("/healthz/ready") as answer:
            assert answer.status == 503
            assert (await answer.json())["detail"] == "Redis unavailable: Redis takes no writes"
        async with http.post("/api/v1/scan/domain", json={"domain": "acme.com"}) as answer:
            assert answer.status == 202
        async with http.post(BULK, json={"domains": NAMES}) as answer:
            assert answer.status == 202
        await full_redis(False)
        await _until_status(http, "/healthz/ready", 200)

    assert await case.ask("SELECT count(*) FROM scan_job") == 2


async def test_an_api_out_of_descriptors_refuses_and_recovers(
    case: Any, start: Any, free_ports: Iterator[int]
) -> None:
    port = next(free_ports)
    api = await start(_with_few(64, "serve"), {"HUNTER_PORT": str(port)})
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http:
        await _until_status(http, "/healthz/live", 200)
        async with _all_taken(api.process.pid, port, 64):
            # on the connection that is there already
            async with http.post(BULK, json={"domains": NAMES}) as answer:
                assert answer.status == 503
                assert int(answer.headers["Retry-After"]) >= 1
            assert await _busy_share(api.process.pid) < 0.5
            assert await case.ask("SELECT count(*) FROM scan_job") == 0
        await _until_status(http, BULK, 200)
        async with http.post(BULK, json={"domains": NAMES}) as answer:
            assert answer.status == 202
    assert await api.terminate() == 0


async def test_a_worker_out_of_descriptors_goes_on_when_it_has_some(
    case: Any, start: Any, free_ports: Iterator[int]
) -> None:
    port = next(free_ports)
    worker = await start(_with_few(80, "work"), {"HUNTER_WORKER_PORT": str(port)})
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http:
        await _until_status(http, "/healthz/startup", 200)
        async with _all_taken(worker.process.pid, port, 80):
            job_id = await case.submit(*NAMES)
            assert await _busy_share(worker.process.pid) < 0.9
        progress = await case.finished(job_id)

    assert (progress.processed, progress.succeeded) == (60, 60)
    assert await case.books(job_id) == (60, 60, 0)
    assert await worker.terminate() == 0


def _with_few(limit: int, command: str) -> list[str]:
    return ["-c", _FEW.format(limit=limit, command=command)]


@asynccontextmanager
async def _all_taken(pid: int, port: int, limit: int) -> AsyncIterator[None]:
    """While inside a process has no descriptor left: connections that say nothing took them."""
    with ExitStack() as stack:
        for _ in range(limit + 20):
            stack.enter_context(socket.create_connection(("127.0.0.1", port), 5))
        async with asyncio.timeout(10):
            while len([*Path(f"/proc/{pid}/fd").iterdir()]) < limit - 1:
                await asyncio.sleep(0.02)
        yield


async def _busy_share(pid: int) -> float:
    """The share of one second for which a process is on a processor: 1 when it spins."""
    loop = asyncio.get_running_loop()
    used, began = _cpu_s(pid), loop.time()
    await asyncio.sleep(1)
    return (_cpu_s(pid) - used) / (loop.time() - began)


async def _until_status(http: aiohttp.ClientSession, path: str, status: int) -> None:
    async with asyncio.timeout(10):
        while True:
            with suppress(aiohttp.ClientConnectionError):
                async with http.get(path) as answer:
                    if answer.status == status:
                        return
            await asyncio.sleep(0.05)


def _cpu_s(pid: int) -> float:
    """CPU time a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
