"""The probe server: its own port, the same answers as the API's."""

import aiohttp
import pytest

from hunter.core.errors import Misconfigured
from hunter.ops.health import Health
from hunter.ops.metrics import Metrics
from hunter.ops.server import serve_probes


async def _up() -> None:
    return None


async def _away() -> None:
    raise ConnectionRefusedError


async def test_probes_and_metrics_are_served() -> None:
    health = Health({"database": _up, "redis": _up}, environment="production")

    async with (
        serve_probes("127.0.0.1", 0, health, Metrics()) as (host, port),
        aiohttp.ClientSession(f"http://{host}:{port}") as client,
    ):
        for path in ("/healthz/live", "/healthz/ready", "/healthz/startup", "/healthz"):
            async with client.get(path) as answer:
                assert answer.status == 200, path
                assert answer.content_type == "application/json"
        async with client.get("/metrics") as answer:
            assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
            assert "hunter_build_info{version=" in await answer.text()


async def test_a_red_probe_is_a_problem_and_a_draining_one_closes_the_connection() -> None:
    health = Health({"database": _away}, environment="production")
    health.draining = True

    async with (
        serve_probes("127.0.0.1", 0, health, Metrics()) as (host, port),
        aiohttp.ClientSession(f"http://{host}:{port}") as client,
        client.get("/healthz/ready") as answer,
    ):
        assert answer.status == 503
        assert answer.content_type == "application/problem+json"
        assert answer.headers["Connection"] == "close"


async def test_a_taken_port_is_reported_with_the_setting_to_change() -> None:
    health = Health({}, environment="development")

    async with serve_probes("127.0.0.1", 0, health, Metrics()) as (host, port):
        with pytest.raises(Misconfigured, match="HUNTER_WORKER_PORT"):
            async with serve_probes(host, port, health, Metrics()):
                pass


async def test_a_scrape_says_which_dependency_answers() -> None:
    health = Health({"database": _up, "redis": _away}, environment="production")

    async with (
        serve_probes("127.0.0.1", 0, health, Metrics()) as (host, port),
        aiohttp.ClientSession(f"http://{host}:{port}") as client,
        client.get("/metrics") as answer,
    ):
        text = await answer.text()

    assert 'hunter_dependency_up{dependency="database"} 1\n' in text
    assert 'hunter_dependency_up{dependency="redis"} 0\n' in text
