"""Endpoints of alerts: kept, shown without what is secret, and their secrets rotated."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, LiteralString
from uuid import UUID

import asyncpg
import msgspec

from hunter.core.advice import Language
from hunter.core.channels import Channel
from hunter.core.errors import Conflict, NotFound
from hunter.store import audit
from hunter.store.database import Connection, savepoint
from hunter.store.pages import Page, read_cursor, write_cursor

#: more are a mistake: each costs a look at every claim
MAX_ENDPOINTS: Final = 1000


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint as it may be shown."""

    id: UUID
    name: str
    kind: Channel
    language: Language
    #: of the address what gives nothing away
    shown: str
    state: str
    #: gone: it answered 410; operator: switched off
    state_reason: str
    #: in a row, up to now
    failures: int
    #: nothing is sent before that
    open_until: datetime | None
    last_ok_at: datetime | None
    last_failed_at: datetime | None
    last_error: str | None
    #: until then the secret of before signs too
    old_secret_until: datetime | None
    created_at: datetime


class Sealed(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint as it is stored for the first time."""

    id: UUID
    name: str
    kind: Channel
    language: Language
    shown: str
    target: bytes
    secret: bytes | None


_COLUMNS: Final[LiteralString] = """
    id, name, kind, language, shown, state, state_reason, failures, open_until, last_ok_at,
    last_failed_at, last_error,
    CASE WHEN old_secret_until > now() THEN old_secret_until END AS old_secret_until, created_at
"""
_ADD: Final[LiteralString] = """
    INSERT INTO alert_endpoint (id, name, kind, language, shown, target, secret)
    SELECT $1::uuid, $2::text, $3::text, $4::text, $5::text, $6::bytea, $7::bytea
    WHERE (SELECT count(*) FROM alert_endpoint) < $8
    RETURNING id
"""


async def add(conn: Connection, endpoint: Sealed) -> None:
    """Store an endpoint. Raises Conflict when the name is taken or there are too many."""
    try:
        async with savepoint(conn):
            made = await conn.fetchval(
                _ADD,
                endpoint.id,
                endpoint.name,
                endpoint.kind.value,
                endpoint.language.value,
                endpoint.shown,
                endpoint.target,
                endpoint.secret,
                MAX_ENDPOINTS,
            )
    except asyncpg.UniqueViolationError:
        raise Conflict(f"there is an endpoint named {endpoint.name!r} already") from None
    if made is None:
        raise Conflict(f"there are {MAX_ENDPOINTS} endpoints, which is the limit; delete some")
    await audit.record(conn, "endpoint.created", endpoint.id)


_GET: Final[LiteralString] = f"SELECT {_COLUMNS} FROM alert_endpoint WHERE id = $1"  # noqa: S608  # of constants


async def get(conn: Connection, endpoint_id: UUID) -> Endpoint:
    """An endpoint. Raises NotFound."""
    row = await conn.fetchrow(_GET, endpoint_id)
    if row is None:
        raise NotFound(f"no endpoint {endpoint_id}")
    return _endpoint(row)


_LIST: Final[LiteralString] = f"""
    SELECT {_COLUMNS} FROM alert_endpoint
    WHERE ($1::uuid IS NULL OR id < $1) ORDER BY id DESC LIMIT $2
"""  # noqa: S608  # of constants


async def page(conn: Connection, after: str | None, limit: int) -> Page[Endpoint]:
    """Endpoints, newest first."""
    (key,) = read_cursor("endpoints", after, UUID)
    rows = await conn.fetch(_LIST, key, limit + 1)
    items = [_endpoint(row) for row in rows[:limit]]
    more = len(rows) > limit
    return Page(items, write_cursor("endpoints", items[-1].id) if more else None)


class Edit(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be another at an endpoint; None leaves it."""

    name: str | None = None
    language: Language | None = None
    is_active: bool | None = None
    shown: str | None = None
    target: bytes | None = None


#: a new address, or switching it on, is a new beginning for its breaker
_CHANGE: Final[LiteralString] = """
    UPDATE alert_endpoint SET
        name = coalesce($2, name),
        language = coalesce($3, language),
        state = CASE WHEN $4 THEN 'active' WHEN NOT $4 THEN 'disabled' ELSE state END,
        state_reason = CASE WHEN $4 THEN '' WHEN NOT $4 THEN 'operator' ELSE state_reason END,
        shown = coalesce($5, shown),
        target = coalesce($6, target),
        failures = CASE WHEN $4 OR $6::bytea IS NOT NULL THEN 0 ELSE failures END,
        open_until = CASE WHEN $4 OR $6 IS NOT NULL THEN NULL ELSE open_until END
    WHERE id = $1
"""


async def change(conn: Connection, endpoint_id: UUID, edit: Edit) -> Endpoint:
    """Change an endpoint. Raises NotFound and Conflict."""
    try:
        async with savepoint(conn):
            await conn.execute(
                _CHANGE,
                endpoint_id,
                edit.name,
                edit.language.value if edit.language else None,
                edit.is_active,
                edit.shown,
                edit.target,
            )
    except asyncpg.UniqueViolationError:
        raise Conflict(f"there is an endpoint named {edit.name!r} already") from None
    changed = await get(conn, endpoint_id)
    await audit.record(conn, "endpoint.changed", endpoint_id)
    return changed


_ROTATE: Final[LiteralString] = """
    UPDATE alert_endpoint SET secret = $2,
        old_secret = CASE WHEN $3::float8 > 0 THEN secret END,
        old_secret_until = CASE WHEN $3 > 0 THEN now() + make_interval(secs => $3) END
    WHERE id = $1 AND secret IS NOT NULL
    RETURNING id
"""


async def rotate(conn: Connection, endpoint_id: UUID, secret: bytes, *, grace_s: float) -> Endpoint:
    """Sign with a new secret, and with the one of before for `grace_s` more.

    Raises NotFound, and Conflict for a channel that is not signed.
    """
    found = await get(conn, endpoint_id)
    if await conn.fetchval(_ROTATE, endpoint_id, secret, grace_s) is None:
        raise Conflict(f"{found.kind.value} has no secret to rotate: only webhooks are signed")
    await audit.record(conn, "endpoint.rotated", endpoint_id)
    return await get(conn, endpoint_id)


_DELETE: Final[LiteralString] = "DELETE FROM alert_endpoint WHERE id = $1 RETURNING id"
_FORGET_RULES: Final[LiteralString] = """
    DELETE FROM alert_rule_endpoint e USING alert_rule r
    WHERE e.endpoint_id = $1 AND r.id = e.rule_id AND r.deleted_at IS NOT NULL
"""
_FORGET_MESSAGES: Final[LiteralString] = "DELETE FROM delivery WHERE endpoint_id = $1"


async def delete(conn: Connection, endpoint_id: UUID) -> None:
    """Delete an endpoint with its messages. Raises NotFound, and Conflict while a rule tells it."""
    await conn.execute(_FORGET_RULES, endpoint_id)
    try:
        async with savepoint(conn):
            gone = await conn.fetchval(_DELETE, endpoint_id)
    except asyncpg.ForeignKeyViolationError:
        raise Conflict("a rule tells this endpoint: change or delete the rule first") from None
    if gone is None:
        raise NotFound(f"no endpoint {endpoint_id}")
    await conn.execute(_FORGET_MESSAGES, endpoint_id)
    await audit.record(conn, "endpoint.deleted", endpoint_id)


def _endpoint(row: Mapping[str, Any]) -> Endpoint:
    return msgspec.convert(dict(row), Endpoint)
