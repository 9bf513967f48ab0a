"""The API over the run's real servers, driven by a client."""

from __future__ import annotations

import dataclasses
import datetime as dt
import importlib.util
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest
from aiohttp.test_utils import TestClient
from pytest_aiohttp import AiohttpClient

from hunter.config import Config, Secret
from hunter.core.judgement import (
    Axis,
    Evidence,
    Judgement,
    MailHost,
    Product,
    ScanStatus,
    ScoreLine,
    Segment,
    Signal,
    State,
)
from hunter.web.app import create_app

# the spreadsheets of tests/pipeline: test folders are no packages, so it is loaded by its path
_spec = importlib.util.spec_from_file_location(
    "spreadsheets", Path(__file__).parents[1] / "pipeline" / "conftest.py"
)
assert _spec is not None
assert _spec.loader is not None
_spreadsheets = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_spreadsheets)
spreadsheet = _spreadsheets.spreadsheet

Client = TestClient[Any, Any]
SCANNED_AT = dt.datetime(2026, 11, 20, 9, 30, tzinfo=dt.UTC)


@pytest.fixture
async def client(aiohttp_client: AiohttpClient, config: Config) -> Client:
    """A client of an open API, as in development."""
    return await aiohttp_client(create_app(config))


@pytest.fixture
async def locked_client(aiohttp_client: AiohttpClient, config: Config) -> Client:
    """A client of an API that wants a key."""
    key = Secret("a-key-of-more-than-24-characters")
    return await aiohttp_client(create_app(dataclasses.replace(config, admin_key=key)))


@pytest.fixture
def settings(config: Config) -> Callable[..., Config]:
    """The test's settings with some changed."""

    def changed(**values: Any) -> Config:
        return dataclasses.replace(config, **values)

    return changed


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[asyncpg.Connection[Any]]:
    """The test's database, to look behind the API and to lay things there."""
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


def judgement_of(domain: str, **changes: Any) -> Judgement:
    """A judgement as a scan would leave it: mail at a hoster, a Microsoft tenant without mail."""
    mx = Evidence(f"{domain} MX", "found", f"10 mx.{domain}")
    seen = Signal(State.PRESENT, f"mx.{domain}", (mx,))
    facts: dict[str, Any] = {
        "domain": domain,
        "provider": "natro",
        "provider_name": "Natro",
        "mx_operator": "natro",
        "mx_operator_name": "Natro",
        "gateway": None,
        "tenant_state": "tenant_without_mail",
        "tenant_name": "contoso",
        "mail_state": "mail",
        "local_provider": True,
        "segment": Segment.MIGRATION,
        "priority": 1,
        "score": 70,
        "fit": 50,
        "urgency": 20,
        "confidence": 0.93,
        "confidence_word": "likely",
        "posture": "C",
        "reason": "Mail at Natro, but a Microsoft tenant is there.",
        "mx": seen,
        "mx_hosts": (MailHost(10, f"mx.{domain}", "natro"),),
        "spf": Signal(State.ABSENT, "", (Evidence(f"{domain} TXT", "nodata"),)),
        "dkim": Signal(State.UNKNOWN),
        "dmarc_policy": "none",
        "signals": {"mx": seen, "dkim": Signal(State.UNKNOWN)},
        "products": (Product("sap", "=SAP", "erp", "competitor_erp", "account", 0.9, (mx,)),),
        "lines": (
            ScoreLine(Axis.FIT, "tenant_without_mail", 50, "A tenant is there.", (mx,)),
            ScoreLine(Axis.URGENCY, "tenant_appeared", 20, "It is new.", (mx,)),
        ),
        "findings": (),
        "would_change": ("An MX record at Microsoft would make this an existing customer.",),
        "scan_status": ScanStatus.OK,
        "rules_version": "test-1",
        "fingerprint": "00",
    }
    return Judgement(**facts | changes)


_INSERT_LEAD = """
    INSERT INTO lead (domain, display_name, company_name, source, search, scan_status,
        last_scanned_at, provider, mx_operator, gateway, local_provider, mail_state, tenant_state,
        tenant_name, segment, priority, score, fit, urgency, confidence, posture, dmarc_policy,
        reason, rules_version, fingerprint, judgement)
    SELECT j.domain, j.domain, $2, 'fair', j.domain || ' ' || coalesce($2, ''), j.scan_status, $3,
        j.provider, j.mx_operator, j.gateway, j.local_provider, j.mail_state, j.tenant_state,
        j.tenant_name, j.segment, j.priority, j.score, j.fit, j.urgency, j.confidence, j.posture,
        j.dmarc_policy, j.reason, j.rules_version, j.fingerprint, $1::jsonb
    FROM jsonb_populate_record(NULL::lead, $1::jsonb) j
"""


@pytest.fixture
def add_lead(database: asyncpg.Connection[Any]) -> Callable[..., Awaitable[Judgement]]:
    """Lay a scanned lead into the database."""

    async def add(domain: str, company_name: str | None = None, **changes: Any) -> Judgement:
        found = judgement_of(domain, **changes)
        text = msgspec.json.encode(found).decode()
        await database.execute(_INSERT_LEAD, text, company_name, SCANNED_AT)
        return found

    return add


@pytest.fixture
def add_result(database: asyncpg.Connection[Any]) -> Callable[..., Awaitable[None]]:
    """Lay the result of one domain of a job into the database."""

    async def add(job_id: str, domain: str, outcome: str = "ok", **changes: Any) -> None:
        found = judgement_of(domain, **changes)
        failed = outcome == "failed"
        await database.execute(
            "INSERT INTO scan_result (job_id, domain, outcome, reason, scanned_at, judgement) "
            "VALUES ($1, $2, $3, $4, $5, $6)",
            job_id,
            domain,
            outcome,
            "the worker ran out of memory\nDETAIL: row of somebody" if failed else None,
            SCANNED_AT,
            None if failed else msgspec.json.encode(found).decode(),
        )

    return add
