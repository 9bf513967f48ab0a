"""The sockets of the engine: connected UDP ports that drain themselves, and one TCP link a server."""

from __future__ import annotations

import asyncio
import socket
from typing import Protocol

from hunter.resolver.questions import Query
from hunter.resolver.servers import Server
from hunter.resolver.wire import FORMERR, HEADER, NOTIMP, OPCODE, QR, REFUSED, SERVFAIL

#: datagrams read per wake-up, so that one socket cannot keep the loop for itself
_DRAIN = 64
_BUFFER = 4 * 1024 * 1024
#: RFC 1035 servers leave the question out of an answer that says no more than this
_BARE = frozenset({FORMERR, SERVFAIL, NOTIMP, REFUSED})
Header = tuple[int, int, int, int, int, int]


class Receiver(Protocol):
    """What a socket tells the engine."""

    #: answers that belong to no question of ours
    ignored: int

    def accept(self, query: Query, data: bytes, at: int, header: Header) -> None:
        """An answer that matches: `at` is the offset behind its question."""

    def failed(self, queries: list[Query], *, tcp: bool) -> None:
        """The socket broke under these questions."""

    def pump(self) -> None:
        """There may be room for more."""


def match(data: bytes, pending: dict[int, Query]) -> tuple[Query, int, Header] | None:
    """The question an answer belongs to, and where its records begin; None for strangers.

    The question must come back byte for byte (RFC 5452 section 9.1); servers that refuse may leave
    it out altogether.
    """
    if len(data) < 12:
        return None
    header = HEADER.unpack_from(data)
    flags = header[1]
    query = pending.get(header[0])
    if query is None or flags & (QR | OPCODE) != QR:
        return None
    if header[2] == 1 and data.startswith(query.question, 12):
        return query, 12 + len(query.question), header
    if header[2] == 0 and flags & 15 in _BARE:
        return query, 12, header
    return None


class UdpPort:
    """One connected socket with its own random source port and its own table of ids."""

    __slots__ = (
        "_loop",
        "_receiver",
        "_recv",
        "_sock",
        "born",
        "pending",
        "send",
        "sent",
        "server",
    )

    def __init__(
        self, server: Server, receiver: Receiver, loop: asyncio.AbstractEventLoop, born: int
    ) -> None:
        family = socket.AF_INET6 if ":" in server.address[0] else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_DGRAM)
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        # connected: the kernel drops what comes from elsewhere, and tells of ICMP errors
        sock.connect(server.address)
        self.server = server
        self.born = born
        self.sent = 0
        self.pending: dict[int, Query] = {}
        self.send = sock.send
        self._sock = sock
        self._recv = sock.recv
        self._receiver = receiver
        self._loop = loop
        loop.add_reader(sock.fileno(), self._drain)

    def close(self) -> None:
        """Give the port back."""
        self._loop.remove_reader(self._sock.fileno())
        self._sock.close()

    def _drain(self) -> None:
        """Read all that waits: one wake-up of the loop for many answers."""
        receiver, pending, recv = self._receiver, self.pending, self._recv
        unpack, accept = HEADER.unpack_from, receiver.accept
        for _ in range(_DRAIN):
            try:
                data = recv(4096)
            except (BlockingIOError, InterruptedError):
                break
            except OSError:  # an ICMP error for one of our datagrams: nobody listens there
                lost = list(pending.values())
                pending.clear()
                receiver.failed(lost, tcp=False)
                break
            # the same as match(), written out: this is the one place where a call costs
            if len(data) < 12:
                receiver.ignored += 1
                continue
            header = unpack(data)
            query = pending.get(header[0])
            flags = header[1]
            if query is None or flags & 0xF800 != QR:
                receiver.ignored += 1
                continue
            if header[2] == 1 and data.startswith(query.question, 12):
                at = 12 + len(query.question)
            elif header[2] == 0 and flags & 15 in _BARE:
                at = 12
            else:
                receiver.ignored += 1
                continue
            del pending[header[0]]
            accept(query, data, at, header)
            if not pending:
                break
        receiver.pump()


class TcpLink(asyncio.Protocol):
    """One connection to a server, made when needed, shared by all truncated questions (RFC 7766)."""

    def __init__(self, server: Server, receiver: Receiver, loop: asyncio.AbstractEventLoop) -> None:
        self.server = server
        self.pending: dict[int, Query] = {}
        self._receiver = receiver
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._unsent: list[bytes] = []
        self._buffer = b""
        #: tick of the engine at which the last question was sent
        self.used_at = 0

    def send(self, message: bytes) -> None:
        """Send a question, connecting first where there is no connection."""
        framed = len(message).to_bytes(2, "big") + message
        if self._transport is not None:
            self._transport.write(framed)
            return
        self._unsent.append(framed)
        if self._connecting is None:
            self._connecting = self._loop.create_task(self._connect())

    async def _connect(self) -> None:
        host, port = self.server.address
        try:
            await self._loop.create_connection(lambda: self, host, port)
        except OSError:
            self._fail()
        finally:
            self._connecting = None

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._connecting is not None:
            self._connecting.cancel()
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send what had to wait for the handshake."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  # TCP has no other
        self._transport = transport
        self._buffer = b""
        transport.writelines(self._unsent)
        self._unsent.clear()

    def data_received(self, data: bytes) -> None:
        """Cut the stream into messages; each has its length before it."""
        self._buffer += data
        while len(self._buffer) >= 2:
            end = 2 + int.from_bytes(self._buffer[:2], "big")
            if len(self._buffer) < end:
                break
            found = match(self._buffer[2:end], self.pending)
            if found is None:
                self._receiver.ignored += 1
            else:
                query, at, header = found
                del self.pending[header[0]]
                self._receiver.accept(query, self._buffer[2:end], at, header)
            self._buffer = self._buffer[end:]
        self._receiver.pump()

    def connection_lost(self, _error: Exception | None) -> None:
        """What is unanswered goes back to the engine."""
        self._transport = None
        self._fail()

    def _fail(self) -> None:
        self._unsent.clear()
        lost = list(self.pending.values())
        self.pending.clear()
        if lost:
            self._receiver.failed(lost, tcp=False)
