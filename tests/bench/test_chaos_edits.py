"""What the chaos run calls a missing, a doubled and an untrue change, and what it edits."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

import pytest

from hunter.local.zone import Zone
from hunter.store.database import Database
from tests.alerting import change

sys.path.append(str(Path(__file__).parents[2] / "bench"))

from chaos_edits import KINDS, Edited, audit_edits, kind_of, name_of, zone_of

HELD = {name_of(0), name_of(1), name_of(2)}
BACK = {name_of(number) for number in range(3, 9)}
RIGHT = [(domain, kind_of(domain)) for domain in sorted(HELD)]


async def _audited(
    db: Database, rows: Sequence[tuple[str, str]], *, told: Sequence[tuple[str, str]] = ()
) -> Edited:
    async with db.acquire() as conn:
        for domain, kind in rows:
            await change(conn, domain, kind=kind)
        ids: list[UUID] = [await change(conn, domain, kind=kind) for domain, kind in told]
        return await audit_edits(conn, HELD, BACK, ids)  # type: ignore[arg-type]  # a lent one


async def test_one_change_for_each_edit_that_held_is_clean(db: Database) -> None:
    rows = [*RIGHT, (name_of(0), "score_changed"), ("x.example", "observation_failed")]
    found = await _audited(db, rows, told=[("y.example", "mx_changed")])

    assert (found.held, found.taken_back, len(found.wanted)) == (3, 6, 3)
    assert (found.violations, found.told) == (0, [])


@pytest.mark.parametrize(
    ("rows", "name"),
    [
        (RIGHT[1:], "missing"),
        ([*RIGHT, RIGHT[0]], "doubled"),
        ([*RIGHT, (name_of(0), "score_changed"), (name_of(0), "score_changed")], "doubled"),
        ([*RIGHT, ("x.example", "mx_changed")], "untrue"),
        ([*RIGHT, (name_of(3), "mx_changed")], "untrue"),
        ([*RIGHT, (name_of(4), "dmarc_added")], "untrue"),
        ([*RIGHT, (name_of(4), "dmarc_added"), (name_of(4), "dmarc_added")], "untrue"),
    ],
)
async def test_every_harm_to_the_changes_is_seen(
    db: Database, rows: list[tuple[str, str]], name: str
) -> None:
    found = await _audited(db, rows)

    assert getattr(found, name) == found.violations == len(found.told) == 1


async def test_what_a_frozen_name_server_kept_in_force_may_come_and_go(db: Database) -> None:
    rows = [(name_of(3), "mx_changed")] * 2
    rows += [(name_of(4), "dmarc_added"), (name_of(4), "dmarc_removed")]
    found = await _audited(db, [*RIGHT, *rows])

    assert (found.violations, found.believed_too_long) == (0, 4)


def test_each_edit_changes_the_zone_and_can_be_taken_out_again() -> None:
    for number in range(len(KINDS)):
        before, after = (zone_of(number, is_edited=edited) for edited in (False, True))
        zone = Zone(before)
        was, names = dict(zone.sets), set(zone.names)
        zone.drop(before)
        zone.load(after)
        assert zone.sets != was
        zone.drop(after)
        zone.load(before)
        assert (zone.sets, zone.names) == (was, names)
