"""Real rows of the conformance corpora: floors of recall and of false positives, cross-validated."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hunter.core.corpus import StudyRow, read_corpus
from hunter.core.fit import examples_of, fit
from hunter.knowledge.load import load_knowledge
from tests.conformance.conftest import ABSENT, FOLDER
from tests.conformance.corpus_floors import Corpus
from tests.conformance.report import COUNTED

_FOUND: list[Any] = sorted((FOLDER / "provider_corpus").glob("*.json.gz"))
_ABSENT = pytest.param(None, marks=pytest.mark.skip(reason=ABSENT), id="absent")


def _name(path: Any) -> str:
    return path.name if isinstance(path, Path) else "absent"


@pytest.mark.parametrize("path", _FOUND or [_ABSENT], ids=_name)
def test_floors_hold_for_rows_that_the_model_has_not_seen(
    path: Path, record_property: Callable[[str, object], None]
) -> None:
    rows = msgspec.json.decode(gzip.decompress(path.read_bytes()), type=list[StudyRow])

    floors = Corpus(rows).floors()

    record_property(COUNTED, {"floors": [each._asdict() for each in floors]})
    assert [f"{each.name}: {each.share:.3f}" for each in floors if not each.is_met] == []
    assert all(each.rows for each in floors)


def test_a_model_is_tried_only_on_rows_it_was_not_fitted_on() -> None:
    rows = [StudyRow(f"dorf{n}.at", "microsoft", [f"x{n}.mail.seppmail.cloud"]) for n in range(4)]
    rows += [StudyRow(f"stadt{n}.at", "domestic", [f"mx.stadt{n}.at"]) for n in range(40)]
    corpus = Corpus(rows)

    models = {row.domain: id(corpus.model_of(row)) for row in rows}

    assert len({models[f"dorf{n}.at"] for n in range(4)}) == 1
    assert len(set(models.values())) > 1


def test_the_coefficients_in_force_are_what_the_corpus_gives(
    conformance_bytes: Callable[[str], bytes],
) -> None:
    text = gzip.decompress(conformance_bytes("provider_corpus/at_2026-04.json.gz")).decode()
    knowledge = load_knowledge()
    examples = examples_of(read_corpus(text, knowledge.rules).rows, knowledge.rules).inferred

    found = fit(examples, knowledge.hand)

    # tables of operators grow between fits; what they may move is small
    assert found.values == pytest.approx(knowledge.calibration.values, abs=0.1)
