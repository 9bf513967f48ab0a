"""Too much change or silence at once is the resolver's doing, not the world's."""

from __future__ import annotations

import pytest

from hunter.core.health import Sample, Trust, weigh

CALM, LIES, SILENT = Sample(1000, 50, 200), Sample(1000, 51, 0), Sample(1000, 0, 201)
#: all of them moved and fell silent, and they are too few to tell
LITTLE = Sample(199, 199, 199)
TRUSTED, HELD, RELEASED = Trust(), Trust(is_held=True), Trust(is_held=True, is_released=True)


@pytest.mark.parametrize(
    ("seen", "is_moving", "is_silent"),
    [
        (CALM, False, False),
        (LIES, True, False),
        (SILENT, False, True),
        (LITTLE, False, False),
        (Sample(200, 11, 41), True, True),
        (Sample(), False, False),
    ],
)
def test_a_share_counts_above_its_bound_and_of_two_hundred_domains_or_more(
    seen: Sample, is_moving: bool, is_silent: bool
) -> None:
    assert (seen.is_moving, seen.is_silent) == (is_moving, is_silent)


def test_the_reason_names_what_is_the_matter_with_its_numbers() -> None:
    assert CALM.reason == LITTLE.reason == ""
    assert LIES.reason == "51 of 1,000 known providers seem to have moved"
    assert SILENT.reason == "201 of 1,000 known domains went unanswered"
    assert Sample(2000, 900, 1500).reason == (
        "900 of 2,000 known providers seem to have moved; "
        "1,500 of 2,000 known domains went unanswered"
    )


def test_changes_are_held_until_scans_look_healthy_again() -> None:
    held = weigh(LIES, TRUSTED)

    assert held == HELD
    assert weigh(CALM, held) == TRUSTED
    assert weigh(SILENT, TRUSTED) == Trust(is_silent=True), "silence holds nothing back"
    assert weigh(LIES, Trust(is_silent=True)) == HELD


@pytest.mark.parametrize("now", [TRUSTED, HELD, Trust(is_silent=True), Trust(True, True)])
def test_a_sample_too_small_to_tell_changes_nothing(now: Trust) -> None:
    assert weigh(LITTLE, now) == now


@pytest.mark.parametrize("seen", [LIES, LITTLE])
def test_nothing_is_held_once_an_operator_has_looked(seen: Sample) -> None:
    assert weigh(seen, RELEASED) == Trust(is_released=True)
