"""Idempotency keys: the same request twice is one job."""

from __future__ import annotations

from typing import Final, LiteralString
from uuid import UUID

import msgspec

from hunter.core.errors import InvalidInput, Unavailable
from hunter.store.database import Connection


class Key(msgspec.Struct, frozen=True):
    """What makes a request the same: who asks, the key, the method and the path."""

    caller: str
    key: str
    method: str
    path: str


class Earlier(msgspec.Struct, frozen=True):
    """What an earlier request with the same key left."""

    job_id: UUID
    #: None while that request is still running
    body_hash: bytes | None
    #: seconds since its upload last moved
    idle_s: float


_RESERVE: Final[LiteralString] = """
    INSERT INTO idempotency (caller, key, method, path, job_id) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (caller, key, method, path) DO NOTHING
"""
#: a key whose holder drops its upload between the two statements is tried once more
_TRIES: Final = 5
_FIND: Final[LiteralString] = """
    SELECT i.job_id, i.body_hash, extract(epoch FROM now() - j.touched_at)::float8 AS idle_s
    FROM idempotency i JOIN scan_job j ON j.id = i.job_id
    WHERE i.caller = $1 AND key = $2 AND method = $3 AND path = $4
"""


async def reserve(conn: Connection, key: Key, job_id: UUID) -> Earlier | None:
    """Take a key for a job; None when it is ours now, else what the earlier request left."""
    parts = key.caller, key.key, key.method, key.path
    for _ in range(_TRIES):
        await conn.execute(_RESERVE, *parts, job_id)
        row = await conn.fetchrow(_FIND, *parts)
        if row is not None:
            break
    else:
        raise Unavailable("the Idempotency-Key changes hands too fast")
    if row["job_id"] == job_id:
        return None
    return Earlier(row["job_id"], row["body_hash"], row["idle_s"])


_SETTLE: Final[LiteralString] = """
    UPDATE idempotency SET body_hash = $5
    WHERE caller = $1 AND key = $2 AND method = $3 AND path = $4 AND job_id = $6
"""


async def settle(conn: Connection, key: Key, *, body_hash: bytes, job_id: UUID) -> None:
    """Write the digest of the whole body, in the transaction that accepts the job."""
    parts = key.caller, key.key, key.method, key.path
    await conn.execute(_SETTLE, *parts, body_hash, job_id)


class Answer(msgspec.Struct, frozen=True):
    """What a small write was answered."""

    #: JSON as it was sent; not encoded, so that a deletion finds a name in it
    body: msgspec.Raw
    headers: dict[str, str]


_answer_of: Final = msgspec.json.Decoder(Answer).decode
_TAKE: Final[LiteralString] = """
    INSERT INTO idempotency (caller, key, method, path, body_hash, answer)
    VALUES ($1, $2, $3, $4, $5, ''::bytea) ON CONFLICT (caller, key, method, path) DO NOTHING
    RETURNING key
"""
_ANSWERED: Final[LiteralString] = """
    SELECT body_hash, answer FROM idempotency
    WHERE caller = $1 AND key = $2 AND method = $3 AND path = $4
"""


async def take(conn: Connection, key: Key, body_hash: bytes) -> Answer | None:
    """Take a key for a small write, inside its transaction; the earlier answer when it is taken.

    Waits for a twin that has taken it and is not through. Raises InvalidInput when the earlier
    request was another one.
    """
    parts = key.caller, key.key, key.method, key.path
    if await conn.fetchval(_TAKE, *parts, body_hash) is not None:
        return None
    row = await conn.fetchrow(_ANSWERED, *parts)
    if row is None:
        raise Unavailable("the Idempotency-Key changes hands too fast")
    if row["body_hash"] != body_hash:
        raise InvalidInput(
            "this Idempotency-Key was used for another request",
            errors=(("Idempotency-Key", "use a new key for a new request"),),
        )
    return _answer_of(row["answer"])


_KEEP: Final[LiteralString] = """
    UPDATE idempotency SET answer = $5
    WHERE caller = $1 AND key = $2 AND method = $3 AND path = $4
"""


async def keep(conn: Connection, key: Key, answer: Answer) -> None:
    """Write down what the write was answered, in the transaction that has taken the key."""
    parts = key.caller, key.key, key.method, key.path
    await conn.execute(_KEEP, *parts, msgspec.json.encode(answer))


_SWEEP: Final[LiteralString] = """
    DELETE FROM idempotency
    WHERE created_at < now() - interval '24 hours' AND body_hash IS NOT NULL
"""


async def sweep(conn: Connection) -> None:
    """Forget keys older than 24 hours."""
    await conn.execute(_SWEEP)
