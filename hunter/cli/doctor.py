"""Say what is wrong on this machine and what to change. `dns`: the name servers Hunter asks.

Exit code 0: nothing that makes Hunter wrong or blind, though there may be warnings; 1: a fault.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec
import uvloop
from rich.console import Console
from rich.table import Table
from rich.text import Text

from hunter.cli.main import Exit
from hunter.config import Config, parse_server
from hunter.core.domain import parse_domain
from hunter.core.errors import InvalidDomain, InvalidInput, Misconfigured
from hunter.resolver.checkup import KNOWN_NAMES, MAX_QUESTIONS, MAX_SECONDS, examine
from hunter.resolver.findings import Finding, Level, Report, Verdict
from hunter.resolver.servers import RESOLV_CONF, servers_in

_COLOURS = {
    Level.OK: "green",
    Level.WARNING: "yellow",
    Level.FAULT: "bold red",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The topic, and for dns: which servers, which names, what comes out."""
    topics = parser.add_subparsers(dest="topic", metavar="TOPIC", required=True)
    dns = topics.add_parser(
        "dns",
        help="check the name servers",
        description=(
            "Check the name servers of HUNTER_DNS_SERVERS, else of resolv.conf. Only they are asked: "
            f"at most {MAX_QUESTIONS} questions and {MAX_SECONDS:g} seconds each. "
            "Exit code 1: a fault makes Hunter wrong or blind; warnings end with 0."
        ),
    )
    dns.add_argument(
        "--server",
        action="append",
        default=[],
        metavar="IP[:PORT]",
        help="check this server instead; may be given several times",
    )
    dns.add_argument(
        "--known",
        action="append",
        default=[],
        metavar="DOMAIN",
        help="a domain with A and MX records that the servers must find; may be given several "
        f"times (default: {', '.join(KNOWN_NAMES)})",
    )
    dns.add_argument("--json", action="store_true", help="one JSON object")


def run(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Examine, print, and tell by the exit code whether there is a fault."""
    config = Config.from_env(environ)
    servers = servers_to_check(arguments.server, config)
    report = uvloop.run(examine(servers, _names(arguments.known) or KNOWN_NAMES))
    if arguments.json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(report), indent=2).decode() + "\n")
    else:
        _show(report)
    return Exit.OK if report.verdict is Verdict.FINE else Exit.FAILED


def servers_to_check(
    given: list[str], config: Config, resolv_conf: Path = RESOLV_CONF
) -> tuple[tuple[str, int], ...]:
    """What was given, else what is configured; each server once."""
    try:
        chosen = tuple(parse_server(text) for text in given)
    except ValueError as error:
        raise InvalidInput(f"--server: {error}") from None
    chosen = chosen or config.dns_servers or servers_in(resolv_conf)
    if not chosen:
        raise Misconfigured(
            f"no name server: {resolv_conf} names none; "
            "set HUNTER_DNS_SERVERS=IP[:PORT],… or give --server IP[:PORT]"
        )
    return tuple(dict.fromkeys(chosen))


def _names(given: list[str]) -> list[str]:
    try:
        return [parse_domain(each, registrable=False, allow_test_names=True).name for each in given]
    except InvalidDomain as error:
        raise InvalidInput(f"--known: {error}") from None


def _show(report: Report) -> None:
    console = Console(highlight=False, markup=False)
    for server in report.servers:
        console.print(f"{server.server}  ({server.questions} questions)")
        _show_findings(console, server.checks)
    if report.checks:
        console.print("all servers")
        _show_findings(console, report.checks)
    console.print(report.statement, soft_wrap=True)


def _show_findings(console: Console, findings: tuple[Finding, ...]) -> None:
    table = Table(show_header=False, box=None, pad_edge=False, padding=(0, 2, 0, 0))
    skipped: dict[str, list[str]] = {}
    for each in findings:
        name = each.check.replace("_", " ")
        if each.level is Level.SKIPPED:
            skipped.setdefault(each.detail, []).append(name)
            continue
        # as Text: what a server said may hold what rich takes for markup
        level = Text(each.level, style=_COLOURS[each.level])
        table.add_row("", level, name, Text(each.detail))
    console.print(table)
    for why, names in skipped.items():
        console.print(f"  skipped: {', '.join(names)}: {why}", soft_wrap=True)
    for each in findings:
        if each.advice:
            console.print(f"  → {each.check.replace('_', ' ')}: {each.advice}", soft_wrap=True)
    console.print()
