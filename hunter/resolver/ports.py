"""The ports of one server: as many as its window needs, each replaced after a while."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

from hunter.resolver.questions import Query
from hunter.resolver.servers import Server
from hunter.resolver.sockets import Receiver, TcpLink, UdpPort
from hunter.resolver.tuning import Tuning

#: questions in flight per socket: 16 sockets at 10,000 in flight overran their buffers by 1 %
_PER_SOCKET: Final = 128


class Ports:
    """UDP ports with different source ports, and the TCP link beside them."""

    def __init__(
        self, server: Server, tuning: Tuning, receiver: Receiver, loop: asyncio.AbstractEventLoop
    ) -> None:
        self.udp: list[UdpPort] = []
        self.tcp = TcpLink(server, receiver, loop)
        self.server = server
        self._tuning = tuning
        self._receiver = receiver
        self._loop = loop
        self._leaving: list[UdpPort] = []

    def open(self, tick: int) -> bool:
        """Open what is missing; False when not one port could be opened."""
        tuning = self._tuning
        wanted = -(-self.server.window // _PER_SOCKET)
        wanted = max(tuning.sockets_min, min(tuning.sockets_max, wanted))
        try:
            while len(self.udp) < wanted:
                self.udp.append(UdpPort(self.server, self._receiver, self._loop, tick))
        except OSError:  # no route to the server, or no descriptors left
            return bool(self.udp)
        return True

    def renew(self, tick: int) -> None:
        """Replace ports that have served long enough; the old ones still hear their answers."""
        oldest = tick - int(self._tuning.rotate_s / self._tuning.tick_s)
        for place, port in enumerate(self.udp):
            if port.sent >= self._tuning.rotate_after or (port.sent and port.born < oldest):
                with contextlib.suppress(OSError):  # no descriptor left: the old port serves on
                    self.udp[place] = UdpPort(self.server, self._receiver, self._loop, tick)
                    self._leaving.append(port)
        for port in [port for port in self._leaving if not port.pending]:
            self._leaving.remove(port)
            port.close()

    def overdue(self, tick: int) -> list[Query]:
        """Questions whose try is over; what is in flight is little enough to look through."""
        late = [query for query in self.tcp.pending.values() if query.due <= tick]
        for port in self.udp:
            late += [query for query in port.pending.values() if query.due <= tick]
        for port in self._leaving:
            late += [query for query in port.pending.values() if query.due <= tick]
        return late

    def close(self) -> list[Query]:
        """Close everything; gives the questions still open."""
        waiting = [*self.tcp.pending.values()]
        self.tcp.pending.clear()
        self.tcp.close()
        for port in (*self.udp, *self._leaving):
            waiting += port.pending.values()
            port.close()
        self.udp.clear()
        self._leaving.clear()
        return waiting
