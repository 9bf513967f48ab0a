"""The clients of the DNS benchmarks in Python: how each asks about one company, and what it tells."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiodns
import dns.asyncresolver
import dns.exception
import dns.nameserver
import dns.resolver
import pycares
from dns_zone import LOST, Question, Told, domain_of, expected_at, expected_of, questions_of

from hunter.config import Config
from hunter.core.answers import Answer, Depth, RRType, Survey
from hunter.core.dmarc import without_mailboxes
from hunter.resolver.opening import open_engine
from hunter.resolver.survey import survey
from hunter.resolver.tuning import Tuning


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One measurement: which client asks what, and how much of it at a time."""

    client: str
    #: questions in flight at most; the number of companies asked about at once follows from it
    in_flight: int
    domains: int
    #: companies asked about before the clock starts
    warm: int = 0
    #: "" for the eight questions of a company, else the depth of a survey
    depth: str = ""
    loop: str = "uvloop"
    #: the engine's window: True opens it to `in_flight` at once, False leaves it to the engine
    fixed: bool = True
    #: aiodns: resolvers, each a channel of its own, taken in turn
    resolvers: int = 1


@dataclass(slots=True)
class Verdict:
    """Questions asked, without an answer, and with another answer than the zone's."""

    asked: int = 0
    lost: int = 0
    wrong: int = 0

    def count(self, told: Told, wanted: Told | None) -> None:
        """Compare one answer; without a wanted one only its presence counts."""
        self.asked += 1
        if told == LOST:
            self.lost += 1
        elif wanted is not None and told != wanted:
            self.wrong += 1


@dataclass(frozen=True, slots=True)
class Client:
    """An open client: asks about a company by its number, and compares what came back."""

    ask: Callable[[int], Awaitable[Any]]
    compare: Callable[[int, Any, Verdict], None]


Open = Callable[[Run, int], AbstractAsyncContextManager[Client]]


# ── Hunter's engine: one future for all questions about a company ──


def _config(run: Run, port: int) -> tuple[Config, Tuning]:
    server = (("127.0.0.1", port),)
    if not run.fixed:
        return Config(dns_servers=server), Tuning()
    # a tenth of the window is kept for people
    window = run.in_flight * 10 // 9 + 1
    return Config(dns_servers=server, dns_window=window), Tuning(first_window=window)


@asynccontextmanager
async def open_own(run: Run, port: int) -> AsyncIterator[Client]:
    """The engine, asked the eight questions, or all that a survey of `depth` asks."""
    config, tuning = _config(run, port)
    async with open_engine(config, tuning=tuning) as engine:

        async def look(number: int) -> Survey:
            return await survey(engine, domain_of(number), Depth(run.depth), _Hints())

        if run.depth:
            yield Client(look, _compare_survey)
        else:
            yield Client(lambda number: engine.ask(questions_of(number)), _compare_answers)


class _Hints:
    def hides_mailboxes(self, hosts: Sequence[str], domain: str) -> bool:
        """False: every domain is asked the same."""
        return False

    def selectors_for(self, hosts: Sequence[str], depth: Depth) -> Sequence[str]:
        """What the operator of these companies uses."""
        del hosts, depth
        return ("selector1", "selector2")


def _own_told(answer: Answer) -> Told:
    return " | ".join(sorted(answer.records)) if answer.outcome.is_known else LOST


def _compare_answers(number: int, answers: Sequence[Answer], verdict: Verdict) -> None:
    for answer, wanted in zip(answers, expected_of(number), strict=True):
        verdict.count(_own_told(answer), wanted)


def _compare_survey(number: int, found: Survey, verdict: Verdict) -> None:
    for answer in found.answers.values():
        wanted = expected_at(answer.name, answer.rrtype)
        # a survey keeps no mailbox of a report address
        verdict.count(_own_told(answer), None if wanted is None else without_mailboxes(wanted))
    if f"{domain_of(number)} {RRType.MX}" not in found.answers:
        verdict.wrong += 1


async def labels_of(depth: str, port: int) -> list[tuple[str, RRType]]:
    """What a survey asks about a company's own names: label ("" is the domain) and type.

    Taken from a survey, so that the peers are asked what the engine is asked. Names that many
    companies share are left out: the engine has them from its cache.
    """
    domain = domain_of(0)
    config = Config(dns_servers=(("127.0.0.1", port),))
    async with open_engine(config) as engine:
        found = await survey(engine, domain, Depth(depth), _Hints())
    names = [
        (answer.name.replace("*", "no-such-label"), answer.rrtype)
        for answer in found.answers.values()
    ]
    return [
        (name.removesuffix(domain).removesuffix("."), rrtype)
        for name, rrtype in names
        if f".{name}".endswith(f".{domain}")
    ]


async def _asked(run: Run, port: int) -> Callable[[int], list[Question]]:
    if not run.depth:
        return questions_of
    labels = await labels_of(run.depth, port)
    if run.client == "aiodns":  # it knows no DS
        labels = [each for each in labels if hasattr(pycares, f"QUERY_TYPE_{each[1]}")]

    def questions(number: int) -> list[Question]:
        domain = domain_of(number)
        return [(f"{label}.{domain}" if label else domain, rrtype) for label, rrtype in labels]

    return questions


# ── the peers: a future for every question, as their interfaces have it ──


def _comparing(tell: Callable[[Any], Told]) -> Callable[[int, Any, Verdict], None]:
    def compare(_: int, pair: tuple[list[Question], Sequence[Any]], verdict: Verdict) -> None:
        for question, found in zip(*pair, strict=True):
            verdict.count(tell(found), expected_at(*question))

    return compare


@asynccontextmanager
async def open_aiodns(run: Run, port: int) -> AsyncIterator[Client]:
    """aiodns, on one or several c-ares channels."""
    questions_of_run = await _asked(run, port)
    resolvers = [
        aiodns.DNSResolver(
            nameservers=["127.0.0.1"], udp_port=port, tcp_port=port, timeout=2.0, tries=3
        )
        for _ in range(run.resolvers)
    ]
    turn = itertools.cycle(resolvers)

    async def ask(number: int) -> tuple[list[Question], list[Any]]:
        query, questions = next(turn).query_dns, questions_of_run(number)
        asked = (query(name, rrtype.value) for name, rrtype in questions)
        return questions, await asyncio.gather(*asked, return_exceptions=True)

    try:
        yield Client(ask, _comparing(_cares_told))
    finally:
        for resolver in resolvers:
            await resolver.close()


def _cares_told(found: Any) -> Told:
    if isinstance(found, BaseException):
        absent = (aiodns.error.ARES_ENOTFOUND, aiodns.error.ARES_ENODATA)
        return "" if isinstance(found, aiodns.error.DNSError) and found.args[0] in absent else LOST
    return " | ".join(sorted(filter(None, (_cares_text(each.data) for each in found.answer))))


def _cares_text(data: Any) -> str:  # pycares has one class per record type
    if isinstance(data, pycares.MXRecordData):
        return f"{data.priority} {data.exchange}"
    if isinstance(data, pycares.TXTRecordData):
        return data.data.decode()
    if isinstance(data, pycares.NSRecordData):
        return str(data.nsdname)
    return str(data.cname) if isinstance(data, pycares.CNAMERecordData) else ""


@asynccontextmanager
async def open_dnspython(run: Run, port: int) -> AsyncIterator[Client]:
    """dnspython's asynchronous resolver."""
    questions_of_run = await _asked(run, port)
    resolver = dns.asyncresolver.Resolver(configure=False)
    resolver.nameservers = ["127.0.0.1"]
    resolver.port = port
    resolver.cache = None

    async def ask(number: int) -> tuple[list[Question], list[Any]]:
        questions = questions_of_run(number)
        asked = (
            resolver.resolve(f"{name}.", rrtype.value, lifetime=10) for name, rrtype in questions
        )
        return questions, await asyncio.gather(*asked, return_exceptions=True)

    yield Client(ask, _comparing(_dnspython_told))


def _dnspython_told(found: Any) -> Told:
    if isinstance(found, dns.resolver.NXDOMAIN | dns.resolver.NoAnswer):
        return ""
    if isinstance(found, BaseException):
        return LOST
    return " | ".join(sorted(filter(None, map(_dnspython_text, found))))


def _dnspython_text(rdata: Any) -> str:  # dnspython has one class per record type
    if rdata.rdtype.name == "TXT":
        return b"".join(rdata.strings).decode()
    return str(rdata).rstrip(".")


@asynccontextmanager
async def open_checkdmarc(_: Run, port: int) -> AsyncIterator[Client]:
    """checkdmarc as shipped: one company after the other, its own questions."""
    import checkdmarc  # noqa: PLC0415  # a peer that need not be installed

    server = dns.nameserver.Do53Nameserver("127.0.0.1", port)

    async def ask(number: int) -> Any:
        return checkdmarc.check_domains([domain_of(number)], nameservers=[server])

    yield Client(ask, _compare_checkdmarc)


def _compare_checkdmarc(number: int, found: Any, verdict: Verdict) -> None:
    mx, texts, _, dmarc, *_ = expected_of(number)
    hosts = [f"{each['preference']} {each['hostname']}" for each in found["mx"].get("hosts", [])]
    verdict.count(" | ".join(hosts) or LOST, mx)
    verdict.count(found["spf"].get("record") or LOST, texts.rpartition(" | ")[2])
    verdict.count(found["dmarc"].get("record") or LOST, dmarc)


CLIENTS: dict[str, Open] = {
    "engine": open_own,
    "aiodns": open_aiodns,
    "dnspython": open_dnspython,
    "checkdmarc": open_checkdmarc,
}
