"""A process killed at every instant of the protocol that has a name: nothing lost, nothing doubled."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest

from hunter.core.points import Point
from hunter.local.nameserver import NameServer

KILLED = -signal.SIGKILL
NAMES = [f"d{n}.example" for n in range(25)]
QUICK = {"lease_s": 1.0, "heartbeat_s": 0.3, "hint_stale_s": 0.5}
ACCEPT = [point for point in Point if point.startswith("accept.")]
WORK = [point for point in Point if point.startswith(("dispatch.", "claim.", "commit."))]
DRAIN = [point for point in Point if point.startswith("drain.")]
#: test_delivery_crashes.py
DELIVERY = [point for point in Point if point.startswith("delivery.")]


def test_every_point_is_killed_at_below() -> None:
    assert {*ACCEPT, *WORK, *DRAIN, *DELIVERY} == {*Point}


@pytest.mark.parametrize("point", WORK)
async def test_a_worker_killed_there_loses_and_doubles_nothing(
    point: Point, case: Any, start_worker: Callable[..., Any]
) -> None:
    job_id = await case.submit(*NAMES, chunk_size=5)
    if point is Point.DISPATCH_CONDEMNED:
        await case.ask("UPDATE scan_chunk SET losses = 3 WHERE id = 1 RETURNING 1")
    if point is Point.DISPATCH_SCHEDULED:
        await case.ask(
            "INSERT INTO lead (domain, display_name, search, next_scan_at) "
            "VALUES ('d3.example', 'd3.example', 'd3.example', now()) RETURNING 1"
        )

    victim = await start_worker(crash=f"{point}:1", **QUICK)
    async with asyncio.timeout(20):
        assert await victim.process.wait() == KILLED
    await start_worker(**QUICK)
    progress = await case.finished(job_id)

    assert (progress.status, progress.succeeded) == ("completed", 25)
    assert await case.books(job_id) == (25, 25, 0)
    assert await case.ask("SELECT count(*) FROM observation") == 25
    if point is Point.DISPATCH_SCHEDULED:
        await case.wait_for("SELECT count(*) = 1 FROM scan_job WHERE purpose = 'watch'")


@pytest.mark.parametrize("point", DRAIN)
async def test_a_drain_killed_there_loses_and_doubles_nothing(
    point: Point, case: Any, start_worker: Callable[..., Any], name_server: NameServer
) -> None:
    name_server.load(";! .slow.example delay=1500")
    job_id = await case.submit(*NAMES[:10], *(f"s{n}.slow.example" for n in range(5)), chunk_size=5)
    victim = await start_worker(crash=f"{point}:1", drain_grace_s=0.1, **QUICK)
    await case.wait_for(
        "SELECT count(*) > 0 FROM scan_chunk WHERE state = 'leased' AND 's1.slow.example' = ANY(domains)"
    )

    assert await victim.terminate() == KILLED
    await start_worker(**QUICK)
    progress = await case.finished(job_id)

    assert (progress.status, progress.processed) == ("completed", 15)
    assert await case.books(job_id) == (15, 15, 0)


@pytest.mark.parametrize("point", ACCEPT)
async def test_an_api_killed_there_accepts_the_upload_once(
    point: Point, case: Any, start_api: Callable[..., Any], start_worker: Callable[..., Any]
) -> None:
    headers = {"Content-Type": "text/plain", "Idempotency-Key": "one-upload"}
    body = "\n".join(NAMES)

    async def send(url: str) -> str:
        async with (
            aiohttp.ClientSession() as http,
            http.post(f"{url}/api/v1/scan/bulk", data=body, headers=headers) as answer,
        ):
            assert answer.status == 202, await answer.text()
            job_id: str = (await answer.json())["job_id"]
            return job_id

    victim, url = await start_api(crash=f"{point}:1")
    with pytest.raises(aiohttp.ClientError):
        await send(url)
    assert await victim.process.wait() == KILLED
    # an upload that stands still keeps its key for a minute
    await case.ask("UPDATE scan_job SET touched_at = now() - interval '2 minutes' RETURNING 1")
    _, url = await start_api()
    job_id = await send(url)
    await start_worker(**QUICK)
    progress = await case.finished(job_id)

    assert (progress.status, progress.succeeded, progress.total) == ("completed", 25, 25)
    assert await case.books(job_id) == (25, 25, 0)
    assert await case.ask("SELECT count(*) FROM scan_job") == 1
