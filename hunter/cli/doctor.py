"""Say what is wrong and what to change: all of a running Hunter, or with `dns` the name servers it asks.

Exit code 0: nothing that makes Hunter stand still, wrong or blind, though there may be warnings; 1: a fault.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path

import aiohttp
import msgspec
import uvloop
from rich.console import Console
from rich.table import Table
from rich.text import Text

from hunter.cli.main import Exit
from hunter.config import Config, parse_server
from hunter.core.domain import parse_domain
from hunter.core.errors import InvalidDomain, InvalidInput, Misconfigured
from hunter.pipeline import diagnosis
from hunter.pipeline.diagnosis import Reading, diagnose
from hunter.resolver.checkup import KNOWN_NAMES, MAX_QUESTIONS, MAX_SECONDS, examine
from hunter.resolver.findings import Finding, Level, Report, Verdict
from hunter.resolver.servers import RESOLV_CONF, servers_in

_PROBE_S = 2.0
_COLOURS = {
    Level.OK: "green",
    Level.WARNING: "yellow",
    Level.FAULT: "bold red",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The topic, and for dns: which servers, which names, what comes out."""
    parser.add_argument("--json", action="store_true", help="a JSON list of what was looked at")
    topics = parser.add_subparsers(dest="topic", metavar="TOPIC")
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
    if arguments.topic is None:
        return _examine_all(config, as_json=arguments.json)
    servers = servers_to_check(arguments.server, config)
    report = uvloop.run(examine(servers, _names(arguments.known) or KNOWN_NAMES))
    if arguments.json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(report), indent=2).decode() + "\n")
    else:
        _show(report)
    return Exit.OK if report.verdict is Verdict.FINE else Exit.FAILED


def _examine_all(config: Config, *, as_json: bool) -> int:
    """Print every reading; 1 when one of them is a fault."""
    readings = uvloop.run(_all_readings(config))
    if as_json:
        sys.stdout.write(
            msgspec.json.format(msgspec.json.encode(readings), indent=2).decode() + "\n"
        )
    else:
        _show_readings(readings)
    is_faulty = any(each.level is diagnosis.Level.FAULT for each in readings)
    return Exit.FAILED if is_faulty else Exit.OK


async def _all_readings(config: Config) -> list[Reading]:
    found, api, worker = await asyncio.gather(
        diagnose(config), _process("api", config.port), _process("worker", config.worker_port)
    )
    return [*found, api, worker]


async def _process(name: str, port: int) -> Reading:
    """What a process on this machine says of itself: readiness, and its pools in use.

    None here is no fault: on a cluster the doctor runs in one pod and the other kind in another.
    """
    url = f"http://127.0.0.1:{port}"
    timeout = aiohttp.ClientTimeout(total=_PROBE_S)
    try:
        async with aiohttp.ClientSession(timeout=timeout) as http:
            async with http.get(f"{url}/healthz/ready") as answer:
                told = await answer.json(content_type=None)
                is_ready = answer.status == 200
            async with http.get(f"{url}/metrics") as answer:
                pools = _pools(await answer.text())
    except (aiohttp.ClientError, TimeoutError, ValueError, OSError):
        return Reading(name, diagnosis.Level.OK, f"none answers on port {port} of this machine")
    if not is_ready:
        why = str(told.get("detail", "not ready")) if isinstance(told, dict) else "not ready"
        return Reading(name, diagnosis.Level.FAULT, why, f"the log of the {name}")
    return Reading(name, diagnosis.Level.OK, f"ready; {pools}")


def _pools(metrics: str) -> str:
    """Pools in use out of the text of /metrics: PostgreSQL pool 2 of 10, and so on."""
    values = dict(line.rsplit(" ", 1) for line in metrics.splitlines() if line[:1] != "#" and line)
    return ", ".join(
        f"{told} pool {values.get(f'{name}_connection_pool_size', '?')} of "
        f"{values.get(f'{name}_connection_pool_max', '?')}"
        for name, told in (("db", "PostgreSQL"), ("redis", "Redis"))
    )


def _show_readings(readings: list[Reading]) -> None:
    console = Console(highlight=False, markup=False)
    table = Table(show_header=False, box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for each in readings:
        table.add_row(
            Text(each.level, style=_COLOURS[Level(each.level)]), each.name, Text(each.detail)
        )
    console.print(table)
    for each in readings:
        if each.advice:
            console.print(f"→ {each.name}: {each.advice}", soft_wrap=True)


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
