"""Thousands of domains against servers that do something else to every datagram."""

from __future__ import annotations

import asyncio
import logging
import re
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from hunter.config import Config
from hunter.core.answers import Answer, Outcome, RRType
from hunter.local.nameserver import NameServer
from hunter.ops.metrics import Metrics
from hunter.resolver.engine import Engine
from hunter.resolver.opening import open_engine
from hunter.resolver.questions import Budget, Lane
from hunter.resolver.tuning import Tuning

Opener = Callable[..., Awaitable[Engine]]

STORMY = Tuning(
    timeouts_s=(0.1, 0.1, 0.1), tick_s=0.01, tcp_timeout_s=0.2, sockets_min=4, rotate_after=500
)
DOMAINS = 2500
ASKED = (RRType.MX, RRType.TXT, RRType.CNAME)


def _zone() -> str:
    """Four kinds of domains: with everything, with mail only, behind an alias, and none at all."""
    lines = []
    for i in range(DOMAINS):
        name = f"d{i}.example"
        if i % 4 < 2:
            lines += [
                f"{name} MX 10 mx{i}.mail.example",
                f"{name} 60 SOA a.example b.example 1 2 3 4 60",
            ]
        if i % 4 == 0:
            lines.append(f'{name} TXT "v=spf1 include:i{i}.example -all"')
        if i % 4 == 2:
            lines += [f"{name} CNAME t{i}.example", f"t{i}.example MX 5 mx{i}.mail.example"]
    return "\n".join(lines)


@pytest.fixture
async def faults(caplog: pytest.LogCaptureFixture) -> AsyncIterator[list[Any]]:
    """What the event loop was told of exceptions that nobody caught; at the end that and the log are empty."""
    loop = asyncio.get_running_loop()
    found: list[Any] = []
    before = loop.get_exception_handler()
    loop.set_exception_handler(lambda _loop, context: found.append(context))
    with caplog.at_level(logging.WARNING):
        yield found
    loop.set_exception_handler(before)
    assert [*found, *caplog.messages] == []


async def truth_of(zone: str, open_quick: Opener) -> dict[tuple[str, RRType], Answer]:
    async with NameServer(zone) as honest:
        engine = await open_quick(honest)
        questions = [(f"d{i}.example", rrtype) for i in range(DOMAINS) for rrtype in ASKED]
        answers = await engine.ask(questions, budget=Budget(99_999))
    assert all(answer.outcome.is_known for answer in answers)
    return dict(zip(questions, answers, strict=True))


def said_of(answer: Answer) -> tuple[object, ...]:
    return answer.outcome, answer.records, answer.chain


@pytest.mark.parametrize(("seed", "mixed_case"), [(1, False), (2, False), (3, True)])
async def test_in_a_storm_every_answer_is_right_or_unknown(
    open_quick: Opener, faults: list[Any], seed: int, mixed_case: bool
) -> None:
    zone = _zone()
    truth = await truth_of(zone, open_quick)
    async with (
        NameServer(f"{zone}\n;! . storm=60", seed=seed, record=False) as first,
        NameServer(f"{zone}\n;! . storm=90", seed=seed + 100, record=False) as second,
    ):
        engine = await open_quick(first, second, tuning=STORMY, dns_0x20=mixed_case)
        batches = await asyncio.gather(
            *(
                engine.ask(
                    [(f"d{i}.example", rrtype) for rrtype in ASKED],
                    lane=Lane.INTERACTIVE if i % 50 == 0 else Lane.BULK,
                    shared=i % 7 == 0,
                )
                for i in range(DOMAINS)
            )
        )
        async with asyncio.timeout(5):
            while sum(server.inflight for server in engine.servers):
                await asyncio.sleep(0.01)  # a probe may still be under way
        answers = [answer for batch in batches for answer in batch]

    wrong = [
        (said_of(answer), said_of(truth[answer.name, answer.rrtype]))
        for answer in answers
        if answer.outcome.is_known and said_of(answer) != said_of(truth[answer.name, answer.rrtype])
    ]
    known = sum(answer.outcome.is_known for answer in answers)
    told = Counter(answer.outcome for answer in answers)
    assert wrong == []
    # the storm leaves most of it to be found out, and does take its toll
    assert len(answers) * 0.5 < known < len(answers), told
    assert engine.ignored > 1000
    assert faults == []
    _balances(engine, len(answers))


async def test_what_became_of_every_message_is_a_metric(name_server: NameServer) -> None:
    name_server.load(
        "a.example MX 1 mx.example\n;! a.example wrong-id\n;! b.example timeout\n"
        "c.example TXT x\n;! c.example truncate tcp-close\n;! d.example delay=300"
    )
    metrics = Metrics()
    config = Config(dns_servers=(name_server.address,))
    async with open_engine(config, metrics, tuning=STORMY) as engine:
        await engine.ask([(f"{name}.example", RRType.MX) for name in "abc"])
        await engine.ask([("d.example", RRType.MX)], budget=Budget(60, 0.05))
        shown = metrics.render().decode()

    told = dict(re.findall(r'hunter_dns_messages_total\{event="(\w+)"\} (\d+)', shown))
    # a: 1; b: 3 times; c: 3 times over UDP and over TCP; d: 1
    assert told == {
        "sent": "11",
        "answered": "4",
        "lost": "3",
        "broken": "3",
        "released": "1",
        "ignored": "1",
    }


def _balances(engine: Engine, asked: int) -> None:
    """Each message sent has ended once, and each question has ended once."""
    tally = engine.tally
    assert tally.sent == engine.heard + tally.lost + tally.broken + tally.released
    assert [server.inflight for server in engine.servers] == [0, 0]
    for ports in engine._ports:
        assert not ports.tcp.pending
        assert not any(port.pending for port in ports.udp)
    probes = sum(count for (kind, _), count in tally.ended().items() if kind == "NS")
    assert sum(tally.ended().values()) - probes == asked


async def test_a_storm_while_servers_go_and_come_leaves_nothing_behind(
    open_quick: Opener, faults: list[Any]
) -> None:
    zone = _zone()
    truth = await truth_of(zone, open_quick)
    stormy = f"{zone}\n;! . storm=40"
    async with NameServer(stormy, seed=5, record=False) as stays:
        async with NameServer(stormy, seed=6, record=False) as goes:
            address = goes.address
            engine = await open_quick(goes, stays, tuning=STORMY)
            asking = [
                asyncio.ensure_future(engine.ask([(f"d{i}.example", RRType.MX)]))
                for i in range(DOMAINS)
            ]
            await asyncio.wait(asking[:200])
        for task in asking[1000:1200]:
            task.cancel()  # whoever asked has gone
        async with NameServer(stormy, port=address[1], seed=7, record=False):
            done = await asyncio.gather(*asking, return_exceptions=True)
            async with asyncio.timeout(5):
                while sum(server.inflight for server in engine.servers):
                    await asyncio.sleep(0.01)

    for result in done:
        if isinstance(result, BaseException):
            assert isinstance(result, asyncio.CancelledError)
            continue
        (answer,) = result
        right = truth[answer.name, answer.rrtype]
        assert said_of(answer) == said_of(right) or not answer.outcome.is_known
    assert {Outcome.FOUND, Outcome.NXDOMAIN} <= {
        result[0].outcome for result in done if not isinstance(result, BaseException)
    }
    assert [server.inflight for server in engine.servers] == [0, 0]
    assert faults == []
