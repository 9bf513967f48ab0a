"""What a company's records were over time, and what became different when: of a lead of a running API."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Mapping

from hunter.cli.api import Api
from hunter.cli.main import Exit
from hunter.cli.terminal import harmless
from hunter.config import Config
from hunter.core.advice import Language


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which lead, in which language, of which API."""
    parser.add_argument("domain", metavar="DOMAIN", help="the lead's domain")
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
    asyncio.run(_show(url, str(config.admin_key), arguments))
    return Exit.OK


async def _show(url: str, key: str, arguments: argparse.Namespace) -> None:
    async with Api(url, key) as api:
        seen = await api.history(arguments.domain, arguments.top)
        found = await api.lead_changes(arguments.domain, arguments.top, arguments.lang)
    for change in found.items:
        print(f"{change.at:%Y-%m-%d %H:%M}  {harmless(change.text)}")
    for pending in found.pending:
        records = ", ".join(pending.records) or pending.outcome
        print(f"waits for a second look: {harmless(pending.question)}: {harmless(records)}")
    if not found.items and not found.pending:
        print("nothing became different since the first scan")
    for each in seen:
        print(
            f"{each.observed_from:%Y-%m-%d} to {each.observed_to:%Y-%m-%d}  "
            f"score {each.score}  records {each.fingerprint[:8]}"
        )
