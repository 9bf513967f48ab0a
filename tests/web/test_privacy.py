"""Nothing personal and no key reaches the log, whatever is asked and however it fails."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest
import structlog
from aiohttp.test_utils import TestClient
from pytest_aiohttp import AiohttpClient

from hunter.config import Config
from hunter.ops.log import configure_logging
from hunter.web.app import create_app
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
