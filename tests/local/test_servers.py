"""The embedded servers: made, used, started again, and never left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import asyncpg
import pytest
import redis.asyncio

from hunter.config import Config, Secret
from hunter.core.errors import Unavailable
from hunter.local import launch, servers

PARENT = textwrap.dedent(
    """
    import asyncio, sys
    from pathlib import Path
    from hunter.config import Config
    from hunter.local.servers import embedded

    async def main():
        async with embedded(Config(data_dir=Path(sys.argv[1])), lambda line: None, throwaway=True):
            print("up", flush=True)
            await asyncio.sleep(60)

    asyncio.run(main())
    """
)


@pytest.fixture
def data_dir(scratch: Path, request: pytest.FixtureRequest) -> Path:
    return scratch / str(request.node.name)


async def _value(url: str, query: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


def _running_from(folder: Path) -> list[int]:
    """Processes whose command line or working folder lies below `folder`."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            command = (entry / "cmdline").read_bytes().decode(errors="replace")
            where = str((entry / "cwd").readlink())
        except OSError:
            continue
        if (str(folder) in command or where.startswith(str(folder))) and entry.name != str(
            os.getpid()
        ):
            found.append(int(entry.name))
    return found


async def test_data_is_still_there_after_a_second_start(data_dir: Path) -> None:
    settings = Config(data_dir=data_dir)
    async with servers.embedded(settings, lambda _: None, throwaway=True) as running:
        await _value(running.database_url, "CREATE TABLE kept AS SELECT 42 AS answer")

    async with servers.embedded(settings, lambda _: None, throwaway=True) as running:
        assert await _value(running.database_url, "SELECT answer FROM kept") == 42


async def test_valkey_has_the_same_password_after_a_second_start(data_dir: Path) -> None:
    data_dir.mkdir()
    passwords = []
    for _ in range(2):
        async with servers.valkey(data_dir, lambda _line: None) as url:
            pid = int((data_dir / "valkey" / "valkey.pid").read_text())
            assert "valkey-server" in Path(f"/proc/{pid}/cmdline").read_text()
            passwords.append(url.split("@")[0])

    assert passwords[0] == passwords[1]


async def test_postgresql_does_not_run_as_root_and_wants_a_password(data_dir: Path) -> None:
    async with servers.embedded(
        Config(data_dir=data_dir), lambda _: None, throwaway=True
    ) as running:
        wrong = running.database_url.replace("hunter:", "hunter:wrong", 1)
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(wrong)
        open_client = redis.asyncio.Redis.from_url(f"redis://{running.redis_url.split('@')[1]}")
        with pytest.raises(redis.exceptions.AuthenticationError):
            await open_client.ping()
        await open_client.aclose()


async def test_servers_of_our_own_are_not_started_when_urls_are_given(data_dir: Path) -> None:
    given = Config(
        data_dir=data_dir,
        database_url=Secret("postgresql://someone@192.0.2.1/db"),
        redis_url=Secret("redis://192.0.2.1"),
    )
    said: list[str] = []

    async with servers.embedded(given, said.append) as running:
        assert running == given

    assert said == ["PostgreSQL: using HUNTER_DATABASE_URL", "Redis: using HUNTER_REDIS_URL"]
    assert not data_dir.exists()


async def test_a_second_hunter_on_the_same_folder_is_told_to_use_another(data_dir: Path) -> None:
    settings = Config(data_dir=data_dir)
    async with servers.embedded(settings, lambda _: None, throwaway=True):
        with pytest.raises(Unavailable, match=r"already runs .* HUNTER_DATA_DIR"):
            async with servers.embedded(settings, lambda _: None):
                pass


async def test_no_server_is_left_when_the_parent_is_killed(data_dir: Path) -> None:
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT, str(data_dir), stdout=subprocess.PIPE
    )
    assert parent.stdout is not None
    assert await parent.stdout.readline() == b"up\n"
    assert len(_running_from(data_dir)) >= 2

    parent.send_signal(signal.SIGKILL)
    await parent.wait()

    async with asyncio.timeout(20):
        while _running_from(data_dir):
            await asyncio.sleep(0.05)


async def test_a_cluster_of_another_major_version_is_named_not_damaged(data_dir: Path) -> None:
    (data_dir / "postgres").mkdir(parents=True)
    (data_dir / "postgres" / "PG_VERSION").write_text("12\n")

    with pytest.raises(Unavailable, match="made by PostgreSQL 12"):
        async with servers.postgres(data_dir, lambda _: None):
            pass


async def test_a_server_that_cannot_start_shows_the_end_of_its_log(data_dir: Path) -> None:
    settings = Config(data_dir=data_dir)
    async with servers.embedded(settings, lambda _: None, throwaway=True):
        pass
    (data_dir / "postgres" / "global" / "pg_control").unlink()

    with pytest.raises(Unavailable, match=r"PostgreSQL ended with code .*pg_control"):
        async with servers.embedded(settings, lambda _: None, throwaway=True):
            pass


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
async def test_root_without_user_namespaces_runs_postgresql_as_nobody(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servers, "_namespaces_work", lambda: False)
    if servers._closed_to_others(servers._postgres_binaries()):
        with pytest.raises(Unavailable, match="chmod o\\+x"):
            async with servers.embedded(Config(data_dir=data_dir), lambda _: None):
                pass
        return

    async with servers.embedded(
        Config(data_dir=data_dir), lambda _: None, throwaway=True
    ) as running:
        assert await _value(running.database_url, "SELECT 1") == 1
        assert (data_dir / "postgres").stat().st_uid == launch.NOBODY
