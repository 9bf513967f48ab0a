"""A request out: what comes back, and every limit it keeps."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest
from aiohttp import web

from hunter.config import Config
from hunter.core.errors import Misconfigured
from hunter.outbound.guard import Failure, OutboundError
from hunter.outbound.http import Http, Limits, open_outbound, tls_context

pytestmark = pytest.mark.tool("openssl")

Open = Callable[..., Awaitable[Http]]
Serve = Callable[..., Awaitable[int]]
LIMITS = Limits(timeout_s=20, body_bytes=1000)


async def here(_name: str) -> Sequence[str]:
    return ["127.0.0.1"]


async def hello(_request: web.Request) -> web.Response:
    return web.Response(text="hello")


async def _failure(http: Http, url: str, limits: Limits = LIMITS) -> Failure:
    with pytest.raises(OutboundError) as failed:
        await http.get(url, limits)
    return failed.value.failure


async def test_an_answer_comes_back_as_it_is(open_client: Open, serve: Serve) -> None:
    async def teapot(_request: web.Request) -> web.Response:
        return web.Response(
            status=418, text="short", headers={"X-Kind": "tea", "Set-Cookie": "a=b"}
        )

    http = await open_client(here)
    port = await serve({"/": teapot}, "good.test")

    found = await http.get(f"https://good.test:{port}/#part", LIMITS)

    assert (found.status, found.body, found.hops) == (418, b"short", 0)
    assert found.headers["x-kind"] == "tea"
    assert found.media_type == "text/plain"
    assert found.url == f"https://good.test:{port}/"


async def test_no_cookie_is_ever_sent_back_and_who_asks_is_named(
    serve: Serve, authority_file: Path
) -> None:
    seen = []

    async def note(request: web.Request) -> web.Response:
        seen.append(request.headers.copy())
        return web.Response(headers={"Set-Cookie": "id=1; Path=/"})

    port = await serve({"/": note}, "good.test")
    config = Config(
        outbound_loopback=True,
        outbound_ca_file=str(authority_file),
        outbound_contact="https://example.com/why",
    )
    async with open_outbound(config, here) as http:
        for _ in range(2):
            await http.get(f"https://good.test:{port}/", LIMITS)

    assert all("Cookie" not in headers for headers in seen)
    assert all("(+https://example.com/why)" in headers["User-Agent"] for headers in seen)
    assert len(seen) == 2


@pytest.mark.parametrize(
    ("names", "days"),
    [(["other.test"], 2), (["good.test"], -1), ([], 2), (["*.good.test"], 2)],
    ids=["another name", "expired", "common name only", "wildcard below"],
)
async def test_a_certificate_that_is_not_for_the_name_is_refused(
    names: list[str], days: int, open_client: Open, serve: Serve
) -> None:
    port = await serve({"/": hello}, *names, days=days)

    http = await open_client(here)

    assert await _failure(http, f"https://good.test:{port}/") is Failure.CERTIFICATE


async def test_a_certificate_of_a_stranger_is_refused(serve: Serve) -> None:
    port = await serve({"/": hello}, "good.test")

    async with open_outbound(Config(outbound_loopback=True), here) as http:
        assert await _failure(http, f"https://good.test:{port}/") is Failure.CERTIFICATE


async def test_a_body_larger_than_asked_for_is_cut(open_client: Open, serve: Serve) -> None:
    sent = asyncio.Event()

    async def endless(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        try:
            while True:
                await answer.write(b"x" * 10_000)
        finally:
            sent.set()

    http = await open_client(here)
    port = await serve({"/": endless}, "good.test")

    assert await _failure(http, f"https://good.test:{port}/") is Failure.TOO_LARGE
    await sent.wait()  # the connection was closed, not left open


async def test_a_body_of_the_size_asked_for_is_whole(open_client: Open, serve: Serve) -> None:
    async def full(_request: web.Request) -> web.Response:
        return web.Response(body=b"x" * 1000)

    http = await open_client(here)
    port = await serve({"/": full}, "good.test")

    assert len((await http.get(f"https://good.test:{port}/", LIMITS)).body) == 1000


@pytest.mark.parametrize("part", [b"", b"some"])
async def test_a_slow_answer_ends_in_time(part: bytes, open_client: Open, serve: Serve) -> None:
    left = asyncio.Event()

    async def slow(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        if part:
            await answer.prepare(request)
            await answer.write(part)
        await left.wait()
        return answer

    http = await open_client(here)
    port = await serve({"/": slow}, "good.test")

    found = await _failure(http, f"https://good.test:{port}/", Limits(timeout_s=0.2, body_bytes=9))
    left.set()

    assert found is Failure.TIMEOUT


async def test_a_compressed_body_is_not_unpacked(open_client: Open, serve: Serve) -> None:
    async def bomb(request: web.Request) -> web.Response:
        assert request.headers["Accept-Encoding"] == "identity"
        packed = gzip.compress(bytes(10_000_000))
        return web.Response(body=packed[:500], headers={"Content-Encoding": "gzip"})

    http = await open_client(here)
    port = await serve({"/": bomb}, "good.test")

    assert await _failure(http, f"https://good.test:{port}/") is Failure.PROTOCOL


async def test_what_is_no_http_is_told_as_such(open_client: Open) -> None:
    async def banner(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.test ESMTP\r\n")
        writer.close()

    http = await open_client(here, allow_plain=True)
    async with await asyncio.start_server(banner, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]

        assert await _failure(http, f"http://mail.test:{port}/") is Failure.PROTOCOL
        assert await _failure(http, f"https://mail.test:{port}/") is Failure.PROTOCOL


async def test_headers_without_an_end_are_refused(open_client: Open) -> None:
    async def chatty(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100_000)
        writer.close()

    http = await open_client(here, allow_plain=True)
    async with await asyncio.start_server(chatty, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]

        assert await _failure(http, f"http://chatty.test:{port}/") is Failure.PROTOCOL


async def test_redirections_are_followed_as_far_as_asked_and_no_further(
    open_client: Open, serve: Serve
) -> None:
    async def on(request: web.Request) -> web.Response:
        left = int(request.match_info["left"])
        if not left:
            return web.Response(text="there")
        return web.Response(status=302, headers={"Location": f"/{left - 1}"})

    http = await open_client(here)
    port = await serve({"/{left}": on}, "good.test")
    three = Limits(timeout_s=20, body_bytes=100, redirects=3)

    there = await http.get(f"https://good.test:{port}/3", three)
    unfollowed = await http.get(f"https://good.test:{port}/3", LIMITS)

    assert (there.body, there.hops, there.url) == (b"there", 3, f"https://good.test:{port}/0")
    assert (unfollowed.status, unfollowed.hops) == (302, 0)
    assert await _failure(http, f"https://good.test:{port}/4", three) is Failure.REDIRECT


async def test_a_redirection_to_nowhere_and_one_of_a_body_are_refused(
    open_client: Open, serve: Serve
) -> None:
    async def nowhere(_request: web.Request) -> web.Response:
        return web.Response(status=301, headers={"Location": "https://[::1"})

    http = await open_client(here)
    port = await serve({"/": nowhere}, "good.test")
    limits = Limits(timeout_s=20, body_bytes=100, redirects=1)

    assert await _failure(http, f"https://good.test:{port}/", limits) is Failure.REDIRECT
    with pytest.raises(OutboundError, match="not sent on"):
        await http.request("POST", f"https://good.test:{port}/", limits, body=b"secret")


def test_a_file_without_authorities_is_named(tmp_path: Path) -> None:
    empty = tmp_path / "authorities.pem"
    empty.write_text("nothing")

    for path in (empty, tmp_path / "missing.pem"):
        with pytest.raises(Misconfigured, match="HUNTER_OUTBOUND_CA_FILE"):
            tls_context(str(path))
