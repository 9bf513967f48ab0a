"""Registration data from real servers on loopback, kind ones and others."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from hunter.core.rdap import Bootstrap
from hunter.core.registration import Registration, RegistrationState
from hunter.outbound import registries
from hunter.outbound.http import Http, Limits
from hunter.outbound.rates import Rates
from hunter.outbound.registries import Registries, Told, retry_after

pytestmark = pytest.mark.tool("openssl")

Open = Callable[..., Awaitable[Http]]
Serve = Callable[..., Awaitable[int]]
Ask = Callable[..., Awaitable[Told]]
HOST = "rdap.test"
NOW = dt.datetime(2026, 11, 24, 4, 0, tzinfo=dt.UTC)
CONTOSO = {
    "objectClassName": "domain",
    "ldhName": "CONTOSO.COM",
    "status": ["client transfer prohibited"],
    "events": [
        {"eventAction": "registration", "eventDate": "1997-08-04T04:00:00Z"},
        {"eventAction": "expiration", "eventDate": "2027-08-03T04:00:00Z"},
    ],
    "entities": [
        {"roles": ["registrar"], "vcardArray": ["vcard", [["fn", {}, "text", "Natro"]]]},
        {"roles": ["registrant"], "vcardArray": ["vcard", [["fn", {}, "text", "Ada Canary"]]]},
    ],
    "secureDNS": {"delegationSigned": False},
}


async def here(name: str) -> Sequence[str]:
    return ["10.0.0.1"] if name.startswith("private") else ["127.0.0.1"]


def answer(body: object = CONTOSO, status: int = 200, **headers: str) -> web.Response:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return web.Response(
        status=status, body=data, headers={"Content-Type": "application/rdap+json"} | named
    )


@pytest.fixture
def ask(open_client: Open, serve: Serve) -> Ask:
    """Asks a registry that gives this answer about contoso.com."""

    async def asked(
        reply: Callable[[web.Request], web.StreamResponse | Awaitable[web.StreamResponse]],
        *,
        rates: Rates | None = None,
        before: tuple[str, ...] = (),
    ) -> Told:
        async def handler(request: web.Request) -> web.StreamResponse:
            found = reply(request)
            return found if isinstance(found, web.StreamResponse) else await found

        port = await serve({"/{path:.*}": handler}, HOST, "private.test")
        known = Bootstrap({"com": (*before, f"https://{HOST}:{port}/v1/")})
        client = Registries(await open_client(here), known, rates or Rates(1000))
        return await client.look_up("contoso.com")

    return asked


async def test_a_registry_tells_registrar_days_and_statuses_and_is_asked_politely(
    ask: Ask,
) -> None:
    seen = []

    def reply(request: web.Request) -> web.Response:
        seen.append((request.method, request.path, request.headers["Accept"]))
        return answer()

    told = await ask(reply)

    found = told.registration
    assert seen == [
        ("GET", "/v1/domain/contoso.com", "application/rdap+json, application/json;q=0.9")
    ]
    assert (found.state, found.registrar) == (RegistrationState.REGISTERED, "Natro")
    assert (found.created, found.expires) == (dt.date(1997, 8, 4), dt.date(2027, 8, 3))
    assert (found.statuses, found.delegation_signed) == (("client transfer prohibited",), False)
    assert (found.source, found.server) == ("rdap", HOST)
    assert abs(dt.datetime.fromisoformat(found.observed_at) - dt.datetime.now(dt.UTC)).days == 0
    assert "canary" not in repr(told).lower()


@pytest.mark.parametrize("body", [b"", {"errorCode": 404, "title": "Not Found"}])
async def test_a_404_of_the_registry_says_that_nobody_has_the_name(ask: Ask, body: object) -> None:
    found = (await ask(lambda _request: answer(body, 404))).registration

    assert found.state is RegistrationState.UNREGISTERED
    assert found.server == HOST
    assert found.observed_at


async def test_a_404_of_a_web_server_says_nothing(ask: Ask) -> None:
    told = await ask(lambda _request: answer(b"<html>404 Not Found</html>", 404))

    assert told.registration.state is RegistrationState.UNKNOWN
    assert told.registration.reason == "HTTP 404"


@pytest.mark.parametrize(
    ("status", "header", "seconds"),
    [
        (429, "120", 120),
        (503, "7", 7),
        (429, "", 60),
        (429, "soon", 60),
        (429, "999999999", 86_400),
    ],
)
async def test_a_registry_that_asks_for_a_rest_gets_it(
    status: int, header: str, seconds: int, ask: Ask
) -> None:
    asked = 0

    def reply(_request: web.Request) -> web.Response:
        nonlocal asked
        asked += 1
        return answer(b"", status, Retry_After=header)

    rates = Rates(1000)
    told = await ask(reply, rates=rates)

    assert told.registration.state is RegistrationState.UNKNOWN
    assert told.registration.reason == f"HTTP {status}"
    assert told.retry_after_s == seconds
    if seconds > 60:  # too long to wait for: the next question does not even go out
        later = await ask(reply, rates=rates)
        assert later.registration.state is RegistrationState.UNKNOWN
        assert later.retry_after_s > seconds - 60
        assert asked == 1


@pytest.mark.parametrize("status", [400, 401, 403, 500, 502, 501])
async def test_an_error_of_the_registry_says_nothing_about_the_name(status: int, ask: Ask) -> None:
    told = await ask(lambda _request: answer({"errorCode": status}, status))

    assert told.registration.state is RegistrationState.UNKNOWN
    assert (told.registration.reason, told.retry_after_s) == (f"HTTP {status}", 0)


@pytest.mark.parametrize(
    "body",
    [json.dumps(CONTOSO).encode()[:-20], b"[1, 2]", b"null", {"objectClassName": "entity"}, b"\xff\xfe",
     b"<html></html>", {**CONTOSO, "ldhName": "fabrikam.com"}, b"[" * 100_000],
)  # fmt: skip
async def test_an_answer_that_is_cut_or_of_a_wrong_type_says_nothing(
    ask: Ask, body: object
) -> None:
    found = (await ask(lambda _request: answer(body))).registration

    assert found.state is RegistrationState.UNKNOWN
    assert found.reason.startswith("The answer is")


async def test_a_redirection_is_followed_three_times_at_most(ask: Ask) -> None:
    def hops(wanted: int) -> Callable[[web.Request], web.Response]:
        def reply(request: web.Request) -> web.Response:
            done = int(request.query.get("done", 0))
            if done == wanted:
                return answer()
            return answer(b"", 302, Location=f"/elsewhere?done={done + 1}")

        return reply

    assert (await ask(hops(3))).registration.state is RegistrationState.REGISTERED
    four = (await ask(hops(4))).registration
    assert four.state is RegistrationState.UNKNOWN
    assert "3 redirections" in four.reason


async def test_a_404_after_a_redirection_is_not_the_registrys(ask: Ask) -> None:
    def reply(request: web.Request) -> web.Response:
        if request.path == "/away":
            return answer({"errorCode": 404}, 404)
        return answer(b"", 307, Location="/away")

    assert (await ask(reply)).registration.state is RegistrationState.UNKNOWN


@pytest.mark.parametrize(
    "target",
    [
        "https://10.0.0.1/",
        "https://private.test/",
        "http://rdap.test/",
        "https://[::ffff:127.0.0.1]/",
    ],
)
async def test_a_redirection_to_a_private_address_is_not_followed(target: str, ask: Ask) -> None:
    told = await ask(lambda _request: answer(b"", 301, Location=target))

    assert told.registration.state is RegistrationState.UNKNOWN
    assert told.registration.reason


async def test_a_huge_body_and_a_slow_one_say_nothing(
    ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = asyncio.Event()

    async def slow(request: web.Request) -> web.StreamResponse:
        stream = web.StreamResponse()
        await stream.prepare(request)
        await stream.write(b"{")
        await left.wait()
        return stream

    huge = (await ask(lambda _request: answer(b" " * 300_000))).registration
    limits = Limits(timeout_s=0.2, body_bytes=registries.LIMITS.body_bytes, redirects=3)
    monkeypatch.setattr(registries, "LIMITS", limits)
    late = (await ask(slow)).registration
    left.set()

    assert (huge.state, late.state) == (RegistrationState.UNKNOWN, RegistrationState.UNKNOWN)
    assert "262144 bytes" in huge.reason
    assert "in time" in late.reason


async def test_another_server_of_the_registry_is_asked_when_the_first_is_away(ask: Ask) -> None:
    told = await ask(lambda _request: answer(), before=("https://private.test/",))

    assert told.registration.state is RegistrationState.REGISTERED


async def test_when_all_servers_are_away_the_reason_is_the_last_ones(open_client: Open) -> None:
    known = Bootstrap({"com": ("https://private1.test/", "https://private2.test/")})
    client = Registries(await open_client(here, allow_loopback=False), known, Rates(1000))

    found = (await client.look_up("contoso.com")).registration

    assert found.server == "private2.test"
    assert found.reason == "10.0.0.1 is private (RFC 1918)"


async def test_a_name_of_no_known_registry_is_not_served(open_client: Open) -> None:
    client = Registries(await open_client(here), Bootstrap(), Rates(1000))

    told = await client.look_up("contoso.de")

    assert not told.is_served
    assert told.registration.state is RegistrationState.UNKNOWN


# ── WHOIS ──

TEXT = """** Domain Name: firma.com.tr
Domain Status: Active
Frozen Status: -
Transfer Status: The domain is LOCKED to transfer.

** Registrar:
Organization Name\t: İsimtescil Bilişim A.Ş.

** Additional Info:
Created on..............: 2007-Jan-08.
Expires on..............: 2027-Jan-07.
"""


@asynccontextmanager
async def trabis(data: bytes, *, hang: bool = False) -> AsyncIterator[tuple[int, list[bytes]]]:
    """A WHOIS server that says this to everybody; gives its port and what it was asked."""
    asked: list[bytes] = []
    left = asyncio.Event()

    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readline())
        writer.write(data)
        if hang:
            await writer.drain()
            await left.wait()
        writer.close()

    async with await asyncio.start_server(meet, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1], asked
        left.set()


async def _whois(http: Http, port: int) -> Registration:
    client = Registries(http, Bootstrap(), Rates(1000), whois={"tr": ("whois.test", port)})
    return (await client.look_up("firma.com.tr")).registration


@pytest.mark.parametrize("encoding", ["utf-8", "windows-1254"])
async def test_a_tr_domain_is_looked_up_by_whois(encoding: str, open_client: Open) -> None:
    async with trabis(TEXT.encode(encoding)) as (port, asked):
        found = await _whois(await open_client(here), port)

    assert asked == [b"firma.com.tr\r\n"]
    assert found.state is RegistrationState.REGISTERED
    assert found.registrar == "İsimtescil Bilişim A.Ş."
    assert (found.created, found.expires) == (dt.date(2007, 1, 8), dt.date(2027, 1, 7))
    assert (found.source, found.server) == ("whois", "whois.test")


async def test_whois_that_is_too_long_away_or_inside_a_network_says_nothing(
    open_client: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    http = await open_client(here)
    async with trabis(b"x" * 100_000) as (port, _):
        long = await _whois(http, port)
    away = await _whois(http, port)
    async with trabis(TEXT.encode()) as (port, asked):
        client = Registries(http, Bootstrap(), Rates(1), whois={"tr": ("private.test", port)})
        inside = (await client.look_up("firma.com.tr")).registration
    monkeypatch.setattr(registries, "_WHOIS_TIMEOUT_S", 0.2)
    async with trabis(TEXT.encode(), hang=True) as (port, _):
        slow = await _whois(http, port)

    for found, word in [
        (long, "65536"),
        (away, "whois.test"),
        (inside, "private"),
        (slow, "in time"),
    ]:
        assert found.state is RegistrationState.UNKNOWN
        assert word in found.reason
    assert asked == []


def test_there_is_a_whois_server_for_turkey() -> None:
    assert registries.WHOIS["tr"] == ("whois.trabis.gov.tr", 43)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0),
        (" 120 ", 120),
        ("Tue, 24 Nov 2026 04:02:00 GMT", 120),
        ("Tue, 24 Nov 2026 03:00:00 GMT", 0),
        ("Tue, 24 Nov 2026 04:02:00 -0000", 120),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 86_400),
        ("-5", 60),
        ("", 60),
        ("١٢", 60),
    ],
)
def test_retry_after_has_seconds_or_a_date(value: str, seconds: int) -> None:
    assert retry_after(value, NOW) == seconds
