"""A worker process: resources opened, lanes, heartbeat and dispatcher run, drained when asked to stop."""

from __future__ import annotations

import asyncio
import dataclasses
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import structlog

from hunter.config import Config
from hunter.core.answers import PolicyState
from hunter.core.channels import Channel, Outcome
from hunter.core.errors import Unavailable
from hunter.core.suffixes import suffix_list
from hunter.ops.health import Health
from hunter.ops.metrics import Metrics, zero
from hunter.ops.process import watch_process
from hunter.ops.server import serve_probes
from hunter.pipeline.courier import Courier
from hunter.pipeline.digests import Digester
from hunter.pipeline.looking import Looker, open_looker, resolver_of
from hunter.pipeline.post import Post, open_post
from hunter.pipeline.registrations import Registrar, open_registrar
from hunter.pipeline.rejudge import Rejudger
from hunter.pipeline.reload import Reloader
from hunter.pipeline.scan import Scanner
from hunter.pipeline.second_look import SecondLook
from hunter.pipeline.watching import watch_of
from hunter.queue.hints import LOOK, Hints, open_queue
from hunter.resolver.opening import open_engine
from hunter.resolver.variant import is_compiled
from hunter.store.database import Database, open_database
from hunter.store.identifiers import uuid7
from hunter.store.migrate import require_schema
from hunter.worker.dispatcher import Dispatcher
from hunter.worker.heartbeat import Heartbeat
from hunter.worker.lanes import Lane

log = structlog.get_logger()

_SCHEMA_PAUSE_S: Final = 1.0


async def run_worker(config: Config, *, stop: asyncio.Event) -> None:
    """Work until `stop` is set, then drain within HUNTER_DRAIN_GRACE_S.

    Raises Misconfigured when the port of the probes is taken. A database or Redis that is away is
    waited for.
    """
    metrics = Metrics()
    rules = Reloader(config, metrics)
    zero(metrics.arq_tasks_total, task=(LOOK,))
    zero(metrics.arq_tasks_failed_total, task=(LOOK,))
    zero(metrics.hunter_policy_fetches_total, state=PolicyState)
    zero(metrics.hunter_delivery_attempts_total, channel=Channel, outcome=Outcome)
    async with (
        open_database(config) as db,
        open_queue(config) as hints,
        open_engine(config, metrics) as engine,
        watch_process(metrics, config.data_dir),
        open_looker(config, engine, metrics) as looker,
        open_registrar(config, db, engine, metrics) as registrar,
        open_post(config, resolver_of(engine)) as post,
        _open_second_look(config, looker) as second_look,
    ):
        metrics.on_render(lambda: _fill_pools(metrics, db, hints))
        health = _health(config, db, hints)
        scanner = Scanner(
            db,
            hints,
            engine,
            rules.current,
            metrics,
            worker_id=uuid7(),
            lease_s=config.lease_s,
            interactive_lease_s=config.lease_of("interactive"),
            slots=config.worker_slots,
            looker=looker,
            second_looker=second_look,
            watch=watch_of(config),
            wants_registrations=config.registration,
        )
        rules.on_change(scanner.use)
        async with serve_probes(config.host, config.worker_port, health, metrics):
            if await _schema_is_ready(db, stop):
                await _work(
                    config,
                    db,
                    hints,
                    rules=rules,
                    scanner=scanner,
                    registrar=registrar,
                    post=post,
                    metrics=metrics,
                    health=health,
                    stop=stop,
                )


async def _work(
    config: Config,
    db: Database,
    hints: Hints,
    *,
    rules: Reloader,
    scanner: Scanner,
    registrar: Registrar | None,
    post: Post,
    metrics: Metrics,
    health: Health,
    stop: asyncio.Event,
) -> None:
    suffix_list()
    # What is loaded by now stays: no collection needs to walk over rules and tables again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    heartbeat = Heartbeat(db, scanner, config)
    dispatcher = Dispatcher(db, hints, metrics, config)
    courier = Courier(db, hints, post, metrics, config)
    digester = Digester(db, hints)
    rejudger = Rejudger(
        db,
        rules,
        metrics,
        is_busy=lambda: bool(scanner.holding.held),
        every_s=config.rejudge_interval_s,
        alive_s=3 * config.heartbeat_s,
    )
    slots = {"interactive": config.interactive_slots, "bulk": config.worker_slots}
    lanes = [
        Lane(name, n, scanner=scanner, hints=hints, metrics=metrics, config=config)
        for name, n in slots.items()
    ]
    beating = asyncio.create_task(heartbeat.run())
    taking = [asyncio.create_task(lane.run()) for lane in lanes]
    taking.append(asyncio.create_task(dispatcher.run()))
    taking += [asyncio.create_task(each.run()) for each in (rules, rejudger, courier, digester)]
    if registrar is not None:
        taking.append(asyncio.create_task(registrar.run()))
    stopping = asyncio.create_task(stop.wait())
    try:
        log.info(
            "worker started", worker=str(scanner.worker_id), slots=slots, compiled=is_compiled()
        )
        await asyncio.wait({beating, *taking, stopping}, return_when=asyncio.FIRST_COMPLETED)
        health.draining = True
        for lane in lanes:
            lane.stop_taking()
        # leases are extended until the last chunk is done or handed back
        await asyncio.gather(
            heartbeat.drain(config.drain_grace_s), courier.drain(config.drain_grace_s)
        )
    finally:
        tasks = [beating, *taking, stopping]
        for task in tasks:
            task.cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        await heartbeat.leave()
        log.info("worker stopped", worker=str(scanner.worker_id))
    # none of them ends by itself: what did is a bug that must not look like a clean stop
    for end in ends:
        if isinstance(end, Exception):
            raise end


@asynccontextmanager
async def _open_second_look(config: Config, first: Looker) -> AsyncIterator[SecondLook | None]:
    """Looks through the resolver that confirms changes at once; None where none is named."""
    if not config.dns_confirm_servers:
        yield None
        return
    through = dataclasses.replace(config, dns_servers=config.dns_confirm_servers)
    async with open_engine(through) as engine:
        yield SecondLook(first, Looker(engine))


async def _schema_is_ready(db: Database, stop: asyncio.Event) -> bool:
    """Wait until the schema is what this build needs; False when asked to stop before."""
    told = ""
    while not stop.is_set():
        try:
            async with db.acquire() as conn:
                await require_schema(conn)
        except Unavailable as error:
            if str(error) != told:
                told = str(error)
                log.warning("waiting for the database", reason=told)
        else:
            return True
        try:
            await asyncio.wait_for(stop.wait(), _SCHEMA_PAUSE_S)
        except TimeoutError:
            continue
    return False


def _health(config: Config, db: Database, hints: Hints) -> Health:
    async def schema() -> None:
        async with db.acquire(reserved=True) as conn:
            await require_schema(conn)

    return Health(
        {"database": db.ping, "redis": hints.ping},
        environment=config.environment,
        startup={"schema": schema},
        optional=frozenset() if config.ready_requires_redis else frozenset({"redis"}),
    )


def _fill_pools(metrics: Metrics, db: Database, hints: Hints) -> None:
    metrics.db_connection_pool_size.set({}, db.in_use)
    metrics.db_connection_pool_max.set({}, db.size)
    metrics.redis_connection_pool_size.set({}, hints.connections_in_use)
    metrics.redis_connection_pool_max.set({}, hints.connections_max)
