"""Pages of leads out of a large table: what PostgreSQL and the store take for each kind of page.

`python bench/leads.py [--leads 1000000] [--rounds 50] [--explain]`: leads are invented inside a
PostgreSQL of its own, spread over segments, providers and priorities as scans leave them, with a
judgement of usual size each. Then every kind of page is asked for again and again, as `GET /leads`
asks: first, deep, filtered by one value, by several, by ranges, searched for common and rare terms.
Milliseconds are of `leads.search`, decoding of judgements included; `plan` is PostgreSQL's own time.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import msgspec
from harness import Row, write_results

from hunter.config import Config
from hunter.core.answers import Answer, Depth, Outcome, RRType, survey_of
from hunter.core.judge import judge
from hunter.core.judgement import History
from hunter.knowledge.load import load_knowledge
from hunter.local.servers import embedded
from hunter.store import leads
from hunter.store.database import Connection, open_database
from hunter.store.lead_filters import LeadFilter, Sort, filter_arguments, query_for
from hunter.store.migrate import migrate_up

_SEED: Final = """
    INSERT INTO lead (
        domain, display_name, company_name, source, search, scan_status, last_scanned_at, provider,
        mx_operator, gateway, local_provider, mail_state, tenant_state, tenant_name, segment,
        priority, score, fit, urgency, confidence, posture, dmarc_policy, reason, rules_version,
        fingerprint, judgement
    )
    SELECT name, name, company, 'bench', lower(name || ' ' || company), 'ok',
        now() - make_interval(secs => n), provider, provider,
        CASE WHEN n % 17 = 0 THEN 'mimecast' END, n % 3 = 0, 'mail',
        (ARRAY['no_microsoft', 'm365_mail', 'tenant_without_mail', 'migrating_in'])[1 + h % 4],
        CASE WHEN n % 5 = 0 THEN 'tenant' || n / 10 END, segment, priority, fit + urgency, fit,
        urgency, (50 + h % 50) / 100.0, (ARRAY['A', 'B', 'C', 'D', 'E', 'F'])[1 + h % 6],
        (ARRAY['reject', 'quarantine', 'none', 'absent'])[1 + h % 4], 'because', 'bench', 'f',
        $1::jsonb
    FROM (
        SELECT n, h, CASE WHEN h % 1000 < 300 THEN 'tek' WHEN h % 1000 < 500 THEN 'mak' ELSE 'fir' END
                || CASE WHEN h % 997 = 0 THEN 'zeytin' ELSE '' END || n || '.com.tr' AS name,
            'Company ' || n || CASE WHEN h % 20 = 0 THEN ' Lojistik' ELSE '' END AS company,
            (ARRAY['natro', 'google_workspace', 'microsoft365', 'self_hosted', 'zoho'])[
                1 + CASE WHEN h % 100 = 0 THEN 4 ELSE h % 4 END] AS provider,
            CASE WHEN priority = 6 THEN 'skip' WHEN priority = 5 THEN 'cold'
                WHEN priority > 2 THEN 'existing' ELSE 'migration' END AS segment,
            priority, greatest(0, 60 - priority * 9 - h % 5) AS fit, (7 - priority) * (h % 6) AS urgency
        FROM (
            SELECT n, h, CASE WHEN h % 100 < 3 THEN 1 WHEN h % 100 < 10 THEN 2 WHEN h % 100 < 25 THEN 3
                WHEN h % 100 < 45 THEN 4 WHEN h % 100 < 70 THEN 5 ELSE 6 END AS priority
            FROM (SELECT n, abs(hashint4(n)) AS h FROM generate_series($2::integer, $3::integer) n) a
        ) b
    ) c
"""
_AT_ONCE: Final = 10_000
_DEEP_PAGES: Final = 40

#: name, filter, order, whether judgements are wanted
_PAGES: Final[tuple[tuple[str, LeadFilter, Sort, bool], ...]] = (
    ("first", LeadFilter(), Sort.CALL, True),
    ("first, columns only", LeadFilter(), Sort.CALL, False),
    ("by score", LeadFilter(), Sort.SCORE, True),
    ("by confidence", LeadFilter(), Sort.CONFIDENCE, True),
    ("by time of scan", LeadFilter(), Sort.SCANNED, True),
    ("segment skip", LeadFilter(segment=("skip",)), Sort.CALL, True),
    ("segment skip by score", LeadFilter(segment=("skip",)), Sort.SCORE, True),
    ("two segments", LeadFilter(segment=("skip", "cold")), Sort.CALL, True),
    ("rare provider", LeadFilter(provider=("zoho",)), Sort.CALL, True),
    ("priorities 4 and 6", LeadFilter(priority=(4, 6)), Sort.CALL, True),
    ("priority 6 by score", LeadFilter(priority=(6,)), Sort.SCORE, True),
    ("scores to 10", LeadFilter(max_score=10), Sort.CALL, True),
    ("scores from 80 by score", LeadFilter(min_score=80), Sort.SCORE, True),
    ("provider and tenant", LeadFilter(provider=("natro",), tenant_state=("m365_mail",)), Sort.CALL, True),
    ("search, common", LeadFilter(q="tek"), Sort.CALL, True),
    ("search, one in twenty", LeadFilter(q="lojistik"), Sort.CALL, True),
    ("search, one in a thousand", LeadFilter(q="zeytin"), Sort.CALL, True),
    ("search, rare", LeadFilter(q="company 77777"), Sort.CALL, True),
    ("search, none", LeadFilter(q="nowhere to be found"), Sort.CALL, True),
    ("search, rare by score", LeadFilter(q="company 77777"), Sort.SCORE, True),
    ("search in a segment", LeadFilter(q="tek", segment=("skip",)), Sort.CALL, True),
)  # fmt: skip


def _judgement() -> str:
    """A judgement of usual size."""
    answers = [
        Answer("acme.com.tr", RRType.MX, Outcome.FOUND, ("10 mail.natro.com",), ttl=300),
        Answer(
            "acme.com.tr", RRType.TXT, Outcome.FOUND, ("v=spf1 include:natro.com -all", "MS=ms1")
        ),
        Answer("_dmarc.acme.com.tr", RRType.TXT, Outcome.NXDOMAIN),
    ]
    survey = survey_of("acme.com.tr", Depth.QUICK, answers)
    rules = load_knowledge().rules
    found = judge(survey, History(), rules, dt.datetime.now(dt.UTC).date(), None)
    return msgspec.json.encode(found).decode()


async def _seed(conn: Connection, count: int) -> None:
    text = _judgement()
    await conn.execute("SET statement_timeout = 0")
    for start in range(0, count, _AT_ONCE):
        last = min(start + _AT_ONCE, count)
        await conn.execute(_SEED, text, start + 1, last, timeout=600)
    await conn.execute("VACUUM (ANALYZE) lead", timeout=1200)
    await conn.execute("RESET statement_timeout")


async def _ask(
    conn: Connection, page: tuple[str, LeadFilter, Sort, bool], rounds: int
) -> tuple[list[Row], str]:
    name, wanted, sort, is_judged = page
    taken: list[float] = []
    used = time.process_time()
    for _ in range(rounds):
        began = time.perf_counter()
        await leads.search(conn, wanted, sort, is_judged=is_judged)
        taken.append((time.perf_counter() - began) * 1000)
    used = (time.process_time() - used) * 1000 / rounds
    deep: list[float] = []
    cursor = None
    for _ in range(_DEEP_PAGES):
        began = time.perf_counter()
        found = await leads.search(conn, wanted, sort, cursor, is_judged=is_judged)
        deep.append((time.perf_counter() - began) * 1000)
        cursor = found.next_cursor
        if cursor is None:
            break
    plan_ms, text = await _explain(conn, wanted, sort)
    rows = [
        Row(name, "p50", round(statistics.median(taken), 2), "ms"),
        Row(name, "p99", round(sorted(taken)[int(len(taken) * 0.99) - 1], 2), "ms"),
        Row(name, "deep pages, p50", round(statistics.median(deep), 2), "ms"),
        Row(name, "processor time of the API", round(used, 2), "ms"),
        Row(name, "plan", plan_ms, "ms"),
    ]
    return rows, text


async def _explain(conn: Connection, wanted: LeadFilter, sort: Sort) -> tuple[float, str]:
    is_few = await leads.is_few(conn, wanted, sort)
    query = query_for(wanted, sort, None, is_few=is_few)
    assert query is not None  # there is a page
    given: list[Any] = [*filter_arguments(wanted, query.driven), 51, True, *query.place]
    lines = await conn.fetch(f"EXPLAIN (ANALYZE, BUFFERS) {query.statement}", *given)
    text = "\n".join(line[0] for line in lines)
    took = [line[0] for line in lines if "Execution Time" in line[0] or "Planning Time" in line[0]]
    return round(sum(float(each.split()[2]) for each in took), 2), text


async def main() -> None:
    """Seed, ask, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--leads", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--explain", action="store_true", help="print every plan")
    arguments = parser.parse_args()
    rows = [Row("table", "leads", arguments.leads, "rows")]
    with tempfile.TemporaryDirectory(prefix="hunter-bench-") as folder:
        Path(folder).chmod(0o755)
        settings = Config(data_dir=Path(folder))
        async with embedded(settings, lambda _line: None, throwaway=True) as config:
            await asyncio.to_thread(migrate_up, config.database_url)
            async with open_database(config) as db, db.acquire() as conn:
                await _seed(conn, arguments.leads)
                for page in _PAGES:
                    found, plan = await _ask(conn, page, arguments.rounds)
                    rows += found
                    print(*(f"{each.row}: {each.metric} {each.value}" for each in found), sep=" · ")
                    if arguments.explain:
                        print(plan)
    print(write_results("leads", rows))


if __name__ == "__main__":
    asyncio.run(main())
