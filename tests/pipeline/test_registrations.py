"""Registrations looked up after a scan, from a real registry on loopback."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest
from aiohttp import web

from hunter.config import Config
from hunter.core.answers import Depth
from hunter.core.registration import Registration, RegistrationState, unknown
from hunter.knowledge.bootstrap import REFRESHED
from hunter.knowledge.load import load_knowledge
from hunter.local.https import served
from hunter.local.nameserver import NameServer
from hunter.ops.metrics import Metrics
from hunter.outbound.registries import Told
from hunter.pipeline.accept import Line, accept_scan
from hunter.pipeline.registrations import (
    Registrar,
    again_after,
    fresh_for,
    open_registrar,
    open_registries,
)
from hunter.pipeline.scan import Scanner
from hunter.queue.hints import Hints
from hunter.resolver.opening import open_engine
from hunter.store import judged, leads, registrations
from hunter.store.database import Database
from hunter.store.identifiers import uuid7
from hunter.store.registrations import Due

DAY_S = 86_400
TODAY = dt.date(2026, 11, 24)
Reply = Callable[[web.Request], Awaitable[web.Response]]


async def contoso(request: web.Request) -> web.Response:
    document = {
        "objectClassName": "domain",
        "ldhName": request.match_info["name"],
        "events": [{"eventAction": "expiration", "eventDate": "2027-08-03T04:00:00Z"}],
    }
    return web.json_response(document)


@asynccontextmanager
async def registry(config: Config, reply: Reply) -> AsyncIterator[tuple[Config, list[str]]]:
    """A registry of .example and .test that answers so; settings that know it, and who was asked for."""
    asked: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        asked.append(request.match_info["name"])
        return await reply(request)

    async with served({"/domain/{name}": handler}, None) as port:
        document = {
            "version": "1.0",
            "publication": "2099-01-01T00:00:00Z",
            "services": [[["example", "test"], [f"http://127.0.0.1:{port}/"]]],
        }
        (config.data_dir / REFRESHED).write_text(json.dumps(document))
        yield (
            dataclasses.replace(
                config, registration=True, outbound_loopback=True, rdap_max_qps=100
            ),
            asked,
        )


async def nowhere(_name: str) -> list[str]:
    return []


@asynccontextmanager
async def registrar(
    db: Database, config: Config, reply: Reply
) -> AsyncIterator[tuple[Registrar, list[str], Metrics]]:
    metrics = Metrics()
    async with (
        registry(config, reply) as (settings, asked),
        open_registries(settings, nowhere) as registries,
    ):
        yield Registrar(db, registries, metrics), asked, metrics


async def _want(db: Database, *names: str) -> None:
    async with db.acquire() as conn:
        await judged.insert_missing(conn, names, names, names)
        await registrations.want(conn, sorted(names))


async def _known(db: Database, name: str) -> Registration | None:
    async with db.acquire() as conn:
        return await registrations.get(conn, name)


async def test_every_registration_wanted_is_looked_up_once(db: Database, config: Config) -> None:
    names = [f"n{number}.example" for number in range(10)]
    await _want(db, *names)

    async with registrar(db, config, contoso) as (looks_up, asked, metrics):
        assert await looks_up.begin() == 10
        assert await looks_up.begin() == 0
        await looks_up.settled()
        assert await looks_up.begin() == 0

    assert sorted(asked) == names
    for name in names:
        found = await _known(db, name)
        assert found is not None
        assert (found.state, found.expires) == (RegistrationState.REGISTERED, dt.date(2027, 8, 3))
    counted = b'hunter_registration_lookups_total{source="rdap",state="registered"} 10'
    assert counted in metrics.render()


async def test_a_registry_in_trouble_costs_nothing_but_time(db: Database, config: Config) -> None:
    await _want(db, "contoso.example", "firma.unserved")

    async def broken(_request: web.Request) -> web.Response:
        return web.Response(status=500)

    async with registrar(db, config, broken) as (looks_up, _, metrics):
        await looks_up.begin()
        await looks_up.settled()
        assert await looks_up.begin() == 0

    for name, reason in [
        ("contoso.example", "HTTP 500"),
        ("firma.unserved", "Its registry has no service that Hunter knows."),
    ]:
        found = await _known(db, name)
        assert found is not None
        assert (found.state, found.reason) == (RegistrationState.UNKNOWN, reason)
    assert b'{source="none",state="unknown"} 1' in metrics.render()


async def test_stopped_in_the_middle_the_look_up_is_due_again_later(
    db: Database, config: Config
) -> None:
    await _want(db, "contoso.example")
    reached, left = asyncio.Event(), asyncio.Event()

    async def hang(_request: web.Request) -> web.Response:
        reached.set()
        await left.wait()
        return web.Response()

    async with registrar(db, config, hang) as (looks_up, _, _):
        running = asyncio.create_task(looks_up.run())
        await reached.wait()
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        left.set()

    found = await _known(db, "contoso.example")
    assert found is not None
    assert found.state is RegistrationState.UNKNOWN
    async with db.acquire() as conn:
        assert await registrations.take(conn, limit=1, busy=[], lease_s=1) == []
        await conn.execute("UPDATE registration SET next_at = now()")
        assert await registrations.take(conn, limit=1, busy=[], lease_s=1) == [
            Due("contoso.example", failures=0)
        ]


async def test_scans_of_full_depth_ask_for_the_registration_of_the_domains_themselves(
    db: Database, hints: Hints, config: Config
) -> None:
    zone = "contoso.example. MX 10 mx.contoso.example.\nhost.contoso.example. A 127.0.0.1\n"
    names = ["contoso.example", "host.contoso.example"]
    async with (
        NameServer(zone) as server,
        registry(dataclasses.replace(config, dns_servers=(server.address,)), contoso) as (settings, asked),
        open_engine(settings) as engine,
        open_registrar(settings, db, engine, Metrics()) as looks_up,
    ):  # fmt: skip
        assert looks_up is not None
        for depth, wants in [(Depth.QUICK, True), (Depth.FULL, False), (Depth.FULL, True)]:
            scanner = Scanner(
                db,
                hints,
                engine,
                load_knowledge(),
                Metrics(),
                worker_id=uuid7(),
                lease_s=20,
                wants_registrations=wants,
            )
            lines = [Line(number, name) for number, name in enumerate(names, start=1)]
            await accept_scan(db, hints, lines, lane="bulk", depth=depth, allow_test_names=True)
            assert await scanner.take_next("bulk")
            await asyncio.gather(*(held.work for held in scanner.holding.held.values()))
            begun = await looks_up.begin()
            assert begun == (1 if depth is Depth.FULL and wants else 0)
        await looks_up.settled()

    assert asked == ["contoso.example"]
    found = await _known(db, "contoso.example")
    assert found is not None
    assert found.is_known
    async with db.acquire() as conn, conn.transaction():
        standing = (await judged.lock(conn, ["contoso.example"]))["contoso.example"]
    assert standing.registration == found


async def test_without_the_setting_nobody_looks_anything_up(db: Database, config: Config) -> None:
    async with (
        open_engine(config) as engine,
        open_registrar(config, db, engine, Metrics()) as looks_up,
    ):
        assert looks_up is None


@pytest.mark.parametrize(
    ("state", "expires", "days"),
    [
        (RegistrationState.REGISTERED, dt.date(2028, 1, 1), 30),
        (RegistrationState.REGISTERED, None, 30),
        (RegistrationState.REGISTERED, dt.date(2026, 12, 24), 7),
        (RegistrationState.REGISTERED, dt.date(2026, 11, 1), 7),
        (RegistrationState.UNREGISTERED, None, 7),
    ],
)
def test_an_answer_is_fresh_for_a_month_or_a_week_when_it_may_change_soon(
    state: RegistrationState, expires: dt.date | None, days: int
) -> None:
    assert fresh_for(Registration("a.com", state, expires=expires), TODAY) == days * DAY_S


@pytest.mark.parametrize(
    ("failures", "rest_s", "least_s"),
    [(0, 0, 3600), (3, 0, 8 * 3600), (50, 0, 7 * DAY_S), (0, 7200, 7200), (0, 1, 3600)],
)
def test_after_a_failure_the_next_try_is_later_each_time_and_never_too_early(
    failures: int, rest_s: int, least_s: int
) -> None:
    told = Told(unknown("a.com", "HTTP 429"), retry_after_s=rest_s)

    assert least_s <= again_after(told, failures) <= 1.1 * least_s


def test_a_name_of_no_registry_is_left_alone_for_a_month() -> None:
    assert again_after(Told(unknown("a.de", "none"), is_served=False), 0) == 30 * DAY_S


async def test_a_registration_that_ends_soon_makes_a_lead_urgent_at_the_next_scan(
    db: Database, hints: Hints, config: Config
) -> None:
    now = dt.datetime.now(dt.UTC)
    await _want(db, "contoso.example")
    async with db.acquire() as conn:
        told = Registration(
            "contoso.example",
            RegistrationState.REGISTERED,
            registrar="Natro",
            expires=now.date() + dt.timedelta(days=5),
            source="rdap",
            server="rdap.test",
            observed_at=now.isoformat(),
        )
        await registrations.settle(conn, told, fresh_s=DAY_S)
    async with NameServer("contoso.example. MX 10 mx.contoso.example.\n") as server:
        settings = dataclasses.replace(config, dns_servers=(server.address,))
        async with open_engine(settings) as engine:
            scanner = Scanner(
                db, hints, engine, load_knowledge(), Metrics(), worker_id=uuid7(), lease_s=20
            )
            await accept_scan(
                db,
                hints,
                [Line(1, "contoso.example")],
                lane="bulk",
                depth=Depth.QUICK,
                allow_test_names=True,
            )
            assert await scanner.take_next("bulk")
            await asyncio.gather(*(held.work for held in scanner.holding.held.values()))
    async with db.acquire() as conn:
        lead = await leads.get(conn, "contoso.example")

    assert lead.judgement is not None
    (line,) = [line for line in lead.judgement.lines if line.code == "expires_soon"]
    assert line.points > 0
    assert [(each.question, each.record) for each in line.evidence] == [
        ("contoso.example RDAP", f"expires {told.expires}")
    ]
