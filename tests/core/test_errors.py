"""The errors a caller can meet, and what each carries."""

from __future__ import annotations

import datetime as dt

import pytest

from hunter.core import errors


def test_every_error_is_one_of_hunters() -> None:
    kinds = [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and kind.__module__ == errors.__name__
    ]

    assert all(issubclass(kind, errors.HunterError) for kind in kinds)
    assert all(kind.__doc__ for kind in kinds)


def test_a_conflict_says_when_to_come_back_only_if_that_helps() -> None:
    assert errors.Conflict("a twin is running", retry_after_s=2).retry_after_s == 2
    assert errors.Conflict("the job is over").retry_after_s is None


def test_what_is_unavailable_is_worth_another_try_after_a_second() -> None:
    assert errors.Unavailable("Redis does not answer").retry_after_s == 1
    assert errors.Unavailable("the disk is full", retry_after_s=5).retry_after_s == 5


def test_bad_input_names_its_places_and_an_invalid_domain_its_reason() -> None:
    with pytest.raises(errors.InvalidInput) as caught:
        raise errors.InvalidInput("bad", errors=(("/domains/3", "wants text"),))
    domain = errors.InvalidDomain("no", reason="empty")

    assert caught.value.errors == (("/domains/3", "wants text"),)
    assert (domain.reason, domain.errors) == ("empty", ())


def test_a_spent_quota_says_how_much_of_it_is_used_and_when_it_is_whole_again() -> None:
    reset = dt.datetime(2026, 3, 2, tzinfo=dt.UTC)
    spent = errors.QuotaExceeded(
        "no more today", quota=1000, used=990, reset=reset, retry_after_s=3600
    )

    assert (spent.quota, spent.used, spent.reset, spent.retry_after_s) == (1000, 990, reset, 3600)
    assert (str(spent), isinstance(spent, errors.HunterError)) == ("no more today", True)
