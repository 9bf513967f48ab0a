"""Canaries pushed through every route of real processes, and searched for wherever they must not be."""

from __future__ import annotations

import dataclasses
import io
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import asyncpg
import pytest
import redis.asyncio

from hunter.config import Config
from hunter.local.nameserver import NameServer
from hunter.local.servers import free_port
from hunter.web.routes import ROUTES

if TYPE_CHECKING:
    from tests.ops.conftest import Ingest, Start

MAIL, COMPANY, KEY = "kanarya@canary-firma.com.tr", "Kanarya Ticaret AŞ", "hk_kanaryaanahtar"
QUERY, NOTE, PHONE = "kanaryasorgu", "kanaryanotu gizli", "+90 555 010 20 30"
CANARIES = (MAIL, "kanarya@", COMPANY, "Kanarya Ticaret", KEY, QUERY, NOTE, PHONE)
ADMIN = "admin-key-of-more-than-24-characters"
ZONE = "canary-firma.com.tr 60 MX 10 mx.canary-firma.com.tr"
#: everything a body may name, with a canary in it
BODY = {
    "domain": "canary-firma.com.tr",
    "domains": ["canary-firma.com.tr", MAIL, f"{COMPANY} {PHONE}"],
    "company_name": COMPANY,
    "email": MAIL,
    "contacts": [{"name": COMPANY, "email": MAIL, "phone": PHONE, "source": NOTE}],
    "name": COMPANY,
    "notes": NOTE,
    "note": NOTE,
    "source": NOTE,
    "url": f"https://u:{KEY}@hooks.canary-firma.com.tr/{QUERY}",
    "address": MAIL,
    "to": [MAIL],
    "secret": KEY,
    "tags": [NOTE],
}
REFUSE = """
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'refused' USING ERRCODE = '23505', DETAIL = NEW::text; END $$
"""


async def _drive(http: aiohttp.ClientSession, url: str) -> set[int]:
    """Every route with canaries in path, query, headers and body, and with each field alone."""
    statuses = set()
    for route in ROUTES:
        if route.method == "GET" and route.path.endswith("/events"):
            continue  # a stream that does not end
        path = re.sub(r"\{domain\}", "canary-firma.com.tr", route.path)
        path = re.sub(r"\{[a-z_]+\}", QUERY, path)
        target = f"{url}/api/v1{path}" if route.versioned else f"{url}{path}"
        bodies: list[Any] = [None]
        if route.method in {"POST", "PUT", "PATCH"}:
            bodies = [BODY, *({name: value} for name, value in BODY.items())]
        for body in bodies:
            async with http.request(
                route.method, target, params={"q": f"{QUERY} {MAIL}"}, json=body
            ) as answer:
                await answer.read()
                statuses.add(answer.status)
        if route.method != "GET":
            async with http.request(
                route.method, target, data=f'{{"email": "{MAIL}" {COMPANY}'
            ) as (answer):
                statuses.add(answer.status)
    return statuses


async def _write(http: aiohttp.ClientSession, url: str) -> list[int]:
    """Requests that are taken, so that canaries are stored and come by on their way."""
    api = f"{url}/api/v1"
    form = aiohttp.FormData()
    table = f"firma,e-posta,web\n{COMPANY},{MAIL},canary-firma.com.tr\n{COMPANY},{MAIL},x y\n"
    form.add_field("file", io.BytesIO(table.encode()), filename=f"{COMPANY}.csv")
    wait = {"Prefer": "wait=20"}
    company = {"domain": "canary-firma.com.tr", "company_name": COMPANY, "email": MAIL}
    asked: list[tuple[str, str, dict[str, Any]]] = [
        ("POST", "/ingest/domain", {"json": company | {"source": NOTE}}),
        ("POST", "/ingest/csv", {"data": form, "params": {"source": NOTE}}),
        ("POST", "/scan/domain", {"json": {"domain": MAIL}, "headers": wait}),
        (
            "POST",
            "/scan/bulk",
            {"data": f"{MAIL}\n{COMPANY}\n", "headers": {"Content-Type": "text/plain"}},
        ),
        ("PATCH", "/leads/canary-firma.com.tr", {"json": {"notes": NOTE}}),
        ("GET", "/leads", {"params": {"q": COMPANY}}),
        ("GET", "/leads/export", {"params": {"format": "csv"}}),
    ]
    statuses = []
    for method, path, how in asked:
        async with http.request(method, api + path, **how) as answer:
            await answer.read()
            statuses.append(answer.status)
    return statuses


@pytest.fixture
async def dns() -> AsyncIterator[str]:
    async with NameServer(ZONE) as server:
        host, port = server.address
        yield f"{host}:{port}"


@pytest.mark.timeout(180)
async def test_no_canary_is_found_in_logs_reports_metrics_redis_or_job_arguments(
    config: Config, ingest: Ingest, start: Start, dns: str, tmp_path: Path
) -> None:
    config = dataclasses.replace(config)
    logs = tmp_path / "api.log", tmp_path / "worker.log"
    more = {
        "HUNTER_SENTRY_DSN": ingest.dsn,
        "HUNTER_ADMIN_KEY": ADMIN,
        "HUNTER_DNS_SERVERS": dns,
        "HUNTER_LOG_LEVEL": "debug",
    }
    database = await asyncpg.connect(str(config.database_url))
    headers = {"X-API-Key": ADMIN, "User-Agent": MAIL, "Referer": f"http://x/?{QUERY}"}

    async with (
        start("serve", free_port(), log=logs[0], **more) as url,
        start("work", free_port(), log=logs[1], **more) as worker,
        aiohttp.ClientSession(headers=headers) as http,
    ):
        taken = await _write(http, url)
        assert all(status < 300 for status in taken), taken
        async with http.get(f"{url}/api/v1/leads", headers={"X-API-Key": KEY}) as answer:
            assert answer.status == 401
        statuses = await _drive(http, url)
        assert {200, 404, 422} <= statuses

        await database.execute(REFUSE)
        for table in ("lead", "ingest_batch", "scan_job", "scan_result"):
            await database.execute(
                f"CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON {table} "
                "FOR EACH ROW EXECUTE FUNCTION refuse()"
            )
        broken = await _write(http, url)
        assert 500 in broken, broken
        assert 500 in await _drive(http, url)
        await ingest.until(1)
        metrics = ""
        for each in (url, worker):
            async with http.get(f"{each}/metrics") as answer:
                metrics += await answer.text()
    await database.close()

    places = {
        "log of the API": logs[0].read_text("utf-8"),
        "log of the worker": logs[1].read_text("utf-8"),
        "reports": ingest.raw.decode("utf-8", "replace"),
        "metrics": metrics,
        "Redis": await _all_of_redis(str(config.redis_url)),
    }
    assert "Traceback" in places["log of the API"]
    assert "chunk" in places["log of the worker"]
    found = [(where, each) for where, text in places.items() for each in CANARIES if each in text]
    assert found == []


async def _all_of_redis(url: str) -> str:
    """Every key and every value, queued jobs and their arguments among them."""
    client = redis.asyncio.Redis.from_url(url)
    seen = b""
    async for key in client.scan_iter(count=1000):
        seen += key + b"\n" + (await client.dump(key) or b"") + b"\n"
        if await client.type(key) == b"string":
            seen += await client.get(key) or b""
    await client.aclose()
    return seen.decode("utf-8", "replace")
