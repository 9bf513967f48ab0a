"""What the chaos run calls a missing, a doubled and a changed message."""

from __future__ import annotations

import json
import random
import sys
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import aiohttp
import pytest

from hunter.store.database import Connection, Database
from tests.alerting import change, endpoint, lead, rule

sys.path.append(str(Path(__file__).parents[2] / "bench"))

from chaos_alerts import Alerts, Sink, Teller, audit_alerts, receiving
from chaos_cluster import Cluster

from hunter.store.deliveries import raise_alerts

BODY = b"a message"


async def _told(conn: Connection) -> tuple[list[UUID], dict[str, list[str]]]:
    """Two changes told at once and in a digest, and what the receiver got of them."""
    desk = await endpoint(conn)
    await rule(conn, desk)
    await rule(conn, desk, name="d", cadence="daily", digest_at=await conn.fetchval("SELECT now()"))
    ids = []
    for domain in ("a.example", "b.example"):
        await lead(conn, domain)
        ids.append(await change(conn, domain))
    await raise_alerts(conn, ids)
    rows = await conn.fetch(
        "UPDATE delivery SET state = 'done', ended_at = now(), body = $1 RETURNING id", BODY
    )
    return ids, {str(row["id"]): [sha256(BODY).hexdigest()] for row in rows}


async def test_what_was_told_once_and_taken_is_clean(db: Database) -> None:
    async with db.acquire() as conn:
        ids, taken = await _told(conn)
        found = await audit_alerts(conn, ids, taken)  # type: ignore[arg-type]  # a lent one

    assert found == Alerts(changes=2, messages=2)
    assert json.dumps(found.doubled) == "0"
    assert found.violations == 0


@pytest.mark.parametrize(
    ("harm", "name", "count"),
    [
        ("DELETE FROM delivery WHERE domain = 'a.example'", "missing", 1),
        ("DELETE FROM alert WHERE domain = 'a.example' AND NOT awaits_digest", "missing", 1),
        (("UPDATE alert SET awaits_digest = false, digest_day = '2026-01-01' WHERE awaits_digest "
         "AND domain = 'a.example'"), "missing", 1),
        (("ALTER TABLE delivery DROP CONSTRAINT delivery_event_once; INSERT INTO delivery (id, kind, "
         "rule_id, endpoint_id, change_id, domain, state, ended_at, body) SELECT gen_random_uuid(), "
         "kind, rule_id, endpoint_id, change_id, domain, state, ended_at, body FROM delivery "
         "WHERE domain = 'a.example'"), "doubled", 1),
        (("ALTER TABLE alert DROP CONSTRAINT alert_once; INSERT INTO alert (id, rule_id, change_id, "
         "domain, kind) SELECT gen_random_uuid(), rule_id, change_id, domain, kind FROM alert "
         "WHERE domain = 'a.example' AND NOT awaits_digest"), "doubled", 1),
        (("INSERT INTO alert (id, rule_id, change_id, domain, kind) SELECT gen_random_uuid(), "
         "rule_id, gen_random_uuid(), domain, kind FROM alert LIMIT 1"), "doubled", 1),
        ("UPDATE delivery SET state = 'ready', ended_at = NULL WHERE domain = 'a.example'", "open", 1),
        ("UPDATE delivery SET body = 'other' WHERE domain = 'a.example'", "other_text", 1),
    ],
    ids=["message gone", "alert gone", "digest gone", "message twice", "alert twice", "no change",
         "not delivered", "text changed"],
)  # fmt: skip
async def test_every_harm_to_the_tables_is_seen(
    db: Database, harm: str, name: str, count: int
) -> None:
    async with db.acquire() as conn:
        ids, taken = await _told(conn)
        await conn.execute(harm)
        found = await audit_alerts(conn, ids, taken)  # type: ignore[arg-type]  # a lent one

    assert getattr(found, name) == count
    assert found.violations >= count


async def test_what_only_one_side_knows_of_is_seen(db: Database) -> None:
    async with db.acquire() as conn:
        ids, taken = await _told(conn)
        first, second = sorted(taken)
        heard: dict[str, Any] = {second: taken[second] * 3, "unheard of": ["x"]}
        found = await audit_alerts(conn, ids, heard)  # type: ignore[arg-type]  # a lent one

    assert first not in heard
    assert (found.not_received, found.doubled, found.received_again) == (1, 1, 2)


async def test_a_message_is_refused_once_at_most_and_then_taken() -> None:
    async with receiving(random.Random(1)) as sink, aiohttp.ClientSession() as http:
        statuses: dict[str, list[int]] = {f"m{number}": [] for number in range(40)}
        for message, came in statuses.items():
            while not came or came[-1] == 503:
                headers = {"webhook-id": message}
                async with http.post(sink.url, data=BODY, headers=headers) as answer:
                    came.append(answer.status)

    assert {tuple(came) for came in statuses.values()} == {(200,), (503, 200)}
    assert {*sink.taken} == {*statuses}
    assert {tuple(bodies) for bodies in sink.taken.values()} == {(sha256(BODY).hexdigest(),)}


async def test_what_the_teller_tells_is_there_with_its_alerts(db: Database) -> None:
    sink = Sink(random.Random(1), url="http://127.0.0.1:9/hook")
    # its own way to the tables is the test's
    teller = Teller(cast("Cluster", SimpleNamespace(connection=db.acquire)), sink, random.Random(1))
    async with db.acquire() as conn:
        for number in range(3):
            await lead(conn, f"zz{number}.example")
    await teller.begin()
    await teller.tell()
    await teller.tell(digest=True)
    found = await teller.audit()

    assert (found.changes, found.messages) == (6, 6)
    assert (found.missing, found.doubled, found.open) == (0, 0, 6)
