"""Hunter's API under load, with a million leads in the table, beside what most would build instead.

`make bench-api` (`ARGS=--quick`: fewer leads and shorter runs, under three minutes). The server has
one core to itself, the generator (bench/generator.py, which says why it is our own), PostgreSQL and
Valkey share the other: what is measured is what one core of API does, and near the peak the
database takes its part from the generator's core for both servers alike. No worker runs.

*Closed loop* rows (requests/s) have 32 connections that ask again at once. *Unloaded* rows (p50,
p99) are an open loop at a tenth of that. *Overload* sends twice the peak of single leads for some
seconds; an answer of 2xx within a second is good. *Idle* opens connections that have each had one
answer and then say nothing, and sends 500 requests a second through others. The peer is
bench/api_peer.py over the same tables. The table says what is wanted beside each figure; the exit
status is 1 when a wanted figure is missed, except with --quick.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import uvloop
from api_rows import Figure, Subject, measure_bulk, measure_compared, measure_hunter, measure_idle
from api_seed import deep_cursor, sample, seed
from api_servers import generator_core, hunter, peer
from harness import Row, write_results

from hunter.config import Config
from hunter.local.servers import embedded
from hunter.store.migrate import migrate_up

#: ratio to the peer that is wanted on every route both have
_WANTED_RATIO = 3.0


async def main(options: argparse.Namespace) -> int:
    """All rows; the exit status."""
    os.sched_setaffinity(0, {generator_core()})
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="hunter-bench-") as folder:
        Path(folder).chmod(0o755)
        nothing = Config(data_dir=Path(folder))
        async with embedded(nothing, lambda _line: None, throwaway=False) as config:
            await asyncio.to_thread(migrate_up, str(config.database_url))
            print(f"seeding {options.leads:,} leads", flush=True)
            await seed(str(config.database_url), options.leads)
            figures = await measured(config, options)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    rows = [Row(each.row, each.metric, each.value, each.unit) for each in figures]
    print(f"written: {write_results('api', rows)}")
    missed = [each for each in figures if each.is_missed]
    for each in missed:
        print(
            f"missed: {each.row}, {each.metric}: {each.value:,g} {each.unit}, wanted {each.wanted}"
        )
    return 1 if missed and not options.quick else 0


async def measured(config: Config, options: argparse.Namespace) -> list[Figure]:
    """Every figure, printed as it is known."""
    figures: list[Figure] = []

    def keep(found: Iterable[Figure]) -> None:
        for each in found:
            print(each, flush=True)
            figures.append(each)

    names = await sample(str(config.database_url), 2000)
    ours: dict[str, float] = {}
    async with hunter(config) as server:
        cursor = await deep_cursor(server.url, server.http, options.leads // 2)
        subject = Subject(server, names, cursor, options.seconds)
        found, ours = await measure_compared(subject, "Hunter")
        keep(found)
        keep(await measure_hunter(subject, peak=ours["single lead"]))
    async with hunter(config) as server:  # memory of its own
        keep(await measure_idle(Subject(server, names, "", options.seconds), options.idle))
    async with hunter(config) as server:
        keep(await measure_bulk(server, small=options.bulk // 10, large=options.bulk))
    if not options.no_peer:
        async with peer(config) as server:
            subject = Subject(server, names, "", options.seconds)
            found, theirs = await measure_compared(subject, "peer")
            keep(found)
        keep(
            Figure(row, "times the peer", round(rate / theirs[row], 2), "x", at_least=_WANTED_RATIO)
            for row, rate in ours.items()
        )
    return figures


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="20,000 leads, short runs")
    parser.add_argument("--leads", type=int, help="leads in the table, 1,000,000 without")
    parser.add_argument("--seconds", type=float, help="of each run under load")
    parser.add_argument("--bulk", type=int, help="names of the large bulk and rows of the file")
    parser.add_argument("--idle", type=int, help="idle connections")
    parser.add_argument("--no-peer", action="store_true")
    chosen = parser.parse_args()
    for name, quick, whole in (
        ("leads", 20_000, 1_000_000),
        ("seconds", 2.0, 10.0),
        ("bulk", 20_000, 1_000_000),
        ("idle", 1_000, 10_000),
    ):
        if getattr(chosen, name) is None:
            setattr(chosen, name, quick if chosen.quick else whole)
    sys.exit(uvloop.run(main(chosen)))
