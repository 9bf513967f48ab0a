"""A canary that must hear nothing, an authority, and HTTPS servers that it vouches for."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from hunter.local.authority import Authority
from hunter.local.https import Handler, served
from hunter.outbound.guard import Guard
from hunter.outbound.http import Http, open_http


class Canary:
    """A listener on every address of this machine that counts who comes."""

    def __init__(self) -> None:
        self.visits = 0
        self.port = 0

    async def _meet(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.visits += 1
        writer.close()

    async def listen(self) -> asyncio.Server:
        """Listen on a free port, IPv4 and IPv6."""
        both = socket.has_dualstack_ipv6()
        where = ("::" if both else "0.0.0.0", 0)
        listener = socket.create_server(
            where, family=socket.AF_INET6 if both else socket.AF_INET, dualstack_ipv6=both
        )
        server = await asyncio.start_server(self._meet, sock=listener)
        self.port = listener.getsockname()[1]
        return server


@pytest.fixture
async def canary() -> AsyncIterator[Canary]:
    """Must not be visited."""
    each = Canary()
    async with await each.listen():
        yield each


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority for the whole run."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def authority_file(authority: Authority) -> Path:
    """What has to be trusted."""
    return authority.file


@pytest.fixture
async def open_client(authority: Authority) -> AsyncIterator[Callable[..., Awaitable[Http]]]:
    """Opens HTTP over a resolver, with the throw-away authority trusted."""
    async with AsyncExitStack() as stack:

        async def opened(
            resolve: Callable[[str], Awaitable[Sequence[str]]],
            *,
            allow_loopback: bool = True,
            allow_plain: bool = False,
        ) -> Http:
            guard = Guard(resolve, allow_loopback=allow_loopback)
            return await stack.enter_async_context(
                open_http(guard, ca_file=str(authority.file), allow_plain=allow_plain)
            )

        yield opened


@pytest.fixture
async def serve(authority: Authority) -> AsyncIterator[Callable[..., Awaitable[int]]]:
    """Starts an HTTPS server on loopback, {path: handler}, for some names; gives its port."""
    async with AsyncExitStack() as stack:

        async def started(routes: Mapping[str, Handler], *names: str, days: int = 2) -> int:
            tls = authority.server_context(*names, days=days)
            return await stack.enter_async_context(served(routes, tls))

        yield started
