"""`hunter rules fit`: a corpus in, figures and coefficients out."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from hunter.cli.main import Exit
from hunter.core.corpus import StudyRow, survey_from
from hunter.knowledge.load import build_knowledge, shipped_texts

if TYPE_CHECKING:
    from tests.cli.conftest import Hunter

AUTODISCOVER = "autodiscover: autodiscover CNAME → autodiscover.outlook.com"
SPF = "v=spf1 include:spf.protection.outlook.com -all"


def corpus(surprises: int = 7) -> list[dict[str, Any]]:
    """Two hundred and forty towns, half of them behind three filters.

    Every `surprises`-th of these has its mailboxes elsewhere, whatever autodiscover says; 0: none.
    """
    filters = ("mail.seppmail.cloud", "in.tmes.trendmicro.eu", "hydra.sophos.com")
    hidden = [
        {"domain": f"dorf{n}.at", "mx": [f"dorf{n}.{filters[n % 3]}"], "spf": SPF, "provider": "domestic" if surprises and n % surprises == 0 else "microsoft", "signals": [AUTODISCOVER]}
        for n in range(120)
    ]  # fmt: skip
    others = [
        {"domain": f"stadt{n}.at", "mx": [f"mail.stadt{n}.at"], "spf": "v=spf1 mx -all", "provider": "domestic"}
        for n in range(120)
    ]  # fmt: skip
    return [*hidden, *others]


async def test_it_prints_what_was_held_out_and_writes_a_file_that_loads(
    hunter: Hunter, tmp_path: Path
) -> None:
    path, out = tmp_path / "rows.json.gz", tmp_path / "calibration.yaml"
    rows = [*corpus(), {"domain": "no dots", "provider": "microsoft"}, 7]
    path.write_bytes(gzip.compress(json.dumps(rows).encode()))
    words = ("rules", "fit", str(path), "--date", "2026-11-24", "--licence", "MIT")

    ended = await hunter(*words, "--out", str(out))

    assert ended.code == Exit.OK, ended.out + ended.err
    for said in ("240 rows read, 2 refused", "row 241: ", "brier", "log_loss", "ece", "precision_top", "95 % of bootstraps", "positives a tenth", "bin ", "calibrated on 240 labels", "accepted: version 2026.11-"):  # fmt: skip
        assert said in ended.out
    found = build_knowledge(shipped_texts() | {"calibration": out.read_text()})
    assert found.calibration.licence == "MIT"
    assert found.calibration.basis("at") == "calibrated on 240 labels of market at"
    again = await hunter(*words, "--out", str(tmp_path / "twice.yaml"))
    assert (tmp_path / "twice.yaml").read_text() == out.read_text()
    assert again.out.replace("twice", "calibration") == ended.out


async def test_a_users_labels_with_stored_observations_are_a_corpus_too(
    hunter: Hunter, tmp_path: Path
) -> None:
    rows = [msgspec.convert(row, StudyRow) for row in corpus()]
    labels = tmp_path / "labels.csv"
    labels.write_text("domain,label\n" + "".join(f"{row.domain},{row.provider}\n" for row in rows))
    surveys = tmp_path / "surveys.ndjson"
    surveys.write_bytes(b"\n".join(msgspec.json.encode(survey_from(row)) for row in rows))

    ended = await hunter("rules", "fit", str(labels), "--observations", str(surveys))

    assert ended.code == Exit.OK, ended.out + ended.err
    assert "240 rows read, 0 refused" in ended.out


async def test_a_fit_that_loses_is_refused_and_nothing_is_written(
    hunter: Hunter, tmp_path: Path
) -> None:
    path, out = tmp_path / "rows.json", tmp_path / "calibration.yaml"
    path.write_text(json.dumps(corpus(surprises=0)))

    ended = await hunter("rules", "fit", str(path), "--out", str(out))

    assert ended.code == Exit.FAILED
    assert "refused: hold-out log loss rises from 0.0" in ended.out
    assert not out.exists()


async def test_a_file_that_is_no_corpus_is_told_in_one_line(hunter: Hunter, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    packed = gzip.compress(b"domain,label\n" + b"firma.at,other\n" * 500)
    for content, said in (
        (b"name;x\n", "neither JSON nor a CSV"),
        (packed[:-20], "ends in the middle of its gzip data"),
        (packed[:12] + b"\xff" * 40, "no sound gzip file"),
        (b"domain,label\n\xff\xfe", "is not UTF-8 at byte 13"),
        (b"[]", "a fit needs 20 of each"),
    ):
        path.write_bytes(content)
        ended = await hunter("rules", "fit", str(path))
        assert ended.code == Exit.USAGE
        assert said in ended.err
        assert ended.err.count("\n") == 1
    ended = await hunter("rules", "fit", str(tmp_path / "none.json"))
    assert "cannot be read: No such file or directory" in ended.err


async def test_only_the_rows_of_one_market_can_be_asked_for(hunter: Hunter, tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    path.write_text(json.dumps(corpus()))
    ended = await hunter("rules", "fit", str(path), "--market", "tr")
    assert (ended.code, ended.err) == (
        Exit.USAGE,
        "hunter: The corpus has no domain of market tr.\n",
    )


async def test_the_model_in_force_can_be_scored_on_rows_it_has_not_seen(
    hunter: Hunter, tmp_path: Path
) -> None:
    path = tmp_path / "rows.json"
    path.write_text(json.dumps(corpus(surprises=0)))

    ended = await hunter("rules", "fit", str(path), "--score")

    assert ended.code == Exit.OK, ended.err
    assert "on 240 domains, 120 labelled microsoft365" in ended.out
    assert "precision 1.000, recall 1.000, false among the others 0.000" in ended.out
    assert "fitted" not in ended.out


async def test_scoring_on_the_rows_of_the_fit_is_refused(hunter: Hunter, tmp_path: Path) -> None:
    path, own = tmp_path / "rows.json", tmp_path / "rules"
    path.write_text(json.dumps(corpus()))
    own.mkdir()
    await hunter("rules", "fit", str(path), "--out", str(own / "calibration.yaml"))

    ended = await hunter("rules", "fit", str(path), "--score", HUNTER_RULES_DIR=str(own))

    assert ended.code == Exit.USAGE
    assert "was fitted on these very rows" in ended.err
