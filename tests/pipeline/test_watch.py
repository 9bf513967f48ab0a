"""A company watched through a scripted zone: what is believed, what is told, and what is not."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from hunter.config import Config
from hunter.core.answers import Depth
from hunter.core.schedule import Watch
from hunter.knowledge.load import load_knowledge
from hunter.local.nameserver import NameServer
from hunter.ops.metrics import Metrics
from hunter.pipeline.accept import Line, accept_scan
from hunter.pipeline.scan import Scanner
from hunter.queue.hints import Hints
from hunter.resolver.opening import open_engine
from hunter.resolver.tuning import Tuning
from hunter.store.database import Database
from hunter.store.identifiers import uuid7
from tests.alerting import endpoint, rule

QUICK = Tuning(timeouts_s=(0.05, 0.05, 0.05), tick_s=0.01, tcp_timeout_s=0.2, sockets_min=4)
OWN = "a.example. MX 10 mx.a.example.\na.example. NS ns.a.example.\nmx.a.example. A 192.0.2.1\n"
OWN += 'a.example. TXT "v=spf1 mx -all"\n_dmarc.a.example. TXT "v=DMARC1; p=reject"\n'
GOOGLE = OWN.replace("MX 10 mx.a.example", "MX 10 aspmx.l.google.com")
#: changes by their kinds that customers may hear of
TOLD = "SELECT kind FROM change WHERE kind <> 'observation_failed' ORDER BY domain, sequence"

Look = Callable[..., Awaitable[None]]


@pytest.fixture
async def server() -> AsyncIterator[NameServer]:
    async with NameServer(OWN, record=False) as opened:
        yield opened


@pytest.fixture
async def scanner(
    db: Database, hints: Hints, config: Config, server: NameServer
) -> AsyncIterator[Scanner]:
    """A worker's scanner that asks the scripted server."""
    settings = dataclasses.replace(config, dns_servers=(server.address,))
    async with open_engine(settings, tuning=QUICK) as engine:
        yield Scanner(
            db, hints, engine, load_knowledge(), Metrics(), worker_id=uuid7(), lease_s=20,
            watch=Watch(),
        )  # fmt: skip


@pytest.fixture
def look(db: Database, hints: Hints, scanner: Scanner, server: NameServer) -> Look:
    """Scan names by a zone; `later` lets the wait for a second look pass before."""

    async def scan(zone: str, *names: str, later: bool = False) -> None:
        server.replace(zone)
        if later:
            await _let_time_pass(db)
        lines = [Line(number, name) for number, name in enumerate(names or ["a.example"], 1)]
        await accept_scan(db, hints, lines, lane="bulk", depth=Depth.QUICK, allow_test_names=True)
        while await scanner.take_next("bulk"):
            pass

    return scan


async def _let_time_pass(db: Database) -> None:
    """As if what waits had been seen eleven minutes earlier."""
    async with db.acquire() as conn:
        rows = await conn.fetch("SELECT domain, pending FROM lead WHERE pending IS NOT NULL")
        for row in rows:
            await conn.execute(
                "UPDATE lead SET pending = (SELECT jsonb_object_agg(key, value || jsonb_build_object("
                "'since', to_char((value->>'since')::timestamptz - interval '11 minutes', "
                "'YYYY-MM-DD\"T\"HH24:MI:SS.USTZH:TZM'))) FROM jsonb_each(pending)) WHERE domain = $1",
                row["domain"],
            )


async def _ask(db: Database, query: str) -> Any:
    async with db.acquire() as conn:
        return await conn.fetchval(query)


async def _kinds(db: Database, query: str = TOLD) -> list[str]:
    async with db.acquire() as conn:
        return [row["kind"] for row in await conn.fetch(query)]


async def test_a_move_is_told_once_and_only_when_a_second_look_agrees(
    db: Database, look: Look
) -> None:
    await look(OWN)
    await look(GOOGLE)
    assert await _ask(db, "SELECT count(*) FROM change") == 0
    assert await _ask(db, "SELECT provider FROM lead") == "self_hosted"
    assert await _ask(
        db,
        "SELECT pending ? 'a.example MX' AND pending_fingerprint <> fingerprint AND "
        "next_scan_at - last_scanned_at = interval '10 minutes' FROM lead",
    )
    assert (
        await _ask(
            db, "SELECT judgement->>'provider' FROM scan_result ORDER BY job_id DESC LIMIT 1"
        )
        == "google_workspace"
    ), "a result says what its scan saw"

    await look(GOOGLE)
    assert await _ask(db, "SELECT count(*) FROM change") == 0, "too soon"
    await look(GOOGLE, later=True)
    await look(GOOGLE, later=True)

    assert "provider_changed" in await _kinds(db)
    assert (await _kinds(db)).count("provider_changed") == 1
    assert await _ask(db, "SELECT provider FROM lead") == "google_workspace"
    assert await _ask(db, "SELECT count(*) FROM observation") == 2
    assert await _ask(
        db, "SELECT pending IS NULL AND next_scan_at > now() + interval '20 hours' FROM lead"
    )
    assert await _ask(
        db,
        "SELECT array_agg(sequence ORDER BY sequence) = "
        "(SELECT array_agg(n) FROM generate_series(1, max(sequence)) n) FROM change GROUP BY domain",
    )


async def test_a_move_taken_back_before_the_second_look_was_none(db: Database, look: Look) -> None:
    await look(OWN)
    await look(GOOGLE)
    await look(OWN, later=True)
    await look(OWN, later=True)

    assert await _ask(db, "SELECT count(*) FROM change") == 0
    assert await _ask(db, "SELECT count(*) FROM observation") == 1
    assert await _ask(db, "SELECT pending IS NULL FROM lead")
    receivers = "SELECT array_agg(k) FROM lead, jsonb_object_keys(seen) k WHERE k LIKE 'mx:%'"
    assert await _ask(db, receivers) == ["mx:a.example"], "no dated event either"


async def test_a_domain_that_is_said_not_to_exist_stays_what_it_was(
    db: Database, look: Look
) -> None:
    await look(OWN)
    await look("b.example. A 192.0.2.1\n")

    assert await _ask(db, "SELECT segment FROM lead WHERE domain = 'a.example'") != "skip"
    assert await _kinds(db) == []

    await look("b.example. A 192.0.2.1\n", later=True)
    assert await _kinds(db) == ["domain_gone"]
    assert await _ask(db, "SELECT segment FROM lead WHERE domain = 'a.example'") == "skip"


async def test_an_outage_is_noted_once_and_changes_nothing(db: Database, look: Look) -> None:
    await look(OWN)
    for _ in range(3):
        await look(f"{OWN};! a.example. MX servfail\n", later=True)

    assert await _kinds(db) == []
    assert await _kinds(db, "SELECT kind FROM change") == ["observation_failed"]
    assert await _ask(db, "SELECT judgement->'mx'->>'stale_since' <> '' FROM lead")


async def test_silence_while_a_change_waits_does_not_confirm_it(db: Database, look: Look) -> None:
    await look(OWN)
    await look(GOOGLE)
    await look(f"{GOOGLE};! a.example. MX servfail\n", later=True)
    assert await _kinds(db) == []
    assert await _ask(db, "SELECT pending ? 'a.example MX' FROM lead")

    await look(GOOGLE)

    assert "provider_changed" in await _kinds(db)


async def test_of_a_commit_that_came_to_nothing_no_alert_is_kept_to_be_told(
    db: Database, look: Look, scanner: Scanner
) -> None:
    async with db.acquire() as conn:
        await rule(conn, await endpoint(conn), kinds=["provider_changed"])
    await look(OWN)
    await look(GOOGLE)
    # the last statement of a commit, after its alerts were written
    refuse = """
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = 'XX000'; END $$;
        CREATE TRIGGER refuse BEFORE UPDATE ON scan_chunk FOR EACH ROW
            WHEN (NEW.state = 'done') EXECUTE FUNCTION refuse();
    """
    async with db.acquire() as conn:
        await conn.execute(refuse)
    try:
        await look(GOOGLE, later=True)
    finally:
        async with db.acquire() as conn:
            await conn.execute("DROP TRIGGER refuse ON scan_chunk; DROP FUNCTION refuse")

    assert await _ask(db, "SELECT count(*) FROM change") == 0
    assert await _ask(db, "SELECT reason FROM scan_chunk WHERE failures = 1")
    assert not scanner._alarm._raised  # what is never told is seen nowhere else
