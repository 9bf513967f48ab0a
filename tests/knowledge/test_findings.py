"""The catalogue of findings: every code that is emitted has its row, and every row is emitted."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import hunter.core
from hunter.core.advice import AdviceRow, Language
from hunter.core.errors import Misconfigured
from hunter.knowledge.findings import build_findings, load_findings, row_holes

CORE = Path(hunter.core.__file__).parent
GOOD = """
findings:
- {code: a, severity: info, source: RFC 1, en: {title: T, message: "{x}", fix: F}, tr: {title: B, message: "{x}", fix: D}}
"""


def emitted() -> Iterator[tuple[str, frozenset[str], str]]:
    """Code, names of the parameters and place of every `Finding.of` in the core."""
    for path in sorted(CORE.glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "Finding.of":
                names = frozenset(each.arg or "**" for each in node.keywords)
                for code in _codes(node.args[0], tree):
                    yield code, names, f"{path.name}:{node.lineno}"


def _codes(argument: ast.expr, tree: ast.Module) -> list[str]:
    """The codes an argument can be: a literal, one of two, or a value of a module's table."""
    if isinstance(argument, ast.Subscript):
        table = ast.unparse(argument.value)
        (values,) = [
            node.value.values
            for node in tree.body
            if isinstance(node, ast.AnnAssign | ast.Assign)
            and isinstance(node.value, ast.Dict)
            and table in ast.unparse(node).partition("=")[0]
        ]
        return [code for each in values for code in _codes(each, tree)]
    if isinstance(argument, ast.IfExp):
        return [*_codes(argument.body, tree), *_codes(argument.orelse, tree)]
    assert isinstance(argument, ast.Constant), f"not to be read: {ast.unparse(argument)}"
    return [str(argument.value)]


EMITTED = list(emitted())
CATALOGUE = load_findings()


@pytest.mark.parametrize(("code", "names", "place"), EMITTED, ids=[each[2] for each in EMITTED])
def test_every_code_has_its_row_and_gives_what_the_words_speak_of(
    code: str, names: frozenset[str], place: str
) -> None:
    assert code in CATALOGUE, f"{place}: {code} has no row in findings.yaml"
    missing = row_holes(CATALOGUE[code], Language.EN) - names
    assert not missing, f"{place}: {code} is emitted without {sorted(missing)}"


def test_every_row_is_emitted() -> None:
    assert CATALOGUE.keys() - {code for code, _, _ in EMITTED} == set()


@pytest.mark.parametrize("row", CATALOGUE.values(), ids=CATALOGUE)
def test_a_row_reads_as_sentences_and_names_its_source(row: AdviceRow) -> None:
    for language in Language:
        words = row.words(language)
        assert not words.title.endswith(".")
        assert words.title[0] != " "
        assert words.message.endswith((".", ";", "}"))
        assert words.fix.endswith(".")
    assert row.source.startswith(("RFC ", "draft-", "Exchange Online"))
    assert row.en != row.tr


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("findings:", "rows:", "section findings"),
        ("{code: a", "{code: a]", "not YAML"),
        ("severity: info", "severity: bad", "row 1 (a): severity"),
        ("title: T", "title: ''", "en.title: is empty"),
        ("fix: F", "fix: '{y}'", "tr: speaks of ['x'], en of ['x', 'y']"),
        ('tr: {title: B, message: "{x}"', 'tr: {title: B, message: "{x.y}"', "plain name"),
        ("tr:", "de:", "de"),
    ],
)
def test_a_bad_row_is_named_with_its_fault(old: str, new: str, fault: str) -> None:
    assert build_findings(GOOD).keys() == {"a"}

    with pytest.raises(Misconfigured) as caught:
        build_findings(GOOD.replace(old, new))

    assert "findings.yaml" in str(caught.value)
    assert fault in str(caught.value)


def test_a_code_stands_once() -> None:
    with pytest.raises(Misconfigured, match="used twice"):
        build_findings(GOOD + GOOD.partition("findings:\n")[2])


def test_a_row_is_a_mapping() -> None:
    with pytest.raises(Misconfigured, match="row 1"):
        build_findings("findings: [1]")
