"""Random edits and outages through the real name server, scanner and database: what is told is what held."""

from __future__ import annotations

import json
import random

import pytest

from hunter.config import Config
from hunter.local.nameserver import NameServer
from hunter.queue.hints import Hints
from hunter.store import schedule
from hunter.store.database import Database
from tests.pipeline.watched import Watched, watching

COMPANIES, ROUNDS = 40, 14


class Company:
    """A company whose mail host is edited and whose name server fails, and what is to be told of it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.host = self.known = 0
        self.is_silent = False
        #: seen once, and how many minutes ago
        self.waiting: tuple[int, int] | None = None
        self.expected: list[int] = []

    @property
    def zone(self) -> str:
        """Its zone as it is now."""
        text = f"{self.name}. MX 10 mx{self.host}.{self.name}.\n{self.name}. NS ns.{self.name}.\n"
        text += "".join(f"mx{n}.{self.name}. A 192.0.2.1\n" for n in range(3))
        return text + (f";! {self.name}. MX servfail\n" if self.is_silent else "")

    def live(self, chance: random.Random) -> None:
        """Something happens to it, or nothing."""
        if chance.random() < 0.35:
            self.host = chance.randrange(3)
        self.is_silent = chance.random() < 0.2

    def look(self, minutes: int) -> None:
        """By the words of the rule alone: two agreeing looks, ten minutes apart."""
        if self.waiting is not None:
            self.waiting = (self.waiting[0], self.waiting[1] + minutes)
        if self.is_silent:
            return
        if self.host == self.known:
            self.waiting = None
        elif self.waiting is None or self.waiting[0] != self.host:
            self.waiting = (self.host, 0)
        elif self.waiting[1] >= 10:
            self.known, self.waiting = self.host, None
            self.expected.append(self.host)


async def _told(watched: Watched) -> dict[str, list[int]]:
    async with watched.db.acquire() as conn:
        rows = await conn.fetch(
            "SELECT domain, after FROM change WHERE kind = 'mx_changed' ORDER BY domain, sequence"
        )
    found: dict[str, list[int]] = {}
    for row in rows:
        host = json.loads(row["after"])["mx"][0].split()[1]
        found.setdefault(row["domain"], []).append(int(host[2]))
    return found


@pytest.mark.parametrize("seed", [1, 2])
async def test_what_is_told_is_what_held_until_it_was_confirmed(
    db: Database, hints: Hints, config: Config, seed: int
) -> None:
    chance = random.Random(seed)
    companies = [Company(f"d{n}.example") for n in range(COMPANIES)]
    names = [each.name for each in companies]
    async with (
        NameServer("".join(each.zone for each in companies), record=False) as server,
        watching(db, hints, config, server) as watched,
    ):
        await watched.look(*names)
        async with db.acquire() as conn:
            await schedule.release(conn, for_s=3600)  # so much moves here that it would be held
        for _ in range(ROUNDS):
            minutes = chance.choice([3, 4, 11, 11])
            for each in companies:
                each.live(chance)
                each.look(minutes)
            server.replace("".join(each.zone for each in companies))
            await watched.let_pass(minutes)
            await watched.look(*names)

        expected = {each.name: each.expected for each in companies if each.expected}
        assert await _told(watched) == expected
        assert sum(map(len, expected.values())) > 20, "it did happen"
