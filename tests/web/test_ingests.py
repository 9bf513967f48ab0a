"""Companies over HTTP: one, and files as people send them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import TestClient

Client = TestClient[Any, Any]
API = "/api/v1"
CSV = {"Content-Type": "text/csv"}

TURKISH = (
    "Fuar Katılımcı Listesi;;;\n"
    "Firma Ünvanı;Adres;E-Posta;Web Sitesi\n"
    "Işık Çelik A.Ş.;Şişli;info@isikcelik.com.tr;www.isikcelik.com.tr\n"
    "Güneş Ltd. Şti.;Ankara;gunes@gunes.com.tr;\n"
    "Ayşe Yılmaz;Bursa;ayse@gmail.com;yok\n"
    '"Kırık;satır;x@y.com;z.com\n'
    "Işık Çelik (şube);Şişli;;isikcelik.com.tr\n"
)


def _form(data: bytes, filename: str = "liste.csv", field: str = "file") -> aiohttp.FormData:
    form = aiohttp.FormData()
    form.add_field(field, data, filename=filename)
    return form


async def _accepted(answer: Any) -> dict[str, Any]:
    assert answer.status == 202, await answer.text()
    body: dict[str, Any] = await answer.json()
    return body


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "windows-1254", "utf-16"])
async def test_a_turkish_file_becomes_leads_and_a_scan(
    client: Client, database: Any, encoding: str
) -> None:
    body = await _accepted(
        await client.post(f"{API}/ingest/csv?source=fuar", data=_form(TURKISH.encode(encoding)))
    )

    assert (body["row_count"], body["accepted"], body["duplicates"]) == (5, 2, 1)
    assert [(each["line"], each["input"], each["reason"]) for each in body["rejected"]] == [
        (5, "ayse@gmail.com", "free_mail"),
        (6, '"Kırık;satır;x@y.com;z.com', "broken_row"),
    ]
    assert all(each["detail"] for each in body["rejected"])
    assert body["filename"] == "liste.csv"
    assert body["detected"]["delimiter"] == ";"
    assert body["detected"]["header_line"] == 2
    assert body["detected"]["columns"] == {
        "website": ["Web Sitesi"],
        "email": ["E-Posta"],
        "company": "Firma Ünvanı",
    }
    rows = await database.fetch("SELECT domain, company_name, source FROM lead ORDER BY domain")
    assert [tuple(row) for row in rows] == [
        ("gunes.com.tr", "Güneş Ltd. Şti.", "fuar"),
        ("isikcelik.com.tr", "Işık Çelik (şube)", "fuar"),
    ]
    job = await (await client.get(f"{API}/scan/bulk/{body['job_id']}")).json()
    assert (job["total"], job["status"]) == (2, "pending")


async def test_a_batch_can_be_looked_at_later_with_its_rejects(client: Client) -> None:
    answer = await client.post(f"{API}/ingest/csv", data=TURKISH.encode(), headers=CSV)
    body = await _accepted(answer)

    batch = await (await client.get(answer.headers["Location"])).json()
    rejects = await (await client.get(body["links"]["rejects"])).json()

    assert (batch["batch_id"], batch["status"]) == (body["batch_id"], "accepted")
    assert (batch["row_count"], batch["accepted"], batch["rejected_count"]) == (5, 2, 2)
    assert batch["job_id"] == body["job_id"]
    assert [(each["line"], each["reason"]) for each in rejects["items"]] == [
        (5, "free_mail"),
        (6, "broken_row"),
    ]
    assert all(each["detail"] for each in rejects["items"])


async def test_a_deleted_company_is_among_the_rejects_of_its_file(
    client: Client, database: Any
) -> None:
    await client.post(f"{API}/admin/suppressions", json={"domain": "acme.com"})
    rows = "website\nacme.com\nother.com\nfree@gmail.com\nwww.acme.com\n"

    body = await _accepted(await client.post(f"{API}/ingest/csv", data=rows, headers=CSV))

    batch = await (await client.get(body["links"]["self"])).json()
    assert (batch["row_count"], batch["accepted"], batch["rejected_count"]) == (4, 1, 3)
    rejects = await client.get(body["links"]["rejects"])
    told = [(each["line"], each["reason"]) for each in (await rejects.json())["items"]]
    assert told[0] == (2, "suppressed")
    assert told[2] == (5, "suppressed")
    assert all(each["detail"] for each in body["rejected"])
    assert "acme" not in await rejects.text()
    assert await database.fetchval("SELECT count(*) FROM lead") == 1


async def test_a_spreadsheet_is_taken(client: Client, spreadsheet: Callable[..., bytes]) -> None:
    data = spreadsheet({"Liste": [["Şirket", "Website"], ["Işık", "isik.com.tr"], ["B", "com.tr"]]})

    body = await _accepted(await client.post(f"{API}/ingest/csv", data=_form(data, "liste.xlsx")))

    assert (body["accepted"], body["detected"]["format"]) == (1, "xlsx")
    assert [(each["line"], each["reason"]) for each in body["rejected"]] == [(3, "public_suffix")]


async def test_other_fields_of_a_form_are_passed_over(client: Client) -> None:
    form = aiohttp.FormData()
    form.add_field("note", "hello")
    form.add_field("upload", b"site\nacme.com\n", filename="x.csv")

    assert (await _accepted(await client.post(f"{API}/ingest/csv", data=form)))["accepted"] == 1


async def test_a_form_without_a_file_says_how_to_send_one(client: Client) -> None:
    form = aiohttp.FormData(default_to_multipart=True)
    form.add_field("note", "hello")

    answer = await client.post(f"{API}/ingest/csv", data=form)

    assert answer.status == 422
    (place,) = (await answer.json(content_type=None))["errors"]
    assert "curl -F" in place["detail"]


async def test_a_form_without_a_boundary_is_400(client: Client) -> None:
    answer = await client.post(
        f"{API}/ingest/csv", data=b"x", headers={"Content-Type": "multipart/form-data"}
    )

    assert answer.status == 400


@pytest.mark.parametrize(
    ("data", "status", "named"),
    [
        (b"", 422, "empty"),
        (b"%PDF-1.7 ...", 422, "a PDF"),
        (bytes(range(256)) * 4, 422, "binary"),
        (b"PK\x03\x04" + bytes(200), 422, "zip"),
        (b"Firma,Telefon\nAcme,0212\n", 422, "website"),
    ],
)
async def test_a_file_that_is_no_company_list_is_named_with_the_way_out(
    client: Client, database: Any, data: bytes, status: int, named: str
) -> None:
    for body in (_form(data), data):
        headers = CSV if isinstance(body, bytes) else {}
        answer = await client.post(f"{API}/ingest/csv", data=body, headers=headers)

        assert answer.status == status
        assert named in (await answer.json(content_type=None))["detail"]
    assert await database.fetchval("SELECT count(*) FROM scan_job") == 0


async def test_a_file_without_one_good_row_lists_its_rows(client: Client, database: Any) -> None:
    answer = await client.post(
        f"{API}/ingest/csv", data=b"site\ncom.tr\ninfo@gmail.com\n", headers=CSV
    )

    assert answer.status == 422
    problem = await answer.json(content_type=None)
    assert [each["pointer"] for each in problem["errors"]] == ["line 2", "line 3"]
    assert await database.fetchval("SELECT count(*) FROM scan_job") == 0
    assert await database.fetchval("SELECT status FROM ingest_batch") == "failed"


@pytest.mark.timeout(120)
async def test_a_hundred_thousand_rows_are_streamed(client: Client, database: Any) -> None:
    async def rows() -> AsyncIterator[bytes]:
        yield b"Firma;Web Sitesi\n"
        for start in range(0, 100_000, 10_000):
            yield b"".join(
                b"Firma %d;www.firma%d.com.tr\n" % (n, n) for n in range(start, start + 10_000)
            )

    body = await _accepted(await client.post(f"{API}/ingest/csv", data=rows(), headers=CSV))

    assert (body["row_count"], body["accepted"]) == (100_000, 100_000)
    assert await database.fetchval("SELECT count(*) FROM lead") == 100_000


async def test_one_company_becomes_a_lead_and_an_interactive_scan(
    client: Client, database: Any
) -> None:
    company = {
        "website": "https://www.acme.com/tr",
        "company_name": " Acme A.Ş. ",
        "source": "fair",
    }

    answer = await client.post(f"{API}/ingest/domain", json=company)

    body = await _accepted(answer)
    assert (body["domain"], answer.headers["Location"]) == ("acme.com", f"{API}/leads/acme.com")
    lead = await (await client.get(f"{API}/leads/acme.com")).json()
    assert (lead["company_name"], lead["source"], lead["scan_status"]) == (
        "Acme A.Ş.",
        "fair",
        "pending",
    )
    assert await database.fetchval("SELECT lane FROM scan_job") == "interactive"


@pytest.mark.parametrize(
    "company",
    [
        {"domain": "acme.com"},
        {"email": "info@acme.com"},
        {"domain": "n/a", "website": "", "email": "info@mail.acme.com"},
        {"website": "yok", "email": "a@acme.com", "company_name": "Acme"},
    ],
)
async def test_the_domain_is_taken_from_where_it_is(client: Client, company: Any) -> None:
    body = await _accepted(await client.post(f"{API}/ingest/domain", json=company))

    assert body["domain"] == "acme.com"


@pytest.mark.parametrize(
    ("company", "slug"),
    [
        ({}, "invalid-input"),
        ({"company_name": "Acme"}, "invalid-input"),
        ({"email": "ali@gmail.com"}, "invalid-domain"),
        ({"domain": "com.tr"}, "invalid-domain"),
        ({"domian": "acme.com"}, "invalid-input"),
    ],
)
async def test_a_company_without_a_usable_domain_is_refused(
    client: Client, database: Any, company: Any, slug: str
) -> None:
    answer = await client.post(f"{API}/ingest/domain", json=company)

    assert answer.status == 422
    assert (await answer.json(content_type=None))["type"] == f"/problems/{slug}"
    assert await database.fetchval("SELECT count(*) FROM lead") == 0


async def test_ingested_leads_are_counted(client: Client) -> None:
    await client.post(f"{API}/ingest/domain", json={"domain": "acme.com"})
    await client.post(f"{API}/ingest/csv", data=b"site\na-a.com\nb-b.com\n", headers=CSV)

    assert "\nleads_ingested_total 3\n" in await (await client.get("/metrics")).text()


KEYED = CSV | {"Idempotency-Key": "fair-2026"}
LIST = b"firma,site\nAcme,acme.com\nBozuk,com.tr\nYine,www.acme.com\n"


@pytest.mark.parametrize("is_form", [True, False])
async def test_the_same_key_and_file_again_is_the_same_batch(
    client: Client, database: Any, is_form: bool
) -> None:
    answers = []
    for _ in range(2):
        body = _form(LIST) if is_form else LIST
        headers = {"Idempotency-Key": "fair-2026"} if is_form else KEYED
        answer = await client.post(f"{API}/ingest/csv?source=fair", data=body, headers=headers)
        answers.append((await _accepted(answer), answer.headers["Location"]))

    assert answers[0] == answers[1]
    assert answers[0][0]["rejected"][0]["reason"] == "public_suffix"
    assert await database.fetchval("SELECT count(*) FROM scan_job") == 1
    assert await database.fetchval("SELECT count(*) FROM ingest_batch") == 1
    assert "\nleads_ingested_total 2\n" in await (await client.get("/metrics")).text()


@pytest.mark.parametrize(
    ("query", "data"), [("", b"site\nother.com\n"), ("?depth=full", LIST), ("?source=x", LIST)]
)
async def test_the_same_key_with_another_file_or_query_is_422_and_stores_nothing(
    client: Client, database: Any, query: str, data: bytes
) -> None:
    await _accepted(await client.post(f"{API}/ingest/csv", data=LIST, headers=KEYED))

    answer = await client.post(f"{API}/ingest/csv{query}", data=data, headers=KEYED)

    assert answer.status == 422
    problem = await answer.json(content_type=None)
    assert problem["errors"][0]["pointer"] == "Idempotency-Key"
    assert await database.fetchval("SELECT count(*) FROM ingest_batch") == 1
    assert await database.fetchval("SELECT count(*) FROM lead") == 1


async def test_a_file_whose_twin_is_still_read_is_409_with_a_time_to_come_back(
    client: Client, database: Any
) -> None:
    await _accepted(await client.post(f"{API}/ingest/csv", data=LIST, headers=KEYED))
    await database.execute("UPDATE idempotency SET body_hash = NULL")

    answer = await client.post(f"{API}/ingest/csv", data=LIST, headers=KEYED)

    assert answer.status == 409
    assert int(answer.headers["Retry-After"]) >= 1
    assert await database.fetchval("SELECT count(*) FROM ingest_batch") == 1


async def test_the_same_key_and_company_again_is_the_same_scan(
    client: Client, database: Any
) -> None:
    headers = {"Idempotency-Key": "crm-7"}
    company = {"domain": "acme.com", "company_name": "Acme"}

    bodies = [
        await _accepted(await client.post(path, json=company, headers=headers))
        for path in (f"{API}/ingest/domain", "/ingest/domain")
    ]
    other = await client.post(f"{API}/ingest/domain", json={"domain": "beta.com"}, headers=headers)

    assert bodies[0] == bodies[1]
    assert other.status == 422
    assert await database.fetchval("SELECT count(*) FROM scan_job") == 1
    assert await database.fetchval("SELECT count(*) FROM lead") == 1


async def test_a_part_of_a_form_without_a_header_is_a_problem_of_the_caller(client: Client) -> None:
    answer = await client.post(
        f"{API}/ingest/csv",
        data=b"--b\r\n--b--\r\n",
        headers={"Content-Type": "multipart/form-data; boundary=b"},
    )

    assert answer.status == 400
    assert "multipart" in (await answer.json(content_type=None))["detail"]
