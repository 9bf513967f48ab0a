"""The API and the worker as processes of their own, for what they tell others."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import aiohttp
import pytest

from hunter.config import Config

#: command, port and settings to the URL of the process, which runs while inside
Start = Callable[..., AbstractAsyncContextManager[str]]


@pytest.fixture
def start(config: Config) -> Start:
    """Start `hunter serve` or `hunter work` over the test's servers."""

    @asynccontextmanager
    async def process(command: str, port: int, **more: str) -> AsyncIterator[str]:
        environ = {name: text for name, text in os.environ.items() if name[:7] != "HUNTER_"}
        setting = "HUNTER_PORT" if command == "serve" else "HUNTER_WORKER_PORT"
        environ |= {
            setting: str(port),
            "HUNTER_DATABASE_URL": str(config.database_url),
            "HUNTER_REDIS_URL": str(config.redis_url),
            "HUNTER_DATA_DIR": str(config.data_dir),
            "HUNTER_ALLOW_TEST_NAMES": "true",
        }
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "hunter",
            command,
            env=environ | more,
            stdout=asyncio.subprocess.DEVNULL,
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
