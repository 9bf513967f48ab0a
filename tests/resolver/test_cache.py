"""What is remembered about shared names, and for how long."""

from __future__ import annotations

import pytest

from hunter.core.answers import Answer, Outcome, RRType
from hunter.resolver.cache import Cache

KEY = ("spf.example.com", RRType.TXT)


def answer(outcome: Outcome = Outcome.FOUND, ttl: int = 60) -> Answer:
    return Answer(*KEY, outcome, ttl=ttl)


@pytest.mark.parametrize(
    ("kept", "seconds"),
    [
        (answer(ttl=60), 60),
        (answer(ttl=86400), 3600),
        (answer(Outcome.NXDOMAIN, 60), 60),
        (answer(Outcome.NODATA, 86400), 900),
        (answer(Outcome.SERVFAIL, 0), 5),
        (answer(Outcome.TIMEOUT, 0), 5),
    ],
)
def test_an_answer_is_kept_for_its_ttl_within_limits(kept: Answer, seconds: int) -> None:
    cache = Cache(10)

    cache.put(KEY, kept, 1000.0)

    assert cache.get(KEY, 1000.0 + seconds - 0.1) == kept
    assert cache.get(KEY, 1000.0 + seconds) is None


@pytest.mark.parametrize(
    "outcome", [Outcome.FOUND, Outcome.NODATA, Outcome.NXDOMAIN, Outcome.BUDGET]
)
def test_without_a_ttl_nothing_is_kept(outcome: Outcome) -> None:
    cache = Cache(10)

    cache.put(KEY, answer(outcome, ttl=0), 0.0)

    assert cache.get(KEY, 0.0) is None
    assert len(cache) == 0


def test_the_least_recently_used_goes_first() -> None:
    cache = Cache(2)
    keys = [(f"{letter}.example.com", RRType.A) for letter in "abc"]
    for key in keys[:2]:
        cache.put(key, answer(), 0.0)
    cache.get(keys[0], 1.0)

    cache.put(keys[2], answer(), 1.0)

    assert [cache.get(key, 2.0) is not None for key in keys] == [True, False, True]


def test_looks_are_counted() -> None:
    cache = Cache(2)
    cache.put(KEY, answer(), 0.0)

    for now in (1.0, 2.0, 99.0):
        cache.get(KEY, now)

    assert (cache.hits, cache.misses) == (2, 1)
