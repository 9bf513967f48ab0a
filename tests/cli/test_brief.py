"""`hunter brief`: what to say to a company, from DNS right now or from a lead that was scanned."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hunter.cli.main import Exit
from hunter.core.answers import Answer, Depth, Outcome, RRType, survey_of
from hunter.local.nameserver import NameServer
from hunter.store.database import Database
from tests.pipeline.stored_lead import store_lead

if TYPE_CHECKING:
    from tests.cli.conftest import Hunter

ZONE = """
contoso.test. 60 MX 10 mx-in01.natrohost.com.
contoso.test. 60 TXT "MS=ms12345678"
contoso.test. 60 TXT "v=spf1 include:_spfcls.natrohost.com -all"
contoso.test. 60 NS ns1.example.net.
"""


@pytest.fixture
async def dns() -> AsyncIterator[str]:
    async with NameServer(ZONE) as server:
        host, port = server.address
        yield f"{host}:{port}"


async def test_call_is_prepared_from_dns_in_either_language(hunter: Hunter, dns: str) -> None:
    english = await hunter("brief", "https://contoso.test/", "--records", "--dns", dns)
    turkish = await hunter("brief", "contoso.test", "--lang", "tr", "--dns", dns)

    assert (english.code, turkish.code) == (Exit.OK, Exit.OK), english.err + turkish.err
    assert english.out.startswith("contoso.test: P1, migration, sure\nMail at Natro, and a Micros")
    assert "Which offer\n- Mailboxes in the Microsoft tenant that is there already." in english.out
    assert "    contoso.test TXT: MS=ms12345678" in english.out
    assert "Ne sormalı\n- Microsoft kiracınız ne için kullanılıyor?" in turkish.out


async def test_brief_is_one_json_object_with_a_record_in_every_sentence(
    hunter: Hunter, dns: str
) -> None:
    ended = await hunter("brief", "contoso.test", "--json", "--depth", "quick", "--dns", dns)

    found = json.loads(ended.out)
    assert (found["language"], found["segment"], found["priority"]) == ("en", "migration", 1)
    told = [found[name] for name in ("runs", "why_now", "say", "ask", "offer")]
    assert all(told)
    assert all(sentence["evidence"] for part in told for sentence in part)


async def test_price_comes_from_the_price_list_and_its_mistakes_are_told(
    hunter: Hunter, dns: str, tmp_path: Path
) -> None:
    file = tmp_path / "prices.yaml"
    file.write_text("offers: {tenant_activation: 'From 40 a mailbox.'}", encoding="utf-8")
    price_list = {"HUNTER_PRICE_LIST": str(file)}

    priced = await hunter("brief", "contoso.test", "--dns", dns, **price_list)
    file.write_text("offers: {tenant_activaton: free}", encoding="utf-8")
    refused = await hunter("brief", "contoso.test", "--dns", dns, **price_list)

    assert "that is there already. From 40 a mailbox." in priced.out
    assert refused.code == Exit.USAGE
    assert refused.err == (
        "hunter: prices.yaml: offers.tenant_activaton: no such offer; "
        "did you mean tenant_activation?\n"
    )


async def test_silence_is_told_by_the_exit_code(hunter: Hunter) -> None:
    ended = await hunter("brief", "contoso.test", "--dns", "127.0.0.1:1")

    assert ended.code == Exit.UNKNOWN
    assert ended.out.startswith("contoso.test: P6, not known yet\nNobody answered")


async def test_scanned_lead_is_told_without_a_question_to_dns(
    hunter: Hunter, db: Database, database_url: str, dns: str
) -> None:
    found = [
        Answer("acme.test", RRType.MX, Outcome.FOUND, ("1 smtp.google.com",)),
        Answer("acme.test", RRType.TXT, Outcome.FOUND, ("v=spf1 include:_spf.google.com ~all",)),
    ]
    async with db.acquire() as conn:
        await store_lead(conn, survey_of("acme.test", Depth.QUICK, found), dt.datetime.now(dt.UTC))

    stored = await hunter("brief", "acme.test", HUNTER_DATABASE_URL=database_url)
    fresh = await hunter("brief", "contoso.test", "--dns", dns, HUNTER_DATABASE_URL=database_url)

    assert "They use Google Workspace for their mail." in stored.out, stored.err
    assert "no lead contoso.test: looking at DNS now" in fresh.err
    assert "Natro" in fresh.out
