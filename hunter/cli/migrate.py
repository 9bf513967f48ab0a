"""Bring the database schema up to date, show where it stands, or take migrations back."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from hunter.cli.main import Exit
from hunter.config import Config
from hunter.core.errors import Misconfigured
from hunter.store import migrate


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """up, status, history, rollback."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("up", help="apply what is missing")
    actions.add_parser(
        "status", help="what is applied and what is missing; exit code 1 when behind"
    )
    actions.add_parser("history", help="when each migration was applied")
    back = actions.add_parser("rollback", help="take the last migrations back; their data is lost")
    back.add_argument(
        "-n", dest="count", type=_count, default=1, metavar="N", help="how many (default: 1)"
    )


def _count(text: str) -> int:
    if not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of migrations")
    return int(text)


def run(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Do it on the database of HUNTER_DATABASE_URL."""
    url = str(Config.from_env(environ).database_url)
    if not url:
        raise Misconfigured(
            "HUNTER_DATABASE_URL: `hunter migrate` needs it; `hunter up` migrates its own database"
        )
    match arguments.action:
        case "up":
            _tell("applied", migrate.migrate_up(url), otherwise="the schema is up to date")
        case "rollback":
            done = migrate.rollback(url, arguments.count)
            _tell("taken back", done, otherwise="nothing to take back")
        case "history":
            for applied in migrate.history(url):
                print(f"{applied.at:%Y-%m-%d %H:%M:%S} UTC  {applied.id}")
        case _:
            return _status(migrate.status(url))
    return Exit.OK


def _tell(what: str, names: list[str], *, otherwise: str) -> None:
    for name in names:
        print(f"{what}  {name}")
    if not names:
        print(otherwise)


def _status(status: migrate.Status) -> int:
    for word in ("applied", "pending", "newer", "changed"):
        for name in getattr(status, word):
            print(f"{word:<8} {name}")
    if status.is_current:
        return Exit.OK
    print("the schema is not what this build needs: run `hunter migrate up`")
    return Exit.FAILED
