"""Rules, endpoints and messages of alerts over the API, with a courier where something is really sent."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient
from pytest_aiohttp import AiohttpClient
from standardwebhooks import Webhook

from hunter.config import Config, Secret
from hunter.local.https import served
from hunter.ops.metrics import Metrics
from hunter.pipeline.courier import Courier
from hunter.pipeline.digests import Digester
from hunter.pipeline.post import open_post
from hunter.queue.hints import Hints
from hunter.store import alerts
from hunter.store.database import Database
from hunter.web.app import create_app
from tests.alerting import happen

Client = TestClient[Any, Any]
API = "/api/v1/alerts"


@pytest.fixture
def open_config(config: Config) -> Config:
    """Settings that let messages reach this machine, and seal what is stored."""
    pepper = Secret("a pepper of more than thirty-two characters")
    return dataclasses.replace(config, outbound_loopback=True, key_pepper=pepper)


@pytest.fixture
async def api(aiohttp_client: AiohttpClient, open_config: Config) -> Client:
    """A client of an API with these settings."""
    return await aiohttp_client(create_app(open_config))


async def loopback(_name: str) -> Sequence[str]:
    return ["127.0.0.1"]


@asynccontextmanager
async def delivering(config: Config, db: Database, hints: Hints) -> AsyncIterator[None]:
    """A courier at work while inside."""
    async with open_post(config, loopback) as post:
        running = asyncio.create_task(Courier(db, hints, post, Metrics(), config).run())
        try:
            yield
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def send(api: Client, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    """Status and answer."""
    async with api.request(method, API + path, json=body) as answer:
        return answer.status, await answer.json() if answer.status != 204 else None


async def webhook(
    api: Client, url: str = "https://hooks.example/in?token=t0p", **fields: Any
) -> Any:
    """A webhook made over the API."""
    body = {"name": "desk", "kind": "webhook", "address": url} | fields
    status, made = await send(api, "POST", "/endpoints", body)
    assert status == 201, made
    return made


async def rule(api: Client, *endpoints: str, **fields: Any) -> Any:
    """A rule made over the API."""
    status, made = await send(
        api, "POST", "/rules", {"name": "moves", "endpoints": endpoints} | fields
    )
    assert status == 201, made
    return made


async def test_an_endpoint_shows_neither_its_secret_nor_its_address(
    api: Client, db: Database, capfd: pytest.CaptureFixture[str]
) -> None:
    made = await webhook(api)
    secret, endpoint_id = made["secret"], made["endpoint"]["id"]
    _, rotated = await send(api, "POST", f"/endpoints/{endpoint_id}/rotate", {"grace_hours": 1})
    _, shown = await send(api, "GET", f"/endpoints/{endpoint_id}")
    _, listed = await send(api, "GET", "/endpoints")

    assert secret.startswith("whsec_")
    assert rotated["secret"] not in {secret, None}
    assert rotated["old_secret_until"] == shown["old_secret_until"] is not None
    assert shown["shown"] == "https://hooks.example/…"
    assert listed["items"] == [shown]
    async with db.acquire() as conn:
        row = await conn.fetchrow("SELECT * FROM alert_endpoint")
    assert row is not None
    stored = b"".join(each for each in row.values() if isinstance(each, bytes))
    assert b"t0p" not in stored
    written = capfd.readouterr()
    for word in ("t0p", secret, rotated["secret"]):
        assert word not in written.out + written.err + str(shown) + str(listed)


async def test_endpoints_that_cannot_be_used_are_refused_with_the_fix(client: Client) -> None:
    refused = {
        "http://hooks.example/": "is no https URL",
        "https://user:pass@hooks.example/": "is no https URL",
        "https://127.0.0.1/": "loopback",
        "https://[::ffff:169.254.169.254]/": "link-local",
        "ftp://hooks.example/": "is no https URL",
        "hooks": "is no https URL",
    }
    for address, why in refused.items():
        body = {"name": "n", "kind": "slack", "address": address}
        status, problem = await send(client, "POST", "/endpoints", body)
        assert (status, problem["errors"][0]["pointer"]) == (422, "/address"), address
        assert why in problem["detail"], address
    for address in (
        "a@b",
        "a b@example.com",
        "a@example.com\r\nBcc: x@example.com",
        "a,b@x.com",
        "@x.com",
    ):
        body = {"name": "n", "kind": "email", "address": address}
        status, problem = await send(client, "POST", "/endpoints", body)
        assert (status, problem["errors"][0]["pointer"]) == (422, "/address"), address
    body = {"name": "n", "kind": "slack", "address": "https://hooks.example/", "secret": "whsec_x"}
    status, problem = await send(client, "POST", "/endpoints", body)
    assert (status, problem["errors"][0]["pointer"]) == (422, "/secret")
    status, problem = await send(client, "POST", "/endpoints", body | {"kind": "webhook"})
    assert (status, problem["errors"][0]["pointer"]) == (422, "/secret")


async def test_a_rule_is_made_changed_and_deleted(api: Client, db: Database) -> None:
    endpoint_id = (await webhook(api))["endpoint"]["id"]
    made = await rule(api, endpoint_id, min_score=50, segments=["migration"])
    assert "dane_ready" not in made["kinds"]
    assert "mx_changed" in made["kinds"]
    path = f"/rules/{made['id']}"

    daily = {"cadence": "daily", "timezone": "Europe/Istanbul", "digest_hour": 9}
    body = {"name": "daily", "endpoints": [endpoint_id]} | daily
    status, changed = await send(api, "PUT", path, body)
    assert (status, changed["min_score"], changed["name"]) == (200, None, "daily")
    assert changed["digest_at"].endswith("06:00:00Z")
    await happen(db, "contoso.example")
    # no longer daily: what was to be told tomorrow is told now
    assert (await send(api, "PUT", path, body | {"cadence": "immediate"}))[0] == 200
    status, told = await send(api, "GET", f"/deliveries?rule={made['id']}")
    assert [each["kind"] for each in told["items"]] == ["digest"]

    status, problem = await send(api, "DELETE", f"/endpoints/{endpoint_id}")
    assert (status, "a rule tells" in problem["detail"]) == (409, True)
    assert (await send(api, "DELETE", path))[0] == 204
    assert (await send(api, "GET", path))[0] == 404
    _, told = await send(api, "GET", "/deliveries?state=dead")
    assert [each["last_error"] for each in told["items"]] == ["rule_deleted"]
    assert (await send(api, "DELETE", f"/endpoints/{endpoint_id}"))[0] == 204


UNUSABLE: list[tuple[dict[str, Any], str]] = [
    ({"kinds": ["reclassified"]}, "/kinds/0"),
    ({"kinds": []}, "/kinds"),
    ({"timezone": "Mars/Olympus"}, "/timezone"),
    ({"endpoints": ["018f0000-0000-7000-8000-000000000000"]}, "/endpoints"),
    ({"markets": ["turkey"]}, "/markets/0"),
    ({"min_scoer": 5}, "/min_scoer"),
]


async def test_a_rule_sent_again_under_its_key_is_one_rule(api: Client, db: Database) -> None:
    endpoint = await webhook(api)
    body = {"name": "Movers", "endpoints": [endpoint["endpoint"]["id"]]}
    headers = {"Idempotency-Key": "k"}

    first = await api.post("/api/v1/alerts/rules", json=body, headers=headers)
    again = await api.post("/api/v1/alerts/rules", json=body, headers=headers)

    assert (first.status, again.status) == (201, 201), await first.text()
    assert await again.json() == await first.json()
    assert again.headers["Location"] == first.headers["Location"]
    async with db.acquire() as conn:
        assert await conn.fetchval("SELECT count(*) FROM alert_rule") == 1


async def test_a_rule_that_cannot_be_used_is_refused_with_the_place(api: Client) -> None:
    endpoint_id = (await webhook(api))["endpoint"]["id"]

    found = []
    for fields, _ in UNUSABLE:
        body = {"name": "r", "endpoints": [endpoint_id]} | fields
        status, problem = await send(api, "POST", "/rules", body)
        found.append((fields, problem["errors"][0]["pointer"] if status == 422 else status))

    # of a list msgspec names no place
    assert [(each, str(place).replace("/...", "/0")) for each, place in found] == UNUSABLE
    assert (await send(api, "GET", "/rules"))[1]["items"] == []


async def test_the_test_button_sends_a_signed_message_and_says_what_came_back(
    api: Client, open_config: Config, db: Database, hints: Hints
) -> None:
    came: list[tuple[dict[str, str], bytes]] = []

    async def take(request: web.Request) -> web.Response:
        came.append((dict(request.headers), await request.read()))
        return web.Response(status=403, text="who\nare you?")

    async with served({"/in": take}, None) as port, delivering(open_config, db, hints):
        made = await webhook(api, f"http://hooks.example:{port}/in")
        chat = await webhook(api, "http://hooks.example:1/", kind="teams", name="teams")
        off = await webhook(api, "http://hooks.example:1/", kind="slack", name="off")
        await send(api, "PATCH", f"/endpoints/{off['endpoint']['id']}", {"state": "disabled"})
        ids = [each["endpoint"]["id"] for each in (made, chat, off)]
        wanted = await rule(api, *ids)
        status, said = await send(api, "POST", f"/rules/{wanted['id']}/test")

    results = {each["endpoint"]: each for each in said["endpoints"]}
    assert status == 200
    answer = results["desk"]["result"]
    assert (answer["outcome"], answer["status"], answer["detail"]) == (
        "status",
        403,
        "who are you?",
    )
    assert results["teams"]["result"]["outcome"] == "unreachable"
    assert (results["off"]["delivery_id"], results["off"]["result"]) == (None, None)
    headers, body = came[0]
    assert Webhook(made["secret"]).verify(body, headers)["type"] == "alerts.test"
    assert len(came) == 1


async def test_a_dry_run_counts_what_a_rule_would_have_told(api: Client, db: Database) -> None:
    endpoint_id = (await webhook(api))["endpoint"]["id"]
    for number in range(14):
        await happen(db, f"d{number}.example", "provider_changed", lead={"score": 80})
    await happen(db, "low.example", "provider_changed", lead={"score": 20})
    await happen(db, "other.example", "spf_changed")
    async with db.acquire() as conn:
        await conn.execute(
            "UPDATE change SET at = now() - interval '40 days' WHERE domain = 'd13.example'"
        )
    filters = {"kinds": ["provider_changed"], "min_score": 50}
    made = await rule(api, endpoint_id, **filters)

    _, saved = await send(api, "POST", f"/rules/{made['id']}/dry-run")
    status, fresh = await send(api, "POST", "/rules/dry-run?days=90", filters)

    assert (saved["days"], saved["matches"], len(saved["examples"])) == (30, 13, 10)
    assert saved["examples"][0]["domain"] == "d12.example"
    assert (status, fresh["matches"]) == (200, 14)
    assert (await send(api, "GET", ""))[1]["items"] == []
    assert (await send(api, "GET", "/deliveries"))[1]["items"] == []


async def test_alerts_are_acknowledged_and_messages_replayed_under_their_id(
    api: Client, open_config: Config, db: Database, hints: Hints
) -> None:
    came: list[tuple[str, bytes]] = []

    async def take(request: web.Request) -> web.Response:
        came.append((request.headers["webhook-id"], await request.read()))
        return web.Response(status=200 if len(came) > 1 else 410)

    async with served({"/in": take}, None) as port, delivering(open_config, db, hints):
        endpoint_id = (await webhook(api, f"http://hooks.example:{port}/in"))["endpoint"]["id"]
        await rule(api, endpoint_id)
        await happen(db, "contoso.example")
        _, raised = await send(api, "GET", "?acknowledged=false")
        alert_id = raised["items"][0]["id"]
        _, seen = await send(api, "POST", f"/{alert_id}/acknowledge")
        delivery = await _until(api, "dead")
        assert (await send(api, "GET", f"/endpoints/{endpoint_id}"))[1]["state_reason"] == "gone"
        await send(api, "PATCH", f"/endpoints/{endpoint_id}", {"state": "active"})
        status, again = await send(api, "POST", f"/deliveries/{delivery['id']}/replay")
        assert (status, again["replays"]) == (202, 1)
        await _until(api, "done")
        span = {"since": delivery["created_at"], "until": "2100-01-01T00:00:00Z"}
        status, many = await send(api, "POST", "/deliveries/replay", span | {"states": ["done"]})
        assert (status, many) == (202, {"replayed": 1})
        async with asyncio.timeout(15):
            while len(came) < 3:
                await asyncio.sleep(0.02)
        _, told = await send(api, "GET", f"/deliveries/{delivery['id']}")

    assert seen["acknowledged_by"] == "anonymous"
    assert len(set(came)) == 1
    assert came[0][0] == delivery["id"]
    assert [each["outcome"] for each in told["attempts"]][-2:] == ["ok", "gone"]


async def test_of_a_deleted_domain_no_message_keeps_a_word(
    api: Client, open_config: Config, db: Database, hints: Hints
) -> None:
    endpoint_id = (await webhook(api, "http://hooks.example:1/"))["endpoint"]["id"]
    await rule(api, endpoint_id)
    daily = await rule(api, endpoint_id, name="daily", cadence="daily")
    for name in ("gone.example", "stays.example"):
        await happen(db, name)
    async with db.acquire() as conn:
        await conn.execute("UPDATE alert_rule SET digest_at = now() WHERE digest_at IS NOT NULL")
    await Digester(db, hints).make_one()
    async with delivering(open_config, db, hints):
        async with asyncio.timeout(15):
            while len((await send(api, "GET", "/deliveries?state=ready"))[1]["items"]) < 3:
                await asyncio.sleep(0.05)
            async with db.acquire() as conn:
                while await conn.fetchval("SELECT count(*) FROM delivery WHERE body IS NULL"):
                    await asyncio.sleep(0.05)
    _, before = await send(api, "GET", f"/deliveries?rule={daily['id']}")

    async with db.acquire() as conn:
        await alerts.forget(conn, "gone.example")
        told = await conn.fetchval(
            "SELECT string_agg(convert_from(coalesce(body, ''), 'UTF8'), '') FROM delivery"
        )
        assert await conn.fetchval("SELECT count(*) FROM alert WHERE domain = 'gone.example'") == 0
    _, after = await send(api, "GET", f"/deliveries?rule={daily['id']}")

    assert "gone.example" not in told
    assert "stays.example" in told
    # another text under the id of before would be a lie
    assert before["items"][0]["id"] != after["items"][0]["id"]


async def _until(api: Client, state: str) -> Any:
    """The one message, once it is in a state."""
    async with asyncio.timeout(15):
        while not (found := (await send(api, "GET", f"/deliveries?state={state}"))[1]["items"]):
            await asyncio.sleep(0.05)
    return found[0]
