"""`hunter calibration`: how far to trust the percentages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hunter.cli.main import Exit
from hunter.knowledge.load import load_knowledge

if TYPE_CHECKING:
    from tests.cli.conftest import Hunter


async def test_it_shows_the_table_and_where_it_comes_from(hunter: Hunter) -> None:
    ended = await hunter("calibration")

    found = load_knowledge().calibration
    assert ended.code == Exit.OK
    assert ended.out.startswith(f"version {found.version}, {found.date}: {found.source} (MIT)")
    assert f"market at: {found.basis('at')}" in ended.out
    assert "every other market: uncalibrated, from public corpus AT" in ended.out
    assert f"{found.held_out.log_loss:.4f}" in ended.out


async def test_a_market_without_labels_is_called_uncalibrated(hunter: Hunter) -> None:
    ended = await hunter("calibration", "--market", "TR")

    assert "market tr: uncalibrated, from public corpus AT; 0 labels of market tr" in ended.out
    assert "market at" not in ended.out
