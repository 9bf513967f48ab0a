"""What a sound policy contains that can never count, and whether that is true of what judging finds."""

from __future__ import annotations

import re
from itertools import chain

import pytest

from hunter.knowledge.load import build_knowledge, load_knowledge, shipped_texts
from hunter.knowledge.logic import DATED, closure, exclusive
from hunter.knowledge.review import review
from tests.golden.cases import load_cases, reasoned

RULES_TEXT = shipped_texts()["rules"]


def remarks(*edits: tuple[str, str]) -> list[str]:
    text = RULES_TEXT
    for old, new in edits:
        assert old in text, old
        text = text.replace(old, new, 1)
    return [str(each) for each in review(build_knowledge(shipped_texts() | {"rules": text}).rules)]


def test_every_row_of_the_shipped_rules_can_count() -> None:
    assert review(load_knowledge().rules) == []


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("{id: posture, cap: 6", "{id: posture, cap: 0", "groups posture: its cap of 0 leaves nothing to its rules"),
        ("groups:\n", "groups:\n- {id: spare, cap: 1, pick: sum}\n", "groups spare: no rule is in it"),
        ("points: 4, when: [regional]", "points: 0, when: [regional]", "rules regional_operator: can never count: it is worth 0 points"),
        ("when: [regional]", "when: [mail_hosting, mail_microsoft]", "rules regional_operator: can never count: mail_hosting and mail_microsoft never hold together"),
        ("when: [regional]", "when: [tenant_set_up, mail_microsoft]", "mail_microsoft and tenant_without_mail never hold together"),
        ("points: 10, half_life: 30, when: [gateway_gone]", "points: 10, half_life: 30, when: [gateway]", "rules gateway_gone: can never count: none of its facts has a date"),
        ("growth_signal: growth", "growth_spurt: growth", "rules growth: can never count: no product has a relation that makes the fact growth"),
        ("growth_signal: growth", "growth_spurt: growth", "relations growth_spurt: no product has this relation"),
        ("urgency: 40}", "urgency: 0}", "rules mx_moved: can never count: axis urgency has a cap of 0"),
        ("points: 14, when: [migrating_in, mail_mixed]", "points: 14, when: [tenant_without_mail, tenant_set_up, gateway]", "rules migrating_in_part: can never count: tenant_without_mail holds wherever it does and is worth as much or more"),
        ("points: 3, when: [spf_gap]", "points: 6, when: [dmarc_not_enforced, spf_gap]", None),
        ("points: 3, when: [dmarc_not_enforced]", "points: 6, when: [dmarc_not_enforced]", None),
        ("{id: not_a_company, when: [not_a_company]", "{id: not_a_company, when: [domain_missing, not_a_company]", "verdicts not_a_company: shadowed by domain_missing, which stands above"),
        ("{id: null_mx, when: [null_mx]", "{id: null_mx, when: [null_mx, parked]", "verdicts null_mx: can never be the verdict: null_mx and parked never hold together"),
        ("- {priority: 4, segments: [existing]}", "- {priority: 4, segments: [existing], any_of: [spf_gap, erp_rival]}", "priorities row N: shadowed by row N, which fits wherever it does"),
        ("any_of: [tenant_without_mail, migrating_in]}", "all_of: [mail_hosting], any_of: [mail_microsoft, parked]}", "priorities row N: can never fit: none of its facts can hold"),
        ("all_of: [tenant_claimed, mail_none_likely]", "all_of: [tenant_claimed, tenant_set_up]", "priorities row N: can never fit: tenant_claimed and tenant_set_up never hold together"),
    ],
)  # fmt: skip
def test_row_that_can_never_count_is_told_with_the_reason(
    old: str, new: str, told: str | None
) -> None:
    found = remarks((old, new))
    shipped = remarks()
    if told is None:
        assert found == shipped
    else:
        # rows of priorities have numbers, which move when one is put in
        numbered = [re.sub(r"row \d+", "row N", each) for each in found]
        assert any(told in each for each in numbered), found


def test_rule_behind_one_that_fills_its_group_is_told() -> None:
    found = remarks(
        ("points: 3, when: [dmarc_not_enforced]", "points: 6, when: [dmarc_not_enforced]"),
        ("points: 3, when: [spf_gap]", "points: 3, when: [dmarc_not_enforced, spf_gap]"),
    )
    told = "rules spf_gap: can never count: dmarc_not_enforced holds wherever it does and fills the group"
    assert told in found


def test_what_excludes_and_implies_is_true_of_every_argued_case() -> None:
    cases = list(chain.from_iterable(load_cases().values()))
    assert len(cases) >= 150
    for case in cases:
        facts = reasoned(case).case.facts
        assert exclusive(facts) is None, case
        assert closure(facts) == set(facts), case
        assert {name for name, fact in facts.items() if fact.date} <= DATED, case
