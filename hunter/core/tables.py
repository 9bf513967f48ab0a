"""Tables that are looked into by name, by TXT token, and by the facts that hold."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Generic, Protocol, TypeVar

T = TypeVar("T")
K = TypeVar("K")
V = TypeVar("V")
#: no name is longer as text: 255 bytes, of which each may need four characters
_LONGEST_NAME = 1020
#: companies are alike: a few hundred sets of facts make most of a list of thousands
_KINDS_OF_CASES = 4096
#: ("signal" | "product" | "provider", row id)
Meaning = tuple[str, str]


class SuffixIndex(Generic[T]):
    """Names by longest suffix on a label boundary, one dictionary look-up per label."""

    __slots__ = ("_rows",)

    def __init__(self, rows: Mapping[str, T]) -> None:
        self._rows = dict(rows)

    def find(self, name: str) -> T | None:
        """The row of the longest suffix of `name`, None when no row fits."""
        rows = self._rows
        if len(name) > _LONGEST_NAME:
            return None
        while True:
            row = rows.get(name)
            if row is not None:
                return row
            dot = name.find(".")
            if dot < 0:
                return None
            name = name[dot + 1 :]

    def suffix_of(self, name: str) -> str | None:
        """The suffix by which `find` knows a name, None when it does not."""
        while name and len(name) <= _LONGEST_NAME:
            if name in self._rows:
                return name
            name = name.partition(".")[2]
        return None

    def __len__(self) -> int:
        return len(self._rows)


class TokenIndex:
    """TXT tokens: literal beginnings by their first three characters, and one regular expression for the rest.

    The longest literal wins, so that a mail provider's token is not read as its CRM.
    """

    __slots__ = ("_heads", "_ids", "_pattern")

    def __init__(
        self, literals: Mapping[str, Meaning], patterns: Iterable[tuple[str, Meaning]]
    ) -> None:
        heads: dict[str, list[tuple[str, Meaning]]] = {}
        for literal, row in literals.items():
            heads.setdefault(literal[:3], []).append((literal, row))
        self._heads = {
            head: tuple(sorted(found, key=lambda pair: -len(pair[0])))
            for head, found in heads.items()
        }
        parts = list(patterns)
        self._ids = [row for _, row in parts]
        self._pattern = re.compile("|".join(f"({text})" for text, _ in parts)) if parts else None

    def find(self, text: str) -> Meaning | None:
        """The row a trimmed, lower-case record belongs to, None when it is no known token."""
        for literal, row in self._heads.get(text[:3], ()):
            if text.startswith(literal):
                return row
        if self._pattern is None:
            return None
        match = self._pattern.match(text)
        return self._ids[match.lastindex - 1] if match and match.lastindex else None


class Memo(Generic[K, V]):
    """What a pure function said, by its arguments. When it is full it forgets everything.

    It hangs on the rules under which that was said: two versions may judge in one process.
    """

    __slots__ = ("_limit", "_said")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._said: dict[K, V] = {}

    def get(self, arguments: K) -> V | None:
        """What was said for these arguments, None when nothing was."""
        return self._said.get(arguments)

    def keep(self, arguments: K, said: V) -> V:
        """Remember and return what was said."""
        if len(self._said) >= self._limit:
            self._said.clear()
        self._said[arguments] = said
        return said


class Conditional(Protocol):
    """A row that holds when all its facts do."""

    @property
    def when(self) -> tuple[str, ...]:
        """Names of facts."""


C = TypeVar("C", bound=Conditional)


class FactTable(Generic[C]):
    """Rows by the first of their facts, so that only rows with a chance are looked at."""

    __slots__ = ("_always", "_by_fact", "_held", "rows")

    def __init__(self, rows: Iterable[C]) -> None:
        self.rows = tuple(rows)
        self._always = [(place, row) for place, row in enumerate(self.rows) if not row.when]
        self._by_fact: dict[str, list[tuple[int, C]]] = {}
        self._held: Memo[frozenset[str], tuple[C, ...]] = Memo(_KINDS_OF_CASES)
        for place, row in enumerate(self.rows):
            if row.when:
                self._by_fact.setdefault(row.when[0], []).append((place, row))

    def holding(self, facts: Mapping[str, object]) -> tuple[C, ...]:
        """Rows whose facts are all there, in the order of the table."""
        names = frozenset(facts)
        held = self._held.get(names)
        return self._held.keep(names, self._holding(facts)) if held is None else held

    def _holding(self, facts: Mapping[str, object]) -> tuple[C, ...]:
        found = list(self._always)
        for name in facts:
            for each in self._by_fact.get(name, ()):
                when = each[1].when
                if len(when) == 1 or all(fact in facts for fact in when):
                    found.append(each)
        found.sort(key=_place)
        return tuple(row for _, row in found)


def _place(pair: tuple[int, object]) -> int:
    return pair[0]
