"""Points out of facts: caps, decay, words, and what must hold whatever the policy."""

from __future__ import annotations

import datetime as dt
import itertools

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunter.core.facts import PriorityRow, Rule, Rules
from hunter.core.judgement import Axis, Evidence, Segment
from hunter.core.score import Fact, capital, fill, priority_row, score_lines, total, verdict
from hunter.core.tables import FactTable
from hunter.knowledge.load import load_knowledge

AS_OF = dt.date(2026, 11, 23)
NAMES = {"provider": "Natro", "operator": "Mimecast"}
PROOF = (Evidence("contoso.com MX", "found", "10 mx.contoso.com"),)
RULES = load_knowledge().rules
FACTS = sorted({fact for rule in RULES.rules.rows for fact in rule.when})
COSTLY = {fact for rule in RULES.rules.rows if rule.points < 0 for fact in rule.when}


def facts(*names: str, date: dt.date | None = AS_OF) -> dict[str, Fact]:
    return {name: Fact(PROOF, "something", date) for name in names}


def points(*names: str) -> int:
    return sum(line.points for line in score_lines(facts(*names), RULES, NAMES, AS_OF))


def test_line_carries_axis_code_sentence_and_evidence() -> None:
    (line,) = score_lines(facts("mail_hosting"), RULES, NAMES, AS_OF)
    assert (line.axis, line.code, line.points) == (Axis.FIT, "mail_hosting", 30)
    assert "Natro" in line.reason
    assert line.evidence == PROOF


def test_nothing_proved_is_worth_nothing() -> None:
    assert score_lines({}, RULES, NAMES, AS_OF) == ()


def test_group_of_the_best_counts_one_rule() -> None:
    lines = score_lines(facts("mail_hosting", "mail_competitor_suite"), RULES, NAMES, AS_OF)
    assert [line.code for line in lines] == ["mail_hosting"]


def test_group_of_sums_stops_at_its_cap() -> None:
    names = ("existing_dynamics", "crm_rival", "erp_rival", "ai_rival")
    assert points(*names) == RULES.groups["products"].cap


def test_axis_stops_at_its_cap() -> None:
    lines = score_lines(facts(*FACTS), RULES, NAMES, AS_OF)
    costs = sum(line.points for line in lines if line.points < 0)
    assert total(lines, Axis.FIT) == RULES.axis_caps[Axis.FIT] + costs
    assert total(lines, Axis.URGENCY) == RULES.axis_caps[Axis.URGENCY]


def test_negative_points_never_go_below_nothing() -> None:
    assert points("is_msp") == 0
    assert points("is_msp", "mail_forwarded") == 0
    assert points("is_msp", "mail_hosting") == 10


@pytest.mark.parametrize(("days", "worth"), [(0, 30), (30, 15), (60, 8), (300, 0)])
def test_dated_rule_is_worth_half_after_each_half_life(days: int, worth: int) -> None:
    happened = facts("tenant_appeared", date=AS_OF - dt.timedelta(days))
    lines = score_lines(happened, RULES, NAMES, AS_OF)
    assert sum(line.points for line in lines) == worth
    assert all(f"{days} days ago" in line.reason for line in lines)


def test_end_of_a_product_presses_before_it_and_after() -> None:
    sums = [
        sum(
            line.points
            for line in score_lines(
                facts("product_end", date=AS_OF + dt.timedelta(days)), RULES, NAMES, AS_OF
            )
        )
        for days in (-90, 0, 90)
    ]
    assert sums == [10, 20, 10]


def test_dated_rule_without_a_date_is_worth_nothing() -> None:
    assert score_lines(facts("tenant_appeared", date=None), RULES, NAMES, AS_OF) == ()


def test_every_sentence_of_the_policy_can_be_filled() -> None:
    for rule in RULES.rules.rows:
        for line in score_lines(facts(*rule.when), RULES, NAMES, AS_OF):
            assert "{" not in line.reason
            assert line.reason[0].isupper()
    everything = facts(*FACTS, *(fact for row in RULES.verdicts.rows for fact in row.when))
    sentences = [row.sentence for row in RULES.verdicts.rows]
    sentences += [row.sentence for row in RULES.changes.rows]
    for sentence in sentences:
        assert "{" not in fill(sentence, everything, NAMES, AS_OF)


def test_fact_without_a_date_gives_no_days() -> None:
    assert fill("x {days_a}", {"a": Fact(PROOF)}, NAMES, AS_OF) == "X "


def test_sentence_begins_with_a_capital() -> None:
    assert capital("natro") == "Natro"
    assert capital("") == ""


def test_verdict_is_the_first_row_that_holds() -> None:
    assert verdict(facts("null_mx", "mail_hosting"), RULES).id == "null_mx"
    assert verdict({}, RULES).id == "nothing"


def rank(
    segment: Segment, *names: str, score: int = 30, urgency: int = 0, sure: float | None = 0.9
) -> int:
    row = priority_row(
        RULES.priorities,
        facts(*names),
        segment=segment,
        score=score,
        urgency=urgency,
        confidence=sure,
    )
    assert row is not None
    return row.priority


@pytest.mark.parametrize(
    ("got", "wanted"),
    [
        (rank(Segment.SKIP), 6),
        (rank(Segment.UNKNOWN), 6),
        (rank(Segment.MIGRATION, "tenant_without_mail"), 1),
        (rank(Segment.MIGRATION, "tenant_without_mail", sure=0.54), 5),
        (rank(Segment.MIGRATION, "tenant_without_mail", sure=None), 5),
        (rank(Segment.MIGRATION, urgency=20), 1),
        (rank(Segment.MIGRATION), 2),
        (rank(Segment.MIGRATION, score=10), 5),
        (rank(Segment.EXISTING, "dmarc_not_enforced"), 3),
        (rank(Segment.EXISTING), 4),
        (rank(Segment.COLD), 5),
    ],
)
def test_priority_comes_from_one_table(got: int, wanted: int) -> None:
    assert got == wanted


def test_segment_that_no_row_speaks_of_has_no_priority() -> None:
    row = PriorityRow(priority=1, segments=frozenset({Segment.SKIP}))
    none = priority_row([row], {}, segment=Segment.COLD, score=0, urgency=0, confidence=None)
    assert none is None


def test_rows_come_in_the_order_of_the_table() -> None:
    def row(name: str, *when: str) -> Rule:
        return Rule(name, Axis.FIT, "g", 1, when, "")

    table = FactTable([row("c"), row("b", "x", "y"), row("a", "y"), row("d", "y", "z")])
    assert [each.id for each in table.holding({"y": 1, "x": 1})] == ["c", "b", "a"]


some_facts = st.sets(st.sampled_from(FACTS))
some_date = st.dates(dt.date(2023, 1, 1), dt.date(2029, 1, 1))


@given(some_facts, some_date)
def test_score_is_within_0_and_100_and_equal_to_the_sum_of_its_lines(
    names: set[str], date: dt.date
) -> None:
    lines = score_lines(facts(*sorted(names), date=date), RULES, NAMES, AS_OF)
    fit, urgency = total(lines, Axis.FIT), total(lines, Axis.URGENCY)
    assert 0 <= fit <= 60
    assert 0 <= urgency <= 40
    assert fit + urgency == sum(line.points for line in lines)
    assert all(line.points and line.evidence and line.reason for line in lines)


@given(some_facts, st.sampled_from(FACTS))
def test_one_more_reason_to_call_never_lowers_the_score(names: set[str], more: str) -> None:
    if more not in COSTLY:
        assert points(*sorted(names | {more})) >= points(*sorted(names))


def _groups(rules: Rules) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for rule in rules.rules.rows:
        if rule.points > 0:
            found.setdefault(rule.group, []).extend(rule.when)
    return {group: sorted(set(names)) for group, names in found.items()}


@pytest.mark.parametrize("group", sorted(_groups(RULES)))
def test_all_combinations_inside_a_group_are_monotone(group: str) -> None:
    names = _groups(RULES)[group]
    places = range(len(names))
    worth = {
        chosen: points(*(names[place] for place in chosen))
        for size in range(len(names) + 1)
        for chosen in itertools.combinations(places, size)
    }
    for chosen, value in worth.items():
        for left_out in chosen:
            assert worth[tuple(place for place in chosen if place != left_out)] <= value


@pytest.mark.parametrize("group", sorted(_groups(RULES)))
def test_no_combination_inside_a_group_earns_more_than_its_cap(group: str) -> None:
    counted = {rule.id for rule in RULES.rules.rows if rule.group == group}
    lines = score_lines(facts(*_groups(RULES)[group]), RULES, NAMES, AS_OF)
    assert sum(each.points for each in lines if each.code in counted) <= RULES.groups[group].cap


def test_all_pairs_across_groups_are_monotone() -> None:
    alone = {name: points(name) for name in FACTS}
    for one, other in itertools.combinations([n for n in FACTS if n not in COSTLY], 2):
        assert points(one, other) >= max(alone[one], alone[other])


def test_rule_of_two_facts_rests_on_the_evidence_of_both() -> None:
    rule = Rule("both", Axis.FIT, "company", 2, ("gateway", "regional"), "{what} counts.")
    rules = msgspec.structs.replace(RULES, rules=FactTable([rule]))
    other = (Evidence("contoso.com TXT", "found", "x"),)
    proved = {"gateway": Fact(PROOF), "regional": Fact(PROOF + other, "natro")}
    (line,) = score_lines(proved, rules, NAMES, AS_OF)
    assert line.evidence == PROOF + other
    assert line.reason == "Natro counts."
    assert score_lines({"gateway": Fact(PROOF)}, rules, NAMES, AS_OF) == ()
