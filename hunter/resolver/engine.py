"""Many questions to few name servers: windows, retries, fallbacks, one future per batch."""

from __future__ import annotations

import asyncio
import os
import struct
from collections import deque
from collections.abc import Awaitable, Sequence

from hunter.config import Config
from hunter.core.answers import Answer, Outcome, RRType
from hunter.ops.metrics import Metrics
from hunter.resolver.cache import Cache
from hunter.resolver.keeper import Keeper
from hunter.resolver.ports import Ports
from hunter.resolver.questions import Batch, Budget, Lane, Query
from hunter.resolver.servers import Server, servers_of
from hunter.resolver.shared import Sharing
from hunter.resolver.sockets import Header
from hunter.resolver.tally import Tally
from hunter.resolver.tuning import Tuning
from hunter.resolver.wheel import Wheel
from hunter.resolver.wire import (
    FORMERR,
    MAX_CHAIN,
    NOTAUTH,
    NOTIMP,
    REFUSED,
    TC,
    TEMPLATES,
    Alias,
    NameEncoder,
    decode,
    encode_name,
    message,
)

_DEADLINE_S = 15.0
#: RCODEs that are outcomes of their own; FORMERR without EDNS: the server cannot read the question
_FAILURES = {
    FORMERR: Outcome.NOTIMP,
    NOTIMP: Outcome.NOTIMP,
    REFUSED: Outcome.REFUSED,
    NOTAUTH: Outcome.REFUSED,
}
#: one in so many questions is timed, by its id
_SAMPLE = 64
_RANDOM = struct.Struct("!1024I")


class Engine:
    """Asks name servers. Made by `open_engine`; belongs to one event loop.

    Everything here runs in callbacks of the loop and never waits: a datagram comes in, is matched
    and decoded, lands in its batch, and the room it left is filled with the next question.
    """

    def __init__(self, config: Config, metrics: Metrics | None, tuning: Tuning) -> None:
        self._loop = asyncio.get_running_loop()
        self._tuning = tuning
        self._metrics = metrics
        addresses = servers_of(config)
        cap = max(1, config.dns_window // len(addresses))
        self._servers = [
            Server(address, number, cap=cap, qps=config.dns_max_qps, window=tuning.first_window)
            for number, address in enumerate(addresses)
        ]
        self._ports = [Ports(server, tuning, self, self._loop) for server in self._servers]
        self._turn = 0
        #: who waits for room: people; domains already begun; domains not begun. Finishing a domain
        #: before beginning the next keeps its time short however long the queue is
        self._interactive: deque[Query] = deque()
        self._begun: deque[Query] = deque()
        self._fresh: deque[Query] = deque()
        self._random: list[int] = []
        self._wheel = Wheel(tuning.tick_s)
        self._timeouts = tuple(self._wheel.ticks(seconds) for seconds in tuning.timeouts_s)
        self._timer: asyncio.TimerHandle | None = None
        self._keeper = Keeper(
            self._ports, tuning, self._wheel, self._send_probe, self._rate_limited
        )
        self._encode = NameEncoder().encode
        self.cache = Cache(tuning.cache_size)
        self.sharing = Sharing(self.cache, self._enqueue, self._loop.time)
        self.tally = Tally()
        #: answers that belong to no question of ours: late, forged or broken
        self.ignored = 0
        if metrics is not None:
            metrics.on_render(lambda: self._publish(metrics))

    # ── the outside ──

    @property
    def usable(self) -> bool:
        """False while every name server's breaker is open: take no bulk work on then."""
        return any(not server.is_open for server in self._servers)

    @property
    def heard(self) -> int:
        """Replies so far, from any server, whatever they said."""
        return sum(server.answers for server in self._servers)

    @property
    def servers(self) -> list[Server]:
        """The name servers and what is known about them."""
        return self._servers

    def ask(
        self,
        questions: Sequence[tuple[str, RRType]],
        *,
        lane: Lane = Lane.BULK,
        deadline_s: float = _DEADLINE_S,
        shared: bool = False,
        budget: Budget | None = None,
    ) -> Awaitable[list[Answer]]:
        """Answers in the order of the questions; names are A-labels. Never raises for DNS reasons.

        `budget` is what several calls for one domain may use together; without it the call has its
        own of `deadline_s`. `shared` is for names that many domains have in common: cached, and
        asked once however many wait. A surveyed name must not be shared, or a rescan would
        confirm itself from memory.
        """
        future: asyncio.Future[list[Answer]] = self._loop.create_future()
        batch = Batch(len(questions), budget or Budget(seconds=deadline_s), lane, future)
        # a bulk domain's clock starts with its first message, and then runs for all its calls;
        # with a shared question that message may be somebody else's
        if lane is Lane.INTERACTIVE or batch.budget.due or shared:
            self._start_clock(batch)
        if shared:
            self.sharing.ask(batch, questions)
        else:
            for index, (name, rrtype) in enumerate(questions):
                self._enqueue(batch, index, name, rrtype)
        if batch.left:
            self.pump()
        else:
            batch.complete()
        return future

    # ── from question to datagram ──

    def _enqueue(self, batch: Batch, index: int, name: str, rrtype: RRType) -> None:
        name = name.lower().rstrip(".") or "."
        template = TEMPLATES[rrtype]
        try:
            question = self._encode(name) + template.tail
        except ValueError:
            batch.results[index] = Answer(name, rrtype, Outcome.MALFORMED)
            batch.left -= 1
            if not batch.left:
                batch.complete()
            return
        query = Query(batch, index, name, template, question)
        query.packet = message(question, edns=True)
        query.timeouts = self._timeouts
        batch.results[index] = query
        self._queue_of(batch).append(query)

    def _queue_of(self, batch: Batch) -> deque[Query]:
        if batch.lane is Lane.INTERACTIVE:
            return self._interactive
        # without a future it is asked on behalf of others, who have begun
        return self._begun if batch.budget.due or batch.future is None else self._fresh

    def pump(self) -> None:
        """Send what waits, as far as windows and rate limits allow; people first."""
        now = self._wheel.now
        for queue in (self._interactive, self._begun, self._fresh):
            interactive = queue is self._interactive
            while queue:
                query = queue[0]
                batch = query.batch
                if batch is None or (batch.future is not None and batch.future.done()):
                    queue.popleft()  # its time was up, or whoever asked has gone
                    continue
                server = self._server_for(query, interactive=interactive)
                if server is None:
                    if any(self._may_answer(query, each) for each in self._servers):
                        break  # later, when there is room
                    queue.popleft()
                    self._end(query, query.worst or Outcome.UNREACHABLE)
                    continue
                queue.popleft()
                budget = batch.budget
                if budget.used >= budget.limit or 0 < budget.due <= now:
                    self._end(query, Outcome.BUDGET)
                elif not self._transmit(query, server, batch):
                    queue.appendleft(query)
                    return

    @staticmethod
    def _may_answer(query: Query, server: Server) -> bool:
        return not server.is_open and not query.useless & server.bit

    def _server_for(self, query: Query, *, interactive: bool) -> Server | None:
        """The server of a retry, else the next one in turn that has room."""
        chosen = query.server
        if chosen is not None and not chosen.is_open:
            # the room a retry needs is the one its last try has just left
            return chosen if chosen.has_token() else None
        count = len(self._servers)
        for step in range(count):
            server = self._servers[(self._turn + step) % count]
            if self._may_answer(query, server) and server.has_room(interactive=interactive):
                self._turn = (self._turn + step + 1) % count
                return server
        return None

    def _transmit(self, query: Query, server: Server, batch: Batch) -> bool:
        """Send one datagram; False when the socket's buffer is full."""
        if not self._random:
            # drawn in blocks: a system call for every id would cost more than the rest
            self._random = list(_RANDOM.unpack(os.urandom(_RANDOM.size)))
        number = self._random.pop()
        ports = self._ports[server.number].udp
        port = ports[(number >> 16) % len(ports)]
        ident = number & 0xFFFF
        while ident in port.pending:
            ident = int.from_bytes(os.urandom(2), "big")
        try:
            port.send(ident.to_bytes(2, "big") + query.packet)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:
            # the kernel tells of an earlier datagram: nobody listens, and this one was not sent
            lost = list(port.pending.values())
            port.pending.clear()
            self._fail(lost, tcp=False)
            batch.budget.used += 1
            server.lost(query.name)
            self._try_again(query, server, Outcome.UNREACHABLE)
            return True
        port.sent += 1
        query.ident = ident
        query.pending = port.pending
        query.due = self._wheel.watch(query, query.timeouts[query.tries])
        self._sent(query, server, batch)
        return True

    def _sent(self, query: Query, server: Server, batch: Batch) -> None:
        query.pending[query.ident] = query
        query.server = server
        query.sent_at = self._loop.time() if not query.ident % _SAMPLE else 0.0
        self.tally.sent += 1
        server.inflight += 1
        if server.qps:
            server.tokens -= 1
        batch.budget.used += 1
        if not batch.due:
            self._start_clock(batch)

    def _transmit_tcp(self, query: Query, server: Server, batch: Batch) -> None:
        """The same question over TCP (RFC 7766), right after a truncated answer."""
        budget = batch.budget
        if budget.used >= budget.limit:
            self._end(query, Outcome.BUDGET)
            return
        self.tally.over_tcp += 1
        link = self._ports[server.number].tcp
        ident = int.from_bytes(os.urandom(2), "big")
        while ident in link.pending:
            ident = int.from_bytes(os.urandom(2), "big")
        query.ident = ident
        query.pending = link.pending
        query.due = self._wheel.watch(query, self._wheel.ticks(self._tuning.tcp_timeout_s))
        self._sent(query, server, batch)
        link.used_at = self._wheel.now
        link.send(ident.to_bytes(2, "big") + query.packet)

    # ── from datagram to answer ──

    def accept(self, query: Query, data: bytes, at: int, header: Header) -> None:
        """An answer that matches an open question; `at` is the offset behind its question."""
        server = query.server
        query.due = 0
        if server is None:  # pragma: no cover - a sent question has a server
            return
        server.inflight -= 1
        server.answers += 1
        server.silent = 0
        if query.sent_at and self._metrics is not None:
            took = self._loop.time() - query.sent_at
            self._metrics.hunter_dns_query_duration_seconds.observe({}, took)
        flags = header[1]
        # NOERROR or NXDOMAIN, and not truncated
        if flags & 0x020C == 0 and flags & 3 in (0, 3):
            name = query.name if query.chase is None else query.asked_name
            found = decode(data, at, header, name, query.template, server.text)
            if type(found) is Answer:
                outcome = found.outcome
                if outcome is Outcome.LAME or outcome is Outcome.MALFORMED:
                    self._useless(query, server, outcome)
                else:
                    self._settle(query, found if query.chase is None else query.joined(found))
            else:
                self._follow(query, server, found)  # type: ignore[arg-type]  # decode gives one or the other
            return
        self._answered_badly(query, server, flags)

    def _settle(self, query: Query, answer: Answer) -> None:
        batch = query.batch
        if batch is None:
            return
        query.batch = None  # the wheel may hold this object for seconds yet
        self.tally.count(query.template, answer.outcome)
        batch.results[query.index] = answer
        batch.left -= 1
        if not batch.left:
            batch.complete()

    def _end(self, query: Query, outcome: Outcome) -> None:
        self._settle(query, query.answer(outcome))

    def _answered_badly(self, query: Query, server: Server, flags: int) -> None:
        batch = query.batch
        if batch is None:
            return
        if flags & TC:
            if self._is_tcp(query, server):
                self._useless(query, server, Outcome.MALFORMED)  # there is nothing after TCP
            else:
                self._transmit_tcp(query, server, batch)
            return
        rcode = flags & 15
        if query.edns and rcode in (FORMERR, NOTIMP):
            # a server older than RFC 6891; the same question without OPT
            self.tally.without_edns += 1
            query.edns = False
            query.packet = message(query.question, edns=False)
            self._requeue(query)
            return
        self._useless(query, server, _FAILURES.get(rcode, Outcome.SERVFAIL))

    def _follow(self, query: Query, server: Server, alias: Alias) -> None:
        """Ask for the end of a CNAME chain that the server left to us."""
        before = query.chase
        chain = alias.chain if before is None else before.chain + alias.chain
        if len(chain) > MAX_CHAIN or query.name in chain or len(set(chain)) < len(chain):
            if before is None:
                query.chase = alias
            self._end(query, Outcome.CNAME_LOOP)
            return
        query.chase = Alias(
            chain,
            alias.ttl if before is None else min(before.ttl, alias.ttl),
            alias.authenticated and (before is None or before.authenticated),
        )
        query.question = encode_name(chain[-1]) + query.template.tail
        query.packet = message(query.question, edns=query.edns)
        query.server = server
        self._requeue(query)

    # ── when a try fails ──

    def _useless(self, query: Query, server: Server, outcome: Outcome) -> None:
        """The server has spoken, and will say the same again: another one, or that outcome."""
        query.useless |= server.bit
        self._try_again(query, server, outcome)

    def _try_again(self, query: Query, server: Server, outcome: Outcome) -> None:
        query.failed(outcome)
        query.tries += 1
        if query.tries < len(query.timeouts):
            count = len(self._servers)
            for step in range(1, count + 1):
                other = self._servers[(server.number + step) % count]
                if not other.is_open and not query.useless & other.bit:
                    self.tally.retried += 1
                    query.server = other
                    self._requeue(query)
                    return
        self._end(query, query.worst or outcome)

    def _requeue(self, query: Query) -> None:
        batch = query.batch
        if batch is not None:
            self._queue_of(batch).appendleft(query)

    def _is_tcp(self, query: Query, server: Server) -> bool:
        return query.pending is self._ports[server.number].tcp.pending

    def failed(self, queries: list[Query], *, tcp: bool) -> None:
        """A socket broke under these questions; it fails their try, not their domains."""
        self._fail(queries, tcp=tcp)
        self.pump()

    def _fail(self, queries: list[Query], *, tcp: bool) -> None:
        for query in queries:
            server = query.server
            if query.due and server is not None:
                query.due = 0
                server.inflight -= 1
                self.tally.broken += 1
                if not tcp:
                    server.lost(query.name)
                self._try_again(query, server, Outcome.UNREACHABLE)

    def _timed_out(self, query: Query) -> None:
        server = query.server
        if server is None:  # pragma: no cover - a sent question has a server
            return
        is_tcp = self._is_tcp(query, server)
        self._release(query, server)
        self.tally.lost += 1
        if not is_tcp:
            server.lost(query.name)
        elif self._unblock(server):
            query.useless |= server.bit
        self._try_again(query, server, Outcome.TIMEOUT)

    def _unblock(self, server: Server) -> bool:
        """Drop a TCP connection that has gone silent; True when there was one.

        The first question that is late there is what a server that answers in order is stuck at.
        It would hold up all others again; they are asked anew.
        """
        link = self._ports[server.number].tcp
        if not link.is_silent(self._tuning.tcp_timeout_s):
            return False
        self._fail(link.give_up(), tcp=True)
        return True

    def _release(self, query: Query, server: Server) -> None:
        query.due = 0
        query.pending.pop(query.ident, None)
        server.inflight -= 1

    def _start_clock(self, batch: Batch) -> None:
        budget = batch.budget
        if not budget.due:
            budget.due = self._wheel.now + self._wheel.ticks(budget.seconds)
        batch.due = budget.due
        self._wheel.limit(batch)

    def _expire(self, batch: Batch) -> None:
        """The domain's time is up: what has no answer yet has none."""
        for index, waiting in enumerate(batch.results):
            if isinstance(waiting, Query):
                if waiting.due and waiting.server is not None:
                    self._release(waiting, waiting.server)
                    self.tally.released += 1
                self._end(waiting, Outcome.BUDGET)
            elif isinstance(waiting, tuple):
                batch.results[index] = Answer(*waiting, Outcome.BUDGET)
                batch.left -= 1
                if not batch.left:
                    batch.complete()

    # ── time ──

    def start(self) -> None:
        """Open the ports and start the clock."""
        self._keeper.start()
        self._timer = self._loop.call_later(self._tuning.tick_s, self._tick)

    def close(self) -> None:
        """Close everything; whoever still waits is told UNREACHABLE."""
        if self._timer is not None:
            self._timer.cancel()
        waiting = [*self._interactive, *self._begun, *self._fresh]
        for ports in self._ports:
            waiting += ports.close()
            ports.server.is_open = True  # whoever still asks is told UNREACHABLE as well
        for query in waiting:
            self._end(query, Outcome.UNREACHABLE)

    def _tick(self) -> None:
        self._timer = self._loop.call_later(self._tuning.tick_s, self._tick)
        late, expired = self._wheel.advance()
        for query in late:
            if query.due:  # an expiring batch may have taken it back
                self._timed_out(query)
        for batch in expired:
            self._expire(batch)
        self._keeper.tick()
        self.pump()

    def _send_probe(self, query: Query, server: Server, batch: Batch) -> None:
        if not self._transmit(query, server, batch):
            self._end(query, Outcome.UNREACHABLE)

    def _rate_limited(self, seconds: float) -> None:
        if self._metrics is not None:
            self._metrics.hunter_dns_ratelimit_wait_seconds.observe({}, seconds)

    def _publish(self, metrics: Metrics) -> None:
        self.tally.publish(metrics, self._servers, self.cache)
        metrics.hunter_dns_messages_total.set({"event": "ignored"}, self.ignored)
        metrics.hunter_dns_singleflight_total.set({}, self.sharing.joined)
