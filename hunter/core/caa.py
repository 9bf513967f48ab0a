"""CAA records: who may issue certificates for a name (RFC 8659, 8657, 9495)."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from hunter.core.answers import Answer, Outcome, RRType
from hunter.core.judgement import Finding, State

#: one question to DNS; None means that it was not asked
Lookup = Callable[[str, RRType], Answer | None]

_RECORD = re.compile(r'([0-9]{1,3}) +([A-Za-z0-9]+) *(?:"(.*)"|(.*))', re.ASCII | re.DOTALL)
_WSP: Final = " \t"
_LABEL: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
#: issue-value and parameter of section 4.2; possessive: 64 KiB of blanks are split in one way only
_ISSUE_VALUE = re.compile(rf"[ \t]*+({_LABEL}(?:\.{_LABEL})*)?[ \t]*+(?:;(.*))?", re.DOTALL)
_PARAMETER = re.compile(rf"({_LABEL})[ \t]*=[ \t]*([\x21-\x3a\x3c-\x7e]*)")
_CRITICAL: Final = 0x80
_ISSUE: Final = frozenset({"issue", "issuewild", "issuemail"})
_KNOWN: Final = _ISSUE | {"iodef", "contactemail", "contactphone", "issuevmc"}


class CaaRecord(msgspec.Struct, frozen=True, gc=False):
    """One property."""

    critical: bool
    #: lower case
    tag: str
    #: for issue, issuewild and issuemail the authority's domain, "" for nobody; else as written
    value: str
    #: accounturi, validationmethods and the like, names lower case
    parameters: tuple[tuple[str, str], ...] = ()


class CaaSet(msgspec.Struct, frozen=True):
    """All properties at one name."""

    records: tuple[CaaRecord, ...]
    findings: tuple[Finding, ...] = ()

    def issuers(self, tag: str = "issue") -> tuple[str, ...] | None:
        """Authorities allowed for a tag; () is nobody, None is everybody.

        `issuewild` falls back to `issue` (RFC 8659 section 4.3). An unknown critical property
        allows nobody (section 4.1).
        """
        if any(record.critical and record.tag not in _KNOWN for record in self.records):
            return ()
        found = [record.value for record in self.records if record.tag == tag]
        if not found:
            return self.issuers("issue") if tag == "issuewild" else None
        return tuple(sorted({value for value in found if value}))


class CaaPosture(msgspec.Struct, frozen=True):
    """The set that governs a name, found by climbing to the parents."""

    state: State
    #: name that holds the set, "" without one
    holder: str = ""
    caa: CaaSet | None = None


def parse_caa(records: Sequence[str]) -> CaaSet:
    """Parse CAA records in presentation form ("0 issue letsencrypt.org"). Total."""
    parsed: list[CaaRecord] = []
    findings: list[Finding] = []
    for text in records:
        match = _RECORD.fullmatch(text.strip())
        if match is None or int(match[1]) > 255:
            findings.append(Finding.of("caa_unreadable", record=text))
            continue
        record, fault = _record(int(match[1]), match[2].lower(), match[3] or match[4] or "")
        parsed.append(record)
        if fault is not None:
            findings.append(fault)
    return CaaSet(tuple(parsed), tuple(findings))


def find_caa(domain: str, lookup: Lookup) -> CaaPosture:
    """Climb from `domain` to its parents until a set is found (RFC 8659 section 3)."""
    name = domain
    while name:
        answer = lookup(name, RRType.CAA)
        if answer is None or not answer.outcome.is_known:
            return CaaPosture(State.UNKNOWN)
        if answer.outcome is Outcome.FOUND:
            return CaaPosture(State.PRESENT, name, parse_caa(answer.records))
        name = name.partition(".")[2]
    return CaaPosture(State.ABSENT)


def _record(flags: int, tag: str, value: str) -> tuple[CaaRecord, Finding | None]:
    """A property and what is wrong with it; an issuer nobody can read is nobody (section 4.2)."""
    critical = bool(flags & _CRITICAL)
    if tag not in _ISSUE:
        if critical and tag not in _KNOWN:
            return CaaRecord(critical, tag, value), Finding.of("caa_unknown_critical", tag=tag)
        return CaaRecord(critical, tag, value), None
    match = _ISSUE_VALUE.fullmatch(value)
    parts = [part.strip(_WSP) for part in (match[2] or "").split(";")] if match else []
    if parts and not parts[-1]:
        parts.pop()
    parameters = [_PARAMETER.fullmatch(part) for part in parts]
    if match is None or None in parameters:
        return CaaRecord(critical, tag, ""), Finding.of(
            "caa_malformed_issuer", tag=tag, value=value
        )
    pairs = tuple((each[1].lower(), each[2]) for each in parameters if each is not None)
    return CaaRecord(critical, tag, (match[1] or "").lower(), pairs), None
