"""Explain the judgement of a domain: records, who receives, the mailboxes, tenant, products, score, and what would change it."""

from __future__ import annotations

import argparse
import datetime as dt
import sys
from collections.abc import Mapping
from dataclasses import replace

import msgspec
import uvloop

from hunter.cli.main import Exit
from hunter.cli.terminal import harmless, harmless_json
from hunter.config import Config, parse_server
from hunter.core.advice import Language
from hunter.core.answers import Depth
from hunter.core.domain import parse_domain
from hunter.core.errors import InvalidInput, NotFound
from hunter.core.explain import Explanation, explain
from hunter.core.explain_text import explain_lines
from hunter.core.judgement import NO_HISTORY
from hunter.knowledge.load import Knowledge, load_own
from hunter.pipeline.explaining import explain_lead
from hunter.pipeline.looking import open_looker
from hunter.resolver.opening import open_engine
from hunter.store.database import open_database

_COLUMNS = 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The domain, where to look, in which words."""
    parser.add_argument("name", metavar="DOMAIN", help="a domain, URL or e-mail address")
    parser.add_argument(
        "--fresh",
        action="store_true",
        help="ask DNS now, even where HUNTER_DATABASE_URL has a scanned lead",
    )
    parser.add_argument(
        "--depth",
        type=Depth,
        choices=list(Depth),
        default=Depth.QUICK,
        metavar="quick|full",
        help="of a fresh look: what decides the score (default), or every question",
    )
    parser.add_argument(
        "--dns",
        metavar="IP[:PORT],…",
        default="",
        help="name servers to ask instead of HUNTER_DNS_SERVERS",
    )
    parser.add_argument("--json", action="store_true", help="the chain as one JSON object")
    parser.add_argument(
        "--lang",
        type=Language,
        choices=list(Language),
        default=Language.EN,
        metavar="en|tr",
        help="language of the text (default: en)",
    )


def run(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Exit code 0, or 3 where a question that decides was not answered."""
    config = Config.from_env(environ)
    if arguments.dns:
        config = replace(config, dns_servers=_servers(arguments.dns))
    name = parse_domain(
        arguments.name, registrable=False, allow_test_names=config.allow_test_names
    ).name
    why = uvloop.run(_explain(config, name, arguments))
    if arguments.json:
        print(harmless_json(msgspec.json.encode(why).decode()))
    else:
        for line in explain_lines(why, arguments.lang, _COLUMNS):
            print(harmless(line))
    return Exit.UNKNOWN if why.mailboxes.unanswered or why.tenant.unanswered else Exit.OK


def _servers(text: str) -> tuple[tuple[str, int], ...]:
    try:
        return tuple(parse_server(part) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise InvalidInput(f"--dns: {error}") from None


async def _explain(config: Config, name: str, arguments: argparse.Namespace) -> Explanation:
    knowledge = load_own(config.rules_dir)
    today = dt.datetime.now(dt.UTC).date()
    if str(config.database_url) and not arguments.fresh:
        try:
            async with open_database(config) as db, db.acquire() as conn:
                return await explain_lead(
                    conn, name, knowledge, language=arguments.lang, as_of=today
                )
        except NotFound as error:
            print(f"{error}: looking at DNS now", file=sys.stderr)
    return await _look(config, name, arguments, knowledge, today)


async def _look(
    config: Config,
    name: str,
    arguments: argparse.Namespace,
    knowledge: Knowledge,
    today: dt.date,
) -> Explanation:
    async with open_engine(config, None) as engine, open_looker(config, engine) as looker:
        seen = await looker.look(name, arguments.depth, knowledge)
    return explain(
        seen,
        NO_HISTORY,
        knowledge.rules,
        today,
        wording=knowledge.wording,
        language=arguments.lang,
    )
