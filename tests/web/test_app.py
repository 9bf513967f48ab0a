"""The application as a whole: paths old and new, headers, probes, metrics, document, drain."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import TestClient, unused_port
from pytest_aiohttp import AiohttpClient
from yarl import URL

from hunter.config import Config, Secret
from hunter.core.errors import Misconfigured
from hunter.ops.server import PROBES
from hunter.web.app import create_app, run_api
from hunter.web.keys import HEALTH
from hunter.web.routes import ROUTES

Client = TestClient[Any, Any]
API = "/api/v1"


async def test_earlier_paths_answer_the_same_and_say_that_they_end(client: Client) -> None:
    new = await client.get(f"{API}/leads?limit=5")
    old = await client.get("/leads?limit=5")

    assert await old.json() == await new.json()
    assert old.headers["Deprecation"].startswith("@")
    assert old.headers["Sunset"].endswith("GMT")
    assert old.headers["Link"] == f'<{API}/leads>; rel="successor-version"'
    assert "Deprecation" not in new.headers


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/ingest/domain", {"domain": "acme.com"}),
        ("/scan/domain", {"domain": "acme.com"}),
        ("/scan/bulk", {"domain_list": ["acme.com"]}),
    ],
)
async def test_earlier_paths_take_writes(client: Client, path: str, body: Any) -> None:
    answer = await client.post(path, json=body)

    assert answer.status == 202
    assert answer.headers["Location"].startswith(API)
    assert "Deprecation" in answer.headers


async def test_a_request_id_that_is_safe_is_kept_and_another_is_replaced(client: Client) -> None:
    kept = await client.get("/", headers={"X-Request-ID": "trace-1.a_B"})
    made = [
        await client.get("/", headers={"X-Request-ID": bad})
        for bad in ("x" * 65, "a b", "a\tb", 'a"b', "")
    ]

    assert kept.headers["X-Request-ID"] == "trace-1.a_B"
    assert all(re.fullmatch(r"[0-9a-f-]{36}", answer.headers["X-Request-ID"]) for answer in made)


async def test_the_front_page_says_what_this_is_to_programs_and_to_people(client: Client) -> None:
    data = await (await client.get("/")).json()
    page = await client.get("/", headers={"Accept": "text/html,*/*"})

    assert data["name"] == "hunter"
    for path in data["links"].values():
        assert (await client.get(path)).status == 200, path
    assert page.content_type == "text/html"
    assert "/static/htmx.min.js" in await page.text()


async def test_probes_answer_as_the_guide_says(client: Client) -> None:
    ready = await client.get("/healthz/ready")
    legacy = await client.get("/healthz")

    assert await (await client.get("/healthz/live")).json() == {"status": "alive"}
    assert await ready.json() == {
        "status": "ready",
        "checks": {"database": True, "redis": True},
        "environment": "development",
    }
    assert (await client.get("/healthz/startup")).status == 200
    assert await legacy.json() == {
        "status": "ok",
        "database": "connected",
        "redis": "connected",
        "environment": "development",
    }


@pytest.mark.parametrize(
    ("setting", "name"),
    [
        ({"database_url": Secret("postgresql://u:secret@127.0.0.1:1/x")}, "Database"),
        ({"redis_url": Secret("redis://:secret@127.0.0.1:1/0")}, "Redis"),
    ],
)
async def test_readiness_names_the_dependency_that_is_away(
    aiohttp_client: AiohttpClient, settings: Callable[..., Config], setting: Any, name: str
) -> None:
    client = await aiohttp_client(create_app(settings(**setting)))

    ready = await client.get("/healthz/ready")

    assert ready.status == 503
    assert ready.content_type == "application/problem+json"
    body = await ready.json(content_type=None)
    assert body["detail"] == f"{name} unavailable: connection refused"
    assert body["checks"][name.lower()] is False
    assert (await client.get("/healthz/live")).status == 200
    assert (await (await client.get("/healthz")).json())[name.lower()] == "disconnected"


async def test_readiness_without_redis_is_degraded_where_that_is_allowed(
    aiohttp_client: AiohttpClient, settings: Callable[..., Config]
) -> None:
    away = settings(redis_url=Secret("redis://127.0.0.1:1/0"), ready_requires_redis=False)
    client = await aiohttp_client(create_app(away))

    ready = await client.get("/healthz/ready")

    assert (ready.status, (await ready.json())["status"]) == (200, "degraded")


async def test_work_is_accepted_while_redis_is_away(
    aiohttp_client: AiohttpClient, settings: Callable[..., Config]
) -> None:
    client = await aiohttp_client(create_app(settings(redis_url=Secret("redis://127.0.0.1:1/0"))))

    bulk = await client.post(f"{API}/scan/bulk", json={"domains": ["acme.com"]})
    single = await client.post(f"{API}/scan/domain", json={"domain": "acme.com"})

    assert (bulk.status, single.status) == (202, 202)


async def test_startup_waits_for_the_schema(
    aiohttp_client: AiohttpClient, settings: Callable[..., Config], empty_database_url: str
) -> None:
    client = await aiohttp_client(create_app(settings(database_url=Secret(empty_database_url))))

    startup = await client.get("/healthz/startup")

    assert startup.status == 503
    assert "hunter migrate up" in (await startup.json(content_type=None))["detail"]


async def test_metrics_name_the_route_and_never_the_path(client: Client) -> None:
    await client.get(f"{API}/leads/secret-name.com")
    await client.get("/no/such/path")
    await client.get(f"{API}/leads")

    text = await (await client.get("/metrics")).text()

    assert 'endpoint="/api/v1/leads/{domain}",method="GET",status="404"} 1' in text
    assert 'http_requests_total{endpoint="unmatched",method="GET",status="404"} 1' in text
    assert (
        'http_requests_errors_total{endpoint="/api/v1/leads",method="GET",status="500"} 0' in text
    )
    assert "secret-name" not in text
    assert re.search(r"^db_connection_pool_max 6$", text, re.MULTILINE)
    for name in ("db_connection_pool_size", "redis_connection_pool_size", "memory_usage_bytes"):
        assert re.search(rf"^{name} \d", text, re.MULTILINE), name


async def test_the_document_holds_every_route_and_no_other(
    aiohttp_client: AiohttpClient, config: Config
) -> None:
    app = create_app(config)
    client = await aiohttp_client(app)
    served = {
        (route.method.lower(), resource.canonical)
        for resource in app.router.resources()
        for route in resource
        if route.method != "HEAD"
    } - {(route.method.lower(), route.path) for route in ROUTES if route.is_page}

    found = await (await client.get("/openapi.json")).json()

    assert {(m, path) for path, methods in found["paths"].items() for m in methods} == served
    assert found["openapi"].startswith("3.1")


async def test_the_document_is_sound(client: Client) -> None:
    found = await (await client.get("/openapi.json")).json()

    operations = [each for methods in found["paths"].values() for each in methods.values()]
    ids = [each["operationId"] for each in operations]
    assert len(ids) == len(set(ids))
    referred = set(re.findall(r"#/components/schemas/([^\"']+)", repr(found)))
    assert referred <= found["components"]["schemas"].keys()
    for path, methods in found["paths"].items():
        for operation in methods.values():
            named = {p["name"] for p in operation.get("parameters", ()) if p["in"] == "path"}
            assert named == set(re.findall(r"{(\w+)}", path))


async def test_the_document_names_errors_headers_and_files(client: Client) -> None:
    paths = (await (await client.get("/openapi.json")).json())["paths"]

    lead = paths[f"{API}/leads/{{domain}}"]
    assert {"200", "304", "401", "404", "422"} <= lead["get"]["responses"].keys()
    assert {"412", "415"} <= lead["patch"]["responses"].keys()
    assert "ETag" in lead["get"]["responses"]["200"]["headers"]
    assert [p["example"] for p in lead["get"]["parameters"] if p["in"] == "path"] == ["contoso.com"]
    assert "Sunset" in paths["/leads/{domain}"]["get"]["responses"]["200"]["headers"]
    events = paths[f"{API}/scan/bulk/{{job_id}}/events"]["get"]["responses"]
    assert list(events["200"]["content"]) == ["text/event-stream"]
    assert "204" in events
    segment = next(p for p in paths[f"{API}/leads"]["get"]["parameters"] if p["name"] == "segment")
    assert (segment["style"], segment["explode"]) == ("form", False)
    for path, methods in paths.items():
        for operation in methods.values():
            for status, answer in operation["responses"].items():
                # a probe that is not ready names its checks
                if path not in PROBES and status.isdigit() and int(status) >= 400:
                    assert list(answer["content"]) == ["application/problem+json"]


async def test_an_answer_has_the_fields_its_document_promises(client: Client) -> None:
    found = await (await client.get("/openapi.json")).json()

    answer = await (await client.post(f"{API}/scan/bulk", json={"domains": ["acme.com"]})).json()

    assert answer.keys() == found["components"]["schemas"]["JobView"]["properties"].keys()


async def test_a_draining_api_closes_connections_and_is_not_ready(
    aiohttp_client: AiohttpClient, config: Config
) -> None:
    app = create_app(config)
    client = await aiohttp_client(app)
    assert (await client.get("/healthz/ready")).status == 200

    app[HEALTH].draining = True

    assert (await client.get("/healthz/ready")).status == 503
    answer = await client.get(f"{API}/leads")
    assert (answer.status, answer.headers["Connection"]) == (200, "close")
    assert (await client.get("/healthz/live")).status == 200


async def test_the_api_serves_until_told_to_stop_and_finishes_what_is_under_way(
    settings: Callable[..., Config], database: Any
) -> None:
    port, stop = unused_port(), asyncio.Event()
    serving = asyncio.create_task(run_api(settings(port=port), stop=stop))
    url = f"http://127.0.0.1:{port}"
    async with aiohttp.ClientSession() as session:
        await _until_alive(session, url)
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(
                session.post(
                    f"{url}{API}/scan/domain",
                    json={"domain": "acme.com"},
                    headers={"Prefer": "wait=1"},
                )
            )
            await _until_job(database)
            stop.set()
        assert waiting.result().status == 202
        await serving
        with pytest.raises(aiohttp.ClientConnectionError):
            await session.get(f"{url}/healthz/live")


async def _until_alive(session: aiohttp.ClientSession, url: str) -> None:
    while True:
        try:
            async with session.get(f"{url}/healthz/live") as answer:
                assert answer.status == 200
                return
        except aiohttp.ClientConnectionError:
            await asyncio.sleep(0.02)


async def _until_job(database: Any) -> None:
    while not await database.fetchval("SELECT count(*) FROM scan_job"):
        await asyncio.sleep(0.02)


async def test_a_taken_port_names_the_setting(settings: Callable[..., Config]) -> None:
    server = await asyncio.start_server(lambda _r, _w: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    with pytest.raises(Misconfigured, match="HUNTER_PORT"):
        await run_api(settings(port=port), stop=asyncio.Event())

    server.close()
    await server.wait_closed()


@pytest.mark.parametrize("name", ["%0d%0aX-Evil:1", "%C5%9Firket.com.tr", "%22%3E", "%00"])
async def test_no_earlier_path_can_break_out_of_its_link(client: Client, name: str) -> None:
    answer = await client.get(URL(f"/leads/{name}", encoded=True))

    assert answer.status in {404, 422}
    assert "X-Evil" not in answer.headers
    assert answer.headers["Link"].startswith(f"<{API}/leads/")


@pytest.mark.parametrize("path", ["scan/bulk", "ingest/csv"])
async def test_a_caller_who_hangs_up_is_no_error_of_ours(
    settings: Callable[..., Config], database: Any, path: str
) -> None:
    # not the test client's server: that one cancels handlers, the real one does not
    port, stop = unused_port(), asyncio.Event()
    serving = asyncio.create_task(run_api(settings(port=port), stop=stop))
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
        await _until_alive(session, "")
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            f"POST {API}/{path} HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n"
            "Content-Length: 1000\r\n\r\nacme.com\n".encode()
        )
        await writer.drain()
        writer.close()
        await writer.wait_closed()

        counted = f'http_requests_total{{endpoint="{API}/{path}",method="POST",status='
        while counted not in (text := await (await session.get("/metrics")).text()):
            await asyncio.sleep(0.01)
    stop.set()
    await serving

    assert f'{counted}"400"}} 1' in text
    assert await database.fetchval("SELECT count(*) FROM scan_job") == 0


@pytest.mark.parametrize(
    ("method", "path"),
    [("PUT", "/alerts/rules/dry-run"), ("DELETE", "/leads/export"), ("PATCH", "/leads/export")],
)
async def test_a_word_of_a_path_is_never_taken_for_a_name_or_an_id(
    client: Client, method: str, path: str
) -> None:
    answer = await client.request(method, API + path)

    assert answer.status == 405
    assert method not in answer.headers["Allow"].split(",")
