"""`hunter scan` against a real name server: the table, JSON, files, refusals and exit codes."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, Any

import pytest

from hunter.cli.main import Exit
from hunter.core.answers import RRType
from hunter.local.company_list import company_list
from hunter.local.nameserver import NameServer
from hunter.local.zones import Company, generate, zone_text

if TYPE_CHECKING:
    from tests.cli.conftest import Hunter

COMPANIES = list(generate(1200))
BY_KIND: dict[str, Company] = {}
for _company in COMPANIES:
    BY_KIND.setdefault(_company.kind, _company)


@pytest.fixture(scope="module")
async def dns() -> AsyncIterator[str]:
    async with NameServer(zone_text(COMPANIES)) as server:
        host, port = server.address
        yield f"{host}:{port}"


def _lines(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


async def test_it_needs_no_database_and_shows_who_has_the_mail_and_why(
    hunter: Hunter, dns: str
) -> None:
    company = BY_KIND["m365"]

    ended = await hunter("scan", company.domain, "--dns", dns)

    assert ended.code == Exit.OK, ended.err
    heading, row, *_ = ended.out.splitlines()
    assert heading.split() == ["score", "domain", "mail", "segment", "sure", "why"]
    assert company.domain in row
    assert "Microsoft 365" in row
    assert "existing" in row
    assert ended.err == "1 domains: 1 ok; 0 refused\n"


async def test_json_is_one_object_a_line_with_the_names_of_the_api(
    hunter: Hunter, dns: str
) -> None:
    names = [BY_KIND[kind].domain for kind in ("m365_gateway", "hoster_tenant")]

    ended = await hunter("scan", *names, "--json", "--dns", dns)

    found = {line["domain"]: line for line in _lines(ended.out)}
    gateway, hoster = (found[name] for name in names)
    assert gateway["provider"] == "microsoft365"
    assert gateway["gateway"] == gateway["mx_operator"] == BY_KIND["m365_gateway"].mx_operator
    assert hoster["tenant_state"] == "tenant_without_mail"
    for line in (gateway, hoster):
        assert line["score"] == sum(each["points"] for each in line["lines"])
        assert line["mx"]["state"] == "present"
        assert line["mx"]["evidence"]


@pytest.mark.parametrize("language", ["en", "tr"])
async def test_findings_are_told_in_the_language_asked_for(hunter: Hunter, language: str) -> None:
    title = {"en": "DMARC only watches", "tr": "DMARC yalnızca izliyor"}[language]
    zone = dedent("""
        acme.com MX 10 mx.natrohost.com
        acme.com TXT "v=spf1 -all"
        _dmarc.acme.com TXT "v=DMARC1; p=none; rua=mailto:x@acme.com"
        """)
    async with NameServer(zone) as server:
        dns = ":".join(map(str, server.address))
        table = await hunter("scan", "acme.com", "--lang", language, "--dns", dns)
        rows = await hunter("scan", "acme.com", "--lang", language, "--json", "--dns", dns)

    (finding,) = _lines(rows.out)[0]["findings"]
    assert (finding["code"], finding["title"]) == ("dmarc_policy_none", title)
    assert table.out.splitlines()[-1].startswith(f"warning: {title}. ")
    assert finding["source"] in table.out


async def test_array_is_one_json_array(hunter: Hunter, dns: str) -> None:
    ended = await hunter(
        "scan", COMPANIES[0].domain, COMPANIES[1].domain, "--json", "--array", "--dns", dns
    )

    assert {each["domain"] for each in json.loads(ended.out)} == {c.domain for c in COMPANIES[:2]}


async def test_full_depth_asks_more(hunter: Hunter, dns: str) -> None:
    company = BY_KIND["m365_new"]

    (quick,) = _lines((await hunter("scan", company.domain, "--json", "--dns", dns)).out)
    (full,) = _lines(
        (await hunter("scan", company.domain, "--json", "--depth", "full", "--dns", dns)).out
    )

    def known(line: dict[str, Any]) -> int:
        return sum(signal["state"] != "unknown" for signal in line["signals"].values())

    assert known(full) > known(quick)


async def test_urls_and_addresses_are_names_too_and_twice_is_once(hunter: Hunter, dns: str) -> None:
    domain = COMPANIES[0].domain

    ended = await hunter(
        "scan", f"https://www.{domain}/iletisim", f"info@{domain}", domain, "--json", "--dns", dns
    )

    assert [line["domain"] for line in _lines(ended.out)] == [domain]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("com.tr", "com.tr"),
        ("192.0.2.1", "192.0.2.1"),
        ("localhost", "localhost"),
        ("x" * 300 + ".test", "63"),
    ],
)
async def test_a_bad_name_is_told_and_the_good_ones_go_through(
    hunter: Hunter, dns: str, name: str, told: str
) -> None:
    ended = await hunter("scan", name, COMPANIES[0].domain, "--json", "--dns", dns)

    assert ended.code == Exit.USAGE
    assert ended.err.startswith(f"refused {name!r}: ")
    assert told in ended.err
    assert [line["domain"] for line in _lines(ended.out)] == [COMPANIES[0].domain]


@pytest.mark.parametrize("kind", ["servfail", "refused"])
async def test_an_unanswered_domain_is_unknown_and_code_3(
    hunter: Hunter, dns: str, kind: str
) -> None:
    company = BY_KIND[kind]

    ended = await hunter("scan", company.domain, "--json", "--dns", dns)

    (line,) = _lines(ended.out)
    assert ended.code == Exit.UNKNOWN
    assert (line["outcome"], line["segment"], line["provider"]) == ("unknown", "unknown", None)


async def test_when_nobody_answers_the_way_out_is_told(hunter: Hunter) -> None:
    ended = await hunter("scan", "kaya.test", "--dns", "127.0.0.1:1")

    assert ended.code == Exit.UNKNOWN
    assert ended.err.endswith(
        "no domain gave an answer; --dns IP[:PORT] names other name servers\n"
    )
    assert "unknown" in ended.out


async def test_an_untidy_company_list_is_read_as_it_is(
    hunter: Hunter, dns: str, tmp_path: Path
) -> None:
    listed = company_list(COMPANIES, 1100)
    (tmp_path / "fuar.csv").write_bytes(listed.data)

    ended = await hunter("scan", "-f", "fuar.csv", "--json", "--dns", dns)

    found = _lines(ended.out)
    assert {line["domain"] for line in found} == set(listed.domains)
    assert len(found) == len(listed.domains)
    assert all(line["company_name"] for line in found)
    assert f"{len(listed.bad_lines)} refused" in ended.err
    assert "refused line " in ended.err


@pytest.mark.parametrize("depth", ["quick", "full"])
async def test_every_mx_record_and_verdict_is_what_the_zone_says(
    hunter: Hunter, dns: str, tmp_path: Path, depth: str
) -> None:
    answering = [company for company in COMPANIES if company.kind != "timeout"]
    (tmp_path / "names.txt").write_text("".join(f"{c.domain}\n" for c in answering))

    ended = await hunter("scan", "-f", "names.txt", "--json", "--depth", depth, "--dns", dns)

    found = {line["domain"]: line for line in _lines(ended.out)}
    said = {name: _verdict(line) for name, line in found.items()}
    want = {company.domain: _expected(company) for company in answering}
    assert {name: v for name, v in said.items() if v != want[name]} == {}
    assert said.keys() == want.keys()


def _verdict(line: dict[str, Any]) -> tuple[Any, ...]:
    hosts = {f"{host['preference']} {host['host']}" for host in line["mx_hosts"]}
    return (
        hosts, line["mx_operator"], line["provider"], line["tenant_state"], line["mail_state"]
    )  # fmt: skip


def _expected(company: Company) -> tuple[Any, ...]:
    hosts = {r.rdata for r in company.records if r.rrtype is RRType.MX} - {"0 ."}
    return (
        hosts if company.answered else set(),
        company.mx_operator, company.provider, company.tenant_state, company.mail_state,
    )  # fmt: skip


async def test_a_list_can_come_through_a_pipe(hunter: Hunter, dns: str) -> None:
    stdin = f"website\n{COMPANIES[0].display}\n".encode()

    ended = await hunter("scan", "-f", "-", "--json", "--dns", dns, stdin=stdin)

    assert [line["domain"] for line in _lines(ended.out)] == [COMPANIES[0].domain]


async def test_a_file_without_companies_says_what_to_put_into_it(hunter: Hunter, dns: str) -> None:
    ended = await hunter("scan", "-f", "-", "--dns", dns, stdin=b"Ad;Tutar\nAli;5\nVeli;7\n")

    assert ended.code == Exit.USAGE
    assert "heading 'website' or 'email'" in ended.err


async def test_the_table_keeps_the_best_and_counts_the_rest(
    hunter: Hunter, dns: str, tmp_path: Path
) -> None:
    (tmp_path / "names.txt").write_text("".join(f"{c.domain}\n" for c in COMPANIES[:60]))

    ended = await hunter("scan", "-f", "names.txt", "--top", "3", "--dns", dns)

    priorities = [line.split()[0] for line in ended.out.splitlines()[1:-1] if line.startswith("P")]
    assert len(priorities) == 3
    assert priorities == sorted(priorities)
    assert ended.out.endswith("57 more; --top N shows them, --json all of them\n")


async def test_nothing_is_drawn_where_there_is_no_terminal(hunter: Hunter, dns: str) -> None:
    ended = await hunter("scan", COMPANIES[0].domain, "--dns", dns)

    assert "\x1b" not in ended.out + ended.err
    assert "━" not in ended.err
