"""Make, list, rotate and revoke the keys of callers, straight in the database."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from rich.console import Console
from rich.table import Table

from hunter.cli.main import Exit
from hunter.cli.terminal import harmless
from hunter.config import Config
from hunter.core.errors import Misconfigured
from hunter.core.scopes import Scope
from hunter.pipeline import keys
from hunter.store import api_keys
from hunter.store.api_keys import ApiKey, Wanted
from hunter.store.audit import ACTOR, Actor
from hunter.store.database import Database, open_database

_NEEDS_PEPPER = {"create", "rotate"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """create, list, rotate, revoke."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    new = actions.add_parser("create", help="make a key; its text is shown once, on stdout")
    new.add_argument("name", type=_name, help="who uses it, and what for")
    new.add_argument(
        "--scope",
        dest="scopes",
        action="append",
        required=True,
        choices=[scope.value for scope in Scope],
        help="what it may do; give it once for each",
    )
    new.add_argument("--rate", type=_whole, metavar="N", help="requests a minute")
    new.add_argument("--burst", type=_whole, metavar="N", help="requests at once")
    new.add_argument("--quota", type=_whole, metavar="N", help="domains a day (UTC)")
    new.add_argument("--days", type=_whole, metavar="N", help="it expires after so many days")
    actions.add_parser("list", help="all keys, newest first; never their secrets")
    turn = actions.add_parser("rotate", help="another secret for a key, shown once, on stdout")
    turn.add_argument("id", help="id of the key, as `hunter keys list` shows it")
    turn.add_argument(
        "--grace",
        type=_hours,
        default=24.0,
        metavar="HOURS",
        help="the secret before still counts for so long (default: 24)",
    )
    end = actions.add_parser("revoke", help="end a key; every process refuses it within 30 s")
    end.add_argument("id", help="id of the key")


def _name(text: str) -> str:
    if not 1 <= len(text) <= 100 or not text.isprintable():
        raise argparse.ArgumentTypeError("a name has 1 to 100 printable characters")
    return text


def _whole(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 1_000_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 1000000")
    return int(text)


def _hours(text: str) -> float:
    try:
        hours = float(text)
    except ValueError:
        hours = -1
    if not 0 <= hours <= 720:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of hours from 0 to 720")
    return hours


def run(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Do it on the database of HUNTER_DATABASE_URL."""
    config = Config.from_env(environ)
    needed = ["database_url"]
    if arguments.action in _NEEDS_PEPPER:
        needed.append("key_pepper")
    missing = [
        f"HUNTER_{n.upper()}: `hunter keys` needs it" for n in needed if not getattr(config, n)
    ]
    if missing:
        raise Misconfigured("\n".join(missing))
    ACTOR.set(Actor("cli"))
    asyncio.run(_act(config, arguments))
    return Exit.OK


async def _act(config: Config, arguments: argparse.Namespace) -> None:
    pepper = str(config.key_pepper)
    async with open_database(config) as db:
        match arguments.action:
            case "create":
                made = await keys.create(db, pepper, _wanted(arguments), created_by="cli")
                print(made.text)
            case "rotate":
                grace_s = arguments.grace * 3600
                print((await keys.rotate(db, pepper, arguments.id, grace_s=grace_s)).text)
            case "revoke":
                key = await keys.revoke(db, arguments.id)
                print(f"revoked  {key.id}  {harmless(key.name)}")
            case _:
                console = Console(highlight=False, markup=False)
                if not console.is_terminal:
                    console.width = 200
                console.print(_table(await _all(db)))


def _wanted(arguments: argparse.Namespace) -> Wanted:
    days = arguments.days
    return Wanted(
        name=arguments.name,
        scopes=[Scope(each) for each in arguments.scopes],
        rate_per_minute=arguments.rate,
        burst=arguments.burst,
        domains_per_day=arguments.quota,
        expires_at=datetime.now(UTC) + timedelta(days=days) if days else None,
    )


async def _all(db: Database) -> list[ApiKey]:
    found: list[ApiKey] = []
    cursor: str | None = None
    while True:
        async with db.acquire() as conn:
            page = await api_keys.list_keys(conn, cursor)
        found += page.items
        cursor = page.next_cursor
        if cursor is None:
            return found


def _table(found: Sequence[ApiKey]) -> Table:
    """One line a key."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("id", "name", "scopes", "a minute", "a day", "used today", "last used", "state"):
        table.add_column(name, overflow="fold")
    now = datetime.now(UTC)
    for key in found:
        table.add_row(
            key.id,
            harmless(key.name),
            " ".join(key.scopes),
            str(key.rate_per_minute or ""),
            "" if key.domains_per_day is None else str(key.domains_per_day),
            str(key.domains_used or ""),
            f"{key.last_used_at:%Y-%m-%d %H:%M}" if key.last_used_at else "",
            _state(key, now),
        )
    return table


def _state(key: ApiKey, now: datetime) -> str:
    if key.revoked_at is not None:
        return "revoked"
    if key.expires_at is not None and key.expires_at <= now:
        return "expired"
    if key.expires_at is not None:
        return f"until {key.expires_at:%Y-%m-%d}"
    return "good"
