"""What Hunter has to say about hand-argued zones."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from hunter.core.judgement import Judgement
from tests.golden.cases import Case, judged, load_cases

CASES = [(theme, case) for theme, cases in load_cases().items() for case in cases]


def _parameters() -> list[Any]:
    return [
        pytest.param(
            case,
            id=f"{theme}: {case.name}",
            marks=[pytest.mark.xfail(reason=case.xfail)] if case.xfail else [],
        )
        for theme, case in CASES
    ]


@pytest.mark.parametrize("case", _parameters())
def test_zone_is_judged_as_argued(case: Case) -> None:
    found = judged(case)
    wanted = msgspec.to_builtins(case.expect)
    lines, no_lines, findings = (wanted.pop(name, []) for name in ("lines", "no_lines", "findings"))
    assert {name: _said(found, name) for name in wanted} == wanted, case.because
    codes = {line.code for line in found.lines}
    assert set(lines) <= codes, case.because
    assert codes.isdisjoint(no_lines), case.because
    assert set(findings) <= {each.code for each in found.findings}, case.because


def _said(found: Judgement, name: str) -> object:
    if name == "products":
        return [product.id for product in found.products]
    return msgspec.to_builtins(getattr(found, name))
