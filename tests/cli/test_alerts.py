"""`hunter alerts`: rules seen, tested and tried on the past, messages seen and sent again."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest

from hunter.cli.main import Exit
from hunter.config import Config
from hunter.local.servers import free_port
from hunter.store.database import Database
from hunter.web.app import run_api
from tests.alerting import endpoint, happen, rule

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


async def test_rules_and_messages_are_seen_tried_and_sent_again(
    hunter: Hunter, url: str, db: Database
) -> None:
    async with db.acquire() as conn:
        desk = await endpoint(conn, "\x1b[31mdesk", state="disabled", state_reason="operator")
        made = await rule(conn, desk, name="moves")
    await happen(db, "contoso.example")
    async with db.acquire() as conn:
        delivery = await conn.fetchval(
            "UPDATE delivery SET state = 'dead', last_error = 'expired', ended_at = now() RETURNING id"
        )

    seen = await hunter("alerts", "rules", "--url", url)
    places = await hunter("alerts", "endpoints", "--url", url)
    tried = await hunter("alerts", "dry-run", str(made), "--url", url)
    tested = await hunter("alerts", "test", str(made), "--url", url)
    dead = await hunter("alerts", "deliveries", "--state", "dead", "--url", url)
    again = await hunter("alerts", "replay", str(delivery), "--url", url)
    nothing = await hunter("alerts", "replay", "--url", url)

    assert "moves" in seen.out
    assert "\x1b[31m" not in places.out
    assert "disabled operator" in places.out
    assert "would have fired 1 times in the last 30 days" in tried.out
    assert (tested.code, "switched off" in tested.out) == (Exit.FAILED, True)
    assert str(delivery) in dead.out
    assert "expired" in dead.out
    assert (again.code, "ready" in again.out) == (Exit.OK, True)
    assert (nothing.code, nothing.err.count("\n")) == (Exit.USAGE, 1)
