"""Leads pushed over HTTP: what is taken, what is refused, and who may push."""

from __future__ import annotations

import base64
import datetime as dt
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from pytest_aiohttp import AiohttpClient
from standardwebhooks.webhooks import Webhook

from hunter.config import Config, Secret
from hunter.web.app import create_app

Client = TestClient[Any, Any]
PUSH = "/api/v1/ingest/webhook"
SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
JSON = {"Content-Type": "application/json"}


async def test_a_push_says_what_was_taken_and_what_was_refused(
    client: Client, database: Any
) -> None:
    leads = [
        {"website": "https://www.isik.com.tr/hakkimizda", "company": "Işık A.Ş."},
        {"email": "ali@gmail.com"},
        {"phone": "5"},
        {"domain": "isik.com.tr"},
        {"domain": "com.tr", "email": "x@celik.com.tr"},
    ]

    answer = await client.post(f"{PUSH}?source=hubspot", json=leads)
    body = await answer.json()

    assert answer.status == 202, body
    assert (body["accepted"], body["duplicates"], body["rejected_count"]) == (2, 1, 2)
    assert [each["domain"] for each in body["leads"]] == ["isik.com.tr"] * 2 + ["celik.com.tr"]
    assert [(each["line"], each["reason"]) for each in body["rejected"]] == [
        (2, "free_mail"),
        (3, "no_address"),
    ]
    rows = await database.fetch("SELECT domain, source FROM lead ORDER BY domain")
    assert [tuple(row) for row in rows] == [("celik.com.tr", "hubspot"), ("isik.com.tr", "hubspot")]
    job = await (await client.get(body["links"]["self"])).json()
    assert job["total"] == 2


async def test_a_push_without_a_lead_is_answered_and_starts_nothing(client: Client) -> None:
    answer = await client.post(PUSH, json={"email": "ali@gmail.com"})
    body = await answer.json()

    assert answer.status == 200
    assert (body["accepted"], body["job_id"], body["links"]) == (0, None, None)
    assert body["rejected"][0]["reason"] == "free_mail"


async def test_a_push_refuses_a_deleted_company_and_does_not_list_it_as_taken(
    client: Client, database: Any
) -> None:
    await client.post("/api/v1/admin/suppressions", json={"domain": "acme.com"})
    leads = [{"domain": each} for each in ("b.com", "acme.com", "c.com", "acme.com")]
    headers = {"Idempotency-Key": "k"}

    body = await (await client.post(PUSH, json=leads, headers=headers)).json()
    again = await (await client.post(PUSH, json=leads, headers=headers)).json()

    assert body == again
    assert [each["domain"] for each in body["leads"]] == ["b.com", "c.com"]
    told = [(each["line"], each["reason"]) for each in body["rejected"]]
    assert (body["accepted"], told) == (2, [(2, "suppressed"), (4, "suppressed")])
    assert "acme" not in str(body)
    assert await database.fetchval("SELECT count(*) FROM lead") == 2


@pytest.mark.parametrize("how", ["body", "header", "key"])
async def test_an_event_is_taken_once(client: Client, database: Any, how: str) -> None:
    body: dict[str, Any] = {"domain": "acme.com"}
    headers = {}
    match how:
        case "body":
            body["event_id"] = "e-1"
        case "header":
            headers["webhook-id"] = "msg_1"
        case _:
            headers["Idempotency-Key"] = "k"

    first = await (await client.post(PUSH, json=body, headers=headers)).json()
    again = await (await client.post(PUSH, json=body, headers=headers)).json()

    assert first == again
    assert await database.fetchval("SELECT count(*) FROM scan_job") == 1


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"5", 422),
        (b"[" * 100_000, 400),
        (json.dumps([{"domain": "a.com"}] * 1001).encode(), 413),
    ],
)
async def test_what_is_no_push_is_a_problem(client: Client, data: bytes, status: int) -> None:
    answer = await client.post(PUSH, data=data, headers=JSON)

    assert answer.status == status
    assert answer.content_type == "application/problem+json"


@pytest.fixture
async def signing(aiohttp_client: AiohttpClient, settings: Callable[..., Config]) -> Client:
    """A client of an API that wants a key, or a signature for pushes."""
    key = Secret("a-key-of-more-than-24-characters")
    config = settings(admin_key=key, ingest_webhook_secret=Secret(SECRET))
    return await aiohttp_client(create_app(config))


def _signed(body: str, secret: str = SECRET, at: float | None = None) -> dict[str, str]:
    moment = dt.datetime.fromtimestamp(at or time.time(), dt.UTC)
    return {
        **JSON,
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": Webhook(secret).sign("msg_1", moment, body),
    }


async def test_a_signature_lets_a_push_in_and_nothing_else(signing: Client) -> None:
    body = json.dumps({"domain": "acme.com"})

    pushed = await signing.post(PUSH, data=body, headers=_signed(body))
    elsewhere = await signing.get("/api/v1/leads", headers=_signed(body))

    assert pushed.status == 202, await pushed.text()
    assert elsewhere.status == 401


@pytest.mark.parametrize("flaw", ["secret", "body", "old", "future", "none", "garbage", "no id"])
async def test_a_push_with_a_flawed_signature_is_refused(
    signing: Client, database: Any, flaw: str
) -> None:
    body = json.dumps({"domain": "acme.com"})
    other = "whsec_" + base64.b64encode(b"o" * 32).decode()
    headers = {
        "secret": _signed(body, other),
        "body": _signed(body + " "),
        "old": _signed(body, at=time.time() - 400),
        "future": _signed(body, at=time.time() + 400),
        "none": JSON,
        "garbage": _signed(body) | {"webhook-signature": "v1,ü v2, x"},
        "no id": {k: v for k, v in _signed(body).items() if k != "webhook-id"},
    }[flaw]

    answer = await signing.post(PUSH, data=body, headers=headers)

    assert answer.status == 401
    assert await database.fetchval("SELECT count(*) FROM lead") == 0


async def test_a_key_lets_a_push_in_without_a_signature(signing: Client) -> None:
    key = {"X-API-Key": "a-key-of-more-than-24-characters"}

    assert (await signing.post(PUSH, json={"domain": "acme.com"}, headers=key)).status == 202
    # a signature beside a wrong key is not asked
    body = json.dumps({"domain": "acme.com"})
    wrong = _signed(body) | {"X-API-Key": "wrong"}
    assert (await signing.post(PUSH, data=body, headers=wrong)).status == 401


async def test_an_open_server_with_a_secret_wants_the_signature(
    aiohttp_client: AiohttpClient, settings: Callable[..., Config]
) -> None:
    config = settings(ingest_webhook_secret=Secret(SECRET))
    client: Client = await aiohttp_client(create_app(config))

    assert (await client.post(PUSH, json={"domain": "acme.com"})).status == 401
