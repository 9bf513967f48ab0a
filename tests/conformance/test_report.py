"""The table of suites: what counts as met, missed, argued and for later."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pytest

import tests.conformance.report
from tests.conformance.report import COUNTED, Row, Tally, table, without_runner


def report(
    nodeid: str, outcome: Literal["passed", "failed", "skipped"] = "passed", **more: Any
) -> pytest.TestReport:
    properties = [(COUNTED, more["told"])] if "told" in more else []
    found = pytest.TestReport(
        nodeid, ("", 0, ""), {}, outcome, more.get("longrepr"), "call", user_properties=properties
    )
    if "wasxfail" in more:
        found.wasxfail = more["wasxfail"]
    return found


def tally(*reports: pytest.TestReport) -> Tally:
    found = Tally()
    for each in reports:
        found._suite_of[each.nodeid] = "suite.yml"
        found.pytest_runtest_logreport(each)
    return found


def test_a_case_that_fails_misses_the_floor() -> None:
    row = tally(report("a"), report("b", "failed")).rows["suite.yml"]
    assert (row.cases, row.passed, row.is_ok) == (2, 1, False)


def test_an_argued_case_does_not_and_keeps_its_reason() -> None:
    row = tally(report("a"), report("b", "skipped", wasxfail="reason: another reading")).rows[
        "suite.yml"
    ]
    assert (row.passed, dict(row.argued), row.is_ok) == (1, {"another reading": 1}, True)


def test_a_case_that_is_not_run_misses_the_floor() -> None:
    row = tally(report("a", "skipped", longrepr=("f.py", 1, "Skipped: no such thing"))).rows[
        "suite.yml"
    ]
    assert dict(row.not_run) == {"no such thing": 1}
    assert not row.is_ok


def test_a_file_of_cases_counts_each_of_them() -> None:
    told = {"cases": 10, "failed": 1, "argued": {"bidi": 2}, "list": ["line 1"]}
    found = tally(report("a", told=told))
    row = found.rows["suite.yml"]
    assert (row.cases, row.passed, row.argued.total(), row.is_ok) == (10, 7, 2, False)
    assert found.differences == ["line 1"]


@pytest.mark.parametrize(
    ("called", "bound", "is_upper", "is_met"),
    [
        (97, 0.97, False, True),
        (96, 0.97, False, False),
        (3, 0.03, True, True),
        (4, 0.03, True, False),
    ],
)
def test_a_floor_is_met_at_its_bound(
    called: int, bound: float, is_upper: bool, is_met: bool
) -> None:
    floor = {"name": "x", "rows": 100, "called": called, "bound": bound, "is_upper": is_upper}
    (row,) = tally(report("t[at.json.gz]", told={"floors": [floor]})).rows.values()
    assert row.name == "corpus at: x"
    assert row.is_ok == is_met


def test_a_file_that_no_test_reads_is_a_floor_missed_unless_it_is_for_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(tests.conformance.report._LATER, "later.yml", "not done yet")
    for name in ("read.yml", "new/cases.yml", "later.yml", "README.md", "psl/a.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = without_runner(tmp_path, ["read.yml", "psl/*.txt"])
    assert [(row.name, row.is_ok) for row in found] == [
        ("later.yml", True),
        ("new/cases.yml", False),
    ]


def test_the_table_has_a_line_for_each_suite_and_says_what_is_missed() -> None:
    lines = table([Row("nothing.yml")])
    assert lines[0].split() == ["suite", "cases", "passed", "argued", "floor"]
    assert lines[1].endswith("MISSED")
