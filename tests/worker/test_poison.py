"""A domain that kills every worker that touches it: the others get their results, it gets a reason."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from typing import Any

#: run instead of `hunter work`: the process dies when it begins to look at one certain name
DEADLY = """
import os, signal
from hunter.cli.main import main
from hunter.pipeline import looking

look = looking.survey

async def survey(engine, domain, *rest, **settings):
    if domain == "d7.example":
        os.kill(os.getpid(), signal.SIGKILL)
    return await look(engine, domain, *rest, **settings)

looking.survey = survey
raise SystemExit(main(["work"]))
"""


async def test_a_deadly_domain_is_given_up_and_everything_else_is_scanned(
    case: Any, start_worker: Callable[..., Any]
) -> None:
    names = ("d6.example", "d7.example", "d20.example", "d21.example")
    job_id = await case.submit(*names, chunk_size=2)
    # each step of the halving costs three workers their lives: start with the third at once
    await case.ask("UPDATE scan_chunk SET losses = 2 WHERE 'd7.example' = ANY(domains) RETURNING 1")

    async with asyncio.timeout(50):
        while not (progress := await case.progress(job_id)).is_finished:
            worker = await start_worker(code=DEADLY, lease_s=1.0, heartbeat_s=0.3)
            running = asyncio.create_task(worker.process.wait())
            while not running.done() and not (await case.progress(job_id)).is_finished:
                await asyncio.sleep(0.05)
            if not running.done():
                await worker.terminate()
            # killed by its domain or stopped in order; anything else would be a fault of the test
            assert await running in {-signal.SIGKILL, 0}

    assert (progress.processed, progress.succeeded, progress.failed) == (4, 3, 1)
    assert await case.books(job_id) == (3, 3, 0)
    reason = await case.ask("SELECT reason FROM scan_chunk WHERE state = 'dead'")
    assert reason.startswith("given up: ")
    assert await case.ask("SELECT domains = '{d7.example}' FROM scan_chunk WHERE state = 'dead'")
