"""Keys over HTTP: scopes on every route, rotation, revocation, guesses, limits, quotas, the audit log."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient
from pytest_aiohttp import AiohttpClient
from yarl import URL

from hunter.config import Config, Secret
from hunter.core.credentials import id_in, is_same, write_key
from hunter.core.scopes import PUBLIC, Scope
from hunter.web import callers
from hunter.web.app import create_app
from hunter.web.callers import CALLERS
from hunter.web.keys import DB
from hunter.web.policies import POLICIES, Policy

Client = TestClient[Any, Any]
Make = Callable[..., Awaitable[str]]
API = "/api/v1"
KEYS = f"{API}/admin/api-keys"
ADMIN_KEY = "an admin key of more than 24 characters"
ADMIN = {"Authorization": f"Bearer {ADMIN_KEY}"}
NOBODY = "a" * 16


@pytest.fixture
def locked(config: Config) -> Config:
    """Settings of a server that wants keys."""
    return dataclasses.replace(
        config,
        admin_key=Secret(ADMIN_KEY),
        key_pepper=Secret("a pepper of more than 32 characters, for tests"),
    )


@pytest.fixture
async def app(locked: Config) -> web.Application:
    return create_app(locked)


@pytest.fixture
async def client(aiohttp_client: AiohttpClient, app: web.Application) -> Client:
    return await aiohttp_client(app)


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.fixture
def make(client: Client) -> Make:
    """Have the administrator make a key; its text."""

    async def made(*scopes: str, **more: Any) -> str:
        body = {"name": "test", "scopes": list(scopes)} | more
        answer = await client.post(KEYS, json=body, headers=ADMIN)
        assert answer.status == 201, await answer.text()
        return str((await answer.json())["key"])

    return made


async def _slug(answer: Any) -> str:
    body = await answer.json(content_type="application/problem+json")
    return f"{answer.status} {body['type'].removeprefix('/problems/')}"


def _path(policy: Policy) -> str:
    """A path of the route at which nothing is: what is asked is whether it may be asked."""
    path = policy.endpoint.replace("{domain}", "nobody.com").replace("{key_id}", NOBODY)
    while "{" in path:
        head, _, tail = path.partition("{")
        path = head + "01890a5d-ac96-774b-bcce-b302099a8057" + tail.partition("}")[2]
    return path


async def test_every_route_lets_in_who_has_its_scope_and_nobody_else(
    client: Client, app: web.Application, make: Make
) -> None:
    keys = {scope: await make(scope, rate_per_minute=10_000_000, burst=10_000) for scope in Scope}
    wrong: list[str] = []
    for route, policy in app[POLICIES].items():
        for scope, key in keys.items():
            if policy.scope == PUBLIC and scope is not Scope.SCAN_READ:
                continue
            asked = client.request(route.method, _path(policy), headers=bearer(key))
            async with asked as answer:
                refused = answer.status in {401, 403}
            if refused == (policy.scope in {PUBLIC, scope} or scope is Scope.ADMIN):
                wrong.append(f"{route.method} {policy.endpoint} with {scope}: {answer.status}")
        async with client.request(route.method, _path(policy)) as answer:
            if (answer.status == 401) != (policy.scope != PUBLIC):
                wrong.append(f"{route.method} {policy.endpoint} without a key: {answer.status}")

    assert wrong == []


async def test_a_refusal_names_the_scope_and_how_to_show_a_key(client: Client, make: Make) -> None:
    key = await make("scan:read")

    without = await client.get(f"{API}/leads")
    wrong = await client.get(f"{API}/leads", headers={"X-API-Key": key[:-1] + "x"})
    narrow = await client.get(f"{API}/leads", headers={"X-API-Key": key})
    nowhere = await client.get("/no/such/path")
    there = await client.get("/no/such/path", headers=bearer(key))

    assert await _slug(without) == await _slug(nowhere) == "401 authentication-required"
    assert without.headers["WWW-Authenticate"] == 'Bearer realm="hunter"'
    assert await _slug(wrong) == "401 authentication-required"
    assert wrong.headers["WWW-Authenticate"].endswith('error="invalid_token"')
    assert await _slug(narrow) == "403 forbidden"
    assert "leads:read" in (await narrow.json(content_type=None))["detail"]
    assert narrow.headers["WWW-Authenticate"].endswith('scope="leads:read"')
    assert await _slug(there) == "404 not-found"


async def test_a_key_is_told_once_and_stored_as_a_digest(
    client: Client, make: Make, database: Any
) -> None:
    key = await make("leads:read", "scan:read", expires_at="2999-01-01T00:00:00Z")
    secret = key.rpartition("_")[2]

    listed = await client.get(KEYS, headers=ADMIN)
    shown = await client.get(f"{KEYS}/{id_in(key)}", headers=ADMIN)
    text = str(await database.fetch("SELECT * FROM api_key")) + await listed.text()

    assert secret not in text + await shown.text()
    assert len(bytes.fromhex(secret)) == 32
    body = await shown.json()
    assert (body["scopes"], body["created_by"]) == (["leads:read", "scan:read"], "admin")
    assert body["expires_at"] == "2999-01-01T00:00:00Z"


async def test_keys_are_listed_in_pages_newest_first(client: Client, make: Make) -> None:
    made = [id_in(await make("scan:read")) for _ in range(3)]

    first = await (await client.get(f"{KEYS}?limit=2", headers=ADMIN)).json()
    cursor = first["next_cursor"]
    second = await (await client.get(f"{KEYS}?limit=2&cursor={cursor}", headers=ADMIN)).json()

    assert [each["id"] for each in first["items"] + second["items"]] == made[::-1]
    assert second["next_cursor"] is None


async def test_a_rotated_key_has_two_secrets_for_a_while(
    client: Client, make: Make, database: Any
) -> None:
    old = await make("scan:read")
    key_id = id_in(old)
    rotated = await client.post(f"{KEYS}/{key_id}/rotate", json={"grace_hours": 1}, headers=ADMIN)
    new = (await rotated.json())["key"]

    async def statuses() -> list[int]:
        asked = [await client.get(f"{API}/scan/bulk", headers=bearer(key)) for key in (old, new)]
        return [each.status for each in asked]

    assert rotated.headers["Cache-Control"] == "no-store"
    assert await statuses() == [200, 200]
    await database.execute("UPDATE api_key SET previous_until = now()")
    client.server.app[CALLERS].forget(key_id)  # type: ignore[attr-defined]
    assert await statuses() == [401, 200]
    at_once = await client.post(f"{KEYS}/{key_id}/rotate", json={"grace_hours": 0}, headers=ADMIN)
    newest = (await at_once.json())["key"]
    assert await statuses() == [401, 401]
    assert (await client.get(f"{API}/scan/bulk", headers=bearer(newest))).status == 200


async def test_a_key_revoked_elsewhere_is_refused_once_trust_runs_out(
    client: Client, make: Make, database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert callers.TRUST_S <= 30
    monkeypatch.setattr(callers, "TRUST_S", 0.5)
    key = await make("scan:read")
    assert (await client.get(f"{API}/scan/bulk", headers=bearer(key))).status == 200
    await database.execute("UPDATE api_key SET revoked_at = now()")

    async with asyncio.timeout(30):
        while (answer := await client.get(f"{API}/scan/bulk", headers=bearer(key))).status == 200:
            await asyncio.sleep(0.05)

    assert await _slug(answer) == "401 authentication-required"
    assert "revoked" in (await answer.json(content_type=None))["detail"]


async def test_a_key_revoked_here_is_refused_at_once_and_for_good(
    client: Client, make: Make
) -> None:
    key = await make("scan:read")
    assert (await client.get(f"{API}/scan/bulk", headers=bearer(key))).status == 200

    ended = await client.delete(f"{KEYS}/{id_in(key)}", headers=ADMIN)
    again = await client.delete(f"{KEYS}/{id_in(key)}", headers=ADMIN)
    rotated = await client.post(f"{KEYS}/{id_in(key)}/rotate", json={}, headers=ADMIN)

    assert (await ended.json())["revoked_at"] == (await again.json())["revoked_at"]
    assert await _slug(rotated) == "409 conflict"
    assert (await client.get(f"{API}/scan/bulk", headers=bearer(key))).status == 401


async def test_an_expired_key_says_so_to_its_holder_only(
    client: Client, make: Make, database: Any
) -> None:
    key = await make("scan:read")
    await database.execute("UPDATE api_key SET expires_at = now()")

    holder = await client.get(f"{API}/scan/bulk", headers=bearer(key))
    stranger = await client.get(f"{API}/scan/bulk", headers=bearer(key[:-64] + "0" * 64))

    assert "expired" in await holder.text()
    assert "expired" not in await stranger.text()
    assert (holder.status, stranger.status) == (401, 401)


async def test_a_trusted_key_needs_no_database_until_it_expires_by_itself(
    client: Client, make: Make, database: Any
) -> None:
    soon = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=2)
    key = await make("scan:read", expires_at=soon.isoformat())
    path = f"{API}/no/such/path"

    async with asyncio.timeout(30):
        while (answer := await client.get(path, headers=bearer(key))).status != 401:
            assert answer.status == 404
            await asyncio.sleep(0.1)

    assert "expired" in await answer.text()


async def test_properties_change_and_the_secret_stays(client: Client, make: Make) -> None:
    key = await make("scan:read", rate_per_minute=100)
    path = f"{KEYS}/{id_in(key)}"

    changed = await client.patch(
        path, json={"scopes": ["leads:read"], "rate_per_minute": None}, headers=ADMIN
    )
    body = await changed.json()

    assert (body["name"], body["scopes"], body["rate_per_minute"]) == ("test", ["leads:read"], None)
    assert (await client.get(f"{API}/leads", headers=bearer(key))).status == 200
    assert (await client.get(f"{API}/scan/bulk", headers=bearer(key))).status == 403


@pytest.mark.parametrize(
    "body",
    [
        {"scopes": ["scan:read"]},
        {"name": "", "scopes": ["scan:read"]},
        {"name": "x", "scopes": []},
        {"name": "x", "scopes": ["everything"]},
        {"name": "x", "scopes": ["public"]},
        {"name": "x", "scopes": ["scan:read"], "id": NOBODY},
        {"name": "x", "scopes": ["scan:read"], "digest": "00"},
        {"name": "x", "scopes": ["scan:read"], "created_by": "somebody"},
        {"name": "x", "scopes": ["scan:read"], "revoked_at": None},
        {"name": "x", "scopes": ["scan:read"], "rate_per_minute": 0},
        {"name": "x", "scopes": ["scan:read"], "domains_per_day": -1},
        {"name": "x", "scopes": ["scan:read"], "expires_at": "2001-01-01T00:00:00Z"},
        {"name": "x", "scopes": ["scan:read"], "expires_at": "2999-01-01T00:00:00"},
    ],
)
async def test_a_key_that_cannot_be_is_refused_and_no_field_slips_through(
    client: Client, body: dict[str, Any]
) -> None:
    answer = await client.post(KEYS, json=body, headers=ADMIN)

    assert await _slug(answer) == "422 invalid-input"
    assert (await answer.json(content_type=None))["errors"]


async def test_ids_that_are_none_are_404(client: Client) -> None:
    for key_id in (NOBODY, "x", "..%2f..%2fetc", "%00"):
        for method, path in (("GET", ""), ("DELETE", ""), ("PATCH", ""), ("POST", "/rotate")):
            url = URL(f"{KEYS}/{key_id}{path}", encoded=True)
            answer = await client.request(method, url, json={}, headers=ADMIN)
            assert answer.status == 404, (method, key_id)


async def test_without_a_pepper_no_key_is_made(
    aiohttp_client: AiohttpClient, locked: Config
) -> None:
    bare = dataclasses.replace(locked, key_pepper=Secret(""))
    client = await aiohttp_client(create_app(bare))

    answer = await client.post(KEYS, json={"name": "x", "scopes": ["admin"]}, headers=ADMIN)

    assert await _slug(answer) == "409 conflict"
    assert "HUNTER_KEY_PEPPER" in await answer.text()


async def test_an_open_server_still_honours_a_key_and_refuses_a_wrong_one(
    aiohttp_client: AiohttpClient, locked: Config, make: Make
) -> None:
    key = await make("scan:read")
    opened = await aiohttp_client(create_app(dataclasses.replace(locked, admin_key=Secret(""))))

    assert (await opened.get(f"{API}/leads")).status == 200
    assert (await opened.get(f"{API}/leads", headers=bearer(key))).status == 403
    assert (await opened.get(f"{API}/leads", headers=bearer("junk"))).status == 401
    assert (await opened.get(f"{API}/leads", headers={"Authorization": "Bearer "})).status == 200


# --- guesses ------------------------------------------------------------------------------------


async def test_guesses_are_slowed_down_and_a_trusted_key_passes_all_the_same(
    client: Client, make: Make
) -> None:
    key = await make("scan:read")
    assert (await client.get(f"{API}/scan/bulk", headers=bearer(key))).status == 200
    guess = bearer(write_key(NOBODY, bytes(32)))

    told = [await client.get(f"{API}/scan/bulk", headers=guess) for _ in range(12)]
    forged = await client.get(
        f"{API}/scan/bulk",
        headers=guess | {"X-Forwarded-For": "203.0.113.9", "Forwarded": "for=1.2.3.4"},
    )

    assert {await _slug(each) for each in told[:10]} == {"401 authentication-required"}
    assert await _slug(told[-1]) == "429 too-many-requests"
    assert int(told[-1].headers["Retry-After"]) >= 1
    assert forged.status == 429, "a header of the caller's own must not buy new guesses"
    assert (await client.get(f"{API}/scan/bulk", headers=bearer(key))).status == 200
    assert (await client.get(f"{API}/scan/bulk", headers=ADMIN)).status == 200
    text = await (await client.get("/metrics")).text()
    assert 'hunter_key_failures_total{reason="wrong"} 1' in text
    assert 'hunter_key_failures_total{reason="throttled"}' in text


async def test_proxies_that_are_trusted_say_who_guesses(
    aiohttp_client: AiohttpClient, locked: Config
) -> None:
    config = dataclasses.replace(locked, trusted_proxies=("127.0.0.0/8",))
    client = await aiohttp_client(create_app(config))

    async def guess(hops: str) -> int:
        headers = bearer(write_key(NOBODY, bytes(32))) | {"X-Forwarded-For": hops}
        return (await client.get(f"{API}/leads", headers=headers)).status

    first = [await guess("10.0.0.1, 203.0.113.1") for _ in range(12)]

    assert (first[0], first[-1]) == (401, 429)
    assert await guess("203.0.113.1, 203.0.113.2") == 401
    assert await guess("198.51.100.7, 203.0.113.1, 127.0.0.9") == 429


async def test_an_unknown_id_and_a_wrong_secret_are_compared_alike(
    client: Client, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = await make("scan:read")
    compared: list[bytes] = []

    def watched(left: bytes, right: bytes) -> bool:
        compared.append(left)
        return is_same(left, right)

    monkeypatch.setattr("hunter.web.callers.is_same", watched)
    counts = []
    for shown in (write_key(NOBODY, bytes(32)), key[:-64] + "0" * 64, "junk"):
        compared.clear()
        answer = await client.get(f"{API}/scan/bulk", headers=bearer(shown))
        assert answer.status == 401
        counts.append(len(compared))

    assert counts == [3, 3, 3], "the admin key, the secret and the one before it, every time"


async def test_a_process_remembers_so_many_keys_and_no_more(
    client: Client, app: web.Application, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(callers, "REMEMBERED", 3)
    for _ in range(6):
        await client.get(f"{API}/scan/bulk", headers=bearer(await make("scan:read")))

    assert len(app[CALLERS]) == 3


async def test_use_of_a_key_is_written_down(
    client: Client, app: web.Application, make: Make, database: Any
) -> None:
    used, unused = await make("scan:read"), await make("scan:read")
    await client.get(f"{API}/scan/bulk", headers=bearer(used))
    await app[CALLERS].flush_used(app[DB])

    rows = await database.fetch("SELECT id FROM api_key WHERE last_used_at IS NOT NULL")
    assert [row["id"] for row in rows] == [id_in(used)]
    assert id_in(unused) != id_in(used)


# --- limits and quotas --------------------------------------------------------------------------


async def test_a_key_may_ask_so_often_and_is_told_what_is_left(client: Client, make: Make) -> None:
    key = await make("scan:read", rate_per_minute=6, burst=3)

    told = [await client.get(f"{API}/scan/bulk", headers=bearer(key)) for _ in range(4)]

    assert [each.status for each in told] == [200, 200, 200, 429]
    assert {each.headers["RateLimit-Policy"] for each in told} == {'"requests";q=3;w=30'}
    assert told[0].headers["RateLimit"].startswith('"requests";r=2;t=')
    assert told[3].headers["RateLimit"].startswith('"requests";r=0;t=')
    assert await _slug(told[3]) == "429 too-many-requests"
    assert 1 <= int(told[3].headers["Retry-After"]) <= 10
    assert (await client.get("/healthz/live")).status == 200
    assert "RateLimit" not in (await client.get("/")).headers


async def test_an_open_server_limits_addresses(
    aiohttp_client: AiohttpClient, config: Config
) -> None:
    slow = dataclasses.replace(config, rate_limit=1, rate_burst=2)
    client = await aiohttp_client(create_app(slow))

    told = [(await client.get(f"{API}/leads")).status for _ in range(3)]

    assert told == [200, 200, 429]


async def test_a_quota_counts_domains_of_the_day_and_a_replay_costs_nothing(
    client: Client, make: Make, database: Any
) -> None:
    key = await make("scan:write", domains_per_day=5)
    once = bearer(key) | {"Idempotency-Key": "one"}
    three = {"domains": ["a.com", "b.com", "c.com", "a.com", "not a domain"]}

    first = await client.post(f"{API}/scan/bulk", json=three, headers=once)
    again = await client.post(f"{API}/scan/bulk", json=three, headers=once)
    beyond = await client.post(f"{API}/scan/bulk", json=three, headers=bearer(key))
    two = (
        await client.post(f"{API}/ingest/domain", json={"domain": "d.com"}, headers=bearer(key)),
        await client.post(f"{API}/scan/domain", json={"domain": "e.com"}, headers=bearer(key)),
    )
    over = await client.post(f"{API}/scan/domain", json={"domain": "f.com"}, headers=bearer(key))
    replay = await client.post(f"{API}/scan/bulk", json=three, headers=once)

    assert [each.status for each in (first, again, *two, replay)] == [202] * 5
    assert await _slug(beyond) == await _slug(over) == "429 quota-exceeded"
    body = await over.json(content_type=None)
    assert (body["quota"], body["used"]) == (5, 5)
    assert body["reset"].endswith("T00:00:00Z")
    assert 1 <= int(over.headers["Retry-After"]) <= 86_401
    assert await database.fetchval("SELECT domains FROM api_key_usage") == 5
    assert await database.fetchval("SELECT count(*) FROM scan_job") == 3
    shown = await (await client.get(f"{KEYS}/{id_in(key)}", headers=ADMIN)).json()
    assert shown["domains_used"] == 5


async def test_requests_at_once_cannot_pass_a_quota_together(
    client: Client, make: Make, database: Any
) -> None:
    key = await make("scan:write", domains_per_day=7)

    async def send(number: int) -> int:
        body = {"domains": [f"a{number}.com", f"b{number}.com"]}
        return (await client.post(f"{API}/scan/bulk", json=body, headers=bearer(key))).status

    statuses = await asyncio.gather(*map(send, range(12)))

    assert sorted(statuses) == [202] * 3 + [429] * 9
    assert await database.fetchval("SELECT domains FROM api_key_usage") == 6
    assert await database.fetchval("SELECT sum(total) FROM scan_job") == 6


async def test_an_upload_beyond_its_quota_leaves_nothing(
    client: Client, make: Make, database: Any
) -> None:
    key = await make("scan:write", domains_per_day=6000)
    lines = "\n".join(f"name{number}.com" for number in range(12_000))

    answer = await client.post(
        f"{API}/scan/bulk", data=lines, headers=bearer(key) | {"Content-Type": "text/plain"}
    )

    assert await _slug(answer) == "429 quota-exceeded"
    assert await database.fetchval("SELECT count(*) FROM scan_job") == 0
    assert await database.fetchval("SELECT count(*) FROM api_key_usage") == 0


# --- the audit log ------------------------------------------------------------------------------


async def test_every_write_is_in_the_audit_log_and_no_body_is(
    client: Client, make: Make, database: Any
) -> None:
    key = await make("scan:write", "scan:read", "leads:read")
    key_id = id_in(key)
    job = await (
        await client.post(
            f"{API}/scan/bulk",
            json={"domains": ["a.com"]},
            headers=bearer(key) | {"X-Request-ID": "my-request", "Idempotency-Key": "k"},
        )
    ).json()
    await client.post(
        f"{API}/scan/bulk",
        json={"domains": ["a.com"]},
        headers=bearer(key) | {"Idempotency-Key": "k"},
    )
    await client.post(f"{API}/scan/bulk", json={"domains": 1}, headers=bearer(key))
    await client.post(f"{API}/scan/bulk/{job['job_id']}/cancel", headers=bearer(key))
    await client.get(f"{API}/leads", headers=bearer(key))

    page = await (await client.get(f"{API}/admin/audit?limit=2", headers=ADMIN)).json()
    rest = await (
        await client.get(f"{API}/admin/audit?cursor={page['next_cursor']}", headers=ADMIN)
    ).json()
    mine = await (await client.get(f"{API}/admin/audit?actor={key_id}", headers=ADMIN)).json()

    told = [(e["actor"], e["action"], e["target"]) for e in page["items"] + rest["items"]]
    assert told == [
        (key_id, "scan.cancelled", job["job_id"]),
        (key_id, "scan.accepted", job["job_id"]),
        ("admin", "key.created", key_id),
    ]
    assert [e["action"] for e in mine["items"]] == ["scan.cancelled", "scan.accepted"]
    assert mine["items"][1]["request_id"] == "my-request"


async def test_a_write_that_says_nothing_itself_is_said_by_the_middleware(
    aiohttp_client: AiohttpClient, locked: Config, database: Any
) -> None:
    app = create_app(locked)
    client = await aiohttp_client(app)
    writes = [
        (route, policy)
        for route, policy in app[POLICIES].items()
        if route.method not in {"GET", "HEAD"}
    ]
    assert writes
    assert all(policy.action for _, policy in writes)
    cancel = next(r for r, p in writes if p.endpoint == f"{API}/scan/bulk/{{job_id}}/cancel")

    async def silent(_request: web.Request) -> web.Response:
        return web.Response()

    cancel._handler = silent
    await client.post(f"{API}/scan/bulk/some-job/cancel", headers=ADMIN)

    row = await database.fetchrow("SELECT actor, action, target FROM audit_log")
    assert tuple(row) == ("admin", "scans.cancel_job", "some-job")


async def test_a_failed_write_leaves_no_entry(client: Client, database: Any) -> None:
    answer = await client.post(
        f"{API}/scan/bulk/01890a5d-ac96-774b-bcce-b302099a8057/cancel", headers=ADMIN
    )

    assert answer.status == 404
    assert await database.fetchval("SELECT count(*) FROM audit_log") == 0
