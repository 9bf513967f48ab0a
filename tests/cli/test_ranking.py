"""The ranking keeps the best of any number, in the order of a call list."""

from types import SimpleNamespace
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from hunter.cli.ranking import Ranking, rank
from hunter.core.judgement import Judgement


def _judgement(priority: int, score: int, confidence: float | None = 1.0) -> Judgement:
    found: Any = SimpleNamespace(priority=priority, score=score, confidence=confidence)
    return cast("Judgement", found)


judgements = st.builds(
    _judgement, st.integers(1, 6), st.integers(0, 100), st.none() | st.floats(0, 1)
)


@given(st.lists(judgements), st.integers(1, 10))
def test_the_best_are_kept_in_order_and_the_rest_is_counted(
    found: list[Judgement], size: int
) -> None:
    ranking = Ranking(size)
    for each in found:
        ranking.add(each)

    assert [rank(j) for j in ranking.best()] == sorted(map(rank, found), reverse=True)[:size]
    assert ranking.left_out == max(0, len(found) - size)


def test_priority_counts_before_score_and_score_before_confidence() -> None:
    order = [
        _judgement(1, 10, 0.5),
        _judgement(2, 90),
        _judgement(2, 80, 0.9),
        _judgement(2, 80, None),
    ]
    ranking = Ranking(10)
    for each in reversed(order):
        ranking.add(each)

    assert ranking.best() == order
