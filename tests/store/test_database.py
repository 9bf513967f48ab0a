"""The pool: transactions are run again when that can help, and errors come in Hunter's words."""

from __future__ import annotations

import asyncio
import dataclasses

import asyncpg
import pytest

from hunter.config import Config, Secret
from hunter.core.errors import Unavailable
from hunter.local.servers import free_port
from hunter.store.database import (
    BadData,
    Connection,
    Database,
    Exhausted,
    open_database,
    server_connections,
)


async def _count(conn: Connection) -> int:
    return int(await conn.fetchval("SELECT count(*) FROM worker_process"))


async def _add(conn: Connection) -> None:
    await conn.execute(
        "INSERT INTO worker_process (id, slots, interactive_slots) VALUES (gen_random_uuid(), 1, 1)"
    )


async def test_a_transaction_whose_session_is_ended_runs_again(db: Database) -> None:
    ended: list[int] = []

    async def work(conn: Connection) -> int:
        await _add(conn)
        if not ended:
            ended.append(await conn.fetchval("SELECT pg_backend_pid()"))
            async with db.acquire() as other:
                await other.execute("SELECT pg_terminate_backend($1)", ended[0])
        return await _count(conn)

    assert await db.transact(work) == 1
    async with db.acquire() as conn:
        assert await _count(conn) == 1


async def test_deadlocked_transactions_both_end(db: Database) -> None:
    async with db.acquire() as conn:
        await _add(conn)
        await _add(conn)
        ids = [row["id"] for row in await conn.fetch("SELECT id FROM worker_process ORDER BY id")]
    met = asyncio.Barrier(2)

    async def lock(order: list[object]) -> None:
        first = True

        async def work(conn: Connection) -> None:
            nonlocal first
            for each in order:
                await conn.execute("UPDATE worker_process SET slots = 2 WHERE id = $1", each)
                if first:
                    first = False
                    await met.wait()

        await db.transact(work, deadline_s=10)

    await asyncio.gather(lock(ids), lock(ids[::-1]))


async def test_an_error_of_our_own_is_not_tried_again(db: Database) -> None:
    tries = 0

    async def work(conn: Connection) -> None:
        nonlocal tries
        tries += 1
        await _add(conn)
        raise KeyError

    with pytest.raises(KeyError):
        await db.transact(work)

    async with db.acquire() as conn:
        assert (tries, await _count(conn)) == (1, 0)


async def test_a_refused_value_is_bad_data(db: Database) -> None:
    for statement in (
        "SELECT 1 / 0",
        "INSERT INTO worker_process VALUES (gen_random_uuid(), 0, 0)",
    ):
        with pytest.raises(BadData):
            async with db.acquire() as conn:
                await conn.execute(statement)
    for value in ("nul \0", "\ud800"):
        with pytest.raises(BadData):
            async with db.acquire() as conn:
                await conn.fetchval("SELECT $1::text", value)


async def test_out_of_disk_is_not_hammered(db: Database) -> None:
    tries = 0

    async def work(conn: Connection) -> None:
        nonlocal tries
        tries += 1
        await conn.execute("DO $$ BEGIN RAISE EXCEPTION 'full' USING ERRCODE = '53100'; END $$")

    with pytest.raises(Exhausted, match="disk"):
        await db.transact(work)

    assert tries == 1


async def test_a_server_that_is_away_is_unavailable_after_the_deadline(config: Config) -> None:
    away = dataclasses.replace(
        config, database_url=Secret(f"postgresql://x@127.0.0.1:{free_port()}/x")
    )
    async with open_database(away) as db:
        with pytest.raises(Unavailable) as caught:
            await db.transact(_count, deadline_s=0.3)
        with pytest.raises(Unavailable):
            await db.ping()

    assert str(away.database_url) not in str(caught.value)


async def test_bulk_work_leaves_a_connection_to_interactive(config: Config) -> None:
    small = dataclasses.replace(config, db_pool_size=2, db_timeout_s=0.2)
    async with open_database(small) as db, db.acquire():
        with pytest.raises(Unavailable, match="became free"):
            async with db.acquire():
                pass
        async with db.acquire(reserved=True) as conn:
            assert await _count(conn) == 0
            assert db.in_use == 2
            with pytest.raises(Unavailable):
                async with db.acquire(reserved=True):
                    pass


async def test_sessions_have_their_limits(db: Database) -> None:
    async with db.acquire() as conn:
        limits = {
            name: await conn.fetchval("SELECT current_setting($1)", name)
            for name in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
        }

    assert list(limits.values()) == ["15s", "3s", "10s"]


async def test_the_servers_connections_are_counted(db: Database) -> None:
    async with db.acquire() as conn:
        used, allowed = await server_connections(conn)

    assert 1 <= used <= allowed


async def test_a_connection_whose_driver_lost_its_place_is_not_lent_again(db: Database) -> None:
    with pytest.raises(Unavailable, match="lost"):
        await _lose_place(db)

    async with db.acquire() as conn:
        assert not await conn.fetchval("SELECT current_setting('test.is_lost', true)")


async def _lose_place(db: Database) -> None:
    async with db.acquire() as conn:
        await conn.execute("SELECT set_config('test.is_lost', 'yes', false)")
        # as asyncpg says when a session is ended between two messages of one statement
        raise asyncpg.InternalClientError("cannot switch to state 11")
