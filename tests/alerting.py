"""Leads, rules, endpoints and changes as tests of alerts need them in the database."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from hunter.core.channels import Kind
from hunter.store import changes, deliveries
from hunter.store.changes import Change
from hunter.store.database import Connection, Database
from hunter.store.identifiers import uuid7

#: as a receiver is given it, and the key in it
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

_DEFAULTS: dict[str, Any] = {
    "segment": "migration",
    "priority": 2,
    "score": 70,
    "provider": "google_workspace",
    "company_name": None,
    "tags": [],
}


async def lead(conn: Connection, domain: str, **fields: Any) -> None:
    """A judged lead."""
    values = _DEFAULTS | fields
    await conn.execute(
        """
        INSERT INTO lead (domain, display_name, search, segment, priority, score, fit, urgency,
            provider, company_name, tags, judgement, last_scanned_at, fingerprint)
        VALUES ($1, $1, $1, $2, $3, $4::int, least($4::int, 60), greatest($4::int - 60, 0), $5, $6,
            $7, '{}', now(), 'f')
        ON CONFLICT DO NOTHING
        """,
        domain,
        values["segment"],
        values["priority"],
        values["score"],
        values["provider"],
        values["company_name"],
        values["tags"],
    )


async def endpoint(
    conn: Connection, name: str = "desk", *, kind: str = "slack", address: str = "", **fields: Any
) -> UUID:
    """An endpoint whose address is kept unsealed, as development without a pepper does."""
    values: dict[str, Any] = {
        "id": uuid7(),
        "name": name,
        "kind": kind,
        "target": b"\x00" + address.encode(),
        "shown": address,
    } | fields
    await _insert(conn, "alert_endpoint", values)
    made: UUID = values["id"]
    return made


async def rule(conn: Connection, *endpoints: UUID, **fields: Any) -> UUID:
    """A rule that tells these endpoints."""
    values: dict[str, Any] = {"id": uuid7(), "name": "r", "kinds": list(Kind)} | fields
    await _insert(conn, "alert_rule", values)
    for each in endpoints:
        await conn.execute("INSERT INTO alert_rule_endpoint VALUES ($1, $2)", values["id"], each)
    made: UUID = values["id"]
    return made


async def _insert(conn: Connection, table: str, values: dict[str, Any]) -> None:
    places = ", ".join(f"${number}" for number in range(1, len(values) + 1))
    await conn.execute(
        f"INSERT INTO {table} ({', '.join(values)}) VALUES ({places})", *values.values()
    )


async def change(conn: Connection, domain: str, kind: str = "mx_changed", **sides: Any) -> UUID:
    """A change just written."""
    before = sides.get("before", {"mx": ["a"]})
    after = sides.get("after", {"mx": ["b"]})
    await changes.add(conn, [Change(domain, kind, before, after, None, None)])
    found: UUID = await conn.fetchval(
        "SELECT id FROM change WHERE domain = $1 ORDER BY sequence DESC LIMIT 1", domain
    )
    return found


async def happen(db: Database, domain: str, kind: str = "mx_changed", **sides: Any) -> UUID:
    """A change with its alerts, committed."""

    async def work(conn: Connection) -> UUID:
        await lead(conn, domain, **sides.pop("lead", {}))
        made = await change(conn, domain, kind, **sides)
        await deliveries.raise_alerts(conn, [made])
        return made

    return await db.transact(work)
