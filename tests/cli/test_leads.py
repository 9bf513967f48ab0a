"""`hunter leads`: leads of a running API as a salesperson asks for them."""

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


async def test_leads_are_filtered_by_tenant_and_grouped_by_it(
    hunter: Hunter, url: str, db: Database
) -> None:
    async with db.acquire() as conn:
        await conn.execute(
            "INSERT INTO lead (domain, display_name, search, tenant_state, tenant_name, segment) "
            "VALUES ('a.com', 'a.com', '', 'm365_mail', 'group', 'existing'), "
            "('b.com', 'b.com', '', 'no_microsoft', NULL, 'migration')"
        )

    filtered = await hunter("leads", "--tenant-state", "m365_mail", "--url", url)
    grouped = await hunter("leads", "--tenants", "--url", url)
    both = await hunter("leads", "--tenants", "--tenant-name", "x", "--url", url)

    assert "a.com" in filtered.out
    assert "b.com" not in filtered.out
    assert "group  (1 domain)" in grouped.out
    assert (filtered.code, grouped.code, both.code) == (Exit.OK, Exit.OK, Exit.USAGE)
    assert "--tenant-name NAME lists one tenant" in both.err
