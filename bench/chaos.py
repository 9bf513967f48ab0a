"""Hunter under fire: kill, freeze, flush and cut off while lists are scanned, then count what is lost.

`python bench/chaos.py [--domains N] [--seconds S] [--seed X] [--workers K] [--faults a,b]` starts
PostgreSQL, Valkey, a name server, API processes and workers on loopback, in a folder that is
removed at the end; the logs of a run that misses anything stay in .local/chaos/SEED. It prints one
table and exits with 1 when anything was lost or duplicated.
`--system unfenced` and `--system naive` are the controls, which must fail.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import dataclasses
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import uvloop
from chaos_alerts import Alerts, Teller, receiving
from chaos_audit import audit, longest_stall, repeated, work_done
from chaos_cluster import HUNTER, Cluster, Shape, running
from chaos_edits import Edited, Editor
from chaos_faults import FAULTS, Storm
from chaos_load import Callers
from chaos_naive import NaiveCallers
from chaos_names import names_and_zone
from chaos_recovery import measure
from chaos_report import Line, alerted, counted, edited, measured, table, write

from hunter.core.points import Point

BENCH = Path(__file__).parent
#: the logs of a run that was not clean stay here, by its seed
KEPT = BENCH.parent / ".local" / "chaos"
SYSTEMS: Final[dict[str, tuple[str, ...]]] = {
    "hunter": (*HUNTER, "work"),
    "unfenced": (str(BENCH / "chaos_unfenced.py"),),
    "naive": (str(BENCH / "chaos_naive.py"),),
}
#: how often each must have happened in the full run
_FULL: Final = {"worker-kill": 50, "redis-flush": 10, "redis-kill": 5, "postgres-crash": 5}
_DOMAINS: Final = 20_000
_FULL_DOMAINS, _FULL_SECONDS, _FULL_LEASE_S = 1_000_000, 300.0, 20.0
#: beyond its length a storm goes on for what has not happened yet, at most so long
_STORM_MOST_S: Final = 300.0
_SINGLE_EVERY_S = 0.5
_TOLD_EVERY_S = 0.5
#: for messages that failed while all was away
_SETTLED_S = 180.0
_BETWEEN_S = 3.0
_CANCEL_EVERY_S = 10.0
_CANCELLED_NAMES = 2_000
_LARGEST_WAVE = 50_000
#: share of the storm in which lists still come in
_SENDING = 0.8
#: with the naive way nothing says that a job is over: it is when no row came for so long
QUIET_S = 25.0


@contextlib.asynccontextmanager
async def cluster_of(shape: Shape, zone_text: str, kept: Path) -> AsyncIterator[Cluster]:
    """A Hunter of this shape in a folder of its own; its logs are in `kept` afterwards."""
    with tempfile.TemporaryDirectory(prefix="hunter-chaos-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "log").mkdir()
        zone = folder / "zone"
        zone.write_text(zone_text)
        try:
            async with running(shape, folder, zone) as cluster:
                yield cluster
        finally:
            shutil.rmtree(kept, ignore_errors=True)
            shutil.copytree(folder / "log", kept)


class Run:
    """One run: calm, storm, recoveries, and the wait until all is done."""

    def __init__(
        self,
        options: argparse.Namespace,
        cluster: Cluster,
        callers: Callers,
        teller: Teller | None,
        editor: Editor | None,
    ) -> None:
        self.teller = teller
        self.editor = editor
        self.cluster = cluster
        self.callers = callers
        self.draw = random.Random(options.seed)
        self.recoveries: dict[str, list[float]] = {}
        #: share of the work of the storm
        self.repeated: float | None = None
        #: faults a second in the storm, those counted that took place
        self.rate = 0.0
        self.storm = Storm(
            cluster,
            self.draw,
            tuple(options.faults),
            options.rate,
            self._send_now,
            points=list(options.points),
            tell=None if teller is None else self._tell,
        )
        self._options = options
        self._waves: list[list[str]] = []
        self._sending: set[asyncio.Task[Any]] = set()

    async def go(self) -> None:
        """All phases; returns when every accepted job should be complete."""
        options = self._options
        first = options.domains // 2
        rest = options.domains - first
        waves = max(1, -(-rest // min(_LARGEST_WAVE, max(200, rest // 10))))
        singles = asyncio.create_task(self.callers.singles(_SINGLE_EVERY_S))
        try:
            say(f"calm: {first:,} names in one list")
            calm_ends = time.monotonic() + options.calm
            await self.callers.bulk(self.callers.take(first))
            if self.editor is not None:
                await self.editor.begin(options.patience)
            await asyncio.sleep(calm_ends - time.monotonic())
            # scans begun from here on may last into the storm: they count for neither
            self.callers.phase = "between"
            await asyncio.sleep(_BETWEEN_S)
            self.callers.phase = "storm"
            say(f"storm: {options.rate:g} faults a second for {options.seconds:g} s at least")
            self._waves = [self.callers.take(-(-rest // waves)) for _ in range(waves)]
            await self._storm(_SENDING * options.seconds / waves)
            if options.system == "hunter" and options.recoveries:
                self.callers.phase = "recovery"
                say("recoveries, one fault at a time")
                self.recoveries = await measure(
                    self.cluster, self.callers, self.draw, options.recoveries
                )
        finally:
            await self.storm.stop()
            for task in (singles, *self._sending):
                task.cancel()
            await asyncio.gather(singles, *self._sending, return_exceptions=True)
        say("waiting for the rest")
        await (self._until_quiet() if options.system == "naive" else self._until_completed())
        if self.editor is not None:
            await self.editor.settle(_SETTLED_S)
        if self.teller is not None:
            await self.teller.settled(_SETTLED_S)

    async def _tell(self, digest: bool) -> None:
        assert self.teller is not None
        await self.teller.tell(digest=digest)

    async def _storm(self, wave_every_s: float) -> None:
        ends = time.monotonic() + self._options.seconds
        pacing = asyncio.create_task(self._pace(wave_every_s))
        self._sending.add(pacing)
        telling = None
        if self.teller is not None:
            await self.teller.begin()
            telling = asyncio.create_task(self.teller.go_on(_TOLD_EVERY_S))
            self._sending.add(telling)
        if self.editor is not None:
            self._task(self.editor.go_on(self._options.seconds))
        begin, latest = time.monotonic(), ends + _STORM_MOST_S
        before = await work_done(self.cluster)
        await self.storm.rage(
            lambda: time.monotonic() > ends and (self._is_enough() or time.monotonic() > latest)
        )
        self.rate = self.storm.happened / (time.monotonic() - begin)
        await self.storm.settle()
        self.repeated = repeated(before, await work_done(self.cluster))
        for task in filter(None, (pacing, telling)):
            self._sending.discard(task)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        while self._waves:
            self._send_now(asyncio.Event())
        for sent in await asyncio.gather(*self._sending, return_exceptions=True):
            if isinstance(sent, BaseException):
                raise sent

    def _is_enough(self) -> bool:
        """In the full run every fault often enough, and every crash point at least once."""
        options = self._options
        return not options.least or (
            all(self.storm.done[kind] >= n for kind, n in options.least.items())
            and self.storm.hit() >= set(options.points)
        )

    async def _pace(self, every_s: float) -> None:
        cancel_at = time.monotonic()
        while True:
            self._send_now(asyncio.Event())
            if time.monotonic() >= cancel_at and self._options.system != "naive":
                cancel_at += _CANCEL_EVERY_S
                names = [self.draw.choice(self.callers.names) for _ in range(_CANCELLED_NAMES)]
                after_s = self.draw.uniform(0.2, 2)
                self._task(self.callers.cancelled([*dict.fromkeys(names)], after_s))
            await asyncio.sleep(every_s)

    def _send_now(self, sending: asyncio.Event) -> None:
        """Send the next wave, or a small list of its own when all were sent."""
        wave = self._waves.pop() if self._waves else self.callers.take(100)
        sending.set()
        self._task(self.callers.bulk(wave))

    def _task(self, work: Any) -> None:
        self._sending.add(asyncio.create_task(work))

    async def _until_completed(self) -> None:
        deadline = time.monotonic() + self._options.patience
        jobs = [s.job_id for s in self.callers.ledger.accepted() if s.rows_at_cancel is None]
        for job in jobs:
            assert job
            while (await self.callers.progress(job))["status"] not in {"completed", "cancelled"}:
                if time.monotonic() > deadline:
                    say(f"gave up after {self._options.patience:g} s: job {job} is still open")
                    return
                await asyncio.sleep(0.3)

    async def _until_quiet(self) -> None:
        before, since = -1, time.monotonic()
        while time.monotonic() - since < QUIET_S:
            async with self.cluster.connection() as conn:
                rows = await conn.fetchval("SELECT count(*) FROM scan_result")
            if rows != before:
                before, since = rows, time.monotonic()
            await asyncio.sleep(0.5)


async def run(options: argparse.Namespace) -> int:
    """One whole run; the exit code."""
    begin = time.monotonic()
    names, zone = names_and_zone(options.domains, options.seed)
    shape = Shape(
        workers=options.workers,
        apis=options.apis,
        lease_s=options.lease,
        slots=options.slots,
        worker=SYSTEMS[options.system],
        unique_results=options.system == "hunter",
    )
    say(f"seed {options.seed}, {options.domains:,} domains, {options.workers} workers, {shape}")
    kept = KEPT / str(options.seed)
    async with (
        cluster_of(shape, zone, kept) as cluster,
        receiving(random.Random(options.seed + 2)) as sink,
    ):
        kind = NaiveCallers if options.system == "naive" else Callers
        callers = kind(cluster, names, random.Random(options.seed + 1))
        try:
            teller = editor = None
            if options.system == "hunter":
                teller = Teller(cluster, sink, random.Random(options.seed + 3))
                editor = Editor(cluster, callers, random.Random(options.seed + 4))
            course = Run(options, cluster, callers, teller, editor)
            longest = options.seconds + options.patience * 2 + 600
            if options.least:
                longest += _STORM_MOST_S
            async with asyncio.timeout(longest):
                await course.go()
            say("audit")
            books = options.system != "naive"
            verdict = await audit(cluster, callers, with_books=books, with_api=books)
            edits, alerts = Edited(), Alerts()
            if editor is not None and teller is not None:
                edits = await editor.audit(teller.tried)
                alerts = await teller.audit(edits.wanted)
            stall = await longest_stall(cluster) if books else (0.0, 0.0)
        finally:
            await callers.close()
        members = [*cluster.workers, *cluster.apis]
        unexpected = [end for member in members for end in member.unexpected]
        hit = course.storm.hit()
        for end in unexpected:
            say(f"{end.name} ended by itself with {end.code}: {_tail(end.log)}")
    lines = counted(verdict) + edited(edits) + alerted(alerts)
    lines.append(Line("processes that ended by themselves", len(unexpected), "", 0))
    lines += measured(callers.ledger, verdict, stall, course.recoveries, course.repeated)
    if options.least:
        lines.append(Line("crash points not reached", len(set(options.points) - hit), "", 0))
    about = {
        "system": options.system,
        "seed": options.seed,
        "domains": verdict.accepted,
        "jobs": verdict.jobs,
        "cancelled_jobs": verdict.cancelled_jobs,
        "results": verdict.results,
        "faults": dict(sorted(course.storm.done.items())),
        "crash_points_hit": sorted(hit),
        "crash_points_armed_not_hit": sorted(course.storm.armed - hit),
        "crash_points_not_armed": sorted(set(options.points) - course.storm.armed),
        "edits_held": edits.held,
        "edits_taken_back": edits.taken_back,
        "changes_told": alerts.changes,
        "messages": alerts.messages,
        "requests": callers.ledger.requests,
        "wrong_answers": callers.ledger.wrong,
        "recoveries": course.recoveries,
        "shape": dataclasses.asdict(shape),
        "fault_rate": round(course.rate, 2),
        "seconds": round(time.monotonic() - begin, 1),
    }
    for told in verdict.told[:20] + edits.told[:20]:
        say(told)
    print()
    for name, value in about.items():
        print(f"{name}: {value}")
    print(f"\n{table(lines)}\n", flush=True)
    print(f"written: {write(about, lines, verdict)}")
    if all(line.is_met for line in lines):
        shutil.rmtree(kept)
    else:
        print(f"logs: {kept}")
    return 1 if verdict.violations + edits.violations + alerts.violations else 0


def _tail(log: Path) -> str:
    with contextlib.suppress(OSError):
        return " | ".join(log.read_text(errors="replace").strip().splitlines()[-5:])
    return "(no log)"


def say(line: str) -> None:
    """A word on how far it is, with the time."""
    print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)


def crash_points() -> list[str]:
    """The named points at which a process may kill itself."""
    return [point.value for point in Point]


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--domains", type=int, help="default 20,000, in the full run 1,000,000")
    parser.add_argument("--seconds", type=float, default=60.0, help="length of the storm")
    parser.add_argument("--calm", type=float, default=15.0, help="seconds before it")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--apis", type=int, default=2)
    parser.add_argument("--lease", type=float, default=5.0, help="seconds; Hunter's default is 20")
    parser.add_argument("--slots", type=int, help="bulk chunks at once per worker")
    parser.add_argument("--rate", type=float, default=1.0, help="faults a second")
    parser.add_argument("--recoveries", type=int, default=1, help="rounds of measuring them")
    parser.add_argument("--patience", type=float, default=180.0, help="seconds to finish after it")
    parser.add_argument("--faults", default=",".join(FAULTS), help=f"of {', '.join(FAULTS)}")
    parser.add_argument("--system", default="hunter", choices=list(SYSTEMS))
    parser.add_argument(
        "--full",
        action="store_true",
        help=f"{_FULL_DOMAINS:,} domains at the default lease, every fault often, every crash point: half an hour",
    )
    return parser


def parsed(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line, checked."""
    parser = arguments()
    options = parser.parse_args(argv)
    options.least = {}
    options.domains = options.domains or (_FULL_DOMAINS if options.full else _DOMAINS)
    if options.full:
        options.seconds, options.lease = _FULL_SECONDS, _FULL_LEASE_S
        options.patience, options.recoveries, options.least = 2400.0, 3, _FULL
        options.calm = 30.0
    options.faults = options.faults.split(",")
    options.points = crash_points()
    if unknown := sorted(set(options.faults) - set(FAULTS)):
        parser.error(f"--faults: {', '.join(unknown)} is none of {', '.join(FAULTS)}")
    if not options.points:
        options.faults = [kind for kind in options.faults if kind != "crash-point"]
    if options.domains < 1000 or options.workers < 2 or options.apis < 2 or options.rate <= 0:
        parser.error("wants 1000 domains, 2 workers, 2 API processes and a rate above 0 at least")
    return options


async def until_signalled(options: argparse.Namespace) -> int:
    """SIGINT and SIGTERM end the run in order, as its own end would."""
    task = asyncio.ensure_future(run(options))
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    try:
        return await task
    except asyncio.CancelledError:
        return 130


if __name__ == "__main__":
    sys.exit(uvloop.run(until_signalled(parsed())))
