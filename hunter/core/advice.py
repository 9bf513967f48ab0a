"""A finding in words: how severe it is, what it means and how to put it right, in English or Turkish."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final, Literal

import msgspec

from hunter.core.judgement import Finding


class Language(StrEnum):
    """What Hunter speaks."""

    EN = "en"
    TR = "tr"


class Severity(StrEnum):
    """How much a finding matters."""

    #: worth knowing, nothing is wrong
    INFO = "info"
    #: works, but not as well as it should
    WARNING = "warning"
    #: receivers ignore it, or mail is lost
    ERROR = "error"


class Words(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A finding in one language; {name} in it is a parameter's value."""

    title: str
    message: str
    fix: str


class AdviceRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is known of one code."""

    code: str
    severity: Severity
    #: where it is written: "RFC 7208 section 4.6.4"
    source: str
    en: Words
    tr: Words

    def words(self, language: Language) -> Words:
        """The row in a language."""
        return self.tr if language is Language.TR else self.en


class Advice(msgspec.Struct, frozen=True):
    """A finding as people read it."""

    code: str
    severity: Literal["info", "warning", "error"]
    title: str
    message: str
    #: what to do
    fix: str
    #: where it is written, such as "RFC 7208 section 4.6.4"
    source: str
    #: what the words speak of, for those who write their own
    params: dict[str, str]


#: every code Hunter knows
Catalogue = Mapping[str, AdviceRow]

#: words for a finding of another version, whose code has no row here
_NO_ROW: Final = AdviceRow(
    "",
    Severity.INFO,
    "",
    Words(
        "Unknown finding", "This version of Hunter does not know the finding {code}.", "Scan again."
    ),
    Words(
        "Bilinmeyen bulgu", "Hunter'ın bu sürümü {code} bulgusunu tanımıyor.", "Yeniden tarayın."
    ),
)


class _Values(dict[str, str]):
    """Parameters by name; one that an earlier version did not store leaves a mark."""

    def __missing__(self, name: str) -> str:
        return "…"


def advise(finding: Finding, catalogue: Catalogue, language: Language = Language.EN) -> Advice:
    """The finding in words. Total: whatever was stored, by whatever version, can be shown."""
    row = catalogue.get(finding.code, _NO_ROW)
    words = row.words(language)
    params = dict(finding.params)
    values = _Values({"code": finding.code} | params)
    return Advice(
        code=finding.code,
        severity=row.severity.value,
        title=words.title.format_map(values),
        message=words.message.format_map(values),
        fix=words.fix.format_map(values),
        source=row.source,
        params=params,
    )


def advise_all(
    findings: Iterable[Finding], catalogue: Catalogue, language: Language = Language.EN
) -> tuple[Advice, ...]:
    """Findings in words, the worst first, else in their own order."""
    told = [advise(each, catalogue, language) for each in findings]
    return tuple(sorted(told, key=lambda each: _WORST_FIRST[each.severity]))


_WORST_FIRST: Final = {"error": 0, "warning": 1, "info": 2}
