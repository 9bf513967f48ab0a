"""Let a re-judging go on that was held because too many providers would change."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable, Mapping

from hunter.cli.main import Exit
from hunter.config import Config
from hunter.core.errors import Misconfigured
from hunter.store import rejudge
from hunter.store.database import open_database
from hunter.store.rejudge import Run


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Whether to ask."""
    parser.add_argument("--yes", action="store_true", help="do not ask")


def run(
    arguments: argparse.Namespace,
    environ: Mapping[str, str],
    ask: Callable[[str], str] = input,
) -> int:
    """Show the held run, ask, and confirm it; exit code 1 when it was left held."""
    config = Config.from_env(environ)
    if not config.database_url:
        raise Misconfigured("HUNTER_DATABASE_URL: `hunter rules apply` needs it")
    return asyncio.run(_apply(config, ask, is_sure=arguments.yes))


async def _apply(config: Config, ask: Callable[[str], str], *, is_sure: bool) -> int:
    async with open_database(config) as db:
        async with db.acquire() as conn:
            held = await rejudge.held(conn)
        if held is None:
            print("nothing is held")
            return Exit.OK
        print(_told(held))
        if not is_sure and not _agrees(ask):
            print("left held; put the earlier files back to end it")
            return Exit.FAILED
        async with db.acquire() as conn:
            await rejudge.confirm(conn, held.id)
    print("confirmed; workers with these rules go on with it")
    return Exit.OK


def _told(held: Run) -> str:
    share = held.would_change / held.measured if held.measured else 0.0
    return (
        f"rules {held.rules_version}, held since {held.created_at:%Y-%m-%d %H:%M} UTC: "
        f"{held.would_change} of {held.measured} providers looked at would change ({share:.1%})"
    )


def _agrees(ask: Callable[[str], str]) -> bool:
    if ask is input and not sys.stdin.isatty():
        print("nobody to ask here: add --yes", file=sys.stderr)
        return False
    return ask("judge all leads by these rules? [y/N] ").strip().lower() in {"y", "yes"}
