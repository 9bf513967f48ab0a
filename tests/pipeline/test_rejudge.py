"""Stored observations judged anew: each once, by whoever is there, with what changed told as what it is."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hunter.config import Config
from hunter.core.answers import Answer, Depth, Outcome, RRType, Survey, survey_of
from hunter.core.judgement import History, SignalDates
from hunter.knowledge.load import load_own, shipped_texts
from hunter.ops.metrics import Metrics
from hunter.ops.stages import StageClock
from hunter.pipeline.rejudge import Rejudger
from hunter.pipeline.reload import Reloader
from hunter.pipeline.verdicts import verdict_on
from hunter.store import judged, leads, processes, rejudge
from hunter.store.database import Connection, Database
from hunter.store.identifiers import uuid7
from hunter.store.judged import NOTHING

NOW = dt.datetime.now(dt.UTC)
TODAY = NOW.date()
HOSTED = "mx.fastmail-like.example"


def survey(domain: str, mx: str, *, dmarc: str = "v=DMARC1; p=reject") -> Survey:
    """An answered quick survey of a company with this MX."""
    said = [
        (domain, RRType.MX, (f"10 {mx}",)),
        (domain, RRType.TXT, ("v=spf1 mx -all",)),
        (domain, RRType.NS, ("ns1.example.net",)),
        (f"_dmarc.{domain}", RRType.TXT, (dmarc,)),
        (f"autodiscover.{domain}", RRType.CNAME, ()),
        (f"enterpriseregistration.{domain}", RRType.CNAME, ()),
    ]
    answers = [
        Answer(name, kind, Outcome.FOUND if records else Outcome.NXDOMAIN, records)
        for name, kind, records in said
    ]
    return survey_of(domain, Depth.QUICK, answers)


class Fleet:
    """Leads, and workers that judge them anew by rules in a folder."""

    def __init__(self, db: Database, folder: Path) -> None:
        self.db = db
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self.reloader = self.reload()

    def write(self, name: str, *edits: tuple[str, str]) -> None:
        """A file of the operator's own: the shipped one with edits."""
        text = shipped_texts()[name]
        for old, new in edits:
            assert old in text, old
            text = text.replace(old, new)
        (self.folder / f"{name}.yaml").write_text(text)
        self.reloader = self.reload()

    def reload(self) -> Reloader:
        return Reloader(Config(rules_dir=str(self.folder)), Metrics())

    def worker(self) -> Rejudger:
        return Rejudger(
            self.db, self.reloader, Metrics(), is_busy=lambda: False, every_s=1, alive_s=30
        )

    async def store(self, *surveys: Survey, history: History | None = None) -> None:
        """Leads as scans leave them."""
        knowledge = self.reloader.current
        standing = NOTHING
        if history is not None:
            standing = msgspec.structs.replace(NOTHING, history=history)
        clock = StageClock(Metrics())
        found = [verdict_on(NOW, each, standing, knowledge.rules, clock) for each in surveys]

        async def work(conn: Connection) -> None:
            names = [each.domain for each in surveys]
            await judged.observe(conn, NOW, [each.observed for each in found if each.observed])
            await judged.insert(conn, NOW, [v.lead for v in found if v.lead], names, names)

        await self.db.transact(work)

    async def until_done(self, worker: Rejudger | None = None) -> None:
        """Let a worker do all there is."""
        worker = worker or self.worker()
        while await worker.round():
            pass

    async def rows(self, query: str, *arguments: object) -> list[dict[str, Any]]:
        async with self.db.acquire() as conn:
            return [dict(row) for row in await conn.fetch(query, *arguments)]

    async def changes(self) -> list[tuple[str, str, Any, Any]]:
        rows = await self.rows(
            "SELECT domain, kind, before, after FROM change ORDER BY domain, kind"
        )
        decode = msgspec.json.decode
        return [(r["domain"], r["kind"], decode(r["before"]), decode(r["after"])) for r in rows]

    async def runs(self) -> list[tuple[str, str, int, int]]:
        async with self.db.acquire() as conn:
            found = await rejudge.latest(conn, 10)
        return [(each.kind, each.state, each.rejudged, each.changed) for each in found]


@pytest.fixture
async def fleet(db: Database, tmp_path: Path) -> Fleet:
    """Forty leads with mail of their own, judged by the shipped rules."""
    made = Fleet(db, tmp_path / "rules")
    await made.until_done()
    await made.store(*(survey(f"c{n:02}.com", f"mx.c{n:02}.com") for n in range(40)))
    return made


async def test_other_policy_reclassifies_every_lead_once(fleet: Fleet) -> None:
    fleet.write(
        "rules",
        ("axis: fit, group: placement, points: 30", "axis: fit, group: placement, points: 21"),
    )
    version = fleet.reloader.current.version
    await fleet.until_done()

    told = await fleet.changes()
    assert [(domain, kind) for domain, kind, _, _ in told] == [
        (f"c{n:02}.com", "reclassified") for n in range(40)
    ]
    _, _, before, after = told[0]
    assert (before.keys(), before["score"] - after["score"]) == ({"score"}, 9)
    async with fleet.db.acquire() as conn:
        lead = await leads.get(conn, "c07.com")
    assert (lead.rules_version, lead.score) == (version, after["score"])
    assert lead.judgement is not None
    assert (lead.judgement.rules_version, lead.judgement.score) == (version, after["score"])
    assert lead.last_scanned_at == NOW, "nobody was asked"

    await fleet.until_done()
    assert len(await fleet.changes()) == 40, "a second look changes nothing"


async def test_lead_that_is_judged_the_same_only_moves_to_the_new_version(fleet: Fleet) -> None:
    before = await fleet.rows("SELECT domain, judgement FROM lead ORDER BY domain")
    fleet.write(
        "rules",
        ("points: 24, when: [mail_competitor_suite]", "points: 23, when: [mail_competitor_suite]"),
    )
    await fleet.until_done()

    assert await fleet.changes() == []
    assert await fleet.rows("SELECT domain, judgement FROM lead ORDER BY domain") == before
    assert await fleet.rows("SELECT DISTINCT rules_version FROM lead") == [
        {"rules_version": fleet.reloader.current.version}
    ]
    async with fleet.db.acquire() as conn:
        lead = await leads.get(conn, "c07.com")
    assert lead.judgement is not None
    assert lead.judgement.rules_version == fleet.reloader.current.version
    assert (await fleet.runs())[0] == ("rules", "done", 40, 0)


async def test_run_that_moves_many_providers_waits_for_an_operator(fleet: Fleet) -> None:
    await fleet.store(*(survey(f"d{n}.com", "in1-smtp.messagingengine.com") for n in range(3)))
    fleet.write("providers", ("mx: messagingengine.com", "mx: messagingengine.example"))
    await fleet.until_done()
    assert (await fleet.runs())[0] == ("rules", "held", 0, 0)
    assert await fleet.changes() == []

    async with fleet.db.acquire() as conn:
        held = await rejudge.held(conn)
        assert held is not None
        assert (held.measured, held.would_change) == (43, 3)
        await rejudge.confirm(conn, held.id)
    await fleet.until_done()

    told = await fleet.changes()
    assert [(domain, kind) for domain, kind, _, _ in told] == [
        (f"d{n}.com", "fact_table_effect") for n in range(3)
    ]
    assert told[0][2]["provider"] == "fastmail"
    assert told[0][3]["provider"] is None
    assert (await fleet.runs())[0] == ("rules", "done", 43, 3)


async def test_putting_the_files_back_ends_a_held_run(fleet: Fleet) -> None:
    await fleet.store(*(survey(f"d{n}.com", "in1-smtp.messagingengine.com") for n in range(3)))
    fleet.write("providers", ("mx: messagingengine.com", "mx: messagingengine.example"))
    await fleet.until_done()
    fleet.write("providers")
    await fleet.until_done()
    assert [each[1] for each in await fleet.runs()] == ["done", "superseded", "done"]
    assert await fleet.changes() == []


async def test_policy_and_tables_changed_together_are_told_apart(fleet: Fleet) -> None:
    await fleet.store(survey("d1.com", "in1-smtp.messagingengine.com"))
    fleet.write("providers", ("mx: messagingengine.com", "mx: messagingengine.example"))
    fleet.write(
        "rules",
        ("points: 22, when: [mail_unknown_operator]", "points: 11, when: [mail_unknown_operator]"),
    )
    await fleet.until_done()

    kinds = {
        (domain, kind): (before, after) for domain, kind, before, after in await fleet.changes()
    }
    assert set(kinds) == {("d1.com", "fact_table_effect"), ("d1.com", "reclassified")}
    before, after = kinds["d1.com", "reclassified"]
    assert before["score"] - after["score"] == 11
    assert "provider" not in before


async def test_decay_lowers_urgency_and_is_never_a_change(fleet: Fleet) -> None:
    moved = dt.timedelta(days=40)
    seen = {"mx:moved.net": SignalDates(TODAY - 2 * moved, TODAY - moved, TODAY)}
    await fleet.store(survey("dated.com", "mx.moved.net"), history=History(seen=seen))
    earlier = TODAY - moved + dt.timedelta(days=1)
    await fleet.rows("UPDATE lead SET judged_on = $1", earlier)
    (row,) = await fleet.rows("SELECT urgency, decays FROM lead WHERE domain = 'dated.com'")
    assert (row["urgency"] > 0, row["decays"]) == (True, True)
    await fleet.rows(
        "UPDATE lead SET urgency = urgency + 9, score = score + 9, judgement_digest = 0 "
        "WHERE domain = 'dated.com'"
    )

    await fleet.until_done()

    assert await fleet.rows("SELECT urgency, judged_on FROM lead WHERE domain = 'dated.com'") == [
        {"urgency": row["urgency"], "judged_on": TODAY}
    ]
    assert await fleet.changes() == []
    assert (await fleet.runs())[0] == ("decay", "done", 1, 1)
    assert await fleet.rows("SELECT count(*) AS n FROM lead WHERE judged_on = $1", earlier) == [
        {"n": 40}
    ], "leads without dated lines are left alone"


async def test_many_workers_share_a_run_and_judge_no_lead_twice(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hunter.store.rejudge.SLICE", 7)
    monkeypatch.setattr("hunter.pipeline.rejudge._BATCH", 3)
    fleet.write("rules", ("cap: 34", "cap: 20"))
    await asyncio.gather(*(fleet.until_done() for _ in range(4)))
    await fleet.until_done()

    assert (await fleet.runs())[0] == ("rules", "done", 40, 40)
    assert len(await fleet.changes()) == 40


async def test_worker_that_dies_in_a_batch_leaves_it_whole_to_the_next(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hunter.pipeline.rejudge._BATCH", 8)
    fleet.write("rules", ("cap: 34", "cap: 20"))
    dying = fleet.worker()
    assert [await dying.round() for _ in range(3)] == [True] * 3, "measured, two batches"
    with monkeypatch.context() as patch:
        patch.setattr("hunter.pipeline.rejudge.rejudge.advance", _die)
        with pytest.raises(ZeroDivisionError):
            await dying.round()
    assert (await fleet.runs())[0] == ("rules", "running", 16, 16)
    assert len(await fleet.changes()) == 16

    await fleet.until_done()
    assert (await fleet.runs())[0] == ("rules", "done", 40, 40)
    assert len(await fleet.changes()) == 40


async def _die(*_: object, **__: object) -> None:
    raise ZeroDivisionError


async def test_lead_written_behind_the_pass_by_an_older_worker_is_found(fleet: Fleet) -> None:
    older = fleet.reloader.current.version

    async def beat(version: str) -> None:
        async with fleet.db.acquire() as conn:
            await processes.register(
                conn, laggard, slots=1, interactive_slots=1, rules_version=version
            )

    laggard = uuid7()
    await beat(older)
    fleet.write("rules", ("cap: 34", "cap: 20"))
    newer = fleet.reloader.current.version
    await fleet.until_done()
    assert (await fleet.runs())[0] == ("rules", "running", 40, 40)

    await fleet.rows("UPDATE lead SET rules_version = $1 WHERE domain = 'c03.com'", older)
    await beat(newer)
    await fleet.until_done()
    assert (await fleet.runs())[0][1] == "done"
    assert await fleet.rows("SELECT DISTINCT rules_version AS v FROM lead") == [{"v": newer}]


async def test_rules_whose_files_were_not_kept_are_compared_by_what_is_stored(fleet: Fleet) -> None:
    await fleet.rows("UPDATE lead SET rules_version = 'of an older build'")
    fleet.write("rules", ("cap: 34", "cap: 20"))
    await fleet.until_done()
    told = await fleet.changes()
    assert {kind for _, kind, _, _ in told} == {"reclassified"}
    assert told[0][2]["score"] - told[0][3]["score"] == 10


async def test_scans_go_first(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    real = asyncio.sleep

    async def watched(seconds: float) -> None:
        pauses.append(seconds)
        await real(0)

    fleet.write("rules", ("cap: 34", "cap: 20"))
    busy = Rejudger(
        fleet.db, fleet.reloader, Metrics(), is_busy=lambda: True, every_s=1, alive_s=30
    )
    monkeypatch.setattr("hunter.pipeline.rejudge.asyncio.sleep", watched)
    await fleet.until_done(busy)
    assert max(pauses) > 0, "a batch is followed by a pause while chunks are scanned"


def test_the_name_of_a_version_says_which_part_is_another(tmp_path: Path) -> None:
    made: Callable[[str], str] = lambda folder: load_own(folder).version
    (tmp_path / "rules.yaml").write_text(shipped_texts()["rules"].replace("cap: 34", "cap: 33"))
    policy, _, facts = made("").partition("+")
    ours, _, same = made(str(tmp_path)).partition("+")
    assert (ours != policy, same) == (True, facts)
