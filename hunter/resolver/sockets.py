"""The sockets of the engine: connected UDP ports that drain themselves, and one TCP link a server."""

from __future__ import annotations

import asyncio
import socket
from abc import ABC, abstractmethod
from typing import Final, cast

from hunter.resolver import wire
from hunter.resolver.questions import Query
from hunter.resolver.servers import Server

#: datagrams read per wake-up, so that one socket cannot keep the loop for itself
_DRAIN: Final = 64
_BUFFER: Final = 4 * 1024 * 1024
#: QR and OPCODE: an answer to a standard query
_KIND: Final = wire.QR | wire.OPCODE


class Receiver(ABC):
    """What a socket tells the engine. No Protocol: compiled, a call of a base class is ten times faster."""

    @abstractmethod
    def accept(self, query: Query, data: bytes, at: int, flags: int) -> None:
        """An answer that matches: `at` is the offset behind its question."""

    @abstractmethod
    def ignore(self, query: Query | None, data: bytes) -> None:
        """A message that answers nothing; `query` has its id, when one has."""

    @abstractmethod
    def failed(self, queries: list[Query], *, tcp: bool) -> None:
        """The socket broke under these questions."""

    @abstractmethod
    def pump(self) -> None:
        """There may be room for more."""


def behind_question(data: bytes, flags: int, question: bytes) -> int:
    """Where the records of an answer to this question begin; 0 when it answers something else.

    The question must come back byte for byte (RFC 5452 section 9.1). RFC 1035 servers leave it out
    of an answer that says no more than FORMERR, SERVFAIL, NOTIMP or REFUSED.
    """
    asked = data[4] << 8 | data[5]
    if flags & _KIND != wire.QR:
        return 0
    if asked == 1 and data.startswith(question, 12):
        return 12 + len(question)
    rcode = flags & 15
    if asked == 0 and (
        rcode in (wire.FORMERR, wire.SERVFAIL) or rcode in (wire.NOTIMP, wire.REFUSED)
    ):
        return 12
    return 0


class UdpPort:
    """One connected socket with its own random source port and its own table of ids.

    Raises OSError when there is no route to the server, or no descriptor left.
    """

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
        try:
            # connected: the kernel drops what comes from elsewhere, and tells of ICMP errors
            sock.connect(server.address)
        except OSError:
            sock.close()
            raise
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
            if len(data) < 12:
                receiver.ignore(None, data)
                continue
            ident = data[0] << 8 | data[1]
            query = pending.get(ident)
            if query is None:
                receiver.ignore(None, data)
                continue
            flags = data[2] << 8 | data[3]
            at = behind_question(data, flags, query.question)
            if not at:
                receiver.ignore(query, data)
                continue
            del pending[ident]
            receiver.accept(query, data, at, flags)
            if not pending:
                break
        receiver.pump()


class _Connection(asyncio.Protocol):
    """Cuts the stream of one TCP connection into messages, each with its length before it."""

    def __init__(self, link: TcpLink) -> None:
        self._link = link
        self._buffer = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses of asyncio's
        self._link.connected(self, cast("asyncio.Transport", transport))

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer
        buffer += data
        at = 0
        while len(buffer) >= at + 2:
            end = at + 2 + (buffer[at] << 8 | buffer[at + 1])
            if len(buffer) < end:
                break
            self._link.received(bytes(buffer[at + 2 : end]))
            at = end
        del buffer[:at]
        self._link.receiver.pump()

    def connection_lost(self, _error: Exception | None) -> None:
        self._link.disconnected(self)


class TcpLink:
    """The way to a server over TCP, connected when needed, shared by all truncated questions."""

    def __init__(
        self,
        server: Server,
        receiver: Receiver,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.server = server
        self.receiver = receiver
        self.pending: dict[int, Query] = {}
        #: tick of the engine at which the last question was sent
        self.used_at = 0
        #: time of the loop at which the last answer came in; rubbish is none
        self.heard_at = 0.0
        self._loop = loop
        self._connection: _Connection | None = None
        self._transport: asyncio.Transport | None = None
        self._connecting: asyncio.Task[None] | None = None

    def send(self, query: Query, tick: int) -> None:
        """Send a question that stands in `pending`, connecting first where there is no connection."""
        self.used_at = tick
        if self._transport is not None:
            self._transport.write(_framed(query))
        elif self._connecting is None:
            self._connecting = self._loop.create_task(self._connect())

    def idle_ticks(self, now: int) -> int:
        """Ticks for which there has been nothing to do; 0 without a connection."""
        return 0 if self._transport is None or self.pending else now - self.used_at

    async def _connect(self) -> None:
        self._connection = connection = _Connection(self)
        try:
            await self._loop.create_connection(lambda: connection, *self.server.address)
        except OSError:
            self.disconnected(connection)
        finally:
            if connection is self._connection:  # else given up, and perhaps another begun
                self._connecting = None

    def connected(self, connection: _Connection, transport: asyncio.Transport) -> None:
        """Send what still waits for the handshake; what was given up meanwhile is not sent."""
        if connection is not self._connection:
            transport.abort()
            return
        self._transport = transport
        transport.writelines([_framed(query) for query in self.pending.values()])

    def received(self, message: bytes) -> None:
        """One whole message has come in."""
        query = self.pending.get(message[0] << 8 | message[1]) if len(message) >= 12 else None
        if query is None:
            self.receiver.ignore(None, message)
            return
        flags = message[2] << 8 | message[3]
        at = behind_question(message, flags, query.question)
        if not at:
            self.receiver.ignore(query, message)
            return
        self.heard_at = self._loop.time()
        del self.pending[query.ident]
        self.receiver.accept(query, message, at, flags)

    def disconnected(self, connection: _Connection) -> None:
        """What is unanswered goes back to the engine; an earlier connection's end is no news."""
        if connection is not self._connection:
            return
        self._connection = self._transport = self._connecting = None
        lost = list(self.pending.values())
        self.pending.clear()
        if lost:
            # the one it broke at goes last, so that the others are answered before it breaks again
            self.receiver.failed(lost[1:] + lost[:1], tcp=True)

    def is_silent(self, seconds: float) -> bool:
        """True when no answer has come in for so long on what is connected, or to be."""
        is_open = self._connection is not None or self._connecting is not None
        return is_open and self._loop.time() - self.heard_at >= seconds

    def give_up(self) -> list[Query]:
        """Drop the connection; gives what waits on it.

        After half a message nothing on the stream can be told apart any more.
        """
        self.close()
        lost = list(self.pending.values())
        self.pending.clear()
        return lost

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._connecting is not None:
            self._connecting.cancel()
        if self._transport is not None:
            self._transport.abort()
        self._connection = self._transport = self._connecting = None


def _framed(query: Query) -> bytes:
    """A message with its length before it (RFC 1035 section 4.2.2)."""
    message = query.ident.to_bytes(2, "big") + query.packet
    return len(message).to_bytes(2, "big") + message
