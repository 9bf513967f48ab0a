"""The dashboard over HTTP."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp.test_utils import TestClient

from hunter.core.judgement import Judgement, Segment

Client = TestClient[Any, Any]
AddLead = Callable[..., Awaitable[Judgement]]


async def test_an_empty_dashboard_has_every_count(client: Client) -> None:
    view = await (await client.get("/api/v1/dashboard")).json()

    assert view["kpis"]["leads"] == 0
    assert view["kpis"]["segments"]["migration"] == 0
    assert len(view["kpis"]["days"]) == 30
    assert (view["top_movers"], view["call_first"]) == ([], [])


async def test_a_dashboard_counts_and_names_whom_to_call(client: Client, add_lead: AddLead) -> None:
    await add_lead("first.com", priority=1)
    await add_lead("called.com", priority=1)
    await add_lead("skipped.com", priority=6, segment=Segment.SKIP, confidence=None)
    await client.patch("/api/v1/leads/called.com", json={"mark": "called", "favourite": True})

    view = await (await client.get("/api/v1/dashboard")).json()

    counts = view["kpis"]
    assert counts == await _without_time(client, counts["at"])
    assert (counts["leads"], counts["favourites"]) == (3, 1)
    assert counts["segments"] == {
        "migration": 2, "existing": 0, "cold": 0, "skip": 1, "unknown": 0
    }  # fmt: skip
    assert counts["confidence"] == {"sure": 0, "likely": 2, "unsure": 0, "unknown": 1}
    assert counts["marks"] == {"called": 1, "won": 0, "lost": 0, "none": 2}
    assert [each["domain"] for each in view["call_first"]] == ["first.com"]


async def _without_time(client: Client, at: str) -> Any:
    return (await (await client.get("/api/v1/dashboard/kpis")).json()) | {"at": at}
