"""Leads over HTTP: lists to call from, one with its evidence, the lines of a score."""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest
from aiohttp.test_utils import TestClient

from hunter.core.advice import Language
from hunter.core.answers import Answer, Depth, Outcome, RRType, survey_of
from hunter.core.judgement import Finding, Judgement, Segment
from hunter.web.language import preferred_language
from tests.pipeline.stored_lead import store_lead

Client = TestClient[Any, Any]
AddLead = Callable[..., Awaitable[Judgement]]
LEADS = "/api/v1/leads"


async def _domains(client: Client, query: str = "") -> list[str]:
    answer = await client.get(f"{LEADS}?{query}")
    assert answer.status == 200, await answer.text()
    return [item["domain"] for item in (await answer.json())["items"]]


async def test_without_leads_the_list_is_empty(client: Client) -> None:
    assert await (await client.get(LEADS)).json() == {"items": [], "next_cursor": None}


async def test_leads_to_call_first_are_on_top(client: Client, add_lead: AddLead) -> None:
    await add_lead("later.com", priority=3, score=90, fit=70)
    await add_lead("first.com", priority=1, score=60, fit=40)
    await add_lead("second.com", priority=1, score=50, fit=30)

    assert await _domains(client) == ["first.com", "second.com", "later.com"]


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("score", ["b.com", "a.com", "c.com"]),
        ("confidence", ["c.com", "a.com", "b.com"]),
        ("domain", ["a.com", "b.com", "c.com"]),
    ],
)
async def test_leads_sort_as_asked(
    client: Client, add_lead: AddLead, sort: str, expected: list[str]
) -> None:
    await add_lead("a.com", score=60, fit=40, confidence=0.6)
    await add_lead("b.com", score=80, fit=60, confidence=0.5)
    await add_lead("c.com", score=40, fit=20, confidence=0.9)

    assert await _domains(client, f"sort={sort}") == expected


@pytest.mark.parametrize("sort", ["call", "score", "confidence", "domain", "last_scanned_at"])
async def test_pages_hold_every_lead_once(client: Client, add_lead: AddLead, sort: str) -> None:
    for number in range(7):
        await add_lead(f"firma{number}.com", score=60 + number % 2, fit=40 + number % 2)
    seen: list[str] = []
    cursor = ""
    while True:
        page = await (await client.get(f"{LEADS}?sort={sort}&limit=3{cursor}")).json()
        seen += [item["domain"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"

    assert sorted(seen) == [f"firma{number}.com" for number in range(7)]


async def test_a_cursor_of_another_order_is_refused(client: Client, add_lead: AddLead) -> None:
    for domain in ("a.com", "b.com"):
        await add_lead(domain)
    page = await (await client.get(f"{LEADS}?sort=score&limit=1")).json()

    answer = await client.get(f"{LEADS}?sort=domain&cursor={page['next_cursor']}")

    assert answer.status == 400
    assert (await answer.json(content_type=None))["type"] == "/problems/invalid-cursor"


@pytest.mark.parametrize(
    "query",
    [
        "segment=existing",
        "provider=microsoft365",
        "provider=microsoft365&local_provider=false&tenant_name=wanted&source=web",
        "source=web",
        "local_provider=false",
        "tenant_name=wanted",
        "mx_operator=mimecast",
        "gateway=mimecast",
        "tenant_state=m365_mail",
        "mail_state=forwarding",
        "priority=4",
        "priority=4,5",
        "priority=4&priority=5",
        "min_fit=64",
        "min_urgency=20&max_urgency=20&min_fit=61",
        "favourite=true",
        "mark=won",
        "tags=vip,k%C4%B1%C5%9F+fuar%C4%B1",
        "changed_since=2026-11-20T00:00:00%2B03:00",
        "market=global&mark=won,lost",
        "provider=microsoft365,google_workspace&sort=score",
        "min_score=80",
        "max_score=89&min_score=75",
        "min_confidence=0.97",
        "posture=A",
        "dmarc_policy=reject",
        "scan_status=unknown",
        "q=wanted",
        "q=Işıl",
        "q=isil",
        "segment=existing&priority=4&min_score=80",
    ],
)
async def test_every_filter_finds_the_one_lead_it_describes(
    client: Client, add_lead: AddLead, database: Any, query: str
) -> None:
    await add_lead("other.com")
    await add_lead(
        "wanted.com",
        company_name="Işıl A.Ş.",
        segment=Segment.EXISTING,
        provider="microsoft365",
        local_provider=False,
        tenant_name="wanted",
        mx_operator="mimecast",
        gateway="mimecast",
        tenant_state="m365_mail",
        mail_state="forwarding",
        priority=4,
        score=85,
        fit=65,
        confidence=0.98,
        posture="A",
        dmarc_policy="reject",
    )
    await database.execute(
        "UPDATE lead SET search = 'wanted.com isil a.s.', scan_status = 'unknown', source = 'web', "
        "is_favourite = true, mark = 'won', tags = '{kış fuarı,new,vip}', last_changed_at = now() "
        "WHERE domain = 'wanted.com'"
    )

    assert await _domains(client, query) == ["wanted.com"]


@pytest.mark.parametrize("fields", ["score,segment,tags", "score,provider_name"])
async def test_a_list_has_the_fields_asked_for_and_no_other(
    client: Client, add_lead: AddLead, fields: str
) -> None:
    await add_lead("a.com", confidence=0.93)
    whole = (await (await client.get(LEADS)).json())["items"][0]

    (item,) = (await (await client.get(f"{LEADS}?fields={fields}")).json())["items"]

    assert item == {name: whole[name] for name in ("domain", *fields.split(","))}


async def test_every_field_of_a_list_can_be_asked_for_alone(
    client: Client, add_lead: AddLead, database: Any
) -> None:
    await add_lead("scanned.com", priority=1)
    await database.execute(
        "INSERT INTO lead (domain, display_name, search) VALUES ('new.com', 'new.com', 'new.com')"
    )
    whole = (await (await client.get(LEADS)).json())["items"]
    for name in whole[0]:
        items = (await (await client.get(f"{LEADS}?fields={name}")).json())["items"]

        assert items == [{key: each[key] for key in ("domain", name)} for each in whole]


async def test_a_field_nobody_has_is_named_with_the_nearest(client: Client) -> None:
    answer = await client.get(f"{LEADS}?fields=domain,scor")

    assert answer.status == 422
    (place,) = (await answer.json(content_type=None))["errors"]
    assert (place["pointer"], "did you mean score" in place["detail"]) == ("fields", True)


@pytest.mark.parametrize("name", ["provider", "mx_operator", "gateway"])
async def test_an_operator_nobody_knows_is_refused_with_the_nearest(
    client: Client, name: str
) -> None:
    answer = await client.get(f"{LEADS}?{name}=mimecst")

    assert answer.status == 422
    (place,) = (await answer.json(content_type=None))["errors"]
    assert place["pointer"] == name
    assert "did you mean mimecast" in place["detail"]


@pytest.mark.parametrize(
    "value", ["self_hosted", "mixed", "broken", "unknown:example.net", "onprem_exchange"]
)
async def test_operators_outside_the_table_can_be_asked_for(client: Client, value: str) -> None:
    for name in ("provider", "mx_operator"):
        assert await _domains(client, f"{name}={value}") == []


async def test_a_lead_carries_the_wire_names_and_every_state_with_its_record(
    client: Client, add_lead: AddLead
) -> None:
    await add_lead("acme.com", company_name="Acme A.Ş.")

    answer = await client.get(f"{LEADS}/acme.com")

    lead = await answer.json()
    assert (lead["domain"], lead["company_name"], lead["provider"]) == (
        "acme.com",
        "Acme A.Ş.",
        "natro",
    )
    assert (lead["segment"], lead["priority"], lead["score"]) == ("migration", 1, 70)
    assert lead["mx"]["observed_at"] == "2026-11-20T09:30:00Z"
    assert lead["spf"] == {
        "state": "absent",
        "value": "",
        "evidence": [{"question": "acme.com TXT", "outcome": "nodata"}],
        "observed_at": "2026-11-20T09:30:00Z",
    }
    assert lead["dkim"]["state"] == "unknown"
    assert lead["dkim"]["observed_at"] is None
    wire = "domain company_name provider mx_operator gateway tenant_state mail_state local_provider"
    more = "products score segment priority confidence posture reason mx spf dkim dmarc_policy"
    assert {*wire.split(), *more.split(), "signals", "scan_status", "scanned_at"} <= lead.keys()


@pytest.mark.parametrize(
    ("query", "header", "language"),
    [
        ("", None, "en"),
        ("?lang=tr", None, "tr"),
        ("?lang=en", "tr", "en"),
        ("", "de, tr-TR;q=0.8, en;q=0.5", "tr"),
    ],
)
async def test_findings_are_told_in_the_language_asked_for(
    client: Client, add_lead: AddLead, query: str, header: str | None, language: str
) -> None:
    findings = (Finding.of("dmarc_policy_none"), Finding.of("mx_ip_literal", host="192.0.2.1"))
    await add_lead("acme.com", findings=findings)
    headers = {"Accept-Language": header} if header else {}

    answer = await client.get(f"{LEADS}/acme.com{query}", headers=headers)
    again = await client.get(
        f"{LEADS}/acme.com{query}", headers=headers | {"If-None-Match": answer.headers["ETag"]}
    )

    assert answer.headers["Content-Language"] == language
    assert "Accept-Language" in answer.headers["Vary"]
    assert (again.status, again.headers["Vary"]) == (304, "Accept-Language")
    first, second = (await answer.json())["findings"]
    assert (first["severity"], second["severity"]) == ("error", "warning")
    title = {"en": "MX is an address", "tr": "MX bir IP adresi"}[language]
    assert (first["code"], first["title"]) == ("mx_ip_literal", title)
    assert first["message"].startswith("192.0.2.1 ")
    assert first["fix"]
    assert first["source"] == "RFC 5321 section 5.1"


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", Language.EN),
        ("tr", Language.TR),
        ("TR-tr", Language.TR),
        ("en;q=0.4, tr;q=0.6", Language.TR),
        ("tr;q=0.4, en;q=0.6", Language.EN),
        ("tr;q=0", Language.EN),
        ("en;q=0, *", Language.TR),
        ("*", Language.EN),
        ("de", Language.EN),
        ("tr;q=2", Language.EN),
        (", ,;q=1,tr", Language.TR),
        ("x" * 5000 + ",tr", Language.EN),
    ],
)
def test_a_header_of_languages_is_weighed(header: str, language: Language) -> None:
    assert preferred_language(header) is language


@pytest.mark.parametrize("name", ["ACME.com", "https://acme.com/", "acme.com."])
async def test_a_lead_is_found_however_its_name_is_written(
    client: Client, add_lead: AddLead, name: str
) -> None:
    await add_lead("acme.com")

    answer = await client.get(f"{LEADS}/{name.replace('/', '%2F')}")

    assert answer.status == 200


async def test_a_lead_before_its_first_scan_is_unknown_and_not_absent(
    client: Client, database: Any
) -> None:
    await database.execute(
        "INSERT INTO lead (domain, display_name, search) VALUES ('new.com', 'new.com', 'new.com')"
    )

    lead = await (await client.get(f"{LEADS}/new.com")).json()
    lines = await (await client.get(f"{LEADS}/new.com/score-breakdown")).json()

    assert (lead["scan_status"], lead["segment"], lead["score"]) == ("pending", "unknown", None)
    assert lead["mx"]["state"] == "unknown"
    assert (lines["score"], lines["lines"], lines["scan_status"]) == (None, [], "pending")


async def test_the_lines_of_a_score_add_up_to_it(client: Client, add_lead: AddLead) -> None:
    await add_lead("acme.com")

    found = await (await client.get(f"{LEADS}/acme.com/score-breakdown")).json()

    assert sum(line["points"] for line in found["lines"]) == found["score"]
    assert found["score"] == found["fit"] + found["urgency"]
    assert found["lines"][0] == {
        "axis": "fit",
        "code": "tenant_without_mail",
        "points": 50,
        "reason": "A tenant is there.",
        "evidence": [{"question": "acme.com MX", "outcome": "found", "record": "10 mx.acme.com"}],
    }
    assert found["would_change"]


@pytest.mark.parametrize("path", ["acme.com", "acme.com/score-breakdown"])
async def test_an_unchanged_lead_is_304(client: Client, add_lead: AddLead, path: str) -> None:
    await add_lead("acme.com")
    tag = (await client.get(f"{LEADS}/{path}")).headers["ETag"]

    same = await client.get(f"{LEADS}/{path}", headers={"If-None-Match": tag})
    other = await client.get(f"{LEADS}/{path}", headers={"If-None-Match": 'W/"0"'})

    assert (same.status, same.headers["ETag"], await same.read()) == (304, tag, b"")
    assert other.status == 200


async def test_a_changed_lead_has_another_tag(
    client: Client, add_lead: AddLead, database: Any
) -> None:
    await add_lead("acme.com")
    tag = (await client.get(f"{LEADS}/acme.com")).headers["ETag"]

    await database.execute("UPDATE lead SET company_name = 'New Name'")

    answer = await client.get(f"{LEADS}/acme.com", headers={"If-None-Match": tag})
    assert answer.status == 200


STATES = (
    "m365_mail",
    "m365_mail_probable",
    "tenant_without_mail",
    "migrating_in",
    "migrating_out",
    "no_microsoft",
    "unknown",
)


async def test_each_of_the_seven_tenant_states_is_a_filter(
    client: Client, add_lead: AddLead
) -> None:
    for state in STATES:
        await add_lead(f"{state.replace('_', '-')}.com", tenant_state=state)

    for state in STATES:
        assert await _domains(client, f"tenant_state={state}") == [f"{state.replace('_', '-')}.com"]
    refused = await client.get(f"{LEADS}?tenant_state=migrating")
    assert refused.status == 422


async def test_leads_of_one_tenant_are_one_account(client: Client, add_lead: AddLead) -> None:
    await add_lead("small.com", tenant_name="group", priority=4, score=30, fit=10)
    await add_lead("big.com", tenant_name="group", priority=1, score=80, fit=60)
    await add_lead("other.com", tenant_name="other", priority=2)
    await add_lead("none.com", tenant_name=None, priority=1)

    first = await (await client.get("/api/v1/tenants?limit=1")).json()
    second = await (
        await client.get(f"/api/v1/tenants?limit=1&cursor={first['next_cursor']}")
    ).json()

    assert [
        (each["tenant_name"], each["domains"], each["best_lead"]["domain"])
        for each in first["items"] + second["items"]
    ] == [("group", 2, "big.com"), ("other", 1, "other.com")]
    assert second["next_cursor"] is None
    assert await _domains(client, "tenant_name=group") == ["big.com", "small.com"]


async def test_a_lead_lists_the_other_domains_of_its_tenant(
    client: Client, add_lead: AddLead
) -> None:
    await add_lead("big.com", "Big A.Ş.", tenant_name="group", priority=1)
    await add_lead("small.com", tenant_name="group", priority=4, score=30, fit=10)
    await add_lead("none.com", tenant_name=None)

    small = await (await client.get(f"{LEADS}/small.com")).json()
    alone = await (await client.get(f"{LEADS}/none.com")).json()

    assert small["siblings"] == [
        {"domain": "big.com", "company_name": "Big A.Ş.", "segment": "migration", "priority": 1, "score": 70}
    ]  # fmt: skip
    assert alone["siblings"] == []


async def test_a_cursor_of_another_list_is_no_page_of_tenants(
    client: Client, add_lead: AddLead
) -> None:
    await add_lead("a.com")
    await add_lead("b.com")
    page = await (await client.get(f"{LEADS}?limit=1")).json()

    answer = await client.get(f"/api/v1/tenants?cursor={page['next_cursor']}")

    assert answer.status == 400
    assert "cursor" in await answer.text()


async def test_a_lead_shows_what_its_registry_says(
    client: Client,
    add_lead: Callable[..., Awaitable[Judgement]],
    database: asyncpg.Connection[Any],
) -> None:
    await add_lead("contoso.com")
    before = (await (await client.get("/api/v1/leads/contoso.com")).json())["registration"]
    await database.execute(
        "INSERT INTO registration (domain, state, registrar, expires, statuses, source, server, "
        "fetched_at, reason) VALUES ('contoso.com', 'registered', 'Natro', '2027-08-03', "
        "'{active}', 'rdap', 'rdap.test', '2026-11-24T04:00:00Z', 'HTTP 500')"
    )

    after = (await (await client.get("/api/v1/leads/contoso.com")).json())["registration"]

    assert before is None
    assert after == {
        "state": "registered",
        "registrar": "Natro",
        "created": None,
        "expires": "2027-08-03",
        "statuses": ["active"],
        "delegation_signed": None,
        "source": "rdap",
        "server": "rdap.test",
        "observed_at": "2026-11-24T04:00:00+00:00",
        "reason": "HTTP 500",
    }


@pytest.mark.parametrize(
    ("query", "headers", "language", "reason"),
    [
        ("", {}, "en", "They use Google Workspace and no Microsoft tenant shows"),
        ("?lang=tr", {}, "tr", "Google Workspace kullanıyorlar ve Microsoft kiracısı görünmüyor"),
        ("", {"Accept-Language": "tr-TR"}, "tr", "Google Workspace kullanıyorlar"),
    ],
)
@pytest.mark.parametrize("base", [LEADS, "/leads"])
async def test_sales_summary_is_told_in_the_language_asked_for(
    client: Client,
    database: Any,
    base: str,
    query: str,
    headers: dict[str, str],
    *,
    language: str,
    reason: str,
) -> None:
    await _store_google(database)

    answer = await client.get(f"{base}/acme.com/sales-summary{query}", headers=headers)
    told = await answer.json()

    assert (answer.status, answer.headers["Content-Language"]) == (200, language)
    assert told["reason"]["text"].startswith(reason)
    for part in ("runs", "why_now", "say", "ask", "offer"):
        assert told[part]
        assert all(sentence["evidence"] for sentence in told[part])
    assert told["display_name"] == "acme.com"
    assert told["lines"][0]["points"] == 24


async def test_unchanged_sales_summary_is_304(client: Client, database: Any) -> None:
    await _store_google(database)
    tag = (await client.get(f"{LEADS}/acme.com/sales-summary")).headers["ETag"]

    same = await client.get(f"{LEADS}/acme.com/sales-summary", headers={"If-None-Match": tag})

    assert same.status == 304


async def test_lead_before_its_first_scan_has_no_sales_summary(
    client: Client, database: Any
) -> None:
    await database.execute(
        "INSERT INTO lead (domain, display_name, search) VALUES ('new.com', 'new.com', 'new.com')"
    )

    unscanned = await client.get(f"{LEADS}/new.com/sales-summary")
    nobody = await client.get(f"{LEADS}/nobody.com/sales-summary")

    assert (unscanned.status, nobody.status) == (404, 404)
    assert "not been scanned yet" in (await unscanned.json())["detail"]


async def _store_google(database: Any) -> None:
    found = [
        Answer("acme.com", RRType.MX, Outcome.FOUND, ("1 smtp.google.com",)),
        Answer("acme.com", RRType.TXT, Outcome.FOUND, ("v=spf1 include:_spf.google.com ~all",)),
        Answer("_dmarc.acme.com", RRType.TXT, Outcome.NXDOMAIN),
        Answer("autodiscover.acme.com", RRType.CNAME, Outcome.NXDOMAIN),
    ]
    await store_lead(database, survey_of("acme.com", Depth.QUICK, found), dt.datetime.now(dt.UTC))


async def test_a_lead_is_explained_as_data_and_in_words(client: Client, database: Any) -> None:
    found = [
        Answer("contoso.com", RRType.MX, Outcome.FOUND, ("10 mx-in01.natrohost.com",)),
        Answer("contoso.com", RRType.TXT, Outcome.FOUND, ("MS=ms12345678",)),
        Answer("autodiscover.contoso.com", RRType.CNAME, Outcome.NXDOMAIN),
    ]
    survey = survey_of("contoso.com", Depth.QUICK, found)
    await store_lead(database, survey, dt.datetime.now(dt.UTC))

    answer = await client.get(f"{LEADS}/contoso.com/explain?lang=tr")
    told = await answer.json()

    assert (answer.status, answer.headers["Content-Language"]) == (200, "tr")
    assert told["chain"]["receivers"][0]["match"] == "natrohost.com"
    assert sum(line["points"] for line in told["chain"]["lines"]) == told["score"]
    assert (told["is_current"], told["segment"], told["priority"]) == (True, "migration", 1)
    assert any("Postayı kim alıyor: Natro" in line for line in told["text"])
    changes = [each["records"] for each in told["chain"]["what_if"]]
    assert ["MS=ms12345678"] in changes


async def test_a_lead_before_its_first_scan_has_nothing_to_explain(
    client: Client, database: Any
) -> None:
    await database.execute(
        "INSERT INTO lead (domain, display_name, search) VALUES ('new.com', 'new.com', '')"
    )

    unscanned = await client.get(f"{LEADS}/new.com/explain")
    unknown = await client.get(f"{LEADS}/nobody.com/explain")

    assert (unscanned.status, unknown.status) == (404, 404)
    assert "not been scanned yet" in await unscanned.text()


async def test_a_lead_in_a_list_says_what_it_says_by_itself(
    client: Client, add_lead: Callable[..., Awaitable[Any]]
) -> None:
    await add_lead("contoso.com", "Contoso")

    (listed,) = (await (await client.get("/api/v1/leads")).json())["items"]
    whole = await (await client.get("/api/v1/leads/contoso.com")).json()

    assert listed["mx"]["evidence"]
    assert listed["products"]
    assert listed == {name: whole[name] for name in listed}


@pytest.mark.parametrize("text", ["-58800", "1767225600", "12:00"])
async def test_a_number_is_no_instant(client: Client, text: str) -> None:
    answer = await client.get(f"/api/v1/leads?scanned_before={text}")

    assert answer.status == 422
    assert (await answer.json(content_type=None))["errors"][0]["pointer"] == "scanned_before"
