"""Long answers: an error in the middle must not look like an end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from aiohttp.typedefs import Handler
from pytest_aiohttp import AiohttpClient

from hunter.config import Config
from hunter.ops.metrics import Metrics
from hunter.web import streams
from hunter.web.admission import ADMISSION, PLACE, Admission, Load, Place
from hunter.web.streams import stream_csv, stream_ndjson, wanted_format


@pytest.mark.parametrize(
    ("accept", "asked", "expected"),
    [
        ("", None, "json"),
        ("*/*", None, "json"),
        ("application/json", None, "json"),
        ("application/x-ndjson", None, "ndjson"),
        ("application/jsonl;q=0.9, */*", None, "ndjson"),
        ("text/csv", None, "csv"),
        ("text/html, text/csv", None, "csv"),
        ("image/png", None, "json"),
        ("text/csv", "ndjson", "ndjson"),
    ],
)
def test_the_format_is_what_is_asked_for_else_what_is_accepted(
    accept: str, asked: str | None, expected: str
) -> None:
    request = make_mocked_request("GET", "/", headers={"Accept": accept})

    assert wanted_format(request, asked) == expected


async def _client_of(aiohttp_client: AiohttpClient, handler: Handler) -> Any:
    app = web.Application()
    app[ADMISSION] = Admission(Config(), Metrics())

    async def in_its_place(request: web.Request) -> web.StreamResponse:
        gate = app[ADMISSION].gates[Load.READ]
        await gate.enter()
        request[PLACE] = Place(gate)
        try:
            return await handler(request)
        finally:
            request[PLACE].leave()

    app.router.add_get("/", in_its_place)
    return await aiohttp_client(app)


async def _breaking() -> AsyncGenerator[list[Any], None]:
    yield [{"row": number} for number in range(10_000)]
    raise RuntimeError("the database went away")


@pytest.mark.parametrize("coding", ["identity", "gzip", "zstd"])
async def test_a_list_that_breaks_off_is_cut_and_never_looks_whole(
    aiohttp_client: AiohttpClient, coding: str
) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return await stream_ndjson(request, _breaking())

    client = await _client_of(aiohttp_client, handler)

    with pytest.raises(aiohttp.ClientError):
        await (await client.get("/", headers={"Accept-Encoding": coding})).read()


async def test_an_error_before_the_first_row_is_an_error(aiohttp_client: AiohttpClient) -> None:
    stopped: list[bool] = []

    async def none() -> AsyncGenerator[list[Any], None]:
        if not stopped:
            raise web.HTTPNotFound
        yield []

    async def handler(request: web.Request) -> web.StreamResponse:
        return await stream_csv(request, ["a"], none(), "a.csv")

    client = await _client_of(aiohttp_client, handler)

    assert (await client.get("/")).status == 404


async def test_a_caller_who_goes_away_ends_the_stream(aiohttp_client: AiohttpClient) -> None:
    stopped: list[bool] = []

    async def endless() -> AsyncGenerator[list[Any], None]:
        try:
            while True:
                yield [{"row": "x" * 1000} for _ in range(1000)]
        finally:
            stopped.append(True)

    async def handler(request: web.Request) -> web.StreamResponse:
        response = await stream_ndjson(request, endless())
        assert request.transport is None or request.transport.is_closing()
        return response

    client = await _client_of(aiohttp_client, handler)
    answer = await client.get("/", headers={"Accept-Encoding": "identity"})
    await answer.content.readexactly(1000)

    answer.close()
    await client.server.runner.cleanup()

    assert stopped


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@x", "\tx", "\rx"])
async def test_no_cell_is_a_formula(aiohttp_client: AiohttpClient, cell: str) -> None:
    async def rows() -> AsyncGenerator[list[Any], None]:
        yield [[cell, None, 7]]

    async def handler(request: web.Request) -> web.StreamResponse:
        return await stream_csv(request, ["a", "b", "c"], rows(), "a.csv")

    client = await _client_of(aiohttp_client, handler)

    text = await (await client.get("/")).text(encoding="utf-8-sig")
    assert text.partition("\r\n")[2].strip('"').startswith("'")


async def test_a_caller_that_stops_reading_is_let_go(
    aiohttp_client: AiohttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "WRITE_DEADLINE_S", 0.2)
    closed = asyncio.Event()

    async def endless() -> AsyncGenerator[list[Any], None]:
        try:
            while True:
                yield ["x" * 1_000_000]
        finally:
            closed.set()

    async def handler(request: web.Request) -> web.StreamResponse:
        return await stream_ndjson(request, endless())

    client = await _client_of(aiohttp_client, handler)
    _, writer = await asyncio.open_connection(client.host, client.port, limit=1)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")

    async with asyncio.timeout(20):
        await closed.wait()
    writer.close()
