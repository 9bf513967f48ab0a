"""Alerts of a running API: rules, a real test message, what was sent and what was not, and sending it again."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from rich.console import Console
from rich.table import Table
from rich.text import Text

from hunter.cli.api import Api
from hunter.cli.main import Exit
from hunter.cli.terminal import harmless
from hunter.config import Config
from hunter.core.errors import InvalidInput
from hunter.store.alert_endpoints import Endpoint
from hunter.store.alert_rules import DryRun, Rule
from hunter.store.alerts import Delivery
from hunter.store.pages import Page
from hunter.web.alert_rules import TestResult

_NEEDS_RULE = ("test", "dry-run")
_NEEDS_ID = (*_NEEDS_RULE, "replay")
_OK = "ok"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to do, and with which rule or message."""
    parser.add_argument(
        "action",
        choices=("rules", "endpoints", "deliveries", *_NEEDS_ID),
        help="rules, endpoints, deliveries: newest first; test: send a message that says it is one "
        "and show what the endpoints answered; dry-run: how often a rule would have fired; "
        "replay: send a message again, the same under the same id",
    )
    parser.add_argument("id", metavar="ID", nargs="?", help="of the rule, or of the delivery")
    parser.add_argument(
        "--state", choices=("ready", "leased", "done", "dead"), help="of deliveries"
    )
    parser.add_argument("--days", type=int, default=30, help="of a dry run (default: 30)")
    parser.add_argument(
        "--url", help="the API (default: HUNTER_HOST and HUNTER_PORT on this machine)"
    )


def run(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Exit code 0 once the API has done it; 1 when an endpoint did not take a test."""
    config = Config.from_env(environ)
    action = arguments.action
    if action in _NEEDS_ID and not arguments.id:
        what = "deliveries" if action == "replay" else "rules"
        raise InvalidInput(f"{action} wants an id; `hunter alerts {what}` shows them")
    if action not in _NEEDS_ID and arguments.id:
        raise InvalidInput(f"{action} takes no id")
    url = arguments.url or f"http://{config.host}:{config.port}"
    return asyncio.run(_do(url, str(config.admin_key), arguments))


async def _do(url: str, key: str, arguments: argparse.Namespace) -> int:
    console = Console(highlight=False)
    async with Api(url, key) as api:
        match arguments.action:
            case "rules":
                rules = await api.ask(Page[Rule], "GET", "/alerts/rules")
                console.print(_table(_RULE, rules.items))
            case "endpoints":
                endpoints = await api.ask(Page[Endpoint], "GET", "/alerts/endpoints")
                console.print(_table(_ENDPOINT, endpoints.items))
            case "deliveries":
                params = {"state": arguments.state} if arguments.state else {}
                path = "/alerts/deliveries"
                found = await api.ask(Page[Delivery], "GET", path, params=params)
                console.print(_table(_DELIVERY, found.items))
            case "replay":
                path = f"/alerts/deliveries/{quote(arguments.id, safe='')}/replay"
                again = await api.ask(Delivery, "POST", path)
                console.print(_table(_DELIVERY, [again]))
            case "dry-run":
                path = f"/alerts/rules/{quote(arguments.id, safe='')}/dry-run"
                params = {"days": str(arguments.days)}
                _show_dry_run(console, await api.ask(DryRun, "POST", path, params=params))
            case _:
                path = f"/alerts/rules/{quote(arguments.id, safe='')}/test"
                return _show_test(console, await api.ask(TestResult, "POST", path))
    return Exit.OK


_RULE: dict[str, Callable[[Any], str]] = {
    "rule": lambda rule: str(rule.id),
    "name": lambda rule: rule.name,
    "on": lambda rule: "yes" if rule.is_enabled else "no",
    "tells": lambda rule: "at once" if rule.digest_at is None else f"daily at {rule.digest_hour}",
    "kinds": lambda rule: str(len(rule.kinds)),
    "endpoints": lambda rule: str(len(rule.endpoints)),
}
_ENDPOINT: dict[str, Callable[[Any], str]] = {
    "endpoint": lambda endpoint: str(endpoint.id),
    "name": lambda endpoint: endpoint.name,
    "kind": lambda endpoint: endpoint.kind.value,
    "address": lambda endpoint: endpoint.shown,
    "state": lambda endpoint: " ".join(filter(None, (endpoint.state, endpoint.state_reason))),
    "failures": lambda endpoint: str(endpoint.failures),
    "last error": lambda endpoint: endpoint.last_error or "",
}
_DELIVERY: dict[str, Callable[[Any], str]] = {
    "delivery": lambda delivery: str(delivery.id),
    "kind": lambda delivery: delivery.kind,
    "about": lambda delivery: delivery.domain or str(delivery.digest_day or ""),
    "endpoint": lambda delivery: delivery.endpoint,
    "state": lambda delivery: delivery.state,
    "tries": lambda delivery: str(delivery.attempts),
    "last error": lambda delivery: delivery.last_error or "",
}


def _table(columns: Mapping[str, Callable[[Any], str]], items: Sequence[object]) -> Table:
    """One line for each; what strangers named is shown, never obeyed."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        table.add_column(name, overflow="fold")
    for item in items:
        table.add_row(*(Text(harmless(told(item))) for told in columns.values()))
    return table


def _show_test(console: Console, found: TestResult) -> int:
    is_fine = True
    for each in found.endpoints:
        result = each.result
        if result is None:
            told = "switched off" if each.delivery_id is None else "no worker has tried it yet"
        else:
            code = f" {result.status}" if result.status else ""
            told = f"{result.outcome}{code} in {result.duration_ms} ms {result.detail}".rstrip()
        is_fine = is_fine and result is not None and result.outcome == _OK
        console.print(Text(harmless(f"{each.endpoint}: {told}")))
    return Exit.OK if is_fine else Exit.FAILED


def _show_dry_run(console: Console, found: DryRun) -> None:
    console.print(f"would have fired {found.matches} times in the last {found.days} days")
    for each in found.examples:
        console.print(Text(harmless(f"{each.at:%Y-%m-%d %H:%M} {each.domain} {each.kind}")))
