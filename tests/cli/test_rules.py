"""`hunter rules`: files explained, other rules tried on stored observations, a held run let go."""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from hunter.cli import rules_apply
from hunter.cli.main import Exit, main
from hunter.config import Config
from hunter.knowledge.load import shipped_texts
from hunter.store.database import Database
from tests.pipeline.test_rejudge import Fleet, survey


def edited(folder: Path, name: str, old: str, new: str, *, file: str = "") -> Path:
    text = shipped_texts()[name]
    assert old in text
    path = folder / (file or f"{name}.yaml")
    path.write_text(text.replace(old, new, 1))
    return path


def test_check_explains_the_rules_in_force(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rules", "check"], {}) == Exit.OK
    told = capsys.readouterr().out
    for line in (
        "own files: none, all as shipped",
        "points: fit at most 60, urgency at most 40",
        "  placement: at most 34, only its best rule counts",
        "    +30 fit mail_hosting when mail_hosting",
        "    +30 urgency tenant_appeared when tenant_appeared, half after each 30 days",
        "    1 domain_missing: skip when domain_missing",
    ):
        assert line in told


def test_check_takes_a_file_by_its_sections_and_says_what_never_counts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = edited(tmp_path, "rules", "cap: 6, pick", "cap: 0, pick", file="ours.yaml")
    assert main(["rules", "check", str(path)], {}) == Exit.OK
    assert main(["rules", "check", str(path), "--strict"], {}) == Exit.FAILED
    told = capsys.readouterr().out
    assert "own files: rules.yaml" in told
    assert "  groups posture: its cap of 0 leaves nothing to its rules" in told


def test_check_tells_every_mistake_on_a_line_of_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edited(tmp_path, "rules", "when: [mail_hosting], sent", "when: [mail_hostin], sent")
    edited(tmp_path, "events", "kind: end", "kind: over")
    assert main(["rules", "check", str(tmp_path)], {}) == Exit.USAGE
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("hunter: events.yaml:")
    assert lines[1].endswith("when.0: no such fact: mail_hostin; did you mean mail_hosting?")


def test_what_a_file_holds_commands_no_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edited(tmp_path, "rules", "when: [mail_hosting], sent", 'when: ["\\e[2J"], sent')
    assert main(["rules", "check", str(tmp_path)], {}) == Exit.USAGE
    told = capsys.readouterr().err
    assert "no such fact: \\x1b[2J" in told
    assert "\x1b" not in told


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "ours.yaml:1: file: name: No such file or directory; name a folder or a data file"),
        ("\udcff", "not UTF-8"),
        ("a: 1", "has the sections of no data file"),
        ("[", "not YAML"),
    ],
)
def test_check_of_a_file_that_is_none_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None, told: str
) -> None:
    path = tmp_path / "ours.yaml"
    if content is not None:
        path.write_bytes(content.encode("utf-8", "surrogateescape"))
    assert main(["rules", "check", str(path)], {}) == Exit.USAGE
    assert told in capsys.readouterr().err


@pytest.fixture
async def fleet(db: Database, tmp_path: Path) -> Fleet:
    """Nine leads with mail of their own and one at Fastmail."""
    made = Fleet(db, tmp_path / "rules")
    await made.until_done()
    await made.store(*(survey(f"c{n}.com", f"mx.c{n}.com") for n in range(9)))
    await made.store(survey("d.com", "in1-smtp.messagingengine.com"))
    return made


@pytest.fixture
def environ(config: Config) -> Mapping[str, str]:
    """The environment of a command on the test's database."""
    return {"HUNTER_DATABASE_URL": str(config.database_url)}


async def test_diff_says_what_would_change_and_changes_nothing(
    fleet: Fleet, environ: Mapping[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = await fleet.rows("SELECT domain, rules_version, score FROM lead ORDER BY domain")
    path = edited(tmp_path, "providers", "mx: messagingengine.com", "mx: messagingengine.example")
    assert await asyncio.to_thread(main, ["rules", "diff", str(path)], environ) == Exit.OK
    told = capsys.readouterr().out
    assert "10 leads judged under both" in told
    assert "provider: 1 would change (10.0%)" in told
    assert "        1  fastmail → None" in told
    assert "e.g. d.com: fastmail → None" in told
    assert "warning: 10.0% of providers would change; above 5% re-judging is held" in told
    assert before == await fleet.rows(
        "SELECT domain, rules_version, score FROM lead ORDER BY domain"
    )


async def test_diff_gives_json_and_looks_at_no_more_than_asked(
    fleet: Fleet, environ: Mapping[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = edited(tmp_path, "rules", "points: 30, when: [mail_self", "points: 11, when: [mail_self")
    arguments = ["rules", "diff", str(path), "--limit", "4", "--json"]
    assert await asyncio.to_thread(main, arguments, environ) == Exit.OK
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert found["leads"] == 4
    changed = {name: each["changed"] for name, each in found["fields"].items()}
    assert changed["score"] == 4
    assert changed["provider"] == 0
    assert found["fields"]["score"]["examples"][0]["domain"] == "c0.com"


def test_diff_and_apply_want_a_database(capsys: pytest.CaptureFixture[str]) -> None:
    shipped = Path(__file__).parents[2] / "hunter" / "knowledge" / "data" / "rules.yaml"
    assert main(["rules", "diff", str(shipped)], {}) == Exit.USAGE
    assert main(["rules", "apply"], {}) == Exit.USAGE
    assert capsys.readouterr().err.count("HUNTER_DATABASE_URL") == 2


async def test_apply_lets_a_held_run_go_once_an_operator_agrees(
    fleet: Fleet, environ: Mapping[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert await asyncio.to_thread(main, ["rules", "apply"], environ) == Exit.OK
    fleet.write("providers", ("mx: messagingengine.com", "mx: messagingengine.example"))
    await fleet.until_done()

    assert await asyncio.to_thread(main, ["rules", "apply"], environ) == Exit.FAILED
    arguments = argparse.Namespace(yes=False)
    for answer, code in (("", Exit.FAILED), ("y", Exit.OK)):
        ask = {"": lambda _: "", "y": lambda _: "y"}[answer]
        assert await asyncio.to_thread(rules_apply.run, arguments, environ, ask) == code
    told = capsys.readouterr().out
    assert told.startswith("nothing is held\n")
    assert "1 of 10 providers looked at would change (10.0%)" in told

    await fleet.until_done()
    assert [kind for _, kind, _, _ in await fleet.changes()] == ["fact_table_effect"]
