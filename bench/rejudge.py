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
import tempfile
import time
from pathlib import Path
from typing import Final

import uvloop
from harness import Row, write_results
from judge import surveys

from hunter.config import Config
from hunter.core.answers import Depth, Survey
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

#: (what it is called, what is written in place of what in rules.yaml)
_CASES: Final = (
    ("same", "{id: spare_group_of_nobody, cap: 1, pick: sum}"),
    ("changed", "cap: 20, pick: best"),
)
_AT_ONCE: Final = 500


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
    begin = time.process_time()
    while await worker.round():
        pass
    spent = time.process_time() - begin
    async with db.acquire() as conn:
        run = (await rejudge.latest(conn, 1))[0]
    return spent, dict(worker.seconds), run


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
    rest = spent - sum(by_stage.values())
    rows.append(Row(case, "the rest: rules loaded, event loop", round(1e6 * rest / leads, 1), "us"))
    own = spent - by_stage["rejudge_judge"] - by_stage["rejudge_effects"]
    rows.append(Row(case, "all but judge()", round(1e6 * own / leads, 1), "us"))
    measured = round(1e6 * measuring / run.measured, 1) if run.measured else 0.0
    return [*rows, Row(case, "measuring, each lead of the sample", measured, "us")]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--companies", type=int, default=10_000)
    uvloop.run(main(parser.parse_args().companies))
