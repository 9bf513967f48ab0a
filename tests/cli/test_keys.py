"""`hunter keys`: the way to a first key, without a running API."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg

from hunter.core.credentials import digest_of, id_in

Hunter = Callable[..., Awaitable[Any]]
PEPPER = "a pepper of more than 32 characters, for tests"


async def test_a_key_is_made_listed_rotated_and_revoked(hunter: Hunter, database_url: str) -> None:
    settings = {"HUNTER_DATABASE_URL": database_url, "HUNTER_KEY_PEPPER": PEPPER}
    made = await hunter(
        "keys", "create", "CRM bridge", "--scope", "leads:read", "--quota", "50",
        "--days", "30", **settings,
    )  # fmt: skip
    key = made.out.strip()
    key_id = id_in(key)
    assert made.code == 0, made.err
    assert key_id is not None

    listed = await hunter("keys", "list", **settings)
    rotated = await hunter("keys", "rotate", key_id, "--grace", "1", **settings)
    revoked = await hunter("keys", "revoke", key_id, **settings)
    again = await hunter("keys", "rotate", key_id, **settings)

    assert key_id in listed.out
    assert "CRM bridge" in listed.out
    assert key not in listed.out
    assert id_in(rotated.out.strip()) == key_id
    assert rotated.out.strip() != key
    assert (revoked.code, key_id in revoked.out) == (0, True)
    assert (again.code, again.out) == (1, "")
    assert "revoked" in again.err
    connection = await asyncpg.connect(database_url)
    row = await connection.fetchrow("SELECT * FROM api_key")
    told = await connection.fetch("SELECT actor, action, target FROM audit_log ORDER BY id")
    await connection.close()
    assert row is not None
    assert row["digest"] == digest_of(PEPPER, rotated.out.strip())
    assert key not in str(dict(row))
    assert [tuple(each) for each in told] == [
        ("cli", f"key.{what}", key_id) for what in ("created", "rotated", "revoked")
    ]


async def test_what_is_missing_or_wrong_is_one_line(hunter: Hunter, database_url: str) -> None:
    bare, unknown, scope, hours = await asyncio.gather(
        hunter("keys", "create", "x", "--scope", "admin"),
        hunter("keys", "revoke", "nobody", HUNTER_DATABASE_URL=database_url),
        hunter("keys", "create", "x", "--scope", "everything"),
        hunter("keys", "rotate", "x", "--grace", "721"),
    )

    assert bare.code == 2
    assert bare.err.splitlines() == [
        "hunter: HUNTER_DATABASE_URL: `hunter keys` needs it",
        "hunter: HUNTER_KEY_PEPPER: `hunter keys` needs it",
    ]
    assert (unknown.code, unknown.err) == (1, "hunter: There is no key with this id.\n")
    assert (scope.code, hours.code) == (2, 2)
    assert "scan:read" in scope.err
