"""A Hunter to be broken: every server and process its own child, reached through proxies."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import re
import signal
import sys
import time
from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
from chaos_proxy import TcpProxy

from hunter.core.errors import Unavailable
from hunter.local.servers import free_port, postgres, process, valkey
from hunter.store.migrate import migrate_up

BENCH = Path(__file__).parent
HUNTER = ("-m", "hunter")
#: a zone file of its own beside the large one, which takes seconds to read
_EDITS = "edits"
NAME_SERVER = ("-m", "hunter.local.nameserver", "--stay")
_STARTED = re.compile(r"worker started.*?\bworker=([0-9a-f-]{36})")
_START_DEADLINE_S = 60.0
#: the name server may be frozen for ten seconds of these
_RELOAD_DEADLINE_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How large the Hunter is and how fast its leases run out."""

    workers: int = 4
    apis: int = 2
    lease_s: float = 5.0
    drain_grace_s: float = 3.0
    chunk_size: int = 100
    #: after so many seconds a second look confirms a change
    confirm_s: float = 4.0
    slots: int | None = None
    #: the program behind a worker, given to the interpreter
    worker: tuple[str, ...] = (*HUNTER, "work")
    #: False takes the unique key of the results away, so that only the fence is left
    unique_results: bool = True

    def environ(self) -> dict[str, str]:
        """The settings of every process, without the servers' addresses."""
        settings = {
            "HUNTER_ALLOW_TEST_NAMES": "true",
            "HUNTER_RATE_LIMIT": "0",
            "HUNTER_LEASE_S": str(self.lease_s),
            # as Hunter's default is to its lease of 20 s
            "HUNTER_INTERACTIVE_LEASE_S": str(min(self.lease_s, max(3.0, self.lease_s * 0.3))),
            "HUNTER_DELIVERY_LEASE_S": str(self.lease_s),
            # alerts go to a receiver of the harness
            "HUNTER_OUTBOUND_LOOPBACK": "true",
            "HUNTER_HEARTBEAT_S": str(self.lease_s / 4),
            "HUNTER_HINT_STALE_S": str(self.lease_s / 2),
            "HUNTER_DRAIN_GRACE_S": str(self.drain_grace_s),
            "HUNTER_CHUNK_SIZE": str(self.chunk_size),
            "HUNTER_CONFIRM_AFTER_S": str(self.confirm_s),
        }
        if self.slots is not None:
            settings["HUNTER_WORKER_SLOTS"] = str(self.slots)
        kept = {name: text for name, text in os.environ.items() if not name.startswith("HUNTER_")}
        return kept | settings


@dataclass(slots=True)
class Exit:
    """A process that ended although nobody here had ended it."""

    name: str
    code: int | None
    log: Path


class Member:
    """A process that is started again whenever it ends, as a cluster would do."""

    def __init__(
        self, name: str, command: Sequence[str], environ: dict[str, str], logs: Path
    ) -> None:
        self.name = name
        self.frozen = False
        #: set for the next start only
        self.extra: dict[str, str] = {}
        self.unexpected: list[Exit] = []
        #: `extra` of the processes that killed themselves
        self.crashed: list[dict[str, str]] = []
        self.log = logs / f"{name}.log"
        self._command = [sys.executable, *command]
        self._environ = environ
        self._logs = logs
        self._starts = 0
        self._child: asyncio.subprocess.Process | None = None
        self._meant = self._killed = False
        self._keeper: asyncio.Task[None] | None = None
        self._started = asyncio.Event()

    @property
    def pid(self) -> int | None:
        """None while it is between two lives."""
        child = self._child
        return child.pid if child is not None and child.returncode is None else None

    async def start(self) -> None:
        """Start it, and go on starting it until `end`."""
        self._keeper = asyncio.create_task(self._keep())
        await self._started.wait()

    async def _keep(self) -> None:
        while True:
            self._starts += 1
            self.log = self._logs / f"{self.name}.{self._starts}.log"
            extra, self.extra = self.extra, {}
            async with process(
                self._command,
                log=self.log,
                env=self._environ | extra,
                stop_signal=signal.SIGKILL,
            ) as child:
                self._child, self.frozen = child, False
                self._meant = self._killed = False
                self._started.set()
                code = await child.wait()
            if extra and code == -signal.SIGKILL and not self._killed:
                self.crashed.append(extra)
            elif not self._meant:
                self.unexpected.append(Exit(self.name, code, self.log))
                await asyncio.sleep(0.2)

    def signal(self, number: signal.Signals) -> int | None:
        """Send a signal to the process; its pid, None when there is none right now."""
        pid = self.pid
        if pid is None:
            return None
        if number in {signal.SIGKILL, signal.SIGTERM}:
            self._meant = True
            self._killed |= number is signal.SIGKILL
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        if number is signal.SIGSTOP:
            self.frozen = True
        elif number is signal.SIGCONT:
            self.frozen = False
        return pid

    async def gone(self, pid: int, deadline_s: float) -> bool:
        """Wait until the process with this pid has ended; False when it has not in time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(deadline_s):
                while self.pid == pid:  # noqa: ASYNC110  # the process may be started anew meanwhile
                    await asyncio.sleep(0.01)
        return self.pid != pid

    def worker_id(self) -> str | None:
        """The id a worker process of the present life goes by, out of its log."""
        with contextlib.suppress(OSError):
            if found := _STARTED.search(self.log.read_text(errors="replace")):
                return found[1]
        return None

    async def end(self) -> None:
        """Kill it and start it no more."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)


class Server:
    """PostgreSQL or Valkey behind a proxy; clients keep their address while it comes and goes."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.proxy = TcpProxy()
        self.is_up = False
        #: for the harness itself, past the proxy
        self.url = ""
        self._folder = folder
        self._stack = contextlib.AsyncExitStack()

    async def start(self) -> None:
        """Start it on the data it left; returns when it answers.

        A child of PostgreSQL that was forked in the instant of a crash outlives it for a moment,
        and as long as it has its memory no other server starts.
        """
        start = postgres if self.name == "postgres" else valkey
        deadline = time.monotonic() + _START_DEADLINE_S
        while True:
            try:
                self.url = await self._stack.enter_async_context(
                    start(self._folder, lambda _line: None)
                )
                break
            except Unavailable:
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(0.2)
        split = urlsplit(self.url)
        assert split.hostname
        assert split.port
        self.proxy.target = (split.hostname, split.port)
        self.is_up = True

    def url_through_proxy(self) -> str:
        """The address clients get."""
        split = urlsplit(self.url)
        return self.url.replace(f":{split.port}/", f":{self.proxy.port}/")

    @property
    def pid(self) -> int:
        """The server's main process."""
        name = "postmaster.pid" if self.name == "postgres" else "valkey.pid"
        return int((self._folder / self.name / name).read_text().split()[0])

    async def crash(self, number: signal.Signals = signal.SIGKILL) -> None:
        """End it without a chance to write anything; SIGKILL takes its children along."""
        self.is_up = False
        pids = [self.pid]
        if number is signal.SIGKILL:
            pids += _children(pids[0])
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        await self._stack.aclose()

    async def close(self) -> None:
        """Stop server and proxy."""
        self.is_up = False
        await self.proxy.close()
        await self._stack.aclose()


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += [int(child) for child in path.read_text().split()]
    return found


@dataclass(slots=True)
class Outage:
    """When a server was away or silent, on the wall clock; `end` 0 while it still is."""

    what: str
    begin: float
    end: float = 0.0


@dataclass(slots=True)
class Cluster:
    """Everything that runs, and what was done to it."""

    shape: Shape
    folder: Path
    postgres: Server
    valkey: Server
    name_server_pid: int
    dns: str
    apis: list[Member] = field(default_factory=list)
    api_urls: list[str] = field(default_factory=list)
    workers: list[Member] = field(default_factory=list)
    outages: list[Outage] = field(default_factory=list)

    @contextlib.contextmanager
    def outage(self, what: str) -> Iterator[None]:
        """Note that something is away while inside."""
        noted = Outage(what, time.time())
        self.outages.append(noted)
        try:
            yield
        finally:
            noted.end = time.time()

    @contextlib.asynccontextmanager
    async def connection(self) -> AsyncIterator[asyncpg.Connection]:
        """The harness's own way to the tables, past proxies and pools."""
        conn = await asyncpg.connect(self.postgres.url, timeout=5, command_timeout=120)
        try:
            yield conn
        finally:
            with contextlib.suppress(Exception):
                await conn.close(timeout=2)

    def member(self, name: str, command: Sequence[str], **settings: str) -> Member:
        """A process of ours, not yet started."""
        environ = self.shape.environ() | {
            "HUNTER_DATABASE_URL": self.postgres.url_through_proxy(),
            "HUNTER_REDIS_URL": self.valkey.url_through_proxy(),
            "HUNTER_DNS_SERVERS": self.dns,
            "HUNTER_DATA_DIR": str(self.folder),
            "PYTHONPATH": os.pathsep.join(filter(None, [str(BENCH), os.environ.get("PYTHONPATH")])),
        }
        return Member(name, command, environ | settings, self.folder / "log")

    def pick(
        self, draw: random.Random, members: Sequence[Member], *, busy: Collection[str] = ()
    ) -> Member | None:
        """A running member that is neither frozen nor `busy`; None when that leaves nobody awake."""
        awake = [each for each in members if each.pid is not None and not each.frozen]
        free = [each for each in awake if each.name not in busy]
        return draw.choice(free) if free and len(awake) > 1 else None

    async def serve_edits(self, text: str) -> None:
        """Have the name server answer by this zone text in place of the last; returns when it does."""
        log = self.folder / "log" / "nameserver.log"
        reloads = log.read_text(errors="replace").count("reloaded")
        (self.folder / _EDITS).write_text(text)
        os.kill(self.name_server_pid, signal.SIGHUP)
        async with asyncio.timeout(_RELOAD_DEADLINE_S):
            while log.read_text(errors="replace").count("reloaded") == reloads:  # noqa: ASYNC110  # another process's file
                await asyncio.sleep(0.05)

    def freeze_name_server(self) -> None:
        """Silence: questions are neither answered nor refused."""
        os.kill(self.name_server_pid, signal.SIGSTOP)

    def thaw_name_server(self) -> None:
        """Let it answer again."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.name_server_pid, signal.SIGCONT)


@contextlib.asynccontextmanager
async def servers(shape: Shape, folder: Path, zone: Path) -> AsyncIterator[Cluster]:
    """PostgreSQL, Valkey and the name server with the schema in place; no process of Hunter yet."""
    async with contextlib.AsyncExitStack() as stack:
        database, redis = Server("postgres", folder), Server("valkey", folder)
        for server in (database, redis):
            stack.push_async_callback(server.close)
            await server.proxy.start()
            await server.start()
        await asyncio.to_thread(migrate_up, database.url)
        log = folder / "log" / "nameserver.log"
        port = free_port()
        edits = folder / _EDITS
        edits.touch()
        child = await stack.enter_async_context(
            process(
                [
                    sys.executable,
                    *NAME_SERVER,
                    f"--zone={zone}",
                    f"--zone={edits}",
                    f"--port={port}",
                ],
                log=log,
                stop_signal=signal.SIGKILL,
            )
        )
        await _said(log, "listening on ")
        cluster = Cluster(shape, folder, database, redis, child.pid, f"127.0.0.1:{port}")
        if not shape.unique_results:
            async with cluster.connection() as conn:
                await conn.execute("ALTER TABLE scan_result DROP CONSTRAINT scan_result_pkey")
        yield cluster


@contextlib.asynccontextmanager
async def running(shape: Shape, folder: Path, zone: Path) -> AsyncIterator[Cluster]:
    """All of it, started; ended with the block however that is left."""
    async with servers(shape, folder, zone) as cluster:
        for number in range(shape.apis):
            port = free_port()
            cluster.api_urls.append(f"http://127.0.0.1:{port}")
            cluster.apis.append(
                cluster.member(f"api{number}", (*HUNTER, "serve"), HUNTER_PORT=str(port))
            )
        for number in range(shape.workers):
            cluster.workers.append(new_worker(cluster, number))
        members = [*cluster.apis, *cluster.workers]
        try:
            for member in members:
                await member.start()
            await asyncio.gather(
                *[_said(member.log, "worker started") for member in cluster.workers]
            )
            yield cluster
        finally:
            cluster.thaw_name_server()
            await asyncio.gather(*[member.end() for member in members])


def new_worker(cluster: Cluster, number: int) -> Member:
    """A worker with probes on a port of its own."""
    return cluster.member(
        f"worker{number}", cluster.shape.worker, HUNTER_WORKER_PORT=str(free_port())
    )


async def _said(log: Path, words: str) -> None:
    """Wait until a process has written `words`; raises TimeoutError with the end of its log."""
    deadline = time.monotonic() + _START_DEADLINE_S
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            if words in log.read_text(errors="replace"):
                return
        await asyncio.sleep(0.05)
    raise TimeoutError(f"no {words!r} in time; {log.name} ends: {log.read_text()[-500:]}")
