"""docs/production-guide.md has a row for every line of the guide, and every proof in it exists."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

from hunter.cli.main import COMMANDS

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = ROOT / "docs" / "production-guide.md"

#: every endpoint, probe, metric, alert, practice, script, runbook case and checklist line of the guide
GUIDE: Final = """
GET /healthz/live | livenessProbe 30/10/5/3 | GET /healthz/ready | readinessProbe 10/5/3/3
readiness: database ping | readiness: Redis ping | GET /healthz/startup | startupProbe 0/5/3/30
GET /healthz
http_requests_total | http_request_duration_seconds | http_requests_errors_total
db_connection_pool_size | redis_connection_pool_size | celery_tasks_total | celery_tasks_failed_total
cpu_usage_percent | memory_usage_bytes | disk_usage_percent | db_connection_count
domains_scanned_total | domains_scanned_failed_total | leads_ingested_total | alerts_triggered_total
metrics middleware | GET /metrics | Prometheus scrape config
HighErrorRate > 5 % for 5 m | HighLatency p95 > 1 s for 5 m
DBConnectionPoolExhausted > 80 % for 5 m | HighCeleryTaskFailureRate > 10 % for 10 m
Redis pool > 80 % | failed scans > 5 % | CPU > 80 % | memory > 80 % | disk > 85 %
DB connections > 80 % of max
JSON in production, readable in development | DEBUG in development only
INFO, WARNING, ERROR, CRITICAL as listed
may be logged: domain, provider, segment, score, scan_status
never logged: e-mail, company name, contacts | ELK stack, Logstash pipeline
error tracking (Sentry)
blue and green Deployments, one Service | deploy_blue_green.sh
RollingUpdate maxSurge 1, maxUnavailable 0 | kubectl set image | zero downtime
rollback (kubectl rollout undo)
1 Database connection pool exhausted | 2 Redis connection failure | 3 High error rate
4 Celery worker not processing tasks
pre: all P0 items completed | pre: health checks implemented | pre: monitoring configured
pre: logging configured | pre: error tracking configured | pre: database migrations tested
pre: migration system verified | pre: load testing completed | pre: backup strategy in place
deployment: strategy chosen | deployment: script tested in staging | deployment: rollback plan ready
deployment: dashboards open | deployment: on-call engineer available
post: health checks passing | post: error rate < 1 % | post: p95 < 500 ms | post: all metrics normal
post: smoke tests passing | post: user acceptance | post: API versioning verified
post: Redis health verified
daily backup | restore | alembic upgrade head | alembic current | alembic history
alembic downgrade -1 | log rotation by fluentd | scale API pods | scale workers
autoscale 3 to 10 at 70 % CPU
"""
WANTED: Final = [part.strip() for part in re.split(r"[|\n]", GUIDE) if part.strip()]


def _rows() -> list[tuple[str, str, str, str]]:
    found = []
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and not line.startswith("|---") and cells[0] != "Guide":
            assert len(cells) == 4, line
            found.append((cells[0].replace("`", ""), cells[1], cells[2], cells[3]))
    return found


ROWS: Final = _rows()


def test_every_line_of_the_guide_has_one_row_in_its_order() -> None:
    assert [row[0] for row in ROWS] == WANTED


def test_every_row_says_what_hunter_has_and_what_proves_it() -> None:
    for guide, hunter, proof, _ in ROWS:
        assert hunter, guide
        assert re.findall(r"`([^`]+)`", proof), guide


@pytest.mark.parametrize(
    ("guide", "proof"),
    [
        (row[0], each)
        for row in ROWS
        for cell in row[2:]
        for each in re.findall(r"`((?:tests|docs|helm|make|hunter)[ /][^`]+)`", cell)
    ],
)
def test_every_proof_exists(guide: str, proof: str) -> None:
    if proof.startswith("make "):
        targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert proof.split()[1] in targets, guide
    elif proof.startswith("hunter "):
        assert proof.split()[1] in COMMANDS, guide
    elif "::" in proof:
        path, name = proof.split("::")
        assert re.search(rf"def {name}\(", (ROOT / path).read_text(encoding="utf-8")), guide
    else:
        path, _, anchor = proof.split(" ", maxsplit=1)[0].partition("#")
        assert (ROOT / path).exists(), guide
        if anchor:
            headings = re.findall(r"^#+ (.+)$", (ROOT / path).read_text("utf-8"), re.MULTILINE)
            assert anchor in {each.lower().replace(" ", "-") for each in headings}, guide
