"""Many questions to few name servers: windows, retries, fallbacks, one future per batch."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Final

from hunter.config import Config
from hunter.core.answers import Answer, Outcome, RRType
from hunter.ops.metrics import Metrics
from hunter.resolver.cache import Cache
from hunter.resolver.clock import Clock
from hunter.resolver.keeper import Keeper
from hunter.resolver.outbox import Outbox
from hunter.resolver.ports import Ports
from hunter.resolver.questions import Batch, Budget, Lane, Query
from hunter.resolver.replies import MAX_CHAIN, Alias, decode, failure
from hunter.resolver.servers import Server, servers_of
from hunter.resolver.shared import Sharing
from hunter.resolver.sockets import Receiver
from hunter.resolver.tally import Tally
from hunter.resolver.tuning import Tuning
from hunter.resolver.wire import (
    FORMERR,
    NOERROR,
    NOTIMP,
    NXDOMAIN,
    TC,
    TEMPLATES,
    NameEncoder,
    encode_name,
    message,
)

_DEADLINE_S: Final = 15.0
# looked up once, since they are compared for every answer
_LAME: Final = Outcome.LAME
_MALFORMED: Final = Outcome.MALFORMED


class Engine(Receiver):
    """Asks name servers. Made by `open_engine`; belongs to one event loop.

    Everything here runs in callbacks of the loop and never waits: a datagram comes in, is matched
    and decoded, lands in its batch, and the room it left is filled with the next question.
    """

    def __init__(self, config: Config, metrics: Metrics | None, tuning: Tuning) -> None:
        #: True when the servers' AD bit may be believed
        self.trusts_ad = config.dns_trust_ad
        self._loop = asyncio.get_running_loop()
        self._now = self._loop.time
        self._tuning = tuning
        self._metrics = metrics
        addresses = servers_of(config)
        cap = max(1, config.dns_window // len(addresses))
        self._servers = [
            Server(address, number, cap=cap, qps=config.dns_max_qps, window=tuning.first_window)
            for number, address in enumerate(addresses)
        ]
        self._ports = [Ports(server, tuning, self, self._loop) for server in self._servers]
        self._clock = Clock(tuning.tick_s)
        self._timeouts = tuple([self._clock.ticks(seconds) for seconds in tuning.timeouts_s])
        self._tcp_ticks = self._clock.ticks(tuning.tcp_timeout_s)
        self._timer: asyncio.TimerHandle | None = None
        self.tally = Tally()
        end, broken, mixing = self._end, self._broken, config.dns_0x20
        self._outbox = Outbox(self._ports, self._clock, self.tally, self._now, end, broken, mixing)
        self._keeper = Keeper(
            self._ports, tuning, self._clock, self._outbox.transmit, self._rate_limited
        )
        self._encoder = NameEncoder()
        self.cache = Cache(tuning.cache_size)
        self.sharing = Sharing(self.cache, self._enqueue, self._hasten, self._now)
        #: messages that answer no question of ours: late, twice, forged or broken
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
        deadline_s: float | None = None,
        shared: bool = False,
        budget: Budget | None = None,
        unchecked: bool = False,
    ) -> Awaitable[list[Answer]]:
        """Answers in the order of the questions; names are A-labels. Never raises for DNS reasons.

        `budget` is what several calls for one domain may use together; without it the call has its
        own. The call ends `deadline_s` after its first message when that comes first. `shared` is
        for names that many domains have in common: cached, and asked once however many wait. A
        surveyed name must not be shared, or a rescan would confirm itself from memory. `unchecked`
        asks for what DNSSEC does not prove too (CD, RFC 4035 section 3.2.2); it is never shared.
        """
        future: asyncio.Future[list[Answer]] = self._loop.create_future()
        budget = budget or Budget(seconds=deadline_s or _DEADLINE_S)
        batch = Batch(len(questions), budget, lane, future, deadline_s or budget.seconds)
        # a bulk domain's clock starts with its first message, and then runs for all its calls;
        # with a shared question that message may be somebody else's
        if batch.interactive or batch.budget.due or shared:
            self._outbox.start_clock(batch)
        if shared:
            self.sharing.ask(batch, questions)
        else:
            for index, (name, rrtype) in enumerate(questions):
                self._enqueue(batch, index, name, rrtype, unchecked)
        if batch.left:
            self.pump()
        else:
            batch.complete()
        return future

    def pump(self) -> None:
        """Send what there is room for."""
        self._outbox.pump()

    def _enqueue(  # once per question: keywords cost
        self,
        batch: Batch,
        index: int,
        name: str,
        rrtype: RRType,
        unchecked: bool = False,
    ) -> None:
        name = name.lower().rstrip(".") or "."
        template = TEMPLATES[rrtype]
        try:
            question = self._encoder.encode(name) + template.tail
        except ValueError:
            batch.results[index] = Answer(name, rrtype, _MALFORMED)
            batch.left -= 1
            if not batch.left:
                batch.complete()
            return
        query = Query(batch, index, name, template, question, self._timeouts, unchecked)
        batch.results[index] = query
        self._outbox.put(query, batch)

    def _hasten(self, batch: Batch) -> None:
        for waiting in batch.results:
            if isinstance(waiting, Query) and not batch.interactive:
                self._outbox.hasten(waiting, batch)

    # ── from datagram to answer ──

    def accept(self, query: Query, data: bytes, at: int, flags: int) -> None:
        """An answer that matches an open question; `at` is the offset behind its question."""
        server = query.server
        query.due = 0
        if server is None:  # pragma: no cover - a sent question has a server
            return
        server.inflight -= 1
        server.answers += 1
        server.silent = 0
        if query.sent_at and self._metrics is not None:
            took = self._now() - query.sent_at
            self._metrics.hunter_dns_query_duration_seconds.observe({}, took)
        if server.case_lost and query.mixed:
            server.case_lost = 0
        rcode = flags & 15
        if flags & TC or rcode not in (NOERROR, NXDOMAIN):
            self._answered_badly(query, server, flags)
            return
        if query.no_edns > 0 and query.no_edns & server.bit and server.edns:
            server.refused_edns(self._now())
        name = query.name if query.chase is None else query.asked_name
        found = decode(data, at, name, query.template, server.text)
        if isinstance(found, Alias):
            self._follow(query, server, found)
            return
        outcome = found.outcome
        if outcome is _LAME or outcome is _MALFORMED:
            self._useless(query, server, outcome)
        else:
            self._settle(query, found if query.chase is None else query.joined(found))

    def ignore(self, query: Query | None, data: bytes) -> None:
        """A message that answers nothing of ours, or our question in other case."""
        self.ignored += 1
        if query is None or query.server is None:
            return
        question = query.question
        if data[12 : 12 + len(question)].lower() == question.lower():
            # should the wait for the true answer be in vain, the next try does without
            query.mixed = False
            query.server.lost_case(self._now())

    def _settle(self, query: Query, answer: Answer) -> None:
        batch = query.batch
        if batch is None:
            return
        query.batch = None  # a queue may hold this object for a while yet
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
                self._useless(query, server, _MALFORMED)  # there is nothing after TCP
            else:
                self._outbox.transmit_tcp(query, server, batch, self._tcp_ticks)
            return
        rcode = flags & 15
        if rcode in (FORMERR, NOTIMP) and server.edns and not query.no_edns & server.bit:
            # a server older than RFC 6891; the same question without OPT
            self.tally.without_edns += 1
            query.no_edns |= server.bit
            self._outbox.put_back(query, batch)
            return
        self._useless(query, server, failure(rcode))

    def _follow(self, query: Query, server: Server, alias: Alias) -> None:
        """Ask for the end of a CNAME chain that the server left to us."""
        batch = query.batch
        if batch is None:
            return
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
        query.packet = message(query.question, edns=True, unchecked=query.unchecked)
        query.server = server
        self._outbox.put_back(query, batch)

    # ── when a try fails ──

    def _useless(self, query: Query, server: Server, outcome: Outcome) -> None:
        """The server has spoken, and will say the same again: another one, or that outcome."""
        query.useless |= server.bit
        self._try_again(query, server, outcome)

    def _try_again(self, query: Query, server: Server, outcome: Outcome) -> None:
        query.failed(outcome)
        query.tries += 1
        batch = query.batch
        if batch is not None and query.tries < len(query.timeouts):
            count = len(self._servers)
            for step in range(1, count + 1):
                other = self._servers[(server.number + step) % count]
                if not other.is_open and not query.useless & other.bit:
                    self.tally.retried += 1
                    query.server = other
                    self._outbox.put_back(query, batch)
                    return
        self._end(query, query.worst or outcome)

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

    def _broken(self, query: Query, server: Server, lost: list[Query]) -> None:
        """A datagram could not be sent, and others on the same socket were not delivered."""
        self._fail(lost, tcp=False)
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
        waiting = self._outbox.waiting()
        for ports in self._ports:
            waiting += ports.close()
            ports.server.is_open = True  # whoever still asks is told UNREACHABLE as well
        for query in waiting:
            self._end(query, Outcome.UNREACHABLE)

    def _tick(self) -> None:
        self._timer = self._loop.call_later(self._tuning.tick_s, self._tick)
        self._clock.now += 1
        now = self._clock.now
        for ports in self._ports:
            for query in ports.overdue(now):
                if query.due:  # one that fails may have taken others along
                    self._timed_out(query)
        outbox = self._outbox
        outbox.running = [batch for batch in outbox.running if batch.left]
        for batch in [batch for batch in outbox.running if batch.due <= now]:
            self._expire(batch)
        self._keeper.tick()
        self.pump()

    def _rate_limited(self, seconds: float) -> None:
        if self._metrics is not None:
            self._metrics.hunter_dns_ratelimit_wait_seconds.observe({}, seconds)

    def _publish(self, metrics: Metrics) -> None:
        self.tally.publish(metrics, self._servers, self.cache)
        metrics.hunter_dns_messages_total.set({"event": "ignored"}, self.ignored)
        metrics.hunter_dns_singleflight_total.set({}, self.sharing.joined)
