"""What other rules make of the same records, told apart from what other fact tables and other days do."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Sequence
from typing import Final

import structlog

from hunter.core.facts import Rules
from hunter.core.judge import judge
from hunter.core.judgement import Judgement
from hunter.knowledge.load import Knowledge, build_knowledge
from hunter.knowledge.problems import BadKnowledge
from hunter.store import changes, rejudge, rule_sets
from hunter.store.changes import FACT_TABLE_EFFECT, RECLASSIFIED, Change
from hunter.store.database import Connection
from hunter.store.rejudge import TOLD, Stored

log = structlog.get_logger()

#: earlier versions kept compiled at once, some 5 MiB each
_KEPT: Final = 4
_POLICY: Final = "rules"


class Before:
    """Earlier rules: the whole of them, and their policy over the fact tables of now."""

    def __init__(self, rules: Rules, mixed: Rules | None) -> None:
        self.rules = rules
        #: None where the two do not go together, or where only one of them is another
        self.mixed = mixed


class Archive:
    """Earlier rules by version, compiled out of the files that the store keeps."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], Before | None] = {}

    async def before(self, conn: Connection, version: str, now: Knowledge) -> Before | None:
        """The rules of `version`; None when their files were not kept or are no longer understood."""
        key = (version, now.version)
        if key not in self._found:
            texts = await rule_sets.texts(conn, version)
            found = await asyncio.to_thread(_compile, version, texts, now) if texts else None
            while len(self._found) >= _KEPT:
                del self._found[next(iter(self._found))]
            self._found[key] = found
        return self._found[key]

    async def tell(
        self, conn: Connection, domains: Sequence[str], now: Knowledge, as_of: dt.date
    ) -> None:
        """Keep what the rules of now make of stored leads, before a scan's judgement replaces theirs.

        What the scan has found is no part of it, and this is no part of what the scan has found.
        """
        told: list[Change] = []
        for each in await rejudge.standing(conn, domains):
            before = await self.before(conn, each.rules_version, now)
            told += effects(each, _judge(each, now.rules, as_of), before, now.rules, as_of)
        await changes.add(conn, told)


def _compile(version: str, texts: dict[str, str], now: Knowledge) -> Before | None:
    try:
        # a file that this build has and the earlier one had not is taken as it is now
        earlier = build_knowledge(now.texts | texts)
    except BadKnowledge as error:
        log.warning("earlier rules not understood", version=version, reason=str(error))
        return None
    same_policy = now.texts[_POLICY] == earlier.texts[_POLICY]
    same_facts = all(
        now.texts[name] == earlier.texts[name] for name in now.texts if name != _POLICY
    )
    if same_policy or same_facts:
        return Before(earlier.rules, now.rules if same_policy else None)
    try:
        mixed = build_knowledge(now.texts | {_POLICY: earlier.texts[_POLICY]})
    except BadKnowledge:  # the earlier policy speaks of what the tables no longer have
        return Before(earlier.rules, None)
    return Before(earlier.rules, mixed.rules)


def effects(
    stored: Stored, judgement: Judgement, before: Before | None, now: Rules, as_of: dt.date
) -> list[Change]:
    """The changes that other rules made of one lead: by fact tables, then by policy.

    Earlier and present rules judge the same records with the same history on the same day, so
    that decay, and what a scan has found meanwhile, is no part of the difference.
    """
    after = _told(judgement)
    if before is None:
        # on the day of the stored judgement, to leave decay out
        then = _told(_judge(stored, now, stored.judged_on or as_of))
        return _difference(stored, RECLASSIFIED, stored.told, then)
    first = _told(_judge(stored, before.rules, as_of))
    if before.mixed is None:
        return _difference(stored, RECLASSIFIED, first, after)
    middle = after if before.mixed is now else _told(_judge(stored, before.mixed, as_of))
    return [
        *_difference(stored, FACT_TABLE_EFFECT, first, middle),
        *_difference(stored, RECLASSIFIED, middle, after),
    ]


def _judge(stored: Stored, rules: Rules, as_of: dt.date) -> Judgement:
    standing = stored.standing
    assert standing.previous is not None  # noqa: S101  # only leads with an observation are read
    return judge(standing.previous, standing.history, rules, as_of, standing.registration)


def _told(judgement: Judgement) -> dict[str, object]:
    return {name: getattr(judgement, name) for name in TOLD}


def _difference(
    stored: Stored, kind: str, before: dict[str, object], after: dict[str, object]
) -> list[Change]:
    names = [name for name in TOLD if before[name] != after[name]]
    if not names:
        return []
    observation = stored.standing.observation_id
    return [
        Change(
            domain=stored.domain,
            kind=kind,
            before={name: before[name] for name in names},
            after={name: after[name] for name in names},
            observation_before=observation,
            observation_after=observation,
        )
    ]
