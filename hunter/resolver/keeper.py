"""What happens to servers with time: room, ports, idle connections, and a probe for the doubtful."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from hunter.core.answers import Answer, Outcome, RRType
from hunter.resolver.clock import Clock
from hunter.resolver.ports import Ports
from hunter.resolver.questions import Batch, Budget, Lane, Query
from hunter.resolver.servers import Server
from hunter.resolver.tuning import Tuning
from hunter.resolver.wire import TEMPLATES, encode_name, message


class _Probe(Batch):
    """A question that tells a dead server from dead domains."""

    __slots__ = ("_done",)

    def __init__(self, done: Callable[[Answer], None]) -> None:
        super().__init__(1, Budget(), Lane.INTERACTIVE, None)
        self._done = done

    def complete(self) -> None:
        (answer,) = self.results
        assert isinstance(answer, Answer)  # noqa: S101  # a complete batch holds answers only
        self._done(answer)


class Keeper:
    """Looks after all servers once a tick."""

    def __init__(
        self,
        ports: list[Ports],
        tuning: Tuning,
        clock: Clock,
        send: Callable[[Query, Server, Batch], bool],
        waited: Callable[[float], None],
    ) -> None:
        self._ports = ports
        self._tuning = tuning
        self._clock = clock
        #: False when a socket's buffer is full
        self._send = send
        #: told the seconds for which a rate limit has held questions back
        self._waited = waited
        self._now = asyncio.get_running_loop().time
        self._then = self._now()

    def start(self) -> None:
        """Open the first ports."""
        for ports in self._ports:
            self._open(ports)

    def tick(self) -> None:
        """One tick has passed."""
        now = self._now()
        passed, self._then = now - self._then, now
        for ports in self._ports:
            server = ports.server
            if server.starved:
                self._waited(passed)
                server.starved = False
            server.refill(passed)
            server.grow(now)
            server.forgive(now)
            if (
                ports.tcp.idle_ticks(self._clock.now)
                > self._tuning.tcp_idle_s / self._tuning.tick_s
            ):
                ports.tcp.close()
            if server.probing:
                continue
            if server.is_open:
                if now >= server.reopen_at and self._open(ports):
                    self._probe(server)
                continue
            ports.renew(self._clock.now)
            self._open(ports)
            # the first probe, when the window has become the limit, tells what is normal
            grown = server.window > self._tuning.first_window and not server.base_rtt
            if server.is_suspect(self._tuning.doubt_after) or grown:
                self._probe(server)

    def _open(self, ports: Ports) -> bool:
        if ports.open(self._clock.now):
            return True
        ports.server.unreachable(self._now(), self._tuning.reopen_s)
        return False

    def _probe(self, server: Server) -> None:
        """Ask for the root's NS: every resolver knows it, and no domain is to blame for its loss."""
        started = self._now()

        def done(answer: Answer) -> None:
            now = self._now()
            lost = answer.outcome is Outcome.TIMEOUT or answer.outcome is Outcome.UNREACHABLE
            server.probed(None if lost else now - started, now, self._tuning.reopen_s)

        server.probe_sent()
        probe = _Probe(done)
        template = TEMPLATES[RRType.NS]
        question = encode_name(".") + template.tail
        timeout = self._clock.ticks(self._tuning.timeouts_s[0])
        query = Query(probe, 0, ".", template, question, (timeout,))
        query.no_edns = -1  # for all servers: what an old one cannot read must not fail the probe
        query.packet = message(question, edns=False)
        probe.results[0] = query
        if not self._send(query, server, probe):
            server.probing = False  # nothing was sent, so nothing was lost: again at the next tick
