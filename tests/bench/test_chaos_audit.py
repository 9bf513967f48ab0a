"""What the chaos run calls lost, duplicated and a stall."""

from __future__ import annotations

import random
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

sys.path.append(str(Path(__file__).parents[2] / "bench"))

from chaos import parsed
from chaos_audit import Verdict, Work, compare, repeated, stalls
from chaos_cluster import Cluster, Member, Shape
from chaos_faults import Storm
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


@pytest.mark.parametrize(
    ("before", "after", "share"),
    [
        (Work(0, 0, 0), Work(1000, 1000, 0), 0.0),
        (Work(0, 0, 0), Work(1200, 1000, 0), 0.2),
        # what is held at the end is not claimed in vain, what was held at first is not claimed anew
        (Work(0, 0, 0), Work(1400, 1000, 400), 0.0),
        (Work(400, 0, 400), Work(1000, 1000, 0), 0.0),
        (Work(400, 0, 400), Work(1400, 1000, 0), 0.4),
    ],
)
def test_repeated_is_what_was_claimed_in_vain_of_what_was_done(
    before: Work, after: Work, share: float
) -> None:
    assert repeated(before, after) == share


def test_a_storm_in_which_nothing_was_done_has_no_share_of_it() -> None:
    assert repeated(Work(0, 0, 0), Work(400, 0, 400)) is None


def test_crash_points_that_were_hit_wait_for_those_that_were_not() -> None:
    worker = Member("one", (), {}, Path())
    cluster = cast("Cluster", SimpleNamespace(workers=[worker], apis=[]))
    storm = Storm(cluster, random.Random(1), (), 1, lambda _: None, points=["a.b", "a.c", "a.d"])
    first = [storm.next_point() for _ in range(2)]
    worker.crashed += [{"HUNTER_CRASH": "a.b:2"}, {"HUNTER_CRASH": "a.d:1"}]

    assert first == ["a.b", "a.c"]
    assert storm.hit() == {"a.b", "a.d"}
    assert [storm.next_point() for _ in range(3)] == ["a.c", "a.c", "a.c"]


def test_a_process_on_its_way_to_a_crash_point_is_spared_by_other_faults() -> None:
    members = [Member(name, (), {}, Path()) for name in ("one", "two")]
    for member in members:
        member._child = cast("Any", SimpleNamespace(pid=1, returncode=None))
    nothing = cast("Any", None)
    cluster = Cluster(Shape(), Path(), nothing, nothing, 0, "", workers=members)
    storm = Storm(cluster, random.Random(1), (), 1, lambda _: None)
    with storm.using("one"):
        picked = {found.name for _ in range(20) if (found := storm.pick(members))}
        with storm.using("two"):
            assert storm.pick(members) is None

    assert picked == {"two"}


def test_a_crash_point_is_two_faults() -> None:
    cluster = cast("Cluster", SimpleNamespace(workers=[], apis=[]))
    storm = Storm(cluster, random.Random(1), (), 1, lambda _: None)
    storm.done.update({"crash-point": 3, "worker-kill": 4})

    assert storm.happened == 10


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


@pytest.mark.parametrize(
    ("given", "domains", "lease_s"),
    [
        ([], 20_000, 5.0),
        (["--full"], 1_000_000, 20.0),
        (["--full", "--domains", "300000"], 300_000, 20.0),
    ],
)
def test_the_full_run_is_a_million_names_unless_told_otherwise(
    given: list[str], domains: int, lease_s: float
) -> None:
    options = parsed(given)

    assert (options.domains, options.lease) == (domains, lease_s)
    assert bool(options.least) is ("--full" in given)
