"""Send a company list to a running API, watch it being scanned, and see whom to call first."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from hunter.cli.api import Api
from hunter.cli.main import Exit
from hunter.cli.terminal import harmless
from hunter.config import Config
from hunter.core.errors import InvalidInput
from hunter.store.jobs import JobProgress
from hunter.web.receipts import BatchView, RejectView
from hunter.web.views import LeadItem

#: characters of a refused value that are shown
_SHOWN_CHARS = 60


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
        "--rejects",
        metavar="FILE",
        help="write the rows set aside, each with its reason, to a file (.csv, .xlsx or .ndjson)",
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
        batch = await api.ingest(path)
        tell_accepted(batch)
        if arguments.rejects and batch.rejected_count:
            await _save_rejects(api, batch.batch_id, Path(arguments.rejects))
        if arguments.no_wait:
            return Exit.OK
        with progress_bar(batch.accepted) as show:
            done = await api.finish(batch.job_id, show)
        tell_done(done)
        print_leads(await api.best_leads(arguments.top))
        return exit_code(done)


async def _save_rejects(api: Api, batch_id: str, path: Path) -> None:
    suffix = path.suffix.lstrip(".").lower()
    wanted = suffix if suffix in {"csv", "xlsx", "ndjson"} else "csv"
    rejects = api.download(f"/ingest/batches/{batch_id}/rejects", {"format": wanted})
    try:
        with path.open("wb") as file:
            async for piece in rejects:
                file.write(piece)
    except OSError as error:
        raise InvalidInput(f"{path}: cannot be written: {error.strerror}") from error
    print(f"  rows set aside are in {path}")


def tell_accepted(batch: BatchView) -> None:
    """What became of the rows: each reason once, with the first row it met."""
    print(
        f"accepted {batch.accepted} companies; "
        f"{batch.duplicates} duplicates, {batch.rejected_count} rows set aside"
    )
    first: dict[str, RejectView] = {}
    for reject in batch.rejected:
        first.setdefault(reject.reason, reject)
    for reason, rows in Counter(reject.reason for reject in batch.rejected).most_common():
        reject = first[reason]
        shown = reject.input
        shown = shown if len(shown) <= _SHOWN_CHARS else f"{shown[:_SHOWN_CHARS]}…"
        others = f" ({rows - 1} more like it)" if rows > 1 else ""
        print(f"  line {reject.line}: {shown!r}: {reject.detail or reason}{others}")
    if batch.rejected_count:
        print(f"  every row with its reason: GET {batch.links.rejects}")


@contextmanager
def progress_bar(total: int) -> Iterator[Callable[[JobProgress], None]]:
    """A bar on a terminal, a line at each quarter elsewhere."""
    if not sys.stderr.isatty():
        yield _quarters()
        return
    progress = Progress(
        TextColumn("scanning"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    with progress:
        bar = progress.add_task("scanning", total=total)
        yield lambda job: progress.update(bar, completed=job.processed, total=job.total)


def _quarters() -> Callable[[JobProgress], None]:
    told = 0

    def show(job: JobProgress) -> None:
        nonlocal told
        quarter = int(job.progress // 25)
        if quarter > told:
            told = quarter
            print(f"scanned {job.processed} of {job.total}", flush=True)

    return show


def tell_done(job: JobProgress) -> None:
    """How the scan ended."""
    print(
        f"{job.processed} of {job.total} domains done: {job.succeeded} answered, "
        f"{job.unknown} gave no answer, {job.failed} failed"
    )


def print_leads(leads: list[LeadItem]) -> None:
    """Whom to call first, and why: three lines a lead, in words."""
    if not leads:
        print("no leads yet")
    for place, lead in enumerate(leads, 1):
        mail = lead.provider_name or lead.mx_operator_name or "not known"
        if lead.gateway:
            mail += f", filtered by {lead.mx_operator_name}"
        name = harmless(lead.company_name or lead.display_name)
        print(f"\n{place}. {name}  ({lead.display_name})")
        print(
            f"   P{lead.priority} {lead.segment}, score {lead.score}, "
            f"{lead.confidence_word}; mail: {harmless(mail)}"
        )
        print(f"   {harmless(lead.reason)}")


def exit_code(job: JobProgress) -> int:
    """By the counts of a finished job."""
    if job.failed or job.status != "completed":
        return Exit.FAILED
    return Exit.UNKNOWN if job.unknown else Exit.OK
