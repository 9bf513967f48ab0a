"""The loopback server lies as it is told to: what a plain client sees of each lie."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import dns.message
import dns.rcode
import pytest

from hunter.local.misbehaviour import STORM, check
from hunter.local.nameserver import NameServer, Packet
from hunter.local.zone import Directive

ZONE = """
example.com 300 SOA ns1.example.com host.example.com 1 2 3 4 60
example.com 300 MX 10 mx.example.com
"""
QUERY = dns.message.make_query("example.com", "MX", use_edns=False)
WIRE = QUERY.to_wire()


def has_ipv6() -> bool:
    """True where ::1 can be bound."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


@asynccontextmanager
async def asker(server: NameServer) -> AsyncIterator[socket.socket]:
    """An unconnected socket that has asked once, and hears everybody."""
    family = socket.AF_INET6 if ":" in server.address[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_sendto(sock, WIRE, server.address)
        yield sock


async def heard(sock: socket.socket) -> tuple[bytes, tuple[str, int]]:
    loop = asyncio.get_running_loop()
    return await asyncio.wait_for(loop.sock_recvfrom(sock, 4096), 5)


async def over_tcp(server: NameServer, times: int = 1, *, size: int | None = None) -> bytes:
    """Ask over TCP; gives the first `size` bytes, or the answers whole, when no more follows."""
    reader, writer = await asyncio.open_connection(*server.address)
    writer.write((struct.pack("!H", len(WIRE)) + WIRE) * times)
    found = b""
    async with asyncio.timeout(5):
        for _ in range(times if size is None else 0):
            head = await reader.readexactly(2)
            found += head + await reader.readexactly(int.from_bytes(head, "big"))
        found += await reader.readexactly(size or 0)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.05):
            found += await reader.read(4096)
    writer.close()
    return found


@pytest.mark.parametrize("lie", ["wrong-source", "wrong-address"])
async def test_a_forged_answer_comes_from_somebody_else(lie: str) -> None:
    async with NameServer(ZONE + f";! . {lie}") as server, asker(server) as sock:
        (forged, stranger), (true, source) = await heard(sock), await heard(sock)

    assert dns.message.from_wire(forged).rcode() == dns.rcode.NXDOMAIN
    assert dns.message.from_wire(true).answer
    assert source == server.address
    is_same = [stranger[i] == source[i] for i in (0, 1)]
    assert is_same == ([True, False] if lie == "wrong-source" else [False, True])


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6 loopback on this machine")
async def test_one_loopback_address_leaves_no_other_to_lie_from() -> None:
    async with (
        NameServer(ZONE + ";! . wrong-address", host="::1") as server,
        asker(server) as sock,
    ):
        message, source = await heard(sock)

    assert dns.message.from_wire(message).answer
    assert source[:2] == server.address


async def test_an_answer_is_cut() -> None:
    async with NameServer(ZONE + ";! . cut=17") as server, asker(server) as sock:
        message, _ = await heard(sock)

    assert len(message) == 17
    assert message[:2] == WIRE[:2]


async def test_the_case_of_the_question_is_mangled() -> None:
    async with NameServer(ZONE + ";! . mangle-case") as server, asker(server) as sock:
        message, _ = await heard(sock)

    assert message[12 : len(WIRE)] == b"\7EXAMPLE\3COM\0\0\x0f\0\1"


async def test_the_question_comes_back_in_lower_case() -> None:
    async with NameServer(ZONE + ";! . lower-case") as server, asker(server) as sock:
        await asyncio.get_running_loop().sock_sendto(
            sock, WIRE.replace(b"example", b"eXaMpLe"), server.address
        )
        messages = [(await heard(sock))[0] for _ in range(2)]

    assert {message[12 : len(WIRE)] for message in messages} == {WIRE[12:]}


async def test_an_answer_contradicts_itself() -> None:
    async with NameServer(ZONE + ";! . contradict") as server, asker(server) as sock:
        message = dns.message.from_wire((await heard(sock))[0])

    assert message.rcode() == dns.rcode.NXDOMAIN
    assert message.answer


@pytest.mark.parametrize(("rrtype", "records"), [("A", ["192.0.2.80"]), ("MX", [])])
async def test_a_hijacker_has_an_address_for_every_name(rrtype: str, records: list[str]) -> None:
    query = dns.message.make_query("missing.example.com", rrtype, use_edns=False)
    async with NameServer(ZONE + ";! . hijack") as server, asker(server) as sock:
        await heard(sock)
        await asyncio.get_running_loop().sock_sendto(sock, query.to_wire(), server.address)
        message = dns.message.from_wire((await heard(sock))[0])

    assert message.rcode() == dns.rcode.NOERROR
    assert [str(rdata) for rrset in message.answer for rdata in rrset] == records


async def test_only_the_first_answer_is_late() -> None:
    async with NameServer(ZONE + ";! . delay-first=60") as server, asker(server) as sock:
        second = WIRE[:1] + bytes([WIRE[1] ^ 1]) + WIRE[2:]
        await asyncio.get_running_loop().sock_sendto(sock, second, server.address)
        ids = [(await heard(sock))[0][:2] for _ in range(2)]

    assert ids == [second[:2], WIRE[:2]]


async def test_tcp_is_cut_in_the_middle_of_a_message() -> None:
    async with NameServer(ZONE) as server:
        whole = await over_tcp(server)
    half = len(whole) // 2
    for word in ("tcp-half", "tcp-cut"):
        async with NameServer(ZONE + f";! . {word}") as server:
            assert await over_tcp(server, size=half) == whole[:half]


async def test_tcp_comes_in_pairs_or_byte_by_byte() -> None:
    async with NameServer(ZONE) as server:
        whole = await over_tcp(server)
    async with NameServer(ZONE + ";! . tcp-pairs") as server:
        assert await over_tcp(server, size=0) == b""
        assert await over_tcp(server, 2) == whole * 2
    async with NameServer(ZONE + ";! . tcp-dribble") as server:
        assert await over_tcp(server) == whole


async def test_a_script_puts_any_bytes_in_place_of_an_answer() -> None:
    def script(packet: Packet, times: int) -> list[bytes] | None:
        return [packet.data[:2] + b"x" * times] if times < 3 else None

    async with NameServer(ZONE, script=script) as server, asker(server) as sock:
        first, _ = await heard(sock)
        over = await over_tcp(server)
        third = await over_tcp(server)

    assert first == WIRE[:2] + b"x"
    assert over == b"\0\4" + WIRE[:2] + b"xx"
    assert dns.message.from_wire(third[2:]).answer


async def test_a_server_without_tcp_refuses_it() -> None:
    async with NameServer(ZONE, tcp=False) as server:
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(*server.address)


async def test_a_storm_is_the_same_for_the_same_seed() -> None:
    async def blown(seed: int) -> list[bytes]:
        async with NameServer(ZONE + ";! . storm=100", seed=seed) as server:
            loop = asyncio.get_running_loop()
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                sock.setblocking(False)
                for _ in range(60):
                    await loop.sock_sendto(sock, WIRE, server.address)
                return [(await heard(sock))[0] for _ in range(12)]

    assert await blown(3) == await blown(3) != await blown(4)


def test_every_word_of_a_storm_means_something() -> None:
    for words in STORM:
        check(Directive(b"\0", 0, True, words, 1))
