"""Workers over the test's own database, Valkey and name server."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import aiohttp
import pytest

from hunter.config import Config
from hunter.core.answers import Depth
from hunter.local.nameserver import NameServer
from hunter.pipeline.accept import Line, accept_scan
from hunter.queue.hints import Hints
from hunter.store import completion, jobs
from hunter.store.database import Database
from hunter.store.jobs import JobProgress
from hunter.worker.app import run_worker


@pytest.fixture
async def name_server() -> AsyncIterator[NameServer]:
    """A name server that knows d0.example to d999.example, each with mail of its own."""
    zone = "\n".join(
        f"d{n}.example. MX 10 mx.d{n}.example.\nd{n}.example. NS ns.d{n}.example.\n"
        f'd{n}.example. TXT "v=spf1 mx -all"'
        for n in range(1000)
    )
    async with NameServer(zone) as server:
        yield server


@pytest.fixture
def settings(config: Config, name_server: NameServer) -> Config:
    """Settings of a quick worker that asks `name_server`."""
    return dataclasses.replace(
        config,
        dns_servers=(name_server.address,),
        worker_port=0,
        worker_slots=2,
        interactive_slots=2,
        db_pool_size=8,
        drain_grace_s=5.0,
    )


class Case:
    """What a test does with jobs."""

    def __init__(self, db: Database, hints: Hints) -> None:
        self.db = db
        self.hints = hints

    async def submit(self, *names: str, chunk_size: int = 10, **settings: Any) -> UUID:
        """Have these names accepted; the job's id."""
        lines = [Line(number, name) for number, name in enumerate(names, start=1)]
        wanted: dict[str, Any] = {"lane": "bulk", "depth": Depth.QUICK} | settings
        accepted = await accept_scan(
            self.db, self.hints, lines, allow_test_names=True, chunk_size=chunk_size, **wanted
        )
        return UUID(accepted.job_id)

    async def progress(self, job_id: UUID) -> JobProgress:
        """How far the job is."""
        async with self.db.acquire() as conn:
            return await jobs.progress(conn, job_id)

    async def until(
        self, job_id: UUID, reached: Callable[[JobProgress], bool], limit_s: float = 30
    ) -> JobProgress:
        """The first progress that is as wanted."""
        async with asyncio.timeout(limit_s):
            while not reached(progress := await self.progress(job_id)):
                await asyncio.sleep(0.02)
        return progress

    async def finished(self, job_id: UUID) -> JobProgress:
        """The progress once the job is finished."""
        return await self.until(job_id, lambda progress: progress.is_finished)

    async def ask(self, query: str, *arguments: object) -> Any:
        """One value out of the database."""
        async with self.db.acquire() as conn:
            return await conn.fetchval(query, *arguments)

    async def wait_for(self, query: str, *arguments: object, limit_s: float = 15) -> None:
        """Wait until a query is true."""
        async with asyncio.timeout(limit_s):
            while not await self.ask(query, *arguments):
                await asyncio.sleep(0.02)

    async def books(self, job_id: UUID) -> tuple[int, int, int]:
        """(results, domains with a result, jobs that do not add up)."""
        async with self.db.acquire() as conn:
            rows = await conn.fetchrow(
                "SELECT count(*), count(DISTINCT domain) FROM scan_result WHERE job_id = $1", job_id
            )
            assert rows is not None
            return rows[0], rows[1], await completion.mismatched(conn)


@pytest.fixture
def case(db: Database, hints: Hints) -> Case:
    """What a test does with jobs."""
    return Case(db, hints)


Working = Callable[..., Any]


@pytest.fixture
def working(settings: Config) -> Working:
    """A worker in this process while inside; drained at the end."""

    @asynccontextmanager
    async def run(**changed: Any) -> AsyncIterator[asyncio.Event]:
        stop = asyncio.Event()
        config = dataclasses.replace(settings, **changed)
        async with asyncio.TaskGroup() as group:
            group.create_task(run_worker(config, stop=stop))
            try:
                yield stop
            finally:
                stop.set()

    return run


class WorkerProcess:
    """A worker in a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def kill(self) -> None:
        """SIGKILL: no chance to tidy up."""
        self.process.kill()
        await self.process.wait()

    async def terminate(self) -> int:
        """SIGTERM: drain; the exit code."""
        self.process.terminate()
        async with asyncio.timeout(30):
            return await self.process.wait()

    def freeze(self) -> None:
        """SIGSTOP."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        self.process.send_signal(signal.SIGCONT)


_PASSED_ON = (
    "database_url",
    "redis_url",
    "lease_s",
    "heartbeat_s",
    "hint_stale_s",
    "dispatch_interval_s",
    "worker_slots",
    "interactive_slots",
    "drain_delay_s",
    "drain_grace_s",
    "db_pool_size",
    "crash",
    "outbound_loopback",
    "delivery_lease_s",
    "rules_dir",
    "rules_poll_s",
    "rejudge_interval_s",
    "confirm_after_s",
)


@pytest.fixture
def free_ports() -> Iterator[int]:
    """Loopback ports nobody listens on."""
    from hunter.local.servers import free_port

    return iter(free_port, None)


Start = Callable[..., Awaitable[WorkerProcess]]


@pytest.fixture
async def start(settings: Config) -> AsyncIterator[Start]:
    """Start Hunter as processes of its own, killed at the end."""
    started: list[WorkerProcess] = []

    async def begin(command: list[str], environ: dict[str, str], **changed: Any) -> WorkerProcess:
        config = dataclasses.replace(settings, **changed)
        values = {f"HUNTER_{name.upper()}": str(getattr(config, name)) for name in _PASSED_ON}
        host, port = config.dns_servers[0]
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *command,
            env={
                k: v
                for k, v in os.environ.items()
                if k.startswith(("PATH", "COV", "LANG", "PYTHON"))
            }
            | values
            | {
                "HUNTER_DNS_SERVERS": f"{host}:{port}",
                "HUNTER_DATA_DIR": str(config.data_dir),
                "HUNTER_ALLOW_TEST_NAMES": "true",
                # what a process can take is asked, not what it lets one caller have
                "HUNTER_RATE_LIMIT": "0",
            }
            | environ,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        started.append(WorkerProcess(process))
        return started[-1]

    yield begin
    for worker in started:
        if worker.process.returncode is None:
            await worker.kill()


@pytest.fixture
def start_worker(start: Start, free_ports: Iterator[int]) -> Start:
    """Start workers; `code` is run instead of `hunter work`, to plant a fault in the process."""

    async def begin(code: str = "", **changed: Any) -> WorkerProcess:
        command = ["-c", code] if code else ["-m", "hunter", "work"]
        return await start(command, {"HUNTER_WORKER_PORT": str(next(free_ports))}, **changed)

    return begin


@pytest.fixture
def start_api(
    start: Start, free_ports: Iterator[int]
) -> Callable[..., Awaitable[tuple[WorkerProcess, str]]]:
    """Start an API; its process and its URL, once it answers."""

    async def begin(**changed: Any) -> tuple[WorkerProcess, str]:
        port = next(free_ports)
        api = await start(["-m", "hunter", "serve"], {"HUNTER_PORT": str(port)}, **changed)
        url = f"http://127.0.0.1:{port}"
        async with asyncio.timeout(20), aiohttp.ClientSession() as http:
            while True:
                try:
                    async with http.get(f"{url}/healthz/live"):
                        return api, url
                except aiohttp.ClientConnectionError:
                    await asyncio.sleep(0.05)

    return begin
