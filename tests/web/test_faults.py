"""The API while a server behind it is frozen or cut off: no hang, no false promise, no restart needed."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from pytest_aiohttp import AiohttpClient

from hunter.config import Config, Secret
from hunter.local.proxy import Proxy
from hunter.web.app import create_app
from hunter.web.keys import DB

Client = TestClient[Any, Any]
BULK = "/api/v1/scan/bulk"
NAMES = {"domains": ["acme.com", "b.com"]}


@pytest.fixture
async def postgres(config: Config) -> AsyncIterator[Proxy]:
    """The way to PostgreSQL, to be disturbed."""
    async with Proxy(str(config.database_url)) as proxy:
        yield proxy


@pytest.fixture
async def redis(config: Config) -> AsyncIterator[Proxy]:
    """The way to Redis, to be disturbed."""
    async with Proxy(str(config.redis_url)) as proxy:
        yield proxy


@pytest.fixture
async def shaky(
    aiohttp_client: AiohttpClient, config: Config, postgres: Proxy, redis: Proxy
) -> Client:
    """A client of an API behind both proxies."""
    settings = dataclasses.replace(
        config,
        database_url=Secret(postgres.url),
        redis_url=Secret(redis.url),
        db_timeout_s=0.5,
        db_pool_size=2,
    )
    return await aiohttp_client(create_app(settings))


async def _is_unavailable(answer: Any) -> bool:
    problem = await answer.json(content_type="application/problem+json")
    return (
        answer.status == problem["status"] == 503
        and problem["type"] == "/problems/unavailable"
        and int(answer.headers["Retry-After"]) >= 1
    )


async def test_without_redis_scans_are_accepted_and_read(
    shaky: Client, redis: Proxy, database: Any
) -> None:
    redis.freeze()

    async with asyncio.timeout(10):
        single = await shaky.post("/api/v1/scan/domain", json={"domain": "acme.com"})
        bulk = await shaky.post(BULK, json=NAMES)
        listed = await shaky.get(BULK)

    assert (single.status, bulk.status, listed.status) == (202, 202, 200)
    assert len((await listed.json())["items"]) == 1
    # its hint came to nothing, so the dispatcher may give another at once
    assert await database.fetchval(
        "SELECT hinted_at IS NULL FROM scan_chunk WHERE lane = 'interactive'"
    )


async def test_a_frozen_postgres_is_503_and_nothing_is_promised(
    shaky: Client, postgres: Proxy, database: Any
) -> None:
    postgres.freeze()
    async with asyncio.timeout(20):
        refused = await shaky.post(BULK, json=NAMES)
        unread = await shaky.get(BULK)

    assert await _is_unavailable(refused)
    assert await _is_unavailable(unread)
    assert await database.fetchval("SELECT count(*) FROM scan_job") == 0


async def test_a_postgres_that_freezes_under_open_connections_is_noticed(
    shaky: Client, postgres: Proxy
) -> None:
    assert (await shaky.get(BULK)).status == 200
    postgres.freeze()
    async with asyncio.timeout(20):
        frozen = await shaky.get(BULK)
    postgres.thaw()
    back = await shaky.post(BULK, json=NAMES)

    assert await _is_unavailable(frozen)
    assert back.status == 202


async def test_connections_that_are_cut_are_made_anew(shaky: Client, postgres: Proxy) -> None:
    assert (await shaky.post(BULK, json=NAMES)).status == 202
    postgres.cut()

    assert (await shaky.post(BULK, json=NAMES)).status == 202


async def test_an_acceptance_whose_answer_is_lost_is_one_job(
    shaky: Client, postgres: Proxy, database: Any
) -> None:
    postgres.lose_answer(b"COMMIT;")

    answer = await shaky.post(BULK, json=NAMES)

    assert answer.status == 202
    assert postgres.lost.is_set()
    ids = [str(row["id"]) for row in await database.fetch("SELECT id FROM scan_job")]
    assert ids == [(await answer.json())["job_id"]]
    assert await database.fetchval("SELECT count(*) FROM scan_chunk") == 1


async def test_an_exhausted_pool_is_503_until_a_connection_is_free(shaky: Client) -> None:
    db = shaky.app[DB]
    async with db.acquire(reserved=True), db.acquire(reserved=True):
        refused = await shaky.get(BULK)

    assert await _is_unavailable(refused)
    assert (await shaky.get(BULK)).status == 200
