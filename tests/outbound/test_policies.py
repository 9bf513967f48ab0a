"""MTA-STS policy files over real HTTPS: fetched, absent, unusable or unknown."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest
from aiohttp import web

from hunter.core.answers import PolicyFile, PolicyState
from hunter.outbound.http import Http
from hunter.outbound.policies import LIMITS, Policies

pytestmark = pytest.mark.tool("openssl")

Open = Callable[..., Awaitable[Http]]
Serve = Callable[..., Awaitable[int]]
PATH = "/.well-known/mta-sts.txt"
POLICY = "version: STSv1\r\nmode: testing\r\nmx: *.contoso.com\r\nmax_age: 86400\r\n"


async def here(_name: str) -> Sequence[str]:
    return ["127.0.0.1"]


@pytest.fixture
def fetch(open_client: Open, serve: Serve) -> Callable[..., Awaitable[PolicyFile]]:
    """Fetches the policy of contoso.com from a server that gives this answer."""

    async def fetched(answer: Callable[[], web.Response], *names: str, days: int = 2) -> PolicyFile:
        async def handler(request: web.Request) -> web.Response:
            assert request.host.partition(":")[0] == "mta-sts.contoso.com"
            return answer()

        port = await serve({PATH: handler}, *(names or ("mta-sts.contoso.com",)), days=days)
        return await Policies(await open_client(here), port=port).fetch("contoso.com")

    return fetched


@pytest.mark.parametrize("kind", ["text/plain", "text/plain; charset=utf-8", "Text/Plain"])
async def test_a_policy_comes_as_it_is_written(
    kind: str, fetch: Callable[..., Awaitable[PolicyFile]]
) -> None:
    found = await fetch(lambda: web.Response(body=POLICY.encode(), headers={"Content-Type": kind}))

    assert found == PolicyFile(PolicyState.FETCHED, POLICY)


async def test_bytes_that_are_no_text_can_still_be_stored(
    fetch: Callable[..., Awaitable[PolicyFile]],
) -> None:
    found = await fetch(lambda: web.Response(body=b"mode: \xff\x00", content_type="text/plain"))

    assert found.text == "mode: \ufffd\ufffd"


@pytest.mark.parametrize(
    ("status", "state"),
    [
        (404, PolicyState.ABSENT),
        (410, PolicyState.ABSENT),
        (204, PolicyState.UNUSABLE),
        (301, PolicyState.UNUSABLE),
        (302, PolicyState.UNUSABLE),
        (308, PolicyState.UNUSABLE),
        (403, PolicyState.UNKNOWN),
        (429, PolicyState.UNKNOWN),
        (500, PolicyState.UNKNOWN),
        (503, PolicyState.UNKNOWN),
    ],
)
async def test_only_200_brings_a_policy_and_only_404_proves_that_there_is_none(
    status: int, state: PolicyState, fetch: Callable[..., Awaitable[PolicyFile]]
) -> None:
    headers = {"Location": f"https://mta-sts.contoso.com{PATH}?here"}
    found = await fetch(lambda: web.Response(status=status, headers=headers))

    assert found.state is state
    assert str(status) in found.reason
    assert found.text == ""


@pytest.mark.parametrize("kind", ["text/html", "application/octet-stream", "text/plainer"])
async def test_a_file_of_another_type_is_no_policy(
    kind: str, fetch: Callable[..., Awaitable[PolicyFile]]
) -> None:
    found = await fetch(lambda: web.Response(body=POLICY.encode(), content_type=kind))

    assert found == PolicyFile(PolicyState.UNUSABLE, reason=f"{kind} instead of text/plain")


@pytest.mark.parametrize(
    ("size", "state"), [(65_536, PolicyState.FETCHED), (65_537, PolicyState.UNUSABLE)]
)
async def test_64_kilobytes_is_the_most(
    size: int, state: PolicyState, fetch: Callable[..., Awaitable[PolicyFile]]
) -> None:
    found = await fetch(lambda: web.Response(text="x" * size))

    assert found.state is state


@pytest.mark.parametrize(
    ("name", "days"), [("contoso.com", 2), ("mail.contoso.com", 2), ("mta-sts.contoso.com", -1)]
)
async def test_a_certificate_not_good_for_the_policy_host_makes_the_policy_unusable(
    name: str, days: int, fetch: Callable[..., Awaitable[PolicyFile]]
) -> None:
    found = await fetch(lambda: web.Response(text=POLICY), name, days=days)

    assert found.state is PolicyState.UNUSABLE
    assert "certificate" in found.reason


async def test_a_wildcard_certificate_is_good_for_the_policy_host(
    fetch: Callable[..., Awaitable[PolicyFile]],
) -> None:
    assert (await fetch(lambda: web.Response(text=POLICY), "*.contoso.com")).text == POLICY


async def test_a_policy_host_without_an_address_proves_that_there_is_no_policy(
    open_client: Open,
) -> None:
    async def nowhere(_name: str) -> Sequence[str]:
        return ()

    found = await Policies(await open_client(nowhere)).fetch("contoso.com")

    assert found == PolicyFile(PolicyState.ABSENT, reason="mta-sts.contoso.com has no address")


@pytest.mark.parametrize("address", ["10.0.0.1", "169.254.169.254", "::1"])
async def test_a_policy_host_inside_a_private_network_is_not_asked(
    address: str, open_client: Open
) -> None:
    async def inside(_name: str) -> Sequence[str]:
        return [address]

    http = await open_client(inside, allow_loopback=False)

    found = await Policies(http).fetch("contoso.com")

    assert found.state is PolicyState.UNKNOWN
    assert address in found.reason


async def test_when_dns_or_the_server_is_silent_nothing_is_known(open_client: Open) -> None:
    async def silent(_name: str) -> Sequence[str]:
        raise OSError("DNS says servfail")

    async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    unresolved = await Policies(await open_client(silent)).fetch("contoso.com")
    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        broken = await Policies(await open_client(here), port=port).fetch("contoso.com")
    refused = await Policies(await open_client(here), port=port).fetch("contoso.com")

    for found in (unresolved, broken, refused):
        assert found.state is PolicyState.UNKNOWN
        assert found.reason


def test_the_limits_are_those_of_the_rfc_or_tighter() -> None:
    assert LIMITS.body_bytes == 64 * 1024
    assert LIMITS.timeout_s <= 60
    assert LIMITS.redirects == 0
