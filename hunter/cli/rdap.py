"""Bring the list of RDAP servers up to date: fetched, checked, and put in place only when it is fit."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Mapping
from typing import Final

from hunter.cli.main import Exit
from hunter.cli.terminal import harmless
from hunter.config import Config
from hunter.core.errors import Unavailable
from hunter.knowledge.bootstrap import replace_bootstrap
from hunter.outbound.guard import OutboundError
from hunter.outbound.http import Limits, open_outbound
from hunter.pipeline.looking import resolver_of
from hunter.resolver.opening import open_engine

#: the list of 2026 has 71 kB
_LIMITS: Final = Limits(timeout_s=30.0, body_bytes=4 * 1024 * 1024, redirects=3)
_OK: Final = 200


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to do with the list."""
    parser.add_argument(
        "action", choices=["refresh"], help="fetch it from HUNTER_RDAP_BOOTSTRAP_URL"
    )


def run(_arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Fetch the list into HUNTER_DATA_DIR; workers use it from their next start."""
    config = Config.from_env(environ)
    found = replace_bootstrap(config.data_dir, asyncio.run(_fetch(config)))
    print(
        harmless(f"{len(found.servers)} domains, published {found.publication}: {config.data_dir}")
    )
    return Exit.OK


async def _fetch(config: Config) -> bytes:
    """The list as it was sent. Raises Unavailable."""
    url = config.rdap_bootstrap_url
    try:
        async with (
            open_engine(config) as engine,
            open_outbound(config, resolver_of(engine)) as http,
        ):
            found = await http.get(url, _LIMITS, accept="application/json")
    except OutboundError as error:
        raise Unavailable(f"{url}: {error}") from None
    if found.status != _OK:
        raise Unavailable(f"{url}: HTTP {found.status}")
    return found.body
