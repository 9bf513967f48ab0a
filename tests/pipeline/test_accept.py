"""Names in, a job out: what is accepted is committed, and the same request twice is one job."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest

from hunter.core.answers import Depth
from hunter.core.errors import Conflict, InvalidDomain, InvalidInput, LimitExceeded, NotFound
from hunter.pipeline.accept import Accepted, Idempotency, Line, accept_scan
from hunter.queue.hints import Hints, queue_name
from hunter.store import jobs
from hunter.store.database import Database


def _lines(*names: str) -> list[Line]:
    return [Line(number, name) for number, name in enumerate(names, start=1)]


async def _stream(lines: list[Line], size: int = 100) -> AsyncIterator[list[Line]]:
    for start in range(0, len(lines), size):
        yield lines[start : start + size]


def _key(body: bytes = b"body", key: str = "k1") -> Idempotency:
    return Idempotency(key, "POST", "/api/v1/scan/bulk", lambda: body)


async def _accept(db: Database, hints: Hints, names: Any, **settings: Any) -> Accepted:
    return await accept_scan(
        db,
        hints,
        names,
        **({"lane": "bulk", "depth": Depth.QUICK} | settings),
    )


async def _stored(db: Database, job_id: str) -> list[str]:
    async with db.acquire() as conn:
        rows = await conn.fetch(
            "SELECT unnest(domains) AS name FROM scan_chunk WHERE job_id = $1 ORDER BY id",
            UUID(job_id),
        )
    return [row["name"] for row in rows]


async def _count(db: Database, table: str) -> int:
    async with db.acquire() as conn:
        return int(await conn.fetchval(f"SELECT count(*) FROM {table}"))


async def test_accepted_names_are_committed_in_order(db: Database, hints: Hints) -> None:
    accepted = await _accept(db, hints, _lines("b.com", "a.com", "c.com"))

    assert (accepted.status, accepted.total, accepted.accepted) == ("pending", 3, 3)
    assert await _stored(db, accepted.job_id) == ["b.com", "a.com", "c.com"]


async def test_duplicates_fold_and_bad_names_come_back_with_a_reason(
    db: Database, hints: Hints
) -> None:
    names = _lines("Contoso.com", "n/a", "contoso.com.", "", "10.0.0.1", "fabrikam.com")

    accepted = await _accept(db, hints, names)

    assert await _stored(db, accepted.job_id) == ["contoso.com", "fabrikam.com"]
    assert accepted.duplicates == 1
    assert [(r.line, r.input) for r in accepted.rejected] == [(2, "n/a"), (5, "10.0.0.1")]
    assert all(r.reason for r in accepted.rejected)
    async with db.acquire() as conn:
        page = await jobs.rejects_page(conn, UUID(accepted.job_id))
    assert page.items == accepted.rejected


async def test_a_stream_is_stored_in_slices_of_whole_chunks(db: Database, hints: Hints) -> None:
    lines = _lines(*(f"c{n}.com" for n in range(12_345)))

    accepted = await _accept(db, hints, _stream(lines, 700), chunk_size=300)

    assert accepted.accepted == 12_345
    assert await _stored(db, accepted.job_id) == [line.text for line in lines]
    async with db.acquire() as conn:
        sizes = await conn.fetch("SELECT size FROM scan_chunk ORDER BY id")
    assert {row["size"] for row in sizes[:-1]} == {300}


async def test_a_long_list_is_stored_like_a_stream(db: Database, hints: Hints) -> None:
    lines = _lines(*(f"c{n}.com" for n in range(5_001)))

    accepted = await _accept(db, hints, lines)

    assert len(await _stored(db, accepted.job_id)) == 5_001


async def test_nobody_sees_a_job_that_is_still_received(db: Database, hints: Hints) -> None:
    seen: list[int] = []

    async def names() -> AsyncIterator[list[Line]]:
        yield _lines(*(f"c{n}.com" for n in range(6_000)))
        async with db.acquire() as conn:
            seen.append(len((await jobs.list_jobs(conn)).items))
            seen.append(await conn.fetchval("SELECT count(*) FROM scan_chunk"))
        yield [Line(6001, "last.com")]

    await _accept(db, hints, names(), chunk_size=200)

    assert seen == [0, 25]


async def test_an_upload_that_breaks_off_leaves_nothing(db: Database, hints: Hints) -> None:
    async def names() -> AsyncIterator[list[Line]]:
        yield _lines(*(f"c{n}.com" for n in range(6_000)))
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await _accept(db, hints, names(), idempotency=_key())

    assert [await _count(db, t) for t in ("scan_job", "scan_chunk", "idempotency")] == [0, 0, 0]


async def test_too_many_names_are_refused_with_the_place(db: Database, hints: Hints) -> None:
    with pytest.raises(LimitExceeded, match="line 4"):
        await _accept(db, hints, _lines("a.com", "b.com", "c.com", "d.com"), limit=3)

    assert await _count(db, "scan_job") == 0


@pytest.mark.parametrize("names", [[], [Line(1, "  ")]], ids=["none", "blank"])
async def test_no_name_at_all_is_refused(db: Database, hints: Hints, names: list[Line]) -> None:
    with pytest.raises(InvalidInput, match="no names given"):
        await _accept(db, hints, names)


async def test_a_list_of_bad_names_only_is_a_finished_job(db: Database, hints: Hints) -> None:
    accepted = await _accept(db, hints, _lines("n/a", "-"))

    assert (accepted.status, accepted.total, accepted.rejected_count) == ("completed", 0, 2)


async def test_the_one_bad_name_of_an_interactive_scan_is_an_error(
    db: Database, hints: Hints
) -> None:
    with pytest.raises(InvalidDomain):
        await _accept(db, hints, _lines("n/a"), lane="interactive")

    assert await _count(db, "scan_job") == 0


async def test_an_interactive_scan_is_hinted_at_once(db: Database, hints: Hints) -> None:
    accepted = await _accept(db, hints, _lines("contoso.com"), lane="interactive")

    async with db.acquire() as conn:
        row = await conn.fetchrow("SELECT id, hints, hinted_at FROM scan_chunk")
    assert row is not None
    assert (row["hints"], row["hinted_at"] is not None) == (1, True)
    queued = await hints._redis.zrange(queue_name("interactive"), 0, -1)
    assert queued == [f"c{row['id']}-1".encode()]
    assert accepted.total == 1


async def test_test_names_are_wanted_explicitly(db: Database, hints: Hints) -> None:
    refused = await _accept(db, hints, _lines("a.test"))
    allowed = await _accept(db, hints, _lines("a.test"), allow_test_names=True)

    assert (refused.accepted, allowed.accepted) == (0, 1)


async def test_companies_are_reduced_to_the_registrable_domain(db: Database, hints: Hints) -> None:
    accepted = await _accept(
        db, hints, _lines("shop.contoso.com.tr", "contoso.com.tr"), registrable=True
    )

    assert await _stored(db, accepted.job_id) == ["contoso.com.tr"]
    assert accepted.duplicates == 1


async def test_text_postgres_cannot_hold_is_a_reject_like_any_other(
    db: Database, hints: Hints
) -> None:
    accepted = await _accept(db, hints, _lines("a\0b\ud800.com", "x" * 1000))

    async with db.acquire() as conn:
        page = await jobs.rejects_page(conn, UUID(accepted.job_id))
    assert page.items == accepted.rejected
    assert len(page.items) == 2


@pytest.mark.parametrize("streamed", [False, True], ids=["list", "stream"])
async def test_the_same_request_again_gets_the_same_job(
    db: Database, hints: Hints, streamed: bool
) -> None:
    def body() -> object:
        lines = _lines("a.com", "n/a", "b.com")
        return _stream(lines) if streamed else lines

    first = await _accept(db, hints, body(), idempotency=_key())
    again = await _accept(db, hints, body(), idempotency=_key())

    assert again.replayed
    assert (again.job_id, again.total, again.rejected) == (
        first.job_id,
        first.total,
        first.rejected,
    )
    assert await _count(db, "scan_job") == 1


@pytest.mark.parametrize("streamed", [False, True], ids=["list", "stream"])
async def test_the_same_key_with_another_body_is_refused(
    db: Database, hints: Hints, streamed: bool
) -> None:
    await _accept(db, hints, _lines("a.com"), idempotency=_key(b"one"))
    other: object = _stream(_lines("b.com")) if streamed else _lines("b.com")

    with pytest.raises(InvalidInput, match="another request"):
        await _accept(db, hints, other, idempotency=_key(b"two"))

    assert await _count(db, "scan_job") == 1


async def test_a_key_belongs_to_its_caller(db: Database, hints: Hints) -> None:
    one = await _accept(db, hints, _lines("a.com"), idempotency=_key(), caller="one")
    two = await _accept(db, hints, _lines("a.com"), idempotency=_key(), caller="two")

    assert one.job_id != two.job_id


async def test_a_twin_that_still_runs_is_a_conflict(db: Database, hints: Hints) -> None:
    started, go_on = asyncio.Event(), asyncio.Event()

    async def names() -> AsyncIterator[list[Line]]:
        started.set()
        await go_on.wait()
        yield _lines("a.com")

    first = asyncio.create_task(_accept(db, hints, names(), idempotency=_key()))
    await started.wait()

    with pytest.raises(Conflict) as caught:
        await _accept(db, hints, _stream(_lines("a.com")), idempotency=_key())

    assert caught.value.retry_after_s
    go_on.set()
    assert (await first).status == "pending"


async def test_a_key_whose_upload_died_is_free_again(db: Database, hints: Hints) -> None:
    started = asyncio.Event()

    async def names() -> AsyncIterator[list[Line]]:
        yield _lines(*(f"c{n}.com" for n in range(5_000)))
        started.set()
        await asyncio.sleep(0.3)
        yield _lines(*(f"d{n}.com" for n in range(5_000)))

    dead = asyncio.create_task(_accept(db, hints, names(), idempotency=_key()))
    await started.wait()
    async with db.acquire() as conn:
        await conn.execute("UPDATE scan_job SET touched_at = now() - interval '2 minutes'")

    taken_over = await _accept(db, hints, _lines("a.com"), idempotency=_key())

    assert taken_over.status == "pending"
    with pytest.raises(Conflict, match="given up"):
        await dead
    assert await _count(db, "scan_job") == 1


async def test_twins_at_the_same_moment_are_one_job(db: Database, hints: Hints) -> None:
    twins = await asyncio.gather(
        *(_accept(db, hints, _lines("a.com"), idempotency=_key()) for _ in range(5)),
        return_exceptions=True,
    )

    ids = {twin.job_id for twin in twins if isinstance(twin, Accepted)}
    assert len(ids) == 1
    assert all(isinstance(twin, Accepted | Conflict) for twin in twins)
    assert await _count(db, "scan_job") == 1


async def test_a_dead_upload_is_swept_after_ten_minutes(db: Database) -> None:
    from hunter.store.identifiers import uuid7

    async with db.acquire() as conn:
        await jobs.create(conn, uuid7(), lane="bulk", depth=Depth.QUICK, caller="x")
        assert await jobs.sweep_receiving(conn, 600) == 0
        await conn.execute("UPDATE scan_job SET touched_at = now() - interval '11 minutes'")

        assert await jobs.sweep_receiving(conn, 600) == 1


async def test_a_commit_whose_outcome_is_unknown_is_accepted_once(
    db: Database, hints: Hints
) -> None:

    class Flaky(Database):
        """The answer of the first COMMIT is lost on the way."""

        lost = False

        async def transact(self, work, **settings):  # type: ignore[no-untyped-def]
            result = await super().transact(work, **settings)
            if not Flaky.lost:
                Flaky.lost = True
                return await super().transact(work, **settings)
            return result

    flaky = Flaky(db._pool, db.size, 5.0)

    accepted = await _accept(flaky, hints, _lines("a.com", "b.com"), idempotency=_key())

    assert Flaky.lost
    assert accepted.status == "pending"
    assert await _stored(db, accepted.job_id) == ["a.com", "b.com"]


async def test_progress_of_an_unknown_job_is_not_found(db: Database) -> None:
    from hunter.store.identifiers import uuid7

    async with db.acquire() as conn:
        with pytest.raises(NotFound):
            await jobs.progress(conn, uuid7())
        with pytest.raises(NotFound):
            await jobs.rejects_page(conn, uuid7())
