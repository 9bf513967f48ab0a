"""Look at domains right now, with neither database nor Redis: who runs the mail, how good a lead, and why."""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import io
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, cast

import msgspec
import uvloop
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from hunter.cli.main import Exit
from hunter.cli.ranking import Ranking, lead_table
from hunter.cli.terminal import harmless, harmless_json
from hunter.config import Config, parse_server
from hunter.core.advice import Language, advise_all
from hunter.core.answers import Depth
from hunter.core.domain import parse_domain
from hunter.core.errors import InvalidDomain, InvalidInput
from hunter.core.judge import judge
from hunter.core.judgement import NO_HISTORY, Judgement, ScanStatus
from hunter.knowledge.findings import load_findings
from hunter.knowledge.load import Knowledge, load_own
from hunter.pipeline.companies import Company, open_companies
from hunter.pipeline.looking import Looker, open_looker
from hunter.resolver.opening import open_engine
from hunter.store.results import Result
from hunter.web.views import result_view

#: domains under way at once; the engine bounds the questions
_AT_ONCE = 1000
#: columns where there is no terminal
_NO_TERMINAL_COLUMNS = 1000
#: bytes of standard input kept in memory; more go to disk
_KEPT_BYTES = 4 * 1024 * 1024
#: refused rows of a file that are named one by one
_SHOWN_REFUSALS = 20


class Target(msgspec.Struct, frozen=True):
    """One domain to look at, and the company it was listed with."""

    domain: str
    company_name: str = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Names, a file, how deep, which name servers, what comes out."""
    parser.add_argument(
        "names", nargs="*", metavar="DOMAIN", help="a domain, URL or e-mail address"
    )
    parser.add_argument(
        "-f",
        "--file",
        metavar="FILE",
        help="a company list (CSV, XLSX) or one name a line; - is stdin",
    )
    parser.add_argument(
        "--depth",
        type=Depth,
        choices=list(Depth),
        default=Depth.QUICK,
        metavar="quick|full",
        help="quick: what decides the score (default); full: every question",
    )
    parser.add_argument(
        "--dns",
        metavar="IP[:PORT],…",
        default="",
        help="name servers to ask instead of HUNTER_DNS_SERVERS",
    )
    parser.add_argument(
        "--json", action="store_true", help="one JSON object a line, as answers come"
    )
    parser.add_argument("--array", action="store_true", help="with --json: one JSON array")
    parser.add_argument(
        "--lang",
        type=Language,
        choices=list(Language),
        default=Language.EN,
        metavar="en|tr",
        help="language of the findings (default: en)",
    )
    parser.add_argument(
        "--top",
        type=_above_zero,
        default=50,
        metavar="N",
        help="rows of the table, best leads first (default: 50)",
    )


def _above_zero(text: str) -> int:
    if not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def run(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Scan, print, and tell by the exit code whether every domain gave an answer."""
    config = scan_config(arguments, environ)
    if arguments.array and not arguments.json:
        raise InvalidInput("--array goes with --json")
    if not arguments.names and not arguments.file:
        raise InvalidInput("nothing to scan: give domains, or -f FILE")
    return uvloop.run(_scan(arguments, config))


def scan_config(arguments: argparse.Namespace, environ: Mapping[str, str]) -> Config:
    """The settings, with the name servers of --dns in place of the configured ones."""
    config = Config.from_env(environ)
    if not arguments.dns:
        return config
    try:
        servers = tuple(parse_server(part) for part in arguments.dns.split(",") if part.strip())
    except ValueError as error:
        raise InvalidInput(f"--dns: {error}") from None
    return replace(config, dns_servers=servers)


class Intake:
    """Names on their way in: each domain once, refusals counted and the first ones shown."""

    def __init__(self, config: Config) -> None:
        self._allow_test_names = config.allow_test_names
        # 8 bytes a name bound the memory of a file of millions
        self._met: set[int] = set()
        self.refused = 0
        self.refused_arguments = 0

    def targets(self, names: Iterable[str], file: BinaryIO | None) -> Iterator[Target]:
        """Every domain of the command line, then those of the file."""
        for name in names:
            try:
                domain = parse_domain(
                    name, registrable=False, allow_test_names=self._allow_test_names
                )
            except InvalidDomain as error:
                self.refused_arguments += 1
                self._refuse(f"{name!r}: {error}")
            else:
                yield from self._once(Target(domain.name))
        if file is None:
            return
        for entry in open_companies(file, allow_test_names=self._allow_test_names).entries:
            if isinstance(entry, Company):
                yield from self._once(Target(entry.domain.name, entry.company_name))
            else:
                self._refuse(f"line {entry.line}: {entry.value!r}: {entry.detail}")

    def _once(self, target: Target) -> Iterator[Target]:
        digest = hash(target.domain)
        if digest not in self._met:
            self._met.add(digest)
            yield target

    def _refuse(self, line: str) -> None:
        self.refused += 1
        if self.refused <= _SHOWN_REFUSALS:
            print(f"refused {line}", file=sys.stderr)


async def _scan(arguments: argparse.Namespace, config: Config) -> int:
    knowledge = load_own(config.rules_dir)
    intake = Intake(config)
    outcomes: Counter[str] = Counter()
    printer = (
        _JsonLines(array=arguments.array, language=arguments.lang)
        if arguments.json
        else _Table(arguments.top, arguments.lang)
    )
    with closing(_open(arguments.file)) as file, _progress() as progress:
        bar = progress.add_task("scanning", total=None)
        targets = intake.targets(arguments.names, file if arguments.file else None)
        async with (
            open_engine(config, None) as engine,
            open_looker(config, engine) as looker,
        ):
            async for result in _survey_all(looker, targets, arguments.depth, knowledge):
                outcomes[result.outcome] += 1
                printer.add(result)
                progress.update(bar, advance=1)
    printer.end()
    _summary(outcomes, intake)
    return _exit_code(outcomes, intake)


def _open(path: str | None) -> BinaryIO:
    """The file, seekable; an empty one when none was given."""
    if path is None:
        return io.BytesIO()
    if path == "-":
        # a list is read twice, once to find its columns: a pipe has to be kept
        kept = tempfile.SpooledTemporaryFile(max_size=_KEPT_BYTES)  # noqa: SIM115  # the caller closes it
        shutil.copyfileobj(sys.stdin.buffer, kept)
        kept.seek(0)
        return cast("BinaryIO", kept)
    try:
        return Path(path).open("rb")
    except OSError as error:
        raise InvalidInput(f"{path}: {error.strerror}") from None


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    )


async def _survey_all(
    looker: Looker, targets: Iterator[Target], depth: Depth, knowledge: Knowledge
) -> AsyncIterator[Result]:
    """Results as they come, with at most _AT_ONCE domains under way."""
    under_way: set[asyncio.Task[Result]] = set()
    more = True
    while more or under_way:
        while more and len(under_way) < _AT_ONCE:
            target = next(targets, None)
            more = target is not None
            if target:
                under_way.add(asyncio.create_task(_look(looker, target, depth, knowledge)))
        if under_way:
            done, under_way = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                yield task.result()


async def _look(looker: Looker, target: Target, depth: Depth, knowledge: Knowledge) -> Result:
    now = dt.datetime.now(dt.UTC)
    judgement, outcome, reason = None, ScanStatus.FAILED, None
    try:
        seen = await looker.look(target.domain, depth, knowledge)
        judgement = judge(seen, NO_HISTORY, knowledge.rules, now.date())
        outcome = judgement.scan_status
    except Exception as error:  # noqa: BLE001  # our own fault on one domain must not lose the others
        reason = f"{type(error).__name__}: {error}"
    return Result(
        domain=target.domain,
        company_name=target.company_name or None,
        outcome=outcome,
        reason=reason,
        scanned_at=now,
        judgement=judgement,
    )


class _JsonLines:
    """Each result as one line with the names the API uses, in the order of the answers."""

    def __init__(self, *, array: bool, language: Language) -> None:
        self._array = array
        self._language = language
        self._count = 0

    def add(self, result: Result) -> None:
        found = result.judgement
        view = msgspec.to_builtins(result_view(result, self._language)) | {
            "lines": found.lines if found else (),
            "would_change": found.would_change if found else (),
        }
        line = harmless_json(msgspec.json.encode(view).decode())
        if self._array:
            line = ("," if self._count else "[") + line
        self._count += 1
        print(line)

    def end(self) -> None:
        if self._array:
            print("]" if self._count else "[]")


class _Table:
    """The best leads and nothing else, however long the file is; of one domain, its findings too."""

    def __init__(self, size: int, language: Language) -> None:
        self._ranking = Ranking(size)
        self._language = language

    def add(self, result: Result) -> None:
        if result.judgement:
            self._ranking.add(result.judgement)
        else:
            print(harmless(f"failed {result.domain}: {result.reason}"), file=sys.stderr)

    def end(self) -> None:
        rows: Sequence[Judgement] = self._ranking.best()
        if not rows:
            return
        console = Console(highlight=False)
        if not console.is_terminal:
            # one line a lead, however long: the reader may be grep
            console.width = _NO_TERMINAL_COLUMNS
        console.print(lead_table(rows))
        if self._ranking.left_out:
            console.print(f"{self._ranking.left_out} more; --top N shows them, --json all of them")
        elif len(rows) == 1:
            for told in advise_all(rows[0].findings, load_findings(), self._language):
                line = f"{told.severity}: {told.title}. {told.message} {told.fix} ({told.source})"
                console.print(harmless(line), markup=False)


def _summary(outcomes: Counter[str], intake: Intake) -> None:
    if intake.refused > _SHOWN_REFUSALS:
        print(f"refused {intake.refused - _SHOWN_REFUSALS} more rows", file=sys.stderr)
    counts = ", ".join(f"{number} {status}" for status, number in sorted(outcomes.items()))
    print(
        f"{outcomes.total()} domains: {counts or 'none'}; {intake.refused} refused", file=sys.stderr
    )

    if outcomes and outcomes.total() == outcomes[ScanStatus.UNKNOWN]:
        print("no domain gave an answer; --dns IP[:PORT] names other name servers", file=sys.stderr)


def _exit_code(outcomes: Counter[str], intake: Intake) -> int:
    if intake.refused_arguments or not outcomes:
        return Exit.USAGE
    if outcomes[ScanStatus.FAILED]:
        return Exit.FAILED
    return Exit.UNKNOWN if outcomes[ScanStatus.UNKNOWN] else Exit.OK
