"""What the fuzz targets start from, and what once broke them, without a fuzzer."""

from __future__ import annotations

import pytest

from tests.fuzz.targets import REGRESSIONS, TARGETS, seeds_of


@pytest.mark.parametrize("name", TARGETS)
def test_every_starting_point_and_earlier_finding_keeps_the_rules(name: str) -> None:
    seeds = list(seeds_of(name))

    for data in seeds:
        TARGETS[name].check(data)

    assert len(seeds) > 2


def test_every_earlier_finding_belongs_to_a_target() -> None:
    assert {path.name for path in REGRESSIONS.iterdir() if path.is_dir()} <= set(TARGETS)
