"""What the chaos run calls lost, duplicated and a stall."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[2] / "bench"))

from chaos import parsed
from chaos_audit import Verdict, compare, stalls
from chaos_report import Line, counted, table


def test_one_result_for_each_name_is_what_is_wanted() -> None:
    assert compare(["a", "b"], ["b", "a"], []) == (0, 0, 0)


@pytest.mark.parametrize(
    ("rows", "dead", "found"),
    [
        (["a"], [], (1, 0, 0)),
        (["a", "b", "b", "b"], [], (0, 2, 0)),
        (["a", "b", "c"], [], (0, 0, 1)),
        (["a"], ["b"], (0, 0, 0)),
        (["a", "b"], ["b"], (0, 1, 0)),
        (["a", "a"], [], (1, 1, 0)),
    ],
    ids=["lost", "twice too many", "never asked", "given up", "given up and done", "both"],
)
def test_every_other_outcome_is_counted(
    rows: list[str], dead: list[str], found: tuple[int, int, int]
) -> None:
    assert compare(["a", "b"], rows, dead) == found


def test_a_stall_is_a_gap_between_commits_while_work_was_open() -> None:
    assert stalls([(11, 10), (12, 10), (20, 10)], []) == (8, 8)


def test_a_gap_without_open_work_is_no_stall() -> None:
    assert stalls([(11, 10), (50, 49.5)], []) == (1, 1)


def test_the_time_a_server_was_away_is_taken_out_of_the_second_figure() -> None:
    assert stalls([(11, 10), (20, 10)], [(12, 18)]) == (9, 2)


def test_a_violation_of_any_kind_fails_the_run() -> None:
    names = [
        "lost", "duplicated", "never_asked", "after_cancel", "accepted_twice", "observed_twice",
        "without_lead", "wrong_counters", "incomplete_jobs",
    ]  # fmt: skip
    for name in names:
        verdict = Verdict()
        setattr(verdict, name, 3)

        assert verdict.violations == 3
        assert [line.measured for line in counted(verdict) if not line.is_met] == [3]
    assert len(counted(Verdict())) == len(names)


def test_the_table_says_what_was_missed() -> None:
    text = table([Line("lost", 0, "", 0), Line("slow", 3.5, "s", 2.0), Line("told", 7, "s")])

    assert [line.split("|")[2:5] for line in text.splitlines()[2:]] == [
        [" 0      ", " 0        ", " ok     "],
        [" ≤ 2 s  ", " 3.5 s    ", " MISSED "],
        ["        ", " 7 s      ", "        "],
    ]


def test_an_unknown_fault_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parsed(["--faults", "earthquake"])

    assert "earthquake is none of worker-kill" in capsys.readouterr().err
