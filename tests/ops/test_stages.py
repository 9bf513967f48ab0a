"""Processor time by stage: charged while a coroutine runs, not while it waits."""

import asyncio
from time import thread_time

import pytest

from hunter.ops.metrics import Metrics
from hunter.ops.stages import STAGES, StageClock


def _spend(seconds: float) -> None:
    ends = thread_time() + seconds
    while thread_time() < ends:
        pass


async def test_a_stage_is_charged_for_what_it_does_between_its_waits() -> None:
    clock = StageClock(Metrics())

    async def work() -> str:
        _spend(0.01)
        await asyncio.sleep(0)
        _spend(0.01)
        return "done"

    assert await clock.run("commit", work()) == "done"

    assert clock.seconds["commit"] >= 0.02
    assert clock.seconds["judge"] == 0


async def test_a_stage_is_not_charged_for_what_others_do_while_it_waits() -> None:
    clock = StageClock(Metrics())

    async def other() -> None:
        _spend(0.05)

    await clock.run("claim", asyncio.gather(other(), other()))

    assert clock.seconds["claim"] < 0.05


async def test_a_stage_inside_another_is_charged_to_itself_alone() -> None:
    clock = StageClock(Metrics())
    begin = thread_time()

    async def commit() -> None:
        _spend(0.01)
        began = thread_time()
        _spend(0.05)
        clock.charge("judge", thread_time() - began)

    await clock.run("commit", commit())

    assert clock.seconds["judge"] >= 0.05
    assert clock.seconds["commit"] >= 0.009
    assert sum(clock.seconds.values()) <= thread_time() - begin


async def test_a_cancelled_stage_sees_its_cancellation_and_is_charged() -> None:
    clock = StageClock(Metrics())
    cleaned = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            _spend(0.01)
            cleaned.append(True)

    task = asyncio.create_task(clock.run("commit", work()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert cleaned == [True]
    assert clock.seconds["commit"] >= 0.01


async def test_an_error_of_the_work_comes_out_as_it_is() -> None:
    clock = StageClock(Metrics())

    async def work() -> None:
        raise LookupError("gone")

    with pytest.raises(LookupError, match="gone"):
        await clock.run("commit", work())


def test_every_stage_is_a_series_from_the_start() -> None:
    metrics = Metrics()
    StageClock(metrics)

    text = metrics.render().decode()

    for stage in STAGES:
        assert f'hunter_scan_stage_cpu_seconds_total{{stage="{stage}"}} 0' in text
