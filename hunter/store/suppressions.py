"""Names deleted for good: every row gone, a keyed digest left, and nothing of them stored again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, LiteralString
from uuid import UUID

import msgspec

from hunter.core.errors import InvalidInput, NotFound
from hunter.store import alerts, audit
from hunter.store.database import LONG_S, Connection
from hunter.store.folding import like_pattern
from hunter.store.identifiers import uuid7
from hunter.store.pages import Page, read_cursor, write_cursor

#: why a name of a job has no result
REASON: Final = "suppressed: this name was deleted, and is not to be scanned or stored again"
#: what is left of a refused or deleted name in lists of refused rows
REDACTED: Final = "[suppressed]"


class Suppression(msgspec.Struct, frozen=True):
    """A name that is never stored again; which one it is cannot be read."""

    suppression_id: str
    reason: str
    #: who asked for it
    caller: str
    created_at: datetime


def is_pseudonym(name: str) -> bool:
    """True for what stands in a job where a deleted name stood: one label, as no domain is."""
    return "." not in name


_AMONG: Final[LiteralString] = "SELECT domain, pseudonym FROM suppressed_among($1::text[])"


async def among(conn: Connection, domains: Sequence[str]) -> dict[str, str]:
    """The suppressed ones of these names, and those below one, with their pseudonyms.

    Inside a transaction no name of it can be deleted from here to its end, so a transaction that
    stores names asks this before it locks anything.
    """
    return {row["domain"]: row["pseudonym"] for row in await conn.fetch(_AMONG, domains)}


_WAIT: Final[LiteralString] = "SELECT pg_advisory_xact_lock_shared(4851)"


async def wait(conn: Connection) -> None:
    """Wait for a deletion to end, inside a transaction; none begins before the transaction ends.

    For those that lock rows and then store names of them: a deletion wants the rows they lock.
    """
    await conn.execute(_WAIT)


_WAIT_ALONE: Final[LiteralString] = "SELECT pg_advisory_xact_lock(4851)"
_ADD: Final[LiteralString] = """
    INSERT INTO suppression (id, digest, reason, caller)
    VALUES ($1, suppression_digest($2), $3, $4) ON CONFLICT (digest) DO NOTHING
"""
#: so many names below one are deleted with it at once
BELOW_MAX: Final = 200
_BELOW: Final[LiteralString] = """
    SELECT domain FROM lead WHERE search LIKE $1 || '%' AND domain LIKE $1
    UNION
    SELECT u.name FROM scan_chunk c CROSS JOIN unnest(c.domains) AS u(name)
    WHERE c.state <> 'done' AND u.name LIKE $1
    LIMIT $2
"""
#: a done chunk has the name where its job has a result for it
_JOBS: Final[LiteralString] = """
    SELECT j.id FROM scan_job j CROSS JOIN LATERAL (
        SELECT FROM scan_result r WHERE r.job_id = j.id AND r.domain = $1 LIMIT 1
    ) r
"""
_CHUNKS: Final[LiteralString] = """
    UPDATE scan_chunk SET domains = array_replace(domains, $1, $2) WHERE id IN (
        SELECT id FROM scan_chunk
        WHERE (state <> 'done' OR job_id = ANY($3::uuid[])) AND domains @> ARRAY[$1]
        ORDER BY id FOR UPDATE
    )
"""
_LEAD: Final[LiteralString] = "SELECT domain FROM lead WHERE domain = $1 FOR UPDATE"
_RESULTS: Final[LiteralString] = """
    UPDATE scan_result SET domain = $2, outcome = 'failed', reason = $3, judgement = NULL,
        survey = NULL, observation_id = NULL
    WHERE job_id = ANY($4::uuid[]) AND domain = $1
"""
_DELETES: Final[tuple[LiteralString, ...]] = (
    "DELETE FROM observation WHERE domain = $1",
    "DELETE FROM change WHERE domain = $1",
    "DELETE FROM lead WHERE domain = $1",
    """DELETE FROM idempotency WHERE position($1 IN path) > 0 OR position($1 IN key) > 0
        OR position(convert_to($1, 'UTF8') IN answer) > 0""",
)
_SCAN_REJECTS: Final[LiteralString] = "UPDATE scan_reject SET input = $2 WHERE input ILIKE $1"
_INGEST_REJECTS: Final[LiteralString] = "UPDATE ingest_reject SET value = $2 WHERE value ILIKE $1"
#: who did what stays, to which lead does not
_AUDIT: Final[LiteralString] = """
    UPDATE audit_log SET target = replace(target, $1, $2)
    WHERE target = $1 OR starts_with(target, $1 || '/')
"""
_RULES: Final[LiteralString] = """
    UPDATE alert_rule SET domains = array_replace(domains, $1, $2) WHERE domains @> ARRAY[$1]
"""
#: a border between two stretches of a run: a little wider on either side does no harm
_SLICES: Final[LiteralString] = """
    UPDATE rejudge_slice SET
        position = CASE WHEN position = $1 THEN left(position, -1) ELSE position END,
        upto = CASE WHEN upto = $1 THEN left(upto, -1) || '~' ELSE upto END
    WHERE position = $1 OR upto = $1
"""


async def suppress(conn: Connection, domain: str, *, reason: str, caller: str) -> None:
    """Delete every row of a name and of those below it, and put it on the list; in a transaction.

    Jobs keep their counts: where a name stood a pseudonym stands, failed as suppressed. After the
    COMMIT nothing of the names is stored. Doing it twice is harmless. Raises InvalidInput when more
    than `BELOW_MAX` names below it are stored.
    """
    await conn.execute(_WAIT_ALONE)
    await conn.execute(_ADD, uuid7(), domain, reason, caller)
    names = [domain, *await _below(conn, domain)]
    pseudonyms = await among(conn, names)
    jobs = {
        name: [row["id"] for row in await conn.fetch(_JOBS, name, timeout=LONG_S)] for name in names
    }
    # in the order in which a commit locks: chunks, then leads
    for name in names:
        await conn.execute(_CHUNKS, name, pseudonyms[name], jobs[name], timeout=LONG_S)
    for name in names:
        await _forget(conn, name, pseudonyms[name], jobs[name])
    pattern = like_pattern(domain)
    for statement in (_SCAN_REJECTS, _INGEST_REJECTS):
        await conn.execute(statement, pattern, REDACTED, timeout=LONG_S)
    await audit.record(conn, "lead.suppressed", pseudonyms[domain])


async def _below(conn: Connection, domain: str) -> list[str]:
    pattern = like_pattern(f".{domain}").removesuffix("%")
    rows = await conn.fetch(_BELOW, pattern, BELOW_MAX + 1, timeout=LONG_S)
    if len(rows) > BELOW_MAX:
        raise InvalidInput(
            f"More than {BELOW_MAX} names below this one are stored, and would go with it.",
            errors=(("domain", "delete those first, or the companies below one by one"),),
        )
    return sorted(row["domain"] for row in rows)


async def _forget(conn: Connection, name: str, pseudonym: str, jobs: list[UUID]) -> None:
    await conn.fetchval(_LEAD, name)
    await conn.execute(_RESULTS, name, pseudonym, REASON, jobs, timeout=LONG_S)
    await alerts.forget(conn, name)
    for statement in _DELETES:
        await conn.execute(statement, name, timeout=LONG_S)
    await conn.execute(_AUDIT, name, pseudonym, timeout=LONG_S)
    await conn.execute(_RULES, name, pseudonym)
    await conn.execute(_SLICES, name)


_LIST: Final[LiteralString] = """
    SELECT id, reason, caller, created_at FROM suppression
    WHERE $1::uuid IS NULL OR id < $1
    ORDER BY id DESC LIMIT $2
"""


async def page(conn: Connection, after: str | None, limit: int) -> Page[Suppression]:
    """Suppressions, newest first."""
    (key,) = read_cursor("suppressions", after, UUID)
    rows = await conn.fetch(_LIST, key, limit + 1)
    items = [
        Suppression(str(row["id"]), row["reason"], row["caller"], row["created_at"])
        for row in rows[:limit]
    ]
    more = len(rows) > limit
    return Page(items, write_cursor("suppressions", items[-1].suppression_id) if more else None)


_FIND: Final[LiteralString] = """
    SELECT s.id, s.reason, s.caller, s.created_at
    FROM name_and_above($1) AS a(name) JOIN suppression s ON s.digest = suppression_digest(a.name)
    ORDER BY length(a.name) DESC LIMIT 1
"""


async def find(conn: Connection, domain: str) -> Suppression:
    """The suppression of a name, or of the closest above it. Raises NotFound."""
    row = await conn.fetchrow(_FIND, domain)
    if row is None:
        raise NotFound("this name is not suppressed")
    return Suppression(str(row["id"]), row["reason"], row["caller"], row["created_at"])


_LIFT: Final[LiteralString] = "DELETE FROM suppression WHERE id = $1 RETURNING id"


async def lift(conn: Connection, suppression_id: UUID) -> None:
    """Take a name off the list: it may be stored again. Raises NotFound."""
    if await conn.fetchval(_LIFT, suppression_id) is None:
        raise NotFound("no such suppression")
