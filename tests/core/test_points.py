"""Points of the protocol, read from a setting."""

from __future__ import annotations

import pytest

from hunter.core.points import Point, read_crash


def test_a_point_is_read_with_the_number_of_the_time_it_is_passed() -> None:
    assert read_crash("") is None
    assert read_crash("drain.started") == (Point.DRAIN_STARTED, 1)
    assert read_crash("drain.started:12") == (Point.DRAIN_STARTED, 12)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("drain", "no such point; it knows .*drain.started"),
        ("drain.started:0", "wants point:n with n from 1"),
        ("drain.started:x", "wants point:n with n from 1"),
        ("drain.started:²", "wants point:n with n from 1"),
    ],
)
def test_what_is_no_point_is_refused_with_what_is_wanted(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        read_crash(text)
