"""docs/dns.md: every check, example and expression in it is real."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from hunter.resolver.checkup import KNOWN_NAMES, MAX_QUESTIONS, MAX_SECONDS
from hunter.resolver.findings import Check, Verdict

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "dns.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```\n(.*?)```", PAGE, re.DOTALL)


def test_the_table_has_a_row_for_each_check_in_its_order() -> None:
    rows = re.findall(r"^\| ([a-z ]+) \|", PAGE, re.MULTILINE)

    assert rows == [check.replace("_", " ") for check in Check]


def test_limits_names_and_verdicts_are_those_of_the_code() -> None:
    assert f"at most {MAX_QUESTIONS} questions and {MAX_SECONDS:g} seconds each" in PAGE
    assert set(KNOWN_NAMES) <= set(re.findall(r"`([a-z.]+)`", PAGE))
    assert ", ".join(f"`{each}`" for each in Verdict) in PAGE


@pytest.mark.tool("unbound-checkconf")
def test_unbound_accepts_the_example_that_includes_ours(tmp_path: Path) -> None:
    (example,) = [block for block in BLOCKS if block.startswith("include:")]
    shipped = ROOT / "helm" / "hunter" / "files" / "unbound.conf"
    path = tmp_path / "unbound.conf"
    path.write_text(example.replace("/etc/unbound/hunter.conf", str(shipped)))

    checked = subprocess.run(
        ["unbound-checkconf", path], capture_output=True, text=True, check=False
    )

    assert checked.returncode == 0, checked.stderr


@pytest.mark.tool("promtool")
def test_prometheus_reads_every_expression(tmp_path: Path) -> None:
    (block,) = [block for block in BLOCKS if "rate(" in block]
    expressions = [line for line in block.splitlines() if not line.startswith("#")]
    rules = [{"record": f"r{n}", "expr": expr} for n, expr in enumerate(expressions)]
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "docs", "rules": rules}]}))

    checked = subprocess.run(
        ["promtool", "check", "rules", path], capture_output=True, text=True, check=False
    )

    assert checked.returncode == 0, checked.stderr
    assert len(rules) == 3
