"""A data file's text as values, and the line on which each of them stands."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import yaml

from hunter.knowledge.problems import Problem

#: names of sections and fields, and numbers of rows: ("rules", 3, "when")
Path = tuple[str | int, ...]
_WHERE_YAML_BREAKS: Final = (
    "see that quotes and brackets are closed and that lines are indented with blanks"
)


class Source:
    """One data file, read."""

    def __init__(self, name: str, text: str) -> None:
        #: "rules.yaml"
        self.file = f"{name}.yaml"
        self.content: dict[str, Any] = {}
        #: what is wrong with the file as YAML
        self.problems: list[Problem] = []
        self._root: yaml.Node | None = None
        try:
            self._read(text)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            what = getattr(error, "problem", None) or str(error).splitlines()[0]
            line = mark.line + 1 if mark is not None else 1
            self._add(line, "YAML", f"not YAML: {what}", _WHERE_YAML_BREAKS)
        except ValueError as error:  # a date such as 2026-13-45
            self._add(1, "YAML", f"a value is none: {error}", "write dates as year-month-day")

    def _read(self, text: str) -> None:
        # CSafeLoader is libyaml: ten times the speed of the Python one, the same safety
        loader = yaml.CSafeLoader(text)
        try:
            self._root = loader.get_single_node()
            if not isinstance(self._root, yaml.MappingNode):
                self._add(1, "YAML", "wants named sections at the top level", "begin with version:")
                return
            for line, key in _repeated(self._root):
                self._add(line, key, "stands here twice", "keep one of the two")
            self.content = loader.construct_document(self._root)
        finally:
            loader.dispose()

    def _add(self, line: int, field: str, problem: str, fix: str) -> None:
        self.problems.append(Problem(self.file, line, "file", field, problem, fix))

    def line(self, path: Path) -> int:
        """The line of what stands at `path`, or of the nearest thing around it."""
        node, line = self._root, 1
        for step in path:
            node, at = _child(node, step)
            if node is None:
                break
            line = at
        return line


def _child(node: yaml.Node | None, step: str | int) -> tuple[yaml.Node | None, int]:
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        child = node.value[step]
        return child, child.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        for key, child in node.value:
            if key.value == step:
                return child, key.start_mark.line + 1
    return None, 0


def _repeated(node: yaml.Node) -> Iterator[tuple[int, str]]:
    """Names that stand twice in one mapping: YAML would silently take the last."""
    if isinstance(node, yaml.SequenceNode):
        for child in node.value:
            yield from _repeated(child)
    elif isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, child in node.value:
            if isinstance(key.value, str):
                if key.value in seen:
                    yield key.start_mark.line + 1, key.value
                seen.add(key.value)
            yield from _repeated(child)
