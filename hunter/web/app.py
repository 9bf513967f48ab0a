"""create_app(config): keys, resources, middlewares, routes; run_api serves it until told to stop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import msgspec
import structlog
from aiohttp import web

from hunter.config import Config
from hunter.core.suffixes import suffix_list
from hunter.knowledge.prices import load_prices
from hunter.ops.health import Health
from hunter.ops.metrics import Metrics, zero
from hunter.ops.process import watch_process
from hunter.ops.server import listen, probe_routes
from hunter.pipeline.reading import Readers
from hunter.pipeline.reload import Reloader
from hunter.queue.hints import open_queue
from hunter.queue.limits import open_limits
from hunter.store.database import open_database
from hunter.store.migrate import require_schema
from hunter.web.addresses import networks
from hunter.web.admission import ADMISSION, Admission
from hunter.web.callers import CALLERS, Callers
from hunter.web.connection import ApiRunner
from hunter.web.events import BOARD, Board
from hunter.web.keys import (
    CONFIG,
    DB,
    HEALTH,
    HINTS,
    METRICS,
    OPENAPI,
    PRESS,
    PRICES,
    READERS,
    RULES,
)
from hunter.web.middleware import LIMITS, TRUSTED, finish_headers, guard, observe
from hunter.web.negotiation import answer_options, refuse_unread, share
from hunter.web.openapi import document
from hunter.web.packing import pack
from hunter.web.problems import problems
from hunter.web.routes import add_routes
from hunter.web.tracing import trace

log = structlog.get_logger()

KEEPALIVE_S = 75


def create_app(config: Config) -> web.Application:
    """The API over its own pools, which open when the application starts."""
    app = web.Application(
        middlewares=[trace, observe, problems, pack, answer_options, refuse_unread, guard],
        client_max_size=config.body_max_bytes,
        # the framework takes a packed body that breaks off for a whole one: hunter.web.unpacking
        handler_args={"auto_decompress": False},
    )
    suffix_list()  # now, and not at a first request that may find no file descriptor
    metrics = Metrics()
    app[CONFIG] = config
    app[METRICS] = metrics
    app[HEALTH] = _health(app, config)
    app[RULES] = Reloader(config, metrics)
    app[PRICES] = load_prices(config.price_list, app[RULES].current.wording)
    app[PRESS] = asyncio.Semaphore(1)
    app[READERS] = Readers(memory_bytes=config.ingest_memory_bytes, slots=config.ingest_readers)
    app[CALLERS] = Callers(config, metrics)
    app[ADMISSION] = Admission(config, metrics)
    app[TRUSTED] = networks(config.trusted_proxies)
    app[OPENAPI] = msgspec.json.encode(document(is_open=not config.admin_key))
    app.on_response_prepare.extend([finish_headers, share])
    app.cleanup_ctx.extend([_database, _queue, _limits, _callers, _rules, _vital_signs])
    app.router.add_routes(probe_routes(app[HEALTH], metrics))
    add_routes(app)
    for resource in app.router.resources():
        for route in resource:
            zero(
                metrics.http_requests_errors_total,
                method=[route.method],
                endpoint=[resource.canonical],
                status=["500", "503"],
            )
    return app


def _health(app: web.Application, config: Config) -> Health:
    async def database() -> None:
        await app[DB].ping()

    async def redis() -> None:
        await app[HINTS].ping()

    async def schema() -> None:
        async with app[DB].acquire(reserved=True) as conn:
            await require_schema(conn)

    return Health(
        {"database": database, "redis": redis},
        startup={"schema": schema},
        environment=config.environment,
        optional=frozenset() if config.ready_requires_redis else frozenset({"redis"}),
    )


async def _database(app: web.Application) -> AsyncIterator[None]:
    async with open_database(app[CONFIG]) as db:
        app[DB] = db
        app[BOARD] = Board(db)
        metrics = app[METRICS]
        metrics.db_connection_pool_max.set({}, db.size)
        metrics.on_render(lambda: metrics.db_connection_pool_size.set({}, db.in_use))
        yield


async def _queue(app: web.Application) -> AsyncIterator[None]:
    async with open_queue(app[CONFIG]) as hints:
        app[HINTS] = hints
        metrics = app[METRICS]
        metrics.redis_connection_pool_max.set({}, hints.connections_max)
        metrics.on_render(
            lambda: metrics.redis_connection_pool_size.set({}, hints.connections_in_use)
        )
        yield


async def _limits(app: web.Application) -> AsyncIterator[None]:
    async with open_limits(app[CONFIG]) as limits:
        app[LIMITS] = limits
        metrics = app[METRICS]
        zero(metrics.hunter_requests_limited_total, by=("rate", "quota"))
        metrics.on_render(lambda: metrics.hunter_rate_limits_local.set({}, int(limits.is_local)))
        yield


async def _callers(app: web.Application) -> AsyncIterator[None]:
    callers, db = app[CALLERS], app[DB]
    reasons = ("wrong", "revoked", "expired", "scope", "throttled")
    zero(app[METRICS].hunter_key_failures_total, reason=reasons)
    marking = asyncio.create_task(callers.mark_used(db))
    try:
        yield
    finally:
        marking.cancel()
        with suppress(asyncio.CancelledError):
            await marking
        with suppress(Exception):  # whatever is wrong with the database, the rest closes too
            await callers.flush_used(db)


async def _rules(app: web.Application) -> AsyncIterator[None]:
    watching = asyncio.create_task(app[RULES].run())
    try:
        yield
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching


async def _vital_signs(app: web.Application) -> AsyncIterator[None]:
    async with watch_process(app[METRICS], app[CONFIG].data_dir):
        yield


async def run_api(config: Config, *, stop: asyncio.Event) -> None:
    """Serve until `stop` is set, then drain: red readiness first, then no new connections.

    Requests under way get HUNTER_DRAIN_GRACE_S; pools close last. Raises Misconfigured when the
    port is taken.
    """
    app = create_app(config)
    runner = ApiRunner(
        app,
        access_log=None,
        keepalive_timeout=KEEPALIVE_S,
        shutdown_timeout=config.drain_grace_s,
    )
    await runner.setup()
    try:
        host, port = await listen(runner, config.host, config.port, setting="HUNTER_PORT")
        log.info("api listening", host=host, port=port, open=not config.admin_key)
        if not config.admin_key:
            log.warning("the api is open: anybody may do everything; set HUNTER_ADMIN_KEY")
        await stop.wait()
        app[HEALTH].draining = True
        log.info("api draining", delay_s=config.drain_delay_s, grace_s=config.drain_grace_s)
        await asyncio.sleep(config.drain_delay_s)
    finally:
        await runner.cleanup()
        log.info("api stopped")
