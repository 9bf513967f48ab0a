"""One whole Hunter, every part a process of its own, over zones whose truth is known."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from hunter.local.servers import free_port
from hunter.local.stack import running
from hunter.local.zones import Company, generate, zone_text

COMPANIES = 1300


@dataclass(frozen=True, slots=True)
class Client:
    """A caller of the running API."""

    http: aiohttp.ClientSession
    url: str
    worker_url: str

    async def get(self, path: str, **params: str) -> Any:
        async with self.http.get(f"{self.url}/api/v1{path}", params=params) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def finished(self, job: str) -> dict[str, Any]:
        async with asyncio.timeout(60):
            while True:
                progress: dict[str, Any] = await self.get(f"/scan/bulk/{job}")
                if progress["status"] in {"completed", "cancelled"}:
                    return progress
                await asyncio.sleep(0.1)

    async def pages(self, path: str, **params: str) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = []
        cursor = ""
        while True:
            page = await self.get(path, **params, **({"cursor": cursor} if cursor else {}))
            items += page["items"]
            cursor = page["next_cursor"] or ""
            if not cursor:
                return items


@pytest.fixture(scope="session")
def companies() -> list[Company]:
    return list(generate(COMPANIES, seed=7))


@pytest.fixture(scope="session")
async def hunter(companies: list[Company], scratch: Path) -> AsyncIterator[Client]:
    """API and worker as processes, over a name server that serves the companies' zones."""
    folder = scratch / "e2e"
    folder.mkdir()
    zone = folder / "companies.zone"
    zone.write_text(zone_text(companies))
    server = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "hunter.local.nameserver",
        "--zone",
        str(zone),
        stdout=asyncio.subprocess.PIPE,
    )
    assert server.stdout is not None
    told = (await server.stdout.readline()).decode().strip()
    environ = dict(os.environ) | {
        "HUNTER_DATA_DIR": str(folder / "data"),
        "HUNTER_PORT": str(free_port()),
        "HUNTER_WORKER_PORT": str(free_port()),
        "HUNTER_DNS_SERVERS": told.removeprefix("listening on "),
        "HUNTER_ALLOW_TEST_NAMES": "true",
    }
    try:
        async with (
            running(environ, lambda _line: None, throwaway=True) as stack,
            aiohttp.ClientSession() as http,
        ):
            worker_url = f"http://127.0.0.1:{environ['HUNTER_WORKER_PORT']}"
            yield Client(http, stack.url, worker_url)
    finally:
        server.terminate()
        await server.wait()
