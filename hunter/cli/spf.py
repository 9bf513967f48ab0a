"""May this address send mail for this domain? The domain's SPF policy, evaluated by RFC 7208.

Exit code 0: there is a result; 3: a name server did not answer (temperror).
"""

from __future__ import annotations

import argparse
import ipaddress
import sys
import time
from collections.abc import Mapping

import msgspec
import uvloop

from hunter.cli.main import Exit
from hunter.cli.terminal import harmless, harmless_json
from hunter.config import Config
from hunter.core.domain import parse_domain
from hunter.core.errors import InvalidDomain, InvalidInput
from hunter.core.spf_check import Sender, SpfCheck, SpfResult
from hunter.resolver.opening import open_engine
from hunter.resolver.policy import check_sender


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Who sends, from where, and what comes out."""
    parser.add_argument("sender", metavar="SENDER", help="a domain, or the address in MAIL FROM")
    parser.add_argument("ip", metavar="ADDRESS", help="IPv4 or IPv6 address of the sending server")
    parser.add_argument(
        "--helo", metavar="NAME", default="", help="name in HELO (default: the domain)"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object")


def run(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Check, print, and tell by the exit code whether there is a result."""
    config = Config.from_env(environ)
    found = uvloop.run(_check(_sender(arguments), config))
    sys.stdout.write(_json(found) if arguments.json else _text(arguments, found))
    return Exit.UNKNOWN if found.result is SpfResult.TEMPERROR else Exit.OK


async def _check(sender: Sender, config: Config) -> SpfCheck:
    async with open_engine(config) as engine:
        return await check_sender(engine, sender)


def _sender(arguments: argparse.Namespace) -> Sender:
    try:
        address = ipaddress.ip_address(arguments.ip)
    except ValueError:
        raise InvalidInput(
            f"ADDRESS: {arguments.ip!r} is no IPv4 or IPv6 address; write 192.0.2.5 or 2001:db8::5"
        ) from None
    local_part, _, name = arguments.sender.rpartition("@")
    try:
        domain = parse_domain(name, registrable=False, allow_test_names=True).name
    except InvalidDomain as error:
        raise InvalidInput(f"SENDER: {error}") from None
    mail_from = f"{local_part or 'postmaster'}@{domain}"
    return Sender(address, mail_from, arguments.helo or domain, timestamp=int(time.time()))


def _json(found: SpfCheck) -> str:
    return harmless_json(msgspec.json.encode(found).decode()) + "\n"


def _text(arguments: argparse.Namespace, found: SpfCheck) -> str:
    """The result, the way to it, and what it cost."""
    lines = [f"{found.result}: {arguments.ip} for {arguments.sender}"]
    lines += [f"  {domain}: {term}" for domain, term in found.path]
    lines += [f"  {text}" for text in (found.problem, found.explanation) if text]
    lines.append(f"  {found.lookups} of 10 look-ups, {found.voids} of 2 void")
    return "".join(harmless(line) + "\n" for line in lines)
