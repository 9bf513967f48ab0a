"""brief.yaml and turkish.yaml: the sentences for salespeople, held against the rules they speak of."""

from __future__ import annotations

import re
import string
from collections.abc import Iterable
from typing import Any, Final

from hunter.core.advice import Language
from hunter.core.facts import FACTS
from hunter.core.judgement import Segment
from hunter.core.shown import FEATURES
from hunter.core.wording import (
    BRIEF_FACTS,
    BRIEF_WORDS,
    LABELS,
    NAMES,
    BriefRow,
    Section,
    Turkish,
    Wording,
)
from hunter.knowledge.check import Checker
from hunter.knowledge.problems import nearest
from hunter.knowledge.rows import BriefLine
from hunter.knowledge.source import Path

_BRIEF: Final = "brief"
_TURKISH: Final = "turkish"
#: words around sentences, and the words in braces of each
_FRAME: Final[dict[str, frozenset[str]]] = {
    "stale": frozenset({"reason"}),
    "call_first": frozenset({"reason"}),
    "without": frozenset({"feature", "provider", "word", "chance"}),
    "ended": frozenset(),
    "ends": frozenset(),
    "and": frozenset(),
}
_SPOKEN_OF: Final = ("rules", "signals", "events", "providers", "products")
#: names of operators and products that are English words
_ENGLISH_NAME: Final = re.compile(r"(?:a|an|the|its|their) |.* or ")


def wording(check: Checker, *, is_complete: bool) -> Wording | None:
    """Everything that is said to salespeople; problems are kept in `check`.

    `is_complete` wants Turkish for every sentence of the rules; an operator's own rules may go without.
    None where a file that sentences speak of is no YAML: nothing can be held against it.
    """
    if not all(check.content(name) for name in _SPOKEN_OF):
        return None
    relations = check.content("rules").get("relations")
    facts = FACTS | BRIEF_FACTS
    facts |= set(relations.values()) if isinstance(relations, dict) else set()
    reader = _Reader(check, facts)
    return Wording(
        rows=tuple(reader.rows()),
        most=_most(check),
        labels=_labels(check),
        turkish=Turkish(
            **{
                section: reader.sentences(section, is_complete=is_complete)
                for section in ("rules", "verdicts", "changes")
            },
            frame=_frame(check),
            phrases=_phrases(check),
        ),
    )


class _Reader:
    """Sentences, whose words in braces must be such that can be filled."""

    def __init__(self, check: Checker, facts: frozenset[str]) -> None:
        self._check = check
        self._facts = facts

    def rows(self) -> Iterable[BriefRow]:
        for each in self._check.rows(_BRIEF, "sentences", BriefLine):
            row, path = each.row, each.path
            if not row.when and not row.any_of:
                fix = "name the facts that it rests on"
                self._check.add(_BRIEF, (*path, "when"), "rests on nothing", fix)
            for field in ("when", "any_of", "unless"):
                self._known((*path, field), getattr(row, field))
            for language in ("en", "tr"):
                self._words(_BRIEF, (*path, language), getattr(row, language))
            yield BriefRow(
                id=row.id,
                section=row.section,
                when=tuple(row.when),
                any_of=tuple(row.any_of),
                unless=tuple(row.unless),
                en=row.en,
                tr=row.tr,
            )

    def sentences(self, section: str, *, is_complete: bool) -> dict[str, str]:
        """The sentences of one section of turkish.yaml, by the ids of the same section of rules.yaml."""
        found = _texts(self._check, section)
        wanted = self._check.ids("rules", section)
        for rid, text in found.items():
            self._words(_TURKISH, (section, rid), text)
            if rid not in wanted and is_complete:
                fix = nearest(rid, wanted, f"ids are those of {section} in rules.yaml")
                self._check.add(_TURKISH, (section, rid), "no such row in rules.yaml", fix)
        if is_complete:
            for rid in sorted(wanted - found.keys()):
                fix = "say the sentence of rules.yaml in Turkish"
                self._check.add(_TURKISH, (section, rid), "is missing", fix)
        return found

    def _known(self, path: Path, facts: list[str]) -> None:
        for number, fact in enumerate(facts):
            if fact not in self._facts:
                fix = nearest(fact, self._facts, "`hunter rules check` lists all facts")
                self._check.add(_BRIEF, (*path, number), f"no such fact: {fact}", fix)

    def _words(self, file: str, path: Path, text: str) -> None:
        try:
            names = [name for _, name, _, _ in string.Formatter().parse(text) if name is not None]
        except ValueError as error:
            self._check.add(file, path, str(error), "write {word}, or {{ for a brace")
            return
        for name in names:
            kind, _, fact = name.partition("_")
            is_fact_word = kind in BRIEF_WORDS and (not fact or fact in self._facts)
            if name not in NAMES and not is_fact_word:
                known = NAMES | BRIEF_WORDS
                fix = nearest(name, known, f"words are {', '.join(sorted(known))}")
                self._check.add(file, path, f"nothing fills {{{name}}}", fix)


def _texts(check: Checker, section: str) -> dict[str, str]:
    """A section of turkish.yaml: names with texts."""
    content = check.content(_TURKISH)
    if section not in content:
        if content:
            check.add(_TURKISH, (section,), "is missing", f"write {section}: and texts by id")
        return {}
    found: dict[str, str] | None = check.value(
        _TURKISH, (section,), content[section], dict[str, str]
    )
    return found or {}


def _frame(check: Checker) -> dict[str, str]:
    found = _texts(check, "frame")
    for name in sorted(_FRAME.keys() ^ found.keys()):
        problem = "is missing" if name in _FRAME else "no such words"
        check.add(_TURKISH, ("frame", name), problem, f"words are {', '.join(sorted(_FRAME))}")
    for name in _FRAME.keys() & found.keys():
        for word in sorted(_FRAME[name]):
            if f"{{{word}}}" not in found[name]:
                check.add(
                    _TURKISH, ("frame", name), f"without {{{word}}}", f"say it with {{{word}}}"
                )
    return found


def _phrases(check: Checker) -> dict[str, str]:
    """English phrases that facts speak of, with their Turkish; none of the tables may be missing."""
    found = _texts(check, "phrases")
    for phrase in sorted(set(_spoken(check)) - found.keys()):
        fix = "say it in Turkish"
        check.add(_TURKISH, ("phrases", phrase), "is missing", fix)
    return found


def _spoken(check: Checker) -> Iterable[str]:
    """Phrases of the data files, and of judging itself, that sentences repeat."""
    yield from FEATURES.values()
    for name, field in (("signals", "says"), ("events", "condition")):
        yield from filter(None, (row.get(field, "") for row in _raw(check, name)))
    for name in ("providers", "products"):
        names = (str(row.get("name", "")) for row in _raw(check, name))
        yield from filter(_ENGLISH_NAME.match, names)


def _raw(check: Checker, name: str) -> list[dict[str, Any]]:
    rows = check.content(name).get(name)
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _most(check: Checker) -> dict[Section, int]:
    """How many sentences of each section are told."""
    raw = check.content(_BRIEF).get("most")
    found: dict[Section, int] = check.value(_BRIEF, ("most",), raw, dict[Section, int]) or {}
    for section in Section:
        if found and found.get(section, 0) < 1:
            fix = "write a number above 0 for every section"
            check.add(_BRIEF, ("most", section.value), "tells nothing", fix)
    return found


def _labels(check: Checker) -> dict[str, dict[Language, str]]:
    """Headings and words of closed sets, in every language."""
    raw = check.content(_BRIEF).get("labels")
    kind = dict[str, dict[Language, str]]
    found: dict[str, dict[Language, str]] = check.value(_BRIEF, ("labels",), raw, kind) or {}
    wanted = LABELS | set(map(str, Section)) | set(map(str, Segment))
    for name in sorted(wanted ^ found.keys() if found else ()):
        problem = "is missing" if name in wanted else "no such word"
        fix = f"words are {', '.join(sorted(wanted))}"
        check.add(_BRIEF, ("labels", name), problem, fix)
    for name, texts in found.items():
        for language in sorted(set(Language) - texts.keys()):
            check.add(_BRIEF, ("labels", name), f"without {language}", "write {en: …, tr: …}")
    return found
