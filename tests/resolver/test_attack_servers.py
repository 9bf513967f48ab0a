"""Servers that fail, lag, lose, disagree, die and come back; and never an absence out of it."""

from __future__ import annotations

import asyncio
import datetime as dt
import socket
from collections.abc import Awaitable, Callable

import dns.message
import pytest

from hunter.core.answers import Answer, Depth, Outcome, RRType
from hunter.core.judge import judge
from hunter.core.judgement import NO_HISTORY, ScanStatus, Segment
from hunter.knowledge.load import load_knowledge
from hunter.local.nameserver import NameServer
from hunter.resolver.engine import Engine
from hunter.resolver.questions import Budget, Lane
from hunter.resolver.survey import survey
from hunter.resolver.tuning import Tuning

Opener = Callable[..., Awaitable[Engine]]
Lies = Callable[..., Awaitable[list[str]]]

ZONE = """
contoso.com 300 SOA ns1.contoso.com host.contoso.com 1 2 3 4 60
contoso.com MX 0 contoso-com.mail.protection.outlook.com
contoso.com TXT "v=spf1 include:spf.protection.outlook.com -all"
contoso.com NS ns1.contoso.com
_dmarc.contoso.com TXT "v=DMARC1; p=reject"
autodiscover.contoso.com CNAME autodiscover.outlook.com
autodiscover.outlook.com A 192.0.2.5
"""
TRUE = ("0 contoso-com.mail.protection.outlook.com",)
_TODAY = dt.date(2026, 11, 24)
#: enough tries for the unlucky: 0.3 ** 8 is one in 15,000
PATIENT = Tuning(timeouts_s=(0.05,) * 8, tick_s=0.01, sockets_min=4)


async def one(engine: Engine, name: str = "contoso.com", rrtype: RRType = RRType.MX) -> Answer:
    (answer,) = await engine.ask([(name, rrtype)])
    return answer


def has_ipv6() -> bool:
    """True where ::1 can be bound."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


# ── failing, then fine; failing here, fine there ──


async def test_servfail_is_unknown_and_fine_the_next_time(
    engine: Engine, name_server: NameServer, lies: Lies
) -> None:
    name_server.load(ZONE + ";! . servfail-first=1")

    first = await lies(ZONE, engine, "contoso.com", Depth.QUICK)
    said = await survey(engine, "contoso.com", Depth.QUICK, load_knowledge())

    assert first == []
    assert said.answers["contoso.com MX"].records == TRUE
    assert {answer.outcome for answer in said.answers.values()} <= {
        Outcome.FOUND,
        Outcome.NODATA,
        Outcome.NXDOMAIN,
        Outcome.SERVFAIL,  # of what the first survey had no reason to ask
    }


async def test_a_shared_failure_is_forgotten_and_asked_anew(
    engine: Engine, name_server: NameServer
) -> None:
    name_server.load(ZONE + ";! contoso.com servfail-first=1")

    (failed,) = await engine.ask([("contoso.com", RRType.MX)], shared=True)
    key = ("contoso.com", RRType.MX)
    remembered = engine.cache.get(key, engine._loop.time())
    forgotten = engine.cache.get(key, engine._loop.time() + 6)
    (fine,) = await engine.ask([("contoso.com", RRType.MX)], shared=True)

    assert failed.outcome is Outcome.SERVFAIL
    assert remembered == failed
    assert forgotten is None
    assert fine.records == TRUE


@pytest.mark.parametrize("word", ["refused", "servfail", "notimp", "lame", "mangle-case", "cut=25"])
async def test_one_bad_server_of_two_changes_no_word(
    open_quick: Opener, lies: Lies, word: str
) -> None:
    async with NameServer(ZONE + f";! . {word}") as bad, NameServer(ZONE) as good:
        engine = await open_quick(bad, good)
        answers = [await one(engine) for _ in range(4)]

        assert await lies(ZONE, engine, "contoso.com", Depth.FULL) == []
    assert {answer.records for answer in answers} == {TRUE}
    assert bad.total


async def test_two_servers_that_disagree_give_one_answer_not_a_mixture(open_quick: Opener) -> None:
    other = "contoso.com MX 10 mx.elsewhere.example"
    async with NameServer(ZONE) as first, NameServer(other) as second:
        engine = await open_quick(first, second)
        answers = [await one(engine) for _ in range(8)]

    said = {(answer.server, answer.records) for answer in answers}
    assert said == {
        (f"127.0.0.1:{first.address[1]}", TRUE),
        (f"127.0.0.1:{second.address[1]}", ("10 mx.elsewhere.example",)),
    }


async def test_a_server_that_knows_no_edns_is_understood(open_quick: Opener, lies: Lies) -> None:
    async with NameServer(ZONE + ";! . formerr-on-edns") as server:
        engine = await open_quick(server)
        answer = await one(engine)
        asked = [dns.message.from_wire(packet.data).edns for packet in server.packets]

        assert await lies(ZONE, engine, "contoso.com", Depth.FULL) == []
    assert answer.records == TRUE
    assert asked == [0, -1]


async def test_a_server_that_drops_edns_is_unknown_and_not_absent(
    engine: Engine, name_server: NameServer, lies: Lies
) -> None:
    name_server.load(ZONE + ";! . drop-edns")

    assert (await one(engine)).outcome is Outcome.TIMEOUT
    assert await lies(ZONE, engine, "contoso.com", Depth.QUICK) == []


# ── slow and lossy ──


async def test_an_answer_slower_than_every_try_is_unknown(
    engine: Engine, name_server: NameServer, lies: Lies
) -> None:
    """4.9 s to tries of 1, 2 and 3 s, made shorter by the same measure."""
    name_server.load(ZONE + ";! . delay=400")

    assert (await one(engine)).outcome is Outcome.TIMEOUT
    assert await lies(ZONE, engine, "contoso.com", Depth.QUICK) == []


async def test_an_answer_after_4_9_seconds_is_unknown_and_nothing_is_concluded(
    name_server: NameServer, open_quick: Opener
) -> None:
    """The real thing, with the waits that workers have."""
    name_server.load(ZONE + ";! .contoso.com delay=4900")
    engine = await open_quick(name_server, tuning=Tuning())
    knowledge = load_knowledge()

    seen = await survey(engine, "contoso.com", Depth.QUICK, knowledge)
    said = judge(seen, NO_HISTORY, knowledge.rules, _TODAY)

    assert not any(answer.outcome.is_known for answer in seen.answers.values())
    assert seen.duration_ms < 15_000
    assert (said.scan_status, said.segment) == (ScanStatus.UNKNOWN, Segment.UNKNOWN)
    assert (said.provider, said.tenant_state, said.mail_state) == (None, "unknown", "unknown")
    assert said.score == 0


async def test_of_a_third_lost_nothing_is_wrong_and_nothing_absent(open_quick: Opener) -> None:
    names = [f"n{i}.example" for i in range(1500)]
    zone = "\n".join(f"{name} MX 10 mx{i}.mail.example" for i, name in enumerate(names))
    async with NameServer(zone + "\n;! . loss=30") as server:
        engine = await open_quick(server, tuning=PATIENT)
        answers = await engine.ask([(name, RRType.MX) for name in names], budget=Budget(99_999, 20))

    wrong = [
        answer
        for i, answer in enumerate(answers)
        if answer.outcome.is_known and answer.records != (f"10 mx{i}.mail.example",)
    ]
    assert wrong == []
    assert {answer.outcome for answer in answers} <= {Outcome.FOUND, Outcome.TIMEOUT}
    assert sum(answer.outcome is Outcome.FOUND for answer in answers) > 1400
    assert engine.usable
    assert engine.servers[0].inflight == 0


async def test_a_survey_over_a_lossy_way_says_nothing_false(open_quick: Opener, lies: Lies) -> None:
    async with NameServer(ZONE + ";! . loss=30") as server:
        engine = await open_quick(server)
        told = await asyncio.gather(
            *(lies(ZONE, engine, "contoso.com", depth) for depth in [*Depth] * 5)
        )

    assert [*told] == [[]] * 10


# ── other addresses ──


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6 loopback on this machine")
@pytest.mark.parametrize("word", ["ad", "truncate", "wrong-source", "wrong-id", "drop-first=1"])
async def test_a_server_may_have_an_ipv6_address(open_quick: Opener, lies: Lies, word: str) -> None:
    async with NameServer(ZONE + f";! . {word}", host="::1") as server:
        engine = await open_quick(server)
        answer = await one(engine)

        assert await lies(ZONE, engine, "contoso.com", Depth.QUICK) == []
    assert answer.records == TRUE
    assert answer.server == f"[::1]:{server.address[1]}"


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6 loopback on this machine")
async def test_a_dead_ipv6_server_leaves_the_work_to_the_living_one(open_quick: Opener) -> None:
    async with NameServer(host="::1") as gone:
        address = gone.address
    async with NameServer(ZONE) as living:
        engine = await open_quick(address, living)

        assert {(await one(engine)).records for _ in range(4)} == {TRUE}


# ── gone, and back ──


async def test_a_server_that_is_gone_and_back_never_made_a_domain_absent(
    open_quick: Opener,
) -> None:
    tuning = Tuning(timeouts_s=(0.05, 0.05, 0.05), tick_s=0.01, sockets_min=2, reopen_s=(0.05, 0.1))
    questions = [("contoso.com", RRType.MX), ("_dmarc.contoso.com", RRType.TXT)]
    said: list[Answer] = []

    async def asked_until(condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while True:
                said.extend(await engine.ask(questions))
                if condition():
                    return
                await asyncio.sleep(0.005)  # an open breaker answers at once

    async with NameServer(ZONE) as server:
        address = server.address
        engine = await open_quick(server, tuning=tuning)
        await asked_until(lambda: said[-1].outcome is Outcome.FOUND)
    await asked_until(lambda: not engine.usable)
    at_once = await engine.ask(questions, lane=Lane.INTERACTIVE)
    metrics_open = sum(each.is_open for each in engine.servers)
    async with NameServer(ZONE, port=address[1]):
        await asked_until(lambda: engine.usable and said[-1].outcome is Outcome.FOUND)

    assert {answer.outcome for answer in at_once} == {Outcome.UNREACHABLE}
    assert metrics_open == 1
    assert {answer.outcome for answer in said} <= {
        Outcome.FOUND,
        Outcome.TIMEOUT,
        Outcome.UNREACHABLE,
    }
    assert engine.servers[0].inflight == 0


async def test_while_one_of_two_is_gone_the_other_answers_everything(open_quick: Opener) -> None:
    tuning = Tuning(timeouts_s=(0.05, 0.05, 0.05), tick_s=0.01, sockets_min=2, reopen_s=(0.1, 0.2))
    names = [f"n{i}.example" for i in range(400)]
    zone = "\n".join(f"{name} MX 10 mx{i}.example" for i, name in enumerate(names))
    async with NameServer(zone) as stays:
        async with NameServer(zone + "\n;! . timeout") as goes:
            engine = await open_quick(goes, stays, tuning=tuning)
            dumb = await engine.ask([(name, RRType.MX) for name in names], budget=Budget(9999))
        gone = await engine.ask([(name, RRType.MX) for name in names], budget=Budget(9999))

    for answers in (dumb, gone):
        assert [answer.records for answer in answers] == [
            (f"10 mx{i}.example",) for i in range(400)
        ]
    assert engine.usable
