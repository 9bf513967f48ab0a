"""The checkup of name servers, against servers that do each thing wrong, and what follows from it."""

from __future__ import annotations

import socket
from contextlib import AsyncExitStack

import pytest

from hunter.local.nameserver import NameServer
from hunter.resolver.checkup import KNOWN_NAMES, MAX_QUESTIONS, examine
from hunter.resolver.findings import Check, Finding, Level, Report, Verdict

HONEST = """
microsoft.com 300 A 20.112.250.133
microsoft.com 300 MX 10 microsoft-com.mail.protection.outlook.com
microsoft.com 300 TXT "v=spf1 include:_spf-a.microsoft.com -all"
google.com 300 A 142.250.1.1
outlook.com 300 A 40.97.1.1
iana.org 300 A 192.0.43.8
"""
LARGE = "\n".join(f'microsoft.com 300 TXT "token{n}={"x" * 90}"' for n in range(9))


async def checked(*zones: str, timeout_s: float = 0.2) -> Report:
    async with AsyncExitStack() as stack:
        servers = [await stack.enter_async_context(NameServer(zone)) for zone in zones]
        return await examine([server.address for server in servers], timeout_s=timeout_s)


def finding(report: Report, check: Check) -> Finding:
    (found,) = [each for each in report.servers[0].checks if each.check is check]
    return found


async def test_an_honest_server_passes_every_check_within_the_promised_number_of_questions() -> (
    None
):
    async with NameServer(HONEST + LARGE) as server:
        report = await examine([server.address])

    (only,) = report.servers
    assert {each.check: each.level for each in only.checks} == dict.fromkeys(
        [check for check in Check if check is not Check.AGREEMENT], Level.OK
    )
    assert server.total == only.questions <= MAX_QUESTIONS
    assert only.median_ms is not None
    assert only.p95_ms is not None
    assert report.verdict is Verdict.FINE
    assert report.statement == "Hunter will see what these servers see, at full speed."


@pytest.mark.parametrize(
    ("script", "check", "level", "seen"),
    [
        (";! . timeout", Check.REACHABLE, Level.FAULT, "no answer over UDP"),
        (";! . refused", Check.RECURSION, Level.FAULT, "does not look up names for this machine"),
        (";! . lame", Check.RECURSION, Level.FAULT, "does not look up names for this machine"),
        (";! .com servfail\n;! .org servfail", Check.RECURSION, Level.FAULT, "servfail"),
        (";! . no-ra", Check.RECURSION, Level.WARNING, "RA is not set"),
        (";! . drop-edns", Check.EDNS, Level.FAULT, "never answers a question with EDNS"),
        (";! . formerr-on-edns", Check.EDNS, Level.WARNING, "refuses EDNS"),
        (";! . no-opt", Check.EDNS, Level.WARNING, "ignores EDNS"),
        (";! . tcp-close", Check.TCP, Level.FAULT, "the connection was closed"),
        (";! . tcp-timeout", Check.TCP, Level.FAULT, "no answer over TCP"),
        (";! . tcp-half", Check.TCP, Level.FAULT, "no answer over TCP"),
        (LARGE + "\n;! .com TXT tcp-close", Check.TRUNCATION, Level.FAULT, "unreachable"),
        (LARGE + "\n;! .com TXT tcp-truncate", Check.TRUNCATION, Level.FAULT, "over TCP either"),
        (LARGE, Check.TRUNCATION, Level.OK, "comes whole over TCP"),
        (";! google.com nxdomain", Check.KNOWN_NAMES, Level.FAULT, "NXDOMAIN for google.com"),
        ("google.com 300 A 0.0.0.0", Check.KNOWN_NAMES, Level.FAULT, "0.0.0.0 for google.com"),
        (";! iana.org servfail", Check.KNOWN_NAMES, Level.WARNING, "finds 3 of 4 names"),
        (";! .com TXT timeout", Check.RECORD_TYPES, Level.FAULT, "questions for TXT"),
        (";! .com AAAA notimp", Check.RECORD_TYPES, Level.FAULT, "questions for AAAA"),
        (";! . hijack", Check.NXDOMAIN, Level.FAULT, "answers "),
        (
            "invalid NS ns.invalid\n*.invalid TXT x",
            Check.NXDOMAIN,
            Level.FAULT,
            "no data instead of NXDOMAIN",
        ),
        (
            ";! .invalid servfail\n;! .net servfail\n;! .com servfail\n;! microsoft.com duplicate",
            Check.NXDOMAIN,
            Level.WARNING,
            "says nothing about names",
        ),
        (";! . mangle-case", Check.MATCHING, Level.WARNING, "changes the case"),
        (";! . wrong-id", Check.MATCHING, Level.WARNING, "belong to no question"),
        (";! . ad", Check.DNSSEC, Level.OK, "validates (AD is set)"),
        (";! . NS delay=120", Check.LATENCY, Level.WARNING, "median 12"),
        (";! . burst=4", Check.RATE, Level.WARNING, "of 10 questions at once"),
    ],
)
async def test_each_misbehaviour_is_found_and_said(
    script: str, check: Check, level: Level, seen: str
) -> None:
    report = await checked(f"{HONEST}\n{script}")

    found = finding(report, check)
    assert found.level is level, found
    assert seen in found.detail
    assert bool(found.advice) is (level in {Level.WARNING, Level.FAULT})


@pytest.mark.parametrize(
    ("script", "verdict", "statement"),
    [
        (";! . timeout", Verdict.BLIND, "Hunter will see nothing"),
        (";! . drop-edns", Verdict.BLIND, "Hunter will see nothing"),
        (";! . hijack", Verdict.WRONG, "Hunter will be wrong"),
        (";! google.com nxdomain", Verdict.WRONG, "Hunter will be wrong"),
        (";! . tcp-close", Verdict.DEGRADED, "stay unknown (tcp)"),
        (";! . formerr-on-edns", Verdict.FINE, "the warnings cost it speed"),
        ("", Verdict.FINE, "at full speed"),
    ],
)
async def test_the_verdict_says_what_it_does_to_hunter(
    script: str, verdict: Verdict, statement: str
) -> None:
    report = await checked(f"{HONEST}\n{script}")

    assert report.verdict is verdict
    assert statement in report.statement


async def test_a_port_where_nobody_listens_is_told_in_the_words_of_the_system() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        address = sock.getsockname()

    report = await examine([address])

    assert finding(report, Check.REACHABLE).detail == "Connection refused"
    assert {each.level for each in report.servers[0].checks[1:]} == {Level.SKIPPED}
    assert report.servers[0].questions == 3


async def test_a_server_is_checked_over_ipv6() -> None:
    try:
        async with NameServer(HONEST, host="::1") as server:
            report = await examine([server.address])
    except OSError as error:
        pytest.skip(f"no IPv6 here: {error}")

    assert report.servers[0].server == f"[::1]:{server.address[1]}"
    assert report.verdict is Verdict.FINE


async def test_one_dead_server_of_two_degrades_and_the_other_is_still_checked() -> None:
    report = await checked(HONEST, f"{HONEST}\n;! . timeout")

    assert report.verdict is Verdict.DEGRADED
    assert "1 of 2 name servers" in report.statement
    assert [server.is_usable for server in report.servers] == [True, False]
    assert [each.level for each in report.checks] == [Level.SKIPPED]


async def test_servers_that_contradict_each_other_are_found() -> None:
    report = await checked(HONEST, HONEST.replace("iana.org", "iana.net"))

    (agreement,) = report.checks
    assert agreement.level is Level.FAULT
    assert agreement.detail.startswith("iana.org: 127.0.0.1:")
    assert "says nxdomain" in agreement.detail


async def test_servers_with_other_mail_hosts_get_a_warning() -> None:
    report = await checked(HONEST, HONEST.replace("MX 10 microsoft-com", "MX 10 inside"))

    (agreement,) = report.checks
    assert agreement.level is Level.WARNING
    assert "different MX records for microsoft.com" in agreement.detail
    assert report.verdict is Verdict.FINE


async def test_servers_that_agree_are_said_to() -> None:
    report = await checked(HONEST, HONEST)

    assert [each.level for each in report.checks] == [Level.OK]


@pytest.mark.parametrize(
    "script", [";! .com timeout\n;! .org timeout", ";! . loss=60", ";! . storm=60"]
)
async def test_the_worst_server_gets_no_more_questions_than_promised(script: str) -> None:
    async with NameServer(f"{HONEST}\n{script}") as server:
        report = await examine([server.address], timeout_s=0.2)

    assert server.total <= MAX_QUESTIONS
    assert len(report.servers[0].checks) == len(Check) - 1


async def test_what_no_time_is_left_for_is_skipped_and_said() -> None:
    async with NameServer(f"{HONEST}\n;! .com timeout\n;! .org timeout") as server:
        report = await examine([server.address], timeout_s=5, within_s=0.3)

    levels = {each.check: each.level for each in report.servers[0].checks}
    assert levels[Check.REACHABLE] is Level.OK
    assert levels[Check.RECURSION] is Level.SKIPPED
    assert finding(report, Check.RECURSION).detail == "no time left after 0.3 s"
    assert report.verdict is Verdict.DEGRADED


async def test_only_the_given_names_are_asked_about() -> None:
    async with NameServer(
        "intra.test 300 A 20.1.1.1\nintra.test 300 MX 10 mail.intra.test"
    ) as server:
        report = await examine([server.address], ["intra.test"])

    asked = {question.split()[0] for question in server.queries}
    assert not asked & set(KNOWN_NAMES)
    assert all(name == "." or "hunter-" in name or name.lower() == "intra.test" for name in asked)
    assert report.verdict is Verdict.FINE
