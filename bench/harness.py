"""A whole Hunter for measuring: name server, PostgreSQL, Valkey, API and worker, each its own process."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import processes

from hunter.local.servers import free_port, free_ports

#: processes of our own
_OURS = frozenset({"API", "worker"})
RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True)
class Row:
    """One figure: `metric` of `row` is `value` in `unit`."""

    row: str
    metric: str
    value: float
    unit: str


def write_results(name: str, rows: list[Row]) -> Path:
    """Keep the figures as bench/results/NAME.json: a list of {row, metric, value, unit}."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(
        json.dumps(
            [{"row": r.row, "metric": r.metric, "value": r.value, "unit": r.unit} for r in rows],
            indent=1,
        )
    )
    return path


@dataclass(slots=True)
class Running:
    """A running Hunter and how to talk to it."""

    http: aiohttp.ClientSession
    url: str
    worker_urls: list[str]
    pid: int
    name_server_pid: int

    async def get(self, path: str, **params: str) -> Any:
        """GET, decoded; raises on anything but 2xx."""
        async with self.http.get(self.url + path, params=params) as answer:
            answer.raise_for_status()
            return await answer.json()

    async def finished(self, job: str, *, timeout_s: float) -> dict[str, Any]:
        """The job's progress once it has completed."""
        async with asyncio.timeout(timeout_s):
            while True:
                progress: dict[str, Any] = await self.get(f"/api/v1/scan/bulk/{job}")
                if progress["status"] in {"completed", "cancelled"}:
                    return progress
                await asyncio.sleep(0.1)

    def memory(self) -> dict[str, float]:
        """MiB of every process below `hunter up` by what it is: the peak of API and worker."""
        sizes: dict[str, float] = {}
        for pid, kind in processes.kinds(self.pid).items():
            of = processes.resident_peak_mib if kind in _OURS else processes.proportional_mib
            sizes[kind] = sizes.get(kind, 0.0) + of(pid)
        return sizes


async def start_name_server(files: Iterable[Path]) -> tuple[asyncio.subprocess.Process, str]:
    """A process that serves zone files, and where it listens. Whoever starts it ends it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "hunter.local.nameserver", *(f"--zone={file}" for file in files),
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout
    told = (await process.stdout.readline()).decode().strip()
    if not told.startswith("listening on "):
        raise RuntimeError("the name server did not start")
    return process, told.removeprefix("listening on ")


@contextlib.asynccontextmanager
async def running_hunter(zone: Path, **settings: str) -> AsyncIterator[Running]:
    """`hunter up` on free ports and an empty folder, asking a name server that serves `zone`.

    `zone` is a file, or a folder of files.
    """
    files = sorted(zone.iterdir()) if zone.is_dir() else [zone]
    with tempfile.TemporaryDirectory(prefix="hunter-bench-") as folder:
        Path(folder).chmod(0o755)
        workers = int(settings.get("HUNTER_UP_WORKERS", "1"))
        port, worker_port = free_port(), free_ports(workers)
        name_server, address = await start_name_server(files)
        up: asyncio.subprocess.Process | None = None
        try:
            env = {k: v for k, v in os.environ.items() if not k.startswith("HUNTER_")} | {
                "HUNTER_DATA_DIR": folder,
                "HUNTER_PORT": str(port),
                "HUNTER_WORKER_PORT": str(worker_port),
                "HUNTER_DNS_SERVERS": address,
                "HUNTER_LOG_LEVEL": "warning",
                "HUNTER_RATE_LIMIT": "0",
                **settings,
            }
            up = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "hunter", "up", env=env, stdout=asyncio.subprocess.DEVNULL
            )
            async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=120)) as http:
                url = f"http://127.0.0.1:{port}"
                await _ready(http, url, up)
                worker_urls = [f"http://127.0.0.1:{worker_port + n}" for n in range(workers)]
                for worker_url in worker_urls:
                    await _ready(http, worker_url, up)
                yield Running(http, url, worker_urls, up.pid, name_server.pid)
        finally:
            for child in (up, name_server):
                if child is not None and child.returncode is None:
                    child.send_signal(signal.SIGTERM)
                    await child.wait()


async def _ready(http: aiohttp.ClientSession, url: str, up: asyncio.subprocess.Process) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if up.returncode is not None:
            raise RuntimeError(f"`hunter up` ended with code {up.returncode}")
        with contextlib.suppress(aiohttp.ClientError):
            async with http.get(url + "/healthz/ready") as answer:
                if answer.status == 200:
                    return
        await asyncio.sleep(0.05)
    raise RuntimeError(f"{url} did not become ready")
