"""`hunter export`: the same file from the API and from the database; `hunter ingest --rejects`."""

from __future__ import annotations

import asyncio
import csv
import dataclasses
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import python_calamine

from hunter.cli.main import Exit
from hunter.config import Config
from hunter.local.servers import free_port
from hunter.store.database import Database
from hunter.web.app import run_api

if TYPE_CHECKING:
    from tests.cli.conftest import Hunter


@pytest.fixture
async def url(config: Config) -> AsyncIterator[str]:
    """An API of the test's own."""
    stop, port = asyncio.Event(), free_port()
    async with asyncio.TaskGroup() as group:
        group.create_task(run_api(dataclasses.replace(config, port=port), stop=stop))
        yield f"http://127.0.0.1:{port}"
        stop.set()


@pytest.fixture
async def leads(db: Database) -> None:
    """Two leads."""
    async with db.acquire() as conn:
        await conn.execute(
            "INSERT INTO lead (domain, display_name, search, company_name, segment) "
            "VALUES ('a.com', 'a.com', '', '=Işık', 'existing'), "
            "('b.com', 'b.com', '', NULL, 'migration')"
        )


async def test_api_and_database_give_the_same_file(
    hunter: Hunter,
    url: str,
    leads: None,
    *,
    tmp_path: Path,
    environ: dict[str, str],
    database_url: str,
) -> None:
    environ["HUNTER_DATABASE_URL"] = database_url

    for name in ("l.csv", "l.ndjson", "l.xlsx"):
        api = await hunter("export", "-o", f"api-{name}", "--url", url)
        own = await hunter("export", "-o", f"own-{name}", "--database")
        assert (api.code, own.code) == (Exit.OK, Exit.OK), api.err + own.err
        one, other = ((tmp_path / f"{who}-{name}").read_bytes() for who in ("api", "own"))
        if name.endswith("xlsx"):  # an archive has the time in it
            read = [
                python_calamine.load_workbook(io.BytesIO(data)).get_sheet_by_index(0).to_python()
                for data in (one, other)
            ]
            assert read[0] == read[1]
        else:
            assert one == other
    assert "'=Işık" in (tmp_path / "own-l.csv").read_text(encoding="utf-8")
    assert list(tmp_path.glob("*.part")) == []


async def test_filters_go_to_standard_output(hunter: Hunter, url: str, leads: None) -> None:
    done = await hunter("export", "segment=migration", "--no-bom", "--url", url)

    assert [row["domain"] for row in csv.DictReader(io.StringIO(done.out))] == ["b.com"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["segmnt=x"], "did you mean segment"),
        (["segment"], "wants NAME=VALUE"),
        (["-o", "nowhere/l.csv"], "cannot be written"),
        (["--database"], "HUNTER_DATABASE_URL"),
    ],
)
async def test_what_cannot_be_done_is_one_line(hunter: Hunter, words: list[str], told: str) -> None:
    done = await hunter("export", *words)

    assert done.code == Exit.USAGE
    assert told in done.err


async def test_rows_set_aside_are_saved_with_their_reasons(
    hunter: Hunter, url: str, tmp_path: Path
) -> None:
    (tmp_path / "l.csv").write_text("website\nacme.com\ncom.tr\nali@gmail.com\n")

    done = await hunter("ingest", "l.csv", "--no-wait", "--rejects", "r.csv", "--url", url)

    assert done.code == Exit.OK, done.err
    text = (tmp_path / "r.csv").read_text(encoding="utf-8-sig")
    assert [row["reason"] for row in csv.DictReader(io.StringIO(text))] == [
        "public_suffix",
        "free_mail",
    ]
