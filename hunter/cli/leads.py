"""Leads of a running API, those to call first on top: filtered by tenant and segment, or grouped by tenant."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Mapping
from typing import get_args

from hunter.cli.api import Api
from hunter.cli.ingest import print_leads
from hunter.cli.main import Exit
from hunter.cli.terminal import harmless
from hunter.config import Config
from hunter.core.errors import InvalidInput
from hunter.core.judgement import Segment
from hunter.web.requests import TenantState
from hunter.web.views import TenantView

_FILTERS = ("tenant_state", "tenant_name", "segment")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which leads, how many, of which API."""
    parser.add_argument(
        "--tenant-state", choices=get_args(TenantState), help="where the Microsoft tenant stands"
    )
    parser.add_argument("--tenant-name", metavar="NAME", help="domains of one Microsoft tenant")
    parser.add_argument("--segment", choices=[each.value for each in Segment])
    parser.add_argument("--tenants", action="store_true", help="one line a tenant, not a lead")
    parser.add_argument("--top", type=int, default=20, metavar="N", help="how many (default: 20)")
    parser.add_argument(
        "--url", help="the API (default: HUNTER_HOST and HUNTER_PORT on this machine)"
    )


def run(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Exit code 0 once the API has answered."""
    config = Config.from_env(environ)
    url = arguments.url or f"http://{config.host}:{config.port}"
    wanted = {name: getattr(arguments, name) for name in _FILTERS}
    wanted = {name: value for name, value in wanted.items() if value is not None}
    if arguments.tenants and wanted:
        raise InvalidInput("--tenants goes with no filter; --tenant-name NAME lists one tenant")
    asyncio.run(_show(url, str(config.admin_key), wanted, arguments))
    return Exit.OK


async def _show(url: str, key: str, wanted: dict[str, str], arguments: argparse.Namespace) -> None:
    async with Api(url, key) as api:
        if arguments.tenants:
            _print_tenants(await api.tenants(arguments.top))
        else:
            print_leads(await api.best_leads(arguments.top, **wanted))


def _print_tenants(tenants: list[TenantView]) -> None:
    if not tenants:
        print("no tenant has a name yet: DKIM records give it, where they are set up")
    for each in tenants:
        best = each.best_lead
        domains = "1 domain" if each.domains == 1 else f"{each.domains} domains"
        print(f"\n{harmless(each.tenant_name)}  ({domains})")
        print(f"   P{best.priority} {best.segment}, score {best.score}: {best.display_name}")
        print(f"   {harmless(best.reason)}")
