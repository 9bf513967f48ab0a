"""What is known of companies survives every scan through a name server that lies."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from hunter.config import Config
from hunter.core.answers import Depth
from hunter.knowledge.load import load_knowledge
from hunter.local.nameserver import NameServer
from hunter.local.zones import generate, zone_text
from hunter.ops.metrics import Metrics
from hunter.pipeline.accept import Line, accept_scan
from hunter.pipeline.scan import Scanner
from hunter.queue.hints import Hints
from hunter.resolver.opening import open_engine
from hunter.resolver.tuning import Tuning
from hunter.store.database import Database
from hunter.store.identifiers import uuid7

QUICK = Tuning(timeouts_s=(0.05, 0.05, 0.05), tick_s=0.01, tcp_timeout_s=0.2, sockets_min=4)
#: of a missing domain nothing but that is asked; a scan that cannot know it asks, and learns, more
COMPANIES = [company for company in generate(100, seed=11) if company.kind != "missing"]
#: what a lead states; none of it may change because somebody lied or was silent
_STATED = (
    "domain, provider, mx_operator, gateway, tenant_state, tenant_name, mail_state, segment, "
    "priority, score, dmarc_policy, posture, local_provider"
)

Scan = Callable[[NameServer, Depth], Awaitable[None]]


@pytest.fixture
def scan(db: Database, hints: Hints, config: Config) -> Scan:
    """Scan every company through this name server and commit it."""

    async def scanned(server: NameServer, depth: Depth) -> None:
        lines = [Line(number, company.domain) for number, company in enumerate(COMPANIES, 1)]
        await accept_scan(db, hints, lines, lane="bulk", depth=depth, allow_test_names=True)
        settings = dataclasses.replace(config, dns_servers=(server.address,))
        async with open_engine(settings, tuning=QUICK) as engine:
            scanner = Scanner(
                db, hints, engine, load_knowledge(), Metrics(), worker_id=uuid7(), lease_s=20
            )
            while await scanner.take_next("bulk"):
                pass

    return scanned


async def _leads(db: Database) -> dict[str, dict[str, Any]]:
    async with db.acquire() as conn:
        rows = await conn.fetch(f"SELECT {_STATED} FROM lead")
    return {row["domain"]: dict(row) for row in rows}


@pytest.mark.parametrize("depth", Depth)
async def test_nothing_that_is_known_changes_in_a_storm(
    db: Database, scan: Scan, depth: Depth
) -> None:
    zone = zone_text(COMPANIES)
    async with NameServer(zone, record=False) as honest:
        await scan(honest, depth)
    before = await _leads(db)

    async with NameServer(f"{zone}\n;! . storm=70", seed=depth == Depth.FULL, record=False) as liar:
        for _ in range(3):
            await scan(liar, depth)

    after = await _leads(db)
    changed = {
        f"{domain} {name}": (value, after[domain][name])
        for domain, lead in before.items()
        for name, value in lead.items()
        if after[domain][name] != value
    }
    assert changed == {}
    async with db.acquire() as conn:
        outcomes = await conn.fetch("SELECT outcome, count(*) FROM scan_result GROUP BY outcome")
    assert {row["outcome"] for row in outcomes} == {"ok", "unknown"}
    assert sum(row["count"] for row in outcomes) == 4 * len(COMPANIES)
