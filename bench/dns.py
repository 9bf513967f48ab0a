"""The DNS engine beside its peers: one client core, one server core, the same questions for all.

`python bench/dns.py [--quick]`. Question set of the "questions" rows, eight per domain: MX, TXT and
NS of the name, TXT `_dmarc`, CNAME `autodiscover`, `enterpriseregistration`, `selector1` and
`selector2` (the last does not exist). The "survey" rows run the quick survey itself: the same
names in three waves, each waiting for the one before. Every answer is compared with the zone.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from typing import Any, NamedTuple

# this file has the name of dnspython's package, so its folder must not come first on the path
sys.path.append(sys.path.pop(0))

import aiodns
import dns.asyncresolver
import dns.exception
import dns.resolver
import pycares
import uvloop
from harness import Row, write_results

from hunter.config import Config
from hunter.core.answers import Depth, Outcome, RRType
from hunter.resolver.opening import open_engine
from hunter.resolver.survey import survey

DOMAINS = 20_000
PER_DOMAIN = 8
SETS = (
    (RRType.MX, ""),
    (RRType.TXT, ""),
    (RRType.NS, ""),
    (RRType.TXT, "_dmarc"),
    (RRType.CNAME, "autodiscover"),
    (RRType.CNAME, "enterpriseregistration"),
    (RRType.CNAME, "selector1._domainkey"),
    (RRType.CNAME, "selector2._domainkey"),
)
Question = tuple[str, RRType]
#: "" when the name does not exist, "lost" when there was no answer, else the sorted records
Told = str
LOST = "lost"


def domain_of(number: int) -> str:
    """Name of a domain of the zone."""
    return f"firma{number % DOMAINS}.example"


def records_of(number: int) -> dict[tuple[RRType, str], list[str]]:
    """What the zone says about a domain."""
    tenant = f"firma{number % DOMAINS}"
    return {
        (RRType.MX, ""): [f"10 {tenant}-example.mail.protection.outlook.com"],
        (RRType.TXT, ""): [
            "v=spf1 include:spf.protection.outlook.com -all",
            f"MS=ms{number % DOMAINS:08}",
        ],
        (RRType.NS, ""): ["ns1.hoster.example", "ns2.hoster.example"],
        (RRType.TXT, "_dmarc"): [f"v=DMARC1; p=none; rua=mailto:dmarc@{tenant}.example"],
        (RRType.CNAME, "autodiscover"): ["autodiscover.outlook.com"],
        (RRType.CNAME, "enterpriseregistration"): ["enterpriseregistration.windows.net"],
        (RRType.CNAME, "selector1._domainkey"): [
            f"selector1-{tenant}-example._domainkey.{tenant}.onmicrosoft.com"
        ],
    }


def zone_text() -> str:
    """All domains as zone text."""
    lines = []
    for number in range(DOMAINS):
        domain = domain_of(number)
        lines.append(
            f"{domain} 300 SOA ns1.hoster.example host.hoster.example 1 7200 900 86400 300"
        )
        for (rrtype, label), records in records_of(number).items():
            name = f"{label}.{domain}" if label else domain
            for record in records:
                text = f'"{record}"' if rrtype is RRType.TXT else record
                lines.append(f"{name} 300 {rrtype} {text}")
    return "\n".join(lines)


def questions_of(number: int) -> list[Question]:
    """The questions about a domain."""
    domain = domain_of(number)
    return [(f"{label}.{domain}" if label else domain, rrtype) for rrtype, label in SETS]


def expected_of(number: int) -> list[Told]:
    """What a right answer to each question tells."""
    known = records_of(number)
    return [" | ".join(sorted(known.get(key, []))) for key in SETS]


class Score:
    """Questions answered by one client, and how many of them wrongly.

    Answers are kept while the clock runs and compared with the zone after it has stopped.
    """

    def __init__(self) -> None:
        self.asked = self.lost = self.wrong = 0
        self.kept: list[tuple[int, Sequence[Any]]] = []

    def compare(self, tell: Callable[[Any], Told]) -> Score:
        """Compare all that was kept; `tell` turns one answer of the client into text."""
        for number, answers in self.kept:
            self.count(number, [tell(answer) for answer in answers])
        return self

    def count(self, number: int, told: Sequence[Told]) -> None:
        """Compare with the zone."""
        self.asked += len(told)
        for got, wanted in zip(told, expected_of(number), strict=True):
            if got == LOST:
                self.lost += 1
            elif got != wanted:
                self.wrong += 1


class Spent(NamedTuple):
    """What a run took: seconds on the clock, and of a processor."""

    seconds: float
    cpu: float


AskDomain = Callable[[int], Awaitable[None]]


async def drive(ask: AskDomain, domains: int, at_once: int) -> Spent:
    """Keep `at_once` domains under way until all are done."""
    numbers: Iterator[int] = iter(range(domains))

    async def worker() -> None:
        for number in numbers:
            await ask(number)

    started, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(worker() for _ in range(at_once)))
    return Spent(time.perf_counter() - started, time.process_time() - cpu)


# ── the clients; each gives what it spent and its score ──


async def run_engine(port: int, in_flight: int, domains: int) -> tuple[Spent, Score]:
    """Hunter's engine, one future per domain."""
    score = Score()
    # a tenth of the window is kept for interactive questions
    config = Config(dns_servers=(("127.0.0.1", port),), dns_window=in_flight * 10 // 9 + 1)
    async with open_engine(config) as engine:

        async def ask(number: int) -> None:
            score.kept.append((number, await engine.ask(questions_of(number))))

        spent = await drive(ask, domains, max(1, in_flight // PER_DOMAIN))
    return spent, score.compare(lambda answer: _told(answer.outcome, answer.records))


def _told(outcome: Outcome, records: Sequence[str]) -> Told:
    return " | ".join(sorted(records)) if outcome.is_known else LOST


class _Hints:
    def hides_mailboxes(self, hosts: Sequence[str], domain: str) -> bool:
        """False: every domain is asked the same."""
        return False

    def selectors_for(self, hosts: Sequence[str], depth: Depth) -> Sequence[str]:
        """What the operator of this zone's domains uses."""
        del hosts, depth
        return ("selector1", "selector2")


async def run_survey(port: int, at_once: int, domains: int) -> tuple[Spent, Score]:
    """The quick survey; DKIM is asked as TXT, so its answers are not compared."""
    score = Score()
    config = Config(dns_servers=(("127.0.0.1", port),))
    hints = _Hints()
    async with open_engine(config) as engine:

        async def ask(number: int) -> None:
            found = await survey(engine, domain_of(number), Depth.QUICK, hints)
            score.kept.append((number, (found,)))

        spent = await drive(ask, domains, at_once)
    for number, (found,) in score.kept:
        score.asked += len(found.answers)
        for (name, rrtype), wanted in zip(
            questions_of(number)[:6], expected_of(number), strict=False
        ):
            answer = found.answers[f"{name} {rrtype}"]
            got = _told(answer.outcome, answer.records)
            score.lost += got == LOST
            score.wrong += got not in (LOST, wanted)
    return spent, score


async def run_aiodns(port: int, in_flight: int, domains: int) -> tuple[Spent, Score]:
    """aiodns, one future per question as its interface has it."""
    score = Score()
    resolver = aiodns.DNSResolver(
        nameservers=["127.0.0.1"], udp_port=port, tcp_port=port, timeout=2.0, tries=3
    )

    async def ask(number: int) -> None:
        asked = (resolver.query_dns(name, rrtype.value) for name, rrtype in questions_of(number))
        score.kept.append((number, await asyncio.gather(*asked, return_exceptions=True)))

    try:
        spent = await drive(ask, domains, max(1, in_flight // PER_DOMAIN))
    finally:
        await resolver.close()
    return spent, score.compare(_cares_told)


def _cares_told(found: Any) -> Told:
    if isinstance(found, aiodns.error.DNSError):
        absent = found.args[0] in (aiodns.error.ARES_ENOTFOUND, aiodns.error.ARES_ENODATA)
        return "" if absent else LOST
    return " | ".join(sorted(filter(None, (_cares_text(each.data) for each in found.answer))))


def _cares_text(data: Any) -> str:  # pycares has one class per record type
    if isinstance(data, pycares.MXRecordData):
        return f"{data.priority} {data.exchange}"
    if isinstance(data, pycares.TXTRecordData):
        return data.data.decode()
    if isinstance(data, pycares.NSRecordData):
        return str(data.nsdname)
    return str(data.cname) if isinstance(data, pycares.CNAMERecordData) else ""


async def run_dnspython(port: int, in_flight: int, domains: int) -> tuple[Spent, Score]:
    """dnspython's asynchronous resolver."""
    score = Score()
    resolver = dns.asyncresolver.Resolver(configure=False)
    resolver.nameservers = ["127.0.0.1"]
    resolver.port = port
    resolver.cache = None

    async def ask(number: int) -> None:
        asked = (
            resolver.resolve(name + ".", rrtype.value, lifetime=10)
            for name, rrtype in questions_of(number)
        )
        score.kept.append((number, await asyncio.gather(*asked, return_exceptions=True)))

    spent = await drive(ask, domains, max(1, in_flight // PER_DOMAIN))
    return spent, score.compare(_dnspython_told)


def _dnspython_told(found: Any) -> Told:
    if isinstance(found, dns.resolver.NXDOMAIN | dns.resolver.NoAnswer):
        return ""
    if isinstance(found, dns.exception.DNSException):
        return LOST
    return " | ".join(sorted(_dnspython_text(rdata) for rdata in found))


def _dnspython_text(rdata: Any) -> str:  # dnspython has one class per record type
    if rdata.rdtype.name == "TXT":
        return b"".join(rdata.strings).decode()
    return str(rdata).rstrip(".")


Client = Callable[[int, int, int], Coroutine[Any, Any, tuple[Spent, Score]]]
#: row → client, event loop, in flight (surveys: domains at once), domains, domains with --quick
CLIENTS: dict[str, tuple[Client, str, int, int, int]] = {
    "engine, 100 in flight": (run_engine, "uvloop", 100, 20_000, 6_000),
    "engine, 500 in flight": (run_engine, "uvloop", 500, 20_000, 6_000),
    "engine, 2000 in flight": (run_engine, "uvloop", 2_000, 20_000, 6_000),
    "engine, 10000 in flight": (run_engine, "uvloop", 10_000, 20_000, 6_000),
    "engine on asyncio, 500 in flight": (run_engine, "asyncio", 500, 20_000, 6_000),
    "quick survey, 200 domains": (run_survey, "uvloop", 200, 20_000, 6_000),
    "quick survey, 1000 domains": (run_survey, "uvloop", 1_000, 20_000, 6_000),
    "aiodns on uvloop, 500 in flight": (run_aiodns, "uvloop", 500, 6_000, 1_500),
    "aiodns on asyncio, 500 in flight": (run_aiodns, "asyncio", 500, 6_000, 1_500),
    "dnspython on asyncio, 100 in flight": (run_dnspython, "asyncio", 100, 800, 200),
}
_PEER = "aiodns on uvloop, 500 in flight"


def run_row(name: str, port: int, *, quick: bool) -> list[Row]:
    """One row in this process; the garbage collector is set as a worker sets it, for all alike."""
    client, loop, in_flight, domains, few = CLIENTS[name]
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    domains = few if quick else domains
    with asyncio.Runner(loop_factory=uvloop.new_event_loop if loop == "uvloop" else None) as runner:
        spent, score = runner.run(client(port, in_flight, domains))
    return [
        Row(name, "questions", score.asked / spent.seconds, "1/s"),
        Row(name, "domains", domains / spent.seconds, "1/s"),
        Row(name, "processor time per question", spent.cpu / score.asked * 1e6, "us"),
        Row(name, "lost", score.lost, "questions"),
        Row(name, "wrong", score.wrong, "questions"),
    ]


def measure(*, quick: bool) -> list[Row]:
    """Every row in a process of its own, pinned away from the server."""
    cores = sorted(os.sched_getaffinity(0))
    client_core, server_core = cores[0], cores[-1]
    rows: list[Row] = []
    with tempfile.NamedTemporaryFile("w", suffix=".zone") as zone:
        zone.write(zone_text())
        zone.flush()
        command = [sys.executable, "-m", "hunter.local.nameserver", "--zone", zone.name]
        with _pinned(command, server_core) as server:
            try:
                assert server.stdout is not None
                port = int(server.stdout.readline().rpartition(":")[2])
                for name in CLIENTS:
                    again = [sys.executable, __file__, "--row", name, "--port", str(port)]
                    with _pinned([*again, *(["--quick"] if quick else [])], client_core) as client:
                        assert client.stdout is not None
                        found = [Row(**each) for each in json.loads(client.stdout.read() or "[]")]
                    _show(name, found)
                    rows += found
            finally:
                server.terminate()
    return rows


def _pinned(command: list[str], core: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: os.sched_setaffinity(0, {core}),  # noqa: PLW1509  # no threads here
    )


def _show(name: str, rows: list[Row]) -> None:
    value = {row.metric: row.value for row in rows}
    if not value:
        print(f"{name:38} failed")
        return
    print(
        f"{name:38} {value['questions']:>9,.0f} questions/s {value['domains']:>8,.0f} domains/s"
        f" {value['processor time per question']:>7.1f} us cpu"
        f" {value['lost']:>6,.0f} lost {value['wrong']:>4,.0f} wrong",
        flush=True,
    )


def ratios(rows: list[Row]) -> list[Row]:
    """Every row's questions a second, as a multiple of aiodns' in the same run."""
    rate = {row.row: row.value for row in rows if row.metric == "questions"}
    peer = rate.get(_PEER)
    return (
        [Row(row, "ratio to aiodns", value / peer, "times") for row, value in rate.items()]
        if peer
        else []
    )


def main() -> int:
    """Run everything, or one row as a child of such a run; 1 when an answer was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="fewer questions: half a minute in all"
    )
    parser.add_argument("--row", help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.row:
        rows = run_row(args.row, args.port, quick=args.quick)
        print(
            json.dumps(
                [{"row": r.row, "metric": r.metric, "value": r.value, "unit": r.unit} for r in rows]
            )
        )
        return 0
    rows = measure(quick=args.quick)
    for row in ratios(rows):
        rows.append(row)
        print(f"{row.row:38} {row.value:9.1f} times aiodns")
    print(f"written: {write_results('dns', rows)}")
    return 1 if any(row.value for row in rows if row.metric == "wrong") else 0


if __name__ == "__main__":
    raise SystemExit(main())
