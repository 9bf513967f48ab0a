"""What bench/dns.py measures: the rows of its tables, each in a process pinned to the client's core."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import dns_tools
from dns_clients import Run
from dns_row import Found
from dns_servers import Server, cores, delay_proxy, pinned, running
from harness import Row

from hunter.resolver.variant import is_built

_SCRIPT = Path(__file__).with_name("dns_row.py")
IN_FLIGHT = (100, 500, 2_000, 10_000)
Show = Callable[[str, list[Row]], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """A row: its title, what it asks, and how many companies at each depth."""

    title: str
    run: Run
    depths: Mapping[str, int] = field(default_factory=dict)
    interpreted: bool = False


def child(wish: dict[str, Any], *, interpreted: bool = False) -> Any:
    """Run bench/dns_row.py on the client's core; raises RuntimeError when it fails."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("HUNTER_")}
    env |= {"HUNTER_PURE_PYTHON": "1"} if interpreted else {}
    command = [sys.executable, str(_SCRIPT), json.dumps(wish)]
    options = pinned(cores()[0], stdout=subprocess.PIPE) | {"env": env}
    with running(command, **options) as process:
        assert process.stdout is not None
        words = process.stdout.read()
        if process.wait():
            raise RuntimeError(f"{wish['run']['client']}: ended with {process.returncode}")
    return json.loads(words)


def once(server: Server, run: Run, *, interpreted: bool = False) -> Found:
    """One measurement against a server."""
    wish = {"run": asdict(run), "port": server.port, "server": server.pid}
    found = Found(**child(wish, interpreted=interpreted))
    if found.compiled and interpreted:
        raise RuntimeError("the row of the interpreted engine ran compiled")
    return found


def rows_of(title: str, found: Found) -> list[Row]:
    """The figures of the questions' columns."""
    rows = [
        Row(title, "questions", found.asked / found.seconds, "1/s"),
        Row(title, "domains", found.domains / found.seconds, "1/s"),
        Row(title, "processor time per question", found.cpu_s / found.asked * 1e6, "us"),
        Row(title, "lost", found.lost, "questions"),
        Row(title, "wrong", found.wrong, "questions"),
        Row(title, "client busy", found.cpu_s / found.seconds * 100, "%"),
        Row(title, "server busy", found.server_cpu_s / found.seconds * 100, "%"),
    ]
    if found.p50_ms:
        rows += [Row(title, "p50", found.p50_ms, "ms"), Row(title, "p99", found.p99_ms, "ms")]
    if found.peak_mib:
        rows.append(Row(title, "peak memory", found.peak_mib, "MiB"))
    return rows


def measured(server: Server, plan: Plan) -> list[Row]:
    """A row of the first table: the eight questions, then surveys at both depths."""
    found = once(server, plan.run, interpreted=plan.interpreted)
    lost, wrong = found.lost, found.wrong
    rows = rows_of(plan.title, found)
    for depth, domains in plan.depths.items():
        run = replace(plan.run, depth=depth, domains=domains, warm=0)
        found = once(server, run, interpreted=plan.interpreted)
        rows.append(Row(plan.title, f"domains {depth}", domains / found.seconds, "1/s"))
        lost, wrong = lost + found.lost, wrong + found.wrong
    # lost and wrong are those of all three
    kept = [row for row in rows if row.metric not in {"lost", "wrong"}]
    return [
        *kept,
        Row(plan.title, "lost", lost, "questions"),
        Row(plan.title, "wrong", wrong, "questions"),
    ]


# ── the first table: everybody on loopback ──


def first_plans(*, quick: bool) -> Iterator[Plan]:
    """The rows in Python."""
    own = (3_000, 600, 1_000, 200) if quick else (16_000, 2_000, 8_000, 3_000)
    for interpreted in (False, True) if is_built() else (True,):
        for in_flight in IN_FLIGHT:
            if quick and interpreted and is_built() and in_flight != 500:
                continue
            domains, warm, quickly, fully = own
            yield Plan(
                f"Hunter{' interpreted' * interpreted}, {in_flight:,} in flight",
                Run(client="engine", in_flight=in_flight, domains=domains, warm=warm),
                {"quick": quickly, "full": fully},
                interpreted,
            )
    peers = (1_000, 100, 300, 100) if quick else (4_000, 500, 1_500, 600)
    for loop, in_flight, resolvers in _aiodns_settings(quick=quick):
        domains, warm, quickly, fully = peers
        several = f", {resolvers} resolvers" if resolvers > 1 else ""
        yield Plan(
            f"aiodns on {loop}, {in_flight:,} in flight{several}",
            Run(
                client="aiodns", in_flight=in_flight, domains=domains, warm=warm, loop=loop,
                resolvers=resolvers,
            ),
            {"quick": quickly, "full": fully},
        )  # fmt: skip
    slow = (150, 20, 40, 20) if quick else (1_000, 100, 300, 100)
    for loop, in_flight in (("asyncio", 100), ("uvloop", 100), ("uvloop", 500)):
        if quick and (loop, in_flight) != ("uvloop", 100):
            continue
        domains, warm, quickly, fully = slow
        yield Plan(
            f"dnspython on {loop}, {in_flight:,} in flight",
            Run(client="dnspython", in_flight=in_flight, domains=domains, warm=warm, loop=loop),
            {"quick": quickly, "full": fully},
        )


def _aiodns_settings(*, quick: bool) -> list[tuple[str, int, int]]:
    if quick:
        return [("uvloop", 500, 1)]
    plain = [(loop, in_flight, 1) for loop in ("asyncio", "uvloop") for in_flight in IN_FLIGHT[:3]]
    return [*plain, ("uvloop", 500, 4)]


def first_table(server: Server, show: Show, *, quick: bool) -> list[Row]:
    """Every client against the same server."""
    rows: list[Row] = []

    def add(title: str, found: list[Row]) -> None:
        show(title, found)
        rows.extend(found)

    for plan in first_plans(quick=quick):
        add(plan.title, measured(server, plan))
    if find_spec("checkdmarc"):
        title = "checkdmarc, its own questions"
        before = server.questions()
        found = once(server, Run(client="checkdmarc", in_flight=1, domains=10 if quick else 60))
        after = server.questions()
        if before is not None and after is not None:
            found.asked = after - before
        full = Row(title, "domains full", found.domains / found.seconds, "1/s")
        add(title, [*rows_of(title, found), full])
    domains = 6_000 if quick else 18_000
    for tool, settings in ((dns_tools.massdns, (10_000,)), (dns_tools.dnsperf, (100, 500, 2_000))):
        for in_flight in settings[-2:-1] if quick and len(settings) > 1 else settings:
            found_or_not = tool(server, in_flight=in_flight, domains=domains)
            if found_or_not is not None:
                title = f"{tool.__name__}, {in_flight:,} in flight"
                add(title, rows_of(title, found_or_not))
    return rows


# ── the second table: behind a slow and lossy network ──


def second_plans(*, quick: bool) -> Iterator[Plan]:
    """Window of its own, a fixed one, and the peers."""
    many, few, slow = (8_000, 800, 150) if quick else (20_000, 3_000, 1_000)
    own = Run(client="engine", in_flight=16_000, domains=many, fixed=False)
    if is_built():
        yield Plan("Hunter, window of its own", own)
    if not quick or not is_built():
        yield Plan("Hunter interpreted, window of its own", own, interpreted=True)
    yield Plan(
        "Hunter, window fixed at 500",
        Run(client="engine", in_flight=500, domains=few),
        interpreted=not is_built(),
    )
    for in_flight in (500,) if quick else (500, 2_000):
        yield Plan(
            f"aiodns on uvloop, {in_flight:,} in flight",
            Run(client="aiodns", in_flight=in_flight, domains=few),
        )
    yield Plan(
        "dnspython on uvloop, 500 in flight",
        Run(client="dnspython", in_flight=500, domains=slow),
    )


def second_table(server: Server, show: Show, *, quick: bool) -> list[Row]:
    """The same questions through the delay proxy."""
    rows: list[Row] = []
    with delay_proxy(server) as proxy:
        for plan in second_plans(quick=quick):
            title = f"{plan.title} (network)"
            found = rows_of(title, once(proxy, plan.run, interpreted=plan.interpreted))
            show(title, found)
            rows += found
    return rows


# ── memory over a million questions ──


def soak(server: Server, questions: int) -> list[Row]:
    """Resident memory after each 100,000 questions."""
    run = Run(client="engine", in_flight=500, domains=0)
    steps: Sequence[dict[str, float]] = child(
        {"run": asdict(run), "port": server.port, "server": server.pid, "soak": questions}
    )
    title = "Hunter, one process"
    rows = [
        Row(title, f"memory after {step['questions']:,.0f}", step["mib"], "MiB") for step in steps
    ]
    return [
        *rows,
        Row(title, "lost", steps[-1]["lost"], "questions"),
        Row(title, "wrong", steps[-1]["wrong"], "questions"),
    ]
