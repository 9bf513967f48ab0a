"""Show every setting with its value and meaning; secrets stay hidden."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from rich.console import Console
from rich.table import Table

from hunter.cli.main import Exit
from hunter.config import Config


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--markdown writes docs/configuration.md."""
    parser.add_argument(
        "--markdown", action="store_true", help="as a Markdown table of defaults, for the docs"
    )


def run(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Print the table; wrong settings end here with one line each."""
    if arguments.markdown:
        print(markdown(), end="")
        return Exit.OK
    table = Table("setting", "value", "default", "meaning", box=None, pad_edge=False)
    for name, value, default, meaning in Config.from_env(environ).table():
        table.add_row(name, value, default if default != value else "", meaning)
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console.width = 200
    console.print(table)
    return Exit.OK


def markdown() -> str:
    """docs/configuration.md."""
    lines = [
        "# Configuration",
        "",
        "Every setting is an environment variable, read once at start.",
        "All wrong values are reported together; a name that does not exist is an error.",
        "`hunter config` prints this table with the values in force; secrets print as `***`.",
        "",
        "This page is written by `hunter config --markdown`, and a test holds it to the code.",
        "",
        "| Setting | Default | Meaning |",
        "|---|---|---|",
    ]
    for name, _, default, meaning in Config().table():
        shown = default if default == "(not set)" else f"`{default}`"
        lines.append(f"| `{name}` | {shown} | {meaning.replace('|', chr(92) + '|')} |")
    return "\n".join(lines) + "\n"
