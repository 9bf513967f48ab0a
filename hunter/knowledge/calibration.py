"""The file of fitted coefficients and of how far they can be trusted: read, checked, written."""

from __future__ import annotations

from typing import Any

import msgspec
import yaml

from hunter.core.facts import Identity
from hunter.core.fit import MARKET, PRIOR
from hunter.core.trial import Calibration
from hunter.knowledge.check import Checker

_HEAD = """\
# What labelled domains made of the hand-set log-odds of identity.yaml, and how far the probabilities can be trusted.
# Written by `hunter rules fit`, read at start. A coefficient that is not listed has too little data and is as set by hand.
# Every figure under held_out, by_hand, scarce, markets and classes is of domains that the model in question had not seen,
# nor any other with their MX operator or tenant; scarce is the same with positives weighted to a tenth.
"""
_DIGITS = 4


def calibration_of(check: Checker, hand: Identity) -> Calibration | None:
    """calibration.yaml, checked against the hand-set model; None, with the problems in `check`."""
    content = check.content("calibration")
    if not content:
        return None
    found: Calibration | None = check.value("calibration", (), content, Calibration)
    if found is None:
        return None
    for number, each in enumerate(found.coefficients):
        path = ("coefficients", number)
        if each.suite == MARKET:
            continue
        table = hand.suites.get(each.suite)
        if table is None or each.feature not in {PRIOR, *table.weights}:
            fix = "fit again with `hunter rules fit`"
            check.add("calibration", path, "identity.yaml has no such suite or feature", fix)
        elif each.mx not in table.prior:
            fix = f"use one of {', '.join(sorted(table.prior))}"
            check.add("calibration", (*path, "mx"), f"no such look of the MX: {each.mx}", fix)
        elif each.feature != PRIOR and each.fitted < 0:
            fix = "better evidence cannot count against what it speaks for: write 0 or more"
            check.add("calibration", (*path, "fitted"), "must not be negative", fix)
    if found.platt.slope <= 0:
        fix = "write 1 to leave probabilities as they are"
        check.add("calibration", ("platt", "slope"), "must be above 0", fix)
    return found


def dump_calibration(calibration: Calibration) -> str:
    """The file's text; the same calibration gives the same bytes."""
    content = _rounded(msgspec.to_builtins(calibration))
    body: str = yaml.safe_dump(
        content, sort_keys=False, default_flow_style=None, width=150, allow_unicode=True
    )
    return _HEAD + body


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, _DIGITS)
    if isinstance(value, dict):
        return {name: _rounded(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(each) for each in value]
    return value
