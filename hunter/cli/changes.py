"""What became different about all leads of a running API, newest first."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Mapping
from typing import get_args

from hunter.cli.api import Api
from hunter.cli.main import Exit
from hunter.cli.terminal import harmless
from hunter.config import Config
from hunter.core.advice import Language
from hunter.core.judgement import Segment
from hunter.web.requests import ChangeKind

_FILTERS = ("kind", "segment", "since")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which changes, in which language, of which API."""
    parser.add_argument("--kind", choices=get_args(ChangeKind), help="of this kind only")
    parser.add_argument("--segment", choices=[each.value for each in Segment])
    parser.add_argument("--since", metavar="MOMENT", help="as in 2026-01-31T08:00:00Z")
    parser.add_argument(
        "--lang", choices=[each.value for each in Language], default="en", help="of the sentences"
    )
    parser.add_argument("--top", type=int, default=50, metavar="N", help="how many (default: 50)")
    parser.add_argument(
        "--url", help="the API (default: HUNTER_HOST and HUNTER_PORT on this machine)"
    )


def run(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Exit code 0 once the API has answered."""
    config = Config.from_env(environ)
    url = arguments.url or f"http://{config.host}:{config.port}"
    wanted = {name: getattr(arguments, name) for name in _FILTERS}
    wanted = {name: value for name, value in wanted.items() if value is not None}
    asyncio.run(_show(url, str(config.admin_key), wanted, arguments))
    return Exit.OK


async def _show(url: str, key: str, wanted: dict[str, str], arguments: argparse.Namespace) -> None:
    async with Api(url, key) as api:
        changes = await api.changes(arguments.top, lang=arguments.lang, **wanted)
    if not changes:
        print("no changes")
    for each in changes:
        print(f"{each.at:%Y-%m-%d %H:%M}  {harmless(each.domain)}  {harmless(each.text)}")
