"""The commands of docs/rules.md, run as they stand there."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sys
from pathlib import Path

from hunter.config import Config
from hunter.store.database import Database
from tests.pipeline.test_rejudge import Fleet, survey

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "rules.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"<!-- tested: commands -->\n```sh\n(.*?)```", PAGE, re.DOTALL)


async def test_every_command_of_the_page_does_what_it_is_said_to(
    db: Database, config: Config, tmp_path: Path
) -> None:
    fleet = Fleet(db, tmp_path / "held")
    await fleet.until_done()
    await fleet.store(survey("d.com", "in1-smtp.messagingengine.com"))
    fleet.write("providers", ("mx: messagingengine.com", "mx: messagingengine.example"))
    await fleet.until_done()
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "hunter").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m hunter "$@"\n')
    (tools / "hunter").chmod(0o755)
    shutil.copytree(ROOT / "hunter" / "knowledge" / "data", tmp_path / "hunter/knowledge/data")

    told = []
    for block in BLOCKS:
        process = await asyncio.create_subprocess_exec(
            "sh", "-euc", block,
            cwd=tmp_path,
            env={
                "PATH": f"{tools}:{os.environ['PATH']}",
                "PYTHONPATH": str(ROOT),
                "HUNTER_DATABASE_URL": str(config.database_url),
            },
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        said, _ = await process.communicate()
        assert process.returncode == 0
        told.append(said.decode())

    tried, in_force, applied = told
    assert "placement: at most 30" in tried
    assert "1 leads judged under both" in tried
    assert "own files: rules.yaml" in in_force
    assert "confirmed" in applied
    await fleet.until_done()
    assert [kind for _, kind, _, _ in await fleet.changes()] == ["fact_table_effect"]


def test_figures_and_names_of_the_page_are_those_of_the_code() -> None:
    from hunter.pipeline import rejudge as work
    from hunter.store import rejudge

    assert f"slices of {rejudge.SLICE:,} names" in PAGE
    assert f"the next {work._BATCH} leads" in PAGE
    assert f"up to {work._SAMPLE:,} leads" in PAGE
    assert f"more than {work.HOLD_ABOVE:.0%}".replace("%", " %") in PAGE
    assert f"`HUNTER_RULES_POLL_S` ({Config().rules_poll_s:g} s)" in PAGE
