"""An explanation as lines of text for a terminal: nothing in them commands it, none is too long."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator

from hunter.core.advice import Language
from hunter.core.explain import Explanation, Priority, Receiver, Suite
from hunter.core.explain_words import WORDS
from hunter.core.judgement import Evidence
from hunter.core.what_if import ALL, WhatIf

_INDENT = "   "
#: a key or a policy may fill a page; its beginning tells which it is
_SHOWN_CHARS = 120
_NARROWEST = 40


def explain_lines(why: Explanation, language: Language, width: int = 100) -> list[str]:
    """The chain of reasoning, a line each, none longer than `width` characters (40 at least)."""
    text = _Text(language)
    width = max(width, _NARROWEST)
    lines: list[str] = []
    for depth, line in text.lines(why):
        indent = _INDENT * depth
        lines += textwrap.wrap(
            printable(line),
            width=width,
            initial_indent=indent,
            subsequent_indent=indent + _INDENT,
            break_on_hyphens=False,
            drop_whitespace=True,
        ) or [""]
    return lines


def printable(text: str) -> str:
    """Text of a stranger with everything that does not print, or turns lines around, as an escape."""
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )


def _short(record: str) -> str:
    shown = printable(record)
    return shown if len(shown) <= _SHOWN_CHARS else f"{shown[: _SHOWN_CHARS - 1]}…"


def _signed(value: float) -> str:
    return f"{value:+.2f}"


def _records(evidence: Iterable[Evidence]) -> str:
    """The records behind a statement, in brackets."""
    shown = dict.fromkeys(
        f"{each.question}: {_short(each.record) if each.record else each.outcome}"
        for each in evidence
    )
    return f" [{'; '.join(shown)}]" if shown else ""


class _Text:
    """The statements of an explanation in one language, each with how deep it stands."""

    def __init__(self, language: Language) -> None:
        self._words = WORDS[language]

    def say(self, key: str, **values: object) -> str:
        return self._words[key].format(**values)

    def lines(self, why: Explanation) -> Iterator[tuple[int, str]]:
        yield 0, self.say("title", domain=why.domain, date=why.as_of, rules=why.rules_version)
        for step in (
            self._seen,
            self._received,
            self._placed,
            self._tenant,
            self._products,
            self._scored,
            self._decided,
            self._what_if,
        ):
            yield 0, ""
            yield from step(why)

    def _seen(self, why: Explanation) -> Iterator[tuple[int, str]]:
        yield 0, self.say("records")
        if not why.answers:
            yield 1, self.say("no_records")
        for each in why.answers:
            said = [*(f"→ {_short(name)}" for name in each.chain), *map(_short, each.records)]
            text = "; ".join(said) or self.say("absent", outcome=each.outcome)
            if each.stale_since:
                text += f" ({self.say('stale', since=each.stale_since)})"
            if each.is_wildcard:
                text += f" ({self.say('wildcard')})"
            yield 1, f"{each.question}: {text}"
        for each in why.unanswered:
            yield 1, self.say("unanswered", question=each.question, outcome=each.outcome)

    def _received(self, why: Explanation) -> Iterator[tuple[int, str]]:
        known = any(each.question == f"{why.domain} MX" for each in why.answers)
        nobody = self.say("nobody" if known else "not_known")
        head = self.say("receives", name=why.operator_name or nobody)
        yield 0, f"{head} ({self.say('filters')})" if why.gateway else head
        for each in why.receivers:
            yield 1, f"{each.preference} {each.host} → {self._matched(each)}"

    def _matched(self, each: Receiver) -> str:
        return self.say(
            f"by_{each.by}",
            name=each.operator_name,
            match=each.match,
            row=each.operator,
            kind=each.kind,
        )

    def _placed(self, why: Explanation) -> Iterator[tuple[int, str]]:
        found = why.mailboxes
        yield 0, self._placed_head(why)
        if found.by == "mx":
            state = self.say(f"mail_state_{why.mail_state}")
            yield 1, self.say("by_mx", state=state) + _records(found.evidence)
        for suite in found.suites:
            yield from self._suite(suite)
        if found.suites:
            yield 1, self.say("rest")
        for each in found.unanswered:
            yield 1, self.say("deciding", question=each.question, outcome=each.outcome)

    def _placed_head(self, why: Explanation) -> str:
        found = why.mailboxes
        if found.confidence is None:
            return self.say("mailboxes_open")
        sure = f"{self.say(found.confidence_word)} ({found.confidence:.2f})"
        if found.fact == "mail_unknown_operator":
            return self.say("mailboxes_stranger", name=why.operator_name or "", sure=sure)
        return self.say("mailboxes", name=found.provider_name or self.say("not_known"), sure=sure)

    def _suite(self, suite: Suite) -> Iterator[tuple[int, str]]:
        yield (
            1,
            self.say(
                "suite",
                name=suite.name,
                probability=f"{suite.probability:.2f}",
                total=_signed(suite.total),
                prior=_signed(suite.prior),
                shift=_signed(suite.shift),
            ),
        )
        for term in suite.proved:
            value = _signed(term.log_odds)
            said = self.say("proved", log_odds=value, feature=term.feature)
            yield 2, said + _records(term.evidence)
        for term in suite.unanswered:
            value = _signed(term.log_odds)
            yield 2, self.say("could_add", log_odds=value, feature=term.feature)

    def _tenant(self, why: Explanation) -> Iterator[tuple[int, str]]:
        found = why.tenant
        yield 0, self.say("tenant", state=found.state)
        yield 1, self.say(f"state_{found.state}")
        if found.name is not None:
            yield 1, self.say("tenant_name", name=found.name)
        if found.cloud is not None:
            yield 1, self.say("cloud", cloud=found.cloud)
        for sign in found.signs:
            yield 1, f"{sign.says}{_records(sign.evidence)}"
        for other, evidence in found.other_domains.items():
            yield 1, self.say("other_domain", other=other) + _records([evidence])
        for each in found.unanswered:
            yield 1, self.say("unanswered", question=each.question, outcome=each.outcome)

    def _products(self, why: Explanation) -> Iterator[tuple[int, str]]:
        yield 0, self.say("products", count=len(why.products))
        for each in why.products:
            said = self.say(
                "product",
                name=each.name,
                category=each.category,
                relation=each.relation,
                proves=self.say(f"proves_{each.proves}"),
                confidence=f"{each.confidence:.2f}",
            )
            yield 1, said + _records(each.evidence)

    def _scored(self, why: Explanation) -> Iterator[tuple[int, str]]:
        yield 0, self.say("score", score=why.score, fit=why.fit, urgency=why.urgency)
        if not why.lines:
            yield 1, self.say("no_lines")
        for each in why.lines:
            axis = self.say(f"axis_{each.axis.value}")
            yield 1, f"{each.points:+d} {axis}, {each.code}: {each.reason}{_records(each.evidence)}"

    def _decided(self, why: Explanation) -> Iterator[tuple[int, str]]:
        found = why.verdict
        segment = self.say(f"segment_{found.segment.value}")
        yield 0, self.say("verdict", segment=segment, row=found.row)
        yield 1, found.reason
        if found.is_kept:
            yield 1, self.say("kept")
        if not found.conditions:
            yield 1, self.say("always")
        for each in found.conditions:
            what = f" ({each.what})" if each.what else ""
            yield 1, self.say("because", fact=each.fact, what=what) + _records(each.evidence)
        yield from self._ranked(why.priority)

    def _ranked(self, found: Priority) -> Iterator[tuple[int, str]]:
        key = "priority_none" if found.row is None else "priority"
        wants = [each.fact for each in found.conditions]
        if found.score_from:
            wants.append(self.say("score_from", points=found.score_from))
        if found.urgency_from:
            wants.append(self.say("urgency_from", points=found.urgency_from))
        if found.confidence_below is not None:
            wants.append(self.say("confidence_below", limit=found.confidence_below))
        said = self.say(key, priority=found.priority, row=found.row)
        yield 0, f"{said}: {', '.join(wants)}" if wants else said

    def _what_if(self, why: Explanation) -> Iterator[tuple[int, str]]:
        yield 0, self.say("what_if")
        if not why.what_if:
            yield 1, self.say("nothing")
        for each in why.what_if:
            yield 1, f"{self._changed(each)}: {self._outcome(each)}"

    def _changed(self, each: WhatIf) -> str:
        record = "; ".join(map(_short, each.records))
        if each.question == ALL and each.change == "with":
            return self.say("every_microsoft")
        question = self.say("every") if each.question == ALL else each.question
        key = "absent_answer" if each.change == "absent" else each.change
        return self.say(key, question=question, record=record)

    def _outcome(self, each: WhatIf) -> str:
        segment = self.say(f"segment_{each.segment.value}")
        sure = self.say("unknown") if each.confidence is None else f"{each.confidence:.2f}"
        if not each.turns:
            return self.say("unchanged", segment=segment, priority=each.priority, confidence=sure)
        return self.say(
            "then",
            segment=segment,
            priority=each.priority,
            score=each.score,
            provider=each.provider or self.say("not_known"),
            tenant=each.tenant_state,
            confidence="" if each.confidence is None else f" ({each.confidence:.2f})",
        )
