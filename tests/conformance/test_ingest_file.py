"""What users paste, as rows of one file: each comes back as a company or refused under its line."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable

import yaml

from hunter.pipeline.companies import Company, open_companies
from tests.conformance.report import COUNTED


def test_ingest_cases_as_one_file(
    conformance_file: Callable[[str], str], record_property: Callable[[str, object], None]
) -> None:
    cases = yaml.safe_load(conformance_file("ingest_cases.yml"))["cases"]
    # the other section of the suffix list is for single names; a list of companies has no switch
    cases = [each for each in cases if "PRIVATE section switched on" not in each.get("note", "")]
    buffer = io.StringIO()
    table = csv.writer(buffer)
    table.writerow(["Firma", "Website"])
    lines = {}
    for number, case in enumerate(cases):
        lines[buffer.getvalue().count("\n") + 1] = case
        table.writerow([f"Firma {number}", case["input"]])

    found = {}
    for entry in open_companies(io.BytesIO(buffer.getvalue().encode())).entries:
        told = (
            {"domain": entry.domain.name}
            if isinstance(entry, Company)
            else {"reject": entry.reason}
        )
        found[entry.line] = told

    # a cell with nothing in it is a row without an address
    empty = {"reject": "no_address"}
    wanted = {
        line: empty
        if case.get("reject") == "empty"
        else {key: case[key] for key in ("domain", "reject") if key in case}
        for line, case in lines.items()
    }
    wrong = {
        line: (found.get(line), want) for line, want in wanted.items() if found.get(line) != want
    }
    record_property(COUNTED, {"cases": len(cases), "failed": len(wrong)})
    assert wrong == {}
    assert found.keys() == wanted.keys()
