"""A loopback name server and an engine with short waits."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
from hypothesis import settings

from hunter.config import Config
from hunter.local.nameserver import NameServer
from hunter.resolver.engine import Engine
from hunter.resolver.opening import open_engine
from hunter.resolver.tuning import Tuning

# a shared machine may stop for longer than hypothesis allows one example
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")

QUICK = Tuning(timeouts_s=(0.15, 0.15, 0.15), tick_s=0.01, tcp_timeout_s=0.3, sockets_min=4)


@pytest.fixture
async def name_server() -> AsyncIterator[NameServer]:
    """An empty name server; `load` gives it a zone."""
    async with NameServer() as server:
        yield server


@pytest.fixture
async def open_quick() -> AsyncIterator[Callable[..., Awaitable[Engine]]]:
    """Opens an engine for some servers; tries last 0.15 s unless told otherwise."""
    async with AsyncExitStack() as stack:

        async def opened(
            *servers: NameServer | tuple[str, int], tuning: Tuning = QUICK, **settings: object
        ) -> Engine:
            addresses = tuple(s.address if isinstance(s, NameServer) else s for s in servers)
            config = Config(dns_servers=addresses, **settings)  # type: ignore[arg-type]
            return await stack.enter_async_context(open_engine(config, tuning=tuning))

        yield opened


@pytest.fixture
async def engine(name_server: NameServer, open_quick: Callable[..., Awaitable[Engine]]) -> Engine:
    """An engine that asks `name_server`."""
    return await open_quick(name_server)
