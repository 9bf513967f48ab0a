"""A bounded load on a running API, of reads and single scans, which it has to stand.

`make load URL=https://hunter.example.com ARGS='--rate 100 --seconds 30'` (a key in
HUNTER_ADMIN_KEY) sends requests when they are due, however slow the answers are. It prints answers a
second, p50, p95, p99 and the share of errors, and ends with 1 when more than 1 % were errors or the
p95 is over 500 ms. Of twenty requests twelve read a lead, five a page of leads, two the front page,
and one scans a domain again that is a lead already (or example.com, where there is none).
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import sys
import urllib.request
from collections.abc import Iterator
from urllib.parse import urlsplit

from generator import Outcome, mixed, open_loop, request

_API = "/api/v1"
_RESERVED = ["example.com", "example.net", "example.org"]
_SAMPLE = 200


def names_at(url: str, headers: dict[str, str]) -> list[str]:
    """Domains of leads the API has; the first to call."""
    asked = urllib.request.Request(
        f"{url}{_API}/leads?limit={_SAMPLE}&fields=domain", headers=headers
    )
    with urllib.request.urlopen(asked, timeout=30) as answer:
        return [item["domain"] for item in json.load(answer)["items"]]


def requests_for(
    url: str, names: list[str], headers: dict[str, str], *, scans: bool
) -> Iterator[bytes]:
    """The mix of requests, without end."""
    host = urlsplit(url).netloc

    def get(path: str) -> bytes:
        return request(host, path, headers=headers)

    def scan(name: str) -> bytes:
        body = json.dumps({"domain": name}).encode()
        return request(host, f"{_API}/scan/domain", body=body, headers=headers)

    kinds = [
        (12, itertools.cycle([get(f"{_API}/leads/{name}") for name in names] or [get("/")])),
        (5, itertools.cycle([get(f"{_API}/leads?limit=50"), get(f"{_API}/leads?q=com&limit=20")])),
        (2, itertools.cycle([get("/")])),
    ]
    if scans:
        kinds.append((1, itertools.cycle([scan(name) for name in names or _RESERVED])))
    return mixed(*kinds)


def report(outcome: Outcome, *, error_max: float, p95_max_ms: float) -> bool:
    """Print what came of it; whether it was good enough."""
    p95_ms = outcome.percentile_ms(0.95)
    print(f"answers      {outcome.answered:,} in {outcome.elapsed_s:.1f} s, {outcome.rate:,.0f}/s")
    for share in (0.50, 0.95, 0.99):
        print(f"p{share * 100:.0f}          {outcome.percentile_ms(share):,.1f} ms")
    counted = ", ".join(f"{status}: {n:,}" for status, n in sorted(outcome.statuses.items()))
    print(f"statuses     {counted or 'none'}; without an answer: {outcome.broken:,}")
    print(f"error rate   {outcome.error_share:.2%} (fails from {error_max:.0%})")
    is_good = outcome.error_share < error_max and p95_ms < p95_max_ms
    print(
        "passed" if is_good else f"FAILED: wanted < {error_max:.0%} errors, p95 < {p95_max_ms:g} ms"
    )
    return is_good


async def main(options: argparse.Namespace) -> int:
    """The load, and the exit status it deserves."""
    url = options.url.rstrip("/")
    key = os.environ.get("HUNTER_ADMIN_KEY", "")
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        names = await asyncio.to_thread(names_at, url, headers)
        outcome = await open_loop(
            url,
            requests_for(url, names, headers, scans=not options.no_scans),
            rate=options.rate,
            seconds=options.seconds,
            connections=options.connections,
        )
    except OSError as error:
        print(f"load: {url} cannot be asked: {error}", file=sys.stderr)
        return 2
    return 0 if report(outcome, error_max=0.01, p95_max_ms=options.p95_ms) else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("url")
    parser.add_argument("--rate", type=float, default=100, help="requests a second")
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--connections", type=int, default=50)
    parser.add_argument("--p95-ms", type=float, default=500)
    parser.add_argument("--no-scans", action="store_true", help="read only")
    sys.exit(asyncio.run(main(parser.parse_args())))
