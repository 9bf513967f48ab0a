"""`hunter history`, `changes` and `schedule` against a running API."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest

from hunter.cli.main import Exit
from hunter.config import Config
from hunter.core.health import Trust
from hunter.local.servers import free_port
from hunter.store import changes, judged, schedule
from hunter.store.changes import Change
from hunter.store.database import Database
from hunter.store.identifiers import uuid7
from hunter.store.judged import Observed
from hunter.web.app import run_api

if TYPE_CHECKING:
    from tests.cli.conftest import Hunter

AT = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)


@pytest.fixture
async def url(config: Config) -> AsyncIterator[str]:
    """An API of the test's own."""
    stop, port = asyncio.Event(), free_port()
    async with asyncio.TaskGroup() as group:
        group.create_task(run_api(dataclasses.replace(config, port=port), stop=stop))
        yield f"http://127.0.0.1:{port}"
        stop.set()


async def test_history_and_changes_are_sentences(hunter: Hunter, url: str, db: Database) -> None:
    moved = Change(
        "a.com", "dmarc_added", {"dmarc_policy": "absent"}, {"dmarc_policy": "reject"}, None, None
    )
    async with db.acquire() as conn, conn.transaction():
        await judged.insert_missing(conn, ["a.com", "b.com"], ["a.com", "b.com"], ["", ""])
        await judged.observe(conn, AT, [Observed(uuid7(), "a.com", "0a1b2c3d4e", "1", 40, "{}")])
        await changes.add(conn, [moved])

    history = await hunter("history", "a.com", "--url", url)
    turkish = await hunter("changes", "--lang", "tr", "--kind", "dmarc_added", "--url", url)
    quiet = await hunter("history", "b.com", "--url", url)
    none = await hunter("changes", "--kind", "expired", "--url", url)
    unknown = await hunter("history", "c.com", "--url", url)

    assert "A DMARC policy was published: reject." in history.out
    assert "2026-03-01 to 2026-03-01  score 40  records 0a1b2c3d" in history.out
    assert "a.com  DMARC politikası yayımlandı: reject." in turkish.out
    assert "nothing became different" in quiet.out
    assert "no changes" in none.out
    assert (history.code, unknown.code) == (Exit.OK, Exit.USAGE)
    assert "no lead c.com" in unknown.err


async def test_the_schedule_is_paused_and_what_is_held_let_go(
    hunter: Hunter, url: str, db: Database
) -> None:
    async with db.acquire() as conn:
        await schedule.set_trust(conn, Trust(is_held=True), "90 of 1,000 moved")

    held = await hunter("schedule", "pause", "--url", url)
    let_go = await hunter("schedule", "release", "--url", url)
    resumed = await hunter("schedule", "resume", "--url", url)

    assert "paused since" in held.out
    assert "no change is confirmed" in held.out
    assert "90 of 1,000 moved; `hunter schedule release`" in held.out
    assert "released until" in let_go.out
    assert resumed.out.startswith("on\n")
