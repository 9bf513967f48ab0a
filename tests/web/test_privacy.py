"""Nothing personal and no key reaches the log, whatever is asked and however it fails."""

from __future__ import annotations

import asyncio
import io
import logging
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest
import structlog
from aiohttp import web
from aiohttp.test_utils import TestClient
from pytest_aiohttp import AiohttpClient

from hunter.config import Config
from hunter.ops.log import configure_logging
from hunter.web.app import create_app
from hunter.web.connection import ApiRunner
from hunter.web.keys import DB

Client = TestClient[Any, Any]
API = "/api/v1"
CANARIES = ("kanarya@canary-firma.com.tr", "Kanarya Ticaret", "kanarya-key", "kanarya-query")


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """All the log of the test, as production writes it."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    configure_logging(Config(environment="production"), stream)
    yield stream
    structlog.reset_defaults()
    root.handlers[:], root.level = handlers, level


async def test_no_canary_reaches_the_log(
    aiohttp_client: AiohttpClient, config: Config, written: io.StringIO
) -> None:
    app = create_app(config)
    client = await aiohttp_client(app)
    mail, company, key, query = CANARIES
    keys = {"Authorization": f"Bearer {key}", "X-API-Key": key}
    form = aiohttp.FormData()
    form.add_field(
        "file", f'firma,email\n{company},{mail}\n"{company}\n', filename=f"{company}.csv"
    )

    await client.post(f"{API}/ingest/domain", json={"email": mail, "company_name": company})
    await client.post(f"{API}/ingest/domain", json={"email": mail, "x": company})
    await client.get(f"{API}/leads?q={query}", headers=keys)
    await client.post(f"{API}/ingest/csv?source={query}", data=form)
    await client.post(
        f"{API}/scan/domain",
        data=f"{{{mail} {company}",
        headers={"Content-Type": "application/json"},
    )
    await client.get(f"{API}/leads?q={query}&email={mail}")
    await client.get(f"{API}/leads?q={query}")
    await client.get(f"/{query}?{mail}")
    app._state[DB] = _Broken(f"cannot store the row of {mail}")
    await client.get(f"{API}/leads?q={query}")

    text = written.getvalue()
    assert text.count("request finished") == 9
    assert "Traceback" in text
    assert [canary for canary in CANARIES if canary in text] == []


class _Broken:
    def __init__(self, text: str) -> None:
        self._text = text

    def acquire(self, **_: object) -> None:
        raise ValueError(self._text)


async def test_what_is_no_request_leaves_nothing_of_it_in_the_log(
    config: Config, written: io.StringIO
) -> None:
    runner = ApiRunner(create_app(config), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    canaries = " ".join(CANARIES)
    try:
        for text in (
            f"{canaries}\r\n\r\n",
            f"GET /?{CANARIES[3]} HTTP/1.1\r\nX {canaries}\r\n\r\n",
            f"GET / HTTP/1.1\r\nX-API-Key: {canaries}{'a' * 9000}\r\n\r\n",
            f"POST /{CANARIES[3]} HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{canaries}",
        ):
            reader, writer = await asyncio.open_connection("127.0.0.1", runner.addresses[0][1])
            writer.write(text.encode())
            answer = await reader.read()
            writer.close()
            assert answer[8:10] == b" 4", answer
            assert [each for each in CANARIES if each.encode() in answer] == []
    finally:
        await runner.cleanup()

    assert written.getvalue().count("request refused") == 4
    assert [each for each in CANARIES if each in written.getvalue()] == []
