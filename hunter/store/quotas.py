"""Quotas of keys: domains a day, charged by the transaction that accepts them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final, LiteralString

from hunter.core.credentials import is_key_id
from hunter.core.errors import QuotaExceeded
from hunter.store.database import Connection

_QUOTA: Final[LiteralString] = """
    SELECT k.domains_per_day AS quota, coalesce(u.domains, 0) AS used, now() AS now
    FROM api_key k
    LEFT JOIN api_key_usage u ON u.key_id = k.id AND u.day = (now() AT TIME ZONE 'UTC')::date
    WHERE k.id = $1 AND k.domains_per_day IS NOT NULL
"""
_CHARGE: Final[LiteralString] = """
    INSERT INTO api_key_usage AS u (key_id, day, domains)
    VALUES ($1, (now() AT TIME ZONE 'UTC')::date, $2)
    ON CONFLICT (key_id, day) DO UPDATE SET domains = u.domains + excluded.domains
    RETURNING domains
"""


async def require(conn: Connection, caller: str, domains: int = 1) -> None:
    """Raises QuotaExceeded when so many domains are more than the caller has left today.

    Reserves nothing: it only ends early what `charge` would refuse.
    """
    if not is_key_id(caller):
        return
    row = await conn.fetchrow(_QUOTA, caller)
    if row is not None and row["used"] + domains > row["quota"]:
        raise _exceeded(row["quota"], row["used"], domains, row["now"])


async def charge(conn: Connection, caller: str, domains: int) -> None:
    """Count accepted domains, in the transaction that accepts them and as late in it as can be.

    The row of the day stays locked until COMMIT, so that requests of one key cannot pass together
    what none of them may. Raises QuotaExceeded, which must roll the transaction back.
    """
    if not is_key_id(caller):
        return
    row = await conn.fetchrow(_QUOTA, caller)
    if row is None:
        return
    used = int(await conn.fetchval(_CHARGE, caller, domains))
    if used > row["quota"]:
        raise _exceeded(row["quota"], used - domains, domains, row["now"])


def _exceeded(quota: int, used: int, wanted: int, now: datetime) -> QuotaExceeded:
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    reset = midnight + timedelta(days=1)
    return QuotaExceeded(
        f"The key may have {quota:,} domains scanned a day; {used:,} are used, and this request has "
        f"{wanted:,} so far. It starts anew at {reset:%Y-%m-%dT%H:%M:%SZ}.",
        quota=quota,
        used=used,
        reset=reset,
        retry_after_s=max(1, int((reset - now).total_seconds()) + 1),
    )
