"""`hunter ingest`: what it says when the API is away, strange, or refuses."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from hunter.cli.main import Exit
from hunter.local.servers import free_port

if TYPE_CHECKING:
    from tests.cli.conftest import Hunter

Serve = Callable[[web.Response], Awaitable[str]]


@pytest.fixture
async def someone_else(tmp_path: Path) -> AsyncIterator[Serve]:
    """A server that is not Hunter: gives every request the same answer."""
    runners: list[web.AppRunner] = []

    async def serve(response: web.Response) -> str:
        async def handler(request: web.Request) -> web.Response:
            await request.read()
            return response

        app = web.Application()
        app.router.add_route("*", "/{path:.*}", handler)
        runner = web.AppRunner(app)
        runners.append(runner)
        await runner.setup()
        port = free_port()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        return f"http://127.0.0.1:{port}"

    (tmp_path / "liste.csv").write_text("website\nkaya.test\n")
    yield serve
    for runner in runners:
        await runner.cleanup()


async def test_no_api_is_one_line_with_the_way_out(hunter: Hunter, tmp_path: Path) -> None:
    (tmp_path / "liste.csv").write_text("website\nkaya.test\n")

    ended = await hunter("ingest", "liste.csv", "--url", "http://127.0.0.1:1")

    assert ended.code == Exit.FAILED
    assert ended.err == (
        "hunter: no API answers at http://127.0.0.1:1: start one with `hunter up`, "
        "or name it with --url\n"
    )


async def test_a_url_that_is_none_is_told(hunter: Hunter, tmp_path: Path) -> None:
    (tmp_path / "liste.csv").write_text("website\nkaya.test\n")

    ended = await hunter("ingest", "liste.csv", "--url", "hunter.example")

    assert ended.code == Exit.USAGE
    assert ended.err.startswith("hunter: hunter.example is not the URL of an API")


@pytest.mark.parametrize(
    ("response", "code", "told"),
    [
        (web.Response(text="hello"), Exit.FAILED, "does not speak like Hunter's API"),
        (
            web.Response(text="{", content_type="application/json"),
            Exit.FAILED,
            "does not speak like Hunter's API",
        ),
        (web.json_response([]), Exit.FAILED, "does not speak like Hunter's API"),
        (
            web.Response(status=502, text="<h1>Bad"),
            Exit.FAILED,
            "the API answered 502 without saying why",
        ),
        (
            web.json_response({"title": "Busy", "detail": "Try later."}, status=503),
            Exit.FAILED,
            "hunter: the API answered 503: Try later.",
        ),
        (
            web.json_response({"title": "Unauthorized", "detail": "No key."}, status=401),
            Exit.USAGE,
            "hunter: No key. (set HUNTER_ADMIN_KEY to the API's key)",
        ),
        (
            web.json_response(
                {"detail": "Not a table.", "errors": [{"pointer": "/file", "detail": "send CSV"}]},
                status=422,
            ),
            Exit.USAGE,
            "hunter: Not a table.\nhunter: /file: send CSV",
        ),
    ],
    ids=["text", "broken", "array", "proxy", "busy", "no key", "problem"],
)
async def test_what_comes_back_is_told_in_one_line(
    hunter: Hunter, someone_else: Serve, response: web.Response, code: int, told: str
) -> None:
    url = await someone_else(response)

    ended = await hunter("ingest", "liste.csv", "--url", url)

    assert ended.code == code
    assert told in ended.err
    assert "Traceback" not in ended.err
