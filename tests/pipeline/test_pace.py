"""As many chunks at once as are of use: more while they wait for answers, fewer while for each other."""

from __future__ import annotations

import asyncio

import pytest

from hunter.pipeline.pace import LEAST, Pace


class Chunks:
    """Chunks that want a slot and keep it until they are told to end."""

    def __init__(self, pace: Pace) -> None:
        self.pace = pace
        self.inside = 0
        self._ends: list[asyncio.Event] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def come(self, number: int = 1) -> list[asyncio.Task[None]]:
        came = []
        for _ in range(number):
            end = asyncio.Event()
            self._ends.append(end)
            came.append(asyncio.create_task(self._stay(end)))
        self._tasks += came
        await _settle()
        return came

    async def _stay(self, end: asyncio.Event) -> None:
        async with self.pace:
            self.inside += 1
            try:
                await end.wait()
            finally:
                self.inside -= 1

    async def end(self, number: int) -> None:
        for event in self._ends[:number]:
            event.set()
        del self._ends[:number]
        await _settle()

    async def all_end(self) -> None:
        while self._ends:
            await self.end(1)
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_chunks_beyond_the_limit_wait_for_a_slot() -> None:
    chunks = Chunks(Pace(24))
    await chunks.come(6)
    at_first = chunks.inside
    await chunks.end(1)

    assert (at_first, chunks.inside) == (LEAST, LEAST)
    await chunks.end(4)
    assert chunks.inside == 1
    await chunks.all_end()


async def test_while_commits_come_at_once_there_are_more_up_to_the_setting() -> None:
    chunks = Chunks(Pace(6))
    await chunks.come(10)
    for _ in range(10):
        chunks.pace.waited(0.0)
    await _settle()

    assert (chunks.pace.limit, chunks.inside) == (6, 6)
    await chunks.all_end()


async def test_while_chunks_wait_for_each_others_commits_there_are_fewer_down_to_two() -> None:
    chunks = Chunks(Pace(24))
    await chunks.come(4)
    for _ in range(10):
        chunks.pace.waited(1.0)
    await chunks.come(1)
    await chunks.end(2)

    assert (chunks.pace.limit, chunks.inside) == (LEAST, 2)
    await chunks.end(1)
    assert chunks.inside == 2
    await chunks.all_end()


async def test_two_chunks_are_committed_at_once_and_the_next_takes_its_turn() -> None:
    pace = Pace(24)
    end, inside = asyncio.Event(), 0

    async def commit() -> None:
        nonlocal inside
        async with pace.commit():
            inside += 1
            await end.wait()

    async with asyncio.TaskGroup() as group:
        for _ in range(3):
            group.create_task(commit())
        await _settle()
        assert inside == 2
        assert pace.is_behind
        end.set()
    assert inside == 3
    assert not pace.is_behind


@pytest.mark.parametrize("most", [1, 2, 3])
async def test_the_setting_is_never_passed(most: int) -> None:
    pace = Pace(most)
    limits = {pace.limit}
    for waited_s in (1.0, 1.0, 0.0, 0.0, 0.0):
        pace.waited(waited_s)
        limits.add(pace.limit)

    assert max(limits) == most
    assert min(limits) == min(most, LEAST)


async def test_a_chunk_that_gives_up_waiting_takes_no_slot() -> None:
    chunks = Chunks(Pace(4))
    for _ in range(4):
        chunks.pace.waited(0.0)
    await chunks.come(4)
    waiting, given = [*await chunks.come(1), *await chunks.come(1)]
    waiting.cancel()
    await chunks.end(1)
    assert chunks.inside == 4
    await chunks.end(3)
    assert chunks.inside == 1

    assert waiting.cancelled()
    assert not given.done()
    await chunks.all_end()


async def test_a_slot_given_to_one_who_is_cancelled_just_then_goes_to_the_next() -> None:
    chunks = Chunks(Pace(1))
    await chunks.come(1)
    cancelled, next_one = [*await chunks.come(1), *await chunks.come(1)]
    first_ends = chunks._ends[0]
    first_ends.set()
    # the first gives its slot back in this turn of the loop; the one who gets it has not run yet
    while not chunks.pace._queue[0].done() and len(chunks.pace._queue) == 2:
        await asyncio.sleep(0)
    cancelled.cancel()
    await _settle()

    assert cancelled.cancelled()
    assert chunks.inside == 1
    assert not next_one.done()
    await chunks.all_end()
    assert chunks.pace._taken == 0
