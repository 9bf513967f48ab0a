"""The harness sees what it is there to see: without the fence, and without a table, it finds faults."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[2] / "bench"))

from chaos_control import flush_under_work, freeze_beyond_lease

#: each starts a whole cluster; the scenario has deadlines of its own
pytestmark = pytest.mark.timeout(240)


async def test_a_worker_that_wakes_up_after_its_lease_writes_nothing() -> None:
    verdict = await freeze_beyond_lease("hunter", unique_results=True)

    assert (verdict.accepted, verdict.violations, verdict.told) == (200, 0, [])


async def test_the_fence_alone_keeps_it_from_writing_without_a_unique_key() -> None:
    verdict = await freeze_beyond_lease("hunter", unique_results=False)

    assert (verdict.accepted, verdict.violations, verdict.told) == (200, 0, [])


async def test_without_the_fence_the_same_is_seen_as_duplicates() -> None:
    verdict = await freeze_beyond_lease("unfenced", unique_results=False)

    assert verdict.accepted == 200
    assert verdict.duplicated > 0


async def test_a_flush_loses_nothing() -> None:
    verdict = await flush_under_work("hunter")

    assert (verdict.accepted, verdict.violations, verdict.told) == (200, 0, [])


async def test_a_flush_loses_what_waits_in_the_queue_of_the_naive_way() -> None:
    verdict = await flush_under_work("naive")

    assert verdict.accepted == 200
    assert verdict.lost > 0
