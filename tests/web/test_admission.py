"""Under load: places and queues are bounded, the rest is turned away at once, probes never."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient
from pytest_aiohttp import AiohttpClient

from hunter.config import Config
from hunter.web import admission, policies
from hunter.web.admission import ADMISSION, Gate, Load, Overloaded, Place
from hunter.web.app import create_app
from hunter.web.policies import POLICIES

Client = TestClient[Any, Any]
API = "/api/v1"


async def test_a_gate_has_places_then_a_queue_then_nothing() -> None:
    gate = Gate(Load.READ, places=2, queue=2)
    await gate.enter()
    await gate.enter()
    queued = [asyncio.create_task(gate.enter()) for _ in range(2)]
    await asyncio.sleep(0)

    with pytest.raises(Overloaded):
        await gate.enter()
    assert (gate.in_flight, gate.queued, gate.shed, gate.is_full) == (2, 2, 1, True)
    gate.leave()
    await queued[0]
    assert not queued[1].done()
    gate.leave()
    await queued[1]
    gate.leave()
    gate.leave()

    assert (gate.in_flight, gate.queued) == (0, 0)


async def test_who_queues_too_long_is_turned_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "PATIENCE_S", 0.01)
    gate = Gate(Load.READ, places=1, queue=5)
    await gate.enter()

    with pytest.raises(Overloaded):
        await gate.enter()

    assert (gate.in_flight, gate.queued) == (1, 0)


async def test_who_goes_away_while_queued_takes_no_place() -> None:
    gate = Gate(Load.READ, places=1, queue=5)
    await gate.enter()
    gone, given = asyncio.create_task(gate.enter()), asyncio.create_task(gate.enter())
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.sleep(0)
    gate.leave()
    given.cancel()  # in the very moment in which it got its place
    await asyncio.gather(gone, given, return_exceptions=True)

    assert (gate.in_flight, gate.queued) == (0, 0)


async def test_a_place_is_given_back_once_and_changes_over_only_to_a_free_one() -> None:
    small, full = Gate(Load.WRITE, 1, 0), Gate(Load.STREAM, 1, 0)
    await small.enter()
    place = Place(small)
    assert place.move_to(full)
    assert (small.in_flight, full.in_flight) == (0, 1)
    await small.enter()
    other = Place(small)
    assert not other.move_to(full)
    for each in (place, place, other, other):
        each.leave()

    assert (small.in_flight, full.in_flight) == (0, 0)


@pytest.fixture
async def small(
    aiohttp_client: AiohttpClient, settings: Callable[..., Config]
) -> tuple[Client, asyncio.Event]:
    """A client of an API with one place a class, whose list of leads takes until the event is set."""
    app = create_app(settings(max_reads=1, max_writes=1, max_bulks=1, max_streams=1))
    let_go = asyncio.Event()

    async def slow(_request: web.Request) -> web.Response:
        await let_go.wait()
        return web.Response()

    for route, policy in app[POLICIES].items():
        if policy.endpoint == f"{API}/leads":
            route._handler = slow
    return await aiohttp_client(app), let_go


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


async def test_overload_is_a_503_at_once_and_other_classes_go_on(
    small: tuple[Client, asyncio.Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "PATIENCE_S", 30)
    client, let_go = small
    gates = client.server.app[ADMISSION].gates  # type: ignore[attr-defined]
    waiting = [asyncio.create_task(client.get(f"{API}/leads")) for _ in range(3)]
    await _until(lambda: gates[Load.READ].is_full)

    shed = await client.get(f"{API}/leads")
    unread = await client.get(f"{API}/scan/bulk")
    write = await client.post(f"{API}/scan/domain", json={"domain": "a.com"})
    bulk = await client.post(f"{API}/scan/bulk", json={"domains": ["a.com"]})
    probes = [await client.get(path) for path in ("/healthz/live", "/healthz/ready", "/metrics")]
    text = await probes[-1].text()
    let_go.set()
    served = await asyncio.gather(*waiting)

    assert (shed.status, unread.status) == (503, 503)
    assert (await shed.json(content_type=None))["type"] == "/problems/overloaded"
    assert int(shed.headers["Retry-After"]) >= 1
    assert (write.status, bulk.status) == (202, 202)
    assert [each.status for each in probes] == [200, 200, 200]
    assert 'hunter_requests_shed_total{load="read"} 2' in text
    assert 'hunter_requests_in_flight{load="read"} 1' in text
    assert 'hunter_requests_queued{load="read"} 2' in text
    assert [each.status for each in served] == [200, 200, 200]
    assert all(gate.in_flight == gate.queued == 0 for gate in gates.values())


async def test_waiting_for_a_scan_keeps_no_write_from_being_done(
    small: tuple[Client, asyncio.Event],
) -> None:
    client, _ = small
    gates = client.server.app[ADMISSION].gates  # type: ignore[attr-defined]
    path, wait = f"{API}/scan/domain", {"Prefer": "wait=5"}
    waiting = asyncio.create_task(client.post(path, json={"domain": "a.com"}, headers=wait))
    await _until(lambda: gates[Load.STREAM].in_flight == 1)

    other = await client.post(path, json={"domain": "b.com"})
    unwaited = await client.post(path, json={"domain": "c.com"}, headers=wait)

    assert (other.status, unwaited.status) == (202, 202)
    assert not waiting.done()
    assert (await waiting).status == 202
    assert gates[Load.STREAM].in_flight == 0


async def test_an_answer_that_streams_takes_a_place_among_the_bulks(
    small: tuple[Client, asyncio.Event],
) -> None:
    client, _ = small
    gates = client.server.app[ADMISSION].gates  # type: ignore[attr-defined]
    job = await (await client.post(f"{API}/scan/bulk", json={"domains": ["a.com"]})).json()
    await _until(lambda: gates[Load.BULK].in_flight == 0)
    path = f"{API}/scan/bulk/{job['job_id']}/results?format=ndjson"
    await gates[Load.BULK].enter()

    refused = await client.get(path)
    gates[Load.BULK].leave()
    given = await client.get(path)

    assert (await refused.json(content_type=None))["type"] == "/problems/overloaded"
    assert given.status == 200
    await given.read()
    await _until(lambda: all(gate.in_flight == 0 for gate in gates.values()))


async def test_an_answer_that_does_not_begin_in_time_is_given_up(
    small: tuple[Client, asyncio.Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(policies.DEADLINES_S, Load.READ, 0.05)
    client, _ = small

    answer = await client.get(f"{API}/leads")

    assert answer.status == 503
    assert (await answer.json(content_type=None))["type"] == "/problems/took-too-long"
    assert int(answer.headers["Retry-After"]) >= 1
