"""Registration data of leads: wanted by a scan, taken up by one worker, kept until they are due again."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, Final, LiteralString

import msgspec

from hunter.core.registration import Registration, RegistrationState
from hunter.store.database import Connection

_WANT: Final[LiteralString] = """
    INSERT INTO registration (domain)
    SELECT domain FROM unnest($1::text[]) AS n(domain) ORDER BY domain COLLATE "C"
    ON CONFLICT (domain) DO UPDATE SET wanted = true
    WHERE NOT registration.wanted AND registration.next_at <= now()
"""


async def want(conn: Connection, domains: Sequence[str]) -> None:
    """Ask for the registration of leads, unless what is known of it is fresh enough."""
    await conn.execute(_WANT, domains)


class Due(msgspec.Struct, frozen=True):
    """A look-up to be made."""

    domain: str
    #: tries before this one that brought nothing
    failures: int


_TAKE: Final[LiteralString] = """
    WITH due AS (
        SELECT domain FROM registration
        WHERE wanted AND next_at <= now() AND substring(domain FROM '[^.]+$') <> ALL($2::text[])
        ORDER BY next_at LIMIT $1 FOR UPDATE SKIP LOCKED
    )
    UPDATE registration r SET next_at = now() + make_interval(secs => $3)
    FROM due WHERE r.domain = due.domain
    RETURNING r.domain, r.failures
"""


async def take(conn: Connection, *, limit: int, busy: Sequence[str], lease_s: float) -> list[Due]:
    """Take up look-ups that are due, those below the top-level domains `busy` left out.

    Whoever takes one has `lease_s` to settle it; after that it is due again.
    """
    rows = await conn.fetch(_TAKE, limit, busy, lease_s)
    return [Due(row["domain"], row["failures"]) for row in rows]


_SETTLE: Final[LiteralString] = """
    UPDATE registration SET state = $2, registrar = $3, created = $4, expires = $5, statuses = $6,
        delegation_signed = $7, source = $8, server = $9, fetched_at = $10, reason = '',
        failures = 0, wanted = false, next_at = now() + make_interval(secs => $11)
    WHERE domain = $1
"""
_FAIL: Final[LiteralString] = """
    UPDATE registration SET reason = $2, failures = failures + 1, wanted = $3,
        next_at = now() + make_interval(secs => $4)
    WHERE domain = $1
"""


async def settle(conn: Connection, found: Registration, *, fresh_s: float) -> None:
    """Keep what a registry said; it is not asked again for `fresh_s`."""
    await conn.execute(
        _SETTLE,
        found.domain,
        found.state.value,
        found.registrar,
        found.created,
        found.expires,
        found.statuses,
        found.delegation_signed,
        found.source,
        found.server,
        dt.datetime.fromisoformat(found.observed_at),
        fresh_s,
    )


async def fail(
    conn: Connection, domain: str, reason: str, *, again_s: float, is_wanted: bool = True
) -> None:
    """Keep why a look-up brought nothing; what was known before stays, and it is tried again."""
    await conn.execute(_FAIL, domain, reason, is_wanted, again_s)


COLUMNS: Final[LiteralString] = """
    r.state, r.registrar, r.created, r.expires, r.statuses, r.delegation_signed, r.source,
    r.server, r.fetched_at, r.reason
"""
_GET: Final[LiteralString] = f"SELECT r.domain, {COLUMNS} FROM registration r WHERE r.domain = $1"  # noqa: S608  # of constants


async def get(conn: Connection, domain: str) -> Registration | None:
    """What is known of a lead's registration; None when it was never asked for."""
    row = await conn.fetchrow(_GET, domain)
    return None if row is None else registration_from_row(row)


def registration_from_row(row: Any) -> Registration:  # a Record reads by name
    """A row with the columns `domain` and COLUMNS."""
    state = RegistrationState(row["state"])
    is_unknown = state is RegistrationState.UNKNOWN
    return Registration(
        row["domain"],
        state,
        registrar=row["registrar"],
        created=row["created"],
        expires=row["expires"],
        statuses=tuple(row["statuses"]),
        delegation_signed=row["delegation_signed"],
        source=row["source"],
        server=row["server"],
        observed_at="" if is_unknown else row["fetched_at"].isoformat(),
        reason=row["reason"] or ("Not asked yet." if is_unknown else ""),
    )
