"""Everything the engine does to behave well is a number that somebody can watch."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from hunter.config import Config
from hunter.core.answers import RRType
from hunter.local.nameserver import NameServer
from hunter.ops.metrics import Metrics
from hunter.resolver.engine import Engine
from hunter.resolver.opening import open_engine
from hunter.resolver.questions import Budget
from hunter.resolver.tuning import Tuning
from hunter.resolver.variant import is_compiled

ZONE = """
example.com 300 SOA ns.example.com host.example.com 1 2 3 4 60
example.com 300 MX 10 mail.example.com
mail.example.com 300 A 192.0.2.1
"""
DOCS = Path(__file__).parents[2] / "docs" / "dns.md"
#: tries of 0.1 s, so that what is not answered is soon known
TUNING = Tuning(
    timeouts_s=(0.1, 0.1, 0.1), tick_s=0.01, tcp_timeout_s=0.3, sockets_min=4, doubt_after=3,
    cache_size=2,
)  # fmt: skip


@asynccontextmanager
async def watched(
    script: str, **settings: int
) -> AsyncIterator[tuple[Engine, Callable[[], dict[str, float]]]]:
    """An engine over a server with this script, and a look at its metrics."""
    metrics = Metrics()

    def shown() -> dict[str, float]:
        lines = [line for line in metrics.render().decode().splitlines() if line[0] != "#"]
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}

    async with NameServer(f"{ZONE}\n{script}") as server:
        config = Config(dns_servers=(server.address,), **settings)  # type: ignore[arg-type]
        async with open_engine(config, metrics, tuning=TUNING) as engine:
            yield engine, shown


@pytest.mark.parametrize(
    ("script", "wanted"),
    [
        ("", {"hunter_dns_retries_total": 0, 'hunter_dns_messages_total{event="sent"}': 1}),
        (";! . drop-first=2", {
            "hunter_dns_retries_total": 2,
            'hunter_dns_messages_total{event="lost"}': 2,
            'hunter_dns_messages_total{event="answered"}': 1,
        }),
        (";! . truncate", {'hunter_dns_fallbacks_total{to="tcp"}': 1}),
        (";! . formerr-on-edns", {'hunter_dns_fallbacks_total{to="no_edns"}': 1}),
        (";! . wrong-id", {'hunter_dns_messages_total{event="ignored"}': 1}),
        (";! . servfail", {'hunter_dns_queries_total{outcome="servfail",type="MX"}': 1}),
    ],
)  # fmt: skip
async def test_tries_and_fallbacks_are_counted(script: str, wanted: dict[str, float]) -> None:
    async with watched(script) as (engine, shown):
        await engine.ask([("example.com", RRType.MX)])

        found = shown()

    assert {name: found[name] for name in wanted} == wanted


async def test_the_cache_tells_records_from_absence_and_what_it_threw_away() -> None:
    async with watched("") as (engine, shown):
        for name in ("mail.example.com", "mail.example.com", "absent.example.com"):
            await engine.ask([(name, RRType.A)], shared=True)
        await engine.ask([("absent.example.com", RRType.A)], shared=True)
        before = shown()
        await engine.ask([("example.com", RRType.MX)], shared=True)
        after = shown()

    looks = {
        result: before[f'hunter_dns_cache_total{{result="{result}"}}']
        for result in ("hit", "negative", "miss")
    }
    assert looks == {"hit": 1, "negative": 1, "miss": 2}
    assert before["hunter_dns_cache_entries"] == after["hunter_dns_cache_entries"] == 2
    assert before["hunter_dns_cache_evictions_total"] == 0
    assert after["hunter_dns_cache_evictions_total"] == 1


async def test_questions_that_join_one_under_way_are_counted() -> None:
    async with watched("") as (engine, shown):
        waiting = [engine.ask([("mail.example.com", RRType.A)], shared=True) for _ in range(5)]
        for each in waiting:
            await each

        found = shown()

    assert found["hunter_dns_singleflight_total"] == 4
    assert found['hunter_dns_messages_total{event="sent"}'] == 1


async def test_a_domain_that_used_up_its_budget_is_counted() -> None:
    async with watched("") as (engine, shown):
        questions = [(f"n{number}.example.com", RRType.A) for number in range(5)]
        await engine.ask(questions, budget=Budget(queries=3))

        found = shown()

    assert found['hunter_dns_queries_total{outcome="budget",type="A"}'] == 2


async def test_waits_for_the_rate_limit_are_measured() -> None:
    async with watched("", dns_max_qps=50) as (engine, shown):
        await engine.ask([(f"n{number}.example.com", RRType.A) for number in range(8)])

        found = shown()

    assert found["hunter_dns_ratelimit_wait_seconds_count"] > 0


async def test_the_breaker_is_a_state_and_a_count() -> None:
    async with watched(";! . timeout") as (engine, shown):
        before = shown()
        await engine.ask([(f"n{number}.example.com", RRType.A) for number in range(5)])
        found = shown()

    assert before["hunter_dns_breaker_open"] == before["hunter_dns_breaker_openings_total"] == 0
    assert found["hunter_dns_breaker_open"] == found["hunter_dns_breaker_openings_total"] == 1


def test_the_documentation_names_every_metric_of_dns() -> None:
    metrics = {name for name in vars(Metrics()) if name.startswith("hunter_dns_")}
    named = set(re.findall(r"hunter_dns_[a-z_]+", DOCS.read_text(encoding="utf-8")))

    assert named == metrics


async def test_a_gauge_tells_whether_the_engine_runs_compiled() -> None:
    async with watched("") as (_engine, look):
        assert look()["hunter_dns_engine_compiled"] == float(is_compiled())
