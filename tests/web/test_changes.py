"""History, changes and looks on demand, over leads that a real scanner wrote."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

import pytest
from aiohttp.test_utils import TestClient

from hunter.config import Config
from hunter.core.answers import Depth
from hunter.core.schedule import Watch
from hunter.knowledge.load import load_knowledge
from hunter.local.nameserver import NameServer
from hunter.ops.metrics import Metrics
from hunter.pipeline.accept import Line, accept_scan
from hunter.pipeline.scan import Scanner
from hunter.queue.hints import Hints
from hunter.resolver.opening import open_engine
from hunter.resolver.tuning import Tuning
from hunter.store import completion
from hunter.store.database import Database
from hunter.store.identifiers import uuid7

Client = TestClient[Any, Any]
QUICK = Tuning(timeouts_s=(0.05, 0.05, 0.05), tick_s=0.01, tcp_timeout_s=0.2, sockets_min=4)
OWN = (
    "a.example. MX 10 mx.a.example.\na.example. NS ns.a.example.\nmx.a.example. A 192.0.2.1\n"
    'a.example. TXT "v=spf1 mx -all"\n_dmarc.a.example. TXT "v=DMARC1; p=reject"\n'
)
GOOGLE = OWN.replace("MX 10 mx.a.example", "MX 10 aspmx.l.google.com")


@pytest.fixture
async def server() -> AsyncIterator[NameServer]:
    async with NameServer(OWN, record=False) as opened:
        yield opened


@pytest.fixture
async def scanner(
    db: Database, hints: Hints, config: Config, server: NameServer
) -> AsyncIterator[Scanner]:
    """A scanner that believes what it sees twice, however soon."""
    settings = dataclasses.replace(config, dns_servers=(server.address,))
    async with open_engine(settings, tuning=QUICK) as engine:
        yield Scanner(
            db,
            hints,
            engine,
            load_knowledge(),
            Metrics(),
            worker_id=uuid7(),
            lease_s=20,
            watch=Watch(confirm_s=0),
        )


@pytest.fixture
def look(
    db: Database, hints: Hints, scanner: Scanner, server: NameServer
) -> Callable[[str], Awaitable[None]]:
    async def scan(zone: str) -> None:
        server.replace(zone)
        await accept_scan(
            db,
            hints,
            [Line(1, "a.example")],
            lane="bulk",
            depth=Depth.QUICK,
            allow_test_names=True,
        )
        while await scanner.take_next("bulk"):
            pass

    return scan


async def _get(client: Client, path: str, status: int = 200) -> Any:
    async with client.get(f"/api/v1{path}") as answer:
        assert answer.status == status, await answer.text()
        return await answer.json()


async def test_a_move_is_in_history_changes_and_the_past(
    client: Client, look: Callable[[str], Awaitable[None]], db: Database
) -> None:
    await look(OWN)
    async with db.acquire() as conn:
        await conn.execute(
            "UPDATE observation SET observed_from = observed_from - interval '3 days'"
        )
    await look(GOOGLE)
    waiting = await _get(client, "/leads/a.example/changes")
    doubted = await _get(client, "/leads/a.example")
    page = await (await client.get("/ui/leads/a.example")).text()
    await look(GOOGLE)

    assert waiting["items"] == []
    assert [(each["question"], each["records"]) for each in waiting["pending"]] == [
        ("a.example MX", ["10 aspmx.l.google.com"])
    ]
    assert doubted["provider"] == "self_hosted"
    assert doubted["pending"] == waiting["pending"]
    assert "waiting for a second look" in page
    assert "a.example MX → 10 aspmx.l.google.com" in page
    settled = await _get(client, "/leads/a.example")
    assert (settled["provider"], settled["pending"]) == ("google_workspace", [])
    history = await _get(client, "/leads/a.example/history?limit=1")
    rest = await _get(client, f"/leads/a.example/history?cursor={history['next_cursor']}")
    assert len(rest["items"]) == 1
    changes = (await _get(client, "/leads/a.example/changes"))["items"]
    assert [each["sequence"] for each in changes] == list(range(len(changes), 0, -1))
    (moved,) = [each for each in changes if each["kind"] == "provider_changed"]
    assert moved["text"] == "The mailboxes moved from their own mail server to Google Workspace."
    assert moved["observation_before"] == rest["items"][0]["id"]

    page = await _get(client, "/changes?kind=provider_changed&since=2026-01-01T00:00:00Z&lang=tr")
    assert [each["text"] for each in page["items"]] == [
        "Posta kutuları taşındı: önce kendi e-posta sunucusu, şimdi Google Workspace."
    ]
    first = await _get(client, "/changes?limit=1")
    second = await _get(client, f"/changes?limit=1&cursor={first['next_cursor']}")
    assert first["items"][0]["id"] > second["items"][0]["id"]
    assert (await _get(client, "/changes?segment=skip"))["items"] == []

    async with db.acquire() as conn:
        then, now = await conn.fetchrow(
            "SELECT (now() - interval '1 day')::date::text, now()::date::text"
        ) or ("", "")
    past = await _get(client, f"/leads/a.example?as_of={then}&compare_to={now}")
    assert past["then"]["judgement"]["provider"] == "self_hosted"
    assert past["then"]["records"]["a.example MX"]["records"] == ["10 mx.a.example"]
    assert past["later"]["judgement"]["provider"] == "google_workspace"
    assert "provider_changed" in [each["kind"] for each in past["changes"]]


async def test_what_is_asked_wrongly_is_said(
    client: Client, look: Callable[[str], Awaitable[None]]
) -> None:
    await look(OWN)

    for path in ("history", "changes"):
        await _get(client, f"/leads/nowhere.example/{path}", 404)
    await _get(client, "/leads/a.example?as_of=2001-01-01", 404)
    for query in ("as_of=yesterday", "compare_to=2026-01-01", "as_of=2026-01-01T00:00:00"):
        await _get(client, f"/leads/a.example?{query}", 422)
    await _get(client, "/leads/a.example?as_of=2026-03-01&compare_to=2026-01-01", 422)
    await _get(client, "/changes?kind=moved", 422)
    for body in ({}, {"domains": ["a.example"], "filter": {}}, {"filter": {"segment": "skip"}}):
        async with client.post("/api/v1/scan/bulk/rescan", json=body) as answer:
            assert answer.status == 422, body
    async with client.post("/api/v1/scan/nowhere.example/rescan") as answer:
        assert answer.status == 404


@pytest.mark.parametrize(
    ("path", "body", "lane"),
    [
        ("/scan/a.example/rescan", None, "interactive"),
        ("/scan/bulk/rescan", {"filter": {"provider": "self_hosted"}}, "bulk"),
    ],
    ids=["one", "many"],
)
async def test_a_rescan_answers_with_the_changes_found(  # noqa: PLR0917  # fixtures and cases
    client: Client,
    look: Callable[[str], Awaitable[None]],
    scanner: Scanner,
    db: Database,
    path: str,
    body: dict[str, Any] | None,
    lane: str,
) -> None:
    await look(OWN)
    await look(GOOGLE)

    async def work() -> None:
        while True:
            if await scanner.take_next(lane):
                async with db.acquire() as conn:
                    for job_id in await completion.finishable(conn):
                        await db.transact(partial(completion.finish, job_id=job_id))
            await asyncio.sleep(0.05)

    working = asyncio.create_task(work())
    try:
        async with client.post(
            f"/api/v1{path}", json=body, headers={"Prefer": "wait=20"}
        ) as answer:
            assert answer.status == 200, await answer.text()
            found = await answer.json()
    finally:
        working.cancel()
    assert "provider_changed" in [each["kind"] for each in found["changes"]]
    assert found["pending"] == []


async def test_a_rescan_by_filter_reads_its_leads_part_by_part(
    client: Client, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"{letter}.example" for letter in "abcdef"]
    async with db.acquire() as conn:
        await conn.execute(
            "INSERT INTO lead (domain, display_name, search) SELECT n, n, n FROM unnest($1::text[]) n",
            names,
        )
    headers = {"Idempotency-Key": "again"}
    for size in (2, 4):
        monkeypatch.setattr("hunter.web.rescans.SLICE", size)
        async with client.post(
            "/api/v1/scan/bulk/rescan", json={"filter": {}}, headers=headers
        ) as answer:
            assert (answer.status, (await answer.json())["total"]) == (202, 6)

    async with db.acquire() as conn:
        chunks = await conn.fetch("SELECT domains FROM scan_chunk ORDER BY id")
    assert [name for row in chunks for name in row["domains"]] == names


async def test_the_schedule_is_paused_resumed_and_released(client: Client) -> None:
    assert (await _get(client, "/admin/schedule"))["paused_at"] is None
    for action, field in (("pause", "paused_at"), ("release", "released_until")):
        async with client.post(f"/api/v1/admin/schedule/{action}") as answer:
            assert (await answer.json())[field] is not None
    async with client.post("/api/v1/admin/schedule/resume") as answer:
        assert (await answer.json())["paused_at"] is None
