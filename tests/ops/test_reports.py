"""Errors reported to Sentry: by the real API and worker, to an ingest endpoint on loopback."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aiohttp
import asyncpg

from hunter.config import Config
from hunter.local.servers import free_port
from hunter.ops.log import scrub_text
from hunter.ops.reports import open_reports

if TYPE_CHECKING:
    from tests.ops.conftest import Ingest, Start

MAIL, COMPANY, QUERY = "kanarya@canary-firma.com.tr", "Kanarya Ticaret", "kanarya-query"
KEY = "kanarya-key-with-more-than-24-letters"
#: what a broken row quotes, as PostgreSQL's own constraints do
REFUSE = """
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'row refused' USING ERRCODE = '23505', DETAIL = NEW::text; END $$
"""


async def test_an_error_of_the_api_is_reported_without_anything_personal(
    config: Config, ingest: Ingest, start: Start
) -> None:
    database = await asyncpg.connect(str(config.database_url))
    await database.execute(REFUSE)
    await database.execute(
        "CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON lead FOR EACH ROW EXECUTE FUNCTION refuse()"
    )
    await database.close()

    async with (
        start("serve", free_port(), HUNTER_SENTRY_DSN=ingest.dsn, HUNTER_ADMIN_KEY=KEY) as url,
        aiohttp.ClientSession(headers={"X-API-Key": KEY, "X-Request-ID": "r-1"}) as http,
    ):
        company = {"domain": "canary-firma.com.tr", "company_name": COMPANY, "email": MAIL}
        async with http.post(f"{url}/api/v1/ingest/domain", json=company) as answer:
            assert answer.status == 500
        async with http.get(f"{url}/api/v1/leads?q={QUERY}") as answer:
            assert answer.status == 200
        await ingest.until(1)

    (event,) = ingest.events
    assert event["transaction"] == "POST /api/v1/ingest/domain"
    assert event["tags"]["request_id"] == "r-1"
    assert event["request"] == {"method": "POST"}
    assert event["exception"]["values"][-1]["type"] == "UniqueViolationError"
    frames = event["exception"]["values"][-1]["stacktrace"]["frames"]
    assert any(frame["module"].startswith("hunter.") for frame in frames)
    assert all("vars" not in frame for frame in frames)
    for canary in (MAIL, COMPANY, KEY, QUERY):
        assert canary.encode() not in ingest.raw


async def test_an_error_of_a_worker_is_reported_with_its_job(
    config: Config, ingest: Ingest, start: Start
) -> None:
    database = await asyncpg.connect(str(config.database_url))
    await database.execute(REFUSE)
    await database.execute(
        "CREATE TRIGGER refuse BEFORE UPDATE ON scan_chunk FOR EACH ROW "
        "WHEN (NEW.state = 'done') EXECUTE FUNCTION refuse()"
    )
    await database.close()
    more = {"HUNTER_SENTRY_DSN": ingest.dsn, "HUNTER_DNS_SERVERS": "127.0.0.1:1"}

    async with (
        start("serve", free_port()) as url,
        start("work", free_port(), **more),
        aiohttp.ClientSession() as http,
    ):
        async with http.post(f"{url}/api/v1/scan/domain", json={"domain": "a.example"}) as answer:
            job = (await answer.json())["job_id"]
        await ingest.until(1)

    event = ingest.events[0]
    assert event["tags"]["job"] == job
    assert event["exception"]["values"][-1]["type"] == "UniqueViolationError"
    assert event["extra"]["event"] == "chunk failed"


def test_without_a_dsn_nothing_is_loaded_and_nothing_reported() -> None:
    assert open_reports(Config()) is None


def test_what_postgresql_quotes_of_a_row_is_taken_out() -> None:
    trace = (
        "asyncpg.exceptions.UniqueViolationError: duplicate key\n"
        f"DETAIL:  Key (company_name)=({COMPANY}\nve Ortakları) already exists.\n"
        "\nDuring handling of the above exception, another exception occurred:\n"
    )

    text = scrub_text(trace)
    assert COMPANY not in text
    assert "Ortakları" not in text
    assert "duplicate key\nDETAIL: ***\n\nDuring handling" in text
