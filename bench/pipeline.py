"""Bulk accepted to all results committed, with every process of Hunter on this machine.

`python bench/pipeline.py [--sizes 1000,10000,20000] [--depth quick]` prints one line a size:
seconds to accept, domains a second from the request to the last result, unknowns, memory.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from pathlib import Path

from harness import Row, Running, running_hunter, write_results

from hunter.local.zones import generate, zone_text


async def measure(hunter: Running, names: list[str], depth: str) -> list[Row]:
    """One bulk of `names`, from the first byte sent to the last result committed."""
    row = f"{len(names):,} names, {depth}"
    begin = time.perf_counter()
    async with hunter.http.post(
        f"{hunter.url}/api/v1/scan/bulk",
        params={"depth": depth},
        data="\n".join(names).encode(),
        headers={"Content-Type": "text/plain"},
    ) as answer:
        if answer.status != 202:
            raise RuntimeError(await answer.text())
        job = await answer.json()
    accepted_s = time.perf_counter() - begin
    progress = await hunter.finished(job["job_id"], timeout_s=3600)
    total_s = time.perf_counter() - begin
    if progress["processed"] != len(names):
        raise RuntimeError(f"{len(names)} names went in, {progress['processed']} results came out")
    return [
        Row(row, "accept", round(accepted_s, 3), "s"),
        Row(row, "accept_to_last_result", round(total_s, 3), "s"),
        Row(row, "throughput", round(len(names) / total_s, 1), "domains/s"),
        Row(row, "unknown", progress["unknown"], "domains"),
        Row(row, "failed", progress["failed"], "domains"),
        *[Row(row, f"memory_{k}", round(v, 1), "MiB") for k, v in sorted(hunter.memory().items())],
    ]


async def run(sizes: list[int], depth: str, settings: dict[str, str]) -> None:
    """Every size against the same zones; a fresh Hunter for each, so that leads are new."""
    companies = list(generate(max(sizes)))
    figures: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        zone = Path(folder) / "bench.zone"
        zone.write_text(zone_text(companies))
        for size in sizes:
            async with running_hunter(zone, HUNTER_ALLOW_TEST_NAMES="true", **settings) as hunter:
                rows = await measure(hunter, [c.domain for c in companies[:size]], depth)
            for row in rows:
                print(f"{row.row:24} {row.metric:24} {row.value:>12} {row.unit}", flush=True)
            figures += rows
    print(f"written: {write_results('pipeline', figures)}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="1000,10000,20000")
    parser.add_argument("--depth", default="quick", choices=["quick", "full"])
    parser.add_argument("--set", action="append", default=[], metavar="HUNTER_NAME=VALUE")
    options = parser.parse_args()
    chosen = dict(pair.split("=", 1) for pair in options.set)
    asyncio.run(run([int(size) for size in options.sizes.split(",")], options.depth, chosen))
