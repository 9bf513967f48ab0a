"""Ids sort by the time they were made, however fast they are made."""

from __future__ import annotations

import datetime as dt
import uuid

from hunter.store.identifiers import uuid7, uuid7_at


def test_ids_of_a_process_grow_within_a_millisecond_too() -> None:
    made = [uuid7() for _ in range(20_000)]

    assert made == sorted(made)
    assert len(set(made)) == len(made)


def test_an_id_says_its_version_and_its_time() -> None:
    before = dt.datetime.now(dt.UTC)
    made = uuid7()
    after = dt.datetime.now(dt.UTC)

    assert made.version == 7
    assert made.variant == uuid.RFC_4122
    # ids made before this test in a hurry may have run ahead of the clock by some microseconds
    assert uuid7_at(before) <= made < uuid7_at(after + dt.timedelta(seconds=1))
