"""Methods and headers: HEAD, OPTIONS, CORS, Accept and compression; and the desk of all jobs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest
from aiohttp.test_utils import TestClient
from pytest_aiohttp import AiohttpClient

from hunter.config import Config
from hunter.core.judgement import Judgement
from hunter.web.app import create_app
from hunter.web.negotiation import accepts
from hunter.web.packing import coding_for

Client = TestClient[Any, Any]
AddLead = Callable[..., Awaitable[Judgement]]
LEADS = "/api/v1/leads"
CRM = "https://crm.example.com"


async def test_head_is_get_without_its_body(client: Client, add_lead: AddLead) -> None:
    await add_lead("acme.com")
    for path in (LEADS, f"{LEADS}/acme.com", "/api/v1/dashboard/kpis"):
        got, asked = await client.get(path), await client.head(path)
        assert (asked.status, await asked.read()) == (200, b"")
        assert asked.headers.get("ETag") == got.headers.get("ETag")


async def test_options_names_the_methods_of_a_path_without_a_key(locked_client: Client) -> None:
    answer = await locked_client.options(f"{LEADS}/acme.com")

    assert (answer.status, answer.headers["Allow"]) == (204, "DELETE, GET, HEAD, OPTIONS, PATCH")
    assert (await locked_client.options("/no/such/path")).status in {401, 404}


async def test_other_origins_read_nothing_unless_they_are_named(
    client: Client, aiohttp_client: AiohttpClient, settings: Callable[..., Config]
) -> None:
    open_to_crm = await aiohttp_client(create_app(settings(cors_origins=(CRM,))))
    asked = {"Origin": CRM, "Access-Control-Request-Method": "PATCH"}

    assert "Access-Control-Allow-Origin" not in (await client.get(LEADS, headers=asked)).headers
    answer = await open_to_crm.options(f"{LEADS}/acme.com", headers=asked)
    assert answer.headers["Access-Control-Allow-Origin"] == CRM
    assert "PATCH" in answer.headers["Access-Control-Allow-Methods"]
    assert "If-Match" in answer.headers["Access-Control-Allow-Headers"]
    problem = await open_to_crm.get(f"{LEADS}/nobody.com", headers=asked)
    assert problem.headers["Access-Control-Allow-Origin"] == CRM
    stranger = await open_to_crm.get(LEADS, headers={"Origin": "https://evil.example"})
    assert "Access-Control-Allow-Origin" not in stranger.headers
    assert "Origin" in ",".join(stranger.headers.getall("Vary"))


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("application/json", 200),
        ("application/*", 200),
        ("text/html, */*;q=0.1", 200),
        ("text/html", 406),
        ("application/json;q=0, */*;q=0.5", 406),
    ],
)
async def test_an_answer_that_would_not_be_read_is_406(
    client: Client, accept: str, status: int
) -> None:
    answer = await client.get(LEADS, headers={"Accept": accept})

    assert answer.status == status
    if status == 406:
        assert (await answer.json(content_type=None))["type"] == "/problems/not-acceptable"


@pytest.mark.parametrize("header", ["", ";;;", "a/b;q=x", "*/*;q=", "," * 5000])
def test_no_accept_header_makes_us_fail(header: str) -> None:
    assert accepts(header, "application/json") in {True, False}


async def test_a_long_answer_is_compressed_for_who_asks_and_a_short_one_never(
    client: Client, add_lead: AddLead
) -> None:
    await add_lead("acme.com")
    gzip = {"Accept-Encoding": "gzip"}

    long = await client.get(f"{LEADS}/acme.com", headers=gzip)
    plain = await client.get(f"{LEADS}/acme.com", headers={"Accept-Encoding": "identity"})
    short = await client.get(f"{LEADS}?segment=cold", headers=gzip)

    assert long.headers["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in long.headers["Vary"]
    assert await long.json() == await plain.json()
    assert "Content-Encoding" not in plain.headers
    assert "Content-Encoding" not in short.headers


async def test_a_long_answer_is_packed_by_zstd_for_who_takes_it(
    client: Client, add_lead: AddLead
) -> None:
    await add_lead("acme.com")
    plain = await client.get(f"{LEADS}/acme.com", headers={"Accept-Encoding": "identity"})
    headers = {"Accept-Encoding": "gzip, zstd"}

    packed = await client.get(f"{LEADS}/acme.com", headers=headers)
    head = await client.head(f"{LEADS}/acme.com", headers=headers)

    assert packed.headers["Content-Encoding"] == head.headers["Content-Encoding"] == "zstd"
    assert packed.headers["Content-Length"] == head.headers["Content-Length"]
    assert packed.headers["ETag"] == plain.headers["ETag"]
    assert await packed.json() == await plain.json()


@pytest.mark.parametrize(
    ("header", "coding"),
    [
        ("", None),
        ("identity", None),
        ("br", None),
        ("gzip, deflate, br", "gzip"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip, zstd;q=0.5", "gzip"),
        ("gzip;q=0, zstd;q=0", None),
        ("*", "gzip"),
        ("*, gzip;q=0", None),
        ("gzip;q=0.5, identity", None),
        ("X-Gzip", "gzip"),
        ("zstd;q=much", None),
        ("," * 5000 + "gzip", None),
    ],
)
def test_the_coding_is_the_one_the_caller_likes_best(header: str, coding: str | None) -> None:
    assert coding_for(header) == coding


async def test_the_desk_shows_what_waits_and_what_was_given_up(
    client: Client, database: Any
) -> None:
    bulk = await client.post("/api/v1/scan/bulk", json={"domains": ["a.com", "b.com"]})
    single = await client.post("/api/v1/scan/domain", json={"domain": "c.com"})
    job, other = (await bulk.json())["job_id"], (await single.json())["job_id"]
    await database.execute(
        "INSERT INTO scan_chunk (job_id, lane, domains, state, reason) "
        "VALUES ($1, 'bulk', '{d.com}', 'dead', 'why')",
        UUID(job),
    )
    desk = "/api/v1/admin/jobs"

    items = (await (await client.get(desk)).json())["items"]
    assert [each["job_id"] for each in items] == [other, job]
    assert (items[1]["ready"], items[1]["dead"]) == (1, 1)
    assert items[1]["dead_domains"] == [{"domain": "d.com", "reason": "why"}]
    assert items[1]["oldest_ready_s"] >= 0
    for query in ("lane=bulk", "has_dead=true", "status=pending&lane=bulk"):
        found = (await (await client.get(f"{desk}?{query}")).json())["items"]
        assert [each["job_id"] for each in found] == [job], query
    page = await (await client.get(f"{desk}?limit=1")).json()
    rest = await (await client.get(f"{desk}?limit=1&cursor={page['next_cursor']}")).json()
    assert [each["job_id"] for each in rest["items"]] == [job]
    wrong = await client.get(f"{desk}?limit=1&lane=bulk&cursor={page['next_cursor']}")
    assert wrong.status == 400
    assert (await (await client.post(f"{desk}/{job}/cancel")).json())["status"] == "cancelled"


async def test_jobs_are_listed_by_the_time_they_came(client: Client) -> None:
    answer = await client.post("/api/v1/scan/bulk", json={"domains": ["a.com"]})
    job = (await answer.json())["job_id"]

    for query, found in (
        ("created_after=2026-01-01T00:00:00Z", [job]),
        ("created_before=2026-01-01T00:00:00Z", []),
        (f"redrive_of={job}", []),
    ):
        items = (await (await client.get(f"/api/v1/scan/bulk?{query}")).json())["items"]
        assert [each["job_id"] for each in items] == found, query
