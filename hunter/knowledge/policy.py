"""rules.yaml: the seller's policy, checked and compiled."""

from __future__ import annotations

import string
from collections.abc import Iterable
from typing import Any, Final

from hunter.core.facts import (
    FACTS,
    WORDS,
    ChangeRow,
    Group,
    PriorityRow,
    Rule,
    VerdictRow,
)
from hunter.core.judgement import Axis
from hunter.core.tables import FactTable, SuffixIndex
from hunter.knowledge.check import Checker, Entry, words
from hunter.knowledge.problems import nearest
from hunter.knowledge.rows import (
    ChangeLine,
    GroupLine,
    PriorityLine,
    RuleLine,
    VerdictLine,
)
from hunter.knowledge.source import Path

_FILE: Final = "rules"
_BEST_SCORE: Final = 100
_SECTIONS: Final = frozenset(
    {
        "version", "axes", "migrating_days", "public_suffixes",
        "groups", "rules", "relations", "verdicts", "priorities", "changes",
    }
)  # fmt: skip


def policy(check: Checker) -> dict[str, Any]:
    """The fields of Rules that come out of rules.yaml; problems are kept in `check`."""
    top = check.content(_FILE)
    if not top:
        return {}
    for section in top:
        if section not in _SECTIONS:
            fix = nearest(section, _SECTIONS, f"sections are {', '.join(sorted(_SECTIONS))}")
            check.add(_FILE, (section,), "no such section", fix)
    relations = _value(check, "relations", dict[str, str]) or {}
    reader = _Reader(check, FACTS | set(relations.values()))
    return {
        "relations": relations,
        "groups": {
            each.row.id: Group(each.row.id, each.row.cap, each.row.pick)
            for each in check.rows(_FILE, "groups", GroupLine)
        },
        "rules": FactTable(reader.rules()),
        "axis_caps": _caps(check),
        "verdicts": FactTable(reader.verdicts()),
        "priorities": reader.priorities(),
        "changes": FactTable(reader.changes()),
        "migrating_days": _days(check),
        "public_suffixes": _names(check, "public_suffixes"),
    }


class _Reader:
    """The rows that speak of facts."""

    def __init__(self, check: Checker, facts: frozenset[str]) -> None:
        self._check = check
        self._facts = facts
        self._groups = check.ids(_FILE, "groups")

    def rules(self) -> Iterable[Rule]:
        for each in self._check.rows(_FILE, "rules", RuleLine):
            self._rule(each)
            yield Rule(
                id=each.row.id,
                axis=each.row.axis,
                group=each.row.group,
                points=each.row.points,
                when=tuple(each.row.when),
                sentence=each.row.sentence,
                half_life=each.row.half_life,
            )

    def _rule(self, entry: Entry[RuleLine]) -> None:
        row, path = entry.row, entry.path
        if row.group not in self._groups:
            fix = nearest(row.group, self._groups, "name a row of groups")
            self._check.add(_FILE, (*path, "group"), f"no group {row.group}", fix)
        if not row.when:
            fix = "name the facts that earn it"
            self._check.add(_FILE, (*path, "when"), "wants at least one fact", fix)
        if row.half_life < 0 or (row.axis is Axis.URGENCY) != (row.half_life > 0):
            fix = "give days above 0 to rules of axis urgency, and to no other"
            self._check.add(_FILE, (*path, "half_life"), "does not go with the axis", fix)
        self._known((*path, "when"), row.when)
        self._sentence(path, row.sentence, frozenset())

    def verdicts(self) -> list[VerdictRow]:
        rows = self._check.rows(_FILE, "verdicts", VerdictLine)
        for each in rows:
            self._known((*each.path, "when"), each.row.when)
            self._sentence(each.path, each.row.sentence, self._facts)
        if not rows or rows[-1].row.when:
            fix = "end with a row of when: []"
            self._check.add(_FILE, ("verdicts",), "the last row must have no condition", fix)
        return [
            VerdictRow(e.row.id, tuple(e.row.when), e.row.segment, e.row.sentence) for e in rows
        ]

    def priorities(self) -> tuple[PriorityRow, ...]:
        rows = self._check.rows(_FILE, "priorities", PriorityLine)
        for each in rows:
            self._known((*each.path, "any_of"), each.row.any_of)
            self._known((*each.path, "all_of"), each.row.all_of)
        return tuple(
            PriorityRow(
                priority=row.priority,
                segments=frozenset(row.segments),
                any_of=tuple(row.any_of),
                all_of=tuple(row.all_of),
                score_from=row.score_from,
                urgency_from=row.urgency_from,
                confidence_below=row.confidence_below,
            )
            for row in (each.row for each in rows)
        )

    def changes(self) -> Iterable[ChangeRow]:
        for each in self._check.rows(_FILE, "changes", ChangeLine):
            self._known((*each.path, "when"), each.row.when)
            self._sentence(each.path, each.row.sentence, self._facts)
            yield ChangeRow(each.row.id, tuple(each.row.when), each.row.sentence, each.row.promise)

    def _known(self, path: Path, when: list[str]) -> None:
        for number, fact in enumerate(when):
            if fact not in self._facts:
                fix = nearest(fact, self._facts, "`hunter rules check` lists all facts")
                self._check.add(_FILE, (*path, number), f"no such fact: {fact}", fix)

    def _sentence(self, path: Path, text: str, facts: frozenset[str]) -> None:
        """Every word in braces must be one that judging can fill."""
        path = (*path, "sentence")
        try:
            names = [name for _, name, _, _ in string.Formatter().parse(text) if name is not None]
        except ValueError as error:
            self._check.add(_FILE, path, str(error), "write {word}, or {{ for a brace")
            return
        for name in names:
            base, _, fact = name.partition("_")
            if name not in WORDS and not (base in {"what", "days"} and fact in facts):
                known = WORDS | {f"{each}_{fact}" for each in ("what", "days") for fact in facts}
                fix = nearest(name, known, f"words are {', '.join(sorted(WORDS))}")
                self._check.add(_FILE, path, f"nothing fills {{{name}}}", fix)


def _value(check: Checker, section: str, kind: Any) -> Any:
    """A section as its type, None with what is wrong kept."""
    if section not in check.content(_FILE):
        check.add(_FILE, (section,), "is missing", "every rules.yaml needs it")
        return None
    return check.value(_FILE, (section,), check.content(_FILE)[section], kind)


def _names(check: Checker, field: str) -> SuffixIndex[str]:
    """A list of suffixes; what is found is the suffix itself."""
    pairs = [(name, name, (field,)) for name in words(_value(check, field, str) or "")]
    return check.suffixes(_FILE, pairs, unique=True)


def _days(check: Checker) -> int:
    days: int | None = _value(check, "migrating_days", int)
    if days is not None and days < 1:
        check.add(_FILE, ("migrating_days",), "no time at all", "write a number of days above 0")
    return days or 1


def _caps(check: Checker) -> dict[Axis, int]:
    caps: dict[Axis, int] = _value(check, "axes", dict[Axis, int]) or {}
    if caps and (
        set(caps) != set(Axis) or sum(caps.values()) > _BEST_SCORE or min(caps.values()) < 0
    ):
        fix = "write {fit: 60, urgency: 40}, together at most 100"
        check.add(_FILE, ("axes",), "wants fit and urgency", fix)
    return caps
