"""What other rules would make of the stored observations, without a question to DNS and with nothing written."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping
from typing import Final

import msgspec

from hunter.core.judge import judge
from hunter.core.judgement import Judgement
from hunter.knowledge.load import Knowledge
from hunter.store import rejudge
from hunter.store.database import Database

#: what is compared, in the order in which it is told
FIELDS: Final = ("provider", "segment", "priority", "score", "verdict")
_BATCH: Final = 500
_EXAMPLES: Final = 3


class Example(msgspec.Struct, frozen=True):
    """One domain for which a field would change."""

    domain: str
    before: object
    after: object


class Effect(msgspec.Struct, frozen=True):
    """How often one field would change."""

    changed: int
    #: from → to → how many; empty for scores, of which there are too many
    matrix: dict[str, dict[str, int]]
    examples: list[Example]


class Comparison(msgspec.Struct, frozen=True):
    """Two versions of the rules over the same observations on one day."""

    before: str
    after: str
    as_of: dt.date
    leads: int
    fields: dict[str, Effect]

    @property
    def share_of_providers(self) -> float:
        """The share of leads whose provider would change."""
        return self.fields["provider"].changed / self.leads if self.leads else 0.0


class _Tally:
    def __init__(self) -> None:
        self.moves: Counter[tuple[str, str]] = Counter()
        self.examples: list[Example] = []

    def add(self, domain: str, before: object, after: object) -> None:
        self.moves[str(before), str(after)] += 1
        if len(self.examples) < _EXAMPLES:
            self.examples.append(Example(domain, before, after))

    def effect(self, *, with_matrix: bool) -> Effect:
        matrix: dict[str, dict[str, int]] = {}
        for (before, after), count in sorted(self.moves.items()):
            matrix.setdefault(before, {})[after] = count
        return Effect(self.moves.total(), matrix if with_matrix else {}, self.examples)


async def compare(
    db: Database, before: Knowledge, after: Knowledge, *, as_of: dt.date, limit: int | None
) -> Comparison:
    """Judge stored observations under both; `limit` is the most leads looked at, by name."""
    tallies = {name: _Tally() for name in FIELDS}
    leads, position = 0, ""
    while limit is None or leads < limit:
        size = _BATCH if limit is None else min(_BATCH, limit - leads)
        async with db.acquire() as conn:
            batch = await rejudge.peek(conn, "", position, rejudge.END, size)
        for stored in map(rejudge.stored, batch):
            standing = stored.standing
            if standing.previous is not None:
                leads += 1
                old, new = (
                    judge(
                        standing.previous,
                        standing.history,
                        each.rules,
                        as_of,
                        standing.registration,
                    )
                    for each in (before, after)
                )
                _count(tallies, stored.domain, old, new)
        if len(batch) < size:
            break
        position = batch[-1]["domain"]
    fields = {name: each.effect(with_matrix=name != "score") for name, each in tallies.items()}
    return Comparison(before.version, after.version, as_of, leads, fields)


def _count(tallies: Mapping[str, _Tally], domain: str, old: Judgement, new: Judgement) -> None:
    for name in FIELDS:
        attribute = "reason_code" if name == "verdict" else name
        one, other = getattr(old, attribute), getattr(new, attribute)
        if one != other:
            tallies[name].add(domain, one, other)
