"""One chunk of a scan job: claimed, surveyed, judged and committed under its fence."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Awaitable, Callable, Sequence
from contextlib import nullcontext, suppress
from functools import partial
from typing import Final
from uuid import UUID

import msgspec
import structlog

from hunter.core.answers import Depth, Survey
from hunter.core.errors import Unavailable
from hunter.core.facts import Rules
from hunter.core.judgement import ScanStatus
from hunter.core.points import Point
from hunter.core.schedule import Watch
from hunter.knowledge.load import Knowledge
from hunter.ops.crash import pass_point
from hunter.ops.metrics import Metrics
from hunter.ops.stages import StageClock
from hunter.ops.tracing import span
from hunter.pipeline.alarm import Alarm
from hunter.pipeline.effects import Archive
from hunter.pipeline.holding import Holding
from hunter.pipeline.looking import Looker
from hunter.pipeline.pace import Pace
from hunter.pipeline.pause import Pause
from hunter.pipeline.second_look import SecondLook
from hunter.pipeline.trust import is_held
from hunter.pipeline.verdicts import (
    Seen,
    Verdict,
    counts_of,
    failed,
    names_of,
    reason_of,
    registrable_of,
    verdict_on,
)
from hunter.pipeline.waiting import Waiting
from hunter.pipeline.withdrawn import in_order
from hunter.queue.hints import Hints
from hunter.resolver.engine import Engine
from hunter.resolver.questions import Lane
from hunter.store import (
    changes,
    chunks,
    completion,
    dispatch,
    expiry,
    judged,
    leases,
    registrations,
    results,
    suppressions,
)
from hunter.store.chunks import Claim, Fence
from hunter.store.database import BadData, Connection, Database, Exhausted, savepoint
from hunter.store.judged import NOTHING, Standing
from hunter.store.suppressions import is_pseudonym

log = structlog.get_logger()

#: longest stretch of judging before other tasks get a turn
_SLICE_S: Final = 0.002
#: surveys begun before other tasks get a turn
_BEGUN_AT_ONCE: Final = 20
#: a commit is tried again until the lease would be long gone
_COMMIT_DEADLINE_S: Final = 60.0
#: a claim is given up after so long
CLAIM_DEADLINE_S: Final = 5.0
#: so many domains without one reply among them are the name server's silence, not theirs
_ENOUGH_TO_TELL: Final = 20


class _FencedError(Exception):
    """The chunk is somebody else's now: nothing may be written for it."""


class _CommittedError(Exception):
    """The commit before had arrived after all; only its acknowledgement was lost."""


class Scanner:
    """Works on the chunks of this process; what it holds is `holding`'s, for heartbeat and drain."""

    def __init__(
        self,
        db: Database,
        hints: Hints,
        engine: Engine,
        knowledge: Knowledge,
        metrics: Metrics,
        *,
        worker_id: UUID,
        lease_s: float,
        interactive_lease_s: float | None = None,
        slots: int = 8,
        looker: Looker | None = None,
        second_looker: SecondLook | None = None,
        wants_registrations: bool = False,
        watch: Watch | None = None,
    ) -> None:
        self.worker_id = worker_id
        #: slots for bulk chunks
        self.pace = Pace(slots)
        self.holding = Holding(db, worker_id)
        self._db = db
        self._hints = hints
        self._engine = engine
        #: the rules in force; replaced while running, and read once for each chunk
        self.knowledge = knowledge
        self._looker = looker or Looker(engine)
        #: through another resolver, for what seems to have changed
        self._second_looker: Looker | SecondLook = second_looker or self._looker
        self._wants_registrations = wants_registrations
        self._watch = watch or Watch()
        self._metrics = metrics
        self._alarm = Alarm(hints, metrics)
        self._clock = StageClock(metrics)
        self._archive = Archive()
        self._leases = {"bulk": lease_s, "interactive": interactive_lease_s or lease_s}
        #: after an outage of PostgreSQL, time for a beat of whoever holds what ran out in it
        self._spare_s = lease_s / 3
        self.waiting = Waiting(lambda: self.pace.is_behind)
        #: on while PostgreSQL has no room
        self.pause = Pause()

    def use(self, knowledge: Knowledge) -> None:
        """Judge by these rules from the next chunk on."""
        self.knowledge = knowledge

    async def look_at(self, chunk_id: int, lane: str) -> bool:
        """Claim a chunk and work on it to the end; False when it was not to be had."""

        async def claim(conn: Connection) -> Claim | None:
            return await chunks.claim(
                conn, chunk_id, worker_id=self.worker_id, lease_s=self._leases[lane]
            )

        return await self._take(claim, lane)

    async def take_next(self, lane: str) -> bool:
        """Claim any chunk of a lane without a hint; False when there is none."""

        async def claim(conn: Connection) -> Claim | None:
            return await chunks.claim_next(
                conn, lane, worker_id=self.worker_id, lease_s=self._leases[lane]
            )

        return await self._take(claim, lane)

    async def take_over(self, lane: str) -> bool:
        """Claim a chunk that its holder let go, and work on it; False when there is none."""

        async def claim(conn: Connection) -> Claim | None:
            return await expiry.claim_expired(
                conn,
                lane,
                worker_id=self.worker_id,
                lease_s=self._leases[lane],
                spare_s=self._spare_s,
            )

        return await self._take(claim, lane)

    async def left_over(self, lane: str, limit: int) -> int:
        """How many chunks `take_over` could claim, counted up to `limit`."""
        try:
            async with self._db.acquire(reserved=lane == "interactive") as conn:
                return len(await expiry.expired(conn, lane, spare_s=self._spare_s, limit=limit))
        except Unavailable:
            return 0

    async def is_wanted(self, lane: str) -> bool:
        """True when there is a chunk that `take_next` could claim."""
        try:
            async with self._db.acquire(reserved=lane == "interactive") as conn:
                return await chunks.next_claimable(conn, lane) is not None
        except Unavailable:
            return False

    async def decline(self, chunk_id: int) -> None:
        """A hint that came too late to be followed: another worker may get one at once."""

        async def unmark(conn: Connection) -> None:
            await dispatch.unmark(conn, [chunk_id])

        with suppress(Unavailable):
            await self._db.transact(unmark, deadline_s=1)

    async def _take(
        self, claim: Callable[[Connection], Awaitable[Claim | None]], lane: str
    ) -> bool:
        if lane == "bulk" and (self.pause.is_on or not self._engine.usable):
            return False  # nobody can be asked, or nothing kept; the hint will come again

        async def claimed() -> Claim | None:
            return await self._claim(claim, lane)

        return await self.holding.take(claimed, partial(run_chunk, self))

    async def _claim(
        self, claim: Callable[[Connection], Awaitable[Claim | None]], lane: str
    ) -> Claim | None:
        async def take(conn: Connection) -> Claim | None:
            taken = await claim(conn)
            if taken is not None:
                pass_point(Point.CLAIM_TAKEN)
            return taken

        try:
            claimed = await self._clock.run(
                "claim",
                self._db.transact(
                    take, deadline_s=CLAIM_DEADLINE_S, reserved=lane == "interactive"
                ),
            )
        except Unavailable as error:
            log.warning("chunk not claimed", reason=str(error))
            return None
        if claimed is not None:
            pass_point(Point.CLAIM_COMMITTED)
        if claimed is not None and claimed.was_lost:
            self._metrics.hunter_lease_losses_total.inc({})
        return claimed

    async def survey_all(self, claim: Claim, slot_is_free: asyncio.Event) -> list[Seen]:
        """All domains of a chunk at once; the engine's window limits what is in flight."""
        looker, knowledge = self._looker_for(claim), self.knowledge
        heard = looker.heard
        with self.waiting.for_the_last_of(len(claim.domains), slot_is_free) as one_less:
            seen = await self._survey_in_slices(claim, knowledge, one_less)
        is_deaf = looker.heard == heard and len(claim.domains) >= _ENOUGH_TO_TELL
        if claim.lane == "bulk" and (is_deaf or not looker.usable):
            # The resolver's trouble is not the domains': nothing of it may be written.
            raise Unavailable("no name server answers")
        return seen

    def _looker_for(self, claim: Claim) -> Looker | SecondLook:
        return self._second_looker if claim.purpose == "confirm" else self._looker

    async def _survey_in_slices(
        self, claim: Claim, knowledge: Knowledge, one_less: Callable[[], None]
    ) -> list[Seen]:
        """Begin a few surveys at a time: a single scan's answer may be there to be read."""
        under_way = []
        async with asyncio.TaskGroup() as group:
            for number, name in enumerate(claim.domains, start=1):
                one = self._survey_one(claim, name, knowledge, one_less)
                under_way.append(group.create_task(one))
                if number % _BEGUN_AT_ONCE == 0:
                    await asyncio.sleep(0)
        return [task.result() for task in under_way]

    async def _survey_one(
        self, claim: Claim, domain: str, knowledge: Knowledge, one_less: Callable[[], None]
    ) -> Seen:
        if is_pseudonym(domain):
            one_less()
            return suppressions.REASON
        try:
            seen = await self._looker_for(claim).look(
                domain, claim.depth, knowledge, lane=Lane(claim.lane)
            )
        except Exception as error:  # one domain never sinks a chunk
            log.exception("survey failed", domain=domain)
            return reason_of("survey", error)
        finally:
            one_less()
        self._metrics.hunter_scan_duration_seconds.observe({}, seen.duration_ms / 1000)
        return seen

    async def commit(self, claim: Claim, seen: Sequence[Seen]) -> None:
        """Write a chunk in one transaction under its fence; raises _FencedError when it is lost.

        Done already when the COMMIT of an earlier try had arrived and only its answer was lost.
        """

        async def work(conn: Connection) -> list[Verdict]:
            order, domains = await in_order(conn, claim, seen)
            await self._fence(conn, claim)
            standings = await self._lock(conn, domains)
            verdicts = await self._judge_all(claim, order, standings)
            missing = [domain for domain in domains if domain not in standings]
            changed = await self._write(conn, claim, verdicts, missing)
            await self._alarm.write(conn, claim.chunk_id, changed)
            pass_point(Point.COMMIT_WRITTEN)
            await self._count(conn, claim, verdicts)
            pass_point(Point.COMMIT_COUNTED)
            return verdicts

        async def one_by_one(conn: Connection) -> list[Verdict]:
            order, domains = await in_order(conn, claim, seen)
            await self._fence(conn, claim)
            await judged.insert_missing(conn, domains, *names_of(domains))
            standings = await self._lock(conn, domains)
            verdicts = await self._judge_all(claim, order, standings)
            written = [await self._write_alone(conn, claim, verdict) for verdict in verdicts]
            changed = [change for _, found in written for change in found]
            await self._alarm.write(conn, claim.chunk_id, changed)
            verdicts = [verdict for verdict, _ in written]
            await self._count(conn, claim, verdicts)
            return verdicts

        interactive = claim.lane == "interactive"
        try:
            verdicts = await self._clock.run(
                "commit",
                self._db.transact(work, deadline_s=_COMMIT_DEADLINE_S, reserved=interactive),
            )
        except BadData:
            log.warning("chunk written row by row")
            verdicts = await self._db.transact(
                one_by_one, deadline_s=_COMMIT_DEADLINE_S, reserved=interactive
            )
        except _CommittedError:
            log.info("chunk found committed")
            return
        failed = sum(verdict.result.outcome == ScanStatus.FAILED for verdict in verdicts)
        self._metrics.domains_scanned_total.add({}, len(verdicts))
        self._metrics.domains_scanned_failed_total.add({}, failed)

    async def _lock(self, conn: Connection, domains: Sequence[str]) -> dict[str, Standing]:
        """Lock the leads that are there; where changes wait, say whether they may be believed."""
        standings = await judged.lock(conn, domains)
        is_waiting = any(standing.doubts for standing in standings.values())
        if is_waiting and await is_held(conn):
            return {
                domain: msgspec.structs.replace(standing, is_held=True)
                for domain, standing in standings.items()
            }
        return standings

    async def _fence(self, conn: Connection, claim: Claim) -> None:
        """Lock the chunk, before any lead, and only while it is ours and not done."""
        match await chunks.fence(conn, claim.chunk_id, claim.epoch):
            case Fence.HELD:
                pass_point(Point.COMMIT_FENCED)
            case Fence.DONE:
                raise _CommittedError
            case Fence.LOST:
                raise _FencedError

    async def _write(
        self,
        conn: Connection,
        claim: Claim,
        verdicts: Sequence[Verdict],
        missing: Sequence[str] = (),
    ) -> list[UUID]:
        """Write what was concluded; the changes. `missing` are the domains that are no leads yet."""
        at = claim.leased_at
        if older := [v.result.domain for v in verdicts if v.is_by_other_rules]:
            await self._archive.tell(conn, older, self.knowledge, at.astimezone(dt.UTC).date())
        await results.add(conn, claim.job_id, at, [v.result for v in verdicts])
        await judged.observe(conn, at, [v.observed for v in verdicts if v.observed and v.is_new])
        await judged.renew(conn, at, [v.observed for v in verdicts if v.observed and not v.is_new])
        found = {v.result.domain: v.lead for v in verdicts if v.lead}
        new = [found.pop(domain) for domain in missing if domain in found]
        await judged.insert(conn, at, new, *names_of([each.judgement.domain for each in new]))
        await judged.write(conn, at, list(found.values()))
        told = [change for verdict in verdicts for change in verdict.changes]
        written = await changes.add(conn, told)
        if self._wants_registrations and claim.depth is Depth.FULL:
            await registrations.want(conn, registrable_of(verdicts))
        failed = [
            v.result.domain
            for v in verdicts
            if v.result.outcome == ScanStatus.FAILED and not is_pseudonym(v.result.domain)
        ]
        if failed:
            await judged.insert_missing(conn, failed, *names_of(failed))
            await judged.mark_failed(conn, failed)
        return [change.id for change in written]

    async def _write_alone(
        self, conn: Connection, claim: Claim, verdict: Verdict
    ) -> tuple[Verdict, list[UUID]]:
        """Write one domain; the one whose data PostgreSQL refuses fails alone, with the reason."""
        try:
            async with savepoint(conn):
                return verdict, await self._write(conn, claim, [verdict])
        except BadData as error:
            verdict = failed(verdict.result.domain, reason_of("storing", error))
            return verdict, await self._write(conn, claim, [verdict])

    async def _count(self, conn: Connection, claim: Claim, verdicts: Sequence[Verdict]) -> None:
        await chunks.finish(
            conn,
            claim.chunk_id,
            claim.epoch,
            **counts_of(verdicts, is_sample=claim.purpose != "confirm"),
        )
        if claim.lane == "interactive":
            # somebody waits for the job: not a round of the dispatcher later
            await completion.finish(conn, claim.job_id)

    async def _judge_all(
        self, claim: Claim, order: Sequence[tuple[str, Seen]], standings: dict[str, Standing]
    ) -> list[Verdict]:
        """Judge in slices, by one version of the rules: the loop also carries heartbeats and answers."""
        rules = self.knowledge.rules
        loop = asyncio.get_running_loop()
        turn_ends = loop.time() + _SLICE_S
        verdicts = []
        for domain, seen in order:
            standing = standings.get(domain, NOTHING)
            verdicts.append(self._judge_one(claim, domain, seen, standing, rules))
            if loop.time() > turn_ends:
                await asyncio.sleep(0)
                turn_ends = loop.time() + _SLICE_S
        return verdicts

    def _judge_one(
        self, claim: Claim, domain: str, seen: Seen, standing: Standing, rules: Rules
    ) -> Verdict:
        if isinstance(seen, str):
            return failed(domain, seen)
        try:
            return self._verdict(claim.leased_at, seen, standing, rules)
        except Exception as error:  # one domain never sinks a chunk
            log.exception("judging failed", domain=domain)
            return failed(domain, reason_of("judging", error))

    def _verdict(self, at: dt.datetime, seen: Survey, standing: Standing, rules: Rules) -> Verdict:
        return verdict_on(at, seen, standing, rules, self._clock, watch=self._watch)

    async def announce(self, claim: Claim) -> None:
        """After COMMIT: tell whoever waits for the job."""
        await self._hints.announce(claim.job_id)
        await self._alarm.tell(claim.chunk_id)

    def forget(self, claim: Claim) -> None:
        """Nothing of the chunk was written here."""
        self._alarm.forget(claim.chunk_id)

    async def put_back(self, claim: Claim, error: Exception, *, counted: bool) -> None:
        """Hand a chunk back after an exception, to be tried later."""

        async def postpone(conn: Connection) -> None:
            await leases.postpone(
                conn, claim.chunk_id, claim.epoch, reason=reason_of("chunk", error), counted=counted
            )

        try:
            await self._db.transact(postpone, deadline_s=CLAIM_DEADLINE_S)
        except Unavailable:
            log.warning("chunk left to its lease", chunk=claim.chunk_id)


async def run_chunk(scanner: Scanner, claim: Claim, slot_is_free: asyncio.Event) -> None:
    """Survey, judge and commit a claimed chunk; whatever goes wrong, the chunk is not lost.

    Cancelled, it writes nothing: the lease was handed back or taken over.
    """
    about = {"hunter.job": str(claim.job_id), "hunter.chunk": claim.chunk_id}
    with (
        structlog.contextvars.bound_contextvars(job=str(claim.job_id), chunk=claim.chunk_id),
        span("chunk", about | {"hunter.domains": len(claim.domains)}),
    ):
        loop = asyncio.get_running_loop()
        started, has_ended = loop.time(), False
        try:
            seen = await scanner.survey_all(claim, slot_is_free)
            pass_point(Point.CLAIM_SURVEYED)
            async with nullcontext() if claim.lane == "interactive" else scanner.pace.commit():
                await scanner.commit(claim, seen)
            pass_point(Point.COMMIT_COMMITTED)
            scanner.pause.end()
        except _FencedError:
            log.info("chunk fenced out", epoch=claim.epoch)
            return
        except Unavailable as error:
            log.warning("chunk put back", reason=str(error))
            if isinstance(error, Exhausted):
                scanner.pause.begin()
            await scanner.put_back(claim, error, counted=False)
            return
        except Exception as error:
            log.exception("chunk failed")
            await scanner.put_back(claim, error, counted=True)
            return
        else:
            has_ended = True
        finally:
            scanner.waiting.ended(slot_is_free)
            if not has_ended:
                scanner.forget(claim)
        duration_ms = round(1000 * (loop.time() - started), 1)
        log.info("chunk scanned", domains=len(claim.domains), duration_ms=duration_ms)
        await scanner.announce(claim)
