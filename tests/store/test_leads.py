"""Leads as lists: filters, orders, pages; and as rows that a later scan does not spoil."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from hunter.core.answers import Answer, Depth, Outcome, RRType, survey_of
from hunter.core.errors import InvalidCursor, InvalidInput, NotFound, Unavailable
from hunter.core.judgement import History, Judgement, SignalDates
from hunter.store import changes, ingests, judged, leads, tenants
from hunter.store.changes import Change
from hunter.store.database import BadData, Connection, Database, savepoint
from hunter.store.identifiers import uuid7
from hunter.store.ingests import Company
from hunter.store.judged import JudgedLead, Observed
from hunter.store.lead_filters import LeadFilter, Sort
from hunter.store.leads import Lead

Judge = Callable[..., Judgement]
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def _judged(judgement: Judgement, history: History, observation_id: UUID) -> JudgedLead:
    encoded = msgspec.json.encode(judgement).decode()
    return JudgedLead(judgement, encoded, history, observation_id, date(2026, 11, 24))


async def _known(conn: Connection, judgements: Sequence[Judgement], at: datetime = NOW) -> None:
    """Leads with these judgements."""
    names = sorted(j.domain for j in judgements)
    await judged.insert_missing(conn, names, names, names)
    await judged.write(conn, at, [_judged(j, History(), uuid7()) for j in judgements])


async def _domains(conn: Connection, sort: Sort = Sort.CALL, **wanted: Any) -> list[str]:
    page = await leads.search(conn, LeadFilter(**wanted), sort)
    return [lead.domain for lead in page.items]


async def test_a_judged_lead_reads_back_whole(db: Database, judgement: Judge) -> None:
    written = judgement("contoso.com", provider="microsoft_365", score=63, confidence=0.9)
    async with db.acquire() as conn:
        await _known(conn, [written])

        lead = await leads.get(conn, "contoso.com")

    assert lead.judgement == written
    assert (lead.provider, lead.score, lead.last_scanned_at) == ("microsoft_365", 63, NOW)


async def test_an_unknown_lead_is_not_found(db: Database) -> None:
    async with db.acquire() as conn:
        with pytest.raises(NotFound, match=r"contoso\.com"):
            await leads.get(conn, "contoso.com")


async def test_the_call_list_goes_by_priority_score_and_confidence(
    db: Database, judgement: Judge
) -> None:
    async with db.acquire() as conn:
        await _known(
            conn,
            [
                judgement("late.example", priority=2, score=99),
                judgement("first.example", priority=1, score=80, confidence=0.9),
                judgement("second.example", priority=1, score=80, confidence=0.8),
                judgement("third.example", priority=1, score=80, confidence=None),
                judgement("fourth.example", priority=1, score=79),
                judgement("zero.example", priority=1, score=0),
            ],
        )
        await ingests.upsert_companies(conn, [Company("new.example", "new.example")])

        assert await _domains(conn) == [
            "first.example",
            "second.example",
            "third.example",
            "fourth.example",
            "zero.example",
            "late.example",
            "new.example",
        ]


@pytest.mark.parametrize("sort", Sort)
async def test_pages_of_every_order_cover_all_leads_once(
    db: Database, judgement: Judge, sort: Sort
) -> None:
    async with db.acquire() as conn:
        known = [
            judgement(
                f"c{n}.example",
                priority=n % 3 + 1,
                score=n % 5,
                confidence=None if n % 4 == 0 else n % 4 / 4,
            )
            for n in range(20)
        ]
        await _known(conn, known[:12])
        await _known(conn, known[12:], NOW - timedelta(hours=1))
        await ingests.upsert_companies(conn, [Company(f"n{n}.example", "n") for n in range(3)])
        whole = [lead.domain for lead in (await leads.search(conn, LeadFilter(), sort)).items]

        paged: list[str] = []
        cursor = None
        while True:
            page = await leads.search(conn, LeadFilter(), sort, cursor, 4)
            paged += [lead.domain for lead in page.items]
            cursor = page.next_cursor
            if cursor is None:
                break

    assert len(set(whole)) == 23
    assert paged == whole


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"segment": ("existing",)}, "a"),
        ({"provider": ("google",)}, "b"),
        ({"mx_operator": ("mimecast",)}, "a"),
        ({"gateway": ("mimecast",)}, "a"),
        ({"tenant_state": ("m365_mail",)}, "a"),
        ({"mail_state": ("parked",)}, "b"),
        ({"priority": (3,)}, "b"),
        ({"min_fit": 50}, "a"),
        ({"max_fit": 50}, "b"),
        ({"max_confidence": 0.8}, "b"),
        ({"market": ("global",), "posture": ("A", "B")}, "a"),
        ({"provider": ("google", "zoho")}, "b"),
        ({"priority": (3, 4), "segment": ("migration", "cold")}, "b"),
        ({"scan_status": ("unknown", "failed")}, "b"),
        ({"min_score": 50}, "a"),
        ({"max_score": 50}, "b"),
        ({"min_confidence": 0.8}, "a"),
        ({"posture": ("F",)}, "b"),
        ({"dmarc_policy": ("reject",)}, "a"),
        ({"scan_status": ("unknown",)}, "b"),
        ({"segment": ("existing",), "priority": (1,), "q": "lpha"}, "a"),
    ],
)
async def test_each_filter_finds_its_lead(
    db: Database, judgement: Judge, wanted: dict[str, Any], found: str
) -> None:
    names = {"a": "alpha.example", "b": "beta.example"}
    async with db.acquire() as conn:
        await _known(
            conn,
            [
                judgement(
                    names["a"],
                    segment="existing",
                    provider="microsoft_365",
                    mx_operator="mimecast",
                    gateway="mimecast",
                    tenant_state="m365_mail",
                    priority=1,
                    score=60,
                    confidence=0.9,
                    posture="A",
                    dmarc_policy="reject",
                ),
                judgement(
                    names["b"],
                    segment="migration",
                    provider="google",
                    mail_state="parked",
                    priority=3,
                    score=40,
                    confidence=0.6,
                    posture="F",
                    dmarc_policy="absent",
                    scan_status="unknown",
                ),
            ],
        )

        for sort in Sort:
            assert await _domains(conn, sort, **wanted) == [names[found]]


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("İş bank", ["isbank.com.tr"]),
        ("IS BANK", ["isbank.com.tr"]),
        ("ağaç", ["xn--aa-fka1k.com.tr"]),
        ("agac", ["xn--aa-fka1k.com.tr"]),
        ("is", ["isbank.com.tr"]),
        ("xn", ["xn--aa-fka1k.com.tr"]),
        ("%", []),
        ("b_nk", []),
        ("\\\\", []),
        ("is\\\\", []),
        ("bank%' OR 'a' = 'a", []),
        ("no such", []),
    ],
)
async def test_search_folds_turkish_letters_and_takes_wildcards_literally(
    db: Database, q: str, found: list[str]
) -> None:
    async with db.acquire() as conn:
        await ingests.upsert_companies(
            conn,
            [
                Company("isbank.com.tr", "isbank.com.tr", "Türkiye İş Bankası A.Ş."),
                Company("xn--aa-fka1k.com.tr", "ağaç.com.tr"),
            ],
        )

        assert await _domains(conn, q=q) == found


_SEVERAL: list[dict[str, Any]] = [
    {"segment": ("migration", "cold")},
    {"priority": (1, 3)},
    {"min_score": 1, "max_score": 3},
    {"priority": (2, 3), "provider": ("google", "zoho"), "min_score": 2},
    {"q": "c1"},
    {"q": "c1.", "priority": (1, 2, 3), "segment": ("migration", "cold", "skip")},
    {"q": "c1", "provider": ("google", "zoho"), "max_score": 3},
]


@pytest.mark.parametrize("sort", Sort)
async def test_pages_of_every_filter_are_its_list_cut_up(
    db: Database, judgement: Judge, sort: Sort, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is merged out of stretches is what one sort of everything gives."""
    known = [
        judgement(
            f"c{n}.example",
            segment=("migration", "cold", "skip")[n % 3],
            provider=("google", "zoho", "natro")[n // 3 % 3],
            priority=n // 2 % 3 + 1,
            score=n % 5,
            confidence=None if n % 4 == 0 else n % 4 / 4,
        )
        for n in range(40)
    ]
    async with db.acquire() as conn:
        await _known(conn, known)
        await ingests.upsert_companies(conn, [Company("c1n.example", "n")])
        everything = await leads.search(conn, LeadFilter(), sort, limit=100)
        for wanted in _SEVERAL:
            expected = [lead.domain for lead in everything.items if _fits(lead, wanted)]
            assert expected
            for few in (1000, 0):  # a search that is found and sorted, and one that is walked for
                monkeypatch.setattr(leads, "_FEW", few)
                assert await _paged(conn, LeadFilter(**wanted), sort, 100) == expected
                assert await _paged(conn, LeadFilter(**wanted), sort, 3) == expected


async def test_pages_by_name_hold_every_lead_once_while_others_come_and_go(
    db: Database, judgement: Judge
) -> None:
    names = [f"c{n:02}.example" for n in range(20)]
    async with db.acquire() as conn:
        await ingests.upsert_companies(conn, [Company(name, name) for name in names])
        seen: list[str] = []
        cursor = None
        for turn in range(20):
            page = await leads.search(conn, LeadFilter(), Sort.DOMAIN, cursor, 3)
            seen += [lead.domain for lead in page.items]
            cursor = page.next_cursor
            if cursor is None:
                break
            new = [Company(f"{letter}{turn}.example", "new") for letter in "ac"]
            await ingests.upsert_companies(conn, new)
            await _known(conn, [judgement(name, score=turn) for name in names[turn::5]])
            await conn.execute("DELETE FROM lead WHERE domain = $1", f"a{turn}.example")

    assert [name for name in seen if name in names] == names
    assert len(seen) == len(set(seen))


async def _paged(conn: Connection, wanted: LeadFilter, sort: Sort, limit: int) -> list[str]:
    page = await leads.search(conn, wanted, sort, limit=limit, is_judged=False)
    found = [lead.domain for lead in page.items]
    while page.next_cursor:
        page = await leads.search(conn, wanted, sort, page.next_cursor, limit)
        found += [lead.domain for lead in page.items]
    return found


def _fits(lead: Lead, wanted: dict[str, Any]) -> bool:
    score = -1 if lead.score is None else lead.score
    return (
        all(
            getattr(lead, n) in wanted[n]
            for n in ("segment", "priority", "provider")
            if n in wanted
        )
        and wanted.get("min_score", -1) <= score <= wanted.get("max_score", 100)
        and wanted.get("q", "") in lead.domain
    )


async def test_a_change_of_records_moves_its_lead_and_one_of_rules_does_not(
    db: Database, judgement: Judge
) -> None:
    async with db.acquire() as conn:
        await _known(conn, [judgement("moved.example"), judgement("same.example")])
        made = [
            Change("moved.example", "mx_changed", {"mx": 1}, {"mx": 2}, None, None),
            Change("same.example", "reclassified", {"score": 1}, {"score": 2}, None, None),
        ]
        await changes.add(conn, made)

        assert await _domains(conn, changed_since=NOW) == ["moved.example"]
        assert (await _domains(conn, Sort.CHANGED))[0] == "moved.example"


async def test_a_cursor_belongs_to_its_query(db: Database) -> None:
    async with db.acquire() as conn:
        await ingests.upsert_companies(conn, [Company(f"{n}.example", "n") for n in "abc"])
        page = await leads.search(conn, LeadFilter(q="exam"), limit=1)
        cursor = page.next_cursor
        assert cursor is not None

        for place in range(len(cursor)):
            altered = cursor[:place] + ("A" if cursor[place] != "A" else "B") + cursor[place + 1 :]
            with pytest.raises(InvalidCursor):
                await leads.search(conn, LeadFilter(q="exam"), Sort.CALL, altered)
        with pytest.raises(InvalidCursor):
            await leads.search(conn, LeadFilter(q="examp"), Sort.CALL, cursor)


async def test_a_cursor_of_another_list_is_refused(db: Database) -> None:
    async with db.acquire() as conn:
        await ingests.upsert_companies(conn, [Company(f"{n}.example", "n") for n in "abc"])
        page = await leads.search(conn, LeadFilter(), Sort.DOMAIN, limit=1)

        for cursor in (page.next_cursor, "junk", "Wy", "WzFd", ""):
            with pytest.raises(InvalidInput, match="cursor"):
                await leads.search(conn, LeadFilter(), Sort.SCORE, cursor)


async def test_a_later_ingest_adds_and_keeps(db: Database) -> None:
    async with db.acquire() as conn:
        first = await ingests.upsert_companies(
            conn, [Company("a.example", "a.example", "Alpha", "crm")]
        )
        second = await ingests.upsert_companies(
            conn, [Company("a.example", "a.example", None, "list"), Company("b.example", "b")]
        )
        lead = await leads.get(conn, "a.example")

    assert (first, second) == (1, 1)
    assert (lead.company_name, lead.source, lead.scan_status) == ("Alpha", "crm", "pending")
    assert lead.judgement is None


async def test_standing_knows_history_and_the_merged_survey(db: Database, judgement: Judge) -> None:
    import datetime as dt

    seen = {"mx": SignalDates(first_present=dt.date(2026, 11, 1))}
    survey = survey_of(
        "a.example",
        Depth.QUICK,
        [Answer("a.example", RRType.MX, Outcome.FOUND, ("10 mx.example",), ttl=60)],
    )
    verdict = judgement("a.example", provider="google", score=30, segment="migration")
    observation = uuid7()
    async with db.acquire() as conn:
        assert await judged.lock(conn, ["a.example"]) == {}
        await judged.insert_missing(conn, ["a.example"], ["a.example"], ["a.example"])
        fresh = (await judged.lock(conn, ["a.example"]))["a.example"]
        evidence = '{"domain":"a.example","depth":"quick","answers":{"a.example MX":{"name":"a.example","rrtype":"MX","outcome":"found","records":["10 mx.example"],"ttl":60}}}'
        observed = Observed(observation, "a.example", verdict.fingerprint, "r1", 30, evidence)
        await judged.observe(conn, NOW, [observed])
        await judged.write(conn, NOW, [_judged(verdict, History(seen=seen), observation)])
        await judged.renew(
            conn,
            NOW + timedelta(days=1),
            [Observed(observation, "a.example", verdict.fingerprint, "r2", 31, None)],
        )

        standing = (await judged.lock(conn, ["a.example"]))["a.example"]

    assert (fresh.previous, fresh.history) == (None, History())
    assert standing.previous == survey
    assert standing.history == History(
        seen=seen, segment=verdict.segment, score=30, provider="google"
    )
    assert standing.observed_at == (NOW + timedelta(days=1)).isoformat()


async def test_new_leads_are_written_whole(db: Database, judgement: Judge) -> None:
    written = [judgement("b.example", score=20), judgement("xn--a-eka.example", score=50)]
    async with db.acquire() as conn:
        made = [_judged(j, History(), uuid7()) for j in written]
        await judged.insert(
            conn, NOW, made, ["b.example", "aı.example"], ["b.example", "ai.example"]
        )

        found = await leads.get_many(conn, [j.domain for j in written])
        searched = await leads.search(conn, LeadFilter(q="ai.ex"))

    assert [found[j.domain].judgement for j in written] == written
    assert found["xn--a-eka.example"].display_name == "aı.example"
    assert [lead.domain for lead in searched.items] == ["xn--a-eka.example"]


async def test_a_lead_that_is_there_already_is_not_inserted_over(
    db: Database, judgement: Judge
) -> None:
    async with db.acquire() as conn:
        await _known(conn, [judgement("a.example", score=20)])
        again = [_judged(judgement("a.example", score=50), History(), uuid7())]

        with pytest.raises(Unavailable, match="first"):
            await judged.insert(conn, NOW, again, ["a.example"], ["a.example"])

        assert (await leads.get(conn, "a.example")).score == 20


async def test_a_segment_never_decided_is_no_history(db: Database, judgement: Judge) -> None:
    async with db.acquire() as conn:
        await _known(conn, [judgement("a.example", segment="unknown", provider=None)])

        standing = (await judged.lock(conn, ["a.example"]))["a.example"]

    assert (standing.history.segment, standing.history.score) == (None, None)


async def test_a_value_the_schema_refuses_is_bad_data_and_only_that(
    db: Database, judgement: Judge
) -> None:
    async with db.acquire() as conn, conn.transaction():
        await judged.insert_missing(conn, ["a.example"], ["a"], ["a"])
        for wrong in ({"tenant_state": "no_such_state"}, {"reason": "nul \0 byte"}):
            with pytest.raises(BadData):
                async with savepoint(conn):
                    await _known(conn, [judgement("a.example", **wrong)])

        await _known(conn, [judgement("a.example")])


async def test_failure_is_said_of_leads_never_judged_only(db: Database, judgement: Judge) -> None:
    async with db.acquire() as conn:
        await _known(conn, [judgement("known.example")])
        await ingests.upsert_companies(conn, [Company("new.example", "new.example")])

        await judged.mark_failed(conn, ["known.example", "new.example"])

        found = await leads.get_many(conn, ["known.example", "new.example", "none.example"])
    assert {name: lead.scan_status for name, lead in found.items()} == {
        "known.example": "ok",
        "new.example": "failed",
    }


async def test_a_batch_of_a_file_reads_back(db: Database) -> None:
    batch_id = uuid7()
    rejected = [ingests.RejectedRow(n, "x" * 400 + "\0", "not_a_domain") for n in range(1, 6)]
    async with db.acquire() as conn:
        await ingests.create_batch(
            conn, batch_id, filename="list.csv", source="fair", caller="anonymous"
        )
        assert (await ingests.get_batch(conn, batch_id)).status == "receiving"
        await ingests.add_rejects(conn, batch_id, rejected)
        await ingests.finish_batch(
            conn,
            batch_id,
            row_count=9,
            accepted=3,
            rejected=5,
            duplicates=1,
            detected={"encoding": "cp1254"},
        )

        batch = await ingests.get_batch(conn, batch_id)
        first = await ingests.rejects_page(conn, batch_id, limit=3)
        rest = await ingests.rejects_page(conn, batch_id, first.next_cursor, limit=3)

    assert (batch.status, batch.rejected_count, batch.detected) == (
        "accepted",
        5,
        {"encoding": "cp1254"},
    )
    assert [row.line for row in [*first.items, *rest.items]] == [1, 2, 3, 4, 5]
    assert rest.next_cursor is None
    assert first.items[0].value == "x" * 300


async def test_an_unknown_batch_is_not_found(db: Database) -> None:
    async with db.acquire() as conn:
        with pytest.raises(NotFound):
            await ingests.get_batch(conn, uuid7())


async def test_a_page_of_tenants_walks_indexes_and_sorts_nothing(db: Database) -> None:
    async with db.acquire() as conn, conn.transaction():
        await conn.execute(
            "SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off;"
            "SET LOCAL enable_sort = off"
        )
        rows = await conn.fetch(f"EXPLAIN {tenants.LIST}", 51, None, None)

    plan = "\n".join(row[0] for row in rows)
    assert "lead_tenant_call" in plan
    assert "lead_tenant " in plan
    assert "Sort" not in plan
