"""`hunter demo`: without internet and without settings, to five leads with their reasons."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hunter.cli.main import Exit
from hunter.local.demo import ROWS

if TYPE_CHECKING:
    from tests.cli.conftest import Hunter


@pytest.mark.timeout(180)
async def test_it_ends_with_five_leads_and_leaves_nothing(hunter: Hunter, tmp_path: Path) -> None:
    # settings of the user, a wrong one among them, have no say in the demonstration
    ended = await hunter("demo", TMPDIR=str(tmp_path), HUNTER_PROT="1")

    assert ended.code == Exit.OK, ended.err
    assert f"a list of {ROWS:,} rows" in ended.out
    assert "rows set aside" in ended.out
    leads = ended.out.split("The 5 leads to call first:")[1]
    assert [f"\n{n}. " in leads for n in range(1, 7)] == [True] * 5 + [False]
    assert leads.count("P1 ") + leads.count("P2 ") == 5
    assert [p.name for p in tmp_path.glob("hunter-demo-*")] == []
