"""The dispatcher's round: each step for itself, and trouble told once."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import structlog

from hunter.config import Config
from hunter.core.answers import Depth
from hunter.ops.metrics import Metrics
from hunter.queue.hints import queue_name
from hunter.store import jobs, processes
from hunter.store.identifiers import uuid7
from hunter.worker.dispatcher import Dispatcher

#: what PostgreSQL says once there is no room for another page
_NO_ROOM = """
    CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE 'no space left on device' USING ERRCODE = 'disk_full'; END $$
"""
_NO_SPLIT = """
    CREATE TRIGGER no_room BEFORE UPDATE ON scan_chunk FOR EACH ROW
    WHEN (NEW.state = 'split') EXECUTE FUNCTION no_room()
"""


@pytest.fixture
async def dispatcher(case: Any, settings: Config) -> Dispatcher:
    """A dispatcher of a fleet of one worker that takes nothing."""
    async with case.db.acquire() as conn:
        await processes.register(conn, uuid7(), slots=2, interactive_slots=2)
    await case.hints.set_generation()
    return Dispatcher(
        case.db, case.hints, Metrics(), dataclasses.replace(settings, hint_stale_s=60.0)
    )


@pytest.fixture
async def no_split(case: Any) -> None:
    """Chunks that cost too many workers cannot be halved."""
    await case.ask(_NO_ROOM)
    await case.ask(_NO_SPLIT)


async def _condemned(case: Any) -> None:
    job_id = await case.submit("a.example", "b.example")
    await case.ask("UPDATE scan_chunk SET losses = 3 WHERE job_id = $1 RETURNING 1", job_id)


async def test_a_step_that_fails_stops_no_other(
    case: Any, dispatcher: Dispatcher, no_split: None
) -> None:
    await _condemned(case)
    await case.submit("c.example")
    through = await case.submit("d.example")
    await case.ask(
        "UPDATE scan_chunk SET state = 'done', n_ok = 1, n_failed = 0, n_unknown = 0, done_at = now()"
        " WHERE job_id = $1 RETURNING 1",
        through,
    )
    await case.ask(
        "INSERT INTO scan_result (job_id, domain, outcome, reason, scanned_at)"
        " VALUES ($1, 'd.example', 'failed', 'test', now()) RETURNING 1",
        through,
    )
    await dispatcher.look()

    assert await case.ask("SELECT count(*) FROM scan_chunk WHERE state = 'split'") == 0
    assert await case.hints._redis.zcard(queue_name("bulk")) >= 1
    assert (await case.progress(through)).status == "completed"


async def test_trouble_is_told_when_it_begins_and_when_it_is_over(
    case: Any, dispatcher: Dispatcher, no_split: None
) -> None:
    await _condemned(case)
    with structlog.testing.capture_logs() as told:
        for _ in range(3):
            await dispatcher.look()
        await case.ask("DROP TRIGGER no_room ON scan_chunk")
        for _ in range(3):
            await dispatcher.look()

    events = [(each["event"], each.get("step")) for each in told]
    assert events == [
        ("dispatcher cannot go on", "condemn"),
        ("chunk halved", None),
        ("dispatcher goes on", "condemn"),
    ]


async def test_a_sweep_that_fails_keeps_no_other_from_its_work(
    case: Any, dispatcher: Dispatcher
) -> None:
    await case.ask(_NO_ROOM)
    await case.ask(
        "CREATE TRIGGER no_room BEFORE DELETE ON worker_process"
        " FOR EACH ROW EXECUTE FUNCTION no_room()"
    )
    await case.ask("UPDATE worker_process SET seen_at = now() - interval '2 hours' RETURNING 1")
    async with case.db.acquire() as conn:
        for _ in range(3):
            await jobs.create(conn, uuid7(), lane="bulk", depth=Depth.QUICK, caller="x")
    await case.ask("UPDATE scan_job SET touched_at = now() - interval '11 minutes' RETURNING 1")

    await dispatcher.sweep()

    assert await case.ask("SELECT count(*) FROM worker_process") == 1
    assert await case.ask("SELECT count(*) FROM scan_job") == 0


async def test_the_audit_tells_of_a_job_whose_chunks_are_not_its_total(
    case: Any, dispatcher: Dispatcher
) -> None:
    metrics = dispatcher._metrics
    job_id = await case.submit("a.example", "b.example")
    await dispatcher.audit()
    before = metrics.render()
    await case.ask("UPDATE scan_job SET total = 3 WHERE id = $1 RETURNING 1", job_id)
    await dispatcher.audit()

    assert b"\nhunter_job_accounting_mismatch 0" in before
    assert b"\nhunter_job_accounting_mismatch 1" in metrics.render()


async def test_an_audit_shows_backups_and_what_redis_threw_away(
    case: Any, settings: Config
) -> None:
    metrics = Metrics()
    dispatcher = Dispatcher(case.db, case.hints, metrics, settings)

    await dispatcher.audit()
    before = metrics.hunter_backup_last_success_timestamp_seconds.get({})
    await case.ask(
        "INSERT INTO backup_run (file, started_at, finished_at, bytes, sha256, verified) VALUES"
        " ('a', to_timestamp(5), to_timestamp(7), 1, repeat('0', 64), true),"
        " ('b', to_timestamp(5), to_timestamp(9), 1, repeat('0', 64), false) RETURNING 1"
    )
    await dispatcher.audit()

    assert before == 0
    assert metrics.hunter_backup_last_success_timestamp_seconds.get({}) == 7
    assert metrics.redis_evicted_keys_total.get({}) == 0
