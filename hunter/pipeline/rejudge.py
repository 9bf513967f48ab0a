"""Stored observations judged anew, without a question to DNS: by other rules, or because days passed."""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from typing import Any, Final, TypeVar

import msgspec
import structlog

from hunter.core.decay import decays
from hunter.core.errors import Unavailable
from hunter.core.judge import judge
from hunter.core.judgement import Judgement
from hunter.knowledge.load import Knowledge
from hunter.ops.metrics import Metrics, zero
from hunter.ops.stages import StageClock
from hunter.pipeline.effects import Archive, Before, effects
from hunter.pipeline.reload import Reloader
from hunter.store import changes, judged, rejudge, rule_sets
from hunter.store.changes import Change
from hunter.store.database import Connection, Database
from hunter.store.judged import JudgedLead, judgement_digest
from hunter.store.rejudge import Batch, End, Run, Stored

log = structlog.get_logger()

_T = TypeVar("_T")

#: a run that would change more than this share of providers waits for an operator
HOLD_ABOVE: Final = 0.05
#: leads judged to find out
_SAMPLE: Final = 10_000
_BATCH: Final = 250
#: longest stretch of judging before other tasks get a turn
_SLICE_S: Final = 0.008
#: while chunks are scanned, so many times the length of a batch is left to them before the next
_PAUSES: Final = 4
#: what a worker's processor does with a lead judged anew
STAGES: Final = (
    "rejudge_measure",
    "rejudge_read",
    "rejudge_judge",
    "rejudge_effects",
    "rejudge_write",
)
_DECAY_EVERY_S: Final = 60.0
_DEADLINE_S: Final = 30.0


class Rejudged(msgspec.Struct, frozen=True):
    """What came out for one lead."""

    stored: Stored
    judgement: Judgement
    encoded: bytes
    digest: int
    decays: bool

    @property
    def is_same(self) -> bool:
        """True when nothing of the stored judgement but its version is to be written."""
        return self.digest == self.stored.digest and self.decays == self.stored.decays


def judge_again(stored: Stored, knowledge: Knowledge, as_of: dt.date) -> Rejudged | None:
    """The stored observation judged on a day; None when there is none."""
    standing = stored.standing
    if standing.previous is None:
        return None
    judgement = judge(
        standing.previous,
        standing.history,
        knowledge.rules,
        as_of,
        standing.registration,
        known_fingerprint=standing.fingerprint,
    )
    encoded = msgspec.json.encode(judgement)
    return Rejudged(
        stored=stored,
        judgement=judgement,
        encoded=encoded,
        digest=judgement_digest(encoded, judgement.rules_version),
        decays=decays(judgement, knowledge.rules, as_of, standing.registration),
    )


class Rejudger:
    """In every worker; nobody is elected: the locks on slices and leads share the work out."""

    def __init__(
        self,
        db: Database,
        rules: Reloader,
        metrics: Metrics,
        *,
        is_busy: Callable[[], bool],
        every_s: float,
        alive_s: float,
    ) -> None:
        self._db = db
        self._rules = rules
        self._metrics = metrics
        self._is_busy = is_busy
        self._every_s = every_s
        self._alive_s = alive_s
        self._clock = StageClock(metrics, STAGES)
        # what judging a sample costs is all counted as measuring
        self._sampling = StageClock(Metrics(), STAGES)
        self._archive = Archive()
        self._proposed = ""
        self._decay_at = 0.0
        zero(metrics.hunter_rejudged_total, result=("same", "changed"))

    @property
    def seconds(self) -> Mapping[str, float]:
        """Processor seconds so far by stage."""
        return self._clock.seconds

    async def run(self) -> None:
        """Look for work for ever."""
        while True:
            try:
                while await self.round():
                    pass
            except Unavailable as error:
                log.warning("re-judging postponed", reason=str(error))
            except Exception:  # the next round starts from the database again
                log.exception("re-judging failed")
            await asyncio.sleep(self._every_s)

    async def round(self) -> bool:
        """Do one piece of what is to be done; False when there is nothing at the moment."""
        knowledge = self._rules.current
        if self._proposed != knowledge.version:
            await self._propose(knowledge)
        await self._begin_decay(knowledge.version)
        async with self._db.acquire() as conn:
            runs = await rejudge.open_runs(conn, knowledge.version)
        for run in runs:
            began = time.monotonic()
            work = self._measure if run.state == "measuring" else self._work_on
            if await work(run, knowledge):
                await asyncio.sleep((time.monotonic() - began) * _PAUSES if self._is_busy() else 0)
                return True
        return False

    async def _propose(self, knowledge: Knowledge) -> None:
        """Keep the files of rules new to this process; whoever loads last says what is in force."""

        async def work(conn: Connection) -> bool:
            await rule_sets.keep(conn, knowledge.version, knowledge.texts)
            return await rejudge.begin_rules(conn, knowledge.version)

        if await self._transact(work):
            log.info("re-judging begun", version=knowledge.version)
        self._proposed = knowledge.version

    async def _begin_decay(self, version: str) -> None:
        if time.monotonic() < self._decay_at:
            return
        self._decay_at = time.monotonic() + _DECAY_EVERY_S

        async def work(conn: Connection) -> bool:
            return await rejudge.begin_decay(conn, version)

        if await self._transact(work):
            log.info("dated lines are counted anew", version=version)

    async def _measure(self, run: Run, knowledge: Knowledge) -> bool:
        """See on a sample how many providers would change, and hold the run when they are many."""

        async def work(conn: Connection) -> tuple[int, int] | None:
            slices = await rejudge.take_measure(conn, run.id)
            if slices is None:
                return None
            measured = would_change = 0
            for position, upto in slices:
                limit = -(-_SAMPLE // len(slices))
                rows = await rejudge.peek(conn, knowledge.version, position, upto, limit)
                async for each in _judged(rows, knowledge, run.as_of, self._sampling):
                    measured += 1
                    would_change += _moves_provider(each)
            await rejudge.set_measure(
                conn,
                run.id,
                measured=measured,
                would_change=would_change,
                is_held=would_change > measured * HOLD_ABOVE,
            )
            return measured, would_change

        counted = await self._clock.run("rejudge_measure", self._transact(work))
        if counted is None:
            return False
        measured, would_change = counted
        if would_change > measured * HOLD_ABOVE:
            self._metrics.hunter_rejudge_held_total.inc({})
            log.error(
                "re-judging held: too many providers would change; `hunter rules apply` lets it go on",
                version=run.rules_version,
                measured=measured,
                would_change=would_change,
            )
        return True

    async def _work_on(self, run: Run, knowledge: Knowledge) -> bool:
        """Judge and write one batch of a run; False when the others have the rest of it."""

        async def work(conn: Connection) -> tuple[int, int] | None:
            batch = await self._clock.run("rejudge_read", rejudge.take(conn, run, _BATCH))
            if batch is None:
                return None
            return await self._write(conn, run, batch, knowledge)

        counted = await self._transact(work)
        if counted is None:
            return await self._finish(run)
        judged_leads, changed = counted
        self._metrics.hunter_rejudged_total.add({"result": "changed"}, changed)
        self._metrics.hunter_rejudged_total.add({"result": "same"}, judged_leads - changed)
        return True

    async def _write(
        self, conn: Connection, run: Run, batch: Batch, knowledge: Knowledge
    ) -> tuple[int, int]:
        same: list[tuple[str, int]] = []
        other: list[Rejudged] = []
        async for each in _judged(batch.rows, knowledge, run.as_of, self._clock):
            if each.is_same:
                same.append((each.stored.domain, each.digest))
            else:
                other.append(each)
        told = await self._clock.run("rejudge_effects", self._effects(conn, other, run, knowledge))

        async def write() -> None:
            await rejudge.touch(conn, run.rules_version, run.as_of, same)
            await judged.write(conn, None, [_lead(each, run.as_of) for each in other])
            await changes.add(conn, told)
            await rejudge.advance(conn, run, batch, changed=len(other))

        await self._clock.run("rejudge_write", write())
        return len(batch.rows), len(other)

    async def _effects(
        self, conn: Connection, other: Iterable[Rejudged], run: Run, knowledge: Knowledge
    ) -> list[Change]:
        """What the rules changed; of a run for decay nothing is a change."""
        if run.kind == "decay":
            return []
        told: list[Change] = []
        for each in other:
            before: Before | None = await self._archive.before(
                conn, each.stored.rules_version, knowledge
            )
            told += effects(each.stored, each.judgement, before, knowledge.rules, run.as_of)
        return told

    async def _finish(self, run: Run) -> bool:
        async def work(conn: Connection) -> End:
            return await rejudge.finish(conn, run, alive_s=self._alive_s)

        end = await self._transact(work)
        if end is End.DONE:
            log.info("re-judging done", kind=run.kind, version=run.rules_version)
        return end is not End.WAIT

    async def _transact(self, work: Callable[[Connection], Awaitable[_T]]) -> _T:
        return await self._db.transact(work, deadline_s=_DEADLINE_S)


async def _judged(
    rows: Iterable[Any], knowledge: Knowledge, as_of: dt.date, clock: StageClock
) -> AsyncIterator[Rejudged]:
    """Each lead judged, one after the other, in stretches: the loop also carries heartbeats and DNS."""
    began, turn_ends = time.thread_time(), time.perf_counter() + _SLICE_S
    for row in rows:
        if (again := judge_again(rejudge.stored(row), knowledge, as_of)) is not None:
            yield again
        # the thread's own clock is asked once a stretch: it costs a system call
        if time.perf_counter() > turn_ends:
            clock.charge("rejudge_judge", time.thread_time() - began)
            await asyncio.sleep(0)
            began, turn_ends = time.thread_time(), time.perf_counter() + _SLICE_S
    clock.charge("rejudge_judge", time.thread_time() - began)


def _moves_provider(found: Rejudged) -> bool:
    return found.judgement.provider != found.stored.told["provider"]


def _lead(found: Rejudged, as_of: dt.date) -> JudgedLead:
    standing = found.stored.standing
    assert standing.observation_id is not None  # noqa: S101  # read with its observation
    return JudgedLead(
        judgement=found.judgement,
        encoded=found.encoded.decode(),
        history=standing.history,
        observation_id=standing.observation_id,
        judged_on=as_of,
        decays=found.decays,
    )
