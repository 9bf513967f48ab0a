"""A table full of leads for measuring: real judgements of invented companies, multiplied by SQL."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import Any, Final

import asyncpg
import msgspec
from judge import surveys

from hunter.core.answers import Depth
from hunter.core.judge import judge
from hunter.core.judgement import NO_HISTORY
from hunter.knowledge.load import load_knowledge

_TODAY: Final = dt.date(2026, 11, 24)
#: companies that are surveyed and judged; leads are copies of theirs under names of their own
_TEMPLATES: Final = 400
_INDEXES: Final = """
    SELECT indexname, indexdef FROM pg_indexes
    WHERE tablename = 'lead' AND schemaname = 'public'
      AND indexname NOT IN (SELECT conname FROM pg_constraint)
"""
_TEMPLATE: Final = (
    "CREATE UNLOGGED TABLE template (n integer PRIMARY KEY, domain text, found jsonb)"
)
_FILL: Final = """
    INSERT INTO lead (domain, display_name, company_name, source, search, scan_status,
        last_scanned_at, provider, mx_operator, gateway, local_provider, mail_state, tenant_state,
        tenant_name, segment, priority, score, fit, urgency, confidence, posture, dmarc_policy,
        reason, rules_version, fingerprint, judgement)
    SELECT name, name, 'Firma ' || i || ' Ticaret', 'bench', name || ' firma ' || i || ' ticaret',
        j.scan_status, now() - make_interval(mins => i % 40000), j.provider, j.mx_operator,
        j.gateway, j.local_provider, j.mail_state, j.tenant_state, j.tenant_name, j.segment,
        j.priority, j.score, j.fit, j.urgency, j.confidence, j.posture, j.dmarc_policy, j.reason,
        j.rules_version, j.fingerprint, replace(t.found::text, t.domain, name)::jsonb
    FROM generate_series($1::integer, $2::integer) AS i
    JOIN template t ON t.n = i % $3
    CROSS JOIN LATERAL (SELECT 'firma' || i || '-' || t.n || '.com.tr' AS name) AS names
    CROSS JOIN LATERAL jsonb_populate_record(NULL::lead, t.found) AS j
"""
_PIECE: Final = 50_000


async def seed(url: str, leads: int) -> None:
    """Fill the table; indexes are taken off meanwhile and built at the end."""
    templates = await _templates()
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(_TEMPLATE)
        await connection.copy_records_to_table("template", records=templates)
        indexes = await connection.fetch(_INDEXES)
        for index in indexes:
            await connection.execute(f'DROP INDEX "{index["indexname"]}"')
        await connection.execute("SET synchronous_commit = off")
        for first in range(0, leads, _PIECE):
            last = min(first + _PIECE, leads) - 1
            await connection.execute(_FILL, first, last, len(templates), timeout=600)
        await connection.execute("SET maintenance_work_mem = '256MB'")
        for index in indexes:
            await connection.execute(index["indexdef"], timeout=1200)
        await connection.execute("DROP TABLE template")
        await connection.execute("VACUUM ANALYZE lead", timeout=1200)
        await connection.execute("CHECKPOINT", timeout=600)
    finally:
        await connection.close()


async def _templates() -> list[tuple[int, str, str]]:
    knowledge = load_knowledge()
    found = await surveys(_TEMPLATES, Depth.QUICK, knowledge)
    judged = [judge(each, NO_HISTORY, knowledge.rules, _TODAY) for each in found]
    return [(n, each.domain, msgspec.json.encode(each).decode()) for n, each in enumerate(judged)]


async def sample(url: str, count: int) -> list[str]:
    """Domains of leads, drawn over the whole table."""
    connection: asyncpg.Connection[Any] = await asyncpg.connect(url)
    try:
        rows = await connection.fetch(
            "SELECT domain FROM lead ORDER BY md5(domain) LIMIT $1", count, timeout=300
        )
    finally:
        await connection.close()
    return [row["domain"] for row in rows]


async def deep_cursor(url: str, http: Any, skip: int) -> str:
    """The cursor of the list in call order behind about `skip` leads."""
    cursor = ""
    for _ in range(max(1, skip // 1000)):
        query = f"?limit=1000&fields=domain{f'&cursor={cursor}' if cursor else ''}"
        async with http.get(f"{url}/api/v1/leads{query}") as answer:
            cursor = (await answer.json())["next_cursor"]
        await asyncio.sleep(0)
    return cursor
