"""Companies in: what is stored when, and what is left when something fails on the way."""

from __future__ import annotations

import asyncio
import io
import uuid
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from hunter.core.answers import Depth
from hunter.core.errors import InvalidDomain, InvalidInput, LimitExceeded, Unavailable
from hunter.ops.metrics import Metrics
from hunter.pipeline import ingest, listed
from hunter.pipeline.ingest import Ingested, Settings, ingest_company, ingest_file
from hunter.pipeline.reading import Readers
from hunter.queue.hints import Hints
from hunter.store import ingests, jobs
from hunter.store.database import Database, Exhausted

READERS = Readers(memory_bytes=1024**3, slots=2)
SETTINGS = Settings(caller="tests", source="fair", allow_test_names=True)


@pytest.fixture
async def look(database_url: str) -> AsyncIterator[Any]:
    """A connection to look behind the pipeline with."""
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


async def _ingest(db: Database, hints: Hints, text: str) -> Ingested:
    file = io.BytesIO(text.encode())
    return await ingest_file(
        db, hints, Metrics(), file, readers=READERS, filename="l.csv", settings=SETTINGS
    )


async def test_names_with_their_own_letters_keep_them_for_reading(
    db: Database, hints: Hints, look: Any
) -> None:
    await _ingest(db, hints, "firma,site\nŞirket,www.şirket.com.tr\n")

    row = await look.fetchrow("SELECT domain, display_name, company_name FROM lead")
    assert tuple(row) == ("xn--irket-idb.com.tr", "şirket.com.tr", "Şirket")


async def test_a_row_of_two_domains_is_one_row_and_two_leads(
    db: Database, hints: Hints, look: Any
) -> None:
    done = await _ingest(db, hints, 'firma,site\nA,"a-a.com; b-b.com"\nC,c-c.com\n')

    assert (done.row_count, done.scan.accepted) == (2, 3)
    assert await look.fetchval("SELECT count(*) FROM lead") == 3


async def test_a_later_list_renews_the_name_and_keeps_the_first_source(
    db: Database, hints: Hints, look: Any
) -> None:
    await _ingest(db, hints, "firma,site\nEski,acme.com\n")
    later = Settings(caller="tests", source="web")
    file = io.BytesIO(b"firma,site\nYeni,acme.com\n")
    await ingest_file(db, hints, Metrics(), file, readers=READERS, filename=None, settings=later)

    row = await look.fetchrow("SELECT company_name, source FROM lead")
    assert tuple(row) == ("Yeni", "fair")


async def test_slices_are_stored_as_they_come(
    db: Database, hints: Hints, look: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listed, "BATCH_ENTRIES", 10)
    rows = "".join(f"F{n},firma{n}.com\n" for n in range(100))

    done = await _ingest(db, hints, "firma,site\n" + rows + "X,com.tr\n")

    assert (done.scan.accepted, done.rejected_count, done.row_count) == (100, 1, 101)
    assert await look.fetchval("SELECT count(*) FROM lead") == 100
    assert await look.fetchval("SELECT count(*) FROM ingest_reject") == 1


async def test_a_file_of_too_many_rows_is_stopped_good_or_bad(
    db: Database, hints: Hints, look: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest, "ROWS_MAX", 20)

    with pytest.raises(LimitExceeded, match="more than 20 rows"):
        await _ingest(db, hints, "site\n" + "not a domain\n" * 21)

    assert await look.fetchval("SELECT status FROM ingest_batch") == "failed"
    assert await look.fetchval("SELECT count(*) FROM scan_job") == 0


async def test_a_file_that_fails_on_the_way_leaves_no_job_and_says_so(
    db: Database, hints: Hints, look: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        raise Exhausted("the database is out of disk or memory")

    monkeypatch.setattr("hunter.store.ingests.upsert_companies", away)

    with pytest.raises(Unavailable):
        await _ingest(db, hints, "site\nacme.com\n")

    row = await look.fetchrow("SELECT status, reason FROM ingest_batch")
    assert tuple(row) == ("failed", "the database is out of disk or memory")
    assert await look.fetchval("SELECT count(*) FROM scan_job") == 0


async def test_a_file_without_one_good_row_is_refused_with_its_rows(
    db: Database, hints: Hints, look: Any
) -> None:
    with pytest.raises(InvalidInput) as refused:
        await _ingest(db, hints, "site\ncom.tr\nali@gmail.com\n")

    assert [place for place, _ in refused.value.errors] == ["line 2", "line 3"]
    assert await look.fetchval("SELECT rejected FROM ingest_batch") == 2


async def test_one_company_is_a_lead_before_its_scan_is_queued(
    db: Database, hints: Hints, look: Any
) -> None:
    domain, accepted = await ingest_company(
        db, hints, Metrics(), ["yok", "info@acme.com"], company_name="Acme", settings=SETTINGS
    )

    assert (domain.name, accepted.total) == ("acme.com", 1)
    assert await look.fetchval("SELECT company_name FROM lead") == "Acme"


@pytest.mark.parametrize(
    ("addresses", "error", "reason"),
    [
        ([], InvalidInput, None),
        (["com.tr", "ali@gmail.com"], InvalidDomain, "public_suffix"),
    ],
)
async def test_a_company_without_a_domain_is_refused_for_its_best_address(
    db: Database, hints: Hints, addresses: list[str], error: type[InvalidInput], reason: str | None
) -> None:
    with pytest.raises(error) as refused:
        await ingest_company(db, hints, Metrics(), addresses, company_name=None, settings=SETTINGS)

    assert getattr(refused.value, "reason", None) == reason


async def test_a_file_and_its_scan_are_accepted_together_or_not_at_all(
    db: Database, hints: Hints, look: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish = ingests.finish_batch

    async def away(*args: Any, failure: str | None = None, **more: Any) -> None:
        if failure is None:
            raise Exhausted("the database is out of disk or memory")
        await finish(*args, failure=failure, **more)

    monkeypatch.setattr("hunter.store.ingests.finish_batch", away)

    with pytest.raises(Unavailable):
        await _ingest(db, hints, "site\nacme.com\n")

    assert await look.fetchval("SELECT status FROM ingest_batch") == "failed"
    assert await look.fetchval("SELECT count(*) FROM scan_job") == 0


@pytest.mark.parametrize("error", [asyncio.CancelledError, ZeroDivisionError])
async def test_a_file_that_is_broken_off_is_a_failed_batch(
    db: Database,
    hints: Hints,
    look: Any,
    monkeypatch: pytest.MonkeyPatch,
    error: type[BaseException],
) -> None:
    async def broken(*_: object) -> None:
        raise error

    monkeypatch.setattr("hunter.store.ingests.upsert_companies", broken)

    with pytest.raises(error):
        await _ingest(db, hints, "site\nacme.com\n")

    row = await look.fetchrow("SELECT status, reason FROM ingest_batch")
    assert row["status"] == "failed"
    assert "send it again" in row["reason"]
    assert await look.fetchval("SELECT count(*) FROM scan_job") == 0


async def test_an_accepted_batch_cannot_fail_afterwards(
    db: Database, hints: Hints, look: Any
) -> None:
    done = await _ingest(db, hints, "site\nacme.com\n")
    async with db.acquire() as conn:
        await ingests.finish_batch(
            conn,
            uuid.UUID(done.batch_id),
            row_count=0,
            accepted=0,
            rejected=0,
            duplicates=0,
            failure="late",
        )

    row = await look.fetchrow("SELECT status, accepted FROM ingest_batch")
    assert tuple(row) == ("accepted", 1)


async def test_batches_whose_process_was_killed_are_swept_and_others_are_not(
    db: Database, look: Any
) -> None:
    old, alive, young = (uuid.uuid4() for _ in range(3))
    job = uuid.uuid4()
    async with db.acquire() as conn:
        await jobs.create(conn, job, lane="bulk", depth=Depth.QUICK, caller="tests")
        for batch, job_id in ((old, None), (alive, job), (young, None)):
            await ingests.create_batch(
                conn, batch, filename=None, source=None, caller="tests", job_id=job_id
            )
    await look.execute(
        "UPDATE ingest_batch SET created_at = now() - interval '11 minutes' WHERE id <> $1", young
    )

    async with db.acquire() as conn:
        assert await ingests.sweep(conn) == 1
        assert await ingests.sweep(conn) == 0
        failed = await ingests.get_batch(conn, old)
        assert (failed.status, bool(failed.reason)) == ("failed", True)
        assert (await ingests.get_batch(conn, alive)).status == "receiving"
        assert (await ingests.get_batch(conn, young)).status == "receiving"
