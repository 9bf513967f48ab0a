"""`hunter jobs`: what an operator sees of jobs, stops, and has tried again."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest

from hunter.cli.main import Exit
from hunter.config import Config
from hunter.core.answers import Depth
from hunter.local.servers import free_port
from hunter.pipeline.accept import Line, accept_scan
from hunter.queue.hints import Hints
from hunter.store.database import Database
from hunter.web.app import run_api

if TYPE_CHECKING:
    from tests.cli.conftest import Hunter


@pytest.fixture
async def url(config: Config) -> AsyncIterator[str]:
    """An API of the test's own."""
    stop, port = asyncio.Event(), free_port()
    async with asyncio.TaskGroup() as group:
        group.create_task(run_api(dataclasses.replace(config, port=port), stop=stop))
        yield f"http://127.0.0.1:{port}"
        stop.set()


@pytest.fixture
async def job(db: Database, hints: Hints) -> str:
    """A job of two domains."""
    lines = [Line(1, "a.example"), Line(2, "b.example")]
    accepted = await accept_scan(
        db, hints, lines, lane="bulk", depth=Depth.QUICK, allow_test_names=True
    )
    return accepted.job_id


async def test_a_job_is_listed_cancelled_and_its_failures_redriven(
    hunter: Hunter, url: str, job: str, db: Database
) -> None:
    async with db.acquire() as conn:
        await conn.execute(
            "INSERT INTO scan_result (job_id, domain, outcome, reason, scanned_at) "
            "SELECT id, 'a.example', 'failed', 'bug', now() FROM scan_job"
        )

    listed = await hunter("jobs", "list", "--url", url)
    shown = await hunter("jobs", "show", job, "--url", url)
    early = await hunter("jobs", "redrive", job, "--url", url)
    cancelled = await hunter("jobs", "cancel", job, "--url", url)
    redriven = await hunter("jobs", "redrive", job, "--url", url)

    assert listed.code == Exit.OK
    assert listed.out == shown.out
    assert f"{job}  pending  0/2" in listed.out
    assert (early.code, early.out) == (Exit.USAGE, "")
    assert "the job still runs" in early.err
    assert "cancelled" in cancelled.out
    assert redriven.code == Exit.OK
    assert redriven.out.rstrip().endswith(job)
    assert "pending    0/1" in redriven.out or "pending  0/1" in redriven.out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("redrive",), "redrive wants the id of a job"),
        (("list", "x"), "list takes no job"),
        (("stop", "x"), "invalid choice"),
    ],
)
async def test_wrong_arguments_are_told(
    hunter: Hunter, arguments: tuple[str, ...], told: str
) -> None:
    ended = await hunter("jobs", *arguments)

    assert ended.code == Exit.USAGE
    assert told in ended.err


async def test_a_job_that_is_not_there_is_told(hunter: Hunter, url: str) -> None:
    ended = await hunter("jobs", "show", json.dumps("../leads"), "--url", url)

    assert ended.code == Exit.USAGE
    assert "There is no job with this id" in ended.err
