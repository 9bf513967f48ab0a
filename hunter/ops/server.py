"""The small server of probes and metrics, on its own port, for web and worker alike."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import msgspec
from aiohttp import web

from hunter.core.errors import Misconfigured
from hunter.ops.health import Answer, Health
from hunter.ops.metrics import CONTENT_TYPE, Metrics

#: path → what it tells; nobody needs a key for them
PROBES: Final = {
    "/healthz/live": "Liveness: the loop turns",
    "/healthz/ready": "Readiness: database and Redis answer",
    "/healthz/startup": "Startup: everything was there once",
    "/healthz": "The earlier system's health check, always 200",
    "/metrics": "Metrics in the Prometheus text format",
}


def probe_routes(health: Health, metrics: Metrics) -> list[web.RouteDef]:
    """The unversioned routes that Kubernetes and Prometheus call."""

    async def live(_request: web.Request) -> web.Response:
        return _answer(health.live(), health)

    async def ready(_request: web.Request) -> web.Response:
        return _answer(await health.ready(), health)

    async def startup(_request: web.Request) -> web.Response:
        return _answer(await health.startup(), health)

    async def legacy(_request: web.Request) -> web.Response:
        return _answer(await health.legacy(), health)

    async def scrape(_request: web.Request) -> web.Response:
        # as cheap as a probe: the checks run at most once a second, whoever asks
        for name, answers in (await health.checks()).items():
            metrics.hunter_dependency_up.set({"dependency": name}, int(answers))
        return web.Response(body=metrics.render(), headers={"Content-Type": CONTENT_TYPE})

    return [
        web.get("/healthz/live", live),
        web.get("/healthz/ready", ready),
        web.get("/healthz/startup", startup),
        web.get("/healthz", legacy),
        web.get("/metrics", scrape),
    ]


def _answer(answer: Answer, health: Health) -> web.Response:
    status, body = answer
    kind = "application/json" if status == 200 else "application/problem+json"
    response = web.Response(body=msgspec.json.encode(body), status=status, content_type=kind)
    if status != 200:
        response.headers["Retry-After"] = "1"
    if health.draining:
        response.force_close()
    return response


@asynccontextmanager
async def serve_probes(
    host: str, port: int, health: Health, metrics: Metrics
) -> AsyncIterator[tuple[str, int]]:
    """Probes and metrics on host:port (0 takes a free one) while inside; yields the address.

    Raises Misconfigured when the port is taken.
    """
    app = web.Application()
    app.add_routes(probe_routes(health, metrics))
    runner = web.AppRunner(app, access_log=None, keepalive_timeout=75)
    await runner.setup()
    try:
        yield await listen(runner, host, port, setting="HUNTER_WORKER_PORT")
    finally:
        await runner.cleanup()


async def listen(runner: web.AppRunner, host: str, port: int, *, setting: str) -> tuple[str, int]:
    """Start listening and return the bound address; `setting` is named when the port is taken."""
    try:
        await web.TCPSite(runner, host, port, reuse_address=True).start()
    except OSError as error:
        raise Misconfigured(
            f"cannot listen on {host}:{port}: {error.strerror or error}; "
            f"stop the other program or set {setting} to a free port"
        ) from error
    bound_host, bound_port = runner.addresses[0][:2]
    return str(bound_host), int(bound_port)
