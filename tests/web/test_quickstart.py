"""The commands of docs/api/quickstart.md do what the page says."""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import standardwebhooks
from aiohttp.test_utils import TestClient

Client = TestClient[Any, Any]
PAGE = Path(__file__).parents[2] / "docs/api/quickstart.md"


@pytest.mark.tool("curl")
async def test_every_command_of_the_quickstart_works(
    client: Client, tmp_path: Path, database: Any
) -> None:
    blocks = re.findall(r"^```sh\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    # nobody scans here: the first command is not to wait for it
    script = "\n".join(blocks[1:]).replace("wait=10", "wait=0")
    script = re.sub(r"^curl", r"echo; curl -w ' %{http_code}'", script, flags=re.MULTILINE)

    process = await asyncio.create_subprocess_exec(
        "bash",
        "-eu",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "HUNTER": f"http://{client.host}:{client.port}"},
    )
    output, _ = await process.communicate(script.encode())

    assert process.returncode == 0, output.decode()
    statuses = re.findall(r" (\d{3})$", output.decode(), re.MULTILINE)
    commands = re.findall(r"^curl", "\n".join(blocks), re.MULTILINE)
    assert len(statuses) == len(commands)
    assert statuses.count("422") == 1
    assert {*statuses} == {"200", "202", "422"}
    assert json.loads((tmp_path / "openapi.json").read_text())["openapi"] == "3.1.0"
    names = await database.fetch("SELECT domain FROM lead ORDER BY domain")
    assert [row["domain"] for row in names] == ["contoso.com", "fabrikam.com"]


def _python_blocks() -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)


async def test_the_python_example_of_the_quickstart_works(
    client: Client, tmp_path: Path, add_lead: Any
) -> None:
    await add_lead("tailspintoys.com")

    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=tmp_path,
        env={"HUNTER": f"http://{client.host}:{client.port}"},
    )
    output, _ = await process.communicate(_python_blocks()[0].encode())

    assert process.returncode == 0, output.decode()
    assert output.decode().splitlines()[-1].startswith("cancelled ")
    assert "tailspintoys.com" in (tmp_path / "leads.csv").read_text()


def test_the_quickstart_tells_true_webhooks_from_false_ones() -> None:
    names: dict[str, Any] = {}
    exec(_python_blocks()[1], names)  # of our own page
    secret = "whsec_" + base64.b64encode(b"k" * 32).decode()
    body, now = b'{"kind": "mx_changed"}', dt.datetime.now(dt.UTC)

    def told(at: dt.datetime, text: bytes) -> bool:
        signature = standardwebhooks.Webhook(secret).sign("msg_1", at, body.decode())
        headers = {
            "webhook-id": "msg_1",
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": f"v1,bm9uZSBvZiBvdXJz {signature}",
        }
        found: bool = names["is_from_hunter"](secret, headers, text)
        return found

    assert told(now, body)
    assert not told(now, body + b" ")
    assert not told(now - dt.timedelta(minutes=6), body)


async def test_the_page_names_every_filter_and_order(client: Client) -> None:
    document = await (await client.get("/openapi.json")).json()
    parameters = document["paths"]["/api/v1/leads"]["get"]["parameters"]
    page = PAGE.read_text()

    for parameter in parameters:
        assert re.search(rf"[`?&\"]{parameter['name']}\b", page), parameter["name"]
    (sort,) = [p["schema"] for p in parameters if p["name"] == "sort"]
    for order in sort["enum"] if "enum" in sort else sort["allOf"][0]["enum"]:
        assert f"`{order}`" in page
