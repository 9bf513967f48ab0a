"""A network between a client and a name server: delay, jitter and loss over UDP, from a seed.

`python bench/delay_proxy.py --server 127.0.0.1:5353` prints `listening on 127.0.0.1:PORT` and
passes questions on until SIGTERM or until its parent ends; then it prints what it has seen. A
question and its answer take `--delay-ms` ± `--jitter-ms` each way; `--loss` percent of the
questions get no answer. The draws repeat with the seed, in the order of arrival.
"""

from __future__ import annotations

import argparse
import os
import random
import select
import signal
import socket
import time
from types import FrameType

#: ring of milliseconds in which answers wait to be due; longer than any delay
_RING = 4096
#: length of the tables of delays and losses, gone through again and again
_DRAWS = 65_536
#: datagrams taken from a socket before the other one has its turn
_DRAIN = 64
_BUFFER = 4 * 1024 * 1024
Source = tuple[str, int]


class DelayProxy:
    """Passes datagrams between clients and one server; ids are its own, so that any client may ask.

    Raises ValueError for a delay that is negative or longer than the ring, or a loss beyond 100 %.
    """

    def __init__(
        self, server: Source, *, delay_ms: float, jitter_ms: float, loss: float, seed: int
    ) -> None:
        if not 0 <= jitter_ms <= delay_ms or 2 * (delay_ms + jitter_ms) >= _RING:
            raise ValueError(f"delay: {delay_ms} ± {jitter_ms} ms must be 0 to {_RING // 2} ms")
        if not 0 <= loss <= 100:
            raise ValueError(f"loss: {loss} is no percentage")
        draw = random.Random(seed)
        low, high = delay_ms - jitter_ms, delay_ms + jitter_ms
        #: milliseconds for the way there and back
        self._delays = [
            round(draw.uniform(low, high) + draw.uniform(low, high)) for _ in range(_DRAWS)
        ]
        self._is_lost = [draw.random() * 100 < loss for _ in range(_DRAWS)]
        self._front = _udp()
        self._front.bind(("127.0.0.1", 0))
        self._back = _udp()
        self._back.connect(server)
        self.address: Source = self._front.getsockname()
        #: our id → who asked, and under which id
        self._asked: list[tuple[Source, bytes] | None] = [None] * 65_536
        self._ring: list[list[tuple[bytes, Source]]] = [[] for _ in range(_RING)]
        self._waiting = 0
        self._tick = self._now()
        self._running = True
        #: questions that came in, were lost on purpose, and for want of room; answers sent back
        self.questions = self.lost = self.overrun = self.answers = 0

    @staticmethod
    def _now() -> int:
        return time.monotonic_ns() // 1_000_000

    def stop(self, *_: int | FrameType | None) -> None:
        """End `run` soon; fit for a signal handler."""
        self._running = False

    def run(self, *, parent: int = 0) -> None:
        """Pass datagrams on until `stop`, or until `parent` is no longer our parent."""
        poll = select.epoll()
        front, back = self._front.fileno(), self._back.fileno()
        poll.register(front, select.EPOLLIN)
        poll.register(back, select.EPOLLIN)
        while self._running:
            ready = poll.poll(0.001 if self._waiting else 0.5)
            for fd, _ in ready:
                if fd == front:
                    self._forward()
                else:
                    self._take_back()
            self._deliver()
            if not ready and not self._waiting and parent and os.getppid() != parent:
                break
        poll.close()
        self._front.close()
        self._back.close()

    def _forward(self) -> None:
        receive, send, asked, is_lost = (
            self._front.recvfrom,
            self._back.send,
            self._asked,
            self._is_lost,
        )
        number = self.questions
        try:
            for _ in range(_DRAIN):
                data, source = receive(4096)
                number += 1
                if is_lost[number % _DRAWS]:
                    self.lost += 1
                    continue
                ident = number & 0xFFFF
                asked[ident] = (source, data[:2])
                try:
                    send(ident.to_bytes(2, "big") + data[2:])
                except OSError:  # the buffer is full, or the server is not there: lost as well
                    self.overrun += 1
        except BlockingIOError:
            pass
        self.questions = number

    def _take_back(self) -> None:
        receive, asked, ring, delays = self._back.recv, self._asked, self._ring, self._delays
        tick = self._now()
        for _ in range(_DRAIN):
            try:
                data = receive(4096)
            except OSError:
                return
            ident = int.from_bytes(data[:2], "big")
            who = asked[ident]
            if who is None:
                continue
            asked[ident] = None
            source, theirs = who
            self._waiting += 1
            self.answers += 1
            due = tick + (delays[self.answers % _DRAWS] or 1)
            ring[due % _RING].append((theirs + data[2:], source))

    def _deliver(self) -> None:
        send, ring = self._front.sendto, self._ring
        now = self._now()
        while self._tick < now:
            self._tick += 1
            held = ring[self._tick % _RING]
            if not held:
                continue
            for data, source in held:
                try:
                    send(data, source)
                except OSError:
                    self.overrun += 1
            self._waiting -= len(held)
            held.clear()


def _udp() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setblocking(False)
    for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        sock.setsockopt(socket.SOL_SOCKET, option, _BUFFER)
    return sock


def main() -> int:
    """Run until SIGTERM; 2 when an argument is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", required=True, help="ADDRESS:PORT of the name server")
    parser.add_argument("--delay-ms", type=float, default=20.0, help="each way (default 20)")
    parser.add_argument("--jitter-ms", type=float, default=5.0, help="more or less (default 5)")
    parser.add_argument(
        "--loss", type=float, default=0.5, help="percent of questions (default 0.5)"
    )
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    host, _, port = args.server.rpartition(":")
    try:
        proxy = DelayProxy(
            (host, int(port)),
            delay_ms=args.delay_ms,
            jitter_ms=args.jitter_ms,
            loss=args.loss,
            seed=args.seed,
        )
    except ValueError as error:
        parser.error(str(error))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, proxy.stop)
    print(f"listening on 127.0.0.1:{proxy.address[1]}", flush=True)
    proxy.run(parent=os.getppid())
    print(
        f"{proxy.questions} questions, {proxy.answers} answers,"
        f" {proxy.lost} lost, {proxy.overrun} for want of room",
        flush=True,
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
