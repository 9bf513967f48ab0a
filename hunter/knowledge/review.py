"""A policy read as a whole: rows that are sound one by one and yet can never count, or never win."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from hunter.core.facts import FACTS, PriorityRow, Rule, Rules, VerdictRow
from hunter.core.judgement import Axis
from hunter.knowledge.logic import DATED, closure, exclusive


class Remark(msgspec.Struct, frozen=True):
    """One row that does nothing, and why."""

    section: str
    #: id, or the number of a row without one
    row: str
    why: str

    def __str__(self) -> str:
        """The remark on one line."""
        return f"{self.section} {self.row}: {self.why}"


_NO_PRODUCT: Final = "no product has a relation that makes the fact {}"


def review(rules: Rules) -> list[Remark]:
    """Every row that can be left out without a difference, in the order of the file."""
    possible = _facts_there_are(rules)
    return [
        *_groups(rules),
        *_rules(rules, possible),
        *_relations(rules),
        *_verdicts(rules.verdicts.rows, possible),
        *_priorities(rules.priorities, possible),
    ]


def _facts_there_are(rules: Rules) -> frozenset[str]:
    """Facts that some record can show: those of products need a product of their relation."""
    relations = {row.relation for row in rules.products.values()}
    made = {fact for relation, fact in rules.relations.items() if relation in relations}
    return FACTS | made


def _cannot_hold(when: Iterable[str], possible: frozenset[str]) -> str:
    """Why these facts never hold together, "" when they may."""
    missing = next((fact for fact in when if fact not in possible), None)
    if missing is not None:
        return _NO_PRODUCT.format(missing)
    pair = exclusive(when)
    return f"{pair[0]} and {pair[1]} never hold together" if pair else ""


def _groups(rules: Rules) -> Iterator[Remark]:
    used = {rule.group for rule in rules.rules.rows}
    for name, group in rules.groups.items():
        if name not in used:
            yield Remark("groups", name, "no rule is in it")
        elif group.cap <= 0:
            yield Remark("groups", name, f"its cap of {group.cap} leaves nothing to its rules")


def _rules(rules: Rules, possible: frozenset[str]) -> Iterator[Remark]:
    for place, rule in enumerate(rules.rules.rows):
        why = _cannot_hold(rule.when, possible) or _worthless(rule, rules)
        why = why or _beaten(rule, place, rules)
        if why:
            yield Remark("rules", rule.id, f"can never count: {why}")


def _worthless(rule: Rule, rules: Rules) -> str:
    if not rule.points:
        return "it is worth 0 points"
    if rules.axis_caps[rule.axis] <= 0 < rule.points:
        return f"axis {rule.axis} has a cap of 0"
    if rule.axis is Axis.URGENCY and DATED.isdisjoint(rule.when):
        return f"none of its facts has a date ({', '.join(sorted(DATED))} have)"
    return ""


def _beaten(rule: Rule, place: int, rules: Rules) -> str:
    """The rule that counts wherever this one would, and leaves it nothing."""
    group, when = rules.groups[rule.group], closure(rule.when)
    for other_place, other in enumerate(rules.rules.rows):
        # dated rules are worth something else every day
        if other is rule or other.group != rule.group or other.half_life or rule.half_life:
            continue
        if rule.points <= 0 or other.points <= 0 or not when.issuperset(other.when):
            continue
        if group.pick == "best":
            if (other.points, -other_place) > (rule.points, -place):
                return f"{other.id} holds wherever it does and is worth as much or more"
        elif other_place < place and min(other.points, rules.axis_caps[rule.axis]) >= group.cap:
            return f"{other.id} holds wherever it does and fills the group"
    return ""


def _relations(rules: Rules) -> Iterator[Remark]:
    spoken = {fact for rule in rules.rules.rows for fact in rule.when}
    spoken.update(fact for row in rules.verdicts.rows for fact in row.when)
    spoken.update(fact for row in rules.priorities for fact in (*row.any_of, *row.all_of))
    spoken.update(fact for row in rules.changes.rows for fact in row.when)
    present = {row.relation for row in rules.products.values()}
    for relation, fact in rules.relations.items():
        if relation not in present:
            yield Remark("relations", relation, "no product has this relation")
        elif fact not in spoken:
            yield Remark("relations", relation, f"nothing speaks of the fact {fact}")


def _verdicts(rows: tuple[VerdictRow, ...], possible: frozenset[str]) -> Iterator[Remark]:
    for place, row in enumerate(rows):
        why = _cannot_hold(row.when, possible)
        if why:
            yield Remark("verdicts", row.id, f"can never be the verdict: {why}")
            continue
        when = closure(row.when)
        earlier = next((each for each in rows[:place] if when.issuperset(each.when)), None)
        if earlier is not None:
            why = f"shadowed by {earlier.id}, which stands above and holds wherever it does"
            yield Remark("verdicts", row.id, why)


def _priorities(rows: tuple[PriorityRow, ...], possible: frozenset[str]) -> Iterator[Remark]:
    for place, row in enumerate(rows):
        why = _cannot_hold(row.all_of, possible)
        if row.any_of and all(_cannot_hold((*row.all_of, each), possible) for each in row.any_of):
            why = why or "none of its facts can hold"
        if why:
            yield Remark("priorities", f"row {place + 1}", f"can never fit: {why}")
            continue
        for earlier, other in enumerate(rows[:place], 1):
            if _covers(other, row):
                why = f"shadowed by row {earlier}, which fits wherever it does"
                yield Remark("priorities", f"row {place + 1}", why)
                break


def _covers(above: PriorityRow, below: PriorityRow) -> bool:
    """True when every lead that fits the row below fits the row above."""
    known = closure(below.all_of)
    choices = [closure((*below.all_of, each)) for each in below.any_of] or [known]
    return (
        above.segments >= below.segments
        and above.score_from <= below.score_from
        and above.urgency_from <= below.urgency_from
        and above.confidence_below >= below.confidence_below
        and known.issuperset(above.all_of)
        and (not above.any_of or all(not each.isdisjoint(above.any_of) for each in choices))
    )
