"""Raw bytes against the real server: no request hides in another, nobody holds a connection for ever."""

from __future__ import annotations

import asyncio
import dataclasses
import gzip
import json
import zlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from hunter.config import Config, Secret
from hunter.web import bodies, connection
from hunter.web.admission import ADMISSION, Load
from hunter.web.app import create_app
from hunter.web.connection import ApiRunner, Door
from hunter.web.keys import METRICS

API = "/api/v1"
KEY = "an admin key of more than 24 characters"
#: longer than any deadline a test sets, shorter than the test's own
PATIENCE_S = 20.0


@pytest.fixture
async def app(config: Config) -> web.Application:
    """An API that wants a key."""
    return create_app(
        dataclasses.replace(config, admin_key=Secret(KEY), body_max_bytes=1024 * 1024)
    )


@pytest.fixture
async def port(app: web.Application) -> AsyncIterator[int]:
    """The port of the API over its own connections."""
    runner = ApiRunner(app, access_log=None, keepalive_timeout=75)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield runner.addresses[0][1]
    await runner.cleanup()


async def say(port: int, *pieces: bytes, pause_s: float = 0.0) -> bytes:
    """Send the pieces and hear the server out until it hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(PATIENCE_S):
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(pause_s)
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


def get(path: str, *headers: str, end: bool = True) -> bytes:
    lines = [f"GET {path} HTTP/1.1", "Host: x", *headers, *(["Connection: close"] if end else [])]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def post(path: str, body: bytes, *headers: str) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: x", f"X-API-Key: {KEY}", "Connection: close", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


def answers(text: bytes) -> list[tuple[int, dict[str, str], bytes]]:
    """The answers in what a server said."""
    found = []
    while text:
        head, _, rest = text.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        assert first.startswith("HTTP/1."), text[:200]
        headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in lines)}
        size = int(headers.get("content-length", len(rest)))
        found.append((int(first.split()[1]), headers, rest[:size]))
        text = rest[size:]
    return found


def only(text: bytes) -> tuple[int, dict[str, str], dict[str, Any]]:
    """The one answer, which is JSON."""
    ((status, headers, body),) = answers(text)
    return status, headers, json.loads(body)


SMUGGLED = b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
HIDDEN = [
    ("both lengths", b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n" + SMUGGLED),
    ("two lengths", b"Content-Length: 4\r\nContent-Length: 40\r\n", b"{}{}" + SMUGGLED),
    ("a list of lengths", b"Content-Length: 4, 40\r\n", b"{}{}" + SMUGGLED),
    ("a signed length", b"Content-Length: +4\r\n", b"{}{}" + SMUGGLED),
    ("a negative length", b"Content-Length: -1\r\n", SMUGGLED),
    ("a length in hex", b"Content-Length: 0x4\r\n", b"{}{}" + SMUGGLED),
    ("a length with an underscore", b"Content-Length: 1_0\r\n", b"0123456789" + SMUGGLED),
    ("a length beyond all", b"Content-Length: 99999999999999999999999\r\n", SMUGGLED),
    ("space before the colon", b"Content-Length : 4\r\n", b"{}{}" + SMUGGLED),
    ("space before chunked's colon", b"Transfer-Encoding : chunked\r\n", b"0\r\n\r\n" + SMUGGLED),
    ("a tab in the coding", b"Transfer-Encoding:\tchunked\x0b\r\n", b"0\r\n\r\n" + SMUGGLED),
    ("an unknown coding", b"Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n" + SMUGGLED),
    ("chunked, but not last", b"Transfer-Encoding: chunked, identity\r\n", b"0\r\n\r\n" + SMUGGLED),
    ("chunked twice", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n" + SMUGGLED),
    ("a folded header", b"Transfer-Encoding:\r\n chunked\r\n", b"0\r\n\r\n" + SMUGGLED),
    ("a header without a name", b": chunked\r\n", b"" + SMUGGLED),
    ("a bare line feed", b"X: 1\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n" + SMUGGLED),
    ("a NUL in a header", b"X: a\x00b\r\n", SMUGGLED),
    ("a bare carriage return", b"X: 1\rContent-Length: 4\r\n", b"{}{}" + SMUGGLED),
    ("a chunk of an odd size", b"Transfer-Encoding: chunked\r\n", b"0x2\r\n{}\r\n0\r\n\r\n" + SMUGGLED),
    ("a signed chunk", b"Transfer-Encoding: chunked\r\n", b"-1\r\n{}\r\n0\r\n\r\n" + SMUGGLED),
    ("a chunk longer than said", b"Transfer-Encoding: chunked\r\n", b"2\r\n{}xx\r\n0\r\n\r\n" + SMUGGLED),
]  # fmt: skip


@pytest.mark.parametrize(
    ("headers", "body"), [row[1:] for row in HIDDEN], ids=[r[0] for r in HIDDEN]
)
async def test_no_request_hides_in_another(port: int, headers: bytes, body: bytes) -> None:
    head = b"POST /api/v1/scan/domain HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"

    heard = answers(await say(port, head + headers + b"\r\n" + body))

    assert len(heard) <= 2
    assert all(status >= 400 for status, _, _ in heard), "the hidden request was answered"
    assert all(b"http_requests_total" not in answer for _, _, answer in heard)
    for _, told, answer in heard:
        assert told["content-type"].startswith("application/problem+json")
        assert "x-request-id" in told
        assert b"metrics" not in answer


@pytest.mark.parametrize(
    ("line", "status", "slug"),
    [
        (b"rubbish\r\n\r\n", 400, "malformed-request"),
        (b"GET / HTTP/9.9\r\n\r\n", 400, "malformed-request"),
        (b"G\x00T / HTTP/1.1\r\n\r\n", 400, "malformed-request"),
        (b"GET /a b HTTP/1.1\r\n\r\n", 400, "malformed-request"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400, "malformed-request"),
        (b"GET / HTTP/1.1\r\nHost x\r\n\r\n", 400, "malformed-request"),
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n\r\n", 431, "headers-too-large"),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 9000 + b"\r\n\r\n", 431, "headers-too-large"),
    ],
)
async def test_what_is_no_request_is_told_as_a_problem(
    port: int, line: bytes, status: int, slug: str
) -> None:
    told, headers, body = only(await say(port, line))

    assert (told, body["status"], body["type"]) == (status, status, f"/problems/{slug}")
    assert headers["content-type"].startswith("application/problem+json")
    assert body["instance"] == f"urn:uuid:{headers['x-request-id']}"
    assert "rubbish" not in body["detail"]


async def test_headers_without_end_are_refused_by_size(port: int) -> None:
    lines = [f"X-{number}: {'a' * 1000}\r\n".encode() for number in range(40)]

    heard = await say(port, b"GET / HTTP/1.1\r\n", *lines)

    assert heard == b"" or only(heard)[2]["type"] == "/problems/headers-too-large"


async def test_slow_headers_are_cut(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "HEADERS_S", 0.3)

    told, headers, body = only(await say(port, b"GET / HTTP/1.1\r\nHost: x\r\nX: "))

    assert (told, body["type"]) == (408, "/problems/request-timeout")
    assert headers["connection"] == "close"


async def test_headers_that_come_in_pieces_are_a_request(port: int) -> None:
    whole = get("/healthz/live")

    heard = await say(port, *[whole[i : i + 7] for i in range(0, len(whole), 7)], pause_s=0.001)

    assert only(heard)[2] == {"status": "alive"}


@pytest.mark.parametrize("sent", [b"", b'{"dom', b"a"])
async def test_a_slow_body_is_cut(port: int, sent: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "IDLE_S", 0.2)
    request = post(
        f"{API}/scan/domain", sent, "Content-Type: application/json", "Content-Length: 1000"
    )

    heard = answers(await say(port, request))

    assert heard[0][0] == 408


async def test_pipelined_requests_are_answered_each_in_its_turn(port: int) -> None:
    live, nowhere = get("/healthz/live", end=False), get("/problems/none", end=False)

    heard = answers(await say(port, live + nowhere + live + get("/problems/not-found")))

    assert [status for status, _, _ in heard] == [200, 404, 200, 200]
    assert len({told["x-request-id"] for _, told, _ in heard}) == 4


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "gzip, gzip"])
async def test_a_body_that_unpacks_to_too_much_is_refused(port: int, coding: str) -> None:
    spaces = b" " * (8 * 1024 * 1024)
    packed = zlib.compress(spaces) if coding == "deflate" else gzip.compress(spaces)
    headers = (
        f"Content-Encoding: {coding}", "Content-Type: text/plain", f"Content-Length: {len(packed)}",
    )  # fmt: skip

    status, _, body = only(await say(port, post(f"{API}/scan/bulk", packed, *headers)))

    assert status in {400, 413, 415, 422}, body
    assert body["type"].startswith("/problems/")


TRAVERSALS = ["../../etc/passwd", "..%2f..%2fetc%2fpasswd", "%2e%2e/%2e%2e/etc/passwd", "..\\..\\etc", "%00", "....//etc", "/etc/passwd", "%252e%252e%252f"]  # fmt: skip


@pytest.mark.parametrize("path", TRAVERSALS)
async def test_no_path_leads_to_a_file_of_the_machine(port: int, path: str) -> None:
    for base in ("/static/", "/problems/", "/docs/", f"{API}/leads/", "/"):
        heard = await say(port, get(base + path, f"X-API-Key: {KEY}"))
        assert b"root:" not in heard
        assert answers(heard)[0][0] in {400, 401, 404, 405, 422}, (base, heard[:200])


@pytest.mark.parametrize("bad", ["%0d%0aX-Evil:%201", "%0aX-Evil:1", "%E5%98%8A%E5%98%8DX-Evil:1"])
async def test_no_header_can_be_put_into_an_answer(port: int, bad: str) -> None:
    asked = [
        get(f"/leads/{bad}", f"X-API-Key: {KEY}"),
        get(f"{API}/leads?q={bad}&cursor={bad}", f"X-API-Key: {KEY}"),
        get(f"{API}/scan/bulk/{bad}/results?format=csv", f"X-API-Key: {KEY}"),
        get(f"/problems/{bad}"),
        get("/", f"X-Request-ID: {bad}", f"Accept-Language: {bad}"),
        post(f"{API}/scan/domain?depth={bad}", b"{}", "Content-Type: application/json", "Content-Length: 2", f"Idempotency-Key: {bad}", f"Prefer: wait={bad}"),
    ]  # fmt: skip
    for request in asked:
        for _, headers, _ in answers(await say(port, request)):
            assert "x-evil" not in headers


async def test_a_full_server_turns_reads_away_unparsed_and_goes_on_afterwards(
    app: web.Application, port: int
) -> None:
    gate = app[ADMISSION].gates[Load.READ]
    places, queue = gate.places, gate.queue
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    async def ask(request: bytes) -> tuple[int, dict[str, str], bytes]:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        ((_, headers, _),) = answers(head[:-4].replace(b"Content-Length", b"X-Size") + b"\r\n\r\n")
        size = int(headers["x-size"])
        return int(head.split()[1]), headers, await reader.readexactly(size)

    async with asyncio.timeout(PATIENCE_S):
        gate.places = gate.queue = 0
        shed = [await ask(get(f"{API}/leads?q=x", end=False)) for _ in range(3)]
        parsed = app_requests(app)
        probe = await ask(get("/healthz/live", end=False))
        gate.places, gate.queue = places, queue
        served = await ask(get(f"{API}/leads", f"X-API-Key: {KEY}", end=False))
    writer.close()

    assert parsed == 0, "a request that is turned away costs no more than its bytes"
    assert gate.shed == 3
    assert len({headers["x-request-id"] for _, headers, _ in shed}) == 3
    for status, headers, text in shed:
        body = json.loads(text)
        assert (status, body["type"]) == (503, "/problems/overloaded")
        assert int(headers["retry-after"]) >= 1
        assert body["instance"] == f"urn:uuid:{headers['x-request-id']}"
    assert (probe[0], served[0]) == (200, 200)


def app_requests(app: web.Application) -> int:
    """Requests the application has counted."""
    return int(sum(app[METRICS].http_requests_total.values.values()))


def test_only_a_whole_plain_read_is_turned_away_unparsed(app: web.Application) -> None:
    door = Door(app)

    assert door.turns_away(get(f"{API}/leads?q=x", end=False))
    assert door.turns_away(get("/leads", end=False))
    for other in (
        get("/healthz/live", end=False),
        get("/metrics", end=False),
        get(f"{API}/scan/bulk/1/events", end=False),
        get(f"{API}/leads"),
        get(f"{API}/leads", "Content-Length: 5", end=False),
        get(f"{API}/leads", "Transfer-Encoding: chunked", end=False),
        get(f"{API}/leads", "Upgrade: h2c", end=False),
        get(f"{API}/leads", end=False)[:-2],
        get(f"{API}/leads", end=False) * 2,
        get(f"{API}/leads", end=False).replace(b"1.1", b"1.0"),
        post(f"{API}/leads", b""),
    ):
        assert not door.turns_away(other), other
