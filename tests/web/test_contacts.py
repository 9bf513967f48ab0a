"""People at a company over HTTP: kept apart, told to nobody who does not ask, gone with the lead."""

from __future__ import annotations

import csv
import io
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp.test_utils import TestClient

Client = TestClient[Any, Any]
AddLead = Callable[..., Awaitable[Any]]
LEAD = "/api/v1/leads/acme.com"
AYSE = {
    "name": "Ayşe Canary",
    "role": "BT Müdürü",
    "email": "canary@acme.com",
    "phone": "+90 212 000 00 00",
}


async def _enrich(client: Client, *contacts: Any, **more: Any) -> Any:
    body = {"contacts": list(contacts), "source": "fair 2026"} | more
    return await client.post(f"{LEAD}/enrich", json=body)


async def test_people_are_kept_with_source_and_purpose_and_listed_on_the_lead(
    client: Client, add_lead: AddLead
) -> None:
    await add_lead("acme.com")

    answer = await _enrich(client, AYSE, {"name": "Nobody"}, {"phone": "5"}, purpose="event")
    body = await answer.json()
    lead = await (await client.get(LEAD)).json()
    listed = await (await client.get(f"{LEAD}/contacts")).json()

    assert answer.status == 200, body
    assert answer.headers["Cache-Control"] == "no-store"
    assert (body["accepted"], [(r["index"], r["reason"]) for r in body["rejected"]]) == (
        1,
        [(1, "unreachable"), (2, "phone_invalid")],
    )
    (kept,) = body["contacts"]
    assert {name: kept[name] for name in AYSE} == AYSE
    assert (kept["source"], kept["purpose"]) == ("fair 2026", "event")
    assert lead["contacts"] == listed["contacts"] == body["contacts"]


async def test_the_same_person_again_is_renewed_and_not_doubled(
    client: Client, add_lead: AddLead
) -> None:
    await add_lead("acme.com")
    await _enrich(client, AYSE)

    later = {"email": "CANARY@Acme.com", "role": "CIO", "source": "call"}
    (kept,) = (await (await _enrich(client, later, later)).json())["contacts"]

    assert (kept["name"], kept["role"], kept["phone"]) == ("Ayşe Canary", "CIO", AYSE["phone"])
    assert kept["source"] == "call"


async def test_without_one_good_entry_the_places_are_named(
    client: Client, add_lead: AddLead
) -> None:
    await add_lead("acme.com")

    answer = await _enrich(client, {"email": "x"})
    problem = await answer.json()

    assert answer.status == 422
    assert problem["errors"][0]["pointer"] == "/contacts/0/email"
    assert (await _enrich(client)).status == 422
    assert (await _enrich(client, *[AYSE] * 101)).status == 422
    assert (await _enrich(client, AYSE | {"purpose": "spam"})).status == 422
    assert (await _enrich(client, AYSE | {"owner": "x"})).status == 422


async def test_a_company_that_is_no_lead_has_no_people(client: Client) -> None:
    assert (await _enrich(client, AYSE)).status == 404
    assert (await client.get(f"{LEAD}/contacts")).status == 404


async def test_a_lead_cannot_have_people_without_end(
    client: Client, add_lead: AddLead, database: Any
) -> None:
    await add_lead("acme.com")
    await _enrich(client, *({"email": f"a{n}@acme.com"} for n in range(100)))

    assert (await _enrich(client, AYSE)).status == 409
    assert await database.fetchval("SELECT count(*) FROM contact") == 100


async def test_a_person_can_be_forgotten_and_all_go_with_the_lead(
    client: Client, add_lead: AddLead, database: Any
) -> None:
    await add_lead("acme.com")
    body = await (await _enrich(client, AYSE, {"email": "b@acme.com"})).json()
    first = f"{LEAD}/contacts/{body['contacts'][0]['contact_id']}"

    assert (await client.delete(first)).status == 204
    assert (await client.delete(first)).status == 404
    await database.execute("DELETE FROM lead WHERE domain = 'acme.com'")
    assert await database.fetchval("SELECT count(*) FROM contact") == 0


async def test_an_export_has_people_only_when_it_is_asked_for_them(
    client: Client, add_lead: AddLead
) -> None:
    await add_lead("acme.com", "Acme")
    await add_lead("other.com")
    await _enrich(client, {"email": "b@acme.com"})
    await _enrich(client, AYSE)

    async def rows(query: str) -> list[dict[str, str]]:
        data = await (await client.get(f"/api/v1/leads/export?{query}")).read()
        return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"))))

    for query in ("", "profile=dynamics365", "format=ndjson"):
        text = await (await client.get(f"/api/v1/leads/export?{query}")).text()
        assert "canary" not in text.lower()
    acme, other = await rows("contacts=true")
    assert (acme["contact_email"], acme["contact_phone"]) == (
        "canary@acme.com",
        "'+90 212 000 00 00",
    )
    assert acme["other_contacts"] == "b@acme.com"
    assert other["contact_email"] == ""
    crm = (await rows("contacts=true&profile=dynamics365"))[0]
    assert (crm["First Name"], crm["Last Name"], crm["Email"]) == (
        "Ayşe",
        "Canary",
        "canary@acme.com",
    )


async def test_people_are_in_no_log_line(
    client: Client, add_lead: AddLead, capsys: pytest.CaptureFixture[str]
) -> None:
    await add_lead("acme.com")
    await _enrich(client, AYSE, {"email": "canary2@@acme.com"})
    await _enrich(client, {"email": "canary3@"})
    await client.get(f"{LEAD}/contacts")

    told = capsys.readouterr()
    assert "request finished" in told.out + told.err
    assert "canary" not in (told.out + told.err).lower()
