"""The job protocol in any order of events: after every step each domain is in one place, written once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from hunter.config import Config
from hunter.core.answers import Depth
from hunter.core.errors import Conflict
from hunter.store import (
    chunks,
    completion,
    dispatch,
    expiry,
    jobs,
    judged,
    leases,
    poison,
    redrive,
    schedule,
    suppressions,
)
from hunter.store.chunks import Claim, Fence
from hunter.store.database import Connection, open_database
from hunter.store.identifiers import uuid7

T = TypeVar("T")
WORKERS = st.integers(0, 2)
LANES = st.sampled_from(["bulk", "interactive"])
#: seconds of a lease
LEASES = {"bulk": 60, "interactive": 6}
ANY = st.integers(0, 1_000_000)

_PLACES = """
    SELECT c.job_id, j.status, c.id, c.state, c.epoch, c.losses, c.domains,
        ARRAY(SELECT domain FROM scan_result r WHERE r.job_id = c.job_id
              AND r.domain = ANY(c.domains) ORDER BY domain) AS recorded
    FROM scan_chunk c JOIN scan_job j ON j.id = c.job_id
"""

#: rows in which one of these names stands, wherever it may
_NAMED = """
    SELECT (SELECT count(*) FROM scan_chunk WHERE domains && $1::text[])
        + (SELECT count(*) FROM scan_result WHERE domain = ANY($1))
        + (SELECT count(*) FROM lead WHERE domain = ANY($1))
"""


class _RolledBackError(Exception):
    """Ends a transaction that is not to be committed."""


class Protocol(RuleBasedStateMachine):
    """Three workers that crash, freeze, drain and mishear; the clock jumps, hints come and go."""

    runner: asyncio.Runner
    config: Config

    def __init__(self) -> None:
        super().__init__()
        self.opening = open_database(self.config)
        self.db = self.runner.run(self.opening.__aenter__())
        self.ids = [uuid7() for _ in range(3)]
        #: what each worker believes to hold
        self.beliefs: list[dict[int, Claim]] = [{} for _ in self.ids]
        #: claims of frozen and drained workers, which wake up some day
        self.stale: list[Claim] = []
        self.accepted: dict[UUID, set[str]] = {}
        self.at_cancel: dict[UUID, int] = {}
        self.epochs: dict[int, int] = {}
        #: deleted names, and what stands for them
        self.gone: dict[str, str] = {}
        self.scheduled: set[UUID] = set()
        self.run(
            lambda conn: conn.execute("TRUNCATE scan_job, scan_result, suppression, lead CASCADE")
        )

    def run(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """One transaction."""
        return self.runner.run(self.db.transact(work))

    def teardown(self) -> None:
        """Whatever happened, quiet brings every job to its end."""
        try:
            self._come_to_rest()
        finally:
            self.runner.run(self.opening.__aexit__(None, None, None))

    def _come_to_rest(self) -> None:
        healthy = uuid7()
        for _ in range(400):
            self.expire()
            self.condemn()
            self.run(lambda conn: conn.execute("UPDATE scan_chunk SET not_before = now()"))
            claims = [self._claim_next(healthy, lane) for lane in LEASES]
            for claim in filter(None, claims):
                self._commit(claim)
            if not any(claims) and not self._open_chunks():
                break
        self.finish()
        self.check()
        states = self.run(lambda conn: conn.fetch("SELECT DISTINCT status FROM scan_job"))
        assert {row["status"] for row in states} <= {"completed", "cancelled"}
        assert self.run(completion.mismatched) == 0

    def _open_chunks(self) -> list[int]:
        rows = self.run(
            lambda conn: conn.fetch(
                "SELECT id FROM scan_chunk WHERE state IN ('ready', 'leased') ORDER BY id"
            )
        )
        return [row["id"] for row in rows]

    def _holder(self, worker: int) -> int:
        """That worker, or the next one that believes to hold anything."""
        return next(n % 3 for n in range(worker, worker + 3) if self.beliefs[n % 3])

    def _some_chunk(self, number: int) -> int:
        found = self._open_chunks()
        return found[number % len(found)] if found else -1

    @initialize(sizes=st.lists(st.integers(1, 4), min_size=1, max_size=3), lane=LANES)
    def begin(self, sizes: list[int], lane: str) -> None:
        self.submit(sizes, lane)

    @precondition(lambda self: len(self.accepted) < 3)
    @rule(sizes=st.lists(st.integers(1, 4), min_size=1, max_size=3), lane=LANES)
    def submit(self, sizes: list[int], lane: str) -> None:
        job_id = uuid7()
        names = [[f"n{c}x{n}.example" for n in range(size)] for c, size in enumerate(sizes)]

        async def work(conn: Connection) -> None:
            await jobs.create(conn, job_id, lane=lane, depth=Depth.QUICK, caller="test")
            await chunks.add(conn, job_id, lane, names)
            await jobs.grow(conn, job_id, total=sum(sizes), rejected=0, duplicates=0)
            await jobs.accept(conn, job_id, rejected=0, duplicates=0)

        self.run(work)
        self.accepted[job_id] = {self.gone.get(name, name) for each in names for name in each}

    @precondition(lambda self: len(self.scheduled) < 3)
    @rule(chunk_size=st.integers(1, 4))
    def come_due(self, chunk_size: int) -> None:
        """All leads are due at once; whoever looks first takes them up, and the next finds none."""

        async def work(conn: Connection) -> list[UUID]:
            await conn.execute("UPDATE lead SET next_scan_at = now() - interval '1 second'")
            return await schedule.take_due(conn, open_max=50, chunk_size=chunk_size)

        query = "SELECT unnest(domains) AS name FROM scan_chunk WHERE job_id = $1"
        for job_id in self.run(work):
            self.scheduled.add(job_id)

            async def names(conn: Connection, job_id: UUID = job_id) -> set[str]:
                return {row["name"] for row in await conn.fetch(query, job_id)}

            self.accepted[job_id] = self.run(names)
        assert not self.run(
            lambda conn: schedule.take_due(conn, open_max=50, chunk_size=chunk_size)
        )

    @precondition(lambda self: self.accepted and len(self.gone) < 3)
    @rule(number=ANY)
    def delete(self, number: int) -> None:
        """A name is deleted for good, whoever works on it: from here on it stands nowhere."""
        names = sorted({name for each in self.accepted.values() for name in each if "." in name})
        if names:
            self._delete(names[number % len(names)])

    @precondition(lambda self: any(self.beliefs) and len(self.gone) < 6)
    @rule(worker=WORKERS, number=ANY)
    def delete_what_is_worked_on(self, worker: int, number: int) -> None:
        """The claim still has the name when its commit comes."""
        worker = self._holder(worker)
        claims = list(self.beliefs[worker].values())
        claim = claims[number % len(claims)]
        names = [name for name in claim.domains if "." in name and name not in self.gone]
        if names:
            self._delete(names[number % len(names)])
            if self._commit(claim) is not Fence.HELD:
                del self.beliefs[worker][claim.chunk_id]

    def _delete(self, name: str) -> None:
        async def work(conn: Connection) -> str:
            await suppressions.suppress(conn, name, reason="asked for", caller="test")
            return (await suppressions.among(conn, [name]))[name]

        self.gone[name] = pseudonym = self.run(work)
        for job_id, domains in self.accepted.items():
            self.accepted[job_id] = {pseudonym if each == name else each for each in domains}

    def _claim(self, worker: int, number: int) -> Claim | None:
        chunk_id = self._some_chunk(number)
        return self.run(
            lambda conn: chunks.claim(conn, chunk_id, worker_id=self.ids[worker], lease_s=60)
        )

    def _claim_next(self, worker_id: UUID, lane: str) -> Claim | None:
        lease_s = LEASES[lane]
        return self.run(
            lambda conn: chunks.claim_next(conn, lane, worker_id=worker_id, lease_s=lease_s)
        )

    @rule(worker=WORKERS, number=ANY)
    def claim(self, worker: int, number: int) -> None:
        """A hint, the first or a duplicate, is followed."""
        claim = self._claim(worker, number)
        if claim is not None:
            self.beliefs[worker][claim.chunk_id] = claim

    @rule(worker=WORKERS, number=ANY)
    def claim_with_lost_acknowledgement(self, worker: int, number: int) -> None:
        self._claim(worker, number)

    @rule(worker=WORKERS, lane=LANES)
    def claim_without_hint(self, worker: int, lane: str) -> None:
        claim = self._claim_next(self.ids[worker], lane)
        if claim is not None:
            assert claim.lane == lane
            self.beliefs[worker][claim.chunk_id] = claim

    @rule(worker=WORKERS, lane=LANES)
    def take_over(self, worker: int, lane: str) -> None:
        """What somebody let go is claimed out of the table; what is left to poison is not."""
        claim = self.run(
            lambda conn: expiry.claim_expired(
                conn, lane, worker_id=self.ids[worker], lease_s=LEASES[lane], spare_s=0
            )
        )
        if claim is not None:
            assert claim.was_lost
            assert claim.lane == lane
            self.beliefs[worker][claim.chunk_id] = claim

    @precondition(lambda self: any(self.beliefs))
    @rule(worker=WORKERS)
    def beat(self, worker: int) -> None:
        worker = self._holder(worker)
        held = {chunk_id: claim.epoch for chunk_id, claim in self.beliefs[worker].items()}

        async def work(conn: Connection) -> list[int]:
            await leases.return_unknown(conn, self.ids[worker], list(held), older_s=0)
            return await leases.extend(conn, held, 60)

        for chunk_id in self.run(work):
            self.stale.append(self.beliefs[worker].pop(chunk_id))

    @rule()
    def expire(self) -> None:
        self.run(
            lambda conn: conn.execute(
                "UPDATE scan_chunk SET lease_until = now() - interval '1 second' WHERE state = 'leased'"
            )
        )

    @rule(number=ANY, losses=st.integers(1, 4))
    def wear_out(self, number: int, losses: int) -> None:
        """So many workers died over a chunk before: halving and giving up are near."""
        chunk_id = self._some_chunk(number)
        query = "UPDATE scan_chunk SET losses = greatest(losses, $2) WHERE id = $1"
        self.run(lambda conn: conn.execute(query, chunk_id, losses))

    @precondition(lambda self: any(self.beliefs))
    @rule(worker=WORKERS)
    def freeze(self, worker: int) -> None:
        """What it holds it will try to commit, some day; a kill is a freeze for ever."""
        worker = self._holder(worker)
        self.stale += self.beliefs[worker].values()
        self.beliefs[worker].clear()

    async def _write(self, conn: Connection, claim: Claim) -> Fence:
        gone = await suppressions.among(conn, claim.domains)
        written = [gone.get(name, name) for name in claim.domains]
        row = await conn.fetchrow(
            "SELECT state, epoch FROM scan_chunk WHERE id = $1", claim.chunk_id
        )
        assert row is not None
        fence = await chunks.fence(conn, claim.chunk_id, claim.epoch)
        is_last = row["epoch"] == claim.epoch
        assert (fence is Fence.HELD) == (is_last and row["state"] == "leased")
        assert (fence is Fence.DONE) == (is_last and row["state"] == "done")
        if fence is Fence.HELD:
            await conn.executemany(
                "INSERT INTO scan_result (job_id, domain, outcome, reason, scanned_at) "
                "VALUES ($1, $2, 'failed', 'test', now())",
                [(claim.job_id, domain) for domain in written],
            )
            leads = sorted(name for name in written if not suppressions.is_pseudonym(name))
            await judged.insert_missing(conn, leads, leads, leads)
            size = len(written)
            await chunks.finish(conn, claim.chunk_id, claim.epoch, ok=0, failed=size, unknown=0)
            if claim.lane == "interactive":
                await completion.finish(conn, claim.job_id)
        return fence

    def _commit(self, claim: Claim) -> Fence:
        return self.run(lambda conn: self._write(conn, claim))

    @precondition(lambda self: any(self.beliefs))
    @rule(worker=WORKERS, number=ANY, answered=st.booleans())
    def commit(self, worker: int, number: int, answered: bool) -> None:
        """Without an answer the worker runs the same commit again and finds it done."""
        worker = self._holder(worker)
        claims = list(self.beliefs[worker].values())
        claim = claims[number % len(claims)]
        fence = self._commit(claim)
        if answered or fence is Fence.LOST:
            del self.beliefs[worker][claim.chunk_id]
        else:
            assert self._commit(claim) is Fence.DONE

    @precondition(lambda self: self.stale)
    @rule(number=ANY)
    def commit_of_somebody_who_was_frozen(self, number: int) -> None:
        self._commit(self.stale[number % len(self.stale)])

    @precondition(lambda self: any(self.beliefs))
    @rule(worker=WORKERS)
    def commit_cut_off_before_its_end(self, worker: int) -> None:
        worker = self._holder(worker)
        for claim in self.beliefs[worker].values():

            async def work(conn: Connection, claim: Claim = claim) -> None:
                await self._write(conn, claim)
                raise _RolledBackError

            with pytest.raises(_RolledBackError):
                self.run(work)

    @precondition(lambda self: any(self.beliefs))
    @rule(worker=WORKERS, counted=st.booleans())
    def fail(self, worker: int, counted: bool) -> None:
        worker = self._holder(worker)
        held, self.beliefs[worker] = self.beliefs[worker], {}
        for claim in held.values():

            async def work(conn: Connection, claim: Claim = claim) -> None:
                await leases.postpone(
                    conn, claim.chunk_id, claim.epoch, reason="test", counted=counted
                )
                await conn.execute("UPDATE scan_chunk SET not_before = now()")

            self.run(work)

    @precondition(lambda self: any(self.beliefs))
    @rule(worker=WORKERS)
    def drain(self, worker: int) -> None:
        worker = self._holder(worker)
        held = {chunk_id: claim.epoch for chunk_id, claim in self.beliefs[worker].items()}
        self.run(lambda conn: leases.give_back(conn, held))
        self.freeze(worker)

    @precondition(lambda self: len(self.accepted) > 1)
    @rule(number=ANY)
    def cancel(self, number: int) -> None:
        job_id = self._some_job(number)
        if job_id is None:
            return
        try:
            self.run(lambda conn: jobs.cancel(conn, job_id))
        except Conflict:
            return  # completed before
        self.at_cancel.setdefault(job_id, self._recorded(job_id))

    def _some_job(self, number: int) -> UUID | None:
        return list(self.accepted)[number % len(self.accepted)] if self.accepted else None

    def _recorded(self, job_id: UUID) -> int:
        count = "SELECT count(*) FROM scan_result WHERE job_id = $1"
        return int(self.run(lambda conn: conn.fetchval(count, job_id)))

    @rule(lane=LANES, by_schedule=st.booleans())
    def hint(self, lane: str, by_schedule: bool) -> None:
        self.run(
            lambda conn: dispatch.pick(conn, lane, limit=5, stale_s=0, by_schedule=by_schedule)
        )

    @rule()
    def flush(self) -> None:
        self.run(dispatch.forget_hints)

    @rule()
    def condemn(self) -> None:
        self.run(poison.condemn)

    @rule()
    def finish(self) -> None:
        for job_id in self.run(completion.finishable):

            async def work(conn: Connection, job_id: UUID = job_id) -> str | None:
                return await completion.finish(conn, job_id)

            assert self.run(work) == "completed"

    @rule(number=ANY)
    def redrive(self, number: int) -> None:
        job_id, new_id = self._some_job(number), uuid7()
        if job_id is None:
            return

        async def work(conn: Connection) -> tuple[UUID, list[str]]:
            made = await redrive.redrive(conn, job_id, new_id=new_id, caller="test", chunk_size=3)
            rows = await conn.fetch(
                "SELECT unnest(domains) AS n FROM scan_chunk WHERE job_id = $1", made
            )
            return made, [row["n"] for row in rows]

        try:
            made, names = self.run(work)
        except Conflict:
            return  # it runs, or nothing failed
        self.accepted.setdefault(made, set(names))

    @invariant()
    def check(self) -> None:
        assert self.run(lambda conn: conn.fetchval(_NAMED, [*self.gone])) == 0
        rows: list[Any] = self.run(lambda conn: conn.fetch(_PLACES))
        places: dict[UUID, list[str]] = {job_id: [] for job_id in self.accepted}
        for row in rows:
            assert row["epoch"] >= self.epochs.get(row["id"], 0)
            self.epochs[row["id"]] = row["epoch"]
            if row["state"] == "split":
                continue
            places[row["job_id"]] += row["domains"]
            # a result is there exactly when its chunk is done
            assert row["recorded"] == (sorted(row["domains"]) if row["state"] == "done" else [])
            if row["status"] == "completed":
                assert row["state"] in {"done", "dead"}
        for job_id, domains in places.items():
            assert sorted(domains) == sorted(self.accepted[job_id])
        for job_id, recorded in self.at_cancel.items():
            assert self._recorded(job_id) == recorded


def test_no_order_of_events_loses_or_doubles_a_domain(config: Config) -> None:
    with asyncio.Runner() as runner:
        Protocol.runner, Protocol.config = runner, config
        run_state_machine_as_test(
            Protocol,
            settings=settings(
                max_examples=12,
                stateful_step_count=35,
                deadline=None,
                derandomize=True,
                suppress_health_check=list(HealthCheck),
            ),
        )
