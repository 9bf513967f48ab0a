"""Reads findings.yaml: what every finding means and how to put it right, in every language."""

from __future__ import annotations

import string
from functools import lru_cache
from importlib import resources

import msgspec
import yaml

from hunter.core.advice import AdviceRow, Catalogue, Language
from hunter.core.errors import Misconfigured

_FILE = "findings.yaml"


@lru_cache(maxsize=1)
def load_findings() -> Catalogue:
    """The packaged catalogue, read once per process; raises Misconfigured naming row and field."""
    folder = resources.files("hunter.knowledge") / "data"
    return build_findings((folder / _FILE).read_text(encoding="utf-8"))


def build_findings(text: str) -> Catalogue:
    """A catalogue out of the file's text; raises Misconfigured naming row and field."""
    try:
        content = yaml.load(text, Loader=yaml.CSafeLoader)
    except yaml.YAMLError as error:
        raise Misconfigured(f"{_FILE}: not YAML: {error}") from error
    rows = content.get("findings") if isinstance(content, dict) else None
    if not isinstance(rows, list):
        raise Misconfigured(f"{_FILE}: section findings: wants a list of rows")
    catalogue: dict[str, AdviceRow] = {}
    for number, item in enumerate(rows, 1):
        row = _row(number, item)
        if row.code in catalogue:
            raise Misconfigured(f"{_FILE}: row {number} ({row.code}): code: used twice")
        catalogue[row.code] = row
    return catalogue


def holes_of(text: str) -> frozenset[str]:
    """Names in braces in a text; raises ValueError where they are no plain names."""
    names = set()
    for _, name, form, conversion in string.Formatter().parse(text):
        if name is None:
            continue
        if not name.isidentifier() or form or conversion:
            raise ValueError(f"{{{name}}} is not a plain name in braces")
        names.add(name)
    return frozenset(names)


def row_holes(row: AdviceRow, language: Language) -> frozenset[str]:
    """Parameters that the words of a row speak of; raises ValueError as `holes_of` does."""
    words = row.words(language)
    return frozenset().union(*map(holes_of, msgspec.structs.astuple(words)))


def _row(number: int, item: object) -> AdviceRow:
    code = item.get("code", "") if isinstance(item, dict) else ""
    place = f"{_FILE}: row {number} ({code})"
    try:
        row = msgspec.convert(item, AdviceRow)
    except msgspec.ValidationError as error:
        what, _, field = str(error).partition(" - at `$.")
        raise Misconfigured(f"{place}: {field.rstrip('`') or 'row'}: {what}") from error
    for language in Language:
        words = row.words(language)
        for field in words.__struct_fields__:
            if not getattr(words, field).strip():
                raise Misconfigured(f"{place}: {language}.{field}: is empty")
    try:
        english, turkish = (row_holes(row, language) for language in (Language.EN, Language.TR))
    except ValueError as error:
        raise Misconfigured(f"{place}: {error}") from error
    if english != turkish:
        raise Misconfigured(f"{place}: tr: speaks of {sorted(turkish)}, en of {sorted(english)}")
    return row
