"""The rules and tables that judging uses: check them, try other ones, let them go ahead, fit them on labels."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Mapping

#: an action is the module hunter.cli.rules_<action>
ACTIONS: dict[str, str] = {
    "check": "say in words what data files do, or what is wrong in them",
    "diff": "say what other rules would change, without a question to DNS",
    "apply": "let a re-judging go on that was held",
    "fit": "fit the identity model on domains whose mailboxes are known",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The actions, each with arguments of its own."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name, about in ACTIONS.items():
        module = importlib.import_module(f"hunter.cli.rules_{name}")
        module.add_arguments(actions.add_parser(name, help=about, description=module.__doc__))


def run(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Do the action, and say how it ended."""
    module = importlib.import_module(f"hunter.cli.rules_{arguments.action}")
    done: int = module.run(arguments, environ)
    return done
