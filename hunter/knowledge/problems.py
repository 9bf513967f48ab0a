"""What is wrong in data files: each problem with its file, line, field and fix, all of them at once."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

import msgspec

from hunter.core.errors import Misconfigured


class Problem(msgspec.Struct, frozen=True, order=True):
    """One thing that is wrong in one file."""

    #: "rules.yaml"
    file: str
    #: counted from 1
    line: int
    #: "rules row 4 (mail_hosting)", or "file" outside of rows
    row: str
    field: str
    problem: str
    #: what to write instead
    fix: str

    def __str__(self) -> str:
        """The problem on one line."""
        return f"{self.file}:{self.line}: {self.row}: {self.field}: {self.problem}; {self.fix}"


class BadKnowledge(Misconfigured):
    """Data files cannot be used; `problems` has every reason"""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(map(str, self.problems)))


def nearest(name: object, known: Iterable[str], otherwise: str) -> str:
    """A question after the name meant, where one of `known` is near, else what else to do."""
    near = difflib.get_close_matches(str(name), sorted(known), n=1)
    return f"did you mean {near[0]}?" if near else otherwise
