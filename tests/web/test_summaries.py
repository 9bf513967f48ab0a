"""The page about a lead: one page, in both languages, whatever the names are."""

from __future__ import annotations

import datetime as dt
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient

from hunter.core.advice import Language
from hunter.core.answers import Answer, Depth, Outcome, RRType, Survey, survey_of
from hunter.core.brief import brief
from hunter.core.judge import judge, reason
from hunter.core.judgement import NO_HISTORY
from hunter.knowledge.load import load_knowledge
from hunter.store.leads import Lead
from hunter.web.report import Report, draw
from tests.pipeline.stored_lead import store_lead

Client = TestClient[Any, Any]
LEADS = "/api/v1/leads"
AS_OF = dt.date(2026, 11, 23)
SCANNED_AT = dt.datetime(2026, 11, 20, 9, 30, tzinfo=dt.UTC)
PAGES = re.compile(rb"/Type /Page\b")


def _survey(domain: str = "acme.com", outcome: Outcome = Outcome.FOUND, more: int = 0) -> Survey:
    texts = (
        "MS=ms12345678",
        "v=spf1 +all",
        *(f"site{n}-verification={'x' * 300}" for n in range(more)),
    )
    found = outcome is Outcome.FOUND
    absent = Outcome.NODATA if found else outcome
    answers = [
        Answer(domain, RRType.MX, outcome, ("10 mx-in01.natrohost.com",) if found else ()),
        Answer(domain, RRType.TXT, outcome, texts if found else ()),
        Answer(domain, RRType.NS, outcome, ("ns1.natrohost.com",) if found else ()),
        Answer(f"_dmarc.{domain}", RRType.TXT, absent),
        Answer(f"autodiscover.{domain}", RRType.CNAME, absent),
        Answer(f"enterpriseregistration.{domain}", RRType.CNAME, absent),
    ]
    return survey_of(domain, Depth.QUICK, answers)


def _report(
    survey: Survey,
    *,
    company: str | None = "Işık Çelik A.Ş.",
    language: Language = Language.EN,
    customer: bool = False,
) -> Report:
    knowledge = load_knowledge()
    found = judge(survey, NO_HISTORY, knowledge.rules, AS_OF)
    values: dict[str, Any] = dict.fromkeys(Lead.__struct_fields__)
    values |= {
        "domain": survey.domain,
        "display_name": survey.domain,
        "company_name": company,
        "last_scanned_at": SCANNED_AT,
        "posture": found.posture,
        "judgement": found,
    }
    why = reason(survey, NO_HISTORY, knowledge.rules, AS_OF)
    return Report(
        lead=Lead(**values),
        brief=brief(why, knowledge.wording, language),
        wording=knowledge.wording,
        as_of=AS_OF,
        is_for_customer=customer,
    )


def _text(page: bytes, folder: Path) -> str:
    path = folder / "page.pdf"
    path.write_bytes(page)
    told = subprocess.run(  # a fixed command
        ["pdftotext", "-layout", str(path), "-"],  # wherever it is installed
        check=True,
        capture_output=True,
        timeout=30,
    )
    return " ".join(told.stdout.decode().split())


@pytest.mark.parametrize("query", ["", "?lang=tr", "?audience=customer&lang=tr"])
async def test_a_scanned_lead_has_a_page(client: Client, database: Any, query: str) -> None:
    await store_lead(database, _survey(), SCANNED_AT)

    answer = await client.get(f"{LEADS}/acme.com/summary.pdf{query}")
    page = await answer.read()
    again = await client.get(
        f"{LEADS}/acme.com/summary.pdf{query}", headers={"If-None-Match": answer.headers["ETag"]}
    )

    assert (answer.status, answer.content_type) == (200, "application/pdf")
    assert answer.headers["Content-Language"] == ("tr" if "tr" in query else "en")
    assert 'filename="acme.com-' in answer.headers["Content-Disposition"]
    assert page.startswith(b"%PDF-")
    assert len(PAGES.findall(page)) == 1
    assert again.status == 304


async def test_a_lead_that_was_never_scanned_has_no_page(client: Client) -> None:
    await client.post("/api/v1/ingest/domain", json={"domain": "new.com"})

    assert (await client.get(f"{LEADS}/new.com/summary.pdf")).status == 404
    assert (await client.get(f"{LEADS}/nobody.com/summary.pdf")).status == 404
    assert (await client.get(f"{LEADS}/new.com/summary.pdf?audience=x")).status == 422


@pytest.mark.parametrize(
    "company",
    [
        "日本株式会社",
        "A" * 400,
        "\u202eevil\x00\x1b[31m",
        None,
        "<b>Bold</b> & **stars**",
        "\U0001f600 Ltd",
    ],  # hostile on purpose
)
def test_whatever_the_company_is_called_it_is_one_page(company: str | None) -> None:
    page = draw(_report(_survey(more=40), company=company, language=Language.TR))

    assert len(PAGES.findall(page)) == 1


def test_the_same_report_is_the_same_file() -> None:
    report = _report(_survey())

    assert draw(report) == draw(report)


@pytest.mark.tool("pdftotext")
def test_the_page_says_what_the_brief_says_with_its_records(tmp_path: Path) -> None:
    report = _report(_survey(), language=Language.TR)

    text = _text(draw(report), tmp_path)

    assert "Işık Çelik A.Ş." in text
    assert report.brief.reason is not None
    assert report.brief.reason.text.split(":")[0] in text
    assert "acme.com MX: 10 mx-in01.natrohost.com" in text
    assert "DKIM bilinmiyor" in text


@pytest.mark.tool("pdftotext")
def test_the_customers_copy_has_no_score_and_says_what_to_put_right(tmp_path: Path) -> None:
    text = _text(draw(_report(_survey(), customer=True)), tmp_path)

    assert "What to put right" in text
    assert "RFC 7208" in text
    assert not re.search(r"Priority|Score|Call first|What to say", text)


@pytest.mark.tool("pdftotext")
def test_what_nobody_answered_is_called_not_known(tmp_path: Path) -> None:
    text = _text(draw(_report(_survey(outcome=Outcome.TIMEOUT))), tmp_path)

    assert "Mailboxes not known" in text
    assert "Products seen not known" in text
    assert "0 / 100" not in text
