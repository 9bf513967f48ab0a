"""Send a company list to a running API, watch it being scanned, and see whom to call first."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from hunter.cli.api import JSON, Api
from hunter.cli.main import Exit
from hunter.config import Config
from hunter.core.errors import InvalidInput

#: refused rows that are named, and how much of a value
_SHOWN_REJECTS, _SHOWN_CHARS = 5, 60


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The file, the API, how many leads."""
    parser.add_argument("file", metavar="FILE", help="CSV (any delimiter and encoding) or XLSX")
    parser.add_argument(
        "--url", help="the API (default: HUNTER_HOST and HUNTER_PORT on this machine)"
    )
    parser.add_argument(
        "--top", type=int, default=10, metavar="N", help="leads to show, best first (default: 10)"
    )
    parser.add_argument(
        "--no-wait", action="store_true", help="end as soon as the list is accepted"
    )


def run(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Exit code 3 when some domains gave no answer."""
    config = Config.from_env(environ)
    url = arguments.url or f"http://{config.host}:{config.port}"
    if not 1 <= arguments.top <= 1000:
        raise InvalidInput("--top wants a number from 1 to 1000")
    path = Path(arguments.file)
    if not path.is_file():
        raise InvalidInput(f"{path}: {'a folder, not a file' if path.is_dir() else 'no such file'}")
    return asyncio.run(_ingest(path, url, str(config.admin_key), arguments))


async def _ingest(path: Path, url: str, key: str, arguments: argparse.Namespace) -> int:
    async with Api(url, key) as api:
        accepted = await api.ingest(path)
        tell_accepted(accepted)
        if arguments.no_wait:
            return Exit.OK
        with progress_bar(int(accepted["accepted"])) as show:
            done = await api.finish(accepted["job_id"], show)
        tell_done(done)
        leads = await api.get("/leads", limit=arguments.top)
        print_leads(leads["items"])
        return exit_code(done)


def tell_accepted(accepted: JSON) -> None:
    """What became of the rows, with the first reasons."""
    print(
        f"accepted {accepted['accepted']} companies; "
        f"{accepted['duplicates']} duplicates, {accepted['rejected_count']} rows set aside"
    )
    for reject in accepted["rejected"][:_SHOWN_REJECTS]:
        shown = str(reject["input"])
        shown = shown if len(shown) <= _SHOWN_CHARS else f"{shown[:_SHOWN_CHARS]}…"
        print(f"  line {reject['line']}: {shown!r}: {reject['detail'] or reject['reason']}")
    more = int(accepted["rejected_count"]) - _SHOWN_REJECTS
    if more > 0:
        print(f"  and {more} more, each with its reason: GET {accepted['links']['rejects']}")


@contextmanager
def progress_bar(total: int) -> Iterator[Callable[[JSON], None]]:
    """A bar on a terminal; nothing elsewhere."""
    progress = Progress(
        TextColumn("scanning"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    )
    with progress:
        bar = progress.add_task("scanning", total=total)

        def show(job: JSON) -> None:
            progress.update(bar, completed=job["processed"], total=job["total"])

        yield show


def tell_done(done: JSON) -> None:
    """How the scan ended."""
    print(
        f"scanned {done['processed']} of {done['total']}: {done['succeeded']} answered, "
        f"{done['unknown']} gave no answer, {done['failed']} failed"
    )


def print_leads(items: list[JSON]) -> None:
    """Whom to call first, and why: three lines a lead, in words."""
    if not items:
        print("no leads yet")
    for place, lead in enumerate(items, 1):
        mail = lead["provider_name"] or lead["mx_operator_name"] or "not known"
        if lead["gateway"]:
            mail += f", filtered by {lead['mx_operator_name']}"
        print(
            f"\n{place}. {lead['company_name'] or lead['display_name']}  ({lead['display_name']})"
        )
        print(
            f"   P{lead['priority']} {lead['segment']}, score {lead['score']}, "
            f"{lead['confidence_word']}; mail: {mail}"
        )
        print(f"   {lead['reason']}")


def exit_code(done: JSON) -> int:
    """By the counts of a finished job."""
    if done["failed"] or done["status"] != "completed":
        return Exit.FAILED
    return Exit.UNKNOWN if done["unknown"] else Exit.OK
