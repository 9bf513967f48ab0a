"""The rules in force, as whoever runs Hunter sees them."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path
from typing import Any

from aiohttp.test_utils import TestClient
from pytest_aiohttp import AiohttpClient

from hunter.config import Config
from hunter.knowledge.load import load_knowledge, shipped_texts
from hunter.store.database import Database
from hunter.web.app import create_app
from hunter.web.keys import RULES
from tests.pipeline.test_rejudge import Fleet, survey

Client = TestClient[Any, Any]
PATH = "/api/v1/admin/rules"


async def test_shipped_rules_are_told_with_their_files(client: Client) -> None:
    said = await (await client.get(PATH)).json()
    assert said["version"] == load_knowledge().version
    assert (said["problems"], said["held"], said["runs"], said["workers"]) == ([], None, [], {})
    text = shipped_texts()["rules"].encode()
    assert {"name": "rules.yaml", "own": False, "sha256": hashlib.sha256(text).hexdigest()} in said[
        "files"
    ]


async def test_rules_want_the_key(locked_client: Client) -> None:
    assert (await locked_client.get(PATH)).status == 401


async def test_changed_files_that_were_not_taken_are_told_with_the_held_run(
    aiohttp_client: AiohttpClient, config: Config, db: Database, tmp_path: Path
) -> None:
    fleet = Fleet(db, tmp_path / "rules")
    await fleet.until_done()
    await fleet.store(survey("d.com", "in1-smtp.messagingengine.com"))
    fleet.write("providers", ("mx: messagingengine.com", "mx: messagingengine.example"))
    await fleet.until_done()
    app = create_app(dataclasses.replace(config, rules_dir=str(fleet.folder)))
    client: Client = await aiohttp_client(app)
    (fleet.folder / "rules.yaml").write_text("groups: [")
    assert [await app[RULES].look() for _ in range(2)] == [False, False]

    said = await (await client.get(PATH)).json()

    assert said["version"] == fleet.reloader.current.version
    assert [each["name"] for each in said["files"] if each["own"]] == ["providers.yaml"]
    assert [(each["file"], each["field"]) for each in said["problems"]] == [("rules.yaml", "YAML")]
    assert (said["held"]["state"], said["held"]["would_change"]) == ("held", 1)
    assert said["runs"][0] == said["held"]
