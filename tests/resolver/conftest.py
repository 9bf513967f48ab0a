"""A loopback name server and an engine with short waits."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack

import pytest

from hunter.config import Config
from hunter.core.answers import Depth, Outcome, Survey
from hunter.core.judge import judge
from hunter.core.judgement import NO_HISTORY, Judgement, Signal, State
from hunter.knowledge.load import load_knowledge
from hunter.local.nameserver import NameServer
from hunter.resolver.engine import Engine
from hunter.resolver.opening import open_engine
from hunter.resolver.questions import Budget
from hunter.resolver.survey import survey
from hunter.resolver.tuning import Tuning

QUICK = Tuning(timeouts_s=(0.15, 0.15, 0.15), tick_s=0.01, tcp_timeout_s=0.3, sockets_min=4)
#: no try of the judge's ends before its answer, however busy the machine
PATIENT = Tuning(timeouts_s=(5.0, 5.0), tick_s=0.01, tcp_timeout_s=5.0, sockets_min=4)


@pytest.fixture
async def name_server() -> AsyncIterator[NameServer]:
    """An empty name server; `load` gives it a zone."""
    async with NameServer() as server:
        yield server


@pytest.fixture
async def open_quick() -> AsyncIterator[Callable[..., Awaitable[Engine]]]:
    """Opens an engine for some servers; tries last 0.15 s unless told otherwise."""
    async with AsyncExitStack() as stack:

        async def opened(
            *servers: NameServer | tuple[str, int], tuning: Tuning = QUICK, **settings: object
        ) -> Engine:
            addresses = tuple(s.address if isinstance(s, NameServer) else s for s in servers)
            config = Config(dns_servers=addresses, **settings)  # type: ignore[arg-type]
            return await stack.enter_async_context(open_engine(config, tuning=tuning))

        yield opened


@pytest.fixture
async def engine(name_server: NameServer, open_quick: Callable[..., Awaitable[Engine]]) -> Engine:
    """An engine that asks `name_server`."""
    return await open_quick(name_server)


#: what a judgement states beside its signals; None and "unknown" state nothing
_STATED = (
    "provider",
    "mx_operator",
    "gateway",
    "tenant_state",
    "tenant_name",
    "mail_state",
    "local_provider",
    "segment",
    "dmarc_policy",
    "posture",
)
Lies = Callable[..., Awaitable[list[str]]]


def _judged(seen: Survey) -> Judgement:
    return judge(seen, NO_HISTORY, load_knowledge().rules, dt.date(2026, 11, 24))


def _false_words(truth: Judgement, said: Judgement) -> Iterator[str]:
    """Every statement of a judgement that the true one does not make."""
    for name in _STATED:
        true, told = getattr(truth, name), getattr(said, name)
        if told not in {true, None, "unknown"}:
            yield f"{name} is {told}, not {true}"
    signals = {"mx": (truth.mx, said.mx), "spf": (truth.spf, said.spf)}
    signals |= {"dkim": (truth.dkim, said.dkim)}
    for name, signal in said.signals.items():
        signals[name] = (truth.signals.get(name, Signal(State.UNKNOWN)), signal)
    for name, (true_signal, told_signal) in signals.items():
        if told_signal.state not in {true_signal.state, State.UNKNOWN}:
            yield f"{name} is {told_signal.state}, not {true_signal.state}"
    for kind in ("products", "findings"):
        codes = [
            {getattr(each, "id", None) or getattr(each, "code", "") for each in getattr(of, kind)}
            for of in (truth, said)
        ]
        if codes[1] - codes[0]:
            yield f"{kind}: {codes[1] - codes[0]} beside {codes[0]}"


async def _heard(oracle: Engine, domain: str, depth: Depth) -> Survey:
    """What the honest server says, asked again when a busy machine lost a message twice."""
    silent = {Outcome.TIMEOUT, Outcome.UNREACHABLE}
    for _ in range(3):
        truth = await survey(oracle, domain, depth, load_knowledge())
        if not any(each.outcome in silent for each in truth.answers.values()):
            return truth
    pytest.fail("the honest server was not heard three times in a row")


@pytest.fixture
async def lies(open_quick: Callable[..., Awaitable[Engine]]) -> AsyncIterator[Lies]:
    """Surveys a domain of a zone through an engine that is lied to, and lists all that is false then.

    False is a known answer that an honest server over the same zone does not give, and a statement
    of the judgement that the honest answers do not bear out. Silence is never false.
    """
    async with AsyncExitStack() as stack:

        async def told(zone: str, engine: Engine, domain: str, depth: Depth) -> list[str]:
            honest = await stack.enter_async_context(NameServer(zone))
            oracle = await open_quick(honest, tuning=PATIENT)
            knowledge = load_knowledge()
            truth = await _heard(oracle, domain, depth)
            said = await survey(engine, domain, depth, knowledge)
            true = await oracle.ask(
                [(each.name, each.rrtype) for each in said.answers.values()], budget=Budget(999)
            )
            wrong = [
                f"{answer.question} is {answer.outcome} {answer.records}"
                for answer, right in zip(said.answers.values(), true, strict=True)
                if answer.outcome.is_known
                and (answer.outcome, sorted(answer.records), answer.chain)
                != (right.outcome, sorted(right.records), right.chain)
            ]
            return [*wrong, *_false_words(_judged(truth), _judged(said))]

        yield told
