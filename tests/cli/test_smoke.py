"""`hunter smoke` against a whole Hunter, and against one with something wrong."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from hunter.cli.main import Exit
from hunter.config import Config
from hunter.local.nameserver import NameServer
from hunter.local.servers import free_port
from hunter.web.app import run_api
from hunter.worker.app import run_worker

if TYPE_CHECKING:
    from tests.cli.conftest import Hunter

ZONE = """
firma.test 300 MX 10 mail.firma.test
firma.test 300 TXT "v=spf1 mx -all"
"""


@pytest.fixture
async def url(config: Config) -> AsyncIterator[str]:
    """API and worker over a name server that knows one company."""
    stop, port = asyncio.Event(), free_port()
    async with NameServer(ZONE) as server, asyncio.TaskGroup() as group:
        settings = dataclasses.replace(
            config, port=port, worker_port=free_port(), dns_servers=(server.address,)
        )
        group.create_task(run_api(settings, stop=stop))
        group.create_task(run_worker(settings, stop=stop))
        yield f"http://127.0.0.1:{port}"
        stop.set()


async def test_a_whole_hunter_passes_line_by_line(hunter: Hunter, url: str) -> None:
    ended = await hunter("smoke", "--url", url, "--domain", "firma.test")

    assert ended.code == Exit.OK, ended.out
    assert [line.split()[0] for line in ended.out.splitlines()] == ["ok"] * 12
    assert "is the sum of its lines" in ended.out


async def test_read_only_writes_nothing(hunter: Hunter, url: str) -> None:
    ended = await hunter("smoke", "--url", url, "--read-only")

    assert ended.code == Exit.OK, ended.out
    assert len(ended.out.splitlines()) == 9


async def test_an_api_that_is_away_fails_every_line(hunter: Hunter) -> None:
    ended = await hunter("smoke", "--url", f"http://127.0.0.1:{free_port()}")

    assert ended.code == Exit.FAILED
    assert {line.split()[0] for line in ended.out.splitlines()} == {"FAIL"}


async def test_a_stranger_that_answers_everything_with_200_is_found_out(hunter: Hunter) -> None:
    async def empty(_request: web.Request) -> web.Response:
        return web.json_response({})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", empty)
    async with TestServer(app) as server:
        ended = await hunter("smoke", "--url", str(server.make_url("")), "--read-only")

    assert ended.code == Exit.FAILED
    assert ended.out.count("FAIL") == 8  # only /healthz/startup promises nothing but its status
