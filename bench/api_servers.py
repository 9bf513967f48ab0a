"""The servers that bench/api.py measures, each a process on a core of its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from hunter.config import Config
from hunter.local.servers import free_port

_HERE = Path(__file__).parent


def server_core() -> int:
    """The last core this process might use when it began."""
    return _CORES[-1]


def generator_core() -> int:
    """The first one; the same on a machine that has no more."""
    return _CORES[0]


_CORES = sorted(os.sched_getaffinity(0))


@dataclass(slots=True)
class Server:
    """A running API and how to talk to it."""

    http: aiohttp.ClientSession
    url: str
    pid: int


@contextlib.asynccontextmanager
async def hunter(config: Config, **settings: str) -> AsyncIterator[Server]:
    """`hunter serve`, open, without a limit on callers."""
    port = free_port()
    ours = {
        "HUNTER_PORT": str(port),
        "HUNTER_DATABASE_URL": str(config.database_url),
        "HUNTER_REDIS_URL": str(config.redis_url),
        "HUNTER_DATA_DIR": str(config.data_dir),
        "HUNTER_LOG_LEVEL": "warning",
        "HUNTER_RATE_LIMIT": "0",
    }
    async with _server(["-m", "hunter", "serve"], port, ours | settings, "/healthz/ready") as found:
        yield found


@contextlib.asynccontextmanager
async def peer(config: Config) -> AsyncIterator[Server]:
    """uvicorn with the peer, one process, uvloop and httptools, no access log."""
    port = free_port()
    url = str(config.database_url).replace("postgresql://", "postgresql+asyncpg://", 1)
    command = [
        "-m", "uvicorn", "api_peer:app", "--app-dir", str(_HERE), "--port", str(port),
        "--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning",
    ]  # fmt: skip
    async with _server(command, port, {"PEER_DATABASE_URL": url}, "/openapi.json") as found:
        yield found


@contextlib.asynccontextmanager
async def _server(
    command: list[str], port: int, settings: dict[str, str], ready: str
) -> AsyncIterator[Server]:
    environ = {name: text for name, text in os.environ.items() if name[:7] != "HUNTER_"}
    process = await asyncio.create_subprocess_exec(sys.executable, *command, env=environ | settings)
    os.sched_setaffinity(process.pid, {server_core()})
    try:
        url = f"http://127.0.0.1:{port}"
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=1800)) as http:
            await _ready(http, url + ready, process)
            yield Server(http, url, process.pid)
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()


async def _ready(
    http: aiohttp.ClientSession, url: str, process: asyncio.subprocess.Process
) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if process.returncode is not None:
            raise RuntimeError(f"the server of {url} ended with code {process.returncode}")
        with contextlib.suppress(aiohttp.ClientError):
            async with http.get(url) as answer:
                if answer.status == 200:
                    return
        await asyncio.sleep(0.05)
    raise RuntimeError(f"{url} did not answer")
