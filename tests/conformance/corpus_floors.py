"""How often Hunter and the labels of a corpus agree about Microsoft, by models that had not seen the rows."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from hunter.core.corpus import REST, Labelled, StudyRow, study_label, survey_from
from hunter.core.facts import Identity, Rules
from hunter.core.fit import examples_of, fit, folds
from hunter.core.identity import MICROSOFT
from hunter.core.judge import judge
from hunter.core.judgement import NO_HISTORY
from hunter.knowledge.load import Knowledge, load_knowledge

#: recall of Microsoft where the MX is Microsoft's, from MX and SPF alone
VISIBLE = 0.97
#: recall where the MX is another's, with what the row says beside
HIDDEN = 0.90
#: most of the others that may be called Microsoft
FALSE = 0.03
_FOLDS = 5
_AS_OF = dt.date(2026, 4, 30)


class Floor(NamedTuple):
    """One demand and how it came out."""

    name: str
    rows: int
    #: rows called Microsoft
    called: int
    bound: float
    is_upper: bool

    @property
    def share(self) -> float:
        return self.called / self.rows if self.rows else 0.0

    @property
    def is_met(self) -> bool:
        return self.share <= self.bound if self.is_upper else self.share >= self.bound


class Corpus:
    """The rows of a study, and for each domain a model fitted without its operator and tenant."""

    def __init__(self, rows: list[StudyRow]) -> None:
        self._knowledge: Knowledge = load_knowledge()
        self._rules: Rules = self._knowledge.rules
        self.rows = [row for row in rows if self._is_usable(row)]
        self._models = self._held_out()

    def _is_usable(self, row: StudyRow) -> bool:
        try:
            study_label(row.provider, self._rules)
        except ValueError:
            return False
        return True

    def _held_out(self) -> dict[str, Identity]:
        labelled = [
            Labelled(
                row.domain, study_label(row.provider, self._rules), survey_from(row), by_rule=True
            )
            for row in self.rows
        ]
        known = {each.domain for each in labelled if each.label is not None}
        # rows whose label nobody knew teach nothing, and are tried like the others
        everyone = examples_of(
            [msgspec.structs.replace(each, label=each.label or REST) for each in labelled],
            self._rules,
        ).inferred
        places = folds(everyone, _FOLDS)
        models = [
            fit(
                [
                    each
                    for each, place in zip(everyone, places, strict=True)
                    if place != number and each.domain in known
                ],
                self._knowledge.hand,
            ).model
            for number in range(_FOLDS)
        ]
        return {each.domain: models[place] for each, place in zip(everyone, places, strict=True)}

    def model_of(self, row: StudyRow) -> Identity:
        """The model fitted without the row's fold; the hand-set one where the MX decides."""
        return self._models.get(row.domain, self._knowledge.hand)

    def called_microsoft(self, row: StudyRow, *, with_signals: bool) -> bool:
        """What `judge` says of a row."""
        rules = msgspec.structs.replace(self._rules, identity=self.model_of(row))
        survey = survey_from(row, with_signals=with_signals)
        return judge(survey, NO_HISTORY, rules, _AS_OF).provider == MICROSOFT

    def floors(self) -> list[Floor]:
        """Every demand of the conformance folder."""
        ours = [row for row in self.rows if study_label(row.provider, self._rules) == MICROSOFT]
        others = [row for row in self.rows if study_label(row.provider, self._rules) != MICROSOFT]
        visible = [row for row in ours if self._has_microsoft_mx(row)]
        hidden = [row for row in ours if not self._has_microsoft_mx(row)]

        def count(rows: list[StudyRow], *, with_signals: bool) -> int:
            return sum(self.called_microsoft(row, with_signals=with_signals) for row in rows)

        return [
            Floor("Microsoft MX, from MX and SPF", len(visible), count(visible, with_signals=False), VISIBLE, is_upper=False),
            Floor("Microsoft behind another's MX, with signals", len(hidden), count(hidden, with_signals=True), HIDDEN, is_upper=False),
            Floor("others called Microsoft, from MX and SPF", len(others), count(others, with_signals=False), FALSE, is_upper=True),
            Floor("others called Microsoft, with signals", len(others), count(others, with_signals=True), FALSE, is_upper=True),
        ]  # fmt: skip

    def _has_microsoft_mx(self, row: StudyRow) -> bool:
        find: Callable[[str], str | None] = self._rules.mx.find
        return any(find(host.rstrip(".").lower()) == MICROSOFT for host in row.mx or ())
