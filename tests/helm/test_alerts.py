"""Alert rules and dashboard: promtool's own tests, metrics that exist, and an entry in the runbook for each."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from hunter.core.answers import Outcome
from hunter.ops.metrics import LABELS, Metrics
from tests.helm.faults import EXPECTED, FIXTURES, metrics_of_rules

ROOT = Path(__file__).parents[2]
FILES = ROOT / "helm" / "hunter" / "files"
RULES = FILES / "hunter.rules.yaml"
CASES = Path(__file__).parent / "alerts"
RUNBOOK = ROOT / "docs" / "runbook.md"

GROUPS: list[dict[str, Any]] = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
ALERTS: dict[str, dict[str, Any]] = {
    rule["alert"]: rule for group in GROUPS for rule in group["rules"] if "alert" in rule
}
RECORDED = {rule["record"] for group in GROUPS for rule in group["rules"] if "record" in rule}
DASHBOARD: dict[str, Any] = json.loads((FILES / "dashboard.json").read_text(encoding="utf-8"))

#: words of PromQL that look like a metric's name to the expression below
_WORDS = frozenset(
    [
        "sum",
        "max",
        "min",
        "count",
        "rate",
        "increase",
        "absent",
        "and",
        "or",
        "unless",
        "by",
        "on",
        "offset",
        "time",
        "topk",
        "le",
        "histogram_quantile",
    ]
)


def metric_names(expression: str) -> set[str]:
    """The names of metrics in an expression: what is left without labels, strings and PromQL."""
    bare = re.sub(r"\{[^}]*\}", " ", expression)
    bare = re.sub(r"\bby \([^)]*\)|\[[^\]]*\]|\boffset \w+|\$__\w+", " ", bare)
    return set(re.findall(r"[a-zA-Z_:][\w:]*", bare)) - _WORDS


def expressions() -> dict[str, str]:
    rules = {r.get("alert", r.get("record")): r["expr"] for g in GROUPS for r in g["rules"]}
    panels = {
        f"{panel['title']} {target['refId']}": target["expr"]
        for panel in DASHBOARD["panels"]
        for target in panel.get("targets", [])
    }
    return rules | panels


def known() -> set[str]:
    """Names as Prometheus sees them: a histogram is three."""
    names = set()
    for each in Metrics().registry.get_all():
        is_histogram = type(each).__name__ == "Histogram"
        names |= {each.name + end for end in (("_bucket", "_sum", "_count") if is_histogram else ("",))}  # fmt: skip
    return names | RECORDED | {"up"}


@pytest.mark.parametrize(("where", "expression"), expressions().items())
def test_every_metric_of_rules_and_dashboard_exists(where: str, expression: str) -> None:
    names = metric_names(expression)

    assert names, where
    assert names <= known()


@pytest.mark.parametrize(("where", "expression"), expressions().items())
def test_every_label_asked_for_is_one_the_metric_has(where: str, expression: str) -> None:
    everywhere = {"job", "instance", "namespace", "le"}
    for name, selector in re.findall(r"([a-zA-Z_]\w*)\{([^}]*)\}", expression):
        asked = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", re.sub(r'"[^"]*"', '""', selector)))
        has = set(LABELS.get(name.removesuffix("_bucket"), ()))
        assert asked <= has | everywhere, f"{where}: {name}"


def test_what_counts_as_unknown_is_every_outcome_but_the_known_and_the_budget() -> None:
    (left_out,) = re.findall(r'outcome!~"([^"]+)"', ALERTS["DNSUnknownShareHigh"]["expr"])

    known_outcomes = {each.value for each in Outcome if each.is_known}
    assert set(left_out.split("|")) == known_outcomes | {Outcome.BUDGET.value}


@pytest.mark.parametrize("name", ALERTS)
def test_every_alert_says_how_bad_it_is_what_it_means_and_where_to_read(name: str) -> None:
    rule = ALERTS[name]

    assert rule["labels"]["severity"] in {"warning", "critical"}
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
    assert rule["annotations"]["runbook_url"] == f"docs/runbook.md#{name.lower()}"
    # a ratio printed bare reads "0.06"; one with % behind it reads "0.06%"
    assert not re.search(r"\$value \}\} ?%", rule["annotations"]["description"])


def test_the_runbook_has_an_entry_for_each_alert_and_no_other() -> None:
    text = RUNBOOK.read_text(encoding="utf-8")
    entries = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL))
    parts = ("**Symptom.**", "**First look.**", "**Diagnosis.**", "**Fix.**", "**Over when**")

    assert set(entries) - {"Restore"} == set(ALERTS)
    for name in ALERTS:
        assert [p for p in parts if p not in entries[name]] == [], name
        assert "```" in entries[name], f"{name}: no command"


def test_the_guides_four_alerts_keep_their_names() -> None:
    assert {
        "HighErrorRate",
        "HighLatency",
        "DBConnectionPoolExhausted",
        "HighArqTaskFailureRate",
    } <= set(ALERTS)


def test_every_alert_is_seen_firing_and_seen_silent() -> None:
    fires: set[str] = set()
    silent: set[str] = set()
    for path in CASES.glob("*.test.yaml"):
        for case in yaml.safe_load(path.read_text(encoding="utf-8"))["tests"]:
            for each in case.get("promql_expr_test", []):
                (name,) = re.findall(r'alertname="(\w+)"', each["expr"])
                (fires if each["exp_samples"] else silent).add(name)
            for each in case.get("alert_rule_test", []):
                fires.add(each["alertname"])

    assert fires >= set(ALERTS)
    assert silent >= set(ALERTS)


@pytest.mark.tool("promtool")
def test_prometheus_reads_the_rules() -> None:
    _promtool("check", "rules", str(RULES))


@pytest.mark.tool("promtool")
@pytest.mark.parametrize("path", sorted(CASES.glob("*.test.yaml")), ids=lambda path: path.stem)
def test_rules_do_what_their_cases_say(path: Path) -> None:
    _promtool("test", "rules", str(path))


def _promtool(*arguments: str) -> None:
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.tool("promtool")
@pytest.mark.parametrize("fault", EXPECTED)
def test_a_real_fault_raises_the_right_alert_and_none_of_another_cause(fault: str) -> None:
    _promtool("test", "rules", str(FIXTURES / f"{fault}.test.yaml"))


@pytest.mark.parametrize("fault", EXPECTED)
def test_a_recording_is_whole_and_expects_what_the_harness_says(fault: str) -> None:
    recorded = yaml.safe_load((FIXTURES / f"{fault}.test.yaml").read_text(encoding="utf-8"))
    (case,) = recorded["tests"]
    silent, firing = case["promql_expr_test"]
    names = {re.findall(r'"(\w+)"', sample["labels"])[0] for sample in firing["exp_samples"]}

    assert names == EXPECTED[fault]
    assert silent["exp_samples"] == []
    seen = {series["series"].split("{")[0] for series in case["input_series"]}
    lacking = {n for n in metrics_of_rules() & known() if n not in seen} - {"hunter_deliveries"}
    # what is 0 of HTTP is left out of a recording
    assert lacking <= {"http_requests_errors_total"}
