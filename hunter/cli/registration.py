"""Ask a domain's registry (RDAP, or WHOIS for .tr) until when it is registered, and through whom."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Mapping

import msgspec

from hunter.cli.main import Exit
from hunter.cli.terminal import harmless, harmless_json
from hunter.config import Config
from hunter.core.domain import parse_domain
from hunter.core.registration import Registration, RegistrationState
from hunter.pipeline.looking import resolver_of
from hunter.pipeline.registrations import open_registries
from hunter.resolver.opening import open_engine
from hunter.web.views import registration_view


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """One domain, and how it is printed."""
    parser.add_argument("name", metavar="DOMAIN", help="a domain, URL or e-mail address")
    parser.add_argument("--json", action="store_true", help="one JSON object")


def run(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Ask now, whatever HUNTER_REGISTRATION says: nothing is stored."""
    config = Config.from_env(environ)
    domain = parse_domain(
        arguments.name, registrable=True, allow_test_names=config.allow_test_names
    )
    found = asyncio.run(_ask(config, domain.name))
    if arguments.json:
        view = {"domain": found.domain} | msgspec.to_builtins(registration_view(found))
        print(harmless_json(msgspec.json.encode(view).decode()))
    else:
        for name, value in _rows(found):
            print(harmless(f"{name:<12}{value}"))
    return Exit.OK if found.is_known else Exit.UNKNOWN


async def _ask(config: Config, domain: str) -> Registration:
    async with (
        open_engine(config) as engine,
        open_registries(config, resolver_of(engine)) as registries,
    ):
        told = await registries.look_up(domain)
        return told.registration


def _rows(found: Registration) -> list[tuple[str, str]]:
    """What is known, line by line; what is not known has no line."""
    signed: dict[bool | None, str] = {True: "signed", False: "not signed"}
    state = "not registered" if found.state is RegistrationState.UNREGISTERED else found.state.value
    rows = [
        ("domain", found.domain),
        ("state", state),
        ("registrar", found.registrar),
        ("created", str(found.created or "")),
        ("expires", str(found.expires or "")),
        ("statuses", ", ".join(found.statuses)),
        ("delegation", signed.get(found.delegation_signed, "") if found.is_known else ""),
        ("source", f"{found.source} {found.server}".strip()),
        ("reason", found.reason),
    ]
    return [(name, value) for name, value in rows if value]
