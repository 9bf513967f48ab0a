"""What people write about leads over HTTP: tags, notes, marks, labels, and deletion for good."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp.test_utils import TestClient

from hunter.core.answers import Answer, Depth, Outcome, RRType, survey_of
from hunter.core.corpus import read_corpus
from hunter.core.judgement import Judgement
from hunter.knowledge.load import load_knowledge
from tests.pipeline.stored_lead import store_lead

Client = TestClient[Any, Any]
AddLead = Callable[..., Awaitable[Judgement]]
LEAD = "/api/v1/leads/acme.com"


async def test_what_people_write_is_kept_and_can_be_taken_away(
    client: Client, add_lead: AddLead
) -> None:
    await add_lead("acme.com")
    wanted = {
        "notes": "Call Ay\u015fe.",
        "mark": "called",
        "favourite": True,
        "tags": ["b", "a", "b"],
    }

    answer = await client.patch(LEAD, json=wanted)

    assert answer.status == 200, await answer.text()
    lead = await answer.json()
    assert {name: lead[name] for name in wanted} == wanted | {"tags": ["a", "b"]}
    lead = await (await client.patch(LEAD, json={"notes": None, "add_tags": ["c"]})).json()
    assert (lead["notes"], lead["mark"], lead["tags"]) == (None, "called", ["a", "b", "c"])
    lead = await (await client.patch(LEAD, json={"mark": None, "remove_tags": ["a", "x"]})).json()
    assert (lead["mark"], lead["tags"]) == (None, ["b", "c"])


async def test_a_tag_and_a_favourite_have_paths_of_their_own(
    client: Client, add_lead: AddLead
) -> None:
    await add_lead("acme.com")

    lead = await (await client.put(f"{LEAD}/tags/k%C4%B1%C5%9F%20fuar%C4%B1")).json()
    assert lead["tags"] == ["k\u0131\u015f fuar\u0131"]
    assert (await (await client.put(f"{LEAD}/favourite")).json())["favourite"] is True
    assert (await (await client.delete(f"{LEAD}/favourite")).json())["favourite"] is False
    lead = await (await client.delete(f"{LEAD}/tags/k%C4%B1%C5%9F%20fuar%C4%B1")).json()
    assert lead["tags"] == []


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"mark": "maybe"}, "/mark"),
        ({"tags": ["a,b"]}, "/tags/0"),
        ({"tags": [f"t{n}" for n in range(51)]}, "/tags"),
        ({"tags": ["a"], "add_tags": ["b"]}, "/tags"),
        ({"add_tags": ["a"], "remove_tags": ["a"]}, "/tags"),
        ({"score": 100}, "/score"),
        ({"favourite": None}, "/favourite"),
    ],
)
async def test_a_change_that_cannot_be_made_is_named(
    client: Client, add_lead: AddLead, body: Any, pointer: str
) -> None:
    await add_lead("acme.com")

    answer = await client.patch(LEAD, json=body)

    assert answer.status == 422
    assert (await answer.json(content_type=None))["errors"][0]["pointer"] == pointer


async def test_a_write_held_to_a_version_fails_when_the_lead_moved(
    client: Client, add_lead: AddLead
) -> None:
    await add_lead("acme.com")
    tag = (await client.get(LEAD)).headers["ETag"]

    first = await client.patch(LEAD, json={"mark": "won"}, headers={"If-Match": tag})
    second = await client.patch(LEAD, json={"mark": "lost"}, headers={"If-Match": tag})
    third = await client.delete(LEAD, headers={"If-Match": tag})
    odd = await client.put(f"{LEAD}/favourite", headers={"If-Match": '"of-another-thing"'})

    assert [each.status for each in (first, second, third, odd)] == [200, 412, 412, 412]
    assert (await second.json(content_type=None))["type"] == "/problems/precondition-failed"
    lead = await client.get(LEAD)
    assert (await lead.json())["mark"] == "won"
    assert first.headers["ETag"] == lead.headers["ETag"] != tag
    again = await client.patch(
        LEAD, json={"mark": "lost"}, headers={"If-Match": lead.headers["ETag"]}
    )
    assert again.status == 200


async def test_of_tags_added_at_once_none_is_lost(client: Client, add_lead: AddLead) -> None:
    await add_lead("acme.com")
    tags = [f"tag{n:02}" for n in range(20)]

    answers = await asyncio.gather(*(client.put(f"{LEAD}/tags/{tag}") for tag in tags))

    assert {each.status for each in answers} == {200}
    assert (await (await client.get(LEAD)).json())["tags"] == tags


async def test_more_tags_than_fifty_are_refused_whoever_adds_them(
    client: Client, add_lead: AddLead
) -> None:
    await add_lead("acme.com")
    await client.patch(LEAD, json={"tags": [f"t{n}" for n in range(50)]})

    answer = await client.put(f"{LEAD}/tags/one-more")

    assert answer.status == 422
    assert (await answer.json(content_type=None))["errors"][0]["pointer"] == "/tags"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PATCH", LEAD),
        ("PUT", f"{LEAD}/tags/a"),
        ("DELETE", f"{LEAD}/favourite"),
        ("POST", f"{LEAD}/label"),
        ("GET", f"{LEAD}/labels"),
    ],
)
async def test_a_lead_that_is_not_there_is_404(client: Client, method: str, path: str) -> None:
    body = {"PATCH": {"mark": "won"}, "POST": {"comment": "x"}}.get(method)
    answer = await client.request(method, path, json=body)

    assert answer.status == 404


async def test_a_label_is_kept_with_who_and_what_hunter_said_and_feeds_the_fit(
    client: Client, database: Any
) -> None:
    answer = Answer("acme.com", RRType.MX, Outcome.FOUND, ("10 mail.acme.com",), ttl=60)
    survey = survey_of("acme.com", Depth.QUICK, [answer])
    await store_lead(database, survey, dt.datetime(2026, 11, 1, tzinfo=dt.UTC))

    await client.post(f"{LEAD}/label", json={"provider": "microsoft365"})
    made = await client.post(
        f"{LEAD}/label", json={"provider": "google_workspace", "comment": "They told me."}
    )

    assert made.status == 201, await made.text()
    label = await made.json()
    assert (label["caller"], label["provider"]) == ("anonymous", "google_workspace")
    assert label["said"]["rules_version"]
    page = await (await client.get(f"{LEAD}/labels?limit=1")).json()
    assert page["items"] == [label]
    rest = await (await client.get(f"{LEAD}/labels?cursor={page['next_cursor']}")).json()
    assert [each["provider"] for each in rest["items"]] == ["microsoft365"]
    corpus = read_corpus(
        await (await client.get("/api/v1/admin/labels")).text(), load_knowledge().rules
    )
    assert corpus.refused == ()
    (row,) = corpus.rows
    assert (row.domain, row.label, row.survey) == ("acme.com", "google_workspace", survey)


async def test_a_label_sent_again_under_its_key_is_one_label(
    client: Client, add_lead: AddLead, database: Any
) -> None:
    await add_lead("acme.com")
    headers = {"Idempotency-Key": "k"}
    body = {"provider": "google_workspace", "comment": "They told me."}

    answers = await asyncio.gather(
        *(client.post(f"{LEAD}/label", json=body, headers=headers) for _ in range(5))
    )
    other = await client.post(f"{LEAD}/label", json={"comment": "No."}, headers=headers)

    assert [each.status for each in answers] == [201] * 5
    assert len({await each.text() for each in answers}) == 1
    assert other.status == 422
    assert await database.fetchval("SELECT count(*) FROM lead_label") == 1
    assert (await client.delete(LEAD)).status == 204
    assert await database.fetchval("SELECT count(*) FROM idempotency") == 0


async def test_what_failed_leaves_its_key_free(client: Client, add_lead: AddLead) -> None:
    headers = {"Idempotency-Key": "k"}
    body = {"comment": "They told me."}

    early = await client.post(f"{LEAD}/label", json=body, headers=headers)
    await add_lead("acme.com")
    late = await client.post(f"{LEAD}/label", json=body, headers=headers)

    assert (early.status, late.status) == (404, 201)


async def test_a_label_of_a_provider_nobody_knows_is_refused(
    client: Client, add_lead: AddLead
) -> None:
    await add_lead("acme.com")
    for body in ({"provider": "gogle_workspace"}, {}, {"comment": "  "}, {"segment": "warm"}):
        assert (await client.post(f"{LEAD}/label", json=body)).status == 422


async def test_a_deleted_lead_is_gone_and_stays_away(client: Client, add_lead: AddLead) -> None:
    await add_lead("acme.com")

    assert (await client.delete(LEAD)).status == 204
    assert (await client.delete(LEAD)).status == 204

    assert (await client.get(LEAD)).status == 404
    scan = await client.post("/api/v1/scan/domain", json={"domain": "acme.com"})
    assert scan.status == 422
    assert (await scan.json(content_type=None))["reason"] == "suppressed"
    bulk = await client.post("/api/v1/scan/bulk", json={"domains": ["acme.com", "other.com"]})
    told = await bulk.json()
    assert (told["accepted"], told["rejected"][0]["reason"]) == (1, "suppressed")
    assert "acme.com" not in await bulk.text()
    ingest = await client.post("/api/v1/ingest/domain", json={"domain": "acme.com"})
    assert ingest.status == 422


async def test_a_deletion_covers_the_names_below_on_every_way_in(
    client: Client, add_lead: AddLead, database: Any
) -> None:
    for name in ("acme.com", "shop.acme.com", "notacme.com"):
        await add_lead(name)
    waiting = {"domains": ["a.b.acme.com", "acme.com", "acme.com.tr"]}
    assert (await client.post("/api/v1/scan/bulk", json=waiting)).status == 202

    assert (await client.delete(LEAD)).status == 204

    kept = await database.fetch("SELECT domain FROM lead ORDER BY domain")
    assert [row["domain"] for row in kept] == ["notacme.com"]
    (chunk,) = await database.fetch("SELECT domains FROM scan_chunk")
    assert chunk["domains"][2:] == ["acme.com.tr"]
    assert len({each for each in chunk["domains"][:2] if each.startswith("suppressed-")}) == 2
    scan = await client.post("/api/v1/scan/domain", json={"domain": "www.shop.acme.com"})
    assert (await scan.json(content_type=None))["reason"] == "suppressed"
    names = {"domains": ["acme.com", "x.acme.com", "notacme.com", "acme.org"]}
    told = await (await client.post("/api/v1/scan/bulk", json=names)).json()
    assert (told["accepted"], [each["line"] for each in told["rejected"]]) == (2, [1, 2])
    covering = await client.get("/api/v1/admin/suppressions?domain=x.y.acme.com")
    assert len((await covering.json())["items"]) == 1
    await _store_unasked(database, "new.acme.com")
    assert await database.fetchval("SELECT count(*) FROM lead WHERE domain ~ 'new'") == 0
    await database.execute(
        "INSERT INTO scan_chunk (job_id, lane, domains) SELECT id, lane, domains FROM scan_job "
        "CROSS JOIN (VALUES ('{b.com,z.acme.com}'::text[]), ('{y.acme.com}'), ('{c.com}')) AS v(domains) "
        "ORDER BY scan_job.id LIMIT 3"
    )
    rows = await database.fetch("SELECT domains FROM scan_chunk ORDER BY id DESC LIMIT 3")
    later = sorted(name.partition("-")[0] for row in rows for name in row["domains"])
    assert later == ["b.com", "c.com", "suppressed", "suppressed"]


async def _store_unasked(database: Any, name: str) -> None:
    await database.execute(
        "INSERT INTO lead (domain, display_name, search) VALUES ($1, $1, $1)", name
    )


async def test_more_names_below_than_go_at_once_are_not_deleted_in_passing(
    client: Client, add_lead: AddLead, database: Any
) -> None:
    await add_lead("acme.com")
    for number in range(201):
        await _store_unasked(database, f"{number}.acme.com")

    answer = await client.delete(LEAD)

    assert answer.status == 422
    assert await database.fetchval("SELECT count(*) FROM lead") == 202
    assert await database.fetchval("SELECT count(*) FROM suppression") == 0


async def test_no_table_names_a_deleted_lead_the_audit_log_included(
    client: Client, add_lead: AddLead, database: Any
) -> None:
    await add_lead("acme.com")
    await client.patch(LEAD, json={"mark": "won"})
    await client.put(f"{LEAD}/tags/a")
    await client.post("/api/v1/scan/bulk", json={"domains": ["acme.com", "not acme.com", "b.com"]})

    assert (await client.delete(LEAD)).status == 204

    names = await database.fetch(
        "SELECT oid::regclass::text AS name FROM pg_class "
        "WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    )
    for table in (row["name"] for row in names):
        found = await database.fetch(
            f"SELECT t::text FROM {table} t WHERE position('acme' IN lower(t::text)) > 0"
        )
        assert found == [], table
    actions = await database.fetch("SELECT action, target FROM audit_log ORDER BY id")
    assert actions[-1]["action"] == "lead.suppressed"
    assert len({row["target"] for row in actions if "suppressed" in row["target"]}) == 2


async def test_a_suppression_is_listed_without_its_name_and_lifted(client: Client) -> None:
    path = "/api/v1/admin/suppressions"
    made = await client.post(path, json={"domain": "acme.com", "reason": "Asked by letter."})
    assert made.status == 201
    item = await made.json()

    assert await (await client.get(path)).json() == {"items": [item], "next_cursor": None}
    assert (await (await client.get(f"{path}?domain=acme.com")).json())["items"] == [item]
    assert (await client.get(f"{path}?domain=other.com")).status == 404
    named = {"domain": "acme.com", "reason": "Acme.com asked."}
    assert (await client.post(path, json=named)).status == 422
    assert (await client.delete(f"{path}/{item['suppression_id']}")).status == 204
    assert (await client.delete(f"{path}/{item['suppression_id']}")).status == 404
    scan = await client.post("/api/v1/scan/domain", json={"domain": "acme.com"})
    assert scan.status == 202
