"""Rows of data files checked field by field; every problem is kept, none ends the check."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping
from enum import EnumMeta
from typing import Any, Final, Generic, Literal, TypeVar, get_args, get_origin

import msgspec

from hunter.core.tables import SuffixIndex
from hunter.knowledge.problems import Problem, nearest
from hunter.knowledge.rows import Written
from hunter.knowledge.source import Path, Source

R = TypeVar("R", bound=Written)
T = TypeVar("T")
#: the field that names a row
_NAMES: Final = ("id", "selector")
_PLAIN: Final[dict[Any, str]] = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list: "a list, [a, b]",
    dict: "names with values, {a: 1}",
    dt.date: "a date, 2026-11-24",
}


class Entry(msgspec.Struct, Generic[R], frozen=True):
    """A row and where it stands."""

    path: Path
    row: R


class Checker:
    """The files, and what is wrong in them."""

    def __init__(self, sources: Mapping[str, Source]) -> None:
        self.sources = sources
        self.problems: list[Problem] = [p for each in sources.values() for p in each.problems]

    def content(self, name: str) -> dict[str, Any]:
        """The sections of a file."""
        return self.sources[name].content

    def add(self, name: str, path: Path, problem: str, fix: str) -> None:
        """Keep one problem of the file `name`."""
        source = self.sources[name]
        row, field = self._named(source, path)
        self.problems.append(Problem(source.file, source.line(path), row, field, problem, fix))

    def _named(self, source: Source, path: Path) -> tuple[str, str]:
        if len(path) < 2 or not isinstance(path[1], int):
            return "file", ".".join(map(str, path)) or "row"
        item = source.content[str(path[0])][path[1]]
        names = [item[each] for each in _NAMES if each in item] if isinstance(item, dict) else []
        place = f"{path[0]} row {path[1] + 1}" + (f" ({names[0]})" if names else "")
        return place, ".".join(map(str, path[2:])) or "row"

    def rows(self, name: str, section: str, kind: type[R]) -> list[Entry[R]]:
        """The sound rows of one section; ids must be unique."""
        raw = self.content(name).get(section)
        if not isinstance(raw, list):
            if self.content(name):  # nothing is said of a file that is no YAML
                self.add(name, (section,), "wants a list of rows", f"write {section}: and rows")
            return []
        found: list[Entry[R]] = []
        seen: dict[str, int] = {}
        for number, item in enumerate(raw):
            row = self.checked(name, (section, number), item, kind)
            if row is None:
                continue
            rid = str(getattr(row, "id", ""))
            if rid in seen:
                fix = f"rename this one; row {seen[rid] + 1} has it"
                self.add(name, (section, number, "id"), f"{rid} is used twice", fix)
            if rid:
                seen[rid] = number
            found.append(Entry((section, number), row))
        return found

    def ids(self, name: str, section: str) -> frozenset[str]:
        """The ids of a section, those of rows with mistakes too."""
        raw = self.content(name).get(section)
        rows = raw if isinstance(raw, list) else ()
        return frozenset(str(row["id"]) for row in rows if isinstance(row, dict) and "id" in row)

    def checked(self, name: str, path: Path, item: object, kind: type[R]) -> R | None:
        """One row as its type, or None when some field is wrong."""
        try:
            return msgspec.convert(item, kind)
        except msgspec.ValidationError as error:
            if not isinstance(item, dict):
                self.add(name, path, str(error), "write fields, as name: value")
                return None
        fields = msgspec.structs.fields(kind)
        known = {each.name for each in fields}
        for key in item:
            if key not in known:
                fix = nearest(key, known, f"fields are {', '.join(sorted(known))}")
                self.add(name, (*path, str(key)), "no such field", fix)
        for each in fields:
            if each.name in item:
                self.value(name, (*path, each.name), item[each.name], each.type)
            elif each.required:
                self.add(name, (*path, each.name), "is missing", "every row needs it")
        return None

    def value(self, name: str, path: Path, item: object, kind: Any) -> Any:
        """One value as its type, or None with what is wrong kept."""
        try:
            return msgspec.convert(item, kind)
        except msgspec.ValidationError as error:
            what, _, inner = str(error).partition(" - at `")
            steps = tuple(
                int(each) if each.isdigit() else each
                for each in re.findall(r"[^.\[\]`$]+", inner if inner.startswith("$") else "")
                if each != "..."
            )
            self.add(name, (*path, *steps), what, f"write {_told(kind)}")
            return None

    def regex(self, name: str, path: Path, text: str) -> bool:
        """True for an expression that compiles and captures nothing (they are joined into one)."""
        try:
            compiled = re.compile(text)
        except re.error as error:
            self.add(name, path, f"not a regular expression: {error}", "see re in Python's manual")
            return False
        if compiled.groups:
            self.add(name, path, "expressions are joined into one", "write groups as (?:…)")
        return not compiled.groups

    def suffixes(
        self, name: str, pairs: Iterable[tuple[str, str, Path]], *, unique: bool
    ) -> SuffixIndex[str]:
        """Suffix → row id; the first row wins unless `unique` forbids a second one."""
        found: dict[str, str] = {}
        for suffix, row, path in pairs:
            if suffix != suffix.lower() or suffix.endswith("."):
                fix = "write it lower-case, without the last dot"
                self.add(name, path, f"{suffix} matches no name", fix)
            if unique and found.get(suffix, row) != row:
                fix = "a name belongs to one row"
                self.add(name, path, f"{suffix} stands in row {found[suffix]} too", fix)
            found.setdefault(suffix, row)
        return SuffixIndex(found)


def words(text: str) -> list[str]:
    """A list as it stands in a field: words with a blank between them."""
    return text.split()


def _told(kind: Any) -> str:
    """A type in the words of somebody who writes YAML."""
    if isinstance(kind, EnumMeta):
        return "one of " + ", ".join(str(kind[name].value) for name in kind.__members__)
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(map(str, get_args(kind)))
    return _PLAIN.get(get_origin(kind) or kind, "fields, as name: value")
