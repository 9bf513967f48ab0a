"""The sales brief: what they run, why now, what to say, what to ask, which offer; each sentence with its record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from hunter.core import identity
from hunter.core.advice import Language
from hunter.core.case import Case
from hunter.core.identity import Pillar
from hunter.core.judge import Reasoning
from hunter.core.judgement import Axis, Evidence, Product, ScoreLine, Segment
from hunter.core.posture import ENFORCED
from hunter.core.score import Fact, capital
from hunter.core.shown import FEATURES, open_changes, would_change
from hunter.core.voice import Voice, shown
from hunter.core.wording import BriefRow, Prices, Section, Wording

_CALL_FIRST: Final = 1
#: relations of products that other sentences tell, or that say nothing to a seller
_UNTOLD: Final = ("neutral", "weak_", "existing_m365_", "gateway_present", "managed_dns_mail")
#: most products that one sentence names
_MAX_NAMED: Final = 6
#: segments to which nothing is sold: what they run is all there is to tell
_NO_PITCH: Final = frozenset({Segment.SKIP, Segment.UNKNOWN})


class Sentence(msgspec.Struct, frozen=True):
    """Something to say, and the records that prove it."""

    #: id of its row
    code: str
    text: str
    evidence: tuple[Evidence, ...]


class Brief(msgspec.Struct, frozen=True):
    """What a salesperson needs before a call, in one language."""

    domain: str
    language: Language
    segment: Segment
    #: 1 (call first) to 6 (none)
    priority: int
    #: sure, likely, unsure or unknown
    confidence_word: str
    #: the verdict in one sentence; None when no record shows it
    reason: Sentence | None
    #: what they run
    runs: tuple[Sentence, ...]
    why_now: tuple[Sentence, ...]
    #: what to say first
    say: tuple[Sentence, ...]
    ask: tuple[Sentence, ...]
    #: which offer; with its price where one is configured
    offer: tuple[Sentence, ...]
    #: the lines of the score
    lines: tuple[ScoreLine, ...]
    would_change: tuple[str, ...]

    def section(self, section: Section) -> tuple[Sentence, ...]:
        """The sentences of one part."""
        found: tuple[Sentence, ...] = getattr(self, section.value)
        return found


def brief(
    why: Reasoning,
    wording: Wording,
    language: Language = Language.EN,
    prices: Prices | None = None,
) -> Brief:
    """The brief of one judgement. A sentence whose facts have no record is left out."""
    teller = _Teller(why, wording, language, prices or {})
    case = why.case
    return Brief(
        domain=case.seen.survey.domain,
        language=language,
        segment=why.segment,
        priority=why.priority,
        confidence_word=identity.word(case.place.confidence, case.rules.identity),
        reason=teller.reason(),
        **{section.value: teller.section(section) for section in Section},
        lines=teller.lines(),
        would_change=teller.changes(),
    )


class _Teller:
    """The sentences of one judgement."""

    def __init__(
        self, why: Reasoning, wording: Wording, language: Language, prices: Prices
    ) -> None:
        self._why = why
        self._wording = wording
        self._language = language
        self._prices = prices
        self._voice = Voice(language, wording.turkish, why.case.as_of)
        self._facts = _facts(why)

    def section(self, section: Section) -> tuple[Sentence, ...]:
        if section is not Section.RUNS and self._why.segment in _NO_PITCH:
            return ()
        found = (
            self._sentence(row)
            for row in self._wording.rows
            if row.section is section and _holds(row, self._facts)
        )
        told = [each for each in found if each is not None]
        return tuple(told[: self._wording.most[section]])

    def _sentence(self, row: BriefRow) -> Sentence | None:
        speaks_of = (*row.when, *(each for each in row.any_of if each in self._facts))
        text = self._say(row.text(self._language), speaks_of)
        price = self._prices.get(row.id, {}).get(self._language, "")
        return self._proved(row.id, f"{text} {price}".rstrip(), speaks_of)

    def _say(self, sentence: str, when: tuple[str, ...] = ()) -> str:
        return shown(self._voice.say(sentence, self._facts, self._why.names, when))

    def _proved(self, code: str, text: str, facts: Iterable[str]) -> Sentence | None:
        evidence = tuple(
            dict.fromkeys(each for name in facts for each in self._facts[name].evidence)
        )
        return Sentence(code, shown(text), evidence) if evidence else None

    def reason(self) -> Sentence | None:
        """The verdict, with the records of the facts that gave it."""
        row = self._why.verdict
        text = self._why.reason
        if self._language is Language.TR:
            turkish = self._wording.turkish
            text = self._say(turkish.verdicts.get(row.id, row.sentence))
            if self._why.segment is not row.segment:
                text = turkish.frame["stale"].format(reason=text)
            if self._why.priority == _CALL_FIRST:
                text = turkish.frame["call_first"].format(reason=text)
        return self._proved(row.id, text, row.when)

    def lines(self) -> tuple[ScoreLine, ...]:
        """The lines of the score, their reasons in the language."""
        known = self._wording.turkish.rules if self._language is Language.TR else {}
        rows = {row.id: row for row in self._why.case.rules.rules.rows}
        return tuple(
            msgspec.structs.replace(
                line,
                reason=self._say(known[line.code], rows[line.code].when)
                if line.code in known
                else shown(line.reason),
            )
            for line in self._why.lines
        )

    def changes(self) -> tuple[str, ...]:
        """What would turn the judgement."""
        case = self._why.case
        if self._language is Language.EN:
            return tuple(
                map(
                    shown,
                    would_change(case, self._why.names, self._why.segment, self._why.priority),
                )
            )
        known = self._wording.turkish.changes
        rows = open_changes(case, self._why.segment, self._why.priority)
        told = [self._say(known.get(row.id, row.sentence)) for row in rows]
        pillar = case.place.pillar
        if pillar is not None and case.place.fact:
            told.insert(0, self._without(pillar))
        return tuple(told)

    def _without(self, pillar: Pillar) -> str:
        """How sure the place of the mailboxes would be without its strongest record."""
        turkish = self._wording.turkish
        word = identity.word(pillar.without, self._why.case.rules.identity)
        text = turkish.frame["without"].format(
            feature=turkish.phrases[FEATURES[pillar.feature]],
            provider=self._voice.phrase(self._why.names["provider"]),
            word=self._wording.labels[word][self._language],
            chance=f"{pillar.without:.2f}".replace(".", ","),
        )
        return shown(capital(text))


def _holds(row: BriefRow, facts: Mapping[str, Fact]) -> bool:
    return (
        all(name in facts for name in row.when)
        and (not row.any_of or any(name in facts for name in row.any_of))
        and not any(name in facts for name in row.unless)
    )


def _facts(why: Reasoning) -> dict[str, Fact]:
    """The facts of the judgement that are still news, and those that only a brief speaks of."""
    case = why.case
    rows = {row.id: row for row in case.rules.rules.rows}
    pressing = {
        name for line in why.lines if line.axis is Axis.URGENCY for name in rows[line.code].when
    }
    facts = {
        name: fact for name, fact in case.facts.items() if fact.date is None or name in pressing
    }
    if case.place.fact:
        word = identity.word(case.place.confidence, case.rules.identity)
        facts[word] = Fact(case.place.evidence)
    dkim = case.seen.signals.get("dkim_microsoft")
    if case.seen.tenant_name and dkim is not None:
        facts["tenant_named"] = Fact(dkim.evidence, case.seen.tenant_name)
    if case.dmarc.policy in ENFORCED:
        facts["dmarc_enforced"] = Fact(case.dmarc.evidence, case.dmarc.policy)
    return facts | _product_facts(case)


def _product_facts(case: Case) -> dict[str, Fact]:
    """Products at work, and accounts that somebody opened: an old token proves no use."""
    told = [each for each in case.products if not each.relation.startswith(_UNTOLD)]
    groups = {
        "in_use": [each for each in told if each.proves != "account"],
        "opened": [each for each in told if each.proves == "account"],
    }
    return {name: _fact_of(products) for name, products in groups.items() if products}


def _fact_of(products: list[Product]) -> Fact:
    best = sorted(products, key=lambda each: (-each.confidence, each.name))[:_MAX_NAMED]
    names = [each.name for each in best]
    what = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    return Fact(tuple(dict.fromkeys(proof for each in best for proof in each.evidence)), what)
