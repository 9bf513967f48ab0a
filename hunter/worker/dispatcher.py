"""The dispatcher in every worker: hints out, jobs finished, the books checked; nobody is elected."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final
from uuid import UUID

import structlog

from hunter.config import Config
from hunter.core.changes import Kind
from hunter.core.errors import Unavailable
from hunter.core.health import Sample, weigh
from hunter.core.ladder import EXPIRES_S
from hunter.core.points import Point
from hunter.ops.crash import pass_point
from hunter.ops.metrics import Metrics, zero
from hunter.pipeline.trust import WINDOW_S
from hunter.queue.hints import DELIVERIES, Generation, Hints
from hunter.store import (
    audit,
    backups,
    changes,
    chunks,
    completion,
    deliveries,
    dispatch,
    expiries,
    idempotency,
    ingests,
    jobs,
    judged,
    kpis,
    outbox,
    poison,
    processes,
    retention,
    schedule,
)
from hunter.store.changes import EVERYWHERE, Change
from hunter.store.database import Connection, Database, server_connections
from hunter.store.dispatch import Hint
from hunter.store.migrate import make_partitions
from hunter.store.poison import Verdict

log = structlog.get_logger()

LANES: Final = ("interactive", "bulk")
#: a receiving job that nobody touched for so long is deleted
RECEIVING_IDLE_S: Final = 600.0
_AUDIT_EVERY_S: Final = 10.0
_SWEEP_EVERY_S: Final = 60.0
_FOLD_EVERY_S: Final = 2.0
#: bounded deletes of one kind in one sweep
_ROUNDS: Final = 10
_UPLOADS_AT_ONCE: Final = 20
_DEADLINE_S: Final = 3.0


class Dispatcher:
    """Level-triggered: each look starts from what PostgreSQL says now, so a missed one costs time only."""

    def __init__(self, db: Database, hints: Hints, metrics: Metrics, config: Config) -> None:
        self._db = db
        self._hints = hints
        self._metrics = metrics
        self._interval_s = config.dispatch_interval_s
        self._stale_s = config.hint_stale_s
        self._alive_s = 3 * config.heartbeat_s
        self._delivery_days = config.delivery_days
        self._alert_days = config.alert_days
        self._watch_chunks = config.watch_chunks
        self._keep_days = {
            "results": config.results_days,
            "chunks": config.results_days,
            "scan_rejects": config.reject_days,
            "batch_rejects": config.reject_days,
            "jobs": config.job_days,
            "changes": config.change_days,
        }
        zero(metrics.hunter_retention_removed_total, kind=("result_months", *retention.KINDS))
        self._chunk_size = config.chunk_size
        self._audit_days = config.audit_days
        self._is_redis_away = False
        #: what goes wrong now, by step
        self._told: dict[str, str] = {}

    async def run(self) -> None:
        """Look for ever."""
        await asyncio.gather(
            self._repeat(self.look, self._interval_s),
            self._repeat(partial(self._step, "audit", self.audit), _AUDIT_EVERY_S),
            self._repeat(partial(self._step, "weigh", self.weigh), _AUDIT_EVERY_S),
            self._repeat(partial(self._step, "fold", self.fold), _FOLD_EVERY_S),
            self._repeat(partial(self._step, "sweep", self.sweep), _SWEEP_EVERY_S),
            self._repeat(partial(self._step, "alerts", self.raise_left), self._interval_s),
        )

    async def look(self) -> None:
        """Give hints for what is claimable and finish what is through; a step that fails stops no other."""
        await self._step("wipe", self._notice_wipe)
        await self._step("condemn", self._condemn)
        await self._step("schedule", self._schedule)
        if not self._is_redis_away:  # a mark without its hint would only make the chunk wait
            for lane in LANES:
                await self._step(f"dispatch {lane}", partial(self._dispatch, lane))
        await self._step("finish", self._finish_jobs)

    async def _step(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Run `work`, whatever comes out: the next round starts from the database again.

        What goes wrong is told when it begins, when its reason changes and when it is over, not
        twice a second.
        """
        told = self._told.get(name)
        try:
            await work()
        except Unavailable as error:
            if told != (reason := str(error)):
                log.warning("dispatcher cannot go on", step=name, reason=reason)
            self._told[name] = reason
        except Exception as error:  # a bug in one step is no reason to stop all
            if told != (reason := repr(error)):
                log.exception("dispatcher failed", step=name)
            self._told[name] = reason
        else:
            if self._told.pop(name, None) is not None:
                log.info("dispatcher goes on", step=name)

    async def _repeat(self, work: Callable[[], Awaitable[None]], every_s: float) -> None:
        """Run `work` again and again; jitter keeps a fleet from marching in step."""
        while True:
            await work()
            await asyncio.sleep(every_s * random.uniform(0.8, 1.2))  # noqa: S311  # jitter

    async def _notice_wipe(self) -> None:
        redis = await self._hints.generation()
        self._is_redis_away = redis is Generation.AWAY
        if redis is Generation.WIPED:
            log.warning("Redis was wiped, hints are given again")
            await self._db.transact(dispatch.forget_hints, deadline_s=_DEADLINE_S)
            pass_point(Point.DISPATCH_WIPED)
            await self._hints.set_generation()

    async def _condemn(self) -> None:
        """Halve chunks that cost worker after worker; give up the single domains that did."""

        async def work(conn: Connection) -> list[Verdict]:
            verdicts = await poison.condemn(conn)
            await judged.mark_failed(conn, sorted(v.domain for v in verdicts if v.domain))
            if verdicts:
                pass_point(Point.DISPATCH_CONDEMNED)
            return verdicts

        for verdict in await self._db.transact(work, deadline_s=_DEADLINE_S):
            if verdict.domain is None:
                log.warning("chunk halved", chunk=verdict.chunk_id, parts=verdict.parts)
            else:
                log.error("domain given up", domain=verdict.domain, reason=verdict.reason)
                await self._hints.announce(verdict.job_id)

    async def _dispatch(self, lane: str) -> None:
        stale_s = self._stale_s

        async def pick(conn: Connection) -> list[Hint]:
            limit = await dispatch.room(conn, lane, alive_s=self._alive_s, stale_s=stale_s)
            if not limit:
                return []
            marked = await dispatch.pick(conn, lane, limit=limit, stale_s=stale_s)
            if lane == "bulk":
                marked += await self._pick_scheduled(conn, limit - len(marked))
            if marked:
                pass_point(Point.DISPATCH_PICKED)
            return marked

        picked = await self._db.transact(
            pick, deadline_s=_DEADLINE_S, reserved=lane == "interactive"
        )
        if not picked:
            return
        pass_point(Point.DISPATCH_MARKED)
        begun = [(hint.chunk_id, hint.number) for hint in picked if hint.begun]
        others = [(hint.chunk_id, hint.number) for hint in picked if not hint.begun]
        if not (
            await self._hints.give(lane, begun, ahead=True) and await self._hints.give(lane, others)
        ):

            async def unmark(conn: Connection) -> None:
                await dispatch.unmark(conn, [hint.chunk_id for hint in picked])

            await self._db.transact(unmark, deadline_s=_DEADLINE_S)
        pass_point(Point.DISPATCH_HINTED)

    async def _pick_scheduled(self, conn: Connection, left: int) -> list[Hint]:
        """Chunks of the schedule come after those of callers."""
        limit = await dispatch.room_for_schedule(
            conn, left=left, alive_s=self._alive_s, stale_s=self._stale_s
        )
        if not limit:
            return []
        return await dispatch.pick(
            conn, "bulk", limit=limit, stale_s=self._stale_s, by_schedule=True
        )

    async def _schedule(self) -> None:
        """Turn leads that are due into jobs."""

        async def work(conn: Connection) -> list[UUID]:
            made = await schedule.take_due(
                conn, open_max=self._watch_chunks, chunk_size=self._chunk_size
            )
            if made:
                pass_point(Point.DISPATCH_SCHEDULED)
            return made

        await self._db.transact(work, deadline_s=_DEADLINE_S)

    async def weigh(self) -> None:
        """Hold changes back while so many companies seem to move that the resolver must be wrong."""

        async def work(conn: Connection) -> Sample | None:
            seen = await schedule.sample(conn, window_s=WINDOW_S)
            trust = weigh(seen, await schedule.trust(conn))
            if not await schedule.set_trust(conn, trust, seen.reason):
                return None
            if trust.is_held or trust.is_silent:
                await changes.add(conn, [_degraded(seen, is_held=trust.is_held)])
            return seen

        seen = await self._db.transact(work, deadline_s=_DEADLINE_S)
        if seen is not None and seen.reason:
            self._metrics.hunter_scan_health_degraded_total.inc({})
            log.error("scans cannot be trusted", reason=seen.reason)
        elif seen is not None:
            log.info("scans can be trusted again")

    async def _finish_jobs(self) -> None:
        async with self._db.acquire() as conn:
            through = await completion.finishable(conn)
        for job_id in through:
            await self._step(f"finish {job_id}", partial(self._finish, job_id))

    async def _finish(self, job_id: UUID) -> None:
        async def finish(conn: Connection) -> str | None:
            status = await completion.finish(conn, job_id)
            pass_point(Point.DISPATCH_FINISHING)
            return status

        status = await self._db.transact(finish, deadline_s=_DEADLINE_S)
        if status == "completed":
            log.info("job completed", job=str(job_id))
            await self._hints.announce(job_id)
        elif status is not None:
            log.error("job does not add up", job=str(job_id))

    async def audit(self) -> None:
        """Compare the books and set the gauges that come from the database."""
        async with self._db.acquire() as conn:
            mismatched = await completion.mismatched(conn)
            by_state, oldest_s = await chunks.counts(conn)
            used, limit = await server_connections(conn)
            backed_up_at = await backups.last_success(conn)
            messages = await outbox.counts(conn)
        self._metrics.hunter_job_accounting_mismatch.set({}, mismatched)
        self._metrics.hunter_oldest_ready_chunk_seconds.set({}, round(oldest_s, 3))
        for state, count in by_state.items():
            self._metrics.hunter_chunks.set({"state": state}, count)
        for state, count in messages.items():
            self._metrics.hunter_deliveries.set({"state": state}, count)
        self._metrics.db_connection_count.set({}, used)
        self._metrics.db_connection_limit.set({}, limit)
        self._metrics.hunter_backup_last_success_timestamp_seconds.set({}, backed_up_at)
        if (evicted := await self._hints.evicted_keys()) is not None:
            self._metrics.redis_evicted_keys_total.set({}, evicted)

    async def fold(self) -> None:
        """Add what was written since to the counts of the dashboard; one process at a time does."""
        await self._db.transact(kpis.fold, deadline_s=_DEADLINE_S)

    async def sweep(self) -> None:
        """Delete uploads that died, keys and workers of yesterday; make the partitions ahead.

        Each for itself: what one of them cannot do must not keep the others from it for ever.
        """
        sweeps: dict[str, Callable[[Connection], Awaitable[object]]] = {
            "partitions": make_partitions,
            "keys": idempotency.sweep,
            "batches": ingests.sweep,
            "workers": processes.sweep_workers,
            "audit": partial(audit.sweep, kept_days=self._audit_days),
        }
        for name, work in sweeps.items():
            await self._step(f"sweep {name}", partial(self._sweep, work))
        await self._step("sweep messages", self._sweep_messages)
        await self._step("sweep expiries", self._tell_expiries)
        await self._step("sweep results", self._drop_results)
        for kind in retention.KINDS:
            await self._step(f"sweep {kind}", partial(self._sweep_rows, kind))
        await self._step("sweep uploads", self._sweep_uploads)

    async def raise_left(self) -> None:
        """Make the alerts of changes that were too many for their commit."""
        while (raised := await self._db.transact(deliveries.raise_left, deadline_s=30)) is not None:
            self._metrics.alerts_triggered_total.add({}, raised.alerts)
            if raised.deliveries:
                await self._hints.announce(DELIVERIES)

    async def _sweep(self, work: Callable[[Connection], Awaitable[object]]) -> None:
        await self._db.transact(work, deadline_s=_DEADLINE_S)

    async def _tell_expiries(self) -> None:
        """Tell which registrations end soon, or have ended; their messages in the same transaction."""

        async def work(conn: Connection) -> int:
            told = await expiries.tell_due(conn)
            await deliveries.raise_alerts(conn, told)
            return len(told)

        while await self._db.transact(work, deadline_s=_DEADLINE_S):
            await self._hints.announce(DELIVERIES)

    async def _drop_results(self) -> None:
        async def work(conn: Connection) -> int:
            return await retention.drop_results(conn, days=self._keep_days["results"])

        if dropped := await self._db.transact(work, deadline_s=_DEADLINE_S):
            self._metrics.hunter_retention_removed_total.add({"kind": "result_months"}, dropped)

    async def _sweep_rows(self, kind: str) -> None:
        """Some thousand rows a round, so that the first sweep of a full database is no storm."""

        async def work(conn: Connection) -> int:
            return await retention.sweep(conn, kind, days=self._keep_days[kind])

        for _ in range(_ROUNDS):
            if not (removed := await self._db.transact(work, deadline_s=_DEADLINE_S)):
                return
            self._metrics.hunter_retention_removed_total.add({"kind": kind}, removed)

    async def _sweep_uploads(self) -> None:
        """One in a transaction: a million names, or as many refused, take seconds to delete."""

        async def work(conn: Connection) -> int:
            return await jobs.sweep_receiving(conn, RECEIVING_IDLE_S)

        for _ in range(_UPLOADS_AT_ONCE):
            if not await self._db.transact(work, deadline_s=_DEADLINE_S):
                return
            log.info("dead upload deleted")

    async def _sweep_messages(self) -> None:
        """Give up messages that waited for days; delete old ones, and old alerts."""

        async def work(conn: Connection) -> int:
            expired = await outbox.expire(conn, after_s=EXPIRES_S)
            await outbox.sweep(conn, days=self._delivery_days, alert_days=self._alert_days)
            return expired

        if expired := await self._db.transact(work, deadline_s=_DEADLINE_S):
            self._metrics.hunter_deliveries_dead_total.add({}, expired)
            log.error("messages given up that waited for days", messages=expired)


def _degraded(seen: Sample, *, is_held: bool) -> Change:
    """The event for operators; no customer hears of it."""
    return Change(
        domain=EVERYWHERE,
        kind=Kind.SCAN_HEALTH_DEGRADED.value,
        before={"known": seen.known, "moved": 0, "silent": 0, "held": False},
        after={
            "known": seen.known,
            "moved": seen.moved,
            "silent": seen.silent,
            "held": is_held,
        },
        observation_before=None,
        observation_after=None,
    )
