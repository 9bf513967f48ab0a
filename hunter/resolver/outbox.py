"""Questions on their way out: who waits for room, which server is next, and the datagram itself."""

from __future__ import annotations

import os
import struct
from collections import deque
from collections.abc import Callable
from typing import Final

from hunter.core.answers import Outcome
from hunter.resolver.clock import Clock
from hunter.resolver.ports import Ports
from hunter.resolver.questions import Batch, Query
from hunter.resolver.servers import Server
from hunter.resolver.tally import Tally
from hunter.resolver.wire import in_mixed_case, message

#: one in so many questions is timed, by its id
_SAMPLE: Final = 64
_RANDOM: Final = struct.Struct("!1024I")


class Outbox:
    """Sends what waits, as far as windows and rate limits allow; people first.

    Three queues hold questions that any server may answer: people's; those of domains already
    begun; those of domains not begun. Finishing a domain before beginning the next keeps its time
    short however long the queue is. What only one server may answer, mostly a retry, waits in that
    server's own queue, so that its limits hold up nobody else, until that queue is as long as the
    server's window: then nothing new is begun.
    """

    def __init__(  # noqa: PLR0917  # made once
        self,
        ports: list[Ports],
        clock: Clock,
        tally: Tally,
        now_s: Callable[[], float],
        end: Callable[[Query, Outcome], None],
        broken: Callable[[Query, Server, list[Query]], None],
        mixing: bool,
    ) -> None:
        self._ports = ports
        self._servers = [each.server for each in ports]
        self._clock = clock
        self._tally = tally
        self._now_s = now_s
        self._end = end
        self._broken = broken
        #: True when questions go out in random case (0x20)
        self._mixing = mixing
        self._turn = 0
        self._people: deque[Query] = deque()
        self._begun: deque[Query] = deque()
        self._fresh: deque[Query] = deque()
        #: by number of the server: people's and other questions that only it may answer
        self._bound_people: list[deque[Query]] = [deque() for _ in ports]
        self._bound: list[deque[Query]] = [deque() for _ in ports]
        #: questions in those
        self._binding = 0
        self._random: list[int] = []
        #: batches whose clock runs; the engine clears out what is complete
        self.running: list[Batch] = []

    # ── who waits ──

    def put(self, query: Query, batch: Batch) -> None:
        """A new question."""
        if batch.interactive:
            self._people.append(query)
        # without a future it is asked on behalf of others, who have begun
        elif batch.budget.due or batch.future is None:
            self._begun.append(query)
        else:
            self._fresh.append(query)

    def put_back(self, query: Query, batch: Batch) -> None:
        """A question to be sent once more: before all others, to its server when it has one."""
        server = query.server
        if server is not None and not server.is_open:
            self._bind(query, batch, server)
        elif batch.interactive:
            self._people.appendleft(query)
        else:
            self._begun.appendleft(query)

    def _bind(self, query: Query, batch: Batch, server: Server) -> None:
        query.server = server
        queues = self._bound_people if batch.interactive else self._bound
        queues[server.number].append(query)
        self._binding += 1

    def hasten(self, query: Query, batch: Batch) -> None:
        """A person now waits for this one too. Its place in a bulk queue is passed over later."""
        batch.interactive = True
        if not query.due:
            self._people.append(query)

    def waiting(self) -> list[Query]:
        """Everything not sent."""
        queues = (self._people, self._begun, self._fresh, *self._bound_people, *self._bound)
        return [query for queue in queues for query in queue]

    # ── who is next ──

    def pump(self) -> None:
        """Send what there is room for."""
        if self._binding and not self._send_bound(self._bound_people, interactive=True):
            return
        people = self._people and self._may_begin(self._bound_people)
        if people and not self._send_any(self._people, interactive=True):
            return
        if self._binding and not self._send_bound(self._bound, interactive=False):
            return
        if not self._may_begin(self._bound):
            return
        if self._begun and not self._send_any(self._begun, interactive=False):
            return
        if self._fresh:
            self._send_any(self._fresh, interactive=False)

    def _may_begin(self, queues: list[deque[Query]]) -> bool:
        """False while more waits for one server than its window holds.

        More of what the others could not answer would only wait there, with its time running.
        """
        if not self._binding:
            return True
        return all(len(queues[server.number]) < server.window for server in self._servers)

    def _send_any(self, queue: deque[Query], *, interactive: bool) -> bool:
        """False when a socket's buffer is full."""
        while queue:
            server = self._next_server(0, interactive)
            if server is None:
                if self.is_anyone_there(0):
                    return True  # later, when there is room
                query = queue.popleft()
                self._end(query, query.worst or Outcome.UNREACHABLE)
                continue
            query = queue.popleft()
            batch = self._batch_of(query, interactive=interactive)
            if batch is None:
                continue
            if query.useless & server.bit:
                self._send_elsewhere(query, batch)
            elif not self.transmit(query, server, batch):
                queue.appendleft(query)
                return False
        return True

    def _send_bound(self, queues: list[deque[Query]], *, interactive: bool) -> bool:
        """False when a socket's buffer is full."""
        for server in self._servers:
            queue = queues[server.number]
            # a retry finds the room its last try has left there: nothing goes before it
            while queue and (server.is_open or server.has_room(interactive=interactive)):
                query = queue.popleft()
                self._binding -= 1
                if server.is_open and not self.is_anyone_there(query.useless):
                    self._end(query, query.worst or Outcome.UNREACHABLE)
                    continue
                batch = self._batch_of(query, interactive=interactive)
                if batch is None:
                    continue
                if server.is_open:
                    self._send_elsewhere(query, batch)
                elif not self.transmit(query, server, batch):
                    queue.appendleft(query)
                    self._binding += 1
                    return False
        return True

    def _batch_of(self, query: Query, *, interactive: bool) -> Batch | None:
        """The batch a question is still wanted for; its end when its budget is used up."""
        batch = query.batch
        # a hastened question has two places, and goes from the people's
        if batch is None or batch.interactive is not interactive or query.due:
            return None
        if batch.is_abandoned():
            return None
        budget = batch.budget
        now = self._clock.now
        if (budget.used >= budget.limit or 0 < budget.due <= now) and not batch.finds_payer(now):
            self._end(query, Outcome.BUDGET)
            return None
        return batch

    def _send_elsewhere(self, query: Query, batch: Batch) -> None:
        """Wait for a server that has not been asked in vain, or end."""
        for server in self._servers:
            if not server.is_open and not query.useless & server.bit:
                self._bind(query, batch, server)
                return
        self._end(query, query.worst or Outcome.UNREACHABLE)

    def is_anyone_there(self, useless: int) -> bool:
        """May anyone but these servers be asked, now or later?"""
        return any(not server.is_open and not useless & server.bit for server in self._servers)

    def _next_server(
        self, useless: int, interactive: bool
    ) -> Server | None:  # on the way of every packet
        """The next one in turn that has room."""
        count = len(self._servers)
        for step in range(count):
            number = self._turn + step
            if number >= count:
                number -= count
            server = self._servers[number]
            if (
                not server.is_open
                and not useless & server.bit
                and server.has_room(interactive=interactive)
            ):
                self._turn = number + 1 if number + 1 < count else 0
                return server
        return None

    # ── the message ──

    def transmit(self, query: Query, server: Server, batch: Batch) -> bool:
        """Send one datagram; False when the socket's buffer is full."""
        if not self._random:
            # drawn in blocks: a system call for every id would cost more than the rest
            self._random = list(_RANDOM.unpack(os.urandom(_RANDOM.size)))
        number = self._random.pop()
        ports = self._ports[server.number].udp
        port = ports[(number >> 16) % len(ports)]
        ident = number & 0xFFFF
        pending = port.pending
        while ident in pending:
            ident = int.from_bytes(os.urandom(2), "big")
        if self._mixing or query.no_edns or not server.edns:
            self._pack(query, server)
        try:
            port.send(ident.to_bytes(2, "big") + query.packet)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:
            # the kernel tells of an earlier datagram: nobody listens, and this one was not sent
            lost = list(pending.values())
            pending.clear()
            batch.budget.used += 1
            self._broken(query, server, lost)
            return True
        port.sent += 1
        query.due = self._clock.now + query.timeouts[query.tries]
        query.ident = ident
        query.pending = pending
        self._sent(query, server, batch)
        return True

    def transmit_tcp(self, query: Query, server: Server, batch: Batch, ticks: int) -> None:
        """The same question over TCP (RFC 7766), right after a truncated answer."""
        budget = batch.budget
        if budget.used >= budget.limit and not batch.finds_payer(self._clock.now):
            self._end(query, Outcome.BUDGET)
            return
        self._tally.over_tcp += 1
        link = self._ports[server.number].tcp
        ident = int.from_bytes(os.urandom(2), "big")
        while ident in link.pending:
            ident = int.from_bytes(os.urandom(2), "big")
        query.ident = ident
        query.pending = link.pending
        query.due = self._clock.now + ticks
        self._sent(query, server, batch)
        link.send(query, self._clock.now)

    def _sent(self, query: Query, server: Server, batch: Batch) -> None:
        query.pending[query.ident] = query
        query.server = server
        query.sent_at = 0.0 if query.ident % _SAMPLE else self._now_s()
        self._tally.sent += 1
        server.inflight += 1
        if server.qps:
            server.tokens -= 1
        batch.budget.used += 1
        if not batch.due:
            self.start_clock(batch)

    def _pack(self, query: Query, server: Server) -> None:
        """Make the message anew: what this server understands, in a new mixture of case."""
        if self._mixing:
            name = query.question[:-4].lower()
            if query.mixed and server.keeps_case:
                name = in_mixed_case(name)
            query.question = name + query.template.tail
        edns = server.edns and not query.no_edns & server.bit
        query.packet = message(query.question, edns=edns, unchecked=query.unchecked)

    def start_clock(self, batch: Batch) -> None:
        """From now on the domain's time runs."""
        budget = batch.budget
        if not budget.due:
            budget.due = self._clock.now + self._clock.ticks(budget.seconds)
        batch.due = min(budget.due, self._clock.now + self._clock.ticks(batch.seconds))
        self.running.append(batch)
