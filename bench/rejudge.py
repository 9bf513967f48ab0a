"""What judging stored observations anew costs a worker, stage by stage, without a question to DNS.

`python bench/rejudge.py [--companies 10000]`: invented companies are surveyed once at quick depth and
stored; then the rules change and one worker judges all of them anew, as in a cluster, against a
PostgreSQL of its own. *Same*: other rules that come to the same judgement, of which only the
version is written. *Changed*: leads with more than 20 points for their placement lose the rest; they
are judged by the earlier rules too, to tell what the rules did, and written anew with the effect.

Domains a second are per core of the worker: leads by its processor time, reading, waiting for
PostgreSQL's answers and writing included; PostgreSQL's own time is not.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import gc
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
import uvloop
from harness import Row, write_results
from judge import surveys

from hunter.config import Config
from hunter.core.answers import Depth, Survey
from hunter.core.decay import decays
from hunter.core.judge import judge
from hunter.core.judgement import Judgement
from hunter.knowledge.load import load_knowledge, shipped_texts
from hunter.local.servers import embedded
from hunter.ops.metrics import Metrics
from hunter.ops.stages import StageClock
from hunter.pipeline.rejudge import Rejudger
from hunter.pipeline.reload import Reloader
from hunter.pipeline.verdicts import verdict_on
from hunter.store import judged, rejudge
from hunter.store.database import Connection, Database, open_database
from hunter.store.judged import NOTHING
from hunter.store.migrate import migrate_up
from hunter.store.rejudge import Stored

#: (what it is called, what is written in place of what in rules.yaml)
_CASES: Final = (
    ("same", "{id: spare_group_of_nobody, cap: 1, pick: sum}"),
    ("changed", "cap: 20, pick: best"),
)
_AT_ONCE: Final = 500
_ROUNDS: Final = 3


async def store(db: Database, found: list[Survey]) -> None:
    """Leads as scans leave them."""
    now = dt.datetime.now(dt.UTC)
    rules, clock = load_knowledge().rules, StageClock(Metrics())
    for start in range(0, len(found), _AT_ONCE):
        batch = sorted(found[start : start + _AT_ONCE], key=lambda each: each.domain)
        verdicts = [verdict_on(now, each, NOTHING, rules, clock) for each in batch]
        names = [each.domain for each in batch]

        async def work(conn: Connection) -> None:
            await judged.observe(conn, now, [v.observed for v in verdicts if v.observed])  # noqa: B023  # run in this round
            await judged.insert(conn, now, [v.lead for v in verdicts if v.lead], names, names)  # noqa: B023

        await db.transact(work, deadline_s=30)


async def rejudged(db: Database, folder: Path) -> tuple[float, dict[str, float], rejudge.Run]:
    """One worker brings every lead to the rules in `folder`: its processor seconds, by stage, the run."""
    rules = Reloader(Config(rules_dir=str(folder)), Metrics())
    worker = Rejudger(db, rules, Metrics(), is_busy=lambda: False, every_s=1, alive_s=30)
    # as in a worker: no collection walks over rules and tables
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    begin = time.process_time()
    while await worker.round():
        pass
    spent = time.process_time() - begin
    async with db.acquire() as conn:
        run = (await rejudge.latest(conn, 1))[0]
    return spent, dict(worker.seconds), run


async def alone(db: Database) -> list[Row]:
    """What judging is made of, each part by itself over all leads, the best of several rounds."""
    knowledge, today = load_knowledge(), dt.datetime.now(dt.UTC).date()
    async with db.acquire() as conn:
        rows = await rejudge.peek(conn, "", "", rejudge.END, 1_000_000)
    leads = [rejudge.stored(row) for row in rows]

    def judged_of(lead: Stored) -> Judgement:
        standing = lead.standing
        assert standing.previous
        return judge(
            standing.previous,
            standing.history,
            knowledge.rules,
            today,
            known_fingerprint=standing.fingerprint,
        )

    found = [judged_of(each) for each in leads]

    def encode(judgement: Judgement) -> int:
        encoded = msgspec.json.encode(judgement)
        decays(judgement, knowledge.rules, today)
        return judged.judgement_digest(encoded, judgement.rules_version)

    return [
        Row("alone", "decode a stored observation", best_us(rejudge.stored, rows), "us"),
        Row("alone", "judge()", best_us(judged_of, leads), "us"),
        Row("alone", "encode and digest", best_us(encode, found), "us"),
    ]


def best_us(work: Callable[[Any], object], given: Sequence[Any]) -> float:
    """The least processor time of several rounds over all of them, in microseconds each."""
    times = []
    for _ in range(_ROUNDS):
        begin = time.process_time()
        for each in given:
            work(each)
        times.append(time.process_time() - begin)
    return round(1e6 * min(times) / len(given), 1)


def write_rules(folder: Path, case: str, text: str) -> None:
    """The shipped policy with one difference."""
    shipped = shipped_texts()["rules"]
    if case == "same":
        changed = shipped.replace("groups:\n", f"groups:\n- {text}\n", 1)
    else:
        changed = shipped.replace("cap: 34, pick: best", text, 1)
    (folder / "rules.yaml").write_text(changed)


async def main(count: int) -> None:
    """Both cases; the figures are kept in bench/results/rejudge.json."""
    found = await surveys(count, Depth.QUICK, load_knowledge())
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="hunter-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        settings = Config(data_dir=folder / "servers")
        async with embedded(settings, lambda _line: None, throwaway=True) as config:
            await asyncio.to_thread(migrate_up, str(config.database_url))
            async with open_database(config) as db:
                await rejudged(db, folder_of(folder, "first"))
                await store(db, found)
                rows += await alone(db)
                for case, text in _CASES:
                    write_rules(folder_of(folder, case), case, text)
                    rows += told(case, *await rejudged(db, folder / case))
    for row in rows:
        print(f"{row.row:10} {row.metric:34} {row.value:>10,} {row.unit}")
    print(f"written: {write_results('rejudge', rows)}")


def folder_of(folder: Path, name: str) -> Path:
    """An empty folder for rules."""
    (folder / name).mkdir()
    return folder / name


def told(case: str, spent: float, by_stage: dict[str, float], run: rejudge.Run) -> list[Row]:
    """The figures of one case."""
    leads = run.rejudged
    # on a sample of at most 10,000, once a run: a large list does not notice it
    measuring = by_stage.pop("rejudge_measure")
    spent -= measuring
    rows = [
        Row(case, "leads judged anew", leads, "leads"),
        Row(case, "leads written anew", run.changed, "leads"),
        Row(case, "domains per core", round(leads / spent), "per second"),
    ]
    rows += [Row(case, name, round(1e6 * each / leads, 1), "us") for name, each in by_stage.items()]
    # decoding and encoding are parts of rejudge_judge
    rest = spent - sum(by_stage.values())
    rows.append(Row(case, "the rest: rules loaded, event loop", round(1e6 * rest / leads, 1), "us"))
    measured = round(1e6 * measuring / run.measured, 1) if run.measured else 0.0
    return [*rows, Row(case, "measuring, each lead of the sample", measured, "us")]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--companies", type=int, default=10_000)
    uvloop.run(main(parser.parse_args().companies))
