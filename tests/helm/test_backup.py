"""backup.sh and restore.sh on a real PostgreSQL: during a bulk, into an empty cluster, and when things go wrong."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import re
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from urllib.parse import quote

import asyncpg
import pytest

from hunter.config import Config, Secret
from hunter.core.answers import Depth
from hunter.local.nameserver import NameServer
from hunter.local.servers import _postgres_binaries, postgres
from hunter.pipeline.accept import Line, accept_scan
from hunter.queue.hints import open_queue
from hunter.store import completion
from hunter.store.database import Database, open_database
from hunter.store.migrate import migrate_up
from hunter.worker.app import run_worker

FILES = Path(__file__).parents[2] / "helm" / "hunter" / "files"
COUNTS = ("scan_job", "scan_chunk", "scan_result", "lead", "observation")


@dataclasses.dataclass(frozen=True)
class Ended:
    """How a script ended and what it said."""

    code: int
    told: str


async def script(name: str, *arguments: str, **environ: str) -> Ended:
    process = await asyncio.create_subprocess_exec(
        "bash",
        str(FILES / name),
        *arguments,
        env={"PATH": f"{_postgres_binaries()}:{os.environ['PATH']}", **environ},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    told, _ = await process.communicate()
    return Ended(process.returncode or 0, told.decode())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "backups"
    made.mkdir()
    return made


def dumps(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def counted(url: str) -> dict[str, int]:
    connection = await asyncpg.connect(url)
    try:
        return {name: await connection.fetchval(f"SELECT count(*) FROM {name}") for name in COUNTS}
    finally:
        await connection.close()


async def databases(url: str) -> set[str]:
    connection = await asyncpg.connect(url)
    try:
        return {r["datname"] for r in await connection.fetch("SELECT datname FROM pg_database")}
    finally:
        await connection.close()


async def submit(db: Database, config: Config, count: int) -> Any:
    async with open_queue(config) as hints:
        lines = [Line(n, f"d{n}.example") for n in range(1, count + 1)]
        accepted = await accept_scan(
            db, hints, lines, lane="bulk", depth=Depth.QUICK, chunk_size=5, allow_test_names=True
        )
    return accepted.job_id


async def until(db: Database, query: str, *arguments: object) -> None:
    async with asyncio.timeout(45):
        while True:
            async with db.acquire() as conn:
                if await conn.fetchval(query, *arguments):
                    return
            await asyncio.sleep(0.05)


_STARTED = "SELECT count(*) >= 2 FROM scan_chunk WHERE job_id = $1 AND state = 'done'"
_DONE = "SELECT status = 'completed' FROM scan_job WHERE id = $1"


async def test_a_backup_of_a_running_bulk_is_restored_elsewhere_and_workers_finish_it(
    config: Config, scratch: Path, folder: Path
) -> None:
    zone = "\n".join(f"d{n}.example. MX 10 mx.d{n}.example." for n in range(1, 301))
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(NameServer(zone))
        # slow enough to be in the middle when the dump begins
        settings = dataclasses.replace(
            config, dns_servers=(server.address,), worker_port=0, worker_slots=1, dns_max_qps=400
        )
        db = await stack.enter_async_context(open_database(settings))
        job = await submit(db, settings, 300)
        stop = asyncio.Event()
        working = asyncio.create_task(run_worker(settings, stop=stop))
        await until(db, _STARTED, job)

        backup = await script("backup.sh", DATABASE_URL=str(config.database_url), BACKUP_DIR=str(folder))  # fmt: skip
        stop.set()
        await working

        assert backup.code == 0, backup.told
        (dump,) = dumps(folder)
        async with db.acquire() as conn:
            row = await conn.fetchrow("SELECT * FROM backup_run")
        assert row is not None
        assert (row["file"], row["verified"]) == (dump, True)
        assert row["bytes"] == (folder / dump).stat().st_size
        assert not [n for n in await databases(str(config.database_url)) if "verify" in n]

        home = scratch / "restored"
        home.mkdir()
        url = await stack.enter_async_context(postgres(home, lambda _line: None, throwaway=True))
        restored = await script("restore.sh", str(folder / dump), DATABASE_URL=url)
        assert restored.code == 0, restored.told
        found = await counted(url)
        assert found["scan_job"] == 1
        assert 0 < found["scan_result"] < 300, "the dump was not taken in the middle"

        again = dataclasses.replace(settings, database_url=Secret(url), dns_max_qps=0)
        assert await asyncio.to_thread(migrate_up, url) == []
        elsewhere = await stack.enter_async_context(open_database(again))
        stop = asyncio.Event()
        working = asyncio.create_task(run_worker(again, stop=stop))
        await until(elsewhere, _DONE, job)
        stop.set()
        await working
        async with elsewhere.acquire() as conn:
            assert await completion.mismatched(conn) == 0
        assert (await counted(url))["scan_result"] == 300


async def test_old_dumps_go_and_the_newest_stays(config: Config, folder: Path) -> None:
    for name in ("hunter-20200101T000000Z.dump", "hunter-20990101T000000Z.dump", "notes.txt"):
        (folder / name).touch()

    ended = await script(
        "backup.sh",
        DATABASE_URL=str(config.database_url),
        BACKUP_DIR=str(folder),
        BACKUP_KEEP_DAYS="1",
        BACKUP_VERIFY="false",
    )

    assert ended.code == 0, ended.told
    assert "pruned hunter-20200101T000000Z.dump" in ended.told
    assert "hunter-20200101T000000Z.dump" not in dumps(folder)
    assert {"hunter-20990101T000000Z.dump", "notes.txt"} <= set(dumps(folder))
    assert len(dumps(folder)) == 3


async def test_a_dump_whose_books_do_not_add_up_does_not_count(
    config: Config, db: Database, folder: Path
) -> None:
    job = await submit(db, config, 10)
    async with db.acquire() as conn:
        await conn.execute("UPDATE scan_job SET total = total + 1 WHERE id = $1", job)

    ended = await script("backup.sh", DATABASE_URL=str(config.database_url), BACKUP_DIR=str(folder))

    assert ended.code != 0
    assert "1 jobs have results that do not add up" in ended.told
    assert dumps(folder) == []
    assert not [n for n in await databases(str(config.database_url)) if "verify" in n]
    async with db.acquire() as conn:
        assert await conn.fetchval("SELECT count(*) FROM backup_run") == 0


async def test_restore_refuses_a_database_with_tables_and_a_file_that_is_no_dump(
    config: Config, folder: Path, empty_database_url: str
) -> None:
    url = str(config.database_url)
    assert (await script("backup.sh", DATABASE_URL=url, BACKUP_DIR=str(folder), BACKUP_VERIFY="false")).code == 0  # fmt: skip
    (dump,) = (folder / name for name in dumps(folder))
    broken = folder / "broken.dump"
    broken.write_bytes(dump.read_bytes()[: dump.stat().st_size // 2])

    onto = await script("restore.sh", str(dump), DATABASE_URL=url)
    half = await script("restore.sh", str(broken), DATABASE_URL=empty_database_url)
    whole = await script("restore.sh", str(dump), DATABASE_URL=empty_database_url)

    assert onto.code != 0
    assert "is not empty" in onto.told
    assert half.code != 0
    assert whole.code == 0, f"half a dump left something behind: {whole.told}"


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"DATABASE_URL": "mysql://u@h/d"}, "DATABASE_URL is no postgresql://"),
        ({"BACKUP_KEEP_DAYS": "0"}, "BACKUP_KEEP_DAYS=0"),
        ({"BACKUP_DIR": "/nowhere"}, "BACKUP_DIR=/nowhere"),
        ({"BACKUP_VERIFY": "maybe"}, "BACKUP_VERIFY=maybe"),
        ({"DATABASE_URL": "postgresql://u:canary@127.0.0.1:1/d"}, "FAILED while: pg_dump"),
    ],
)
async def test_what_is_wrong_is_said_and_no_password_is(
    folder: Path, changed: dict[str, str], told: str
) -> None:
    environ = {"DATABASE_URL": "postgresql://u:canary@127.0.0.1:1/d", "BACKUP_DIR": str(folder)}

    ended = await script("backup.sh", **(environ | changed))

    assert ended.code != 0
    assert told in ended.told
    assert "canary" not in ended.told
    assert dumps(folder) == []


async def test_a_password_of_any_letters_reaches_the_server(config: Config, folder: Path) -> None:
    password = "p@s/s:w%41 \\n'\"ü"
    connection = await asyncpg.connect(str(config.database_url))
    try:
        await connection.execute("DROP ROLE IF EXISTS odd")
        escaped = password.replace("'", "''")
        await connection.execute(f"CREATE ROLE odd SUPERUSER LOGIN PASSWORD '{escaped}'")
        url = re.sub(r"//[^@]+@", f"//odd:{quote(password, safe='')}@", str(config.database_url))
        ended = await script("backup.sh", DATABASE_URL=url, BACKUP_DIR=str(folder))
        assert ended.code == 0, ended.told
    finally:
        await connection.execute("DROP ROLE odd")
        await connection.close()


def test_the_audit_is_hunters_own_and_more() -> None:
    def bare(text: str) -> str:
        return re.sub(r"\s+", " ", re.sub(r"--.*", "", text)).replace("( ", "(").replace(" )", ")")

    own = bare(completion._MISMATCHED).strip().removesuffix(" AS n")

    assert own in bare((FILES / "audit.sql").read_text(encoding="utf-8"))


@pytest.mark.tool("shellcheck")
def test_shellcheck_finds_nothing(run: Callable[..., Any]) -> None:
    scripts = sorted(str(path) for path in FILES.parent.rglob("*.sh"))
    done = run("shellcheck", "--external-sources", *scripts, cwd=FILES.parents[2])

    assert len(scripts) >= 3
    assert done.returncode == 0, done.stdout
