"""Scrape configuration, log shipping and checklists: read by the programs they are for, and whole."""

from __future__ import annotations

import io
import logging
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
import yaml

from hunter.config import Config
from hunter.ops.log import configure_logging
from tests.helm.test_alerts import known, metric_names

DOCS = Path(__file__).parents[2] / "docs"
CHECKLISTS = (DOCS / "checklists.md").read_text(encoding="utf-8")
RUNBOOK = (DOCS / "runbook.md").read_text(encoding="utf-8")
#: what the runbook looks for in a log: the arguments of grep behind `kubectl logs`
SOUGHT = re.findall(
    r"^kubectl [^|\n]* logs [^|\n]*\| (grep (?:'[^']*'|[^|\n])*)", RUNBOOK, re.MULTILINE
)
#: the production guide's lines by list, as short as they can be told apart
GUIDE = {
    "Before a deployment": (
        "P0", "Health checks", "Monitoring", "Logging", "Error tracking", "migrations tested",
        "Migration system", "Load testing", "Backup",
    ),
    "Deployment": ("Blue/green", "staging", "Rollback", "Dashboards", "On-call"),
    "After a deployment": (
        "Health checks", "Error rate", "p95", "All metrics", "Smoke", "acceptance", "/api/v1", "Redis",
    ),
}  # fmt: skip


def rows(heading: str) -> list[tuple[str, str]]:
    (part,) = re.findall(rf"^## {heading}\n(.*?)(?=^## |\Z)", CHECKLISTS, re.MULTILINE | re.DOTALL)
    lines = [line for line in part.splitlines() if line.startswith("| ")][1:]
    cells = [re.split(r"(?<!\\)\|", line.strip("|")) for line in lines]
    return [(left.strip(), right.strip()) for left, right in cells]


@pytest.mark.parametrize("heading", GUIDE)
def test_every_line_of_the_guides_lists_is_there(heading: str) -> None:
    lines = [left for left, _ in rows(heading)]

    assert [part for part in GUIDE[heading] if not any(part in line for line in lines)] == []


@pytest.mark.parametrize("heading", GUIDE)
def test_every_line_is_a_command_or_says_who_signs(heading: str) -> None:
    for line, proof in rows(heading):
        who = re.search(r"manual: (.+)", proof)
        assert re.search(r"`[^`]+`", proof) or who, line
        if who:
            assert re.match(r"(on-call engineer|product owner|sales lead|SRE) \w+", who[1]), line


def test_every_query_of_the_checklists_asks_for_metrics_that_exist() -> None:
    queries = [
        proof.strip("`").replace("\\|", "|")
        for _, proof in rows("After a deployment")
        if re.match(r"`[^`]+ > [0-9.]+`$|`ALERTS", proof)
    ]

    assert len(queries) == 3
    for query in queries:
        assert metric_names(query) <= known() | {"ALERTS"}, query


@pytest.mark.tool("promtool")
def test_prometheus_reads_its_configuration_and_the_rules_it_names() -> None:
    done = subprocess.run(
        ["promtool", "check", "config", str(DOCS / "prometheus.yml")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr
    assert "SUCCESS: 1 rule files found" in done.stdout


def test_the_scrape_configuration_is_the_guides_and_has_the_jobs_of_the_rules() -> None:
    config: dict[str, Any] = yaml.safe_load((DOCS / "prometheus.yml").read_text())
    jobs = {job["job_name"]: job for job in config["scrape_configs"]}

    assert jobs["dyn365hunter-api"] == {
        "job_name": "dyn365hunter-api",
        "scrape_interval": "15s",
        "metrics_path": "/metrics",
        "static_configs": [{"targets": ["api:8000"]}],
    }
    assert set(jobs) == {"dyn365hunter-api", "dyn365hunter-worker"}


def test_logs_go_into_one_index_a_day_with_the_name_the_guide_meant() -> None:
    logstash = (DOCS / "shipping" / "logstash.conf").read_text(encoding="utf-8")
    fluentd = yaml.safe_load((DOCS / "shipping" / "fluentd.yaml").read_text(encoding="utf-8"))
    text = fluentd["data"]["fluent.conf"]

    assert 'index => "dyn365hunter-%{+YYYY.MM.dd}"' in logstash
    assert '[level] == "ERROR"' in logstash
    assert logstash.count("{") == logstash.count("}")
    assert "logstash_format true" in text
    assert "logstash_prefix dyn365hunter" in text
    assert "index_name" not in text, "that is Logstash's syntax"
    opened = re.findall(r"<(\w+)[^>/]*>", text)
    assert sorted(opened) == sorted(re.findall(r"</(\w+)>", text))


def test_no_log_grows_for_ever_under_compose() -> None:
    compose = yaml.safe_load((DOCS.parent / "docker-compose.yml").read_text(encoding="utf-8"))
    own = [service for service in compose["services"].values() if service.get("build")]

    assert {service["logging"]["options"]["max-size"] for service in own} == {"10m"}


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """A log as production writes it, in a pod."""
    root, disabled = logging.getLogger(), logging.getLogger("aiohttp.access").disabled
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    configure_logging(Config(environment="production", log_level="info"), stream)
    yield stream
    structlog.reset_defaults()
    root.handlers[:], root.level = handlers, level
    logging.getLogger("aiohttp.access").disabled = disabled


@pytest.mark.parametrize("sought", SOUGHT)
def test_the_runbook_finds_in_a_log_what_it_looks_for(sought: str, log: io.StringIO) -> None:
    logger = structlog.get_logger()
    logger.info("request finished", method="GET", status=200)
    logger.info("request finished", method="GET", status=503)
    logger.warning("chunk not claimed")
    logger.error("domain given up", domain="firma.com.tr")
    found = subprocess.run(
        shlex.split(sought), input=log.getvalue(), capture_output=True, text=True, check=False
    ).stdout.splitlines()

    assert found
    assert len(found) < len(log.getvalue().splitlines()), "it finds everything"


@pytest.mark.parametrize("event", ["domain given up", "waiting for the database"])
def test_the_runbook_names_lines_that_are_written(event: str) -> None:
    source = [path.read_text(encoding="utf-8") for path in (DOCS.parent / "hunter").rglob("*.py")]

    assert event in RUNBOOK
    assert any(f'("{event}"' in text for text in source)


def test_the_runbook_looks_into_logs() -> None:
    assert len(SOUGHT) >= 5


def test_what_the_doctor_sends_one_to_is_an_entry_of_the_runbook() -> None:
    sources = (DOCS.parent / "hunter").rglob("*.py")
    anchors = {a for p in sources for a in re.findall(r"docs/runbook\.md([^\"\s]*)", p.read_text())}
    entries = {f"#{name.lower()}" for name in re.findall(r"^## (\w+)$", RUNBOOK, re.MULTILINE)}

    assert anchors
    assert anchors <= entries
