"""Hunter while its PostgreSQL or Redis is killed, has no connection left, or no disk."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest
from aiohttp.test_utils import TestClient
from pytest_aiohttp import AiohttpClient

from hunter.config import Config, Secret
from hunter.local import servers
from hunter.local.nameserver import NameServer
from hunter.store.migrate import migrate_up
from hunter.web.app import create_app
from hunter.worker.app import run_worker

Client = TestClient[Any, Any]
BULK = "/api/v1/scan/bulk"
NAMES = {"domains": ["acme.com", "b.com"]}
FEW_CONNECTIONS = 12
DISK = "160m"
SMALL = {"shared_buffers": "16MB", "max_connections": str(FEW_CONNECTIONS)}


def _quiet(_line: str) -> None:
    return None


class OwnServer:
    """A PostgreSQL or Valkey that keeps its address, however often it is killed."""

    def __init__(self, name: str, folder: Path) -> None:
        self._name = name
        self._folder = folder
        self._port = servers.free_port()
        self._stack = contextlib.AsyncExitStack()
        self.url = ""

    async def start(self) -> None:
        """Start it on what it left."""
        if self._name == "postgres":
            server = servers.postgres(self._folder, _quiet, port=self._port, settings=SMALL)
        else:
            server = servers.valkey(self._folder, _quiet, port=self._port)
        self.url = await self._stack.enter_async_context(server)

    async def kill(self) -> None:
        """SIGKILL to its main process and all of its children."""
        file = "postmaster.pid" if self._name == "postgres" else "valkey.pid"
        pid = int((self._folder / self._name / file).read_text(encoding="ascii").split()[0])
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
        for each in (pid, *map(int, children.split())):
            with contextlib.suppress(ProcessLookupError):
                os.kill(each, signal.SIGKILL)
        await self.stop()

    async def stop(self) -> None:
        """Stop it in order, or wait for its end."""
        await self._stack.aclose()


@pytest.fixture(scope="session")
def folder(scratch: Path) -> Path:
    """Where the servers of these tests keep their data."""
    folder = scratch / "own"
    folder.mkdir()
    return folder


@pytest.fixture
async def postgres(folder: Path) -> AsyncIterator[OwnServer]:
    """A migrated PostgreSQL with few connections, to be killed."""
    server = OwnServer("postgres", folder)
    await server.start()
    await asyncio.to_thread(migrate_up, server.url)
    yield server
    await server.stop()


@pytest.fixture
async def valkey(folder: Path) -> AsyncIterator[OwnServer]:
    """A Valkey to be killed."""
    server = OwnServer("valkey", folder)
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
def api(aiohttp_client: AiohttpClient, config: Config) -> Any:
    """Opens a client of an API over other servers than the run's."""

    async def opened(**urls: str) -> Client:
        secrets: dict[str, Any] = {name: Secret(url) for name, url in urls.items()}
        return await aiohttp_client(create_app(dataclasses.replace(config, **secrets)))

    return opened


async def _is_unavailable(answer: Any) -> bool:
    problem = await answer.json(content_type="application/problem+json")
    return (
        answer.status == problem["status"] == 503
        and problem["type"] == "/problems/unavailable"
        and int(answer.headers["Retry-After"]) >= 1
    )


async def _jobs(url: str) -> int:
    """Jobs that were accepted."""
    connection = await asyncpg.connect(url)
    try:
        return int(
            await connection.fetchval("SELECT count(*) FROM scan_job WHERE status <> 'receiving'")
        )
    finally:
        await connection.close()


async def test_a_killed_postgres_is_503_and_all_goes_on_when_it_is_back(
    api: Any, postgres: OwnServer
) -> None:
    client = await api(database_url=postgres.url)
    before = await _jobs(postgres.url)
    assert (await client.post(BULK, json=NAMES)).status == 202

    await postgres.kill()
    async with asyncio.timeout(20):
        assert await _is_unavailable(await client.post(BULK, json=NAMES))
        assert await _is_unavailable(await client.get(BULK))
        assert (await client.get("/healthz/ready")).status == 503
        assert (await client.get("/healthz/live")).status == 200

    await postgres.start()
    assert (await client.post(BULK, json=NAMES)).status == 202
    assert (await client.get(BULK)).status == 200
    # a killed server keeps what it has acknowledged
    assert await _jobs(postgres.url) == before + 2


async def test_a_killed_redis_stops_neither_accepts_nor_reads(
    api: Any, valkey: OwnServer, config: Config
) -> None:
    client = await api(redis_url=valkey.url)
    assert (await client.get("/healthz/ready")).status == 200

    await valkey.kill()
    async with asyncio.timeout(20):
        single = await client.post("/api/v1/scan/domain", json={"domain": "acme.com"})
        bulk = await client.post(BULK, json=NAMES)
        listed = await client.get(BULK)
        await _until_ready(client, 503)
    assert (single.status, bulk.status, listed.status) == (202, 202, 200)

    await valkey.start()
    await _until_ready(client, 200)
    assert await _jobs(str(config.database_url)) == 2


async def _until_ready(client: Client, status: int) -> None:
    async with asyncio.timeout(10):
        while (await client.get("/healthz/ready")).status != status:
            await asyncio.sleep(0.05)


async def test_a_postgres_without_a_connection_left_is_503_until_one_is_free(
    api: Any, postgres: OwnServer
) -> None:
    client = await api(database_url=postgres.url)
    before = await _jobs(postgres.url)
    async with contextlib.AsyncExitStack() as stack:
        with pytest.raises(asyncpg.TooManyConnectionsError):
            await _connect_for_ever(postgres.url, stack)
        async with asyncio.timeout(20):
            assert await _is_unavailable(await client.post(BULK, json=NAMES))
            assert await _is_unavailable(await client.get(BULK))

    assert (await client.post(BULK, json=NAMES)).status == 202
    assert (await client.get(BULK)).status == 200
    assert await _jobs(postgres.url) == before + 1


async def _connect_for_ever(url: str, stack: contextlib.AsyncExitStack) -> None:
    while True:
        connection = await asyncpg.connect(url)
        stack.push_async_callback(connection.close)


_ON_A_SMALL_DISK = """
    mount -t tmpfs -o "size=$1,mode=0700" tmpfs "$2" && cp -a "$3/." "$2" && shift 3 && exec "$@"
"""
_FILL = "INSERT INTO ballast SELECT repeat(md5(n::text), 30) FROM generate_series(1, $1) n"


def _own_mounts(*command: str) -> list[str]:
    return [shutil.which("unshare") or "unshare", "--user", "--map-root-user", "--mount", *command]


@pytest.fixture
async def small_disk(folder: Path, postgres: OwnServer) -> AsyncIterator[str]:
    """The URL of a PostgreSQL whose disk, a file system in memory, is its own and small."""
    disk = folder / "disk"
    disk.mkdir(exist_ok=True)
    probe = await asyncio.create_subprocess_exec(
        *_own_mounts("mount", "-t", "tmpfs", "tmpfs", str(disk)), stderr=subprocess.DEVNULL
    )
    if await probe.wait():
        pytest.skip("no file system can be mounted here, not even in a user namespace")
    await postgres.stop()
    port = urlsplit(postgres.url).port
    launch = [sys.executable, "-m", "hunter.local.launch", str(os.getpid()), "SIGINT", "namespace"]
    settings = SMALL | {"port": str(port), "unix_socket_directories": "", "max_wal_size": "48MB"}
    binary = servers._postgres_binaries() / "postgres"
    arguments = [f"--{name}={value}" for name, value in settings.items()]
    script = ["/bin/sh", "-c", _ON_A_SMALL_DISK, "sh", DISK, str(disk), str(folder / "postgres")]
    command = [*script, *launch, str(binary), "-D", str(disk), *arguments]
    log = servers.log_file(folder, "small.log")
    async with servers.process(_own_mounts(*command), log=log, stop_signal=signal.SIGINT) as child:
        ready = functools.partial(servers._postgres_ready, binary.parent, port or 0)
        await servers._until(ready, child, "PostgreSQL", log)
        yield postgres.url


async def _fill_for_ever(connection: Any, rows: int) -> None:
    while True:
        await connection.execute(_FILL, rows)


@contextlib.asynccontextmanager
async def _full(url: str) -> AsyncIterator[Any]:
    """While inside there is room for not one more row; gives a connection."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("CREATE UNLOGGED TABLE ballast (text text)")
        for rows in (5000, 100, 1):
            with pytest.raises(asyncpg.DiskFullError):
                await _fill_for_ever(connection, rows)
        yield connection
    finally:
        await connection.execute("DROP TABLE IF EXISTS ballast")
        await connection.close()


@pytest.mark.tool("unshare")
async def test_a_full_disk_of_postgres_is_503_for_writes_until_there_is_room(
    api: Any, small_disk: str
) -> None:
    client = await api(database_url=small_disk)
    before = await _jobs(small_disk)
    many = {"domains": [f"d{n}.com" for n in range(60_000)]}
    async with _full(small_disk), asyncio.timeout(20):
        refused = await client.post(BULK, json=many)
        listed = await client.get(BULK)

        assert await _is_unavailable(refused)
        assert (await refused.json())["detail"] == "the database is out of disk or memory"
        assert listed.status == 200
        assert await _jobs(small_disk) == before

    assert (await client.post(BULK, json=many)).status == 202
    assert await _jobs(small_disk) == before + 1


@contextlib.asynccontextmanager
async def _working(config: Config) -> AsyncIterator[None]:
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(run_worker(config, stop=stop))
        try:
            yield
        finally:
            stop.set()


_COUNTED_AGAINST_IT = "SELECT sum(losses + failures) FROM scan_chunk"


async def _wait_for(connection: Any, query: str) -> None:
    async with asyncio.timeout(12):
        while not await connection.fetchval(query):
            await asyncio.sleep(0.02)


@pytest.mark.tool("unshare")
async def test_a_job_waits_for_room_on_the_disk_and_nothing_is_counted_against_it(
    aiohttp_client: AiohttpClient, small_disk: str, config: Config
) -> None:
    names = [f"d{n}.example" for n in range(24)]
    async with NameServer("\n".join(f"{name}. MX 10 mx.{name}." for name in names)) as name_server:
        settings = dataclasses.replace(
            config,
            database_url=Secret(small_disk),
            dns_servers=(name_server.address,),
            worker_port=0,
            worker_slots=2,
            interactive_slots=2,
            chunk_size=2,
        )
        client = await aiohttp_client(create_app(settings))
        accepted = await client.post(BULK, json={"domains": names})
        job = (await accepted.json())["job_id"]
        connection = await asyncpg.connect(small_disk)
        await connection.execute("UPDATE scan_chunk SET not_before = now() + interval '1 hour'")
        async with _working(settings):
            await _wait_for(connection, "SELECT count(*) = 1 FROM worker_process")
            async with _full(small_disk):
                await connection.execute("UPDATE scan_chunk SET not_before = now()")
                await asyncio.sleep(1)  # time for all of the job, were there room
                assert not await connection.fetchval("SELECT count(*) FROM scan_result")
            await _wait_for(connection, "SELECT count(*) = 1 FROM scan_job WHERE n_ok = 24")

    assert await connection.fetchval(_COUNTED_AGAINST_IT) == 0
    await connection.close()
    progress = await (await client.get(f"{BULK}/{job}")).json()
    assert (progress["status"], progress["succeeded"]) == ("completed", 24)
