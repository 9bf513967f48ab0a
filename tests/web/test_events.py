"""Progress as server-sent events, and results that are sent while a scan runs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import aiohttp
import pytest
from aiohttp.test_utils import TestClient
from pytest_aiohttp import AiohttpClient

from hunter.config import Config, Secret
from hunter.store import completion
from hunter.web import events
from hunter.web.app import create_app
from hunter.web.keys import HEALTH

Client = TestClient[Any, Any]
AddResult = Callable[..., Awaitable[None]]
BULK = "/api/v1/scan/bulk"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "LOOK_EVERY_S", 0.02)
    monkeypatch.setattr(events, "_APART_S", 0.0)


@pytest.fixture
async def job(client: Client, database: Any) -> str:
    """A job of four chunks of one domain each."""
    answer = await client.post(BULK, json={"domains": ["a.com", "b.com", "c.com", "d.com"]})
    job_id: str = (await answer.json())["job_id"]
    await database.execute("DELETE FROM scan_chunk")
    for name in "abcd":
        await database.execute(
            "INSERT INTO scan_chunk (job_id, lane, domains) VALUES ($1, 'bulk', $2)",
            UUID(job_id),
            [f"{name}.com"],
        )
    return job_id


async def _end(database: Any, add_result: AddResult, job: str, *names: str) -> None:
    """What the commit of these domains' chunks leaves."""
    for name in names:
        async with database.transaction():
            await add_result(job, name)
            await database.execute(
                "UPDATE scan_chunk SET state = 'done', n_ok = 1 "
                "WHERE job_id = $1 AND domains = ARRAY[$2]",
                UUID(job),
                name,
            )
    await completion.finish(database, UUID(job))


async def _next(stream: aiohttp.ClientResponse) -> dict[str, str]:
    """The next event, comments and retry left out; {} at the end."""
    found: dict[str, str] = {}
    async with asyncio.timeout(20):
        while line := (await stream.content.readline()).decode():
            name, _, value = line.rstrip("\n").partition(": ")
            if not name and "data" in found:
                return found
            if name in {"id", "event", "data"}:
                found[name] = value
    return found


async def test_progress_is_told_until_the_end(
    client: Client, database: Any, add_result: AddResult, job: str
) -> None:
    async with client.get(f"{BULK}/{job}/events") as stream:
        assert stream.content_type == "text/event-stream"
        assert "Content-Encoding" not in stream.headers
        first = await _next(stream)
        await _end(database, add_result, job, "a.com", "b.com")
        second = await _next(stream)
        while json.loads(second["data"])["processed"] < 2:
            second = await _next(stream)
        await _end(database, add_result, job, "c.com", "d.com")
        last = second
        while last["event"] != "end":
            last = await _next(stream)
        assert await _next(stream) == {}

    assert (first["event"], json.loads(first["data"])["processed"]) == ("progress", 0)
    assert json.loads(last["data"])["progress"] == 100
    assert last["id"] == "completed-4"


async def test_who_comes_back_goes_on_and_who_has_the_end_is_told_to_stay_away(
    client: Client, database: Any, add_result: AddResult, job: str
) -> None:
    async with client.get(f"{BULK}/{job}/events") as stream:
        seen = await _next(stream)
    headers = {"Last-Event-ID": seen["id"]}
    async with client.get(f"{BULK}/{job}/events", headers=headers) as stream:
        await _end(database, add_result, job, "a.com")
        assert json.loads((await _next(stream))["data"])["processed"] == 1
    await _end(database, add_result, job, "b.com", "c.com", "d.com")

    async with client.get(f"{BULK}/{job}/events", headers=headers) as stream:
        last = await _next(stream)
        assert last["event"] == "end"
    again = await client.get(f"{BULK}/{job}/events", headers={"Last-Event-ID": last["id"]})
    assert again.status == 204


async def test_events_come_without_redis(
    aiohttp_client: AiohttpClient,
    settings: Callable[..., Config],
    database: Any,
    add_result: AddResult,
    job: str,
) -> None:
    alone = await aiohttp_client(
        create_app(settings(redis_url=Secret("redis://127.0.0.1:1/0"), ready_requires_redis=False))
    )
    async with alone.get(f"{BULK}/{job}/events") as stream:
        await _next(stream)
        await _end(database, add_result, job, "a.com", "b.com", "c.com", "d.com")
        event = await _next(stream)
        while event["event"] != "end":
            event = await _next(stream)

    assert json.loads(event["data"])["processed"] == 4


async def test_silence_is_broken_by_a_comment(
    client: Client, job: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "BEAT_EVERY_S", 0.05)
    async with client.get(f"{BULK}/{job}/events") as stream, asyncio.timeout(20):
        await stream.content.readuntil(b": beat\n\n")


async def test_a_process_that_stops_lets_its_streams_go(client: Client, job: str) -> None:
    async with client.get(f"{BULK}/{job}/events") as stream:
        await _next(stream)
        client.app[HEALTH].draining = True
        async with asyncio.timeout(20):
            rest = (await stream.content.read()).decode()

    assert "retry: " in rest
    assert "event: end" not in rest


async def test_one_stream_too_many_is_503_and_places_are_given_back(
    client: Client, job: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "STREAMS_MAX", 1)
    async with client.get(f"{BULK}/{job}/events") as stream:
        await _next(stream)
        refused = await client.get(f"{BULK}/{job}/events")
        assert (refused.status, refused.headers["Retry-After"]) == (503, "5")
        followed = await client.get(f"{BULK}/{job}/results?follow=true&format=ndjson")
        assert followed.status == 503
    async with asyncio.timeout(20):
        while client.app[events.BOARD].streams:
            await asyncio.sleep(0.01)
    async with client.get(f"{BULK}/{job}/events") as stream:
        assert stream.status == 200


async def test_events_of_no_job_are_404(client: Client) -> None:
    for path in ("events", "results?follow=true&format=ndjson"):
        answer = await client.get(f"{BULK}/01890a5d-ac96-774b-bcce-b302099a8057/{path}")
        assert answer.status == 404


async def test_rows_come_while_the_scan_runs_each_once(
    client: Client, database: Any, add_result: AddResult, job: str
) -> None:
    """Whatever order chunks end in, halved and given up ones too."""
    rows: list[dict[str, Any]] = []
    async with client.get(f"{BULK}/{job}/results?follow=true&format=ndjson") as stream:
        await _end(database, add_result, job, "c.com")
        rows.append(await _row(stream))
        parent = await database.fetchval(
            "UPDATE scan_chunk SET state = 'split' WHERE domains = '{a.com}' RETURNING id"
        )
        await database.execute(
            "INSERT INTO scan_chunk (job_id, parent_id, lane, domains, state, reason, done_at) "
            "VALUES ($1, $2, 'bulk', '{a.com}', 'dead', 'given up: why', now())",
            UUID(job),
            parent,
        )
        rows.append(await _row(stream))
        await _end(database, add_result, job, "d.com", "b.com")
        rows += [await _row(stream), await _row(stream)]
        async with asyncio.timeout(20):
            assert (await stream.content.read()).strip() == b""

    assert [row["domain"] for row in rows[:2]] == ["c.com", "a.com"]
    assert (rows[1]["outcome"], rows[1]["failure"]) == ("failed", "given up: why")
    assert {row["domain"] for row in rows} == {"a.com", "b.com", "c.com", "d.com"}


async def _row(stream: aiohttp.ClientResponse) -> dict[str, Any]:
    async with asyncio.timeout(20):
        while not (line := (await stream.content.readline()).strip()):
            pass
    row: dict[str, Any] = json.loads(line)
    return row


async def test_a_stream_cut_off_by_the_end_of_its_process_does_not_look_whole(
    client: Client, job: str
) -> None:
    async with client.get(f"{BULK}/{job}/results?follow=true&format=ndjson") as stream:
        client.app[HEALTH].draining = True
        with pytest.raises(aiohttp.ClientPayloadError):
            async with asyncio.timeout(20):
                await stream.content.read()


async def test_only_ndjson_is_followed(client: Client, job: str) -> None:
    answer = await client.get(f"{BULK}/{job}/results?follow=true&format=csv")

    assert answer.status == 422
