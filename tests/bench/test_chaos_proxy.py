"""The proxy between Hunter and its servers in the chaos run."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import uvloop

sys.path.append(str(Path(__file__).parents[2] / "bench"))

from chaos_proxy import TcpProxy


@asynccontextmanager
async def echo(mark: bytes = b"") -> AsyncIterator[tuple[str, int]]:
    """A server that sends everything back behind `mark`."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(mark + data)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        host, port = server.sockets[0].getsockname()
        yield host, port
    finally:
        server.close()


@asynccontextmanager
async def proxy_to(target: tuple[str, int] | None) -> AsyncIterator[TcpProxy]:
    proxy = TcpProxy()
    await proxy.start()
    proxy.target = target
    try:
        yield proxy
    finally:
        await proxy.close()


async def test_bytes_pass_in_both_directions_however_many() -> None:
    sent = bytes(range(256)) * 20_000
    async with echo() as server, proxy_to(server) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(sent)

        assert await reader.readexactly(len(sent)) == sent
        writer.close()


async def test_a_swallowed_connection_stays_open_and_says_nothing() -> None:
    async with echo() as server, proxy_to(server) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(b"one")
        assert await reader.readexactly(3) == b"one"

        (link,) = proxy.links
        link.swallowed = True
        writer.write(b"two")

        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.2)
        assert not reader.at_eof()
        writer.close()


async def test_a_server_that_moved_is_found_by_new_connections() -> None:
    async with echo(b"a") as first, echo(b"b") as second, proxy_to(first) as proxy:
        answers = []
        for target in (first, second):
            proxy.target = target
            reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
            writer.write(b"?")
            answers.append(await reader.readexactly(2))
            writer.close()

        assert answers == [b"a?", b"b?"]


async def test_a_connection_to_a_server_that_is_away_is_closed() -> None:
    async with proxy_to(None) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)

        # a reset or an end, as the kernel likes
        with suppress(ConnectionResetError):
            assert await reader.read() == b""
        writer.close()


async def test_the_end_of_the_server_is_the_end_for_its_client() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with proxy_to(server.sockets[0].getsockname()[:2]) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(b"?")

        assert await reader.read() == b""
        writer.close()
    server.close()


def test_what_a_client_sends_before_the_server_is_there_reaches_it_under_uvloop() -> None:
    async def say_something_first() -> None:
        async with echo() as server, proxy_to(server) as proxy:
            for _ in range(10):
                reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
                writer.write(b"first")
                async with asyncio.timeout(5):
                    assert await reader.readexactly(5) == b"first"
                writer.close()
                await reader.read()

    uvloop.run(say_something_first())
