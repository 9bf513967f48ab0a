"""Registration data looked up after a scan: a few at a time, beside the chunks and never in their way."""

from __future__ import annotations

import asyncio
import datetime as dt
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import structlog

from hunter.config import Config
from hunter.core.errors import Unavailable
from hunter.core.registration import Registration, RegistrationState
from hunter.knowledge.bootstrap import load_bootstrap
from hunter.ops.metrics import Metrics
from hunter.outbound.guard import Resolve
from hunter.outbound.http import open_outbound
from hunter.outbound.rates import MAX_WAIT_S, Rates
from hunter.outbound.registries import Registries, Told
from hunter.pipeline.looking import resolver_of
from hunter.resolver.engine import Engine
from hunter.store import registrations
from hunter.store.database import Connection, Database
from hunter.store.registrations import Due

log = structlog.get_logger()

_AT_ONCE: Final = 32
#: a registry with so many look-ups waiting for it gets no more: others would wait behind them
_PER_REGISTRY: Final = 4
_LOOK_EVERY_S: Final = 2.0
#: a look-up is over long before: its wait for a turn, and two servers tried
_LEASE_S: Final = MAX_WAIT_S * 2 + 180
_DEADLINE_S: Final = 10.0
_HOUR_S: Final = 3600.0
_DAY_S: Final = 24 * _HOUR_S
#: how long answers count as fresh
_FRESH_S: Final = 30 * _DAY_S
_NEGATIVE_S: Final = 7 * _DAY_S
#: within so many days of its expiry a registration may be renewed, or not, any day
_NEAR_DAYS: Final = 45


class Registrar:
    """Makes the look-ups that scans asked for; every worker has one, and PostgreSQL shares them out."""

    def __init__(self, db: Database, registries: Registries, metrics: Metrics) -> None:
        self._db = db
        self._registries = registries
        self._metrics = metrics
        self._under_way: dict[asyncio.Task[None], str] = {}

    async def run(self) -> None:
        """Look for due look-ups for ever. Cancelled, those under way are due again a while later."""
        try:
            while True:
                await self._begin_safely()
                await asyncio.sleep(_LOOK_EVERY_S * random.uniform(0.8, 1.2))  # noqa: S311  # jitter
        finally:
            for task in self._under_way:
                task.cancel()
            await asyncio.gather(*self._under_way, return_exceptions=True)

    async def _begin_safely(self) -> None:
        try:
            await self.begin()
        except Unavailable as error:
            log.warning("registrations not taken", reason=str(error))
        except Exception:  # the next round starts from the database again
            log.exception("registrations failed")

    async def begin(self) -> int:
        """Take up as many look-ups as there is room for; gives how many."""
        room = _AT_ONCE - len(self._under_way)
        if room <= 0:
            return 0
        waiting = Counter(self._under_way.values())
        busy = [tld for tld, number in waiting.items() if number >= _PER_REGISTRY]

        async def work(conn: Connection) -> list[Due]:
            return await registrations.take(conn, limit=room, busy=busy, lease_s=_LEASE_S)

        taken = await self._db.transact(work, deadline_s=_DEADLINE_S)
        for due in taken:
            task = asyncio.create_task(self._serve(due))
            self._under_way[task] = due.domain.rpartition(".")[2]
            task.add_done_callback(self._under_way.pop)
        return len(taken)

    async def settled(self) -> None:
        """Wait until everything under way is written down."""
        while self._under_way:
            await asyncio.wait(list(self._under_way))

    async def _serve(self, due: Due) -> None:
        try:
            told = await self._registries.look_up(due.domain)
            await self._write(due, told)
        except Unavailable as error:
            log.warning("registration left to its lease", domain=due.domain, reason=str(error))
        except Exception:  # one domain never costs the others
            log.exception("registration failed", domain=due.domain)
        else:
            found = told.registration
            labels = {"source": found.source or "none", "state": found.state.value}
            self._metrics.hunter_registration_lookups_total.inc(labels)

    async def _write(self, due: Due, told: Told) -> None:
        found = told.registration

        async def work(conn: Connection) -> None:
            if found.is_known:
                fresh_s = fresh_for(found, dt.datetime.now(dt.UTC).date())
                await registrations.settle(conn, found, fresh_s=fresh_s)
            else:
                await registrations.fail(
                    conn,
                    due.domain,
                    found.reason,
                    again_s=again_after(told, due.failures),
                    is_wanted=told.is_served,
                )

        await self._db.transact(work, deadline_s=_DEADLINE_S)


def fresh_for(found: Registration, today: dt.date) -> float:
    """Seconds for which an answer is good; less when the registration is about to end or has."""
    if found.state is RegistrationState.UNREGISTERED:
        return _NEGATIVE_S
    is_near = found.expires is not None and (found.expires - today).days <= _NEAR_DAYS
    return _NEGATIVE_S if is_near else _FRESH_S


def again_after(told: Told, failures: int) -> float:
    """Seconds until the next try: ever longer ones, and never before the registry wants it."""
    if not told.is_served:
        return _FRESH_S
    pause_s = min(_HOUR_S * 2.0 ** min(failures, 10), _NEGATIVE_S)
    return max(pause_s, told.retry_after_s) * random.uniform(1.0, 1.1)  # noqa: S311  # jitter


@asynccontextmanager
async def open_registrar(
    config: Config, db: Database, engine: Engine, metrics: Metrics
) -> AsyncIterator[Registrar | None]:
    """What looks up registrations, or None where the settings do not want it.

    Raises Misconfigured over a bad list of RDAP servers.
    """
    if not config.registration:
        yield None
        return
    async with open_registries(config, resolver_of(engine)) as registries:
        yield Registrar(db, registries, metrics)


@asynccontextmanager
async def open_registries(config: Config, resolve: Resolve) -> AsyncIterator[Registries]:
    """The registries IANA lists, asked as often as the settings allow. Raises Misconfigured."""
    bootstrap = load_bootstrap(config.data_dir)
    async with open_outbound(config, resolve) as http:
        yield Registries(http, bootstrap, Rates(config.rdap_max_qps))
