"""The unbound configuration we ship: a scan through it says what a scan without it says."""

from __future__ import annotations

import asyncio
import datetime as dt
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from hunter.core.answers import Depth, Outcome, RRType
from hunter.core.judge import judge
from hunter.core.judgement import NO_HISTORY, Judgement
from hunter.knowledge.load import Knowledge, load_knowledge
from hunter.local.nameserver import NameServer
from hunter.local.servers import free_port
from hunter.local.zones import Company, generate, zone_text
from hunter.resolver.checkup import examine
from hunter.resolver.engine import Engine
from hunter.resolver.findings import Level, Verdict
from hunter.resolver.questions import Budget
from hunter.resolver.survey import survey
from hunter.resolver.tuning import Tuning

pytestmark = pytest.mark.tool("unbound")

SHIPPED = Path(__file__).parents[2] / "helm" / "hunter" / "files" / "unbound.conf"
TODAY = dt.date(2026, 11, 24)
#: unbound asks for the missing itself, and takes its time for it
PATIENT = Tuning(timeouts_s=(5.0, 5.0), sockets_min=4)
OpenEngine = Callable[..., Awaitable[Engine]]


@asynccontextmanager
async def unbound(
    folder: Path, upstream: tuple[str, int], *, authority_of: Collection[str] = ()
) -> AsyncIterator[tuple[str, int]]:
    """The shipped configuration over one upstream instead of the root, which is not signed here.

    The upstream is a resolver, or, for what stands in `authority_of`, the zones' own name server.
    """
    port = free_port()
    host, upstream_port = upstream
    ways = [("stub", zone) for zone in sorted(authority_of)] or [("forward", ".")]
    config = folder / "unbound.conf"
    config.write_text(
        f'include: "{SHIPPED}"\n'
        f'server:\n port: {port}\n verbosity: 1\n module-config: "iterator"\n'
        " do-not-query-localhost: no\n"
        # .test is answered by unbound itself unless it is told to ask
        ' local-zone: "test." nodefault\n'
        + "".join(
            f'{way}-zone:\n name: "{zone}"\n {way}-addr: {host}@{upstream_port}\n'
            for way, zone in ways
        )
    )
    process = await asyncio.create_subprocess_exec(
        "unbound", "-d", "-c", str(config), stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr is not None
    told = b""
    while b"start of service" not in told:
        line = await process.stderr.readline()
        assert line, told.decode()
        told += line
    try:
        yield "127.0.0.1", port
    finally:
        process.terminate()
        await process.communicate()


@pytest.fixture(scope="module")
def companies() -> list[Company]:
    """One company of each kind."""
    kinds: dict[str, Company] = {}
    for company in generate(1200):
        kinds.setdefault(company.kind, company)
    # unbound tries silent and lame servers for longer than a test may last
    return [each for kind, each in kinds.items() if kind not in {"timeout", "lame"}]


@pytest.fixture(scope="module")
def knowledge() -> Knowledge:
    return load_knowledge()


async def _judged(
    engine: Engine, companies: list[Company], knowledge: Knowledge
) -> dict[str, Judgement]:
    found = await asyncio.gather(
        *(survey(engine, each.domain, Depth.FULL, knowledge) for each in companies)
    )
    return {each.domain: judge(each, NO_HISTORY, knowledge.rules, TODAY) for each in found}


def test_unbound_accepts_the_shipped_configuration() -> None:
    checked = subprocess.run(
        ["unbound-checkconf", SHIPPED], capture_output=True, text=True, check=False
    )

    assert (checked.returncode, checked.stderr) == (0, "")


@pytest.mark.parametrize("way", ["forwarding", "recursing"])
async def test_a_scan_through_unbound_judges_as_one_without_it(
    companies: list[Company],
    knowledge: Knowledge,
    open_quick: OpenEngine,
    tmp_path: Path,
    way: str,
) -> None:
    zone = zone_text(companies)
    async with NameServer(zone) as upstream:
        wanted = await _judged(await open_quick(upstream, tuning=PATIENT), companies, knowledge)
        # every registry whose names the scan asked about, served as its own server would
        names = {question.split()[0] for question in upstream.queries} - {"."}
        registries = {name.rsplit(".", 1)[-1] for name in names}
        if way == "recursing":
            upstream.load(";! . authoritative")
        async with unbound(
            tmp_path, upstream.address, authority_of=registries if way == "recursing" else ()
        ) as resolver:
            engine = await open_quick(resolver, tuning=PATIENT)
            found = await _judged(engine, companies, knowledge)

    assert {name: _verdict(each) for name, each in found.items()} == {
        name: _verdict(each) for name, each in wanted.items()
    }
    # unbound says SERVFAIL where a server refused or named a loop of aliases: the reason
    # of an unknown differs then, and nothing else ever
    honest = {each.domain for each in companies if each.answered and each.kind != "cname_loop"}
    assert len(honest) > 25
    assert {name: found[name] for name in honest} == {name: wanted[name] for name in honest}


def _verdict(judgement: Judgement) -> tuple[object, ...]:
    return (
        judgement.provider,
        judgement.mx_operator,
        judgement.tenant_state,
        judgement.mail_state,
        judgement.segment,
        judgement.priority,
        judgement.score,
        judgement.scan_status,
    )


async def test_a_large_answer_comes_through_unbound_whole(
    name_server: NameServer, open_quick: OpenEngine, tmp_path: Path
) -> None:
    texts = [f"token{number:03}={'x' * 80}" for number in range(60)]
    name_server.load("\n".join(f'large.test 300 TXT "{text}"' for text in texts))
    async with unbound(tmp_path, name_server.address) as resolver:
        engine = await open_quick(resolver, tuning=PATIENT)

        (answer,) = await engine.ask([("large.test", RRType.TXT)])

    assert answer.outcome is Outcome.FOUND
    assert sorted(answer.records) == texts


async def test_the_checkup_finds_nothing_wrong_with_it(
    name_server: NameServer, tmp_path: Path
) -> None:
    name_server.load("large.test 300 A 20.1.1.1\nlarge.test 300 MX 10 mail.large.test")
    name_server.load("\n".join(f'large.test 300 TXT "{n}{"x" * 90}"' for n in range(40)))
    async with unbound(tmp_path, name_server.address) as resolver:
        report = await examine([resolver], ["large.test"])

    assert [each for each in report.servers[0].checks if each.level is not Level.OK] == []
    assert report.verdict is Verdict.FINE


async def test_thousands_of_questions_at_once_are_all_answered(
    companies: list[Company], open_quick: OpenEngine, tmp_path: Path
) -> None:
    names = [(f"host{number}.wide.test", RRType.A) for number in range(3000)]
    zone = "\n".join(f"{name} 300 A 192.0.2.1" for name, _ in names)
    # 100 ms upstream: all of them wait inside unbound, far beyond its default limit for one client
    async with (
        NameServer(f"{zone}\n;! .wide.test delay=100") as upstream,
        unbound(tmp_path, upstream.address) as resolver,
    ):
        engine = await open_quick(
            resolver, tuning=replace(PATIENT, first_window=4000), dns_window=4000
        )

        answers = await engine.ask(names, budget=Budget(queries=4000, seconds=30))

    assert {answer.outcome for answer in answers} == {Outcome.FOUND}
    assert engine.tally.sent == len(names)
