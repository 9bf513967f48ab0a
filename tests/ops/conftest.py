"""The API and the worker as processes of their own, for what they tell others."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from hunter.config import Config

#: command, port and settings to the URL of the process, which runs while inside
Start = Callable[..., AbstractAsyncContextManager[str]]


class Ingest:
    """What a Sentry server would have got."""

    def __init__(self) -> None:
        #: where a process sends its errors
        self.dsn = ""
        self.events: list[dict[str, Any]] = []
        self.raw = b""
        self.came = asyncio.Condition()

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.raw += body
        for line in body.splitlines():
            try:
                item = json.loads(line)
            except ValueError:
                continue
            if "event_id" in item and ("exception" in item or "message" in item):
                self.events.append(item)
        async with self.came:
            self.came.notify_all()
        return web.json_response({})

    async def until(self, count: int) -> None:
        async with asyncio.timeout(30), self.came:
            await self.came.wait_for(lambda: len(self.events) >= count)


@pytest.fixture
async def ingest() -> AsyncIterator[Ingest]:
    """A Sentry on loopback that keeps what it gets."""
    taken = Ingest()
    app = web.Application()
    app.router.add_post("/api/1/envelope/", taken.take)
    async with TestServer(app) as server:
        taken.dsn = f"http://public@127.0.0.1:{server.port}/1"
        yield taken


@pytest.fixture
def start(config: Config) -> Start:
    """Start `hunter serve` or `hunter work` over the test's servers; `log` gets what it writes."""

    @asynccontextmanager
    async def process(
        command: str, port: int, log: Path | None = None, **more: str
    ) -> AsyncIterator[str]:
        environ = {name: text for name, text in os.environ.items() if name[:7] != "HUNTER_"}
        setting = "HUNTER_PORT" if command == "serve" else "HUNTER_WORKER_PORT"
        environ |= {
            setting: str(port),
            "HUNTER_DATABASE_URL": str(config.database_url),
            "HUNTER_REDIS_URL": str(config.redis_url),
            "HUNTER_DATA_DIR": str(config.data_dir),
            "HUNTER_ALLOW_TEST_NAMES": "true",
        }
        with (log or Path(os.devnull)).open("ab") as out:
            child = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "hunter", command, env=environ | more, stdout=out, stderr=out
            )
        url = f"http://127.0.0.1:{port}"
        try:
            async with aiohttp.ClientSession() as http, asyncio.timeout(30):
                while not await _is_ready(http, url):
                    await asyncio.sleep(0.05)
            yield url
        finally:
            child.terminate()
            await child.wait()

    return process


async def _is_ready(http: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with http.get(f"{url}/healthz/startup") as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False
