"""What holds for every parser's result, whatever the bytes were."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from hunter.core.advice import Language, Severity, advise
from hunter.core.judgement import Finding
from hunter.knowledge.findings import load_findings

_CODE = re.compile(r"[a-z][a-z0-9_]*")
_CATALOGUE = load_findings()
#: a result of these many bytes may come out of nothing
_BASE_BYTES = 20_000
#: a byte of input may be a whole record of its own, and every record may be told about
_GROWTH = 250
#: findings that do not depend on how much was given
_BASE_FINDINGS = 40


def hold(value: msgspec.Struct, size: int) -> None:
    """A result can be stored and sent, and is no larger than `size` bytes of input justify."""
    packed = msgspec.json.encode(value)
    assert msgspec.json.decode(packed, type=type(value)) == value, "it changes on its way"
    assert len(packed) <= _BASE_BYTES + _GROWTH * size, f"{len(packed)} bytes out of {size}"
    for text in _texts(msgspec.to_builtins(value)):
        assert "\0" not in text, "PostgreSQL stores no NUL"
        text.encode()


def hold_findings(findings: Sequence[Finding], size: int, prefix: str) -> None:
    """Findings are of the parser's own kind, tell something, and are no more than the input has parts."""
    assert len(findings) <= _BASE_FINDINGS + size, f"{len(findings)} findings out of {size} bytes"
    for finding in findings:
        assert _CODE.fullmatch(finding.code), finding
        assert finding.code.startswith(prefix), finding
        assert finding.code in _CATALOGUE, finding
        for language in Language:
            told = advise(finding, _CATALOGUE, language)
            assert "…" not in told.title, finding
            assert all(text.isprintable() for text in (told.message, told.fix)), finding


def errors_of(findings: Sequence[Finding]) -> list[str]:
    """Codes of the findings that say a record is broken."""
    return [
        finding.code for finding in findings if _CATALOGUE[finding.code].severity is Severity.ERROR
    ]


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _texts(key)
            yield from _texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner)
