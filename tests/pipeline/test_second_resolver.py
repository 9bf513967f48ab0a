"""A second resolver that is asked about what seems to have changed: it agrees, disagrees, or is silent."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from hunter.config import Config
from hunter.local.nameserver import NameServer
from hunter.queue.hints import Hints
from hunter.store import suppressions
from hunter.store.database import Connection, Database
from tests.pipeline.watched import Watched, companies, watching

#: enough for silence to count as the name server's own
MANY = 25
NAMES = [f"d{n}.example" for n in range(MANY)]
OLD, NEW = companies(MANY), companies(MANY, mx="aspmx.l.google.com.")
MOVED = "SELECT count(*) FROM lead WHERE provider = 'google_workspace'"
PENDING = "SELECT count(*) FROM lead WHERE pending IS NOT NULL"


@pytest.fixture
async def pair() -> AsyncIterator[tuple[NameServer, NameServer]]:
    """The name server that is asked, and the one that confirms."""
    async with NameServer(OLD) as first, NameServer(OLD) as second:
        yield first, second


@pytest.fixture
async def watched(
    db: Database, hints: Hints, config: Config, pair: tuple[NameServer, NameServer]
) -> AsyncIterator[Watched]:
    """Companies known from before, every one of which seems to have moved just now."""
    async with watching(db, hints, config, *pair) as opened:
        await opened.look(*NAMES)
        pair[0].replace(NEW)
        await opened.look(*NAMES)
        assert await opened.ask(PENDING) == MANY
        assert await opened.ask(MOVED) == 0
        yield opened


async def test_a_second_resolver_that_agrees_confirms_at_once(
    watched: Watched, pair: tuple[NameServer, NameServer]
) -> None:
    first, second = pair
    second.replace(NEW)
    before = first.total

    assert await watched.look_by_schedule() == 1

    assert await watched.ask(MOVED) == MANY
    assert await watched.ask(PENDING) == 0
    assert (await watched.told()).count("provider_changed") == MANY
    assert first.total == before, "only the second was asked"


async def test_a_second_resolver_that_disagrees_refutes(
    watched: Watched, pair: tuple[NameServer, NameServer]
) -> None:
    await watched.look_by_schedule()

    assert await watched.told() == []
    assert await watched.ask(PENDING) == 0, "the earlier answer came back"
    pair[0].replace(OLD)
    await watched.look(*NAMES)
    assert await watched.told() == []


async def test_a_silent_second_resolver_neither_confirms_nor_stands_in_the_way(
    watched: Watched, pair: tuple[NameServer, NameServer]
) -> None:
    pair[1].replace(companies(MANY, words=["timeout"]))

    await watched.look_by_schedule()
    assert await watched.told() == []
    assert await watched.ask(PENDING) == MANY
    assert await watched.ask("SELECT count(*) FROM lead WHERE next_scan_at <= now()") == 0, (
        "not asked again and again"
    )

    await watched.let_pass(11)
    await watched.look_by_schedule()
    assert await watched.ask(MOVED) == MANY
    assert (await watched.told()).count("provider_changed") == MANY
    assert "observation_failed" not in await watched.told()


async def test_of_a_company_deleted_before_the_second_look_nothing_is_told_or_kept(
    watched: Watched, pair: tuple[NameServer, NameServer]
) -> None:
    pair[1].replace(NEW)

    async def delete(conn: Connection) -> None:
        await suppressions.suppress(conn, NAMES[0], reason="asked for", caller="test")

    await watched.db.transact(delete)
    await watched.look_by_schedule()

    assert await watched.told(NAMES[0]) == []
    assert await watched.ask("SELECT count(*) FROM lead WHERE domain = $1", NAMES[0]) == 0
    assert await watched.ask(MOVED) == MANY - 1
