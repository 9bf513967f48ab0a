"""Real rows of the conformance corpus: floors of recall and of false positives."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from hunter.core.answers import Answer, Depth, Outcome, RRType, Survey, survey_of
from hunter.core.judge import judge
from hunter.core.judgement import NO_HISTORY
from hunter.knowledge.load import load_knowledge

AS_OF = dt.date(2026, 4, 30)
_TARGET = re.compile(r"CNAME → (\S+)")
_SELECTOR = re.compile(r"DKIM (\S+) CNAME → (\S+)")
_MICROSOFT_TXT = "MS=ms12345678"


@pytest.fixture(scope="module")
def rows(conformance_bytes: Callable[[str], bytes]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(
        gzip.decompress(conformance_bytes("provider_corpus/at_2026-04.json.gz"))
    )
    return found


def survey_from(row: dict[str, Any], *, with_signals: bool) -> Survey:
    """What quick depth sees of a row; everything the row does not name is proved absent."""
    domain = row["domain"]
    txt = [row["spf"]] if row.get("spf") else []
    found: dict[tuple[RRType, str], tuple[list[str], tuple[str, ...]]] = {
        (RRType.MX, ""): ([f"10 {host}" for host in row.get("mx", [])], ()),
        (RRType.CNAME, "autodiscover"): ([], ()),
        (RRType.CNAME, "enterpriseregistration"): ([], ()),
        (RRType.TXT, "_dmarc"): ([], ()),
    }
    for signal in row.get("signals", []) if with_signals else []:
        if signal == "txt_verification: TXT verification matches ms365":
            txt.append(_MICROSOFT_TXT)
        elif signal.startswith("autodiscover: autodiscover CNAME"):
            target = _TARGET.search(signal)
            assert target is not None
            found[RRType.CNAME, "autodiscover"] = ([target[1]], ())
        elif signal.startswith("dkim: ") and (match := _SELECTOR.search(signal)):
            label = match[1].removesuffix("." + domain)
            found[RRType.TXT, label] = ([], (match[2],))
    found[RRType.TXT, ""] = (txt, ())
    answers = []
    for (rrtype, label), (records, chain) in found.items():
        name = f"{label}.{domain}" if label else domain
        absent = Outcome.NXDOMAIN if label else Outcome.NODATA
        outcome = Outcome.FOUND if records else absent
        answers.append(Answer(name, rrtype, outcome, tuple(records), chain))
    return survey_of(domain, Depth.QUICK, answers)


def is_microsoft(row: dict[str, Any], *, with_signals: bool) -> bool:
    rules = load_knowledge().rules
    judged = judge(survey_from(row, with_signals=with_signals), NO_HISTORY, rules, AS_OF)
    return judged.provider == "microsoft365"


def has_microsoft_mx(row: dict[str, Any]) -> bool:
    mx = load_knowledge().rules.mx
    return any(mx.find(host) == "microsoft365" for host in row.get("mx", []))


def test_microsoft_behind_its_own_mx_is_recalled(rows: list[dict[str, Any]]) -> None:
    visible = [row for row in rows if row["provider"] == "microsoft" and has_microsoft_mx(row)]
    found = sum(is_microsoft(row, with_signals=False) for row in visible)
    assert len(visible) > 700
    assert found / len(visible) >= 0.97


def test_microsoft_behind_another_mx_is_recalled_with_the_rows_signals(
    rows: list[dict[str, Any]],
) -> None:
    hidden = [row for row in rows if row["provider"] == "microsoft" and not has_microsoft_mx(row)]
    found = sum(is_microsoft(row, with_signals=True) for row in hidden)
    assert len(hidden) > 500
    assert found / len(hidden) >= 0.90


@pytest.mark.parametrize("with_signals", [False, True])
def test_few_domains_are_wrongly_called_microsoft(
    rows: list[dict[str, Any]], *, with_signals: bool
) -> None:
    others = [row for row in rows if row["provider"] != "microsoft"]
    wrong = sum(is_microsoft(row, with_signals=with_signals) for row in others)
    assert len(others) > 600
    assert wrong / len(others) <= 0.03
