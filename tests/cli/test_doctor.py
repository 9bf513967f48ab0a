"""`hunter doctor dns` as an operator runs it: table, JSON, advice and exit codes."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hunter.cli.doctor import servers_to_check
from hunter.cli.main import Exit
from hunter.config import Config
from hunter.core.errors import Misconfigured
from hunter.local.nameserver import NameServer

if TYPE_CHECKING:
    from tests.cli.conftest import Hunter

ZONE = """
contoso.test 300 A 20.112.250.133
contoso.test 300 MX 10 mail.contoso.test
"""


def _text(server: NameServer) -> str:
    host, port = server.address
    return f"{host}:{port}"


@pytest.fixture
async def honest() -> AsyncIterator[str]:
    async with NameServer(ZONE) as server:
        yield _text(server)


@pytest.fixture
async def hijacker() -> AsyncIterator[str]:
    async with NameServer(f"{ZONE}\n;! . hijack") as server:
        yield _text(server)


async def test_the_configured_servers_are_checked_and_one_sentence_says_what_it_means(
    hunter: Hunter, honest: str
) -> None:
    ended = await hunter("doctor", "dns", "--known", "contoso.test", HUNTER_DNS_SERVERS=honest)

    assert ended.code == Exit.OK, ended.err
    first, *rows, _, last = ended.out.splitlines()
    assert first.startswith(f"{honest}  (")
    assert {row.split()[0] for row in rows} == {"ok"}
    assert last == "Hunter will see what these servers see, at full speed."


async def test_a_fault_ends_with_1_and_a_line_that_says_what_to_change(
    hunter: Hunter, honest: str, hijacker: str
) -> None:
    ended = await hunter(
        "doctor", "dns", "--known", "contoso.test", "--server", honest, "--server", hijacker
    )

    assert ended.code == Exit.FAILED
    assert re.search(r"fault +nxdomain +answers ", ended.out)
    assert "  → nxdomain: switch that off at the provider" in ended.out
    assert ended.out.splitlines()[-1].startswith(f"Hunter will be wrong: {hijacker} says")


async def test_a_warning_ends_with_0(hunter: Hunter) -> None:
    async with NameServer(f"{ZONE}\n;! . formerr-on-edns") as server:
        ended = await hunter("doctor", "dns", "--known", "contoso.test", "--server", _text(server))

    assert ended.code == Exit.OK
    assert re.search(r"warning +edns +refuses EDNS", ended.out)
    assert "  → edns: " in ended.out


async def test_a_dead_server_is_one_fault_and_one_line_of_what_could_not_be_checked(
    hunter: Hunter,
) -> None:
    ended = await hunter("doctor", "dns", "--server", "127.0.0.1:1")

    assert ended.code == Exit.FAILED
    assert "fault  reachable  Connection refused" in ended.out
    assert "  → reachable: start the server, open UDP and TCP port 1 to it" in ended.out
    assert ended.out.count("skipped") == 1
    assert ended.out.splitlines()[-1].startswith("Hunter will see nothing")


async def test_json_has_stable_names(hunter: Hunter, honest: str, hijacker: str) -> None:
    ended = await hunter(
        "doctor", "dns", "--json", "--known", "contoso.test",
        "--server", honest, "--server", hijacker,
    )  # fmt: skip

    report = json.loads(ended.out)
    assert ended.code == Exit.FAILED
    assert list(report) == ["verdict", "statement", "servers", "checks"]
    assert report["verdict"] == "wrong"
    good, bad = report["servers"]
    assert list(good) == ["server", "checks", "median_ms", "p95_ms", "questions"]
    assert (good["server"], bad["server"]) == (honest, hijacker)
    assert [each["check"] for each in good["checks"]] == [
        "reachable", "recursion", "edns", "tcp", "truncation", "known_names", "record_types",
        "nxdomain", "matching", "dnssec", "latency", "rate",
    ]  # fmt: skip
    assert {each["level"] for each in good["checks"]} == {"ok"}
    (fault,) = [each for each in bad["checks"] if each["level"] == "fault"]
    assert list(fault) == ["check", "level", "detail", "advice"]
    assert [each["check"] for each in report["checks"]] == ["agreement"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["dns", "--server", "dns.example"], "--server: 'dns.example' is not an IP address"),
        (["dns", "--server", "192.0.2.1:99999"], "--server: wants a whole number"),
        (["dns", "--known", "not a name"], "--known: "),
        (["dns", "--servers"], "unrecognized arguments"),
        (["mail"], "invalid choice: 'mail'"),
    ],
)
async def test_wrong_arguments_end_with_2_and_one_line(
    hunter: Hunter, arguments: list[str], told: str
) -> None:
    ended = await hunter("doctor", *arguments)

    assert ended.code == Exit.USAGE
    assert told in ended.err
    assert len(ended.err.splitlines()) == 1
    assert ended.out == ""


def test_a_machine_without_a_name_server_is_told_where_to_name_one(tmp_path: Path) -> None:
    resolv_conf = tmp_path / "resolv.conf"
    resolv_conf.write_text("search example.com\n")

    with pytest.raises(Misconfigured, match=r"names none; set HUNTER_DNS_SERVERS=IP\[:PORT\]"):
        servers_to_check([], Config(), resolv_conf)


def test_the_servers_of_resolv_conf_are_checked_where_none_is_configured(tmp_path: Path) -> None:
    resolv_conf = tmp_path / "resolv.conf"
    resolv_conf.write_text("nameserver 192.0.2.53\nnameserver 192.0.2.53\n")

    assert servers_to_check([], Config(), resolv_conf) == (("192.0.2.53", 53),)


async def test_without_a_topic_all_is_looked_at_and_what_is_away_ends_with_1(
    hunter: Hunter, honest: str
) -> None:
    ended = await hunter("doctor", "--json", HUNTER_DNS_SERVERS=honest)

    assert ended.code == Exit.FAILED
    levels = {each["name"]: each["level"] for each in json.loads(ended.out)}
    assert levels["database"] == levels["redis"] == "fault"
    assert levels[f"dns {honest}"] == "ok"
    shown = await hunter("doctor", HUNTER_DNS_SERVERS=honest)
    assert "→ database: set HUNTER_DATABASE_URL" in shown.out
