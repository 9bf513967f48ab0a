"""The page for salespeople: its fragments, what it lets nobody do, and all of it in a real browser."""

from __future__ import annotations

import asyncio
import dataclasses
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from playwright.async_api import Page, async_playwright, expect

from hunter.config import Config, Secret
from hunter.core.judgement import Segment
from hunter.local.nameserver import NameServer
from hunter.local.servers import free_port
from hunter.web.app import run_api
from hunter.worker.app import run_worker

Client = TestClient[Any, Any]
KEY = "a-key-of-more-than-24-characters"
ZONE = """
natro-musterisi.test 300 MX 10 mx.natrohost.com
natro-musterisi.test 300 TXT "v=spf1 include:spf.natrohost.com ~all"
enterpriseregistration.natro-musterisi.test 300 CNAME enterpriseregistration.windows.net
celik.test 300 MX 0 celik-test.mail.protection.outlook.com
celik.test 300 TXT "v=spf1 include:spf.protection.outlook.com -all"
bos.test 300 MX 0 .
"""
LIST = """Firma;Web
Natro Müşterisi A.Ş.;www.natro-musterisi.test
Çelik <b>Boru</b>;https://celik.test/
Boş;bos.test
yok;n/a
"""


async def test_the_page_comes_to_browsers_and_the_directory_to_programs(client: Client) -> None:
    page = await client.get("/", headers={"Accept": "text/html", "Accept-Language": "tr"})
    directory = await client.get("/")

    assert page.content_type == "text/html"
    assert '<html lang="tr">' in await page.text()
    assert (await directory.json())["name"] == "hunter"


async def test_every_page_lets_only_its_own_files_run(client: Client) -> None:
    for path in ("/", "/docs", "/ui/leads"):
        answer = await client.get(path, headers={"Accept": "text/html"})
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        text = await answer.text()
        for forbidden in ("<style", " style=", "<script>", " onclick=", "//cdn", "https://"):
            assert forbidden not in text, (path, forbidden)


async def test_hostile_names_stand_there_as_text(
    client: Client, add_lead: Callable[..., Awaitable[Any]]
) -> None:
    hostile = "<img src=x onerror=alert(1)>\"'{{7*7}}"
    await add_lead("firma.test", hostile, reason=f"Mail at {hostile}")

    for path in ("/ui/leads", "/ui/leads?lang=tr"):
        text = await (await client.get(path)).text()
        assert "<img" not in text
        assert "&lt;img src=x onerror=alert(1)&gt;" in text


async def test_unknown_is_told_as_unknown_never_as_no(
    client: Client, add_lead: Callable[..., Awaitable[Any]]
) -> None:
    await add_lead(
        "firma.test",
        provider=None,
        provider_name=None,
        segment=Segment.UNKNOWN,
        tenant_state="unknown",
        confidence_word="unknown",
    )

    text = await (await client.get("/ui/leads")).text()

    assert "unknown<small>unknown</small>" in text


@pytest.mark.parametrize(
    "name", ["../app.py", "..%2fapp.py", "page.html", "LICENSES.md", "%00", ""]
)
async def test_only_the_named_files_are_served(client: Client, name: str) -> None:
    answer = await client.get(f"/static/{name}")

    assert answer.status == 404


async def test_a_file_is_sent_once_and_asked_for_by_its_tag(client: Client) -> None:
    plain = await client.get("/static/app.js", headers={"Accept-Encoding": "identity"})
    first = await client.get("/static/app.js")
    again = await client.get("/static/app.js", headers={"If-None-Match": first.headers["ETag"]})

    assert first.content_type == "text/javascript"
    assert b"htmx:config:request" in await first.read()
    assert "Content-Encoding" not in plain.headers
    assert await plain.read() == await first.read()
    assert again.status == 304


async def test_the_shell_is_open_and_the_data_want_a_key(locked_client: Client) -> None:
    shell = await locked_client.get("/", headers={"Accept": "text/html"})
    rows = await locked_client.get("/ui/leads")

    assert shell.status == 200
    assert rows.status == 401


@pytest.fixture
async def url(config: Config) -> AsyncIterator[str]:
    """A whole Hunter that wants a key, over a name server that knows three companies."""
    stop, port = asyncio.Event(), free_port()
    async with NameServer(ZONE) as server, asyncio.TaskGroup() as group:
        settings = dataclasses.replace(
            config,
            port=port,
            worker_port=free_port(),
            dns_servers=(server.address,),
            admin_key=Secret(KEY),
        )
        group.create_task(run_api(settings, stop=stop))
        group.create_task(run_worker(settings, stop=stop))
        yield f"http://127.0.0.1:{port}"
        stop.set()


@pytest.fixture
async def browser_page(tmp_path: Path) -> AsyncIterator[Page]:
    """A page of a real browser; what its console complains of fails the test."""
    complaints: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
            ],
        )
        expect.set_options(timeout=30_000)
        page = await browser.new_page(viewport={"width": 1400, "height": 900}, locale="en-US")
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "console",
            lambda line: complaints.append(line.text) if "Content Security" in line.text else None,
        )
        yield page
        await browser.close()
    assert complaints == []


@pytest.mark.timeout(120)
@pytest.mark.tool("chromium")
async def test_a_salesperson_sends_a_list_and_reads_whom_to_call_and_why(
    url: str, browser_page: Page, tmp_path: Path
) -> None:
    file = tmp_path / "fuar.csv"
    file.write_bytes(LIST.encode("cp1254"))
    page = browser_page

    await page.goto(f"{url}/?lang=tr")
    await expect(page.locator("#trouble")).to_contain_text("Authentication required")
    await page.fill("#key", KEY)
    await page.press("#key", "Enter")
    await expect(page.locator("#none")).to_be_visible()
    await expect(page.locator("#trouble")).to_be_hidden()

    await page.set_input_files("input[type=file]", file)
    await page.click("#upload button")
    await expect(page.locator(".batch")).to_contain_text("Hepsine bakıldı")
    await expect(page.locator(".batch")).to_contain_text("3 şirket alındı")
    await page.click(".batch summary")
    await expect(page.locator(".batch li")).to_contain_text("satır 5")

    await page.click(".batch [data-source]")
    rows = page.locator("#leads tbody tr")
    await expect(rows).to_have_count(3)
    await expect(rows.first).to_contain_text("Natro Müşterisi A.Ş.")
    await expect(rows.first).to_contain_text("Önce bunu arayın")

    await page.select_option("[name=segment]", "existing")
    await expect(rows).to_have_count(1)
    await expect(rows.first).to_contain_text("Çelik <b>Boru</b>")
    await rows.first.locator("button").click()
    lead = page.locator("#lead")
    await expect(lead.locator("h2")).to_have_text("Çelik <b>Boru</b>")
    await expect(lead).to_contain_text("celik.test MX → 0 celik-test.mail.protection.outlook.com")
    await expect(lead).to_contain_text("Görülenler")


@pytest.mark.timeout(120)
@pytest.mark.tool("chromium")
async def test_the_api_document_is_drawn_without_any_other_server(
    url: str, browser_page: Page
) -> None:
    asked: list[str] = []
    browser_page.on("request", lambda request: asked.append(request.url))

    await browser_page.goto(f"{url}/docs")

    await expect(browser_page.locator(".opblock").first).to_be_visible(timeout=30_000)
    assert all(each.startswith((url, "data:")) for each in asked)
