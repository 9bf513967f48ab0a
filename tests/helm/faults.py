"""Faults made for real on a running Hunter, its scrapes recorded as series for promtool: `make fault-scrapes`.

PostgreSQL, Valkey, a name server, an API and two workers run on loopback with work under way. For each
fault both sides are recorded, healthy and broken, one scrape every `REAL_S` seconds; promtool is told that
`SYNTHETIC` lies between two, so that minutes pass in seconds. Left out is what says more about the machine
that recorded than about the fault: latency, CPU, memory, disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp
import yaml

from hunter.local.servers import free_port, postgres, process, valkey
from hunter.store.migrate import migrate_up

HERE: Final = Path(__file__).parent
RULES: Final = HERE.parents[1] / "helm" / "hunter" / "files" / "hunter.rules.yaml"
FIXTURES: Final = HERE / "faults"
REAL_S: Final = 0.4
SYNTHETIC: Final = "30s"
SAMPLES: Final = 30
COMPANIES: Final = 2000
_LEFT_OUT: Final = re.compile(r"http_request_duration|cpu_|memory_|disk_")
_SAMPLE: Final = re.compile(r"^([a-zA-Z_:][\w:]*)(\{.*\})? (\S+)$")

#: what must fire at the end of each fault, and nothing of another cause
EXPECTED: Final[dict[str, frozenset[str]]] = {
    "redis_down": frozenset({"RedisUnavailable"}),
    "dns_down": frozenset({"DNSDown", "DNSServerNotAnswering"}),
    "postgres_down": frozenset({"DatabaseUnavailable", "HighErrorRate"}),
    "worker_killed": frozenset({"TargetMissing", "LeaseLosses"}),
}
CAUSES: Final = frozenset().union(*EXPECTED.values()) | {"JobAccountingMismatch", "DeadChunks"}


@dataclass
class Series:
    """Every series seen, a value for each scrape; None where it was not there."""

    wanted: frozenset[str]
    values: dict[str, list[str | None]] = field(default_factory=dict)
    scrapes: int = 0

    def add(self, scraped: dict[str, str]) -> None:
        """One scrape of everything."""
        for name in scraped.keys() - self.values.keys():
            self.values[name] = [None] * self.scrapes
        for name, values in self.values.items():
            values.append(scraped.get(name))
        self.scrapes += 1

    def lines(self) -> list[dict[str, str]]:
        """As promtool wants them; HTTP series of routes that nobody called are left out."""
        return [
            {"series": name, "values": _written(values)}
            for name, values in sorted(self.values.items())
            if not name.startswith("http_") or set(values) - {None, "0"}
        ]


def _written(values: list[str | None]) -> str:
    """Runs as `1x3`; a gap begins with the mark that Prometheus writes when a target goes."""
    parts: list[str] = []
    position = 0
    while position < len(values):
        value = values[position]
        end = position
        while end < len(values) and values[end] == value:
            end += 1
        count = end - position
        if value is None:
            if position:
                parts.append("stale")
                count -= 1
            if count:
                parts.append("_" if count == 1 else f"_x{count}")
        else:
            parts.append(value if count == 1 else f"{value}x{count - 1}")
        position = end
    return " ".join(parts)


def metrics_of_rules() -> frozenset[str]:
    """Names of the metrics that the rules look at."""
    rules = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    text = " ".join(rule["expr"] for group in rules for rule in group["rules"])
    return frozenset(n for n in re.findall(r"[a-z_]+", text) if not _LEFT_OUT.match(n))


@dataclass
class Stack:
    """A running Hunter whose parts can be taken away one by one."""

    folder: Path
    http: aiohttp.ClientSession
    api: str
    targets: dict[tuple[str, str], str]
    workers: list[asyncio.subprocess.Process]
    name_server: asyncio.subprocess.Process
    restart: dict[str, Callable[[], Awaitable[None]]]
    stop: dict[str, Callable[[], Awaitable[None]]]

    async def scrape(self, wanted: frozenset[str]) -> dict[str, str]:
        """What Prometheus would store of one round."""
        answers = await asyncio.gather(*(self._target(url) for url in self.targets.values()))
        found: dict[str, str] = {}
        for (job, instance), text in zip(self.targets, answers, strict=True):
            own = f'job="{job}",instance="{instance}"'
            found[f"up{{{own}}}"] = "1" if text is not None else "0"
            for line in (text or "").splitlines():
                if (sample := _SAMPLE.match(line)) and sample[1] in wanted:
                    labels = f"{sample[2][1:-1]}," if sample[2] else ""
                    found[f"{sample[1]}{{{labels}{own}}}"] = sample[3]
        return found

    async def _target(self, url: str) -> str | None:
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            async with self.http.get(url, timeout=aiohttp.ClientTimeout(total=3)) as answer:
                return await answer.text() if answer.status == 200 else None
        return None

    async def call(self) -> None:
        """What a caller does meanwhile; failures are the point."""
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            async with self.http.get(f"{self.api}/api/v1/leads?limit=5") as answer:
                await answer.read()

    async def work(self) -> None:
        """A list that keeps the workers busy for longer than a recording takes."""
        domains = [f"d{n}.example" for n in range(COMPANIES)]
        async with self.http.post(f"{self.api}/api/v1/scan/bulk", json={"domains": domains}) as got:
            if got.status != 202:
                raise RuntimeError(f"the list was not accepted: {await got.text()}")

    async def healthy(self, limit_s: float = 60) -> None:
        """Wait until every part says that it is ready, and work is being done."""
        async with asyncio.timeout(limit_s):
            for url in self.targets.values():
                ready = url.replace("/metrics", "/healthz/ready")
                while True:
                    with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                        async with self.http.get(ready) as answer:
                            if answer.status == 200:
                                break
                    await asyncio.sleep(0.1)


@contextlib.asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Stack]:
    """All of it, in `folder`."""
    async with contextlib.AsyncExitStack() as stack:
        zone = folder / "zone"
        zone.write_text("\n".join(f"d{n}.example. MX 10 mx.d{n}.example." for n in range(COMPANIES)))  # fmt: skip
        told: list[str] = []
        name_server = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "hunter.local.nameserver", "--zone", str(zone),
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        stack.push_async_callback(_end, name_server)
        assert name_server.stdout is not None
        told.append((await name_server.stdout.readline()).decode().strip())
        servers: dict[str, contextlib.AsyncExitStack] = {}
        ports = {"postgres": free_port(), "redis": free_port()}
        urls: dict[str, str] = {}

        async def start(name: str) -> None:
            servers[name] = contextlib.AsyncExitStack()
            context = (
                postgres(folder, told.append, throwaway=True, port=ports[name])
                if name == "postgres"
                else valkey(folder, told.append, port=ports[name])
            )
            urls[name] = await servers[name].enter_async_context(context)

        async def stop(name: str) -> None:
            await servers[name].aclose()

        for name in ports:
            await start(name)
            stack.push_async_callback(stop, name)
        await asyncio.to_thread(migrate_up, urls["postgres"])
        api_port, worker_ports = free_port(), [free_port(), free_port()]
        environ = {k: v for k, v in os.environ.items() if not k.startswith("HUNTER_")} | {
            "HUNTER_DATABASE_URL": urls["postgres"],
            "HUNTER_REDIS_URL": urls["redis"],
            "HUNTER_DNS_SERVERS": told[0].removeprefix("listening on "),
            "HUNTER_DATA_DIR": str(folder),
            "HUNTER_ALLOW_TEST_NAMES": "true",
            # slow enough that a list outlasts a recording
            "HUNTER_DNS_MAX_QPS": "120",
            "HUNTER_WORKER_SLOTS": "2",
            "HUNTER_CHUNK_SIZE": "20",
            # short, so that a killed worker's chunks are taken over within the recording
            "HUNTER_LEASE_S": "3",
            "HUNTER_HEARTBEAT_S": "0.5",
        }

        async def begin(command: str, port: int) -> asyncio.subprocess.Process:
            where = {"HUNTER_PORT": str(port), "HUNTER_WORKER_PORT": str(port)}
            return await stack.enter_async_context(
                process(
                    [sys.executable, "-m", "hunter", command],
                    log=folder / f"{command}-{port}.log",
                    env=environ | where,
                )
            )

        await begin("serve", api_port)
        workers = [await begin("work", port) for port in worker_ports]
        http = await stack.enter_async_context(
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=8))
        )
        targets = {("dyn365hunter-api", "api-1"): f"http://127.0.0.1:{api_port}/metrics"} | {
            ("dyn365hunter-worker", f"worker-{n}"): f"http://127.0.0.1:{port}/metrics"
            for n, port in enumerate(worker_ports, start=1)
        }
        made = Stack(
            folder=folder,
            http=http,
            api=f"http://127.0.0.1:{api_port}",
            targets=targets,
            workers=workers,
            name_server=name_server,
            restart={n: (lambda n=n: start(n)) for n in ports},  # type: ignore[misc]
            stop={n: (lambda n=n: stop(n)) for n in ports},  # type: ignore[misc]
        )
        await made.healthy()
        yield made


async def _end(child: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        child.send_signal(signal.SIGCONT)
        child.terminate()
    await child.wait()


async def record(stack: Stack, series: Series, samples: int) -> None:
    """So many scrapes, with callers meanwhile."""
    callers: set[asyncio.Task[None]] = set()
    loop = asyncio.get_running_loop()
    for _ in range(samples):
        due = loop.time() + REAL_S
        for _ in range(2):
            callers.add(task := asyncio.create_task(stack.call()))
            task.add_done_callback(callers.discard)
        series.add(await stack.scrape(series.wanted))
        await asyncio.sleep(max(0.0, due - loop.time()))
    await asyncio.gather(*callers)


async def make(fault: str, stack: Stack) -> None:
    """Break it."""
    match fault:
        case "redis_down":
            await stack.stop["redis"]()
        case "postgres_down":
            await stack.stop["postgres"]()
        case "dns_down":
            stack.name_server.send_signal(signal.SIGSTOP)
        case _:
            stack.workers[0].kill()


async def heal(fault: str, stack: Stack) -> None:
    """Mend it, but for a worker that is dead."""
    match fault:
        case "redis_down":
            await stack.restart["redis"]()
        case "postgres_down":
            await stack.restart["postgres"]()
        case "dns_down":
            stack.name_server.send_signal(signal.SIGCONT)
        case _:
            return
    await stack.healthy()


def case(fault: str, series: Series, healthy: int) -> dict[str, Any]:
    """A test for promtool: silent while healthy, and at the end what is expected and nothing of another cause."""
    step_s = int(SYNTHETIC.removesuffix("s"))
    broken = f"{(series.scrapes - 1) * step_s}s"
    firing = 'count by (alertname) (ALERTS{alertstate="firing"%s})'
    expected = sorted(EXPECTED[fault])
    return {
        "rule_files": ["../../../helm/hunter/files/hunter.rules.yaml"],
        "evaluation_interval": SYNTHETIC,
        "tests": [
            {
                "name": f"{fault}: recorded from a running Hunter",
                "interval": SYNTHETIC,
                "input_series": series.lines(),
                "promql_expr_test": [
                    {
                        "expr": firing % "",
                        "eval_time": f"{(healthy - 1) * step_s}s",
                        "exp_samples": [],
                    },
                    {
                        "expr": firing % f', alertname=~"{"|".join(sorted(CAUSES))}"',
                        "eval_time": broken,
                        "exp_samples": [
                            {"labels": f'{{alertname="{name}"}}', "value": 1} for name in expected
                        ],
                    },
                ],
            }
        ],
    }


async def recorded(fault: str, stack: Stack, samples: int = SAMPLES) -> dict[str, Any]:
    """Record one fault, healthy before it."""
    series = Series(metrics_of_rules())
    await stack.work()
    # the first chunks: counters of questions begin to count
    await asyncio.sleep(2)
    await record(stack, series, samples)
    healthy = series.scrapes
    await make(fault, stack)
    await record(stack, series, samples)
    await heal(fault, stack)
    return case(fault, series, healthy)


def write(fault: str, test: dict[str, Any], folder: Path = FIXTURES) -> Path:
    """Write a fixture, whose rules are found from where it lies."""
    path = folder / f"{fault}.test.yaml"
    own = {**test, "rule_files": [os.path.relpath(RULES, folder)]}
    head = "# Recorded by `make fault-scrapes`; see tests/helm/faults.py.\n"
    path.write_text(head + yaml.safe_dump(own, sort_keys=False, width=10_000), encoding="utf-8")
    return path


async def main() -> None:
    """Record every fault anew, the killed worker last."""
    FIXTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="hunter-faults-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        async with running(folder) as stack:
            for fault in EXPECTED:
                path = write(fault, await recorded(fault, stack))
                sys.stdout.write(f"{fault}: {path.stat().st_size // 1024} KiB\n")


if __name__ == "__main__":
    asyncio.run(main())
