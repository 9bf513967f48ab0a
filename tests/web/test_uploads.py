"""Files on their way in: packed, broken off, too large when unpacked, and where they wait."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from backports import zstd
from pytest_aiohttp import AiohttpClient

from hunter.config import Config
from hunter.web import uploads
from hunter.web.app import create_app

Client = TestClient[Any, Any]
CSV = "/api/v1/ingest/csv"
LIST = b"firma,site\nA,a-a.com\nB,com.tr\n"


def _packed(how: str) -> dict[str, str]:
    return {"Content-Type": "text/csv", "Content-Encoding": how}


@pytest.mark.parametrize(
    ("how", "pack"),
    [("gzip", gzip.compress), ("deflate", zlib.compress), ("zstd", zstd.compress)],
)
async def test_a_packed_list_is_unpacked(
    client: Client, how: str, pack: Callable[[bytes], bytes]
) -> None:
    answer = await client.post(CSV, data=pack(LIST), headers=_packed(how))

    assert answer.status == 202, await answer.text()
    assert (await answer.json())["accepted"] == 1


@pytest.mark.parametrize(("how", "pack"), [("gzip", gzip.compress), ("zstd", zstd.compress)])
async def test_a_body_that_unpacks_to_no_list_is_refused(
    client: Client, monkeypatch: pytest.MonkeyPatch, how: str, pack: Callable[[bytes], bytes]
) -> None:
    monkeypatch.setattr(uploads, "BOMB_FROM_BYTES", 100_000)
    bomb = pack(b"x.com\n" * 1_000_000)

    answer = await client.post(CSV, data=bomb, headers=_packed(how))

    assert answer.status == 413
    assert "200 times" in (await answer.json())["detail"]


async def test_a_packed_body_is_measured_unpacked(
    aiohttp_client: AiohttpClient, settings: Callable[..., Config]
) -> None:
    client: Client = await aiohttp_client(create_app(settings(upload_max_bytes=2048)))

    answer = await client.post(CSV, data=gzip.compress(LIST * 100), headers=_packed("gzip"))

    assert answer.status == 413


@pytest.mark.parametrize(
    ("how", "data"),
    [
        ("gzip", b"not packed at all"),
        ("gzip", b""),
        ("gzip", gzip.compress(LIST * 50)[:-12]),
        ("deflate", zlib.compress(LIST * 50)[:-12]),
        ("zstd", zstd.compress(LIST * 50)[:-3]),
    ],
    # gzip writes the time into its header: two processes must find the same tests
    ids=["not gzip", "nothing", "gzip cut", "deflate cut", "zstd cut"],
)
async def test_a_body_packed_badly_or_broken_off_is_told(
    client: Client, how: str, data: bytes
) -> None:
    answer = await client.post(CSV, data=data, headers=_packed(how))

    assert answer.status in {400, 422}
    assert answer.content_type == "application/problem+json"


async def test_a_large_file_waits_in_the_data_folder_and_leaves_nothing(
    client: Client, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "SPOOL_BYTES", 1)

    answer = await client.post(CSV, data=LIST, headers={"Content-Type": "text/csv"})

    assert answer.status == 202
    assert (config.data_dir / "tmp").is_dir()
    assert list((config.data_dir / "tmp").iterdir()) == []
