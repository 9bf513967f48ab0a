"""Points out of facts: every line with its sentence and its evidence, and the lines add up to the score."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Mapping

import msgspec

from hunter.core.facts import PriorityRow, Rule, Rules, VerdictRow
from hunter.core.judgement import MAX_EVIDENCE, Axis, Evidence, ScoreLine, Segment


class Fact(msgspec.Struct, frozen=True, gc=False):
    """Something proved about a company."""

    evidence: tuple[Evidence, ...]
    #: the fact's own subject: names of products, of a signal
    what: str = ""
    #: when it happened, or will
    date: dt.date | None = None
    #: the plain name in `what`, where that is more than a name
    name: str = ""
    #: half a sentence with "if", when it holds for some only
    condition: str = ""


Facts = Mapping[str, Fact]
#: what sentences say: provider, operator
Names = Mapping[str, str]


def score_lines(facts: Facts, rules: Rules, names: Names, as_of: dt.date) -> tuple[ScoreLine, ...]:
    """Every rule that counts, as a line with whole points. The sum is the score: 0 to 100.

    More facts never lower the sum, rules with negative points excepted: those are taken off at the
    end and never below 0 of their axis.
    """
    return tuple(
        [
            _line(rule, points, facts, names, as_of)
            for rule, points in _counted(rules.rules.holding(facts), facts, rules, as_of)
        ]
    )


def _counted(
    held: tuple[Rule, ...], facts: Facts, rules: Rules, as_of: dt.date
) -> tuple[tuple[Rule, int], ...]:
    """The rules that count and their points; without a dated one the rules themselves say how many."""
    dated = [rule for rule in held if rule.half_life]
    if dated:
        return _allotted([(rule, _points(rule, facts, as_of)) for rule in held], rules)
    known = rules.recalled.points
    # no two rules have one id
    ids = tuple([rule.id for rule in held])
    found = known.get(ids)
    if found is not None:
        return found
    return known.keep(ids, _allotted([(rule, rule.points) for rule in held], rules))


def _allotted(worth: list[tuple[Rule, int]], rules: Rules) -> tuple[tuple[Rule, int], ...]:
    """Points within the limits of groups and axes, in the order of the table."""
    room = dict(rules.axis_caps)
    left = {group.id: group.cap for group in rules.groups.values()}
    counted: dict[str, int] = {}
    for rule, wanted in _chosen(worth, rules):
        points = min(wanted, room[rule.axis], left[rule.group])
        room[rule.axis] -= points
        left[rule.group] -= points
        counted[rule.id] = points
    for rule, points in worth:
        if points < 0:
            counted[rule.id] = max(points, room[rule.axis] - rules.axis_caps[rule.axis])
            room[rule.axis] -= counted[rule.id]
    return tuple([(rule, counted[rule.id]) for rule, _ in worth if counted.get(rule.id)])


def _chosen(worth: list[tuple[Rule, int]], rules: Rules) -> list[tuple[Rule, int]]:
    """Rules with points above 0, of groups that count only their best rule just that one."""
    best: dict[str, int] = {}
    for rule, points in worth:
        best[rule.group] = max(points, best.get(rule.group, 0))
    chosen = []
    taken: set[str] = set()
    for rule, points in worth:
        if points <= 0:
            continue
        if rules.groups[rule.group].pick == "best":
            if points < best[rule.group] or rule.group in taken:
                continue
            taken.add(rule.group)
        chosen.append((rule, points))
    return chosen


def _points(rule: Rule, facts: Facts, as_of: dt.date) -> int:
    """Points of a rule on a day: a dated one is worth half after each half-life, before and after."""
    if not rule.half_life:
        return rule.points
    date = _date(rule, facts)
    if date is None:
        return 0
    age = abs((as_of - date).days)
    return round(rule.points * math.pow(0.5, age / rule.half_life))


def _date(rule: Rule, facts: Facts) -> dt.date | None:
    return next((facts[name].date for name in rule.when if facts[name].date is not None), None)


def _line(rule: Rule, points: int, facts: Facts, names: Names, as_of: dt.date) -> ScoreLine:
    evidence = facts[rule.when[0]].evidence
    for name in rule.when[1:]:
        evidence = tuple(dict.fromkeys((*evidence, *facts[name].evidence)))
    words = _sentence(rule, facts, names, as_of)
    return ScoreLine(rule.axis, rule.id, points, words, evidence[:MAX_EVIDENCE])


def _sentence(rule: Rule, facts: Facts, names: Names, as_of: dt.date) -> str:
    if "{" not in rule.sentence:
        return rule.sentence
    date = _date(rule, facts)
    return capital(
        rule.sentence.format(
            **names,
            what=next((facts[name].what for name in rule.when if facts[name].what), ""),
            date=date.isoformat() if date else "",
            days=abs((as_of - date).days) if date else "",
        )
    )


def fill(sentence: str, facts: Facts, names: Names, as_of: dt.date) -> str:
    """A sentence of the verdict table: {what_<fact>} and {days_<fact>} besides the names."""
    if "{" not in sentence:
        return sentence
    return capital(sentence.format_map(_Words(names, facts, as_of)))


class _Words(dict[str, str]):
    """The words of a sentence: names as they are, those of a fact when they are asked for."""

    def __init__(self, names: Names, facts: Facts, as_of: dt.date) -> None:
        super().__init__(names)
        self._facts = facts
        self._as_of = as_of

    def __missing__(self, word: str) -> str:
        kind, _, name = word.partition("_")
        fact = self._facts[name]
        if kind == "what":
            return fact.what
        return str(abs((self._as_of - fact.date).days)) if fact.date else ""


def capital(sentence: str) -> str:
    """The sentence with a capital letter, for those that begin with a name."""
    return sentence[:1].upper() + sentence[1:]


def total(lines: Iterable[ScoreLine], axis: Axis) -> int:
    """Sum of the lines of one axis."""
    return sum([line.points for line in lines if line.axis is axis])


def verdict(facts: Facts, rules: Rules) -> VerdictRow:
    """Segment and reason: the first row of the table whose facts hold."""
    return rules.verdicts.holding(facts)[0]


def priority_row(
    rows: Iterable[PriorityRow],
    facts: Facts,
    *,
    segment: Segment,
    score: int,
    urgency: int,
    confidence: float | None,
) -> PriorityRow | None:
    """The first row of the priority table that fits. Without a number nothing is called first."""
    sure = -1.0 if confidence is None else confidence
    names = facts.keys()
    for row in rows:
        if (
            segment in row.segments
            and score >= row.score_from
            and urgency >= row.urgency_from
            and sure < row.confidence_below
            and (not row.all_of or names >= set(row.all_of))
            and (not row.any_of or not names.isdisjoint(row.any_of))
        ):
            return row
    return None
