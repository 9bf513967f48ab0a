"""See the product work without internet: a name server with thousands of invented companies, an untidy list of them, and the five leads to call first."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Mapping
from pathlib import Path

from hunter.cli.api import Api
from hunter.cli.ingest import print_leads, progress_bar, tell_accepted, tell_done
from hunter.cli.main import Exit
from hunter.cli.service import until_signalled
from hunter.cli.up import narrator
from hunter.local.demo import demo_folder, running_demo
from hunter.local.servers import Say
from hunter.local.stack import Stack
from hunter.store.jobs import JobProgress

_LEADS = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Stay or go."""
    parser.add_argument(
        "--keep",
        action="store_true",
        help="stay up afterwards, for curl and the browser; Ctrl-C ends",
    )
    parser.add_argument(
        "--data-dir",
        type=Path,
        metavar="DIR",
        help="keep data and logs there (default: a folder that is removed)",
    )


def run(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Start, ingest, show, end; exit code 1 when Hunter failed on a domain."""
    seen: list[JobProgress] = []

    async def show(stop: asyncio.Event) -> None:
        say = narrator()
        with demo_folder(arguments.data_dir) as folder:
            async with running_demo(environ, folder, say) as (stack, _):
                await stack.guard(_tell(stack, folder / "companies.csv", say, seen), stop)
                if arguments.keep and not stop.is_set():
                    print(f"The API stays up: {stack.url}/api/v1/leads?limit=20  (Ctrl-C ends)")
                    await stack.wait(stop)
            say("stopped" + ("" if arguments.data_dir else "; nothing is left behind"))

    asyncio.run(until_signalled(show))
    # the invented name servers that do not answer are part of the show, failures are not
    return Exit.FAILED if any(job.failed for job in seen) else Exit.OK


async def _tell(stack: Stack, file: Path, say: Say, seen: list[JobProgress]) -> None:
    """The list in, the best leads out."""
    async with Api(stack.url) as api:
        batch = await api.ingest(file)
        say("company list sent: Windows-1254, semicolons, Turkish headers, as Excel saves it")
        tell_accepted(batch)
        with progress_bar(batch.accepted) as show:
            done = await api.finish(batch.job_id, show)
        seen.append(done)
        say("scan finished")
        tell_done(done)
        print(f"\nThe {_LEADS} leads to call first:")
        print_leads(await api.best_leads(_LEADS))
        print(flush=True)
