"""One question to one name server, with everything its reply shows: what the engine keeps to itself."""

from __future__ import annotations

import asyncio
import os
import struct
import time
from dataclasses import dataclass

from hunter.core.answers import Answer, Outcome, RRType
from hunter.resolver.records import OPT, read_name
from hunter.resolver.replies import decode, failure
from hunter.resolver.wire import (
    AD,
    HEADER,
    QR,
    RA,
    TC,
    TEMPLATES,
    encode_name,
    message,
)


class Exhausted(Exception):  # a limit reached, no error
    """All questions that one server may be asked have been asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came back for one question; without a reply, the outcome says why and the rest is empty."""

    outcome: Outcome
    records: tuple[str, ...] = ()
    rtt_s: float = 0.0
    flags: int = 0
    #: the reply carries an OPT record (RFC 6891)
    edns: bool = False
    #: the question came back as it was sent, letter case included
    same_case: bool = True
    #: why there is no reply, in the operating system's words
    error: str = ""

    @property
    def came(self) -> bool:
        """True when the server replied at all."""
        return bool(self.flags & QR)

    @property
    def is_useful(self) -> bool:
        """True when the reply says yes or no, or that TCP will."""
        return self.outcome.is_known or self.truncated

    @property
    def truncated(self) -> bool:
        """True when the rest has to be fetched over TCP (RFC 7766)."""
        return bool(self.flags & TC)

    @property
    def recurses(self) -> bool:
        """True when the server offers to ask others for us."""
        return bool(self.flags & RA)

    @property
    def validated(self) -> bool:
        """True when the server says that DNSSEC proves the answer (RFC 6840 section 5.7)."""
        return bool(self.flags & AD)


class Asker:
    """Asks one server, each question from a source port of its own, and no more than `limit` of them.

    Questions leave at least `pace_s` apart unless told otherwise. With `limit` reached, `ask` and
    `ask_tcp` raise Exhausted.
    """

    def __init__(
        self, address: tuple[str, int], *, limit: int, timeout_s: float, pace_s: float = 0.02
    ) -> None:
        self._address = address
        self._timeout_s = timeout_s
        self._pace_s = pace_s
        self._next_at = 0.0
        self._limit = limit
        #: questions sent so far, over UDP and TCP
        self.asked = 0
        #: replies that belonged to no question: late, doubled or forged
        self.strangers = 0
        #: whether questions carry EDNS
        self.edns = True

    async def ask(
        self, name: str, rrtype: RRType, *, tries: int = 2, edns: bool | None = None
    ) -> Reply:
        """The reply over UDP, asked again when none comes in time."""
        with_edns = self.edns if edns is None else edns
        reply = Reply(outcome=Outcome.TIMEOUT)
        for _ in range(tries):
            await self._pace()
            reply = await self._ask_once(name, rrtype, edns=with_edns)
            if reply.came:
                break
        return reply

    async def ask_at_once(self, name: str, rrtype: RRType, count: int) -> list[Reply]:
        """The same question so many times without a pause and without a second try."""
        asked = (self._ask_once(name, rrtype, edns=self.edns) for _ in range(count))
        return await asyncio.gather(*asked)

    async def ask_tcp(self, name: str, rrtype: RRType) -> Reply:
        """The reply over a TCP connection of its own."""
        self._count()
        question = _Question(name, rrtype, edns=self.edns)
        started = time.monotonic()
        try:
            async with asyncio.timeout(self._timeout_s):
                data = await self._exchange(question.packet)
        except TimeoutError:
            return Reply(outcome=Outcome.TIMEOUT)
        except asyncio.IncompleteReadError:
            return Reply(outcome=Outcome.UNREACHABLE, error="the connection was closed")
        except OSError as error:
            return Reply(outcome=Outcome.UNREACHABLE, error=_told(error))
        reply = question.read(data, time.monotonic() - started)
        return reply or Reply(outcome=Outcome.MALFORMED)

    async def _exchange(self, packet: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(*self._address)
        try:
            writer.write(struct.pack("!H", len(packet)) + packet)
            (length,) = struct.unpack("!H", await reader.readexactly(2))
            return await reader.readexactly(length)
        finally:
            writer.close()

    async def _ask_once(self, name: str, rrtype: RRType, *, edns: bool) -> Reply:
        self._count()
        question = _Question(name, rrtype, edns=edns)
        waiting = _Waiting(question)
        loop = asyncio.get_running_loop()
        try:
            transport, _ = await loop.create_datagram_endpoint(
                lambda: waiting, remote_addr=self._address
            )
        except OSError as error:
            return Reply(outcome=Outcome.UNREACHABLE, error=_told(error))
        try:
            transport.sendto(question.packet)
            return await asyncio.wait_for(waiting.reply, self._timeout_s)
        except TimeoutError:
            return Reply(outcome=Outcome.TIMEOUT)
        finally:
            self.strangers += waiting.strangers
            transport.close()

    def _count(self) -> None:
        if self.asked >= self._limit:
            raise Exhausted
        self.asked += 1

    async def _pace(self) -> None:
        now = time.monotonic()
        at = max(now, self._next_at)
        self._next_at = at + self._pace_s
        await asyncio.sleep(at - now)


class _Question:
    """A question and the reading of its replies."""

    def __init__(self, name: str, rrtype: RRType, *, edns: bool) -> None:
        self._name = name
        self._template = TEMPLATES[rrtype]
        self._wire = encode_name(name) + self._template.tail
        self._ident = os.urandom(2)
        self.packet = self._ident + message(self._wire, edns=edns)

    def read(self, data: bytes, rtt_s: float) -> Reply | None:
        """The reply; None for what does not belong to this question."""
        if len(data) < HEADER.size or data[:2] != self._ident or not data[2] & 0x80:
            return None
        header = HEADER.unpack_from(data)
        asked = data[12 : 12 + len(self._wire)]
        if header[2] and asked.lower() != self._wire.lower():
            return None
        at = 12 + (len(self._wire) if header[2] else 0)
        outcome, records = self._said(data, at, header)
        return Reply(
            outcome=outcome,
            records=records,
            rtt_s=rtt_s,
            flags=header[1],
            edns=_has_opt(data, at, header),
            same_case=not header[2] or asked == self._wire,
        )

    def _said(
        self, data: bytes, at: int, header: tuple[int, int, int, int, int, int]
    ) -> tuple[Outcome, tuple[str, ...]]:
        rcode = header[1] & 15
        if rcode not in {0, 3}:
            return failure(rcode), ()
        found = decode(data, at, self._name.lower(), self._template, "")
        if isinstance(found, Answer):
            return found.outcome, found.records
        # an alias whose target was left out still says that the name exists
        return Outcome.FOUND, found.chain


class _Waiting(asyncio.DatagramProtocol):
    """Waits for the one datagram that answers a question."""

    def __init__(self, question: _Question) -> None:
        self.reply: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self.strangers = 0
        self._question = question
        self._started = time.monotonic()

    def datagram_received(self, data: bytes, _source: object) -> None:
        reply = self._question.read(data, time.monotonic() - self._started)
        if reply is None:
            self.strangers += 1
        elif not self.reply.done():
            self.reply.set_result(reply)

    def error_received(self, error: Exception) -> None:
        if not self.reply.done():
            self.reply.set_result(Reply(outcome=Outcome.UNREACHABLE, error=_told(error)))


def _told(error: Exception) -> str:
    code = getattr(error, "errno", None)
    return os.strerror(code) if code else str(error)


def _has_opt(data: bytes, at: int, header: tuple[int, int, int, int, int, int]) -> bool:
    try:
        for _ in range(header[3] + header[4] + header[5]):
            _, at = read_name(data, at)
            rtype, _, _, length = struct.unpack_from("!HHIH", data, at)
            if rtype == OPT:
                return True
            at += 10 + length
    except (ValueError, IndexError, struct.error):
        return False
    return False
