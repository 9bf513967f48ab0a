"""Processes of the chaos run: started again whatever ends them, and never left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "bench"))

from chaos_cluster import Member

SLEEPS = "import time; time.sleep(600)"
#: ends by itself in its first life only
ENDS_ONCE = f"import os, time; os.path.exists('once') or (open('once', 'w'), exit(7)); {SLEEPS}"
CRASHES_WHEN_TOLD = f"import os; 'HUNTER_CRASH' in os.environ and os.kill(os.getpid(), 9); {SLEEPS}"


@asynccontextmanager
async def member(folder: Path, program: str) -> AsyncIterator[Member]:
    program = f"import os; os.chdir({str(folder)!r}); {program}"
    one = Member("one", ("-c", program), dict(os.environ), folder)
    await one.start()
    try:
        yield one
    finally:
        await one.end()


async def next_life(one: Member, pid: int) -> int:
    async with asyncio.timeout(30):
        while one.pid in {pid, None}:
            await asyncio.sleep(0.01)
    assert one.pid is not None
    return one.pid


async def test_a_process_that_was_killed_is_started_again_and_held_against_nobody(
    tmp_path: Path,
) -> None:
    async with member(tmp_path, SLEEPS) as one:
        pid = one.signal(signal.SIGKILL)
        assert pid is not None

        assert await next_life(one, pid) != pid
        assert one.unexpected == []


async def test_a_process_that_ended_by_itself_is_told(tmp_path: Path) -> None:
    async with member(tmp_path, ENDS_ONCE) as one:
        async with asyncio.timeout(30):
            while not one.unexpected:
                await asyncio.sleep(0.01)

        assert [(end.name, end.code) for end in one.unexpected] == [("one", 7)]


async def test_a_crash_point_counts_when_the_process_killed_itself(tmp_path: Path) -> None:
    async with member(tmp_path, CRASHES_WHEN_TOLD) as one:
        one.extra = {"HUNTER_CRASH": "claim.taken:1"}
        one.signal(signal.SIGKILL)
        async with asyncio.timeout(30):
            while not one.crashed:
                await asyncio.sleep(0.01)

        assert one.crashed == [{"HUNTER_CRASH": "claim.taken:1"}]
        assert one.unexpected == []


async def test_nothing_is_left_at_the_end_not_even_what_was_frozen(tmp_path: Path) -> None:
    async with member(tmp_path, SLEEPS) as one:
        pid = one.signal(signal.SIGSTOP)
        assert one.frozen

    assert not Path(f"/proc/{pid}").exists()
