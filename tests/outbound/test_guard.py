"""No connection goes where it must not, whatever the name, the literal or the redirection says."""

from __future__ import annotations

import asyncio
import itertools
import os
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from aiohttp import web

from hunter.outbound.guard import Failure, Guard, NoHost, OutboundError
from hunter.outbound.http import Http, Limits

pytestmark = pytest.mark.tool("openssl")

LIMITS = Limits(timeout_s=20, body_bytes=1000, redirects=3)
#: addresses as a hostile name server may give them
IN_DNS = [
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.100.100.200",
    "100.127.255.255", "127.0.0.1", "127.0.0.2", "127.1.1.1", "127.255.255.254", "168.63.129.16",
    "169.254.0.1", "169.254.169.254", "169.254.170.2", "172.16.0.1", "172.31.255.255", "192.0.0.1",
    "192.0.0.192", "192.0.2.1", "192.31.196.1", "192.52.193.1", "192.88.99.1", "192.168.0.1",
    "192.168.255.255", "192.175.48.1", "198.18.0.1", "198.19.255.255", "198.51.100.1",
    "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:7f00:1", "::ffff:10.0.0.1",
    "::ffff:169.254.169.254", "::ffff:0.0.0.0", "::ffff:0:127.0.0.1", "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe", "64:ff9b::10.0.0.1", "64:ff9b:1::7f00:1", "100::1", "2001::1",
    "2001:0:7f00:1::", "2001:2::1", "2001:10::1", "2001:20::1", "2001:db8::1", "2002:7f00:1::1",
    "2002:a00:1::", "2620:4f:8000::1", "3fff::1", "4000::1", "5f00::1", "fc00::1", "fd00:ec2::254",
    "fe80::1", "fe80::1%lo", "febf::1", "fec0::1", "ff02::1", "ffff::1", "", "localhost",
]  # fmt: skip
#: hosts as a hostile URL or redirection may write them
IN_URL = [
    "127.0.0.1", "127.0.0.1.", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]",
    "[0:0:0:0:0:ffff:127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[fe80::1%25lo]",
    "0.0.0.0", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.0.0.1", "0x7f.1", "0177.0.0.1",
    "017700000001", "0", "127.0.0.1.0", "1.2.3.4.5", "256.256.256.256", "１２７.0.0.1", "①②⑦.⓪.⓪.①",
    "127。0。0。1", "169.254.169.254", "10.0.0.1", "192.168.1.1", "[fd00:ec2::254]", "[::127.0.0.1]",
    "a..b", "-a.example.com", "a b", "exa%6dple.0x7f",
]  # fmt: skip


def resolving(*found: str) -> Callable[[str], Awaitable[Sequence[str]]]:
    async def resolve(_name: str) -> Sequence[str]:
        return found

    return resolve


def test_there_are_enough_hostile_addresses() -> None:
    assert len(set(IN_DNS)) >= 60


@pytest.mark.parametrize("address", IN_DNS)
async def test_a_name_that_leads_to_a_forbidden_address_is_not_dialled(
    address: str, canary: Any, open_client: Callable[..., Awaitable[Http]]
) -> None:
    resolve = resolving(address)
    http = await open_client(resolve, allow_loopback=False)

    with pytest.raises(OutboundError) as refused:
        await http.get(f"https://trap.test:{canary.port}/", LIMITS)
    with pytest.raises(OutboundError) as refused_plain:
        await Guard(resolve).connect("trap.test", canary.port, timeout_s=20)

    assert refused.value.failure is Failure.FORBIDDEN
    assert refused_plain.value.failure is Failure.FORBIDDEN
    assert canary.visits == 0


@pytest.mark.parametrize("host", IN_URL)
async def test_a_forbidden_address_in_a_url_is_not_dialled_however_it_is_written(
    host: str, canary: Any, open_client: Callable[..., Awaitable[Http]]
) -> None:
    # a resolver that would say yes to everything: the literal must not even get there
    http = await open_client(resolving("127.0.0.1"), allow_loopback=False, allow_plain=True)

    for scheme in ("https", "http"):
        with pytest.raises(OutboundError) as refused:
            await http.get(f"{scheme}://{host}:{canary.port}/", LIMITS)
        assert refused.value.failure is Failure.FORBIDDEN
    assert canary.visits == 0


@pytest.mark.parametrize(
    "url",
    [
        "http://public.test/", "ftp://public.test/", "file:///etc/passwd", "gopher://public.test/",
        "https:///", "https://", "", "//public.test/", "https://user:secret@public.test/",
        "https://user@public.test/", "https://public.test:99999/", "unix:/run/x", "https://[::1",
        "javascript:alert(1)", "https://public.test/" + "a" * 3000,
    ],
)  # fmt: skip
async def test_what_is_no_https_url_is_refused(
    url: str, open_client: Callable[..., Awaitable[Http]]
) -> None:
    http = await open_client(resolving("127.0.0.1"))

    with pytest.raises(OutboundError) as refused:
        await http.get(url, LIMITS)

    assert refused.value.failure is Failure.FORBIDDEN


async def test_a_name_that_changes_its_mind_reaches_nothing(
    canary: Any, open_client: Callable[..., Awaitable[Http]]
) -> None:
    told = itertools.cycle([["8.8.8.8"], ["127.0.0.1"]])
    asked = 0

    async def rebinding(_name: str) -> Sequence[str]:
        nonlocal asked
        asked += 1
        return next(told)

    http = await open_client(rebinding, allow_loopback=False)
    failures = []
    for _ in range(6):
        with pytest.raises(OutboundError) as refused:
            await http.get(f"https://rebind.test:{canary.port}/", LIMITS)
        failures.append(refused.value.failure)

    # one look-up a connection: what was checked is what is dialled
    assert asked == 6
    assert failures == [Failure.UNREACHABLE, Failure.FORBIDDEN] * 3
    assert canary.visits == 0


async def test_of_several_addresses_only_the_public_ones_are_dialled(canary: Any) -> None:
    guard = Guard(resolving("127.0.0.1", "8.8.8.8", "::1", "10.0.0.1"))

    assert await guard.addresses("mixed.test") == ["8.8.8.8"]
    with pytest.raises(OutboundError) as refused:
        await guard.connect("mixed.test", canary.port, timeout_s=20)
    assert refused.value.failure is Failure.UNREACHABLE
    assert canary.visits == 0


def test_the_last_gate_looks_at_what_is_dialled() -> None:
    guard = Guard(resolving())

    for info in [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 80)),
        (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", 80, 0, 0)),
        (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("fe80::1", 80, 0, 1)),
        (socket.AF_UNIX, socket.SOCK_STREAM, 0, "", "/run/docker.sock"),
    ]:
        with pytest.raises(OutboundError, match=r"loopback|link-local|not an Internet"):
            guard.open_socket(info)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirection_inwards_is_not_followed(
    status: int,
    canary: Any,
    open_client: Callable[..., Awaitable[Http]],
    serve: Callable[..., Awaitable[int]],
) -> None:
    async def away(request: web.Request) -> web.Response:
        return web.Response(status=status, headers={"Location": request.query["to"]})

    port = await serve({"/": away}, "public.test")
    http = await open_client(resolving("127.0.0.1"))

    for target in (
        f"https://10.0.0.1:{canary.port}/",
        f"https://[::ffff:127.0.0.1]:{canary.port}/",
        f"http://public.test:{canary.port}/",
        "file:///etc/passwd",
        f"//192.168.0.1:{canary.port}/",
    ):
        with pytest.raises(OutboundError) as refused:
            await http.get(f"https://public.test:{port}/?to={target}", LIMITS)
        assert refused.value.failure is Failure.FORBIDDEN
    assert canary.visits == 0


async def test_a_proxy_of_the_environment_is_not_used(
    canary: Any,
    open_client: Callable[..., Awaitable[Http]],
    serve: Callable[..., Awaitable[int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def hello(_request: web.Request) -> web.Response:
        return web.Response(text="hello")

    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "https_proxy", "all_proxy"):
        monkeypatch.setitem(os.environ, name, f"http://127.0.0.1:{canary.port}")
    port = await serve({"/": hello}, "public.test")
    http = await open_client(resolving("127.0.0.1"))

    found = await http.get(f"https://public.test:{port}/", LIMITS)

    assert found.body == b"hello"
    assert canary.visits == 0


async def test_what_dns_proves_and_what_it_does_not_say_are_kept_apart() -> None:
    async def silent(_name: str) -> Sequence[str]:
        raise OSError("no name server answers")

    with pytest.raises(NoHost):
        await Guard(resolving()).addresses("gone.test")
    with pytest.raises(OutboundError) as unknown:
        await Guard(silent).addresses("somewhere.test")
    assert unknown.value.failure is Failure.UNRESOLVED


async def test_a_listener_that_is_not_there_is_unreachable(canary: Any) -> None:
    guard = Guard(resolving("127.0.0.1"), allow_loopback=True)
    reader, writer = await guard.connect("here.test", canary.port, timeout_s=20)
    writer.close()
    await reader.read()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but nobody listens

        with pytest.raises(OutboundError) as refused:
            await guard.connect("here.test", taken.getsockname()[1], timeout_s=20)

    assert refused.value.failure is Failure.UNREACHABLE
    assert canary.visits == 1


async def test_a_resolver_without_an_end_is_left_in_time() -> None:
    async def endless(_name: str) -> Sequence[str]:
        await asyncio.Event().wait()
        return ()

    with pytest.raises(OutboundError) as slow:
        await Guard(endless).connect("slow.test", 43, timeout_s=0.01)

    assert slow.value.failure is Failure.TIMEOUT
