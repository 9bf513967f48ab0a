"""The real servers every test may use, and the walls around them."""

from __future__ import annotations

import asyncio
import importlib.util
import itertools
import os
import resource
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import redis.asyncio
from hypothesis import HealthCheck, settings

from hunter.config import Config, Secret
from hunter.local.servers import embedded
from hunter.queue.hints import Hints, open_queue
from hunter.store.database import Database, open_database
from hunter.store.migrate import migrate_up

for _name in [name for name in os.environ if name.startswith("HUNTER_")]:
    del os.environ[_name]

# started in a shell's background, this run ignores SIGINT, and so would everything it starts
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# how long an example takes says how busy the machine is
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

_TEMPLATE = "hunter_template"
_LOOPBACK = ("127.", "::1", "localhost")
_numbers = itertools.count(1)


def _loopback_only(event: str, arguments: tuple[Any, ...]) -> None:
    """Refuse every connection that would leave this machine, whoever asks for it."""
    if event in {"socket.connect", "socket.sendto"}:
        address = arguments[1]
        if isinstance(address, tuple) and not str(address[0]).startswith(_LOOPBACK):
            raise PermissionError(f"tests talk to loopback only, not to {address!r}")


sys.addaudithook(_loopback_only)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test of an outside tool that is not here; where TEST_HUNTER_REQUIRE_TOOLS is set, fail."""
    for mark in item.iter_markers("tool"):
        name = str(mark.args[0])
        here = Path(sys.executable).parent / name
        # a folder of the checkout called like a tool is a namespace, which has no origin
        module = importlib.util.find_spec(name)
        if here.exists() or shutil.which(name) or (module is not None and module.origin):
            continue
        told = f"{name} is not installed"
        if os.environ.get("TEST_HUNTER_REQUIRE_TOOLS"):
            pytest.fail(told, pytrace=False)
        pytest.skip(told)


@pytest.fixture
def no_descriptors() -> Callable[[], AbstractContextManager[None]]:
    """While inside what it gives, this process can open nothing; what is open stays open."""

    @contextmanager
    def limited() -> Iterator[None]:
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        free = os.dup(0)  # the lowest free number: below the limit there is none then
        os.close(free)
        resource.setrlimit(resource.RLIMIT_NOFILE, (free, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)

    return limited


@pytest.fixture(scope="session")
def scratch() -> Iterator[Path]:
    """A folder that every user may pass: PostgreSQL may have to run as nobody."""
    folder = Path(tempfile.mkdtemp(prefix="hunter-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
async def servers(scratch: Path) -> AsyncIterator[Config]:
    """A throw-away PostgreSQL and Valkey for the whole run."""
    settings = Config(data_dir=scratch)
    async with embedded(settings, lambda _line: None, throwaway=True) as running:
        yield running


def _with_database(url: str, name: str) -> str:
    return f"{url.rsplit('/', 1)[0]}/{name}"


@pytest.fixture(scope="session")
async def template(servers: Config) -> str:
    """A migrated database that others are copied from."""
    await _execute(servers.database_url, f"CREATE DATABASE {_TEMPLATE}")
    await asyncio.to_thread(migrate_up, _with_database(servers.database_url, _TEMPLATE))
    return _TEMPLATE


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(str(url))
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


@pytest.fixture
async def empty_database_url(servers: Config) -> AsyncIterator[str]:
    """A database of the test's own, with nothing in it."""
    name = f"t_empty_{next(_numbers)}"
    await _execute(servers.database_url, f"CREATE DATABASE {name}")
    yield _with_database(servers.database_url, name)
    await _execute(servers.database_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def database_url(servers: Config, template: str) -> AsyncIterator[str]:
    """A migrated database of the test's own."""
    name = f"t_{next(_numbers)}"
    await _execute(servers.database_url, f"CREATE DATABASE {name} TEMPLATE {template}")
    yield _with_database(servers.database_url, name)
    await _execute(servers.database_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def redis_url(servers: Config) -> str:
    """The run's Valkey, empty."""
    client = redis.asyncio.Redis.from_url(str(servers.redis_url))
    await client.flushall()
    await client.aclose()
    return str(servers.redis_url)


@pytest.fixture
def config(database_url: str, redis_url: str, tmp_path: Path) -> Config:
    """Settings over the test's own database; quick beats, so that a test need not wait.

    No name server: a test that surveys names its own.
    """
    return Config(
        database_url=Secret(database_url),
        redis_url=Secret(redis_url),
        dns_servers=(("127.0.0.1", 1),),
        allow_test_names=True,
        data_dir=tmp_path,
        db_pool_size=6,
        lease_s=3.0,
        heartbeat_s=0.5,
        hint_stale_s=1.0,
        dispatch_interval_s=0.1,
    )


@pytest.fixture
async def db(config: Config) -> AsyncIterator[Database]:
    """A pool over the test's own migrated database."""
    async with open_database(config) as opened:
        yield opened


@pytest.fixture
async def hints(config: Config) -> AsyncIterator[Hints]:
    """Hints over the run's Valkey."""
    async with open_queue(config) as opened:
        yield opened
