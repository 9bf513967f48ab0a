"""A bulk from acceptance to its last result, with every process of Hunter on this machine.

`python bench/pipeline.py [--sizes 1000,10000,100000] [--depth quick]` prints for each size how
fast it went, what each stage cost the processor, and the memory of each process. API, worker,
PostgreSQL, Valkey, the name server and this program share the machine's cores.

The worker's stages are its own counters (`hunter_scan_stage_cpu_seconds_total`); what is left of
its processor time is DNS, the event loop and arq. The other figures are those of the kernel.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import processes
from harness import Row, Running, running_hunter, write_results

from hunter.local.zones import Company, generate, zone_lines
from hunter.ops.stages import STAGES

_REST = "DNS and event loop"
_STAGE = "hunter_scan_stage_cpu_seconds_total"
_POLL_S = 0.25
#: between two looks at memory, which the kernel has to walk through
_LOOK_S = 5.0
#: lines of one zone file: the name server holds one as text while it reads it
_ZONE_LINES = 500_000
_TIMEOUT_S = 3600.0
#: below this many microseconds a domain, a part of PostgreSQL gets no line of its own
_WORTH_A_LINE_US = 1.0


@dataclass(slots=True)
class Spent:
    """Processor seconds so far: of each kind of process, and of each stage of the worker."""

    by_kind: dict[str, float]
    by_stage: dict[str, float]


@dataclass(slots=True)
class Run:
    """One bulk, measured."""

    names: int
    accept_s: float = 0.0
    total_s: float = 0.0
    #: seconds for the last hundredth of the domains
    tail_s: float = 0.0
    progress: dict[str, Any] = field(default_factory=dict)
    accepting: dict[str, float] = field(default_factory=dict)
    processor: dict[str, float] = field(default_factory=dict)
    stages: dict[str, float] = field(default_factory=dict)
    proportional: dict[str, float] = field(default_factory=dict)
    resident: dict[str, float] = field(default_factory=dict)


async def measure(hunter: Running, names: list[str], depth: str) -> Run:
    """One bulk of `names`, from the first byte sent to the last result committed."""
    run = Run(len(names))
    begin, before = time.perf_counter(), await spent(hunter)
    watch = asyncio.create_task(watch_memory(hunter, run))
    job = await accept(hunter, names, depth)
    run.accept_s = time.perf_counter() - begin
    run.accepting = less((await spent(hunter)).by_kind, before.by_kind)
    almost = begin
    async with asyncio.timeout(_TIMEOUT_S):
        while True:
            run.progress = await hunter.get(f"/api/v1/scan/bulk/{job}")
            if run.progress["processed"] < 0.99 * len(names):
                almost = time.perf_counter()
            if run.progress["status"] == "completed":
                break
            await asyncio.sleep(_POLL_S)
    ended = time.perf_counter()
    run.total_s, run.tail_s = ended - begin, ended - almost
    after = await spent(hunter)
    watch.cancel()
    await asyncio.gather(watch, return_exceptions=True)
    run.processor = less(after.by_kind, before.by_kind)
    run.stages = less(after.by_stage, before.by_stage)
    if run.progress["processed"] != len(names):
        raise RuntimeError(f"{len(names)} names in, {run.progress['processed']} results out")
    return run


async def accept(hunter: Running, names: list[str], depth: str) -> str:
    """Send the names as text lines; the id of the job."""
    async with hunter.http.post(
        f"{hunter.url}/api/v1/scan/bulk",
        params={"depth": depth},
        data="\n".join(names).encode(),
        headers={"Content-Type": "text/plain"},
    ) as answer:
        if answer.status != 202:
            raise RuntimeError(await answer.text())
        job: str = (await answer.json())["job_id"]
        return job


async def spent(hunter: Running) -> Spent:
    """What everything has cost the processor until now."""
    stages: dict[str, float] = {}
    for worker_url in hunter.worker_urls:
        async with hunter.http.get(f"{worker_url}/metrics") as answer:
            for stage, seconds in stage_seconds(await answer.text()).items():
                stages[stage] = stages.get(stage, 0.0) + seconds
    return Spent(processes.processor_by_kind(pids_of(hunter)), stages)


def less(after: Mapping[str, float], before: Mapping[str, float]) -> dict[str, float]:
    """What was spent between two looks; a process that was not there before had spent nothing."""
    return {name: seconds - before.get(name, 0.0) for name, seconds in after.items()}


def stage_seconds(metrics: str) -> dict[str, float]:
    """One worker's processor seconds by stage, the rest included."""
    values = dict(line.rsplit(" ", 1) for line in metrics.splitlines() if line[:1] != "#")
    seconds = {stage: float(values[f'{_STAGE}{{stage="{stage}"}}']) for stage in STAGES}
    return seconds | {_REST: float(values["process_cpu_seconds_total"]) - sum(seconds.values())}


def pids_of(hunter: Running) -> dict[int, str]:
    """Every process that takes part, by what it is."""
    ours = {hunter.name_server_pid: "name server", os.getpid(): "this program"}
    return processes.kinds(hunter.pid) | ours


async def watch_memory(hunter: Running, run: Run) -> None:
    """Keep the highest memory of each kind of process."""
    while True:
        now: dict[str, float] = defaultdict(float)
        for pid, kind in pids_of(hunter).items():
            now[kind] += processes.proportional_mib(pid)
            if kind in {"API", "worker", "name server"}:
                peak = processes.resident_peak_mib(pid)
                run.resident[kind] = max(peak, run.resident.get(kind, 0.0))
        for kind, size in now.items():
            run.proportional[kind] = max(size, run.proportional.get(kind, 0.0))
        await asyncio.sleep(_LOOK_S)


def report(run: Run, label: str) -> list[Row]:
    """The figures of one bulk, in the order in which they are printed."""
    n = run.names
    rows = [
        Row(label, "throughput", round(n / run.total_s, 1), "domains/s"),
        Row(label, "accept", round(run.accept_s, 3), "s"),
        Row(label, "accept to last result", round(run.total_s, 2), "s"),
        Row(label, "of it the last 1 % of domains", round(run.tail_s, 2), "s"),
        Row(label, "unknown", run.progress["unknown"], "domains"),
        Row(label, "failed", run.progress["failed"], "domains"),
    ]
    rows += [
        Row(label, f"accept: {kind}", _us(run.accepting[kind], n), "us/domain")
        for kind in ("API", "PostgreSQL")
    ]
    rows += [
        Row(label, f"worker: {each}", _us(s, n), "us/domain") for each, s in run.stages.items()
    ]
    rows += processor_rows(run, label)
    rows += [
        Row(label, f"memory, PSS: {kind}", round(size, 1), "MiB")
        for kind, size in sorted(run.proportional.items())
    ]
    rows += [
        Row(label, f"memory, peak resident: {kind}", round(size, 1), "MiB")
        for kind, size in sorted(run.resident.items())
    ]
    return rows


def processor_rows(run: Run, label: str) -> Iterable[Row]:
    """Processor time of each process, of PostgreSQL's parts, and what nobody used."""
    n = run.names
    for kind, seconds in sorted(run.processor.items()):
        if ": " not in kind or _us(seconds, n) >= _WORTH_A_LINE_US:
            yield Row(label, f"processor: {kind}", _us(seconds, n), "us/domain")
    used = sum(seconds for kind, seconds in run.processor.items() if ": " not in kind)
    had = run.total_s * len(os.sched_getaffinity(0))
    yield Row(label, "processor: all of it", _us(used, n), "us/domain")
    yield Row(label, "processor: share used", round(100 * used / had, 1), "%")


def _us(seconds: float, names: int) -> float:
    return round(1e6 * seconds / names, 1)


def write_zones(folder: Path, size: int) -> list[str]:
    """Zone files of `size` companies, in pieces that are read one by one; their names."""
    names = []

    def passing() -> Iterator[Company]:
        for company in generate(size):
            names.append(company.domain)
            yield company

    lines = zone_lines(passing())
    for number in itertools.count():
        piece = list(itertools.islice(lines, _ZONE_LINES))
        if not piece:
            return names
        (folder / f"{number:04}.zone").write_text("\n".join(piece) + "\n")
    raise AssertionError("a count has no end")


async def run_size(size: int, depth: str, settings: dict[str, str]) -> list[Row]:
    """A fresh Hunter and name server, so that all leads are new; one bulk of `size` names."""
    with tempfile.TemporaryDirectory() as folder:
        names = write_zones(Path(folder), size)
        async with running_hunter(
            Path(folder), HUNTER_ALLOW_TEST_NAMES="true", **settings
        ) as hunter:
            run = await measure(hunter, names, depth)
    return report(run, f"{size:,} names, {depth}")


async def main(sizes: list[int], depth: str, settings: dict[str, str]) -> None:
    """Every size; rows are printed as they are known and kept in bench/results/pipeline.json."""
    figures: list[Row] = []
    for size in sizes:
        rows = await run_size(size, depth, settings)
        for row in rows:
            print(f"{row.row:22} {row.metric:48} {row.value:>12,} {row.unit}", flush=True)
        figures += rows
    print(f"written: {write_results('pipeline', figures)}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", default="1000,10000,100000", help="1000000 takes 15 minutes")
    parser.add_argument("--depth", default="quick", choices=["quick", "full"])
    parser.add_argument("--set", action="append", default=[], metavar="HUNTER_NAME=VALUE")
    options = parser.parse_args()
    chosen = dict(pair.split("=", 1) for pair in options.set)
    asyncio.run(main([int(size) for size in options.sizes.split(",")], options.depth, chosen))
