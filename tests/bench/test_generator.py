"""The load generator charges a server for what waited, and `make load` fails by its limits."""

from __future__ import annotations

import argparse
import asyncio
import itertools
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from generator import closed_loop, mixed, open_loop, request
from load import main as load
from pytest_aiohttp import AiohttpClient

from hunter.config import Config
from hunter.web.app import create_app


async def _server(handler: Any) -> TestServer:
    app = web.Application()
    app.router.add_get("/", handler)
    server = TestServer(app)
    await server.start_server()
    return server


async def test_a_stall_is_charged_to_all_who_waited_for_it() -> None:
    stall, told = asyncio.Event(), itertools.count()

    async def once(_request: web.Request) -> web.Response:
        if next(told) == 0:
            asyncio.get_running_loop().call_later(0.3, stall.set)
            await stall.wait()
        return web.Response(body=b"x")

    server = await _server(once)
    url = str(server.make_url("/"))

    outcome = await open_loop(
        url, itertools.repeat(request("x", "/")), rate=100, seconds=0.5, connections=1
    )

    await server.close()
    assert outcome.answered + outcome.broken == 50
    # 30 were due while one connection waited 0.3 s: a closed loop would have seen one slow answer
    slow = sum(each > 0.05 for each in outcome.latencies_s)
    assert slow >= 20


async def test_answers_in_chunks_and_errors_are_counted_as_they_are() -> None:
    number = itertools.count()

    async def odd(http: web.Request) -> web.StreamResponse:
        if next(number) % 2:
            return web.Response(status=503)
        response = web.StreamResponse()
        response.enable_chunked_encoding()
        await response.prepare(http)
        await response.write(b"abc")
        await response.write_eof()
        return response

    server = await _server(odd)

    outcome = await closed_loop(
        str(server.make_url("/")), itertools.repeat(request("x", "/")), connections=1, seconds=0.2
    )

    await server.close()
    assert abs(outcome.statuses[200] - outcome.statuses[503]) <= 1
    assert outcome.good == outcome.statuses[200]
    assert outcome.error_share == pytest.approx(0.5, abs=0.1)
    assert outcome.broken == 0


def test_a_mix_has_each_kind_in_its_share() -> None:
    asked = mixed((3, itertools.repeat(b"a")), (1, itertools.repeat(b"b")))

    assert sorted(itertools.islice(asked, 8)) == [b"a"] * 6 + [b"b"] * 2


@pytest.mark.parametrize(("p95_ms", "status"), [(60_000.0, 0), (0.0, 1)])
async def test_a_load_passes_or_fails_by_its_limit(
    aiohttp_client: AiohttpClient, config: Config, p95_ms: float, status: int
) -> None:
    client = await aiohttp_client(create_app(config))
    options = argparse.Namespace(
        url=str(client.make_url("")),
        rate=20.0,
        seconds=0.5,
        connections=4,
        p95_ms=p95_ms,
        no_scans=False,
    )

    assert await load(options) == status


async def test_a_load_on_nobody_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    options = argparse.Namespace(
        url="http://127.0.0.1:1", rate=1.0, seconds=0.1, connections=1, p95_ms=1.0, no_scans=True
    )

    assert await load(options) == 2
    assert "cannot be asked" in capsys.readouterr().err
