"""The golden set leaves out nothing that Hunter can say."""

from __future__ import annotations

from typing import get_args

import pytest

from hunter.core.facts import Kind
from hunter.core.judgement import Segment
from hunter.knowledge.load import load_knowledge
from hunter.web.requests import MailState, TenantState
from tests.golden.cases import load_cases, reasoned

RULES = load_knowledge().rules
CASES = [(theme, case) for theme, cases in load_cases().items() for case in cases]
#: so many the set must hold at least
FEWEST = 150


def _expected(name: str) -> set[object]:
    return {getattr(case.expect, name) for _, case in CASES}


def test_set_is_large_enough_and_every_case_has_its_own_name() -> None:
    names = [case.name for _, case in CASES]
    assert len(names) >= FEWEST
    assert len(set(names)) == len(names)


def test_every_case_is_argued_in_one_sentence() -> None:
    poor = [
        case.name
        for _, case in CASES
        if not case.because.endswith(".") or "\n" in case.because.strip()
    ]
    assert poor == []


@pytest.mark.parametrize(
    ("field", "closed_set"),
    [
        ("segment", set(Segment)),
        ("tenant_state", set(get_args(TenantState))),
        ("mail_state", set(get_args(MailState))),
        ("priority", {1, 2, 3, 4, 5, 6}),
        ("posture", {"A", "B", "C", "D", "E", "F", None}),
        ("confidence_word", {"sure", "likely", "unsure", "unknown"}),
        ("dmarc_policy", {"reject", "quarantine", "none", "absent", "unknown"}),
        ("scan_status", {"ok", "unknown"}),
    ],
)
def test_set_argues_every_value_of(field: str, closed_set: set[object]) -> None:
    assert closed_set - _expected(field) == set()


def test_set_holds_every_kind_of_provider() -> None:
    operators = {RULES.providers.get(str(name)) for name in _expected("mx_operator")}
    operators |= {RULES.providers.get(str(name)) for name in _expected("provider")}
    kinds = {row.kind for row in operators if row is not None}
    # a faulty MX record has no row of its own as operator
    assert set(Kind) - kinds - {Kind.NONE} == set()


def test_set_reaches_every_row_of_the_verdict_table() -> None:
    reached = {reasoned(case).verdict.id for _, case in CASES}
    # the last row has no condition: it is there for policies whose rows leave a gap
    rows = [row.id for row in RULES.verdicts.rows if row.when]
    assert [row for row in rows if row not in reached] == []


def test_every_way_into_skip_is_argued_by_its_name() -> None:
    silent = [
        case.name
        for _, case in CASES
        if case.expect.segment is Segment.SKIP and not isinstance(case.expect.reason_code, str)
    ]
    assert silent == []
