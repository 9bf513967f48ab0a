"""Facts put into words of one language: names, dates and lists as people say them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Final

from hunter.core.advice import Language
from hunter.core.score import Fact, capital
from hunter.core.wording import Turkish

_MONTHS: Final = {
    Language.EN: (
        "January", "February", "March", "April", "May", "June", "July", "August", "September",
        "October", "November", "December",
    ),
    Language.TR: (
        "Ocak", "Şubat", "Mart", "Nisan", "Mayıs", "Haziran", "Temmuz", "Ağustos", "Eylül",
        "Ekim", "Kasım", "Aralık",
    ),
}  # fmt: skip
_AGO: Final = {
    Language.EN: ("today", "yesterday", "{} days ago"),
    Language.TR: ("bugün", "dün", "{} gün önce"),
}


class Voice:
    """Fills the words in braces of a sentence.

    Names stay in the nominative; English phrases of facts become Turkish ones by the table.
    """

    def __init__(self, language: Language, turkish: Turkish, as_of: dt.date) -> None:
        self.language = language
        self._turkish = turkish
        self._as_of = as_of

    def say(
        self,
        sentence: str,
        facts: Mapping[str, Fact],
        names: Mapping[str, str],
        when: Sequence[str] = (),
    ) -> str:
        """A sentence; words without a fact's name speak of the first of `when` that has them."""
        return _capital(sentence.format_map(_Words(self, facts, names, when)), self.language)

    def phrase(self, text: str) -> str:
        """A fact's own words; lists ("A, B and C") part by part, names as they are."""
        if self.language is Language.EN or not text:
            return text
        known = self._turkish.phrases.get(text)
        if known is not None:
            return known
        before, _, last = text.rpartition(" and ")
        if not before:
            return text
        parts = [self.phrase(part) for part in before.split(", ")]
        return f"{', '.join(parts)} {self._turkish.frame['and']} {self.phrase(last)}"

    def date(self, date: dt.date) -> str:
        """20 October 2026, 20 Ekim 2026."""
        return f"{date.day} {_MONTHS[self.language][date.month - 1]} {date.year}"

    def word(self, kind: str, fact: Fact) -> str:
        """One word of a fact; "" where the fact has none."""
        if kind in {"what", "name"}:
            return self.phrase(fact.what if kind == "what" else fact.name)
        if kind == "condition":
            return f"; {self.phrase(fact.condition)}," if fact.condition else ":"
        return "" if fact.date is None else self._dated(kind, fact.date)

    def _dated(self, kind: str, date: dt.date) -> str:
        days = abs((self._as_of - date).days)
        if kind == "date":
            return self.date(date)
        if kind == "days":
            return str(days)
        if kind == "ago":
            return _AGO[self.language][min(days, 2)].format(days)
        is_over = date < self._as_of
        if self.language is Language.EN:
            return "ended" if is_over else "ends"
        return self._turkish.frame["ended" if is_over else "ends"]


class _Words(dict[str, str]):
    """The words of one sentence, worked out when they are asked for."""

    def __init__(
        self,
        voice: Voice,
        facts: Mapping[str, Fact],
        names: Mapping[str, str],
        when: Sequence[str],
    ) -> None:
        super().__init__({name: voice.phrase(value) for name, value in names.items()})
        self._voice = voice
        self._facts = facts
        self._when = when

    def __missing__(self, word: str) -> str:
        kind, _, name = word.partition("_")
        for each in (name,) if name else self._when:
            found = self._voice.word(kind, self._facts[each]) if each in self._facts else ""
            if found not in {"", ":"}:
                return found
        return ":" if kind == "condition" else ""


def _capital(sentence: str, language: Language) -> str:
    """A capital letter at the beginning; i becomes İ in Turkish."""
    if language is Language.TR and sentence.startswith("i"):
        return "İ" + sentence[1:]
    return capital(sentence)


def shown(text: str) -> str:
    """A sentence in which what does not print stands as an escape: strangers wrote parts of it."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )
