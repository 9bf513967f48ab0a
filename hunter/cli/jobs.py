"""Scan jobs of a running API: list them, look at one, stop it, or try again what failed in it."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table

from hunter.cli.api import Api
from hunter.cli.main import Exit
from hunter.config import Config
from hunter.core.errors import InvalidInput
from hunter.store.jobs import JobProgress

_NEEDS_JOB = ("show", "cancel", "redrive")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to do, and with which job."""
    parser.add_argument(
        "action",
        choices=("list", *_NEEDS_JOB),
        help="list: newest first; show: how far one is; cancel: what is done stays; "
        "redrive: the failed and given-up domains of a finished job again, as a new job",
    )
    parser.add_argument("job", metavar="JOB", nargs="?", help="id of the job; not for list")
    parser.add_argument(
        "--url", help="the API (default: HUNTER_HOST and HUNTER_PORT on this machine)"
    )


def run(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Exit code 0 once the API has done it."""
    config = Config.from_env(environ)
    url = arguments.url or f"http://{config.host}:{config.port}"
    if arguments.action in _NEEDS_JOB and not arguments.job:
        raise InvalidInput(
            f"{arguments.action} wants the id of a job; `hunter jobs list` shows them"
        )
    if arguments.action == "list" and arguments.job:
        raise InvalidInput("list takes no job; `hunter jobs show JOB` shows one")
    jobs = asyncio.run(_ask(url, str(config.admin_key), arguments.action, arguments.job))
    Console(highlight=False).print(_table(jobs))
    return Exit.OK


async def _ask(url: str, key: str, action: str, job: str) -> Sequence[JobProgress]:
    async with Api(url, key) as api:
        match action:
            case "list":
                return await api.jobs()
            case "show":
                return [await api.job(job)]
            case _:
                return [await api.act(job, action)]


def _table(jobs: Sequence[JobProgress]) -> Table:
    """One line a job."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("job", "status", "done", "ok", "unknown", "failed", "redrive of"):
        table.add_column(name, overflow="fold")
    for job in jobs:
        table.add_row(
            job.job_id,
            job.status,
            f"{job.processed}/{job.total}",
            str(job.succeeded),
            str(job.unknown),
            str(job.failed),
            job.redrive_of or "",
        )
    return table
