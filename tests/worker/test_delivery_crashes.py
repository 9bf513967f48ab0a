"""A worker killed at every instant of a delivery: no message is lost, and none has two texts."""

from __future__ import annotations

import asyncio
import signal
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiohttp import web
from standardwebhooks import Webhook

from hunter.core.points import Point
from hunter.local.https import served
from hunter.outbound.webhooks import read_secret
from tests.alerting import SECRET, endpoint, happen, rule

KILLED = -signal.SIGKILL
QUICK = {"delivery_lease_s": 2.0, "heartbeat_s": 0.3, "outbound_loopback": True}
EVENTS = [
    point
    for point in Point
    if point.startswith("delivery.") and point is not Point.DELIVERY_GATHERED
]
#: the endpoint has the message and nobody knows: it comes again
SENT_AGAIN = {Point.DELIVERY_SENT, Point.DELIVERY_SETTLING}


@pytest.fixture
async def hook() -> AsyncIterator[tuple[str, dict[str, list[bytes]]]]:
    """A receiver: its URL, and the bodies that came by message id."""
    came: dict[str, list[bytes]] = defaultdict(list)

    async def take(request: web.Request) -> web.Response:
        body = await request.read()
        Webhook(SECRET).verify(body, dict(request.headers))
        came[request.headers["webhook-id"]].append(body)
        return web.Response()

    async with served({"/hook": take}, None) as port:
        yield f"http://127.0.0.1:{port}/hook", came


async def _rule(case: Any, url: str, **fields: Any) -> None:
    async with case.db.acquire() as conn:
        key = b"\x00" + read_secret(SECRET)
        await rule(conn, await endpoint(conn, kind="webhook", address=url, secret=key), **fields)


@pytest.mark.parametrize("point", EVENTS)
async def test_a_worker_killed_there_loses_no_message_and_changes_none(
    point: Point, case: Any, hook: Any, start_worker: Callable[..., Any]
) -> None:
    url, came = hook
    await _rule(case, url)
    for number in range(3):
        await happen(case.db, f"d{number}.example")

    victim = await start_worker(crash=f"{point}:1", **QUICK)
    async with asyncio.timeout(20):
        assert await victim.process.wait() == KILLED
    await start_worker(**QUICK)
    await case.wait_for("SELECT count(*) = 3 FROM delivery WHERE state = 'done'")

    assert len(came) == 3
    assert all(len({*bodies}) == 1 for bodies in came.values())
    many = sum(len(bodies) for bodies in came.values())
    assert many > 3 if point in SENT_AGAIN else many >= 3
    assert await case.ask("SELECT count(*) FROM delivery_attempt") == 3


async def test_a_digest_whose_worker_was_killed_is_made_once(
    case: Any, hook: Any, start_worker: Callable[..., Any]
) -> None:
    url, came = hook
    due = await case.ask("SELECT now() - interval '1 minute'")
    await _rule(case, url, cadence="daily", digest_at=due)
    for number in range(3):
        await happen(case.db, f"d{number}.example")

    victim = await start_worker(crash=f"{Point.DELIVERY_GATHERED}:1", **QUICK)
    async with asyncio.timeout(20):
        assert await victim.process.wait() == KILLED
    assert await case.ask("SELECT count(*) FROM delivery") == 0
    await start_worker(**QUICK)
    await case.wait_for("SELECT count(*) = 1 FROM delivery WHERE state = 'done'")

    assert [len(bodies) for bodies in came.values()] == [1]
    assert await case.ask("SELECT count(*) FROM alert WHERE digest_day IS NOT NULL") == 3
