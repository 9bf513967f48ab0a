"""Scans that a running Hunter makes by itself: how they stand, paused, resumed, or let go on."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Mapping

from hunter.cli.api import Api
from hunter.cli.main import Exit
from hunter.config import Config
from hunter.store.schedule import State


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to do, of which API."""
    parser.add_argument(
        "action",
        nargs="?",
        choices=["pause", "resume", "release"],
        help="release: confirm changes for an hour, however many there are",
    )
    parser.add_argument(
        "--url", help="the API (default: HUNTER_HOST and HUNTER_PORT on this machine)"
    )


def run(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Exit code 0 once the API has answered."""
    config = Config.from_env(environ)
    url = arguments.url or f"http://{config.host}:{config.port}"
    asyncio.run(_show(url, str(config.admin_key), arguments.action))
    return Exit.OK


async def _show(url: str, key: str, action: str | None) -> None:
    async with Api(url, key) as api:
        state = await api.schedule(action)
    for line in _lines(state):
        print(line)


def _lines(state: State) -> list[str]:
    counts = (
        f"{state.due:,} leads due, {state.open_chunks:,} chunks open, "
        f"{state.pending:,} leads wait for a second look"
    )
    is_on = f"paused since {state.paused_at:%Y-%m-%d %H:%M}" if state.paused_at else "on"
    lines = [is_on, counts]
    if state.held_at is not None:
        lines.append(
            f"no change is confirmed since {state.held_at:%Y-%m-%d %H:%M}: {state.reason}; "
            "`hunter schedule release` lets them go on"
        )
    elif state.silent_at is not None:
        lines.append(f"scans go unanswered since {state.silent_at:%Y-%m-%d %H:%M}: {state.reason}")
    if state.released_until is not None:
        lines.append(f"released until {state.released_until:%Y-%m-%d %H:%M}")
    return lines
