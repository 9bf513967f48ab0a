"""Every error is a problem with a type, a title, a status, a detail and the request's id."""

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import TestClient
from pytest_aiohttp import AiohttpClient

from hunter.config import Config
from hunter.web import bodies, uploads
from hunter.web.app import create_app
from hunter.web.keys import DB
from hunter.web.problems import CATALOGUE

Client = TestClient[Any, Any]
API = "/api/v1"
#: id of no job, no batch
NOBODY = "01890a5d-ac96-774b-bcce-b302099a8057"


async def _problem(answer: aiohttp.ClientResponse, status: int, slug: str) -> dict[str, Any]:
    assert answer.status == status, await answer.text()
    assert answer.content_type == "application/problem+json"
    body: dict[str, Any] = await answer.json(content_type=None)
    assert body["type"] == f"/problems/{slug}"
    assert body["status"] == status
    assert body["title"] == CATALOGUE[slug].title
    assert body["detail"]
    assert body["instance"] == f"urn:uuid:{answer.headers['X-Request-ID']}"
    return body


async def test_an_unknown_path_is_404(client: Client) -> None:
    await _problem(await client.get("/no/such/path"), 404, "not-found")


async def test_a_wrong_method_is_405_and_lists_the_right_ones(client: Client) -> None:
    answer = await client.delete(f"{API}/scan/domain")

    await _problem(answer, 405, "method-not-allowed")
    assert answer.headers["Allow"] == "POST"


@pytest.mark.parametrize("path", ["/scan/domain", "/scan/bulk", "/ingest/domain", "/ingest/csv"])
async def test_a_wrong_content_type_is_415_and_lists_the_right_ones(
    client: Client, path: str
) -> None:
    answer = await client.post(API + path, data=b"<x/>", headers={"Content-Type": "text/xml"})

    body = await _problem(answer, 415, "unsupported-media-type")
    assert "text/xml" in body["detail"]
    assert re.search(r"application/json|text/csv", body["detail"])


async def test_a_form_from_curl_without_a_content_type_is_told_what_to_do(client: Client) -> None:
    answer = await client.post(f"{API}/scan/bulk", data={"acme.com": ""})

    body = await _problem(answer, 415, "unsupported-media-type")
    assert "text/plain" in body["detail"]


@pytest.mark.parametrize("path", ["/scan/domain", "/scan/bulk", "/ingest/domain"])
@pytest.mark.parametrize("body", [b"", b"  \n"])
async def test_an_empty_json_body_is_400(client: Client, path: str, body: bytes) -> None:
    answer = await client.post(API + path, data=body, headers={"Content-Type": "application/json"})

    assert "empty" in (await _problem(answer, 400, "malformed-request"))["detail"]


async def test_a_body_that_is_not_json_is_400_and_names_the_byte(client: Client) -> None:
    answer = await client.post(
        f"{API}/scan/domain", data=b'{"domain": ', headers={"Content-Type": "application/json"}
    )

    await _problem(answer, 400, "malformed-request")


async def test_an_unknown_field_is_named_with_the_nearest_known_one(client: Client) -> None:
    answer = await client.post(f"{API}/scan/domain", json={"domain": "acme.com", "dept": "full"})

    body = await _problem(answer, 422, "invalid-input")
    assert body["errors"] == [
        {"pointer": "/dept", "detail": "there is no field dept; did you mean depth"}
    ]


async def test_an_unknown_field_near_none_lists_the_known_ones(client: Client) -> None:
    answer = await client.post(f"{API}/scan/domain", json={"domain": "acme.com", "zzz": 1})

    body = await _problem(answer, 422, "invalid-input")
    assert "domain, depth" in body["errors"][0]["detail"]


async def test_a_missing_field_is_named(client: Client) -> None:
    answer = await client.post(f"{API}/scan/domain", json={})

    body = await _problem(answer, 422, "invalid-input")
    assert body["errors"][0]["pointer"] == "/domain"


async def test_a_wrong_type_is_named_by_its_place(client: Client) -> None:
    answer = await client.post(f"{API}/scan/bulk", json={"domains": "a.com"})

    body = await _problem(answer, 422, "invalid-input")
    assert body["errors"][0]["pointer"] == "/domains"


async def test_a_wrong_word_lists_the_known_ones(client: Client) -> None:
    answer = await client.post(f"{API}/scan/domain", json={"domain": "a.com", "depth": "deep"})

    body = await _problem(answer, 422, "invalid-input")
    assert body["errors"][0]["pointer"] == "/depth"
    assert "full, quick" in body["errors"][0]["detail"]


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("segmnt=migration", "segmnt"),
        ("segment=warm", "segment"),
        ("priority=7", "priority"),
        ("min_score=x", "min_score"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("sort=colour", "sort"),
        ("segment=cold,warm", "segment"),
        ("min_score=1&min_score=2", "min_score"),
        ("changed_since=yesterday", "changed_since"),
        ("changed_since=2026-11-20T00:00:00", "changed_since"),
        ("tags=a%2Fb", "tags"),
        (f"source=a&tenant_name={'x,' * 10}{','.join(map(str, range(30)))}", "tenant_name"),
    ],
)
async def test_a_wrong_query_parameter_is_named(client: Client, query: str, pointer: str) -> None:
    body = await _problem(await client.get(f"{API}/leads?{query}"), 422, "invalid-input")

    assert body["errors"][0]["pointer"].partition("/")[0] == pointer


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/ingest/domain"),
        ("GET", f"/ingest/batches/{NOBODY}"),
        ("GET", f"/scan/bulk/{NOBODY}"),
        ("POST", f"/scan/bulk/{NOBODY}/cancel"),
        ("GET", "/leads/acme.com/score-breakdown"),
    ],
)
async def test_a_path_without_parameters_refuses_them_by_name(
    client: Client, method: str, path: str
) -> None:
    answer = await client.request(method, f"{API}{path}?dry_run=1")

    body = await _problem(answer, 422, "invalid-input")
    assert body["errors"] == [
        {
            "pointer": "dry_run",
            "detail": "there is no parameter dry_run; this path takes none",
        }
    ]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("not a domain", "bad_character"),
        ("localhost", "single_label"),
        ("com.tr", "public_suffix"),
        ("192.0.2.1", "ip_literal"),
        ("[2001:db8::1]", "ip_literal"),
        ("a" * 300, None),
        (".".join(["a" * 50] * 6) + ".com", "name_too_long"),
        ("yok", "no_domain"),
        ("", None),
    ],
)
async def test_a_name_that_is_no_domain_says_why_and_how_to_put_it_right(
    client: Client, text: str, reason: str | None
) -> None:
    answer = await client.post(f"{API}/scan/domain", json={"domain": text})

    body = await answer.json(content_type=None)
    assert answer.status == 422
    assert body["detail"]
    if reason is not None:
        assert (body["type"], body["reason"]) == ("/problems/invalid-domain", reason)


@pytest.mark.parametrize("path", ["leads/nosuch.com", "leads/nosuch.com/score-breakdown"])
async def test_a_lead_that_is_not_there_is_404(client: Client, path: str) -> None:
    await _problem(await client.get(f"{API}/{path}"), 404, "not-found")


@pytest.mark.parametrize("job", [NOBODY, "7", "x"])
@pytest.mark.parametrize("path", ["scan/bulk/{}", "scan/bulk/{}/results", "scan/bulk/{}/rejects"])
async def test_a_job_that_is_not_there_is_404(client: Client, path: str, job: str) -> None:
    await _problem(await client.get(f"{API}/{path.format(job)}"), 404, "not-found")


@pytest.mark.parametrize("format_", ["ndjson", "csv"])
async def test_a_stream_of_a_job_that_is_not_there_is_404_too(client: Client, format_: str) -> None:
    path = f"{API}/scan/bulk/{NOBODY}/results?format={format_}"

    await _problem(await client.get(path), 404, "not-found")


@pytest.mark.parametrize("path", ["", "/rejects"])
async def test_a_batch_that_is_not_there_is_404(client: Client, path: str) -> None:
    answer = await client.get(f"{API}/ingest/batches/{NOBODY}{path}")

    await _problem(answer, 404, "not-found")


async def test_a_body_over_the_limit_is_413_and_names_the_way_out(
    aiohttp_client: AiohttpClient, settings: Callable[..., Config]
) -> None:
    client = await aiohttp_client(create_app(settings(body_max_bytes=2048)))
    names = {"domains": [f"firma{n}.com" for n in range(1000)]}

    body = await _problem(await client.post(f"{API}/scan/bulk", json=names), 413, "too-large")

    assert "NDJSON" in body["detail"]
    assert "text/plain" in body["detail"]


@pytest.mark.parametrize("path", ["/scan/bulk", "/ingest/csv"])
async def test_a_stream_over_the_limit_is_413_even_without_a_length(
    aiohttp_client: AiohttpClient, settings: Callable[..., Config], path: str
) -> None:
    limits = settings(body_max_bytes=2048, upload_max_bytes=2048)
    client = await aiohttp_client(create_app(limits))

    async def endless() -> Any:
        for number in range(500):
            yield b"firma%d.com\n" % number

    answer = await client.post(API + path, data=endless(), headers={"Content-Type": "text/plain"})

    assert "2" in (await _problem(answer, 413, "too-large"))["detail"]


async def test_more_names_than_a_json_body_takes_is_413_and_names_the_way_out(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hunter.web.scans.JSON_NAMES_MAX", 2)

    answer = await client.post(f"{API}/scan/bulk", json={"domains": ["a.com", "b.com", "c.com"]})

    assert "NDJSON" in (await _problem(answer, 413, "too-large"))["detail"]


async def test_a_body_that_stalls_is_408(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "IDLE_S", 0.05)
    reader, writer = await _raw(client)
    writer.write(
        b"POST /api/v1/scan/bulk HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n"
        b"Content-Length: 1000\r\n\r\nacme.com\n"
    )

    head = await reader.readuntil(b"\r\n\r\n")

    writer.close()
    assert head.startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize(
    "request_head", [b"NONSENSE\r\n\r\n", b"GET / HTTP/1.1\r\nX: " + b"x" * 20_000 + b"\r\n\r\n"]
)
async def test_what_is_no_request_is_400_in_plain_text(client: Client, request_head: bytes) -> None:
    reader, writer = await _raw(client)
    writer.write(request_head)

    head = (await reader.readuntil(b"\r\n\r\n")).decode()

    writer.close()
    assert re.match(r"HTTP/1\.[01] 400 ", head)
    assert "text/plain" in head


async def test_an_expectation_nobody_knows_is_417(client: Client) -> None:
    answer = await client.get(f"{API}/leads", headers={"Expect": "a-miracle"})

    await _problem(answer, 417, "expectation-failed")


async def test_a_caller_that_waits_to_be_asked_for_its_body_is_asked(client: Client) -> None:
    answer = await client.post(f"{API}/scan/domain", json={"domain": "acme.com"}, expect100=True)

    assert answer.status == 202


@pytest.mark.parametrize("path", ["/scan/bulk", "/ingest/csv"])
async def test_a_body_that_is_not_compressed_as_it_says_is_400_and_told_so(
    client: Client, path: str
) -> None:
    answer = await client.post(
        API + path,
        data=b"acme.com\n" * 100,
        headers={"Content-Type": "text/plain", "Content-Encoding": "gzip"},
    )

    assert "Content-Encoding" in (await _problem(answer, 400, "malformed-request"))["detail"]


async def _raw(client: Client) -> Any:
    return await asyncio.open_connection(client.host, client.port)


async def test_a_mistake_of_ours_is_500_and_says_nothing_but_its_id(
    aiohttp_client: AiohttpClient, config: Config
) -> None:
    app = create_app(config)
    client = await aiohttp_client(app)

    class Broken:
        def acquire(self, **_: object) -> None:
            raise ZeroDivisionError("secret: hunter@10.0.0.5")

    app._state[DB] = Broken()

    body = await _problem(await client.get(f"{API}/leads"), 500, "internal-error")
    assert "secret" not in repr(body)
    assert "ZeroDivision" not in repr(body)


async def test_what_the_system_refuses_for_want_of_room_is_503_with_retry_after(
    aiohttp_client: AiohttpClient, config: Config
) -> None:
    app = create_app(config)
    client = await aiohttp_client(app)

    class OnFullDisk:
        def acquire(self, **_: object) -> None:
            Path("/dev/full").write_bytes(b"there is no room for this")

    app._state[DB] = OnFullDisk()

    answer = await client.get(f"{API}/leads")
    await _problem(answer, 503, "unavailable")
    assert int(answer.headers["Retry-After"]) >= 1


async def test_a_database_that_is_away_is_503_with_retry_after(
    aiohttp_client: AiohttpClient, settings: Callable[..., Config]
) -> None:
    from hunter.config import Secret

    away = settings(database_url=Secret("postgresql://u:p@127.0.0.1:1/x"))
    client = await aiohttp_client(create_app(away))

    answer = await client.get(f"{API}/leads")

    await _problem(answer, 503, "unavailable")
    assert int(answer.headers["Retry-After"]) >= 1
    assert "127.0.0.1" not in await answer.text()


async def test_a_key_is_wanted_when_one_is_set(locked_client: Client) -> None:
    answer = await locked_client.get(f"{API}/leads")

    await _problem(answer, 401, "authentication-required")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("path", ["/leads", f"{API}/leads", "/scan/bulk"])
@pytest.mark.parametrize(
    "headers", [{"Authorization": "Bearer wrong"}, {"X-API-Key": "wrong"}, {"X-API-Key": "ş"}]
)
async def test_a_wrong_key_is_refused_on_every_path(
    locked_client: Client, path: str, headers: dict[str, str]
) -> None:
    await _problem(await locked_client.get(path, headers=headers), 401, "authentication-required")


@pytest.mark.parametrize("name", ["Authorization", "X-API-Key"])
async def test_the_right_key_opens(locked_client: Client, name: str) -> None:
    key = "a-key-of-more-than-24-characters"
    value = f"Bearer {key}" if name == "Authorization" else key

    answer = await locked_client.get(f"{API}/leads", headers={name: value})

    assert answer.status == 200


@pytest.mark.parametrize("path", ["/healthz/live", "/healthz/ready", "/metrics", "/"])
async def test_probes_and_the_front_page_want_no_key(locked_client: Client, path: str) -> None:
    assert (await locked_client.get(path)).status == 200


async def test_every_problem_type_explains_itself(client: Client) -> None:
    for slug, kind in CATALOGUE.items():
        answer = await client.get(f"/problems/{slug}")
        assert (await answer.json())["title"] == kind.title
    await _problem(await client.get("/problems/none"), 404, "not-found")


def test_the_catalogue_in_the_docs_is_the_one_in_the_code() -> None:
    text = (Path(__file__).parents[2] / "docs/api/problems.md").read_text()

    written = re.findall(
        r"^## (\S+)\n\n(\d{3}) ([^\n]+)\n\n(.+?)\n*(?=^## |\Z)", text, re.MULTILINE | re.DOTALL
    )

    assert [
        (slug, int(status), title, " ".join(meaning.split()))
        for slug, status, title, meaning in written
    ] == [
        (kind.slug, kind.status, kind.title, " ".join(kind.meaning.split()))
        for kind in CATALOGUE.values()
    ]


@pytest.mark.parametrize(
    "path",
    [
        "/leads?q=%00",
        "/leads?provider=%00x",
        "/leads?q=%ED%A0%80",
        "/leads?q=%FF",
        "/leads?min_score=99999999999999999999",
        "/leads?priority=1e9",
        "/leads?min_confidence=nan",
        "/leads?cursor=%00",
        "/leads/%00.com",
        "/leads/%FF",
        f"/leads/{'x' * 5000}",
        "/scan/bulk?cursor=WyJqb2JzIiwieCJd",
    ],
)
async def test_no_text_in_a_query_or_path_makes_us_fail(client: Client, path: str) -> None:
    from yarl import URL

    answer = await client.get(URL(API + path, encoded=True))

    assert 200 <= answer.status < 500, await answer.text()


@pytest.mark.parametrize(
    "key",
    [
        ["call", 10**30, "a.com"],
        ["call", 3_000_000_000, "a.com"],
        ["call", -1, "a\0.com"],
        ["call", "x", "a.com"],
        ["call", 1, "\ud800"],
        ["call"],
        "call",
        {},
    ],
)
async def test_no_made_up_cursor_makes_us_fail(client: Client, key: Any) -> None:
    import base64
    import json

    cursor = base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")

    answer = await client.get(f"{API}/leads?cursor={cursor}")

    assert 200 <= answer.status < 500, await answer.text()


@pytest.mark.parametrize(
    "body",
    [
        b'{"domain": "\\ud800.com"}',
        b'{"domain": "\\u0000"}',
        b'{"domain": "a\\u0000b.com"}',
        b"\xff\xfe",
        b'{"domain": "a.com"' + b" " * 10_000 + b"}",
        b"[" * 100_000,
        b'{"domain": 1e999}',
        b"null",
        b"[]",
        b'"acme.com"',
    ],
)
@pytest.mark.parametrize("path", ["/scan/domain", "/scan/bulk", "/ingest/domain"])
async def test_no_body_makes_us_fail(client: Client, path: str, body: bytes) -> None:
    answer = await client.post(API + path, data=body, headers={"Content-Type": "application/json"})

    assert 200 <= answer.status < 500, await answer.text()


@pytest.mark.parametrize("value", [b"Bearer \xff\xfe", b"Basic x", b"Bearer"])
async def test_a_key_of_odd_bytes_is_only_wrong(locked_client: Client, value: bytes) -> None:
    reader, writer = await _raw(locked_client)
    writer.write(b"GET /api/v1/leads HTTP/1.1\r\nHost: x\r\nAuthorization: " + value + b"\r\n\r\n")

    head = await reader.readuntil(b"\r\n\r\n")

    writer.close()
    assert head.startswith(b"HTTP/1.1 401 ")


async def test_a_form_that_stalls_is_408(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "IDLE_S", 0.05)
    reader, writer = await _raw(client)
    writer.write(
        b"POST /api/v1/ingest/csv HTTP/1.1\r\nHost: x\r\n"
        b"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 1000\r\n\r\n--b\r\n"
    )

    head = await reader.readuntil(b"\r\n\r\n")

    writer.close()
    assert head.startswith(b"HTTP/1.1 408 ")


async def test_a_form_field_without_end_is_413(
    aiohttp_client: AiohttpClient, settings: Callable[..., Config]
) -> None:
    client = await aiohttp_client(create_app(settings(upload_max_bytes=2048)))
    form = aiohttp.FormData(default_to_multipart=True)
    form.add_field("note", "x" * 10_000)

    await _problem(await client.post(f"{API}/ingest/csv", data=form), 413, "too-large")


async def test_no_room_for_an_upload_is_503(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "SPOOL_BYTES", 1)
    monkeypatch.setattr("tempfile.TemporaryFile", _full_disk)

    answer = await client.post(
        f"{API}/ingest/csv", data=b"site\nacme.com\n", headers={"Content-Type": "text/csv"}
    )

    await _problem(answer, 503, "unavailable")


def _full_disk(*_: object, **__: object) -> None:
    raise OSError(28, "No space left on device")
