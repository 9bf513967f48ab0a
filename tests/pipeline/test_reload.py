"""Rules changed under a process: taken whole when they are sound and at rest, otherwise not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from hunter.config import Config
from hunter.knowledge.load import load_knowledge, shipped_texts
from hunter.knowledge.problems import BadKnowledge
from hunter.ops.metrics import Metrics
from hunter.pipeline.reload import Reloader


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """HUNTER_RULES_DIR with rules that give a best placement 33 points."""
    place_cap(tmp_path, "33")
    return tmp_path


def place_cap(folder: Path, cap: str) -> None:
    text = shipped_texts()["rules"].replace(
        "{id: placement, cap: 34", f"{{id: placement, cap: {cap}"
    )
    (folder / "rules.yaml").write_text(text)


def cap(reloader: Reloader) -> int:
    return reloader.current.rules.groups["placement"].cap


def shown(metrics: Metrics, name: str) -> list[str]:
    return [line for line in metrics.render().decode().splitlines() if line.startswith(name)]


async def test_changed_rules_are_taken_once_two_looks_see_the_same_files(folder: Path) -> None:
    metrics = Metrics()
    reloader = Reloader(Config(rules_dir=str(folder)), metrics)
    told: list[Any] = []
    reloader.on_change(told.append)
    before = reloader.current

    place_cap(folder, "20")
    assert [await reloader.look() for _ in range(4)] == [False, True, False, False]

    assert (cap(reloader), before.rules.groups["placement"].cap) == (20, 33)
    assert told == [reloader.current]
    assert shown(metrics, "hunter_rules_info") == [
        f'hunter_rules_info{{version="{reloader.current.version}"}} 1'
    ]


async def test_files_that_are_still_being_written_are_left_alone(folder: Path) -> None:
    reloader = Reloader(Config(rules_dir=str(folder)), Metrics())
    for lines in (20, 60, 90):
        text = shipped_texts()["rules"].splitlines()
        (folder / "rules.yaml").write_text("\n".join(text[:lines]))
        assert not await reloader.look()
    assert (reloader.problems, cap(reloader)) == ((), 33)


async def test_broken_rules_never_replace_working_ones_and_are_told_once(folder: Path) -> None:
    metrics = Metrics()
    reloader = Reloader(Config(rules_dir=str(folder)), metrics)
    kept = reloader.current
    place_cap(folder, "many")

    with capture_logs() as logs:
        assert [await reloader.look() for _ in range(5)] == [False] * 5

    assert reloader.current is kept
    assert [each.field for each in reloader.problems] == ["cap"]
    assert [(each["event"], each["kept"]) for each in logs] == [
        ("rules not reloaded", kept.version)
    ]
    assert "Expected `int`, got `str`" in logs[0]["problems"][0]
    assert shown(metrics, "hunter_rules_reload_failures_total") == [
        "hunter_rules_reload_failures_total 1"
    ]

    place_cap(folder, "21")
    assert [await reloader.look() for _ in range(2)] == [False, True]
    assert (cap(reloader), reloader.problems) == (21, ())


async def test_remark_in_a_file_is_no_other_version(folder: Path) -> None:
    reloader = Reloader(Config(rules_dir=str(folder)), Metrics())
    path = folder / "rules.yaml"
    path.write_text("# ours\n" + path.read_text())
    assert [await reloader.look() for _ in range(3)] == [False] * 3


async def test_other_words_are_said_without_other_rules(folder: Path) -> None:
    reloader = Reloader(Config(rules_dir=str(folder)), Metrics())
    words = shipped_texts()["brief"].replace("A Copilot workshop.", "A day with Copilot.")
    (folder / "brief.yaml").write_text(words, encoding="utf-8")

    assert [await reloader.look() for _ in range(2)] == [False, False]

    assert any(row.en == "A day with Copilot." for row in reloader.current.wording.rows)


async def test_own_file_taken_away_brings_the_shipped_one_back(folder: Path) -> None:
    reloader = Reloader(Config(rules_dir=str(folder)), Metrics())
    (folder / "rules.yaml").unlink()
    assert [await reloader.look() for _ in range(2)] == [False, True]
    assert reloader.current.version == load_knowledge().version


async def test_folder_that_is_gone_leaves_the_rules_at_work(folder: Path) -> None:
    reloader = Reloader(Config(rules_dir=str(folder)), Metrics())
    (folder / "rules.yaml").unlink()
    folder.rmdir()
    assert [await reloader.look() for _ in range(3)] == [False] * 3
    assert cap(reloader) == 33
    assert "HUNTER_RULES_DIR wants a folder" in str(reloader.problems[0])


async def test_shipped_rules_are_not_watched() -> None:
    reloader = Reloader(Config(), Metrics())
    assert not await reloader.look()
    assert reloader.current is load_knowledge()


def test_process_with_broken_rules_does_not_start(folder: Path) -> None:
    place_cap(folder, "many")
    with pytest.raises(BadKnowledge, match=r"rules.yaml:\d+: groups row 1 \(placement\): cap"):
        Reloader(Config(rules_dir=str(folder)), Metrics())
