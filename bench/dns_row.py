"""One measurement of bench/dns.py in a process of its own, as JSON on standard output."""

from __future__ import annotations

import sys

# dns.py stands in this folder and has the name of dnspython's package: look here last
sys.path.append(sys.path.pop(0))

import asyncio
import gc
import json
import time
from array import array
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import uvloop
from dns_clients import CLIENTS, Client, Run, Verdict
from dns_servers import processor_seconds
from dns_zone import DOMAINS

from hunter.resolver.variant import is_compiled

#: questions about a company of the zone, for the number of companies at once
_PER_DOMAIN = 8
_SOAK_STEP = 100_000


@dataclass(slots=True)
class Found:
    """What a measurement found; seconds, milliseconds, MiB as the names say."""

    compiled: bool = False
    asked: int = 0
    domains: int = 0
    lost: int = 0
    wrong: int = 0
    seconds: float = 0.0
    cpu_s: float = 0.0
    server_cpu_s: float = 0.0
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    peak_mib: float = 0.0


def memory_mib(field: str = "VmHWM") -> float:
    """Peak (VmHWM) or present (VmRSS) resident memory of this process."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) / 1024
    return 0.0


async def drive(
    client: Client, numbers: Iterator[int], at_once: int, kept: list[tuple[int, Any]] | None
) -> array[float]:
    """Keep `at_once` companies under way until all are done; gives how long each took, in seconds."""
    took = array("d")
    clock, ask = time.perf_counter, client.ask

    async def worker() -> None:
        for number in numbers:
            started = clock()
            answers = await ask(number)
            took.append(clock() - started)
            if kept is not None:
                kept.append((number, answers))

    await asyncio.gather(*(worker() for _ in range(at_once)))
    return took


async def measure(run: Run, port: int, server: int) -> Found:
    """Warm up, measure, then compare; answers are compared after the clock has stopped."""
    found = Found(compiled=is_compiled(), domains=run.domains)
    at_once = max(1, run.in_flight // _PER_DOMAIN)
    kept: list[tuple[int, Any]] = []
    async with CLIENTS[run.client](run, port) as client:
        if run.warm:
            # other companies than those to be measured: c-ares remembers answers. Memory is read
            # here because the clock's part keeps every answer
            await drive(client, iter(range(DOMAINS - run.warm, DOMAINS)), at_once, None)
            found.peak_mib = memory_mib()
        theirs, cpu = processor_seconds(server), time.process_time()
        started = time.perf_counter()
        took = await drive(client, iter(range(run.domains)), at_once, kept)
        found.seconds = time.perf_counter() - started
        found.cpu_s = time.process_time() - cpu
        found.server_cpu_s = processor_seconds(server) - theirs
        verdict = Verdict()
        for number, answers in kept:
            client.compare(number, answers, verdict)
    found.asked, found.lost, found.wrong = verdict.asked, verdict.lost, verdict.wrong
    ordered = sorted(took)
    found.p50_ms = ordered[len(ordered) // 2] * 1000
    found.p99_ms = ordered[len(ordered) * 99 // 100] * 1000
    return found


async def soak(run: Run, port: int, questions: int) -> list[dict[str, float]]:
    """Ask on and on, keeping nothing; memory after each 100,000 questions."""
    steps: list[dict[str, float]] = []
    verdict = Verdict()
    async with CLIENTS[run.client](run, port) as client:

        async def ask(number: int) -> None:
            client.compare(number, await client.ask(number), verdict)

        counting = Client(ask, client.compare)
        domains = questions // _PER_DOMAIN
        for begin in range(0, domains, _SOAK_STEP // _PER_DOMAIN):
            part = range(begin, min(domains, begin + _SOAK_STEP // _PER_DOMAIN))
            await drive(counting, iter(part), max(1, run.in_flight // _PER_DOMAIN), None)
            gc.collect()
            mib = memory_mib("VmRSS")
            print(f"  {verdict.asked:>11,} questions {mib:7.1f} MiB", file=sys.stderr, flush=True)
            steps.append(
                {
                    "questions": verdict.asked,
                    "mib": mib,
                    "lost": verdict.lost,
                    "wrong": verdict.wrong,
                }
            )
    return steps


def main(argument: str) -> None:
    """Do what the JSON object in `argument` says: {run, port, server, soak}."""
    wish = json.loads(argument)
    run = Run(**wish["run"])
    # as a worker sets its garbage collector, and for all clients alike
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    factory = uvloop.new_event_loop if run.loop == "uvloop" else None
    with asyncio.Runner(loop_factory=factory) as runner:
        if wish.get("soak"):
            print(json.dumps(runner.run(soak(run, wish["port"], wish["soak"]))))
        else:
            print(json.dumps(asdict(runner.run(measure(run, wish["port"], wish["server"])))))


if __name__ == "__main__":
    main(sys.argv[1])
