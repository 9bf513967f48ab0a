"""Keys of callers: stored as digests, listed, rotated and revoked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, LiteralString

import msgspec

from hunter.core.errors import Conflict, NotFound
from hunter.core.scopes import Scope
from hunter.store.database import Connection
from hunter.store.pages import Page, read_cursor, write_cursor


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key as it may be shown: nothing in it helps to guess the secret."""

    #: the middle part of hk_<id>_<secret>
    id: str
    name: str
    scopes: list[Scope]
    #: requests a minute and at once; null takes HUNTER_RATE_LIMIT and HUNTER_RATE_BURST
    rate_per_minute: int | None
    burst: int | None
    #: domains accepted for scanning in one day (UTC); null is no quota
    domains_per_day: int | None
    #: of today
    domains_used: int
    created_at: datetime
    #: the caller who made it
    created_by: str
    rotated_at: datetime | None
    #: until when the secret before the last rotation still counts
    previous_until: datetime | None
    expires_at: datetime | None
    revoked_at: datetime | None
    #: told about once a minute
    last_used_at: datetime | None


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """What a server must know about a key to let its holder in. Times are PostgreSQL's."""

    id: str
    digest: bytes
    previous_digest: bytes | None
    #: seconds the secret before the last rotation still counts; 0 or less when it does not
    previous_left_s: float
    scopes: frozenset[Scope]
    rate_per_minute: int | None
    burst: int | None
    #: seconds until it expires; None for never
    left_s: float | None
    is_revoked: bool


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What a new key is to be."""

    name: str
    scopes: Sequence[Scope]
    rate_per_minute: int | None = None
    burst: int | None = None
    domains_per_day: int | None = None
    expires_at: datetime | None = None


_SHOWN: Final[LiteralString] = """
    k.id, k.name, k.scopes, k.rate_per_minute, k.burst, k.domains_per_day, k.created_at,
    k.created_by, k.rotated_at, k.previous_until, k.expires_at, k.revoked_at, k.last_used_at,
    coalesce(u.domains, 0) AS domains_used
"""
_WITH_USAGE: Final[LiteralString] = """
    LEFT JOIN api_key_usage u ON u.key_id = k.id AND u.day = (now() AT TIME ZONE 'UTC')::date
"""
_ADD: Final[LiteralString] = """
    INSERT INTO api_key (id, name, digest, scopes, rate_per_minute, burst, domains_per_day,
        expires_at, created_by)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
    ON CONFLICT (id) DO NOTHING
"""


async def add(
    conn: Connection, key_id: str, digest: bytes, wanted: Wanted, *, created_by: str
) -> ApiKey:
    """Store a new key. Safe to run again with the same id after a lost COMMIT."""
    await conn.execute(
        _ADD,
        key_id,
        wanted.name,
        digest,
        sorted({scope.value for scope in wanted.scopes}),
        wanted.rate_per_minute,
        wanted.burst,
        wanted.domains_per_day,
        wanted.expires_at,
        created_by,
    )
    return await get(conn, key_id)


_GET: Final[LiteralString] = f"SELECT {_SHOWN} FROM api_key k {_WITH_USAGE} WHERE k.id = $1"  # noqa: S608  # of constants


async def get(conn: Connection, key_id: str) -> ApiKey:
    """One key. Raises NotFound."""
    row = await conn.fetchrow(_GET, key_id)
    if row is None:
        raise NotFound("There is no key with this id.")
    return _from_row(row)


_LIST: Final[LiteralString] = f"""
    SELECT {_SHOWN} FROM api_key k {_WITH_USAGE}
    WHERE ($1::timestamptz IS NULL OR (k.created_at, k.id) < ($1, $2))
    ORDER BY k.created_at DESC, k.id DESC LIMIT $3
"""  # noqa: S608  # of constants


async def list_keys(conn: Connection, after: str | None = None, limit: int = 100) -> Page[ApiKey]:
    """All keys, revoked ones too, newest first."""
    created_at, key_id = read_cursor("api-keys", after, datetime, str)
    rows = await conn.fetch(_LIST, created_at, key_id, limit + 1)
    items = [_from_row(row) for row in rows[:limit]]
    more = len(rows) > limit
    cursor = write_cursor("api-keys", items[-1].created_at, items[-1].id) if more else None
    return Page(items, cursor)


_HELD: Final[LiteralString] = """
    SELECT id, digest, previous_digest, scopes, rate_per_minute, burst,
        extract(epoch FROM coalesce(previous_until, 'epoch') - now())::float8 AS previous_left_s,
        extract(epoch FROM expires_at - now())::float8 AS left_s,
        revoked_at IS NOT NULL AS is_revoked
    FROM api_key WHERE id = $1
"""


async def held(conn: Connection, key_id: str) -> Held | None:
    """What is needed to verify the holder of a key; None when there is no such key."""
    row = await conn.fetchrow(_HELD, key_id)
    if row is None:
        return None
    return Held(
        id=row["id"],
        digest=row["digest"],
        previous_digest=row["previous_digest"],
        previous_left_s=row["previous_left_s"],
        scopes=frozenset(map(Scope, row["scopes"])),
        rate_per_minute=row["rate_per_minute"],
        burst=row["burst"],
        left_s=row["left_s"],
        is_revoked=row["is_revoked"],
    )


_CHANGE: Final[LiteralString] = """
    UPDATE api_key SET name = $2, scopes = $3, rate_per_minute = $4, burst = $5,
        domains_per_day = $6, expires_at = $7
    WHERE id = $1
"""


async def change(conn: Connection, key_id: str, wanted: Wanted) -> ApiKey:
    """Give a key these properties; the secret stays. Raises NotFound."""
    await conn.execute(
        _CHANGE,
        key_id,
        wanted.name,
        sorted({scope.value for scope in wanted.scopes}),
        wanted.rate_per_minute,
        wanted.burst,
        wanted.domains_per_day,
        wanted.expires_at,
    )
    return await get(conn, key_id)


_ROTATE: Final[LiteralString] = """
    UPDATE api_key SET
        previous_digest = CASE WHEN $3::float8 > 0 THEN digest END,
        previous_until = CASE WHEN $3 > 0 THEN now() + make_interval(secs => $3) END,
        digest = $2, rotated_at = now()
    WHERE id = $1 AND revoked_at IS NULL AND digest <> $2
"""
_IS_DIGEST: Final[LiteralString] = "SELECT digest = $2 FROM api_key WHERE id = $1"


async def rotate(conn: Connection, key_id: str, digest: bytes, *, grace_s: float) -> ApiKey:
    """Give a key another secret; the one before counts for `grace_s` more, older ones no more.

    Safe to run again with the same digest. Raises NotFound, and Conflict when it is revoked.
    """
    await conn.execute(_ROTATE, key_id, digest, grace_s)
    if await conn.fetchval(_IS_DIGEST, key_id, digest) is False:
        raise Conflict("The key is revoked. Make another.")
    return await get(conn, key_id)


_REVOKE: Final[LiteralString] = """
    UPDATE api_key SET revoked_at = coalesce(revoked_at, now()),
        previous_digest = NULL, previous_until = NULL
    WHERE id = $1
"""


async def revoke(conn: Connection, key_id: str) -> ApiKey:
    """End a key for good; again is harmless. Raises NotFound."""
    await conn.execute(_REVOKE, key_id)
    return await get(conn, key_id)


_USED: Final[LiteralString] = """
    WITH used AS (SELECT id FROM api_key WHERE id = ANY($1) ORDER BY id FOR UPDATE SKIP LOCKED)
    UPDATE api_key k SET last_used_at = now() FROM used WHERE k.id = used.id
"""


async def mark_used(conn: Connection, key_ids: Sequence[str]) -> None:
    """Write down that keys are in use."""
    await conn.execute(_USED, list(key_ids))


def _from_row(row: Mapping[str, Any]) -> ApiKey:
    return ApiKey(**{**row, "scopes": [Scope(each) for each in row["scopes"]]})
