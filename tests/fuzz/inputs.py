"""Bytes of a fuzzer as what the parsers are given: TXT texts, sets of records, zones."""

from __future__ import annotations

import msgspec

from hunter.core.answers import Answer, Outcome, RRType
from hunter.resolver.records import text_of

#: between the records of a set; no record can hold it, since `text_of` writes NUL as \x00
BETWEEN = b"\0"
_TYPES = frozenset(RRType)
_OUTCOMES = frozenset(Outcome) - {Outcome.FOUND}


def record_of(data: bytes) -> str:
    """One record, as the decoder hands it to a parser."""
    return text_of(data)


def records_of(data: bytes) -> tuple[str, ...]:
    """All records of one answer."""
    return tuple(text_of(part) for part in data.split(BETWEEN))


def typed_text_of(data: bytes) -> str:
    """What people send: any text, lone surrogates too."""
    return data.decode("utf-8", "surrogateescape")


class Zone:
    """Answers to a walk's questions, written as "name TYPE record", NUL between the lines.

    In place of a record `!servfail` is an outcome and `>name` a CNAME on the way. What is not there
    is NXDOMAIN; after a line `?` it was not asked.
    """

    def __init__(self, data: bytes) -> None:
        lines = records_of(data)
        self.asks_all = "?" not in lines
        #: questions a walk asked
        self.asked = 0
        self._records: dict[tuple[str, str], list[str]] = {}
        self._chains: dict[tuple[str, str], list[str]] = {}
        self._outcomes: dict[tuple[str, str], Outcome] = {}
        for line in lines:
            name, _, rest = line.partition(" ")
            kind, _, said = rest.partition(" ")
            if kind in _TYPES:
                self._add((name.lower(), kind), said)

    def _add(self, question: tuple[str, str], said: str) -> None:
        if said.startswith("!"):
            if said[1:] in _OUTCOMES:
                self._outcomes[question] = Outcome(said[1:])
        elif said.startswith(">"):
            self._chains.setdefault(question, []).append(said[1:])
        else:
            self._records.setdefault(question, []).append(said)

    def lookup(self, name: str, rrtype: RRType) -> Answer | None:
        """The answer to one question; None when nobody asked it."""
        self.asked += 1
        question = (name, str(rrtype))
        chain = tuple(self._chains.get(question, ()))
        if question in self._outcomes:
            return Answer(name, rrtype, self._outcomes[question], (), chain)
        if question in self._records:
            return Answer(name, rrtype, Outcome.FOUND, tuple(self._records[question]), chain)
        if chain or self.asks_all:
            return Answer(name, rrtype, Outcome.NODATA if chain else Outcome.NXDOMAIN, (), chain)
        return None

    def answers(self, *, backwards: bool = False) -> list[Answer]:
        """Every answer the zone has, records in the order written or the other way round."""
        questions = dict.fromkeys([*self._records, *self._chains, *self._outcomes])
        found = [self.lookup(name, RRType(kind)) for name, kind in questions]
        step = -1 if backwards else 1
        return [
            msgspec.structs.replace(answer, records=answer.records[::step])
            for answer in found[::step]
            if answer is not None
        ]
