"""Traces as a collector on loopback gets them from the real API and worker."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from hunter.config import Config
from hunter.core.errors import Misconfigured
from hunter.local.servers import free_port
from hunter.ops.tracing import span, tracing

if TYPE_CHECKING:
    from tests.ops.conftest import Start

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


class Collector:
    """Spans by name, with the service they came from."""

    def __init__(self) -> None:
        self.spans: dict[str, tuple[str, Any]] = {}
        self.raw = b""
        self.came = asyncio.Condition()

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.raw += body
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            service = next(
                each.value.string_value
                for each in resource.resource.attributes
                if each.key == "service.name"
            )
            for scope in resource.scope_spans:
                self.spans |= {each.name: (service, each) for each in scope.spans}
        async with self.came:
            self.came.notify_all()
        return web.Response(content_type="application/x-protobuf")

    async def until(self, *names: str) -> None:
        async with asyncio.timeout(30), self.came:
            await self.came.wait_for(lambda: set(names) <= set(self.spans))


@pytest.fixture
async def collector() -> AsyncIterator[tuple[Collector, str]]:
    taken = Collector()
    app = web.Application()
    app.router.add_post("/v1/traces", taken.take)
    async with TestServer(app) as server:
        yield taken, f"http://127.0.0.1:{server.port}"


def _attributes(one: Any) -> dict[str, Any]:
    return {each.key: each.value.string_value or each.value.int_value for each in one.attributes}


async def test_a_request_and_the_chunk_it_led_to_are_spans(
    collector: tuple[Collector, str], start: Start
) -> None:
    taken, url_of_collector = collector
    more = {"HUNTER_OTLP_URL": url_of_collector, "HUNTER_DNS_SERVERS": "127.0.0.1:1"}
    headers = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
    body = {"domain": "gizli.example"}

    async with (
        start("serve", free_port(), **more) as url,
        start("work", free_port(), **more),
        aiohttp.ClientSession(headers=headers) as http,
    ):
        async with http.post(f"{url}/api/v1/scan/domain?depth=quick", json=body) as answer:
            assert answer.status == 202
            job = (await answer.json())["job_id"]
        await taken.until("POST /api/v1/scan/domain", "chunk")

    service, request = taken.spans["POST /api/v1/scan/domain"]
    assert service == "hunter-api"
    assert (request.trace_id.hex(), request.parent_span_id.hex()) == (TRACE, PARENT)
    assert _attributes(request) == {
        "http.request.method": "POST",
        "http.route": "/api/v1/scan/domain",
        "http.response.status_code": 202,
    }
    service, chunk = taken.spans["chunk"]
    assert service == "hunter-worker"
    assert _attributes(chunk)["hunter.job"] == job
    assert b"depth=quick" not in taken.raw
    assert "GET /healthz/startup" not in taken.spans


def test_without_a_collector_a_span_is_nothing() -> None:
    with tracing(Config(), "api"), span("request") as current:
        assert current is None


def test_a_missing_extra_is_told_with_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)

    with (
        pytest.raises(Misconfigured, match=r"install hunter\[otel\]"),
        tracing(Config(otlp_url="http://127.0.0.1:4318"), "api"),
    ):
        pass
