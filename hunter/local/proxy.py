"""A TCP proxy on loopback whose connections can be cut, frozen, or robbed of one answer."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit, urlunsplit

_READ: Final = 65_536


class Proxy:
    """Stands before the server of `url`; `self.url` is the way through it.

    A frozen proxy takes bytes and connections and answers nothing, as a black hole in the network
    does. `lose_answer` forwards the next message that holds some bytes and cuts the connection
    before its answer comes back, so that the client cannot know whether it was done.
    """

    def __init__(self, url: str) -> None:
        self._parts = urlsplit(url)
        self._server: asyncio.Server | None = None
        self._links: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = set()
        self._open = asyncio.Event()
        self._open.set()
        self._marked: bytes | None = None
        #: set once an answer was lost
        self.lost = asyncio.Event()
        self.url = ""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        login = self._parts.netloc.rpartition("@")[0]
        netloc = f"{login}@127.0.0.1:{port}" if login else f"127.0.0.1:{port}"
        self.url = urlunsplit(self._parts._replace(netloc=netloc))
        return self

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        if self._server is not None:
            self._server.close()
        self.thaw()
        self.cut()

    def freeze(self) -> None:
        """Forward nothing, in either direction, on old connections and new ones."""
        self._open.clear()

    def thaw(self) -> None:
        """Forward again, what was held back included."""
        self._open.set()

    def cut(self) -> None:
        """Close every connection there is."""
        for pair in list(self._links):
            for writer in pair:
                writer.close()

    def lose_answer(self, message: bytes) -> None:
        """Lose the answer to the next message with these bytes in it."""
        self._marked = message
        self.lost.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._open.wait()
        host, port = self._parts.hostname, self._parts.port
        there_reader, there_writer = await asyncio.open_connection(host, port)
        link = (writer, there_writer)
        self._links.add(link)
        try:
            with suppress(OSError):
                await self._forward(reader, writer, there_reader, there_writer)
        finally:
            self._links.discard(link)
            for each in link:
                each.close()

    async def _forward(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        there_reader: asyncio.StreamReader,
        there_writer: asyncio.StreamWriter,
    ) -> None:
        robbed = asyncio.Event()

        async def there() -> None:
            while data := await reader.read(_READ):
                await self._open.wait()
                if self._marked is not None and self._marked in data:
                    self._marked = None
                    robbed.set()
                there_writer.write(data)
                await there_writer.drain()

        async def back() -> None:
            while data := await there_reader.read(_READ):
                await self._open.wait()
                if robbed.is_set():
                    self.lost.set()
                    return
                writer.write(data)
                await writer.drain()

        tasks = [asyncio.create_task(there()), asyncio.create_task(back())]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
