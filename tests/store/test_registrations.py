"""Registration data in the database: wanted, taken by one, kept, and never lost to a failure."""

from __future__ import annotations

import datetime as dt

import asyncpg
import pytest

from hunter.core.registration import Registration, RegistrationState
from hunter.store import judged, registrations
from hunter.store.database import Connection, Database
from hunter.store.registrations import Due

FOUND = Registration(
    "contoso.com",
    RegistrationState.REGISTERED,
    registrar="Natro",
    created=dt.date(1997, 8, 4),
    expires=dt.date(2027, 8, 3),
    statuses=("active", "client transfer prohibited"),
    delegation_signed=True,
    source="rdap",
    server="rdap.test",
    observed_at="2026-11-24T04:00:00+00:00",
)
NAMES = ["contoso.com", "fabrikam.com", "firma.com.tr"]


async def _leads(conn: Connection, *names: str) -> None:
    await judged.insert_missing(conn, names, names, names)


async def _take(conn: Connection, *busy: str, limit: int = 10) -> list[str]:
    taken = await registrations.take(conn, limit=limit, busy=busy, lease_s=600)
    return sorted(due.domain for due in taken)


async def test_what_is_wanted_is_taken_once(db: Database) -> None:
    async with db.acquire() as conn:
        await _leads(conn, *NAMES)
        await registrations.want(conn, NAMES)
        await registrations.want(conn, NAMES)

        assert await _take(conn, limit=1) != []
        assert len(await _take(conn)) == 2
        assert await _take(conn) == []


async def test_a_busy_registry_gets_no_more(db: Database) -> None:
    async with db.acquire() as conn:
        await _leads(conn, *NAMES)
        await registrations.want(conn, NAMES)

        assert await _take(conn, "com") == ["firma.com.tr"]
        assert await _take(conn, "tr", "de") == ["contoso.com", "fabrikam.com"]


async def test_two_workers_never_take_the_same(db: Database) -> None:
    async with db.acquire() as one, db.acquire() as other:
        await _leads(one, *NAMES)
        await registrations.want(one, NAMES)
        async with one.transaction(), other.transaction():
            first = await _take(one, limit=2)
            second = await _take(other)

    assert sorted(first + second) == NAMES


async def test_an_answer_is_kept_and_not_asked_for_again_while_it_is_fresh(db: Database) -> None:
    async with db.acquire() as conn:
        await _leads(conn, "contoso.com")
        await registrations.want(conn, ["contoso.com"])
        assert await registrations.get(conn, "contoso.com") == Registration(
            "contoso.com", RegistrationState.UNKNOWN, reason="Not asked yet."
        )
        await _take(conn)
        await registrations.settle(conn, FOUND, fresh_s=3600)

        assert await registrations.get(conn, "contoso.com") == FOUND
        await registrations.want(conn, ["contoso.com"])
        assert await _take(conn) == []
        # no longer fresh, but nobody wants it
        await registrations.settle(conn, FOUND, fresh_s=-1)
        assert await _take(conn) == []
        await registrations.want(conn, ["contoso.com"])
        assert await _take(conn) == ["contoso.com"]


async def test_a_failure_loses_nothing_that_was_known(db: Database) -> None:
    async with db.acquire() as conn:
        await _leads(conn, "contoso.com")
        await registrations.want(conn, ["contoso.com"])
        await registrations.settle(conn, FOUND, fresh_s=-1)
        await registrations.want(conn, ["contoso.com"])
        await registrations.fail(conn, "contoso.com", "HTTP 500", again_s=-1)

        found = await registrations.get(conn, "contoso.com")
        again = await registrations.take(conn, limit=1, busy=[], lease_s=600)

    assert found is not None
    assert (found.state, found.expires) == (FOUND.state, FOUND.expires)
    assert (found.observed_at, found.reason) == (FOUND.observed_at, "HTTP 500")
    assert again == [Due("contoso.com", failures=1)]


async def test_a_name_without_a_registry_to_ask_is_not_tried_again(db: Database) -> None:
    async with db.acquire() as conn:
        await _leads(conn, "contoso.de")
        await registrations.want(conn, ["contoso.de"])
        await registrations.fail(conn, "contoso.de", "no service", again_s=3600, is_wanted=False)
        await registrations.want(conn, ["contoso.de"])

        assert await _take(conn) == []
        found = await registrations.get(conn, "contoso.de")
    assert found is not None
    assert (found.state, found.reason) == (RegistrationState.UNKNOWN, "no service")


async def test_registration_data_go_with_their_lead(db: Database) -> None:
    async with db.acquire() as conn:
        await _leads(conn, "contoso.com")
        await registrations.want(conn, ["contoso.com"])
        await conn.execute("DELETE FROM lead WHERE domain = 'contoso.com'")

        assert await registrations.get(conn, "contoso.com") is None
        with pytest.raises(asyncpg.ForeignKeyViolationError, match="registration_lead"):
            await registrations.want(conn, ["contoso.com"])


async def test_a_domain_that_is_not_registered_has_no_days(db: Database) -> None:
    async with db.acquire() as conn:
        await _leads(conn, "contoso.com")
        await registrations.want(conn, ["contoso.com"])
        gone = Registration(
            "contoso.com",
            RegistrationState.UNREGISTERED,
            source="rdap",
            server="rdap.test",
            observed_at="2026-11-24T04:00:00+00:00",
        )
        await registrations.settle(conn, FOUND, fresh_s=1)
        await registrations.settle(conn, gone, fresh_s=1)

        assert await registrations.get(conn, "contoso.com") == gone


async def test_what_a_registry_said_is_at_hand_when_the_lead_is_judged(db: Database) -> None:
    async with db.acquire() as conn, conn.transaction():
        await _leads(conn, "contoso.com", "fabrikam.com", "plain.com")
        await registrations.want(conn, ["contoso.com", "fabrikam.com"])
        await registrations.settle(conn, FOUND, fresh_s=1)

        standings = await judged.lock(conn, ["contoso.com", "fabrikam.com", "plain.com"])

    assert standings["contoso.com"].registration == FOUND
    assert standings["fabrikam.com"].registration is None
    assert standings["plain.com"] == judged.NOTHING
