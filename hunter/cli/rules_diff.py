"""Say what other rules would change: stored observations are judged under both, nobody is asked, nothing is written."""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec

from hunter.cli.main import Exit
from hunter.cli.terminal import harmless, harmless_json
from hunter.config import Config
from hunter.core.errors import Misconfigured
from hunter.knowledge.load import load_own, load_with
from hunter.pipeline.rejudge import HOLD_ABOVE
from hunter.pipeline.whatif import Comparison, Effect, compare
from hunter.store.database import open_database

_SHOWN_MOVES = 12


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The other rules, how many leads, what comes out."""
    parser.add_argument(
        "new",
        metavar="DIR|FILE",
        help="a folder in place of HUNTER_RULES_DIR, or one file on top of it",
    )
    parser.add_argument(
        "--limit", type=_above_zero, metavar="N", help="look at the first N leads by name only"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object")


def _above_zero(text: str) -> int:
    if not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def run(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Compare the rules of HUNTER_RULES_DIR with the other ones on the database's leads."""
    config = Config.from_env(environ)
    after = load_with(config.rules_dir, Path(arguments.new))
    before = load_own(config.rules_dir)
    if not config.database_url:
        raise Misconfigured(
            "HUNTER_DATABASE_URL: `hunter rules diff` needs the stored observations"
        )

    async def work() -> Comparison:
        async with open_database(config) as db:
            today = dt.datetime.now(dt.UTC).date()
            return await compare(db, before, after, as_of=today, limit=arguments.limit)

    found = asyncio.run(work())
    if arguments.json:
        sys.stdout.write(harmless_json(msgspec.json.encode(found).decode()) + "\n")
    else:
        for line in told(found):
            print(harmless(line))
    return Exit.OK


def told(found: Comparison) -> list[str]:
    """The comparison in words."""
    lines = [f"from {found.before}", f"to   {found.after}"]
    lines += [f"{found.leads} leads judged under both, as of {found.as_of}"]
    for name, effect in found.fields.items():
        lines += _of_field(name, effect, found.leads)
    if found.share_of_providers > HOLD_ABOVE:
        lines.append(
            f"warning: {found.share_of_providers:.1%} of providers would change; above "
            f"{HOLD_ABOVE:.0%} re-judging is held until `hunter rules apply`"
        )
    return lines


def _of_field(name: str, effect: Effect, leads: int) -> list[str]:
    share = f" ({effect.changed / leads:.1%})" if leads else ""
    lines = [f"{name}: {effect.changed} would change{share}"]
    moves = [
        (count, before, after)
        for before, row in effect.matrix.items()
        for after, count in row.items()
    ]
    moves.sort(key=lambda move: (-move[0], move[1:]))
    lines += [f"  {count:7}  {before} → {after}" for count, before, after in moves[:_SHOWN_MOVES]]
    if len(moves) > _SHOWN_MOVES:
        lines.append(f"           and {len(moves) - _SHOWN_MOVES} more; --json has all of them")
    return lines + [
        f"           e.g. {each.domain}: {each.before} → {each.after}" for each in effect.examples
    ]
