"""A scripted name server on loopback, honest or lying as its zone text says, over UDP and TCP."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import random
import signal
import socket
import struct
import sys
from collections import Counter, deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, Self, TypeAlias

import uvloop

from hunter.local.misbehaviour import (
    BEHAVIOURS,
    FOREVER_S,
    LIES,
    RCODES,
    STORM,
    Asked,
    Bursts,
    check,
    crooked,
    forged,
    pack,
    write,
)
from hunter.local.zone import FORMERR, Reply, Zone, parents

#: kernel buffers fill up in bursts; several sockets on one port (SO_REUSEPORT) have one each
_SOCKETS = 8
_DRAIN = 128
_CACHE_MAX = 500_000
#: another address of this machine, for answers that the asked server did not send
_STRANGER = "127.0.0.2"


class Packet(NamedTuple):
    """One question as it came in."""

    data: bytes
    #: address and port; for IPv6 flow and scope follow
    source: tuple[str, int]
    tcp: bool


#: Gets a packet and how often its question has come, gives whole messages to send instead of an
#: answer; None for the usual answer.
Script: TypeAlias = Callable[[Packet, int], "Sequence[bytes] | None"]


class NameServer:
    """Serves a zone on host:port (0: any free port) until the context ends.

    `;! name [TYPE] word …` in the zone text makes the server misbehave for a name (with its type),
    `;! .name …` for a name and everything below, `;! . …` for everything; `BEHAVIOURS` lists the
    words. Lies that come "first" are followed by the true answer unless `timeout` stands there too.
    By default it looks like a recursive resolver (RA set, NXDOMAIN for names of no zone here);
    `outside="refused"` makes it answer strange names as an authoritative server does. Without
    `tcp` nobody listens there. A `script` may put any bytes in place of any answer.
    """

    def __init__(
        self,
        zone: str = "",
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        outside: str = "nxdomain",
        record: bool = True,
        tcp: bool = True,
        script: Script | None = None,
        seed: int = 1,
    ) -> None:
        self.zone = Zone(zone, outside=RCODES[outside])
        self.address: tuple[str, int] = (host, port)
        #: the last questions, when `record` is on
        self.packets: deque[Packet] = deque(maxlen=50_000)
        #: questions received over UDP and TCP
        self.total = 0
        self._record = record
        self._listens = tcp
        self._script = script
        self._random = random.Random(seed)  # noqa: S311  # repeatable losses, no secret
        self._sockets: list[socket.socket] = []
        #: where forged answers come from: the lie → a socket with another port or address
        self._liars: dict[str, socket.socket] = {}
        self._tcp: asyncio.Server | None = None
        self._talks: set[asyncio.Task[None]] = set()
        self._counts: Counter[tuple[str, bytes]] = Counter()
        self._bursts = Bursts()
        self._prepare()

    def load(self, zone: str) -> None:
        """Add more zone text while running."""
        self.zone.load(zone)
        self._prepare()

    def replace(self, zone: str) -> None:
        """Serve this zone text instead of all that was there."""
        self.zone = Zone(zone, outside=self.zone.outside)
        self._prepare()

    def exchange(self, old: str, new: str) -> None:
        """Serve `new` in place of zone text loaded before. Raises ValueError, and goes on with `old`."""
        Zone(new)
        self.zone.drop(old)
        self.load(new)

    @property
    def queries(self) -> Counter[str]:
        """How often each question, "name TYPE", came in; empty when `record` is off."""
        return Counter(Asked(packet.data).text for packet in self.packets)

    def _prepare(self) -> None:
        #: question with flags and EDNS → what stands before and behind the question in its answer
        self._made: dict[bytes, tuple[bytes, bytes]] = {}
        self._faults: dict[tuple[bytes, int, bool], dict[str, str]] = {}
        for directive in self.zone.directives:
            check(directive)
            key = (directive.name, directive.rrtype, directive.subtree)
            self._faults.setdefault(key, {}).update(directive.words)
        #: names with a directive of their own or for all below them
        self._crooked = frozenset(name for name, _, _ in self._faults)

    async def __aenter__(self) -> Self:
        await self._bind()
        loop = asyncio.get_running_loop()
        for sock in self._sockets:
            loop.add_reader(sock.fileno(), self._drain, sock)
        host, port = self.address
        self._liars = {"wrong-source": _udp((host, 0))}
        if host.startswith("127.") and host != _STRANGER:
            self._liars["wrong-address"] = _udp((_STRANGER, port))
        return self

    async def __aexit__(self, *_: object) -> None:
        loop = asyncio.get_running_loop()
        for sock in self._sockets:
            loop.remove_reader(sock.fileno())
            sock.close()
        self._sockets.clear()
        for liar in self._liars.values():
            liar.close()
        if self._tcp is not None:
            self._tcp.close()
        for talk in self._talks:
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)

    async def _bind(self) -> None:
        """UDP and TCP on the same port; a free UDP port may be taken on TCP, then another one."""
        host, port = self.address
        for attempt in range(20):
            first = _udp((host, port))
            bound = (host, int(first.getsockname()[1]))
            try:
                if self._listens:
                    self._tcp = await asyncio.start_server(self._accept_tcp, *bound)
            except OSError:
                first.close()
                if port or attempt == 19:
                    raise
                continue
            self.address = bound
            self._sockets = [first, *(_udp(bound) for _ in range(_SOCKETS - 1))]
            return

    # UDP: one callback reads many datagrams; a known honest answer costs a lookup and a join

    def _drain(self, sock: socket.socket) -> None:
        made, record = self._made, self._record
        honest_only = not self._faults and self._script is None
        receive, send = sock.recvfrom, sock.sendto
        for _ in range(_DRAIN):
            try:
                data, source = receive(4096)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:  # pragma: no cover - an ICMP echo of an earlier answer
                continue
            self.total += 1
            if record:
                self.packets.append(Packet(data, source, tcp=False))
            # lower() may also touch the type and the EDNS size; no two values in use collide by it
            pair = made.get(data[2:].lower())
            if pair is None and honest_only:
                pair = self._honest(data, Asked(data))
            if pair is None:
                self._scripted(sock, data, source)
                continue
            with contextlib.suppress(OSError):
                send(data[:2] + pair[0] + data[12 : data.find(b"\0", 12) + 5] + pair[1], source)

    def _honest(self, data: bytes, asked: Asked) -> tuple[bytes, bytes] | None:
        """The true answer, kept for the next time; None for what is no plain question."""
        if not asked.sound or data.find(b"\0", 12) + 5 != asked.end:
            return None
        pair = pack(asked, self.zone.reply(asked.name, asked.rrtype))
        if len(self._made) < _CACHE_MAX:
            self._made[data[2:].lower()] = pair
        return pair

    def _scripted(self, sock: socket.socket, data: bytes, source: tuple[str, int]) -> None:
        if len(data) < 12 or data[2] & 0x80:
            return
        asked = Asked(data)
        told = self._scripted_by(Packet(data, source, tcp=False), asked)
        if told is not None:
            for message in told:
                self._send(sock, message, source)
            return
        words = self._words(asked)
        if not words:
            pair = self._honest(data, asked) if asked.sound and self._script is None else None
            if pair is not None:
                self._send(sock, data[:2] + pair[0] + asked.question + pair[1], source)
            else:
                self._send(sock, self._answer(data, asked, {}, tcp=False), source)
            return
        self._lie(sock, data, asked, words, source)
        if self._is_silent(asked, words):
            return
        reply = self._answer(data, asked, words, tcp=False)
        delay = float(words.get("delay", 0))
        if "delay-first" in words and self._nth("delay-first", asked) == 1:
            delay = float(words["delay-first"])
        for _ in range(2 if "duplicate" in words else 1):
            if delay:
                loop = asyncio.get_running_loop()
                loop.call_later(delay / 1000, self._send, sock, reply, source)
            else:
                self._send(sock, reply, source)

    def _lie(
        self,
        sock: socket.socket,
        data: bytes,
        asked: Asked,
        words: dict[str, str],
        source: tuple[str, int],
    ) -> None:
        """Send what comes before the true answer."""
        for lie in sorted(LIES & words.keys()):
            if lie == "wrong-address" and lie not in self._liars:
                continue  # IPv6 has one loopback address only
            noise = self._random.randbytes(self._random.randrange(1, 300))
            self._send(self._liars.get(lie, sock), forged(lie, data, asked, noise), source)

    def _send(self, sock: socket.socket, reply: bytes, source: tuple[str, int]) -> None:
        with contextlib.suppress(OSError):  # the asker went away, or we were closed
            sock.sendto(reply, source)

    def _words(self, asked: Asked) -> dict[str, str]:
        """The directives for this question, the more particular ones winning."""
        found: dict[str, str] = {}
        if not asked.sound:
            return found
        names = [asked.name, *parents(asked.name)]
        if not self._crooked.isdisjoint(names):
            rrtype = int.from_bytes(asked.rrtype, "big")
            for name in reversed(names):
                for kind in (0, rrtype):
                    found |= self._faults.get((name, kind, True), {})
            for kind in (0, rrtype):
                found |= self._faults.get((asked.name, kind, False), {})
        if "storm" in found and self._random.random() * 100 < float(found["storm"]):
            return self._random.choice(STORM)
        return found

    def _scripted_by(self, packet: Packet, asked: Asked) -> Sequence[bytes] | None:
        if self._script is None or not asked.sound:
            return None
        return self._script(packet, self._nth("script", asked))

    def _is_silent(self, asked: Asked, words: dict[str, str]) -> bool:
        if "timeout" in words or (asked.edns and "drop-edns" in words):
            return True
        if "loss" in words and self._random.random() * 100 < float(words["loss"]):
            return True
        if "burst" in words and self._bursts.come() > int(words["burst"]):
            return True
        return "drop-first" in words and self._nth("drop-first", asked) <= float(
            words["drop-first"]
        )

    def _nth(self, word: str, asked: Asked) -> int:
        key = (word, asked.name + asked.rrtype)
        self._counts[key] += 1
        return self._counts[key]

    def _answer(self, data: bytes, asked: Asked, words: dict[str, str], *, tcp: bool) -> bytes:
        if not asked.sound:
            return data[:2] + struct.pack("!5H", 0x8080 | FORMERR, 0, 0, 0, 0)
        honest: Reply = self.zone.reply(asked.name, asked.rrtype, chase="no-chase" not in words)
        return crooked(data, asked, words, honest, lambda word: self._nth(word, asked), tcp=tcp)

    # TCP: RFC 7766, several questions per connection, answered in order

    async def _accept_tcp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk = asyncio.current_task()
        assert talk is not None  # noqa: S101  # a stream callback is a task
        self._talks.add(talk)
        talk.add_done_callback(self._talks.discard)
        held: list[bytes] = []
        try:
            while True:
                length = int.from_bytes(await reader.readexactly(2), "big")
                data = await reader.readexactly(length)
                self.total += 1
                packet = Packet(data, writer.get_extra_info("peername"), tcp=True)
                if self._record:
                    self.packets.append(packet)
                asked = Asked(data, tcp=True)
                words = self._words(asked)
                held.append(await self._tcp_answer(packet, asked, words))
                if "tcp-pairs" not in words or len(held) == 2:
                    await write(writer, b"".join(held), words)
                    held.clear()
        except (asyncio.IncompleteReadError, asyncio.CancelledError, OSError):
            pass  # the other side, or we, ended the talk
        finally:
            writer.close()

    async def _tcp_answer(self, packet: Packet, asked: Asked, words: dict[str, str]) -> bytes:
        """What goes over the wire, each message with its length before it."""
        if "tcp-close" in words:
            raise ConnectionResetError
        if "tcp-timeout" in words:
            await asyncio.sleep(FOREVER_S)
        if "delay" in words:
            await asyncio.sleep(float(words["delay"]) / 1000)
        told = self._scripted_by(packet, asked)
        if told is None:
            told = [self._answer(packet.data, asked, words, tcp=True)]
        return b"".join(struct.pack("!H", len(message)) + message for message in told)


def _udp(address: tuple[str, int]) -> socket.socket:
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.setblocking(False)
    if address[1] or _SOCKETS > 1:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * 1024 * 1024)
    sock.bind(address)
    return sock


# ── as a program of its own ──


def _arguments() -> argparse.ArgumentParser:
    words = "\n".join(f"  {word:16} {text}" for word, text in BEHAVIOURS.items())
    parser = argparse.ArgumentParser(
        prog="python -m hunter.local.nameserver",
        description="Serve zone text on loopback. Prints `listening on ADDRESS:PORT` when ready. "
        "SIGHUP: read changed zone files again, then print `reloaded`.",
        epilog=f"Directives in the zone text, `;! name [TYPE] word …` (.name: and all below):\n{words}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--zone", type=Path, action="append", default=[], help="zone file; may repeat"
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: any free port")
    parser.add_argument(
        "--outside",
        choices=["nxdomain", "refused"],
        default="nxdomain",
        help="answer for names of no zone here: like a recursive or like an authoritative server",
    )
    parser.add_argument("--ready-fd", type=int, help="also write ADDRESS:PORT to this descriptor")
    parser.add_argument("--stay", action="store_true", help="go on when the parent process ends")
    return parser


async def _serve(args: argparse.Namespace) -> None:
    parent = os.getppid()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    server = NameServer(host=args.host, port=args.port, outside=args.outside, record=False)
    served = {path: path.read_text() for path in args.zone}
    for text in served.values():
        server.load(text)
    loop.add_signal_handler(signal.SIGHUP, _reload, server, served)
    async with server:
        host, port = server.address
        told = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        print(f"listening on {told}", flush=True)
        if args.ready_fd is not None:
            os.write(args.ready_fd, f"{told}\n".encode())
            os.close(args.ready_fd)
        # an orphan would hold its port and its memory for nobody
        while not stop.is_set() and (args.stay or os.getppid() == parent):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), 1)


def _reload(server: NameServer, served: dict[Path, str]) -> None:
    """Serve the zone files that changed as they are now; one that cannot be read stays as it was."""
    for path, old in served.items():
        try:
            new = path.read_text()
            if new != old:
                server.exchange(old, new)
                served[path] = new
        except (OSError, ValueError) as error:
            print(f"nameserver: {path.name} stays as it was: {error}", file=sys.stderr, flush=True)
    print("reloaded", flush=True)


def main(argv: list[str] | None = None) -> int:
    """Run the server until SIGTERM, SIGINT or the end of the parent; 2 when it cannot start."""
    args = _arguments().parse_args(argv)
    try:
        uvloop.run(_serve(args))
    except (OSError, ValueError) as error:
        print(f"nameserver: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
