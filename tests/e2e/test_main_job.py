"""A company list goes in, ranked leads with evidence come out; every word is held against the zones."""

from __future__ import annotations

from typing import Any, Protocol

import aiohttp
import pytest

from hunter.core.answers import RRType
from hunter.local.company_list import company_list
from hunter.local.zones import Company


class Client(Protocol):
    http: aiohttp.ClientSession
    url: str

    async def get(self, path: str, **params: str) -> Any: ...
    async def finished(self, job: str) -> dict[str, Any]: ...
    async def pages(self, path: str, **params: str) -> list[dict[str, Any]]: ...


def _mail_hosts(company: Company) -> set[str]:
    """The MX set of the zone; null MX (RFC 7505) names no host."""
    found = {record.rdata for record in company.records if record.rrtype is RRType.MX}
    return found - {"0 ."}


@pytest.fixture(scope="session")
async def ingested(hunter: Client, companies: list[Company]) -> dict[str, Any]:
    """The answer to a company list of more than 1,000 rows, its scan job finished."""
    listed = company_list(companies, 1200, seed=7)
    form = aiohttp.FormData()
    form.add_field("file", listed.data, filename="fuar.csv", content_type="text/csv")
    async with hunter.http.post(f"{hunter.url}/api/v1/ingest/csv", data=form) as answer:
        body: dict[str, Any] = await answer.json()
        assert answer.status == 202, body
    progress = await hunter.finished(body["job_id"])
    return body | {"progress": progress, "listed": listed}


@pytest.fixture(scope="session")
async def scanned(hunter: Client, companies: list[Company]) -> dict[str, dict[str, Any]]:
    """Results by domain of one bulk over every company."""
    names = {"domains": [company.domain for company in companies]}
    async with hunter.http.post(f"{hunter.url}/api/v1/scan/bulk", json=names) as answer:
        body = await answer.json()
        assert answer.status == 202, body
        assert body["accepted"] == len(companies)
        assert answer.headers["Location"].endswith(body["job_id"])
    progress = await hunter.finished(body["job_id"])
    assert progress["processed"] == progress["total"] == len(companies)
    items = await hunter.pages(f"/scan/bulk/{body['job_id']}/results", limit="500")
    return {item["domain"]: item for item in items}


async def test_every_company_of_a_real_looking_list_becomes_a_lead(
    ingested: dict[str, Any], hunter: Client
) -> None:
    leads = {lead["domain"] for lead in await hunter.pages("/leads", limit="500")}

    assert ingested["progress"]["status"] == "completed"
    assert set(ingested["listed"].domains) <= leads


async def test_every_row_without_a_company_is_listed_with_line_and_reason(
    ingested: dict[str, Any], hunter: Client
) -> None:
    rejects = await hunter.pages(f"/ingest/batches/{ingested['batch_id']}/rejects", limit="500")

    assert {reject["line"] for reject in rejects} == set(ingested["listed"].bad_lines)
    assert all(reject["reason"] for reject in rejects)


async def test_the_list_is_sorted_by_priority_then_score_then_confidence(
    ingested: dict[str, Any], hunter: Client
) -> None:
    leads = await hunter.pages("/leads", limit="500")

    keys = [(lead["priority"], -lead["score"], -(lead["confidence"] or 0)) for lead in leads]
    assert keys == sorted(keys)


async def test_a_bulk_gives_exactly_one_result_for_every_name(
    scanned: dict[str, dict[str, Any]], companies: list[Company]
) -> None:
    assert sorted(scanned) == sorted(company.domain for company in companies)


async def test_results_agree_with_the_zones_record_by_record(
    scanned: dict[str, dict[str, Any]], companies: list[Company]
) -> None:
    wrong = []
    for company in companies:
        if not company.answered:
            continue
        result = scanned[company.domain]
        hosts = {f"{host['preference']} {host['host']}" for host in result["mx_hosts"]}
        if hosts != _mail_hosts(company):
            wrong.append((company.domain, company.kind, hosts))

    assert wrong == []


async def test_verdicts_agree_with_what_each_zone_was_built_to_be(
    scanned: dict[str, dict[str, Any]], companies: list[Company]
) -> None:
    wrong = []
    for company in companies:
        result = scanned[company.domain]
        said = {
            "mx_operator": result["mx_operator"],
            "provider": result["provider"],
            "tenant_state": result["tenant_state"],
            "mail_state": result["mail_state"],
        }
        built = {name: getattr(company, name) for name in said}
        if company.answered and said != built:
            wrong.append((company.domain, company.kind, said, built))

    assert wrong == []


async def test_a_domain_nobody_answered_for_is_unknown_never_absent_or_skip(
    scanned: dict[str, dict[str, Any]], companies: list[Company]
) -> None:
    silent = [scanned[company.domain] for company in companies if not company.answered]

    assert silent
    assert {result["segment"] for result in silent} == {"unknown"}
    assert {result["scan_status"] for result in silent} == {"unknown"}
    assert {result["mx"]["state"] for result in silent} == {"unknown"}
    assert {result["confidence"] for result in silent} == {None}


async def test_score_lines_add_up_and_every_line_shows_its_records(
    scanned: dict[str, dict[str, Any]], hunter: Client
) -> None:
    for domain in list(scanned)[:100]:
        breakdown = await hunter.get(f"/leads/{domain}/score-breakdown")

        assert sum(line["points"] for line in breakdown["lines"]) == breakdown["score"]
        assert all(line["reason"] and line["evidence"] for line in breakdown["lines"])


async def test_a_single_scan_waits_for_its_result(
    scanned: dict[str, dict[str, Any]], companies: list[Company], hunter: Client
) -> None:
    company = next(c for c in companies if c.kind == "m365")
    async with hunter.http.post(
        f"{hunter.url}/api/v1/scan/domain",
        json={"domain": company.domain},
        headers={"Prefer": "wait=20"},
    ) as answer:
        result = await answer.json()

    assert answer.status == 200, result
    assert result["domain"] == company.domain
    assert result["provider"] == "microsoft365"


async def test_a_turkish_name_is_found_by_either_spelling(
    scanned: dict[str, dict[str, Any]], companies: list[Company], hunter: Client
) -> None:
    company = next(c for c in companies if c.domain.startswith("xn--") and c.answered)

    lead = await hunter.get(f"/leads/{company.domain}")

    assert lead["domain"] == company.domain
    assert lead["display_name"] == company.display
