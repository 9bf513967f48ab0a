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
from hunter.store import chunks, completion, dispatch, jobs, leases, poison, redrive
from hunter.store.chunks import Claim, Fence
from hunter.store.database import Connection, open_database
from hunter.store.identifiers import uuid7

T = TypeVar("T")
WORKERS = st.integers(0, 2)
ANY = st.integers(0, 1_000_000)

_PLACES = """
    SELECT c.job_id, j.status, c.id, c.state, c.epoch, c.losses, c.domains,
        ARRAY(SELECT domain FROM scan_result r WHERE r.job_id = c.job_id
              AND r.domain = ANY(c.domains) ORDER BY domain) AS recorded
    FROM scan_chunk c JOIN scan_job j ON j.id = c.job_id
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
        self.run(lambda conn: conn.execute("TRUNCATE scan_job CASCADE"))

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
            claim = self.run(
                lambda conn: chunks.claim_next(conn, "bulk", worker_id=healthy, lease_s=60)
            )
            if claim is not None:
                self._commit(claim)
            elif not self._open_chunks():
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

    @initialize(sizes=st.lists(st.integers(1, 4), min_size=1, max_size=3))
    def begin(self, sizes: list[int]) -> None:
        self.submit(sizes)

    @precondition(lambda self: len(self.accepted) < 3)
    @rule(sizes=st.lists(st.integers(1, 4), min_size=1, max_size=3))
    def submit(self, sizes: list[int]) -> None:
        job_id = uuid7()
        names = [[f"n{c}x{n}.example" for n in range(size)] for c, size in enumerate(sizes)]

        async def work(conn: Connection) -> None:
            await jobs.create(conn, job_id, lane="bulk", depth=Depth.QUICK, caller="test")
            await chunks.add(conn, job_id, "bulk", names)
            await jobs.grow(conn, job_id, total=sum(sizes), rejected=0, duplicates=0)
            await jobs.accept(conn, job_id, rejected=0, duplicates=0)

        self.run(work)
        self.accepted[job_id] = {name for each in names for name in each}

    def _claim(self, worker: int, number: int) -> Claim | None:
        chunk_id = self._some_chunk(number)
        return self.run(
            lambda conn: chunks.claim(conn, chunk_id, worker_id=self.ids[worker], lease_s=60)
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

    @rule(worker=WORKERS)
    def claim_without_hint(self, worker: int) -> None:
        claim = self.run(
            lambda conn: chunks.claim_next(conn, "bulk", worker_id=self.ids[worker], lease_s=60)
        )
        if claim is not None:
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
                [(claim.job_id, domain) for domain in claim.domains],
            )
            size = len(claim.domains)
            await chunks.finish(conn, claim.chunk_id, claim.epoch, ok=0, failed=size, unknown=0)
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

    @rule()
    def hint(self) -> None:
        self.run(lambda conn: dispatch.pick(conn, "bulk", limit=5, stale_s=0))

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
