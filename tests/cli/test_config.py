"""`hunter config`: every setting, no secret."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hunter.cli.main import Exit
from hunter.config import Config

if TYPE_CHECKING:
    from tests.cli.conftest import Hunter


async def test_it_shows_every_setting_with_its_value(hunter: Hunter) -> None:
    ended = await hunter("config", HUNTER_LOG_LEVEL="error")

    assert ended.code == Exit.OK
    for name, _, _, meaning in Config().table():
        assert name in ended.out
        assert meaning in " ".join(ended.out.split())
    (line,) = [line for line in ended.out.splitlines() if line.startswith("HUNTER_LOG_LEVEL")]
    assert line.split()[1:3] == ["error", "info"]


async def test_it_never_shows_a_secret(hunter: Hunter) -> None:
    ended = await hunter(
        "config", HUNTER_DATABASE_URL="postgresql://u:canary@h/d", HUNTER_ADMIN_KEY="canary"
    )

    assert "canary" not in ended.out + ended.err
    assert "***" in ended.out


async def test_markdown_shows_defaults_only(hunter: Hunter) -> None:
    ended = await hunter("config", "--markdown", HUNTER_LOG_LEVEL="error")

    assert ended.out.startswith("# Configuration")
    assert "`error`" not in ended.out
