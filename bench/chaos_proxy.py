"""A TCP proxy whose connections can turn into black holes, and whose server may move.

Clients keep one address while the server behind it is killed and started again elsewhere.
"""

from __future__ import annotations

import asyncio
from typing import cast

#: the server's end of a black hole is closed so long after the client's: it was never told
_FORGOTTEN_AFTER_S = 60.0


class Link:
    """One connection through the proxy; when `swallowed`, bytes vanish in both directions."""

    def __init__(self, proxy: TcpProxy) -> None:
        self.proxy = proxy
        #: in the order in which connections came
        self.number = proxy.connections = proxy.connections + 1
        self.swallowed = False
        self.client: _Side | None = None
        self.server: _Side | None = None

    def ended(self, side: _Side) -> None:
        """One end closed: close the other one, unless a black hole is in between."""
        other = self.server if side is self.client else self.client
        if side is self.client:
            self.proxy.links.discard(self)
        if other is None or other.transport is None:
            return
        if not self.swallowed:
            other.transport.close()
        elif side is self.client:
            asyncio.get_running_loop().call_later(_FORGOTTEN_AFTER_S, other.transport.abort)

    def abort(self) -> None:
        """Close both ends at once."""
        for side in (self.client, self.server):
            if side is not None and side.transport is not None:
                side.transport.abort()


class _Side(asyncio.Protocol):
    """One end of a link; what it reads goes to its peer, no faster than the peer takes it."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.transport: asyncio.Transport | None = None
        self.peer: _Side | None = None
        #: read before the peer was there: uvloop reads once more after pause_reading
        self.early = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self.link.swallowed:
            return
        if self.peer is None:
            self.early += data
            return
        if self.peer.transport is None:
            return
        self.peer.transport.write(data)

    def connection_lost(self, _reason: Exception | None) -> None:
        self.transport = None
        self.link.ended(self)

    def pause_writing(self) -> None:
        if self.peer is not None and self.peer.transport is not None:
            self.peer.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.peer is not None and self.peer.transport is not None:
            self.peer.transport.resume_reading()


class _ClientSide(_Side):
    """The accepted end: nothing is read from it until the server is there."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        assert self.transport is not None
        self.transport.pause_reading()
        self.link.proxy.links.add(self.link)
        self.link.proxy.connect(self)


class TcpProxy:
    """Listens on a free loopback port and passes every connection on to `target`."""

    def __init__(self) -> None:
        self.target: tuple[str, int] | None = None
        self.links: set[Link] = set()
        self.connections = 0
        self._server: asyncio.Server | None = None
        self._connecting: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen; `port` is known from here on."""
        self._server = await asyncio.get_running_loop().create_server(
            self._accept, "127.0.0.1", 0, backlog=512
        )

    @property
    def port(self) -> int:
        """Where clients connect to."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    def _accept(self) -> _Side:
        link = Link(self)
        link.client = _ClientSide(link)
        return link.client

    def connect(self, client: _Side) -> None:
        """Connect an accepted client to the server; refused when the server is away."""
        task = asyncio.create_task(self._connect(client))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    async def _connect(self, client: _Side) -> None:
        link = client.link
        server = link.server = _Side(link)
        try:
            if self.target is None:
                raise ConnectionRefusedError
            await asyncio.get_running_loop().create_connection(lambda: server, *self.target)
        except OSError:
            link.abort()
            return
        client.peer, server.peer = server, client
        if client.early and server.transport is not None:
            server.transport.write(bytes(client.early))
        if client.transport is None:
            link.abort()
        else:
            client.transport.resume_reading()

    async def close(self) -> None:
        """Stop listening and drop every connection."""
        if self._server is not None:
            self._server.close()
        for link in list(self.links):
            link.abort()
        for task in self._connecting:
            task.cancel()
        await asyncio.gather(*self._connecting, return_exceptions=True)
