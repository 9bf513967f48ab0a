"""What `hunter doctor` reads of a Hunter, on real servers that work, are away, or hold stuck work."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest

from hunter.config import Config, Secret
from hunter.local.nameserver import NameServer
from hunter.pipeline.diagnosis import Level, Reading, diagnose
from hunter.store.identifiers import uuid7

Look = Callable[..., Awaitable[dict[str, Reading]]]


@pytest.fixture
async def look(config: Config) -> Look:
    async def looked(**changes: Any) -> dict[str, Reading]:
        readings = await diagnose(dataclasses.replace(config, **changes))
        return {each.name: each for each in readings}

    return looked


async def _add_chunk(config: Config, state: str, age: str) -> None:
    conn = await asyncpg.connect(str(config.database_url))
    job = uuid7()
    await conn.execute(
        "INSERT INTO scan_job (id, lane, depth, status, total, caller, accepted_at, last_dispatch) "
        f"VALUES ($1, 'bulk', 'quick', 'running', 1, 'anonymous', now(), now() - interval '{age}')",
        job,
    )
    await conn.execute(
        "INSERT INTO scan_chunk (job_id, lane, domains, state, created_at, not_before, epoch, "
        "worker_id, leased_at, lease_until) SELECT $1, 'bulk', '{a.example}', $2, t, t, n, w, l, l "
        f"FROM (SELECT now() - interval '{age}' AS t, CASE $2 WHEN 'leased' THEN 1 ELSE 0 END AS n, "
        f"CASE $2 WHEN 'leased' THEN $1::uuid END AS w, "
        f"CASE $2 WHEN 'leased' THEN now() - interval '{age}' END AS l) v",
        job,
        state,
    )
    await conn.close()


async def test_a_fresh_hunter_has_no_fault_but_the_missing_worker_is_told(look: Look) -> None:
    async with NameServer("a.example 60 A 192.0.2.1") as server:
        found = await look(dns_servers=(server.address,))

    worse = {name: each.level for name, each in found.items() if each.level is not Level.OK}
    assert worse == {"workers": Level.WARNING, "backup": Level.WARNING}
    assert found["last dispatch"].detail == "never: there was no job yet"


async def test_work_that_nobody_takes_is_a_fault_that_names_what_to_do(
    config: Config, look: Look
) -> None:
    await _add_chunk(config, "ready", "10 minutes")

    found = await look()

    assert found["workers"].level is Level.FAULT
    assert found["oldest ready chunk"].level is Level.FAULT
    assert found["last dispatch"].level is Level.FAULT
    assert "add workers" in found["oldest ready chunk"].advice


async def test_a_lease_that_ran_out_long_ago_is_a_fault(config: Config, look: Look) -> None:
    await _add_chunk(config, "leased", "20 minutes")

    assert (await look())["expired leases"].level is Level.FAULT


async def test_counts_that_do_not_add_up_are_a_fault(config: Config, look: Look) -> None:
    await _add_chunk(config, "ready", "0 seconds")
    conn = await asyncpg.connect(str(config.database_url))
    await conn.execute("UPDATE scan_job SET total = 2")
    await conn.close()

    assert (await look())["accounting"].level is Level.FAULT


async def test_changes_held_back_are_a_fault_with_the_reason(config: Config, look: Look) -> None:
    conn = await asyncpg.connect(str(config.database_url))
    await conn.execute("UPDATE schedule SET held_at = now(), reason = '12 % moved at once'")
    await conn.close()

    found = (await look())["schedule"]
    assert found.level is Level.FAULT
    assert "12 % moved at once" in found.detail


async def test_an_old_backup_is_told_and_a_fresh_one_is_fine(config: Config, look: Look) -> None:
    conn = await asyncpg.connect(str(config.database_url))
    for age, level in (("30 hours", Level.WARNING), ("1 hour", Level.OK)):
        await conn.execute(
            "INSERT INTO backup_run (started_at, finished_at, file, bytes, sha256, verified) "
            f"SELECT t, t, '{age}', 1, repeat('0', 64), true "
            f"FROM (SELECT now() - interval '{age}' AS t) v"
        )
        assert (await look())["backup"].level is level
    await conn.close()


async def test_an_old_schema_is_told_with_the_command_that_mends_it(
    config: Config, look: Look, empty_database_url: str
) -> None:
    found = await look(database_url=Secret(empty_database_url))

    assert found["schema"].advice == "hunter migrate up"
    assert found["schema"].level is Level.FAULT


async def test_servers_that_are_away_are_told_without_host_or_secret(look: Look) -> None:
    found = await look(
        database_url=Secret("postgresql://u:geheim@127.0.0.1:1/x"),
        redis_url=Secret("redis://:geheim@127.0.0.1:1/0"),
        dns_servers=(("127.0.0.1", 1),),
    )

    for name in ("database", "redis", "dns 127.0.0.1:1"):
        assert found[name].level is Level.FAULT, found[name]
    assert "geheim" not in repr(found)
