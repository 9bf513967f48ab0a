"""`python -m tests.conformance.report`: every suite against Hunter in one table; ends with 1 on a missed floor."""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import pytest

from tests.conformance.conftest import ABSENT, FOLDER

#: the property under which a test that runs a whole file tells its counts
COUNTED: Final = "conformance"
#: runners that take their cases otherwise than by `CASES`
_RUNNERS: Final = {
    "test_spf_check_host": "spf/pyspf_rfc7208-tests.yml",
    "test_rdap": "rdap/testdata",
    "test_public_suffixes": "psl/*.txt",
    "test_uts46_vectors": "idna/IdnaTestV2.txt",
}
#: no suites
_NO_CASES: Final = ("README.md", "LICENSE", "*.LICENSE")
#: suites of what Hunter does not do yet, and why nothing runs them
_LATER: Final[dict[str, str]] = {}
_LIST: Final = Path(".local/conformance/idna_differences.txt")


class Row:
    """One suite."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.cases = self.passed = 0
        #: reason → cases that are answered otherwise on purpose
        self.argued: Counter[str] = Counter()
        self.not_run: Counter[str] = Counter()
        self.floor = "every case, or argued"
        self.is_met = True
        #: why there is no runner and no floor, "" when there is
        self.later = ""

    @property
    def is_ok(self) -> bool:
        return bool(self.later) or (self.is_met and self.cases > 0 and not self.not_run)

    def cells(self) -> tuple[str, ...]:
        return (
            self.name,
            str(self.cases),
            str(self.passed),
            str(self.argued.total() or ""),
            "none yet" if self.later else self.floor,
            "later" if self.later else "ok" if self.is_ok else "MISSED",
        )


class Tally:
    """A pytest plugin that counts what became of the cases of each suite."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self.failures: list[str] = []
        self.differences: list[str] = []
        self._suite_of: dict[str, str] = {}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Note which suite each test belongs to."""
        for item in items:
            function = getattr(item, "originalname", "") or item.name
            module = getattr(item, "module", None)
            cases = getattr(module, "CASES", {})
            suite = cases[function][0] if function in cases else _RUNNERS.get(function)
            suite = suite or _RUNNERS.get(item.path.stem)
            if suite is not None:
                self._suite_of[item.nodeid] = suite

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count one outcome."""
        if report.when != "call" and report.outcome == "passed":
            return
        if report.outcome == "failed":
            self.failures.append(report.nodeid)
        told = dict(report.user_properties).get(COUNTED)
        if isinstance(told, dict) and "floors" in told:
            self._count_floors(report.nodeid, told["floors"])
        elif report.nodeid in self._suite_of:
            name = self._suite_of[report.nodeid]
            row = self.rows.setdefault(name, Row(name))
            if isinstance(told, dict):
                self._count_file(row, told)
            else:
                _count_case(row, report)

    def _count_file(self, row: Row, told: dict[str, Any]) -> None:
        argued = Counter(told.get("argued", {}))
        row.cases += told["cases"]
        row.argued += argued
        row.passed += told["cases"] - told["failed"] - argued.total()
        row.is_met &= not told["failed"]
        self.differences += told.get("list", [])

    def _count_floors(self, nodeid: str, floors: Iterable[dict[str, Any]]) -> None:
        corpus = nodeid.rpartition("[")[2].rstrip("]").removesuffix(".json.gz")
        for each in floors:
            row = Row(f"corpus {corpus}: {each['name']}")
            row.cases, row.passed = each["rows"], each["called"]
            share = each["called"] / each["rows"] if each["rows"] else 0.0
            sign, row.is_met = (
                ("at most", share <= each["bound"])
                if each["is_upper"]
                else ("at least", share >= each["bound"])
            )
            row.floor = f"{sign} {each['bound']:.2f}: {share:.3f}"
            self.rows[row.name] = row


def _count_case(row: Row, report: pytest.TestReport) -> None:
    row.cases += 1
    if report.outcome == "passed":
        row.passed += 1
    elif report.outcome == "skipped":
        reason = str(getattr(report, "wasxfail", ""))
        if reason:
            row.argued[reason.removeprefix("reason: ")] += 1
        else:
            said = report.longrepr[2] if isinstance(report.longrepr, tuple) else "skipped"
            row.not_run[str(said).removeprefix("Skipped: ")] += 1
    else:
        row.is_met = False


def without_runner(folder: Path, rows: Iterable[str]) -> list[Row]:
    """Files of the folder that no test reads: a suite nobody runs is a floor missed."""
    read = [*rows, "provider_corpus/*"]
    found = []
    for path in sorted(each for each in folder.rglob("*") if each.is_file()):
        name = path.relative_to(folder)
        is_read = any(name.match(each) or each in map(str, name.parents) for each in read)
        if is_read or any(name.match(each) for each in _NO_CASES):
            continue
        row = Row(str(name))
        if str(name) in _LATER:
            row.later = _LATER[str(name)]
        else:
            row.not_run["no runner"] += 1
        found.append(row)
    return found


def table(rows: Iterable[Row]) -> list[str]:
    """The rows as lines with columns."""
    lines = [("suite", "cases", "passed", "argued", "floor", ""), *(row.cells() for row in rows)]
    widths = [max(len(line[place]) for line in lines) for place in range(6)]
    return [
        "  ".join(
            cell.rjust(width) if 0 < place < 4 else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]


def main() -> int:
    """Run, print, and say whether every floor is met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--list", type=Path, default=_LIST, help=f"IDNA differences go here ({_LIST})"
    )
    arguments = parser.parse_args()
    if not FOLDER.exists():
        print(ABSENT, file=sys.stderr)
        return 1
    tally = Tally()
    told = io.StringIO()
    with contextlib.redirect_stdout(told):
        code = pytest.main(
            [str(Path(__file__).parent), "-q", "-p", "no:randomly", "--tb=line"], plugins=[tally]
        )
    rows = [*tally.rows.values(), *without_runner(FOLDER, tally.rows)]
    rows.sort(key=lambda row: row.name)
    print("\n".join(table(rows)))
    for row in rows:
        for reasons, word in ((row.argued, "argued"), (row.not_run, "not run")):
            for reason, n in reasons.items():
                print(f"{row.name}: {n} {word}: {reason}")
        if row.later:
            print(f"{row.name}: later: {row.later}")
    for failure in tally.failures:
        print(f"failed: {failure}")
    if tally.differences:
        arguments.list.parent.mkdir(parents=True, exist_ok=True)
        arguments.list.write_text("\n".join(tally.differences) + "\n", encoding="utf-8")
        print(f"every IDNA line that differs, with its class: {arguments.list}")
    missed = [row.name for row in rows if not row.is_ok]
    later = sum(bool(row.later) for row in rows)
    met = len(rows) - len(missed) - later
    print(f"{met} floors met, {len(missed)} missed, {later} suites for later")
    if code not in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED}:
        print(told.getvalue(), file=sys.stderr)
    return 1 if missed or code != pytest.ExitCode.OK else 0


if __name__ == "__main__":
    sys.exit(main())
