"""`hunter explain`: the chain of reasoning, from DNS right now or from a lead that was scanned."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest

from hunter.cli.main import Exit
from hunter.core.answers import Answer, Depth, Outcome, RRType, Survey, survey_of
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


def _survey(domain: str) -> Survey:
    found = [
        Answer(domain, RRType.MX, Outcome.FOUND, ("10 mx-in01.natrohost.com",)),
        Answer(domain, RRType.TXT, Outcome.FOUND, ("MS=ms12345678", "\x1b[2Jcleared")),
        Answer(f"autodiscover.{domain}", RRType.CNAME, Outcome.NXDOMAIN),
    ]
    return survey_of(domain, Depth.QUICK, found)


async def test_domain_is_explained_from_dns_without_a_database(hunter: Hunter, dns: str) -> None:
    ended = await hunter(
        "explain", "https://www.contoso.test/", "--dns", dns, HUNTER_DATABASE_URL=""
    )

    assert ended.code == Exit.OK, ended.err
    assert [line[0] for line in ended.out.splitlines() if re.match(r"\d\. ", line)] == [*"12345678"]
    assert "suffix natrohost.com of row natro (hosting)" in ended.out
    assert "without contoso.test TXT MS=ms12345678: then migration, priority 2" in ended.out
    assert max(map(len, ended.out.splitlines())) <= 100


async def test_chain_is_there_as_json_and_the_text_in_turkish(hunter: Hunter, dns: str) -> None:
    told = await hunter("explain", "contoso.test", "--dns", dns, "--json", HUNTER_DATABASE_URL="")
    turkish = await hunter(
        "explain", "contoso.test", "--dns", dns, "--lang", "tr", HUNTER_DATABASE_URL=""
    )

    chain = json.loads(told.out)
    assert chain["receivers"][0]["match"] == "natrohost.com"
    assert sum(line["points"] for line in chain["lines"]) == chain["score"]
    assert "Postayı kim alıyor: Natro" in turkish.out


async def test_silence_is_told_by_the_exit_code(hunter: Hunter) -> None:
    ended = await hunter("explain", "contoso.test", "--dns", "127.0.0.1:1", HUNTER_DATABASE_URL="")
    assert ended.code == Exit.UNKNOWN
    assert "not decided" in ended.out


async def test_name_that_is_no_domain_is_refused(hunter: Hunter) -> None:
    ended = await hunter("explain", "not a domain", HUNTER_DATABASE_URL="")
    assert ended.code == Exit.USAGE
    bad = await hunter("explain", "contoso.com", "--dns", "ns1.example", HUNTER_DATABASE_URL="")
    assert (bad.code, "--dns" in bad.err) == (Exit.USAGE, True)


async def test_scanned_lead_is_explained_without_a_question_to_dns(
    hunter: Hunter, db: Database, database_url: str, dns: str
) -> None:
    async with db.acquire() as conn:
        await store_lead(conn, _survey("stored.test"), dt.datetime.now(dt.UTC))

    stored = await hunter("explain", "stored.test", HUNTER_DATABASE_URL=database_url)
    fresh = await hunter("explain", "contoso.test", "--dns", dns, HUNTER_DATABASE_URL=database_url)

    assert stored.code == Exit.OK, stored.err
    assert "\x1b" not in stored.out
    assert "\\x1b[2Jcleared" in stored.out
    assert "no lead contoso.test: looking at DNS now" in fresh.err
    assert fresh.code == Exit.OK
