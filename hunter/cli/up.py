"""Start everything on this machine: PostgreSQL, Valkey, schema, API and worker. Ctrl-C stops; data stays."""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Mapping

from hunter.cli.main import Exit
from hunter.cli.service import until_signalled
from hunter.local.servers import Say
from hunter.local.stack import Stack, running


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No argument: settings come from the environment."""


def run(_arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Start, say what to try, wait, stop."""

    async def everything(stop: asyncio.Event) -> None:
        say = narrator()
        async with running(environ, say) as stack:
            say("everything runs")
            print(_what_next(stack), flush=True)
            await stack.wait(stop)
            say("stopping: work under way is finished or handed back")
        say("stopped; the data stays")

    asyncio.run(until_signalled(everything))
    return Exit.OK


def narrator() -> Say:
    """Prints each step with the seconds since the start."""
    begun = time.monotonic()

    def say(step: str) -> None:
        print(f"[{time.monotonic() - begun:5.1f} s] {step}", flush=True)

    return say


def _what_next(stack: Stack) -> str:
    api = f"{stack.url}/api/v1"
    key = (
        ' \\\n       -H "Authorization: Bearer $HUNTER_ADMIN_KEY"' if stack.config.admin_key else ""
    )
    return f"""
  Hunter listens on {stack.url}

  Scan a domain:
    curl -s {api}/scan/domain{key} \\
         -H 'Content-Type: application/json' -H 'Prefer: wait=10' -d '{{"domain": "example.com"}}'
  Send a company list (any CSV or XLSX) and see whom to call first:
    hunter ingest companies.csv --url {stack.url}
  All leads, best first:
    curl -s '{api}/leads?limit=20'{key}

  Ctrl-C stops everything. Data and logs: {stack.config.data_dir}
"""
