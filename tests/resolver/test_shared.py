"""Names that many domains share are asked once."""

from __future__ import annotations

import asyncio

from hunter.core.answers import Outcome, RRType
from hunter.local.nameserver import NameServer
from hunter.resolver.engine import Engine
from hunter.resolver.questions import Budget

SPF = ("_spf.example.com", RRType.TXT)
ZONE = '_spf.example.com 300 TXT "v=spf1 -all"\n'


async def test_a_shared_answer_comes_from_memory(engine: Engine, name_server: NameServer) -> None:
    name_server.load(ZONE)

    first = await engine.ask([SPF], shared=True)
    second = await engine.ask([SPF], shared=True)

    assert first == second
    assert name_server.total == 1


async def test_a_question_that_is_not_shared_never_comes_from_memory(
    engine: Engine, name_server: NameServer
) -> None:
    name_server.load(ZONE)

    await engine.ask([SPF], shared=True)
    await engine.ask([SPF])

    assert name_server.total == 2


async def test_many_who_ask_at_once_ask_once(engine: Engine, name_server: NameServer) -> None:
    name_server.load(ZONE + ";! _spf.example.com delay=30")

    answers = await asyncio.gather(*(engine.ask([SPF], shared=True) for _ in range(50)))

    assert {a.records for (a,) in answers} == {("v=spf1 -all",)}
    assert name_server.total == 1
    assert engine.sharing.joined == 49


async def test_the_same_shared_question_twice_in_a_batch_is_asked_once(
    engine: Engine, name_server: NameServer
) -> None:
    name_server.load(ZONE)

    answers = await engine.ask([SPF, SPF], shared=True)

    assert [a.outcome for a in answers] == [Outcome.FOUND] * 2
    assert name_server.total == 1


async def test_a_failure_is_remembered_shortly(engine: Engine, name_server: NameServer) -> None:
    name_server.load(ZONE + ";! _spf.example.com servfail-first=1")

    answers = [await engine.ask([SPF], shared=True) for _ in range(2)]

    assert [a.outcome for (a,) in answers] == [Outcome.SERVFAIL] * 2
    assert name_server.total == 1


async def test_who_has_no_time_left_does_not_take_it_from_the_others(
    engine: Engine, name_server: NameServer
) -> None:
    name_server.load(ZONE + ";! _spf.example.com delay=100")

    hasty = engine.ask([SPF], shared=True, budget=Budget(seconds=0.03))
    patient = engine.ask([SPF], shared=True)

    assert (await hasty)[0].outcome is Outcome.BUDGET
    assert (await patient)[0].outcome is Outcome.FOUND


async def test_the_first_who_asks_pays(engine: Engine, name_server: NameServer) -> None:
    name_server.load(ZONE + ";! _spf.example.com drop-first=1")
    budget, other = Budget(), Budget()

    await asyncio.gather(
        engine.ask([SPF], shared=True, budget=budget), engine.ask([SPF], shared=True, budget=other)
    )

    assert (budget.used, other.used) == (2, 0)


async def test_a_name_that_cannot_be_asked_is_no_flight(engine: Engine) -> None:
    (answer,) = await engine.ask([("a..b", RRType.TXT)], shared=True)

    assert answer.outcome is Outcome.MALFORMED


# ── who pays ──

#: a CNAME to another name of the same kind, one a message
ENDLESS = "\n".join(
    f"{chr(97 + step)}{number}.hostile.example 300 CNAME {chr(98 + step)}{number}.hostile.example"
    for number in range(12)
    for step in range(7)
)
HOSTILE = f"hostile.example SOA a.example b.example 1 2 3 4 60\n{ENDLESS}\n;! . no-chase"


async def test_shared_questions_cost_no_more_than_the_budget_of_who_asks(
    engine: Engine, name_server: NameServer
) -> None:
    name_server.load(HOSTILE)
    budget = Budget(queries=20)

    answers = await engine.ask(
        [(f"a{number}.hostile.example", RRType.TXT) for number in range(12)],
        shared=True,
        budget=budget,
    )

    assert name_server.total == budget.used == 20
    assert {answer.outcome for answer in answers} <= {Outcome.BUDGET, Outcome.NXDOMAIN}


async def test_the_next_who_waits_pays_when_the_first_has_no_budget_left(
    engine: Engine, name_server: NameServer
) -> None:
    name_server.load(HOSTILE)
    question = ("a0.hostile.example", RRType.TXT)
    poor, rich = Budget(queries=3), Budget()

    answers = await asyncio.gather(
        *(engine.ask([question], shared=True, budget=budget) for budget in (poor, rich))
    )

    assert {answer.outcome for (answer,) in answers} == {Outcome.NXDOMAIN}
    assert (poor.used, rich.used) == (3, 5)


async def test_a_spent_budget_is_not_remembered_for_others(
    engine: Engine, name_server: NameServer
) -> None:
    name_server.load(ZONE)

    (refused,) = await engine.ask([SPF], shared=True, budget=Budget(queries=0))
    (answer,) = await engine.ask([SPF], shared=True)

    assert refused.outcome is Outcome.BUDGET
    assert answer.outcome is Outcome.FOUND
    assert name_server.total == 1
