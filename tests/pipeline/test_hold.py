"""A name server that lies about everybody, or is out for everybody: nothing is believed, an operator is told once."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from hunter.config import Config
from hunter.local.nameserver import NameServer
from hunter.queue.hints import Hints
from hunter.store import schedule
from hunter.store.database import Database
from tests.pipeline.watched import Watched, companies, watching

#: a share of fewer says nothing
MANY = 210
NAMES = [f"d{n}.example" for n in range(MANY)]
TRUTH, LIE = companies(MANY), companies(MANY, mx="aspmx.l.google.com.")
MOVED = "SELECT count(*) FROM lead WHERE provider = 'google_workspace'"
PENDING = "SELECT count(*) FROM lead WHERE pending IS NOT NULL"
HELD = "SELECT held_at IS NOT NULL FROM schedule"
ALARM = ["scan_health_degraded"]


@pytest.fixture
async def resolvers() -> AsyncIterator[tuple[NameServer, NameServer]]:
    """The name server that is asked, and another one that knows the same."""
    async with (
        NameServer(TRUTH, record=False) as first,
        NameServer(TRUTH, record=False) as second,
    ):
        yield first, second


@pytest.fixture
async def watched(
    db: Database, hints: Hints, config: Config, resolvers: tuple[NameServer, NameServer]
) -> AsyncIterator[Watched]:
    """Companies known from before."""
    async with watching(db, hints, config, resolvers[0]) as opened:
        await opened.look(*NAMES)
        yield opened


async def test_a_lie_about_everybody_changes_nothing_and_is_told_an_operator_once(
    watched: Watched, resolvers: tuple[NameServer, NameServer]
) -> None:
    resolvers[0].replace(LIE)
    await watched.look(*NAMES)
    await watched.dispatcher.weigh()
    await watched.dispatcher.weigh()
    assert await watched.ask(HELD)
    assert await watched.told() == ALARM

    for _ in range(2):
        await watched.let_pass(11)
        assert await watched.look_by_schedule() > 0
        await watched.dispatcher.weigh()
    assert await watched.told() == ALARM
    assert await watched.ask(MOVED) == 0
    assert await watched.ask(PENDING) == MANY

    resolvers[0].replace(TRUTH)
    await watched.let_pass(11)
    await watched.look_by_schedule()
    assert await watched.ask(PENDING) == 0
    await watched.ask("UPDATE scan_chunk SET done_at = done_at - interval '1 hour' RETURNING 1")
    await watched.look(*NAMES)
    await watched.dispatcher.weigh()
    assert not await watched.ask(HELD), "what is seen is the world's again"
    assert await watched.told() == ALARM


async def test_what_an_operator_releases_is_believed(
    watched: Watched, resolvers: tuple[NameServer, NameServer]
) -> None:
    resolvers[0].replace(LIE)
    await watched.look(*NAMES)
    await watched.dispatcher.weigh()
    await watched.let_pass(11)
    await watched.look_by_schedule()
    assert await watched.ask(MOVED) == 0

    async with watched.db.acquire() as conn:
        await schedule.release(conn, for_s=3600)
    await watched.dispatcher.weigh()
    await watched.let_pass(11)
    await watched.look_by_schedule()

    assert await watched.ask(MOVED) == MANY
    kinds = await watched.told()
    assert kinds.count("provider_changed") == MANY
    assert kinds.count("scan_health_degraded") == 1


async def test_a_lie_that_is_confirmed_at_once_is_held_before_anybody_has_weighed_it(
    db: Database, hints: Hints, config: Config, resolvers: tuple[NameServer, NameServer]
) -> None:
    async with watching(db, hints, config, *resolvers) as watched:
        await watched.look(*NAMES)
        for each in resolvers:
            each.replace(LIE)
        await watched.look(*NAMES)
        await watched.look_by_schedule()

        assert await watched.ask(MOVED) == 0
        assert await watched.ask(PENDING) == MANY
        await watched.dispatcher.weigh()
        assert await watched.told() == ALARM


async def test_an_outage_for_everybody_changes_nothing_at_all(
    watched: Watched, resolvers: tuple[NameServer, NameServer]
) -> None:
    everything = "SELECT md5(string_agg(l::text, '' ORDER BY domain)) FROM lead l"
    before = await watched.ask(everything)
    results = await watched.ask("SELECT count(*) FROM scan_result")
    resolvers[0].replace(companies(MANY, words=["timeout"]))

    await watched.look(*NAMES)
    await watched.dispatcher.weigh()

    assert await watched.told() == []
    assert await watched.ask(everything) == before, "silence of a name server is nobody's news"
    assert await watched.ask("SELECT count(*) FROM scan_result") == results


async def test_an_outage_that_answers_is_told_an_operator_once_and_changes_no_company(
    watched: Watched, resolvers: tuple[NameServer, NameServer]
) -> None:
    """A resolver without a way out says SERVFAIL to everything: that much is heard."""
    believed = (
        "SELECT md5(string_agg(concat_ws(' ', domain, provider, segment, dmarc_policy), ',' "
        "ORDER BY domain)) FROM lead"
    )
    before = await watched.ask(believed)
    resolvers[0].replace(companies(MANY, words=["servfail"]))

    for _ in range(2):
        await watched.look(*NAMES)
        await watched.dispatcher.weigh()

    assert await watched.ask(believed) == before
    assert await watched.ask(PENDING) == 0
    assert set(await watched.told()) == {"observation_failed", "scan_health_degraded"}
    assert (await watched.told()).count("scan_health_degraded") == 1
    assert (await watched.told()).count("observation_failed") == MANY
