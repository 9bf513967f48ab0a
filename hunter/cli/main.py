"""The parser and the command table."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import NoReturn, Protocol

from hunter import __version__
from hunter.cli.terminal import harmless
from hunter.core.errors import HunterError, InvalidInput, Misconfigured


class Exit(IntEnum):
    """What a command ends with; README.md shows the same table."""

    #: done; `scan`: an answer about every domain
    OK = 0
    #: something failed: a server away, a process ended, Hunter's own fault
    FAILED = 1
    #: wrong arguments, settings or input
    USAGE = 2
    #: `scan`, `ingest` and `registration`: done, but some domains gave no answer
    UNKNOWN = 3
    #: Ctrl-C
    INTERRUPTED = 130


class Command(Protocol):
    """One file of hunter/cli: its arguments, and what it does with them."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the arguments; the module's docstring is the help."""

    def run(self, arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
        """Do it, and say how it ended."""


#: a command is imported when it is called: `hunter config` needs no database driver
COMMANDS: dict[str, str] = {
    "up": "start everything: PostgreSQL, Valkey, API and worker",
    "demo": "see the product work without internet, on invented companies",
    "scan": "look at domains right now: no database, no Redis",
    "registration": "ask a domain's registry until when it is registered, and through whom",
    "ingest": "send a company list to a running API and see the best leads",
    "brief": "prepare a call: what they run, why now, what to say, what to ask, which offer",
    "explain": "show why a domain is judged as it is, and what would change that",
    "export": "write leads to a file: CSV, XLSX or NDJSON, or for Dynamics 365",
    "leads": "list leads of a running API by tenant or segment, or group them by tenant",
    "history": "show what a company's records were over time, and what became different",
    "changes": "list what became different about all leads of a running API",
    "schedule": "show, pause or resume the scans that a running Hunter makes by itself",
    "jobs": "list scan jobs of a running API, cancel one, or redrive what failed",
    "alerts": "list alert rules and messages of a running API, test one, or send again",
    "serve": "run the API",
    "work": "run a worker",
    "migrate": "bring the database schema up to date, or back",
    "spf": "check whether an address may send mail for a domain",
    "rules": "fit the tables that judging uses",
    "calibration": "show how far the probabilities can be trusted",
    "keys": "make, list, rotate and revoke the keys of callers",
    "config": "show every setting with its value and meaning",
    "rdap": "bring the list of RDAP servers up to date",
    "smoke": "check a running API as its callers meet it",
    "doctor": "say what is wrong with a running Hunter, or with the name servers, and what to do",
}


class Parser(argparse.ArgumentParser):
    """argparse with errors of one line."""

    def error(self, message: str) -> NoReturn:
        """End with one line that says what is wrong and where to read on."""
        print(f"{self.prog}: {message} (see `{self.prog} --help`)", file=sys.stderr)
        raise SystemExit(Exit.USAGE)


def _top_parser() -> Parser:
    width = max(map(len, COMMANDS))
    table = "\n".join(f"  {name:<{width}}  {about}" for name, about in COMMANDS.items())
    parser = Parser(
        prog="hunter",
        description="Microsoft 365 and Dynamics 365 leads from what companies publish in DNS.",
        epilog=f"commands:\n{table}\n\n`hunter COMMAND --help` explains one.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"hunter {__version__}")
    parser.add_argument("command", metavar="COMMAND", choices=COMMANDS)
    return parser


def main(argv: Sequence[str] | None = None, environ: Mapping[str, str] | None = None) -> int:
    """Run one command; gives the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    # options of the program come before the command; what follows the command is the command's
    name = _top_parser().parse_args(words[:1] or ["--help"]).command
    command: Command = importlib.import_module(f"hunter.cli.{name}")
    parser = Parser(prog=f"hunter {name}", description=command.__doc__)
    command.add_arguments(parser)
    arguments = parser.parse_args(words[1:])
    try:
        return command.run(arguments, os.environ if environ is None else environ)
    except HunterError as error:
        return _report(error)
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except BrokenPipeError:
        # the reader of our output went away, as `| head` does; there is nobody left to tell
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.OK


def _report(error: HunterError) -> int:
    """One line for each thing that is wrong."""
    for line in str(error).splitlines() or [type(error).__doc__ or "failed"]:
        print(harmless(f"hunter: {line}"), file=sys.stderr)
    if isinstance(error, InvalidInput):
        for place, detail in error.errors:
            print(harmless(f"hunter: {place}: {detail}"), file=sys.stderr)
    return Exit.USAGE if isinstance(error, InvalidInput | Misconfigured) else Exit.FAILED
