"""Changes matched by rules: exactly once, in the transaction of the change, whatever the rules say."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from functools import partial
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from hunter.core.changes import INTERNAL
from hunter.core.changes import Kind as AnyKind
from hunter.core.channels import Cadence, Channel, Kind, Outcome
from hunter.store import changes, deliveries, suppressions
from hunter.store.changes import Change
from hunter.store.database import BadData, Connection, Database
from hunter.store.deliveries import Raised
from tests.alerting import change, endpoint, lead, rule


class _UndoneError(Exception):
    """Takes what a case wrote away again: a database for each would take long."""


async def raised(db: Database, kind: str = "mx_changed", **case: Any) -> int:
    """How many alerts one change makes of one rule; nothing of it stays."""
    found = -1

    async def work(conn: Connection) -> None:
        nonlocal found
        domain = case.get("domain", "contoso.example")
        await lead(conn, domain, **case.get("lead", {}))
        await rule(conn, await endpoint(conn), **case.get("rule", {}))
        made = await change(conn, domain, kind, **case.get("change", {}))
        found = (await deliveries.raise_alerts(conn, [made])).alerts
        raise _UndoneError

    with suppress(_UndoneError):
        await db.transact(work)
    return found


async def test_a_change_is_one_alert_and_one_message_for_each_endpoint_of_a_rule(
    db: Database,
) -> None:
    async def work(conn: Connection) -> tuple[Raised, Raised]:
        await lead(conn, "contoso.example")
        first, second = await endpoint(conn, "first"), await endpoint(conn, "second")
        await rule(conn, first, second)
        await rule(conn, second)
        made = await change(conn, "contoso.example")
        return (
            await deliveries.raise_alerts(conn, [made]),
            await deliveries.raise_alerts(conn, [made]),
        )

    once, again = await db.transact(work)

    assert once == Raised(alerts=2, deliveries=3)
    assert again == Raised(alerts=0, deliveries=0)


async def test_a_transaction_that_fails_leaves_neither_change_nor_message(db: Database) -> None:
    async def work(conn: Connection) -> None:
        await lead(conn, "contoso.example")
        await rule(conn, await endpoint(conn))
        made = await change(conn, "contoso.example")
        assert (await deliveries.raise_alerts(conn, [made])).deliveries == 1
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await db.transact(work)

    async with db.acquire() as conn:
        assert await conn.fetchval("SELECT count(*) FROM delivery") == 0
        assert await conn.fetchval("SELECT count(*) FROM alert_event") == 0
        assert await conn.fetchval("SELECT count(*) FROM change") == 0


FILTERS: list[tuple[str, dict[str, Any], int]] = [
    ("kind", {"kinds": ["mx_changed"]}, 1),
    ("another kind", {"kinds": ["spf_changed"]}, 0),
    ("segment", {"segments": ["cold", "migration"]}, 1),
    ("another segment", {"segments": ["existing"]}, 0),
    ("provider", {"providers": ["google_workspace"]}, 1),
    ("another provider", {"providers": ["microsoft365"]}, 0),
    ("score reached", {"min_score": 70}, 1),
    ("score not reached", {"min_score": 71}, 0),
    ("priority", {"lowest_priority": 2}, 1),
    ("priority too low", {"lowest_priority": 1}, 0),
    ("domain", {"domains": ["contoso.com.tr"]}, 1),
    ("another domain", {"domains": ["fabrikam.com.tr"]}, 0),
    ("market", {"markets": ["tr"]}, 1),
    ("another market", {"markets": ["de", "global"]}, 0),
    ("switched off", {"is_enabled": False}, 0),
    ("all filters count", {"segments": ["migration"], "min_score": 90}, 0),
]


async def test_a_rule_matches_by_its_filters(db: Database) -> None:
    found = {
        told: await raised(db, domain="contoso.com.tr", rule=fields) for told, fields, _ in FILTERS
    }

    assert found == {told: wanted for told, _, wanted in FILTERS}


async def test_a_rule_matches_by_tags_of_which_one_is_enough(db: Database) -> None:
    async def found(tags: list[str], wanted: list[str]) -> int:
        return await raised(db, lead={"tags": tags}, rule={"tags": wanted})

    assert await found(["key-account", "izmir"], ["izmir", "ankara"]) == 1
    assert await found(["key-account"], ["izmir", "ankara"]) == 0
    assert await found([], ["izmir"]) == 0
    assert await found(["Izmir"], ["izmir"]) == 0, "tags are told apart by case"


async def test_names_under_no_country_are_of_the_global_market(db: Database) -> None:
    assert await raised(db, domain="contoso.com", rule={"markets": ["global"]}) == 1


async def test_a_filter_by_provider_holds_for_the_one_that_is_left(db: Database) -> None:
    moved = {"before": {"provider": "yandex"}, "after": {"provider": "google_workspace"}}

    assert await raised(db, "provider_changed", rule={"providers": ["yandex"]}, change=moved) == 1


SCORES: dict[tuple[object, int], int] = {
    (50, 59): 0,
    (50, 60): 1,
    (60, 50): 1,
    (50, 41): 0,
    (None, 5): 1,
    ("much", 5): 1,
}


async def test_a_score_notifies_from_ten_points(db: Database) -> None:
    found = {}
    for before, after in SCORES:
        sides = {"before": {"score": before}, "after": {"score": after}}
        found[before, after] = await raised(db, "score_changed", change=sides)

    assert found == SCORES


async def test_what_rules_or_an_outage_did_notifies_nobody(db: Database) -> None:
    silent = ("reclassified", "fact_table_effect", "observation_failed", "scan_health_degraded")

    assert {kind: await raised(db, kind) for kind in silent} == dict.fromkeys(silent, 0)
    for kind in silent:
        with pytest.raises(BadData, match="kinds_notify"):
            await db.transact(partial(rule, kinds=[kind]))


async def test_a_daily_rule_has_alerts_and_no_message_yet(db: Database) -> None:
    async def work(conn: Connection) -> Raised:
        await lead(conn, "contoso.example")
        at = await conn.fetchval("SELECT now()")
        await rule(conn, await endpoint(conn), cadence="daily", digest_at=at)
        return await deliveries.raise_alerts(conn, [await change(conn, "contoso.example")])

    assert await db.transact(work) == Raised(alerts=1, deliveries=0)


async def test_later_changes_of_a_domain_have_greater_sequences(db: Database) -> None:
    async def work(conn: Connection) -> list[int]:
        await lead(conn, "contoso.example")
        await rule(conn, await endpoint(conn))
        made = [await change(conn, "contoso.example") for _ in range(3)]
        await deliveries.raise_alerts(conn, made)
        rows = await conn.fetch(
            "SELECT sequence FROM alert_event ORDER BY array_position($1::uuid[], change_id)", made
        )
        return [row["sequence"] for row in rows]

    sequences = await db.transact(work)

    assert sequences == sorted(set(sequences))
    assert len(sequences) == 3


async def test_what_is_told_has_no_contacts_or_notes(db: Database) -> None:
    async def work(conn: Connection) -> str:
        await lead(conn, "contoso.example")
        await conn.execute("UPDATE lead SET notes = 'call Ayşe, 0555'")
        await rule(conn, await endpoint(conn))
        await deliveries.raise_alerts(conn, [await change(conn, "contoso.example")])
        told: str = await conn.fetchval("SELECT content::text FROM alert_event")
        return told

    told = await db.transact(work)

    assert "0555" not in told
    assert '"before": {"mx": ["a"]}' in told


async def test_ids_made_by_a_statement_are_version_7_and_of_this_moment(db: Database) -> None:
    async with db.acquire() as conn:
        made = await conn.fetchval("SELECT hunter_uuid7()")
    now_ms = time.time() * 1000

    assert (made.version, made.variant) == (7, "specified in RFC 4122")
    assert abs((made.int >> 80) - now_ms) < 10_000


async def test_two_transactions_with_the_same_change_make_one_message(db: Database) -> None:
    async def prepare(conn: Connection) -> UUID:
        await lead(conn, "contoso.example")
        await rule(conn, await endpoint(conn))
        return await change(conn, "contoso.example")

    made = await db.transact(prepare)

    async def work(conn: Connection) -> Raised:
        return await deliveries.raise_alerts(conn, [made])

    outcomes = await asyncio.gather(*(db.transact(work) for _ in range(4)))

    assert sum(each.alerts for each in outcomes) == 1
    assert sum(each.deliveries for each in outcomes) == 1


async def many(conn: Connection, *, rules: int, leads: int, each: int) -> list[UUID]:
    """Changes just written of leads, and rules that want all or, of each lead, their part."""
    target = await endpoint(conn)
    for number in range(leads):
        await lead(conn, f"d{number}.example")
    await conn.execute(
        """
        INSERT INTO alert_rule (id, name, kinds, domains)
        SELECT hunter_uuid7(), 'r', $1,
            CASE WHEN $3 > 1 THEN ARRAY['d' || n % $3 || '.example'] END
        FROM generate_series(1, $2) n
        """,
        list(Kind),
        rules,
        leads,
    )
    await conn.execute("INSERT INTO alert_rule_endpoint SELECT id, $1 FROM alert_rule", target)
    told = [
        Change(f"d{n}.example", "mx_changed", {"mx": round_}, {"mx": round_ + 1}, None, None)
        for n in range(leads)
        for round_ in range(each)
    ]
    return [written.id for written in await changes.add(conn, told)]


async def raise_what_is_left(db: Database) -> list[Raised]:
    """What came of each transaction until nothing was left."""
    found = []
    while (raised := await db.transact(deliveries.raise_left)) is not None:
        found.append(raised)
    return found


async def test_changes_too_many_for_their_commit_are_matched_with_each_rule_once(
    db: Database,
) -> None:
    """Each rule wants one domain of a hundred, so that five hundred rules match two changes each."""

    async def work(conn: Connection) -> Raised:
        made = await many(conn, rules=500, leads=100, each=2)
        return await deliveries.raise_alerts(conn, made)

    at_once = await db.transact(work, deadline_s=30)
    # two processes at it
    left, too = await asyncio.gather(raise_what_is_left(db), raise_what_is_left(db))

    raised = [at_once, *left, *too]
    assert sum(each.alerts for each in raised) == 1000
    assert sum(each.deliveries for each in raised) == 1000
    assert max(each.alerts + each.deliveries for each in raised) <= deliveries.ROWS_AT_ONCE
    async with db.acquire() as conn:
        pairs = "SELECT count(DISTINCT (rule_id, change_id)) FROM delivery"
        assert await conn.fetchval(pairs) == 1000


async def test_a_commit_of_ten_thousand_changes_that_a_thousand_rules_want_is_cut_short(
    db: Database,
) -> None:
    async def work(conn: Connection) -> Raised:
        made = await many(conn, rules=1000, leads=1, each=10_000)
        return await deliveries.raise_alerts(conn, made)

    at_once = await db.transact(work, deadline_s=30)
    later = await db.transact(deliveries.raise_left, deadline_s=30)

    assert at_once == later
    assert at_once.alerts + at_once.deliveries == deliveries.ROWS_AT_ONCE
    async with db.acquire() as conn:
        told = await conn.fetchval("SELECT count(DISTINCT change_id) FROM alert")
        left = await conn.fetchval("SELECT count(*) FROM unraised_change")
    assert (told, told + left) == (20, 10_000), "each is told or noted"


async def test_what_is_left_is_neither_told_by_rules_made_since_nor_of_domains_deleted_since(
    db: Database,
) -> None:
    async def work(conn: Connection) -> None:
        made = await many(conn, rules=1, leads=2, each=1)
        await conn.execute("UPDATE alert_rule SET domains = NULL")
        await conn.execute("INSERT INTO unraised_change SELECT unnest($1::uuid[])", made)

    async def later(conn: Connection) -> None:
        await rule(conn, await endpoint(conn, "new"))
        await suppressions.suppress(conn, "d1.example", reason="asked for", caller="test")

    await db.transact(work)
    await db.transact(later)

    assert await raise_what_is_left(db) == [Raised(alerts=1, deliveries=1)]


async def test_the_closed_sets_of_the_schema_are_those_of_the_code(db: Database) -> None:
    async with db.acquire() as conn:
        rows = await conn.fetch(
            "SELECT conname, pg_get_constraintdef(oid) AS told FROM pg_constraint WHERE contype = 'c'"
        )
    told = {row["conname"]: row["told"] for row in rows}

    def known(constraint: str) -> set[str]:
        return {part for part in told[constraint].split("'")[1::2] if part}

    assert known("alert_endpoint_kind_known") == set(Channel)
    assert known("alert_rule_cadence_known") == set(Cadence)
    assert known("alert_rule_kinds_notify") == set(Kind)
    assert {*Kind} == {*AnyKind} - INTERNAL
    assert known("delivery_attempt_outcome_known") == set(Outcome)
    assert known("delivery_error_known") == {*Outcome} - {"ok"} | {"expired", "rule_deleted"}


async def test_an_endpoint_in_use_cannot_be_deleted(db: Database) -> None:
    async def prepare(conn: Connection) -> None:
        await rule(conn, await endpoint(conn))

    await db.transact(prepare)

    async with db.acquire() as conn:
        with pytest.raises(asyncpg.ForeignKeyViolationError):
            await conn.execute("DELETE FROM alert_endpoint")
