"""Scans over HTTP: names in every form, jobs that survive, results in every format."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import asyncpg
import msgspec
import pytest
from aiohttp.test_utils import TestClient

from hunter.core.errors import Unavailable

Client = TestClient[Any, Any]
API = "/api/v1"
BULK = f"{API}/scan/bulk"
TEXT = {"Content-Type": "text/plain"}
NDJSON = {"Content-Type": "application/x-ndjson"}


async def _accepted(answer: Any) -> dict[str, Any]:
    assert answer.status == 202, await answer.text()
    body: dict[str, Any] = await answer.json()
    assert answer.headers["Location"] == f"{BULK}/{body['job_id']}"
    return body


async def test_a_json_list_is_accepted_and_its_bad_names_come_back_with_reasons(
    client: Client,
) -> None:
    names = ["acme.com", "ACME.com.", "https://beta.com/x", "com.tr", "192.0.2.1", "not a domain"]

    body = await _accepted(await client.post(BULK, json={"domains": names}))

    assert (body["total"], body["accepted"], body["duplicates"]) == (2, 2, 1)
    assert body["rejected_count"] == 3
    assert [(each["input"], each["reason"], each["line"]) for each in body["rejected"]] == [
        ("com.tr", "public_suffix", 4),
        ("192.0.2.1", "ip_literal", 5),
        ("not a domain", "bad_character", 6),
    ]
    assert all(each["detail"] for each in body["rejected"])
    assert body["status"] == "pending"


async def test_the_earlier_word_for_the_list_is_understood(client: Client) -> None:
    body = await _accepted(await client.post(BULK, json={"domain_list": ["acme.com"]}))

    assert body["total"] == 1


async def test_both_words_at_once_are_refused(client: Client) -> None:
    answer = await client.post(BULK, json={"domains": ["a.com"], "domain_list": ["b.com"]})

    assert answer.status == 422


async def test_holes_and_numbers_in_a_list_are_refused_one_by_one(client: Client) -> None:
    names: list[Any] = ["acme.com", None, 7, True, {"domain": "beta.com", "id": 9}]
    names += [["x.com"], {"name": "x.com"}, {"domain": 5}, {}, [], "gamma.com", 1.5]

    body = await _accepted(await client.post(BULK, json={"domains": names}))

    assert body["total"] == 3
    assert [(each["line"], each["input"]) for each in body["rejected"]] == [
        (2, "null"),
        (3, "7"),
        (4, "true"),
        (6, '["x.com"]'),
        (7, '{"name": "x.com"}'),
        (8, '{"domain": 5}'),
        (9, "{}"),
        (10, "[]"),
        (12, "1.5"),
    ]
    assert all(each["reason"] and each["detail"] for each in body["rejected"])


@pytest.mark.parametrize("body", [{}, {"domains": []}, {"domains": ["", " "]}])
async def test_a_list_without_names_is_refused(client: Client, body: dict[str, Any]) -> None:
    assert (await client.post(BULK, json=body)).status == 422


async def test_text_lines_are_taken_as_they_are_saved(client: Client) -> None:
    text = "\ufeffacme.com\r\n\r\n  şirket.com.tr \r\nkötü ad\r\nbeta.com"

    body = await _accepted(await client.post(BULK, data=text.encode(), headers=TEXT))

    assert body["total"] == 3
    assert [(each["input"], each["line"]) for each in body["rejected"]] == [("kötü ad", 4)]


async def test_text_lines_in_windows_1254_are_read(client: Client, database: Any) -> None:
    data = "acme.com\nışık.com.tr\n".encode("windows-1254")

    body = await _accepted(await client.post(BULK, data=data, headers=TEXT))

    assert (body["total"], body["rejected_count"]) == (2, 0)
    (name,) = [n for n in await _names(database, body["job_id"]) if n != "acme.com"]
    assert name.startswith("xn--")


async def _names(database: asyncpg.Connection[Any], job_id: str) -> list[str]:
    rows = await database.fetch("SELECT domains FROM scan_chunk WHERE job_id = $1", job_id)
    return sorted(name for row in rows for name in row["domains"])


async def test_ndjson_takes_names_and_objects_and_refuses_other_lines_alone(
    client: Client,
) -> None:
    lines = ['"acme.com"', '{"domain": "beta.com", "crm_id": 7}', "{broken", '{"name": "x.com"}']

    body = await _accepted(await client.post(BULK, data="\n".join(lines), headers=NDJSON))

    assert body["total"] == 2
    assert [(each["input"], each["line"]) for each in body["rejected"]] == [
        ("{broken", 3),
        ('{"name": "x.com"}', 4),
    ]


async def test_a_line_without_end_is_refused_alone(client: Client) -> None:
    data = b"acme.com\n" + b"x" * 300_000 + b"\nbeta.com\n"

    body = await _accepted(await client.post(BULK, data=data, headers=TEXT))

    assert body["total"] == 2
    assert [each["line"] for each in body["rejected"]] == [2]


async def test_an_empty_text_body_is_refused(client: Client) -> None:
    assert (await client.post(BULK, data=b"\n\n", headers=TEXT)).status == 422


async def test_a_hundred_thousand_names_in_one_json_body(client: Client) -> None:
    names = [f"firma{number}.com.tr" for number in range(100_000)]
    data = io.BytesIO(json.dumps({"domains": names}).encode())

    body = await _accepted(
        await client.post(BULK, data=data, headers={"Content-Type": "application/json"})
    )

    assert body["total"] == 100_000


@pytest.mark.timeout(180)
async def test_a_million_lines_are_streamed_with_bad_ones_counted(client: Client) -> None:
    async def lines() -> AsyncIterator[bytes]:
        for start in range(0, 1_000_000, 10_000):
            yield b"".join(b"firma%d.com.tr\n" % n for n in range(start, start + 9_990))
            yield b"com.tr\n" * 10

    body = await _accepted(await client.post(BULK, data=lines(), headers=TEXT))

    assert (body["total"], body["rejected_count"]) == (999_000, 1_000)
    assert len(body["rejected"]) == 1_000


async def test_the_same_key_and_body_is_the_same_job(client: Client) -> None:
    headers = {"Idempotency-Key": str(uuid.uuid4())}

    first = await _accepted(await client.post(BULK, json={"domains": ["a-a.com"]}, headers=headers))
    second = await _accepted(
        await client.post(BULK, json={"domains": ["a-a.com"]}, headers=headers)
    )

    assert first["job_id"] == second["job_id"]


async def test_the_same_key_with_another_body_is_422(client: Client) -> None:
    headers = {"Idempotency-Key": "once"} | TEXT
    await _accepted(await client.post(BULK, data=b"acme.com\n", headers=headers))

    answer = await client.post(BULK, data=b"beta.com\n", headers=headers)

    assert answer.status == 422
    assert (await answer.json(content_type=None))["errors"][0]["pointer"] == "Idempotency-Key"


async def test_the_same_key_with_another_query_is_422(client: Client) -> None:
    headers = {"Idempotency-Key": "once"}
    names = {"domains": ["acme.com"]}
    await _accepted(await client.post(BULK, json=names, headers=headers))

    answer = await client.post(f"{BULK}?depth=full", json=names, headers=headers)

    assert answer.status == 422


async def test_the_same_key_at_the_earlier_path_is_the_same_job(client: Client) -> None:
    headers = {"Idempotency-Key": "once"}
    names = {"domains": ["acme.com"]}

    first = await _accepted(await client.post(BULK, json=names, headers=headers))
    second = await _accepted(await client.post("/scan/bulk", json=names, headers=headers))

    assert first["job_id"] == second["job_id"]


@pytest.mark.parametrize("key", ["", "x" * 256, "ş"])
async def test_an_unusable_key_is_422(client: Client, key: str) -> None:
    headers = {"Idempotency-Key": key}

    answer = await client.post(BULK, json={"domains": ["acme.com"]}, headers=headers)

    assert answer.status == 422


async def test_depth_is_taken_from_body_or_query(client: Client) -> None:
    deep = await client.post(BULK, json={"domains": ["acme.com"], "depth": "full"})
    text = await client.post(f"{BULK}?depth=full", data=b"beta.com", headers=TEXT)
    quick = await client.post(BULK, data=b"gamma.com", headers=TEXT)

    depths = []
    for answer in (deep, text, quick):
        job = await client.get((await _accepted(answer))["links"]["self"])
        depths.append((await job.json())["depth"])
    assert depths == ["full", "full", "quick"]


@pytest.mark.parametrize(
    ("query", "body", "depth"),
    [
        ("?depth=full", {}, "full"),
        ("", {"depth": "full"}, "full"),
        ("?depth=full", {"depth": "full"}, "full"),
        ("", {}, "quick"),
    ],
)
async def test_depth_of_one_scan_is_taken_from_body_or_query(
    client: Client, query: str, body: dict[str, str], depth: str
) -> None:
    answer = await client.post(f"{API}/scan/domain{query}", json={"domain": "acme.com"} | body)

    job = await client.get((await _accepted(answer))["links"]["self"])
    assert (await job.json())["depth"] == depth


@pytest.mark.parametrize(
    ("path", "body"),
    [("/scan/domain", {"domain": "a.com"}), ("/scan/bulk", {"domains": ["a.com"]})],
)
async def test_two_depths_at_once_are_refused(
    client: Client, path: str, body: dict[str, Any]
) -> None:
    answer = await client.post(f"{API}{path}?depth=full", json=body | {"depth": "quick"})

    assert answer.status == 422
    assert (await answer.json(content_type=None))["errors"][0]["pointer"] == "depth"


async def test_progress_has_the_names_clients_know(client: Client) -> None:
    body = await _accepted(await client.post(BULK, json={"domains": ["acme.com", "beta.com"]}))

    job = await (await client.get(f"{BULK}/{body['job_id']}")).json()

    assert job["job_id"] == body["job_id"]
    assert job["status"] == "pending"
    counts = ("total", "processed", "succeeded", "failed", "unknown", "progress")
    assert [job[name] for name in counts] == [2, 0, 0, 0, 0, 0]


async def test_jobs_are_listed_page_by_page_newest_first(client: Client) -> None:
    ids = [
        (await _accepted(await client.post(BULK, json={"domains": ["acme.com"]})))["job_id"]
        for _ in range(3)
    ]

    first = await (await client.get(f"{BULK}?limit=2")).json()
    second = await (await client.get(f"{BULK}?limit=2&cursor={first['next_cursor']}")).json()

    listed = [job["job_id"] for job in first["items"] + second["items"]]
    assert listed == ids[::-1]
    assert second["next_cursor"] is None
    assert (await (await client.get(f"{BULK}?status=completed")).json())["items"] == []


async def test_a_cancelled_job_says_so_and_cancelling_twice_is_harmless(client: Client) -> None:
    body = await _accepted(await client.post(BULK, json={"domains": ["acme.com"]}))

    for _ in range(2):
        answer = await client.post(f"{BULK}/{body['job_id']}/cancel")
        assert answer.status == 200
        assert (await answer.json())["status"] == "cancelled"


async def test_a_finished_job_cannot_be_cancelled(client: Client, database: Any) -> None:
    body = await _accepted(await client.post(BULK, json={"domains": ["acme.com"]}))
    await database.execute(
        "UPDATE scan_job SET status = 'completed', n_ok = total, finished_at = now()"
    )

    answer = await client.post(f"{BULK}/{body['job_id']}/cancel")

    assert answer.status == 409
    assert (await answer.json(content_type=None))["type"] == "/problems/conflict"


async def test_what_failed_is_redriven_as_a_new_job(client: Client, database: Any) -> None:
    body = await _accepted(await client.post(BULK, json={"domains": ["acme.com", "b.com"]}))
    await database.execute(
        "INSERT INTO scan_result (job_id, domain, outcome, reason, scanned_at) "
        "VALUES ($1, 'acme.com', 'failed', 'bug', now())",
        body["job_id"],
    )
    early = await client.post(f"{BULK}/{body['job_id']}/redrive")
    await database.execute(
        "UPDATE scan_job SET status = 'completed', n_ok = 1, n_failed = 1, finished_at = now()"
    )

    keyed = {"Idempotency-Key": "k"}
    answer = await client.post(f"{BULK}/{body['job_id']}/redrive", headers=keyed)
    again = await client.post(f"{BULK}/{body['job_id']}/redrive")
    await database.execute("UPDATE scan_job SET status = 'cancelled', finished_at = now()")
    late = await client.post(f"{BULK}/{body['job_id']}/redrive", headers=keyed)

    job = await answer.json()
    assert (late.status, await late.json()) == (202, job)
    assert late.headers["Location"] == answer.headers["Location"]
    assert (early.status, answer.status) == (409, 202)
    assert (job["total"], job["status"], job["redrive_of"]) == (1, "pending", body["job_id"])
    assert answer.headers["Location"].endswith(job["job_id"])
    assert (await again.json())["job_id"] == job["job_id"]


async def test_refused_names_are_listed_page_by_page(client: Client) -> None:
    names = ["acme.com", *["com.tr"] * 5]
    body = await _accepted(await client.post(BULK, json={"domains": names}))

    first = await (await client.get(f"{body['links']['rejects']}?limit=3")).json()
    second = await (
        await client.get(f"{body['links']['rejects']}?limit=3&cursor={first['next_cursor']}")
    ).json()

    assert [each["line"] for each in first["items"] + second["items"]] == [2, 3, 4, 5, 6]
    assert second["next_cursor"] is None


@pytest.fixture
async def job(client: Client, add_result: Callable[..., Awaitable[None]]) -> str:
    """A job of three domains with their results."""
    names = ["acme.com", "beta.com", "gamma.com"]
    body = await _accepted(await client.post(BULK, json={"domains": names}))
    job_id: str = body["job_id"]
    await add_result(job_id, "acme.com")
    await add_result(job_id, "beta.com", outcome="failed")
    await add_result(job_id, "gamma.com", reason='=HYPERLINK("http://x")')
    return job_id


async def test_results_are_pages_of_verdicts_with_evidence(client: Client, job: str) -> None:
    first = await (await client.get(f"{BULK}/{job}/results?limit=2")).json()
    second = await (
        await client.get(f"{BULK}/{job}/results?limit=2&cursor={first['next_cursor']}")
    ).json()

    acme, beta = first["items"]
    assert (acme["domain"], acme["provider"], acme["score"], acme["outcome"]) == (
        "acme.com",
        "natro",
        70,
        "ok",
    )
    assert acme["mx"]["evidence"][0]["record"] == "10 mx.acme.com"
    assert acme["signals"]["dkim"] == {
        "state": "unknown",
        "value": "",
        "evidence": [],
        "observed_at": None,
    }
    assert (beta["outcome"], beta["failure"]) == ("failed", "the worker ran out of memory")
    assert (beta["score"], beta["segment"], beta["mx"]["state"]) == (None, "unknown", "unknown")
    assert [each["domain"] for each in second["items"]] == ["gamma.com"]
    assert second["next_cursor"] is None


@pytest.mark.parametrize(
    ("query", "accept"), [("?format=ndjson", "*/*"), ("", "application/x-ndjson")]
)
async def test_results_stream_as_ndjson(
    client: Client, job: str, query: str, accept: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hunter.web.scans._STREAM_PAGE", 2)

    answer = await client.get(f"{BULK}/{job}/results{query}", headers={"Accept": accept})

    assert answer.content_type == "application/x-ndjson"
    rows = [json.loads(line) for line in (await answer.text()).splitlines()]
    assert [row["domain"] for row in rows] == ["acme.com", "beta.com", "gamma.com"]


@pytest.mark.parametrize(("query", "accept"), [("?format=csv", "*/*"), ("", "text/csv")])
async def test_results_stream_as_csv_in_which_no_cell_is_a_formula(
    client: Client, job: str, query: str, accept: str
) -> None:
    answer = await client.get(f"{BULK}/{job}/results{query}", headers={"Accept": accept})

    assert answer.content_type == "text/csv"
    data = await answer.read()
    assert data.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"))))
    assert [row["domain"] for row in rows] == ["acme.com", "beta.com", "gamma.com"]
    assert rows[0]["products"] == "'=SAP"
    assert rows[1]["failure"] == "the worker ran out of memory"
    assert rows[2]["reason"].startswith("'=")


async def test_a_job_without_results_yet_gives_an_empty_page_and_an_empty_table(
    client: Client,
) -> None:
    body = await _accepted(await client.post(BULK, json={"domains": ["acme.com"]}))
    path = body["links"]["results"]

    assert await (await client.get(path)).json() == {"items": [], "next_cursor": None}
    assert await (await client.get(f"{path}?format=ndjson")).text() == ""
    assert len((await (await client.get(f"{path}?format=csv")).text()).splitlines()) == 1


async def test_a_single_scan_is_accepted_with_a_place_to_look(client: Client) -> None:
    body = await _accepted(await client.post(f"{API}/scan/domain", json={"domain": "www.acme.com"}))

    assert (body["total"], body["rejected"]) == (1, [])


async def test_wait_gives_the_result_when_it_is_there_in_time(
    client: Client, add_result: Callable[..., Awaitable[None]], database: Any
) -> None:
    async def scan() -> None:
        while (job_id := await database.fetchval("SELECT id FROM scan_job")) is None:
            await asyncio.sleep(0.01)
        await add_result(str(job_id), "acme.com")

    worker = asyncio.create_task(scan())
    answer = await client.post(
        f"{API}/scan/domain", json={"domain": "acme.com"}, headers={"Prefer": "wait=30"}
    )
    await worker

    assert answer.status == 200
    assert answer.headers["Preference-Applied"] == "wait=30"
    body = await answer.json()
    assert (body["domain"], body["segment"]) == ("acme.com", "migration")


async def test_wait_over_gives_202(client: Client) -> None:
    answer = await client.post(
        f"{API}/scan/domain",
        json={"domain": "acme.com"},
        headers={"Prefer": "respond-async, wait=1"},
    )

    await _accepted(answer)
    assert answer.headers["Preference-Applied"] == "wait=1"


async def test_wait_is_cut_at_thirty_seconds(
    client: Client, add_result: Callable[..., Awaitable[None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hunter.web.scans.WAIT_MAX_S", 1)

    answer = await client.post(
        f"{API}/scan/domain", json={"domain": "acme.com"}, headers={"Prefer": "wait=600"}
    )

    assert answer.headers["Preference-Applied"] == "wait=1"


async def test_a_database_away_while_waiting_is_still_an_accepted_scan(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object, **__: object) -> None:
        raise Unavailable("the database does not answer")

    monkeypatch.setattr("hunter.web.scans.results.results_page", away)

    answer = await client.post(
        f"{API}/scan/domain", json={"domain": "acme.com"}, headers={"Prefer": "wait=30"}
    )

    await _accepted(answer)


async def test_a_look_that_hangs_ends_with_the_time_asked_for(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(*_: object, **__: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr("hunter.web.scans.results.results_page", hang)

    answer = await client.post(
        f"{API}/scan/domain", json={"domain": "acme.com"}, headers={"Prefer": "wait=1"}
    )

    await _accepted(answer)


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
async def test_results_can_be_asked_compressed(client: Client, job: str, coding: str) -> None:
    headers = {"Accept-Encoding": coding}

    page = await client.get(f"{BULK}/{job}/results", headers=headers)
    lines = await client.get(f"{BULK}/{job}/results?format=ndjson", headers=headers)

    for answer in (page, lines):
        assert answer.headers["Content-Encoding"] == coding
        assert "Accept-Encoding" in answer.headers["Vary"]
    assert len(msgspec.json.decode(await page.read())["items"]) == 3
    assert len((await lines.read()).splitlines()) == 3
