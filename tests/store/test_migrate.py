"""Migrations go up, down and up again, one process at a time, and notice edited files."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from hunter.config import Config, Secret
from hunter.core.errors import Misconfigured, Unavailable
from hunter.store import migrate
from hunter.store.database import Database, open_database

_OBJECTS = """
    SELECT c.relkind::text, c.relname, coalesce(pg_get_indexdef(i.indexrelid), '')
    FROM pg_class c LEFT JOIN pg_index i ON i.indexrelid = c.oid
    WHERE c.relnamespace = 'public'::regnamespace AND c.relname !~ '^(_?yoyo|migration_checksum)'
    UNION ALL SELECT 'f', proname, '' FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    ORDER BY 1, 2, 3
"""


def _objects(url: str) -> list[tuple[str, ...]]:
    with psycopg.connect(url) as session:
        return session.execute(_OBJECTS).fetchall()


async def test_up_down_up_gives_the_same_schema(empty_database_url: str) -> None:
    applied = await asyncio.to_thread(migrate.migrate_up, empty_database_url)
    first = _objects(empty_database_url)

    undone = await asyncio.to_thread(migrate.rollback, empty_database_url, len(applied))
    between = _objects(empty_database_url)
    again = await asyncio.to_thread(migrate.migrate_up, empty_database_url)

    assert undone == applied[::-1]
    assert between == []
    assert again == applied
    assert _objects(empty_database_url) == first


async def test_a_migration_that_cannot_be_marked_is_not_applied(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    applied = await asyncio.to_thread(migrate.migrate_up, empty_database_url)
    before = _objects(empty_database_url)
    await asyncio.to_thread(migrate.rollback, empty_database_url)
    without = _objects(empty_database_url)

    with monkeypatch.context() as patch:
        patch.setattr(migrate, "_RECORD", "SELECT 1 / 0, %s, %s")
        with pytest.raises(psycopg.errors.DivisionByZero):
            await asyncio.to_thread(migrate.migrate_up, empty_database_url)

    assert _objects(empty_database_url) == without
    assert await asyncio.to_thread(migrate.migrate_up, empty_database_url) == applied[-1:]
    assert _objects(empty_database_url) == before


async def test_every_migration_has_a_rollback() -> None:
    files = {path.name for path in migrate.migrations_dir().glob("*.sql")}
    forward = {name for name in files if not name.endswith(".rollback.sql")}

    assert {name.removesuffix(".sql") + ".rollback.sql" for name in forward} == files - forward


async def test_every_constraint_of_ours_has_a_name_and_a_comment(database_url: str) -> None:
    query = """
        SELECT conrelid::regclass || '.' || conname FROM pg_constraint c
        JOIN pg_class t ON t.oid = c.conrelid
        WHERE t.relnamespace = 'public'::regnamespace AND contype <> 'n' AND NOT t.relispartition
          AND t.relname !~ '^(_?yoyo|migration_checksum)'
          AND obj_description(c.oid, 'pg_constraint') IS NULL
    """
    with psycopg.connect(database_url) as session:
        assert session.execute(query).fetchall() == []


async def test_status_names_what_is_missing(empty_database_url: str) -> None:
    status = await asyncio.to_thread(migrate.status, empty_database_url)

    assert not status.is_current
    assert status.pending[0] == "0001.lead"
    assert status.applied == ()


async def test_status_of_a_migrated_database_is_current(database_url: str) -> None:
    status = await asyncio.to_thread(migrate.status, database_url)
    history = await asyncio.to_thread(migrate.history, database_url)

    assert status.is_current
    assert tuple(each.id for each in history) == status.applied


async def test_an_edited_applied_file_is_refused(database_url: str) -> None:
    with psycopg.connect(database_url) as session:
        session.execute(
            "UPDATE migration_checksum SET sha256 = 'x' WHERE migration_id = '0001.lead'"
        )

    assert (await asyncio.to_thread(migrate.status, database_url)).changed == ("0001.lead",)
    with pytest.raises(Misconfigured, match=r"edited: 0001\.lead"):
        await asyncio.to_thread(migrate.migrate_up, database_url)


async def test_a_stale_lock_of_yoyo_is_cleared(database_url: str) -> None:
    with psycopg.connect(database_url) as session:
        session.execute("INSERT INTO yoyo_lock (locked, ctime, pid) VALUES (1, now(), 4711)")

    assert await asyncio.to_thread(migrate.migrate_up, database_url) == []


async def test_two_migrations_at_once_take_turns(empty_database_url: str) -> None:
    one, two = await asyncio.gather(
        asyncio.to_thread(migrate.migrate_up, empty_database_url),
        asyncio.to_thread(migrate.migrate_up, empty_database_url),
    )

    assert sorted([bool(one), bool(two)]) == [False, True]


async def test_a_server_that_is_away_is_said_so() -> None:
    with pytest.raises(Unavailable, match="does not answer"):
        await asyncio.to_thread(migrate.status, "postgresql://nobody@127.0.0.1:1/none")


async def test_an_older_schema_is_refused_by_name(empty_database_url: str) -> None:
    settings = Config(database_url=Secret(empty_database_url), data_dir=Path("unused"))
    async with open_database(settings) as db, db.acquire() as conn:
        with pytest.raises(Unavailable, match=r"0001\.lead is next"):
            await migrate.require_schema(conn)


async def test_the_migrated_schema_is_enough(db: Database) -> None:
    async with db.acquire() as conn:
        await migrate.require_schema(conn)


async def test_partitions_are_made_ahead_once(db: Database) -> None:
    async with db.acquire() as conn:
        assert await migrate.make_partitions(conn) == 0


async def test_results_of_this_month_have_a_partition_of_their_own(db: Database) -> None:
    from hunter.store.identifiers import uuid7

    async with db.acquire() as conn:
        await conn.execute(
            "INSERT INTO scan_result (job_id, domain, outcome, reason, scanned_at) "
            "VALUES ($1, 'a.example', 'failed', 'x', now())",
            uuid7(),
        )
        table = await conn.fetchval("SELECT tableoid::regclass::text FROM scan_result")

    assert table.startswith("scan_result_20")


async def test_a_schema_of_a_newer_build_is_tolerated_but_not_taken_back(
    database_url: str, db: Database
) -> None:
    with psycopg.connect(database_url) as session:
        session.execute(
            "INSERT INTO _yoyo_migration (migration_hash, migration_id, applied_at_utc)"
            " VALUES ('x', '9999.of_tomorrow', now() AT TIME ZONE 'UTC')"
        )

    status = await asyncio.to_thread(migrate.status, database_url)
    assert status.newer == ("9999.of_tomorrow",)
    assert status.is_current
    async with db.acquire() as conn:
        await migrate.require_schema(conn)
    assert await asyncio.to_thread(migrate.migrate_up, database_url) == []
    with pytest.raises(Misconfigured, match=r"a newer build has applied 9999\.of_tomorrow"):
        await asyncio.to_thread(migrate.rollback, database_url)
    assert (await asyncio.to_thread(migrate.status, database_url)).is_current


async def test_a_pooler_in_between_is_refused(database_url: str) -> None:
    parts = urlsplit(database_url)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """As poolers do: the process named at the start (BackendKeyData) is of its own invention."""
        to = await asyncio.open_connection(parts.hostname, parts.port)

        async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            while data := await source.read(65536):
                sink.write(re.sub(rb"K\x00\x00\x00\x0c.{4}", b"K\x00\x00\x00\x0c\x00\x00\x10\x92", data, flags=re.DOTALL))  # fmt: skip
            sink.close()

        await asyncio.gather(pump(reader, to[1]), pump(to[0], writer))

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        url = database_url.replace(f":{parts.port}/", f":{port}/")
        with pytest.raises(Misconfigured, match="leads to a pooler"):
            await asyncio.to_thread(migrate.migrate_up, url)
