"""Leads as files: every format says the same, and nothing in it can be run."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import python_calamine
from aiohttp.test_utils import TestClient

from hunter.web import exports
from hunter.web.flat import LEAD_COLUMNS

Client = TestClient[Any, Any]
EXPORT = "/api/v1/leads/export"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
AddLead = Callable[..., Awaitable[Any]]


async def _rows(client: Client, query: str = "") -> list[dict[str, str]]:
    answer = await client.get(f"{EXPORT}{query}")
    assert answer.status == 200, await answer.text()
    text = (await answer.read()).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))


async def test_a_csv_has_every_flat_field_of_every_lead(client: Client, add_lead: AddLead) -> None:
    await add_lead("isik.com.tr", "Işık Çelik A.Ş.", score=70, fit=50, urgency=20)
    await client.post("/api/v1/ingest/domain", json={"domain": "new.com"})

    answer = await client.get(EXPORT)
    rows = await _rows(client)

    assert answer.content_type == "text/csv"
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="leads-')
    assert (await answer.read()).startswith(b"\xef\xbb\xbf")
    assert list(rows[0]) == list(LEAD_COLUMNS)
    assert [row["domain"] for row in rows] == ["isik.com.tr", "new.com"]
    first, second = rows
    assert (first["company_name"], first["score"], first["confidence"]) == (
        "Işık Çelik A.Ş.",
        "70",
        "0.93",
    )
    assert (first["provider_name"], first["products"], first["local_provider"]) == (
        "Natro",
        "'=SAP",
        "true",
    )
    assert first["scanned_at"] == "2026-11-20T09:30:00Z"
    assert (second["scan_status"], second["score"], second["provider"]) == ("pending", "", "")


async def test_the_three_formats_say_the_same(client: Client, add_lead: AddLead) -> None:
    await add_lead("a.com", "+Plus")
    await add_lead("b.com", "=cmd|' /C calc'!A0")

    lines = await (await client.get(f"{EXPORT}?format=ndjson")).text()
    objects = [json.loads(line) for line in lines.splitlines()]
    answer = await client.get(EXPORT, headers={"Accept": XLSX})
    book = python_calamine.load_workbook(io.BytesIO(await answer.read()))
    header, *table = book.get_sheet_by_index(0).to_python()
    rows = await _rows(client, "?bom=false")

    assert answer.content_type == XLSX
    assert header == list(objects[0]) == list(rows[0])
    at = header.index("company_name")
    assert [row[at] for row in table] == ["+Plus", "=cmd|' /C calc'!A0"]
    assert [each["company_name"] for each in objects] == ["+Plus", "=cmd|' /C calc'!A0"]
    assert [row["company_name"] for row in rows] == ["'+Plus", "'=cmd|' /C calc'!A0"]
    assert [row[header.index("score")] for row in table] == [each["score"] for each in objects]
    assert objects[0]["score"] == 70


async def test_filters_are_those_of_the_list(client: Client, add_lead: AddLead) -> None:
    await add_lead("cold.com", segment="cold", priority=5)
    await add_lead("hot.com", "Çelik")

    assert [row["domain"] for row in await _rows(client, "?segment=cold")] == ["cold.com"]
    assert [row["domain"] for row in await _rows(client, "?q=celi")] == []
    assert [row["domain"] for row in await _rows(client, "?priority=1&min_score=70")] == ["hot.com"]
    for wrong, place in [
        ("?segmnt=cold", "segmnt"),
        ("?provider=natroo", "provider"),
        ("?sort=score", "sort"),
        ("?limit=10", "limit"),
        ("?delimiter=x", "delimiter"),
    ]:
        problem = await client.get(f"{EXPORT}{wrong}")
        assert problem.status == 422, wrong
        assert (await problem.json())["errors"][0]["pointer"] == place


@pytest.mark.parametrize("sort", ["domain", "call"])
async def test_every_lead_comes_once_over_many_pages(
    client: Client, add_lead: AddLead, monkeypatch: pytest.MonkeyPatch, sort: str
) -> None:
    monkeypatch.setattr(exports, "_PAGE", 2)
    for number in range(7):
        await add_lead(f"c{number}.com", score=60 + number % 3, fit=60 + number % 3, urgency=0)

    rows = await _rows(client, f"?sort={sort}")

    assert sorted(row["domain"] for row in rows) == [f"c{number}.com" for number in range(7)]
    if sort == "call":
        assert [row["score"] for row in rows] == sorted((r["score"] for r in rows), reverse=True)


async def test_a_turkish_file_opens_in_a_turkish_excel(client: Client, add_lead: AddLead) -> None:
    await add_lead("isik.com.tr", "Işık; Çelik")

    answer = await client.get(f"{EXPORT}?lang=tr&delimiter=semicolon")
    text = (await answer.read()).decode("utf-8-sig")
    (row,) = csv.DictReader(io.StringIO(text), delimiter=";")

    assert (row["Alan adı"], row["Firma"], row["Puan"]) == ("isik.com.tr", "Işık; Çelik", "70")


async def test_dynamics_gets_the_columns_it_imports(client: Client, add_lead: AddLead) -> None:
    await add_lead("isik.com.tr", "Işık Çelik A.Ş.")

    (row,) = await _rows(client, "?profile=dynamics365")
    (turkish,) = await _rows(client, "?profile=dynamics365&lang=tr")

    assert row["Company Name"] == row["Last Name"] == "Işık Çelik A.Ş."
    assert row["Topic"] == "Işık Çelik A.Ş.: Mail at Natro, but a Microsoft tenant is there."
    assert (row["Website"], row["Rating"]) == ("https://isik.com.tr", "Hot")
    assert "Mailboxes: Natro." in row["Description"]
    assert list(turkish.values()) == list(row.values())
    assert turkish["Şirket Adı"] == "Işık Çelik A.Ş."


async def test_no_leads_make_a_file_of_headings(client: Client) -> None:
    assert await _rows(client) == []
    assert await (await client.get(f"{EXPORT}?format=ndjson")).text() == ""
    assert (await client.head(EXPORT)).status == 200


@pytest.mark.parametrize("format_", ["csv", "xlsx"])
async def test_results_come_in_every_format_and_profile(
    client: Client, add_result: Callable[..., Awaitable[None]], format_: str
) -> None:
    job = await (
        await client.post("/api/v1/scan/bulk", json={"domains": ["a.com", "b.com"]})
    ).json()
    await add_result(job["job_id"], "a.com")
    await add_result(job["job_id"], "b.com", "failed")
    url = job["links"]["results"]

    def table(data: bytes) -> list[list[Any]]:
        if format_ == "csv":
            return list(csv.reader(io.StringIO(data.decode("utf-8-sig"))))
        return python_calamine.load_workbook(io.BytesIO(data)).get_sheet_by_index(0).to_python()

    plain = table(await (await client.get(f"{url}?format={format_}&lang=tr")).read())
    leads = table(await (await client.get(f"{url}?format={format_}&profile=dynamics365")).read())

    assert plain[0][:2] == ["Alan adı", "Firma"]
    assert [row[0] for row in plain[1:]] == ["a.com", "b.com"]
    assert [row[7] for row in leads] == ["Website", "https://a.com", "https://b.com"]
