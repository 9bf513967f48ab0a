"""Say in words what data files do: what earns points, which segment, whom to call first, and what does nothing.

Every mistake is one line with file, line, field and fix, and ends with exit code 2. Rows that can
never count are told last; with --strict they end with exit code 1.
"""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Iterable, Mapping
from pathlib import Path

from hunter.cli.main import Exit
from hunter.cli.terminal import harmless
from hunter.config import Config
from hunter.core.facts import FACTS, PriorityRow, Rule, Rules
from hunter.knowledge.load import Knowledge, load_own, load_with
from hunter.knowledge.review import Remark, review

_WIDTH = 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The files, and whether rows that do nothing are mistakes."""
    parser.add_argument(
        "path",
        nargs="?",
        metavar="DIR|FILE",
        help="a folder in place of HUNTER_RULES_DIR, or one file on top of it "
        "(default: the rules in force)",
    )
    parser.add_argument(
        "--strict", action="store_true", help="exit code 1 where a row can never count"
    )


def run(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Explain the files; a mistake in them ends here, one line each."""
    rules_dir = Config.from_env(environ).rules_dir
    if arguments.path:
        knowledge = load_with(rules_dir, Path(arguments.path))
    else:
        knowledge = load_own(rules_dir)
    remarks = review(knowledge.rules)
    for line in explain(knowledge, remarks):
        print(harmless(line))
    return Exit.FAILED if remarks and arguments.strict else Exit.OK


def explain(knowledge: Knowledge, remarks: Iterable[Remark]) -> list[str]:
    """The whole policy, line by line."""
    rules = knowledge.rules
    own = ", ".join(f"{name}.yaml" for name in sorted(knowledge.own))
    lines = [f"version {knowledge.version}", f"own files: {own or 'none, all as shipped'}", ""]
    lines += _points(rules)
    lines += ["verdicts: the first whose facts all hold gives segment and reason"]
    lines += [
        f"  {n:3} {row.id}: {row.segment} when {_all_of(row.when)}"
        for n, row in enumerate(rules.verdicts.rows, 1)
    ]
    lines += ["", "priorities: the first that fits says whom to call first; 6 is nobody"]
    lines += [f"  {n:3} P{row.priority} {_fits(row)}" for n, row in enumerate(rules.priorities, 1)]
    lines += ["", *_facts(rules)]
    found = [str(each) for each in remarks]
    lines += ["", "rows that do nothing:" if found else "every row can count"]
    return lines + [f"  {each}" for each in found]


def _points(rules: Rules) -> list[str]:
    lines = [
        "points: " + ", ".join(f"{axis} at most {cap}" for axis, cap in rules.axis_caps.items())
    ]
    for group in rules.groups.values():
        picks = "only its best rule counts" if group.pick == "best" else "its rules add up"
        lines.append(f"  {group.id}: at most {group.cap}, {picks}")
        lines += [_rule(each) for each in rules.rules.rows if each.group == group.id]
    return [*lines, ""]


def _rule(rule: Rule) -> str:
    decay = f", half after each {rule.half_life:g} days" if rule.half_life else ""
    return f"    {rule.points:+3} {rule.axis} {rule.id} when {_all_of(rule.when)}{decay}"


def _all_of(when: Iterable[str]) -> str:
    return " and ".join(when) or "nothing above does"


def _fits(row: PriorityRow) -> str:
    said = [" or ".join(sorted(row.segments))]
    said += [f"with {_all_of(row.all_of)}"] if row.all_of else []
    said += [f"with {' or '.join(row.any_of)}"] if row.any_of else []
    said += [f"score from {row.score_from}"] if row.score_from else []
    said += [f"urgency from {row.urgency_from}"] if row.urgency_from else []
    if row.confidence_below <= 1:
        said.append(f"confidence below {row.confidence_below:g} or unknown")
    return ", ".join(said)


def _facts(rules: Rules) -> list[str]:
    names = sorted(FACTS | set(rules.relations.values()))
    text = f"facts that rules may speak of: {', '.join(names)}"
    return textwrap.wrap(text, _WIDTH, subsequent_indent="  ")
