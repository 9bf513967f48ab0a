"""Prepare a call: what a company runs, why now, what to say, what to ask and which offer, each sentence with its record."""

from __future__ import annotations

import argparse
import datetime as dt
import sys
from collections.abc import Mapping

import msgspec
import uvloop

from hunter.cli.main import Exit
from hunter.cli.scan import scan_config
from hunter.cli.terminal import harmless, harmless_json
from hunter.config import Config
from hunter.core.advice import Language
from hunter.core.answers import Depth
from hunter.core.brief import Brief, brief
from hunter.core.brief_text import brief_lines
from hunter.core.domain import parse_domain
from hunter.core.errors import NotFound
from hunter.core.judge import reason
from hunter.core.judgement import NO_HISTORY, Segment
from hunter.core.wording import Prices
from hunter.knowledge.load import Knowledge, load_own
from hunter.knowledge.prices import load_prices
from hunter.pipeline.briefing import brief_lead
from hunter.pipeline.looking import open_looker
from hunter.resolver.opening import open_engine
from hunter.store.database import open_database


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The domain, where to look, in which language."""
    parser.add_argument("name", metavar="DOMAIN", help="a domain, URL or e-mail address")
    parser.add_argument(
        "--lang",
        type=Language,
        choices=list(Language),
        default=Language.EN,
        metavar="en|tr",
        help="language of the brief (default: en)",
    )
    parser.add_argument(
        "--records", action="store_true", help="the records under the sentences they prove"
    )
    parser.add_argument("--json", action="store_true", help="the brief as one JSON object")
    parser.add_argument(
        "--fresh",
        action="store_true",
        help="ask DNS now, even where HUNTER_DATABASE_URL has a scanned lead",
    )
    parser.add_argument(
        "--depth",
        type=Depth,
        choices=list(Depth),
        default=Depth.FULL,
        metavar="quick|full",
        help="of a fresh look: what decides the score, or every question (default)",
    )
    parser.add_argument(
        "--dns",
        metavar="IP[:PORT],…",
        default="",
        help="name servers to ask instead of HUNTER_DNS_SERVERS",
    )


def run(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Exit code 0, or 3 where nobody answered enough to know what kind of lead this is."""
    config = scan_config(arguments, environ)
    name = parse_domain(
        arguments.name, registrable=False, allow_test_names=config.allow_test_names
    ).name
    knowledge = load_own(config.rules_dir)
    prices = load_prices(config.price_list, knowledge.wording)
    found = uvloop.run(_brief(config, name, arguments, knowledge, prices))
    if arguments.json:
        print(harmless_json(msgspec.json.encode(found).decode()))
    else:
        for line in brief_lines(found, knowledge.wording, records=arguments.records):
            print(harmless(line))
    return Exit.UNKNOWN if found.segment is Segment.UNKNOWN else Exit.OK


async def _brief(
    config: Config, name: str, arguments: argparse.Namespace, knowledge: Knowledge, prices: Prices
) -> Brief:
    today = dt.datetime.now(dt.UTC).date()
    if str(config.database_url) and not arguments.fresh:
        try:
            async with open_database(config) as db, db.acquire() as conn:
                return await brief_lead(
                    conn, name, knowledge, prices, language=arguments.lang, as_of=today
                )
        except NotFound as error:
            print(f"{error}: looking at DNS now", file=sys.stderr)
    async with open_engine(config, None) as engine, open_looker(config, engine) as looker:
        seen = await looker.look(name, arguments.depth, knowledge)
    why = reason(seen, NO_HISTORY, knowledge.rules, today)
    return brief(why, knowledge.wording, arguments.lang, prices)
