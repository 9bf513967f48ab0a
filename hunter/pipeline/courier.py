"""Messages delivered: claimed in PostgreSQL by whichever worker is first, sent, recorded under the fence."""

from __future__ import annotations

import asyncio
import datetime as dt
import random
from collections.abc import Callable
from typing import Final
from uuid import UUID

import msgspec
import structlog

from hunter.config import Config
from hunter.core.channels import Channel, Outcome
from hunter.core.errors import Unavailable
from hunter.core.ladder import next_try_s
from hunter.core.points import Point
from hunter.ops.crash import pass_point
from hunter.ops.metrics import Metrics
from hunter.outbound.webhooks import Tried, post, sign
from hunter.pipeline.messages import MAX_EVENTS, Letter, write
from hunter.pipeline.post import Post
from hunter.pipeline.sealing import Unsealable
from hunter.queue.hints import DELIVERIES, Hints, News
from hunter.store import outbox
from hunter.store.database import Connection, Database
from hunter.store.outbox import Parcel, Settled

log = structlog.get_logger()

#: without news PostgreSQL is asked this often
_POLL_S: Final = 0.7
#: under way at one endpoint, over all workers
PER_ENDPOINT: Final = 8
#: messages under way in one process
AT_ONCE: Final = 64
#: of them for endpoints that failed last: those that work always have room
_AT_ONCE_FAILING: Final = AT_ONCE // 4
#: longest that one try may take; half a lease where that is shorter
_ATTEMPT_S: Final = 12.0
#: a try that would have to hurry more is left to the next claim
_LEAST_S: Final = 0.5
_CLAIM_S: Final = 5.0
_SETTLE_S: Final = 20.0
#: a test is tried once
_TESTED: Final = "test"


class Courier:
    """Delivers what is due. Every worker has one; PostgreSQL shares the work out, nobody is elected."""

    def __init__(
        self, db: Database, hints: Hints, ways: Post, metrics: Metrics, config: Config
    ) -> None:
        self._db = db
        self._hints = hints
        self._post = ways
        self._metrics = metrics
        self._public_url = config.public_url
        self._lease_s = config.delivery_lease_s
        self._attempt_s = min(_ATTEMPT_S, config.delivery_lease_s / 2)
        self._loop = asyncio.get_running_loop()
        #: True: to an endpoint that failed last
        self._under_way: dict[asyncio.Task[None], bool] = {}
        self._stopping = False
        self._told = ""

    async def run(self) -> None:
        """Deliver for ever, woken by news and looking without them."""
        try:
            async with self._hints.listen(DELIVERIES) as news:
                while not self._stopping:
                    await self._round(news)
                    await news.wait(_POLL_S * random.uniform(0.8, 1.2))  # noqa: S311  # jitter
        except asyncio.CancelledError:
            await self.drain(0)
            raise

    async def drain(self, grace_s: float) -> None:
        """Take nothing more and let tries under way end; those that do not are left to their lease."""
        self._stopping = True
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=grace_s)
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)

    async def _round(self, news: News) -> None:
        """Begin what is due; what goes wrong is told once, and the next round starts anew."""
        try:
            await self.begin(news)
        except Unavailable as error:
            if self._told != (reason := str(error)):
                log.warning("messages not claimed", reason=reason)
            self._told = reason
        except Exception:  # the next round starts from the database again
            log.exception("messages failed")
        else:
            self._told = ""

    async def begin(self, news: News) -> int:
        """Claim as much as there is room for and begin to send it; how much it was."""
        failing = sum(self._under_way.values())
        free = AT_ONCE - len(self._under_way)
        if free <= 0:
            return 0
        started = self._loop.time()
        parcels = await self._db.transact(
            lambda conn: self._claim(conn, free, min(free, _AT_ONCE_FAILING - failing)),
            deadline_s=_CLAIM_S,
        )
        if parcels:
            pass_point(Point.DELIVERY_CLAIMED)
        for parcel in parcels:
            task = asyncio.create_task(self._deliver(parcel, started))
            self._under_way[task] = parcel.target.failures > 0
            task.add_done_callback(self._ended(news))
        return len(parcels)

    def _ended(self, news: News) -> Callable[[asyncio.Task[None]], None]:
        def end(task: asyncio.Task[None]) -> None:
            del self._under_way[task]
            news.come()  # the endpoint may have more, and there is room again

        return end

    async def _claim(self, conn: Connection, free: int, failing: int) -> list[Parcel]:
        """Take the leases, and fix what the messages say before any of it leaves."""
        parcels = await self._take(conn, free, failing=False)
        parcels += await self._take(conn, min(failing, free - len(parcels)), failing=True)
        bodies: dict[UUID, bytes] = {}
        for parcel in parcels:
            if parcel.body is None and (body := await self._written(conn, parcel)) is not None:
                bodies[parcel.id] = body
        await outbox.freeze(conn, bodies)
        if parcels:
            pass_point(Point.DELIVERY_CLAIMING)
        return [
            msgspec.structs.replace(each, body=bodies.get(each.id, each.body)) for each in parcels
        ]

    async def _take(self, conn: Connection, limit: int, *, failing: bool) -> list[Parcel]:
        return await outbox.claim(
            conn, limit=limit, per_endpoint=PER_ENDPOINT, failing=failing, lease_s=self._lease_s
        )

    async def _written(self, conn: Connection, parcel: Parcel) -> bytes | None:
        """What a message says; None when that cannot be made now, which its try then tells."""
        events, total = ([parcel.event] if parcel.event else []), 1
        if parcel.digest_day is not None:
            events, total = await outbox.digest_events(
                conn, parcel.rule_id, parcel.digest_day, limit=MAX_EVENTS
            )
        letter = Letter(parcel=parcel, events=events, total=total, public_url=self._public_url)
        mailer = self._post.mailer
        try:
            if parcel.target.channel is not Channel.EMAIL:
                return write(letter, address="", sender="")
            if mailer is None:
                return None
            return write(letter, address=self._address(parcel), sender=mailer.sender)
        except Unsealable:
            return None
        except Exception:  # one message never sinks the others
            log.exception("message not written", delivery=str(parcel.id))
            return None

    def _address(self, parcel: Parcel) -> str:
        return self._post.seal.open(parcel.target.address, parcel.target.id, "address").decode()

    async def _deliver(self, parcel: Parcel, claimed: float) -> None:
        """One try, with its deadline well before the end of the lease."""
        left_s = self._attempt_s - (self._loop.time() - claimed)
        try:
            if left_s < _LEAST_S:
                await self._hand_back(parcel)
                return
            began = self._loop.time()
            tried = await self._tried(parcel, left_s)
            pass_point(Point.DELIVERY_SENT)
            duration_ms = round(1000 * (self._loop.time() - began))
            await self._settle(parcel, tried, duration_ms)
        except Unavailable as error:
            log.warning("message left to its lease", delivery=str(parcel.id), reason=str(error))

    async def _hand_back(self, parcel: Parcel) -> None:
        async def work(conn: Connection) -> None:
            await outbox.hand_back(conn, [parcel])

        await self._db.transact(work, deadline_s=_SETTLE_S)

    async def _tried(self, parcel: Parcel, timeout_s: float) -> Tried:
        try:
            async with asyncio.timeout(timeout_s + 1):
                return await self._send(parcel, timeout_s)
        except Unsealable as error:
            return Tried(Outcome.UNSEALABLE, detail=str(error))
        except TimeoutError:
            return Tried(Outcome.TIMEOUT, detail="no complete answer in time")
        except Exception:  # one message never sinks the others
            log.exception("message not sent", delivery=str(parcel.id))
            return Tried(Outcome.INTERNAL, detail="Hunter made a mistake; the log has it")

    async def _send(self, parcel: Parcel, timeout_s: float) -> Tried:
        address = self._address(parcel)
        channel, mailer = parcel.target.channel, self._post.mailer
        if channel is Channel.EMAIL and mailer is None:
            return Tried(Outcome.UNSET, detail="HUNTER_SMTP_URL is not set")
        if parcel.body is None:
            return Tried(
                Outcome.INTERNAL, detail="the message could not be written; the log has it"
            )
        if channel is Channel.EMAIL and mailer is not None:
            return await mailer.send(address, parcel.body, timeout_s=timeout_s)
        headers = {}
        if channel is Channel.WEBHOOK:
            # PostgreSQL's clock: receivers refuse what is minutes off, and workers may be
            at = int(parcel.claimed_at.timestamp())
            headers = sign(str(parcel.id), at, parcel.body, self._keys(parcel))
        return await post(self._post.http, address, parcel.body, headers, timeout_s=timeout_s)

    def _keys(self, parcel: Parcel) -> list[bytes]:
        target, seal = parcel.target, self._post.seal
        stored = [each for each in (target.secret, target.old_secret) if each is not None]
        return [seal.open(each, target.id, "secret") for each in stored]

    async def _settle(self, parcel: Parcel, tried: Tried, duration_ms: int) -> None:
        what = settled(parcel, tried, duration_ms, random.random())  # noqa: S311  # jitter

        async def work(conn: Connection) -> bool:
            is_ours = await outbox.settle(conn, parcel, what)
            pass_point(Point.DELIVERY_SETTLING)
            return is_ours

        is_ours = await self._db.transact(work, deadline_s=_SETTLE_S)
        pass_point(Point.DELIVERY_SETTLED)
        channel = parcel.target.channel
        self._metrics.hunter_delivery_attempts_total.inc(
            {"channel": channel.value, "outcome": tried.outcome.value}
        )
        if parcel.attempts == 1 and parcel.kind == "event":
            self._observe_latency(parcel)
        self._tell(parcel, what, is_ours=is_ours)
        await self._hints.announce(parcel.id)

    def _observe_latency(self, parcel: Parcel) -> None:
        waited = parcel.claimed_at - parcel.created_at
        self._metrics.hunter_delivery_wait_seconds.observe(
            {}, max(0.0, waited / dt.timedelta(seconds=1))
        )

    def _tell(self, parcel: Parcel, what: Settled, *, is_ours: bool) -> None:
        about = {
            "delivery": str(parcel.id),
            "endpoint": str(parcel.target.id),
            "outcome": what.outcome.value,
            "attempts": parcel.attempts,
        }
        if not is_ours:
            log.info("message fenced out", **about)
        elif what.outcome is Outcome.OK:
            log.info("message delivered", **about)
        elif what.again_s is not None:
            log.info("message not delivered", again_s=round(what.again_s), **about)
        else:
            self._metrics.hunter_deliveries_dead_total.inc({})
            log.error("message given up", status=what.status, **about)


def settled(parcel: Parcel, tried: Tried, duration_ms: int, chance: float) -> Settled:
    """What a try means for its message: taken, given up, or the next step of the ladder."""
    again_s = None
    if tried.outcome is not Outcome.OK and parcel.kind != _TESTED:
        again_s = next_try_s(parcel.attempts, tried.outcome, chance, tried.asked_s)
    return Settled(
        outcome=tried.outcome,
        status=tried.status,
        detail=tried.detail,
        duration_ms=duration_ms,
        again_s=again_s,
        asked_s=tried.asked_s,
    )
