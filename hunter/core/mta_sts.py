"""MTA-STS: the TXT record, the policy text and which hosts it covers (RFC 8461)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from hunter.core.judgement import Finding

#: section 3.1: v, then fields between semicolons, at most one at the end
_RECORD = re.compile(r"v=STSv1(?:[ \t]*;[ \t]*(.*))?", re.DOTALL)
_FIELD = re.compile(r"([A-Za-z0-9][A-Za-z0-9_.-]{0,31})=([\x21-\x3a\x3c\x3e-\x7e]+)")
_ID = re.compile(r"[A-Za-z0-9]{1,32}")
_POLICY_LINE = re.compile(r"([A-Za-z0-9][A-Za-z0-9_.-]{0,31}):[ \t]*(.*)", re.DOTALL)
#: keys whose values are checked by themselves
_KEYS: Final = frozenset({"version", "mode", "max_age", "mx"})
_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_MX = re.compile(rf"(?:\*\.)?{_LABEL}(?:\.{_LABEL})*")
#: what an unknown key may hold: anything that prints, blanks inside
_VALUE = re.compile(r"[^\x00-\x20\x7f-\x9f](?:[^\x00-\x1f\x7f-\x9f]*[^\x00-\x20\x7f-\x9f])?")
_AGE = re.compile(r"[0-9]{1,10}", re.ASCII)
#: section 3.2
MAX_AGE_S: Final = 31557600
#: a policy longer than this is not read (section 3.3 asks for a limit, 64 kB is its example)
MAX_POLICY_CHARS: Final = 64 * 1024
_MODES: Final = frozenset({"enforce", "testing", "none"})


class StsRecord(msgspec.Struct, frozen=True):
    """The records at `_mta-sts.<domain>` taken together."""

    valid: bool
    #: changes with every new policy; "" unless valid
    id: str = ""
    findings: tuple[Finding, ...] = ()


class StsPolicy(msgspec.Struct, frozen=True):
    """The policy file of a domain."""

    valid: bool
    #: enforce, testing or none; "" when not given
    mode: str = ""
    #: lower-case patterns
    mx: tuple[str, ...] = ()
    #: seconds
    max_age: int = 0
    findings: tuple[Finding, ...] = ()


def is_sts_record(text: str) -> bool:
    """True when a TXT record counts as an MTA-STS record at all (section 3.1)."""
    return text.startswith("v=STSv1;") or text.rstrip(" \t") == "v=STSv1"


def select_sts_record(txt_records: Sequence[str]) -> StsRecord | None:
    """The record among a name's TXT records; None when there is none, several are invalid."""
    found = [text for text in txt_records if is_sts_record(text)]
    if not found:
        return None
    if len(found) > 1:
        return _bad_record(Finding.of("mta_sts_multiple_records", count=len(found)))
    return parse_sts_record(found[0])


def parse_sts_record(text: str) -> StsRecord:
    """Parse one TXT record. Total."""
    match = _RECORD.fullmatch(text)
    if match is None:
        return _bad_record(Finding.of("mta_sts_not_a_record"))
    values: dict[str, str] = {}
    parts = [part.strip(" \t") for part in (match[1] or "").split(";")]
    if parts[-1] == "":
        parts.pop()
    for part in parts:
        field = _FIELD.fullmatch(part)
        if field is None:
            return _bad_record(Finding.of("mta_sts_invalid_field", field=part))
        values.setdefault(field[1], field[2])
    if not _ID.fullmatch(values.get("id", "")):
        return _bad_record(Finding.of("mta_sts_invalid_id"))
    return StsRecord(valid=True, id=values["id"])


def parse_sts_policy(text: str) -> StsPolicy:
    """Parse the policy file's text (section 3.2). Total; unknown keys are ignored."""
    if len(text) > MAX_POLICY_CHARS:
        return StsPolicy(valid=False, findings=(Finding.of("mta_sts_policy_too_large"),))
    values: dict[str, str] = {}
    patterns: list[str] = []
    faults: list[Finding] = []
    for whole in text.split("\n"):
        line = whole.removesuffix("\r").rstrip(" \t")
        match = _POLICY_LINE.fullmatch(line)
        if match is None or (match[1] not in _KEYS and not _VALUE.fullmatch(match[2])):
            if line:
                faults.append(Finding.of("mta_sts_policy_bad_line", line=line))
        elif match[1] == "mx":
            patterns.append(match[2].lower())
        else:
            values.setdefault(match[1], match[2])
    faults += _policy_faults(values, patterns)
    age = values.get("max_age", "")
    return StsPolicy(
        valid=not faults,
        mode=values.get("mode", ""),
        mx=tuple(patterns),
        max_age=int(age) if _AGE.fullmatch(age) else 0,
        findings=tuple(faults),
    )


def _policy_faults(values: dict[str, str], patterns: list[str]) -> list[Finding]:
    faults = []
    if values.get("version") != "STSv1":
        faults.append(Finding.of("mta_sts_policy_bad_version"))
    if values.get("mode") not in _MODES:
        faults.append(Finding.of("mta_sts_policy_bad_mode"))
    elif values["mode"] != "none" and not patterns:
        faults.append(Finding.of("mta_sts_policy_no_mx"))
    age = values.get("max_age", "")
    if not _AGE.fullmatch(age) or int(age) > MAX_AGE_S:
        faults.append(Finding.of("mta_sts_policy_bad_max_age", maximum=MAX_AGE_S))
    faults += [
        Finding.of("mta_sts_policy_bad_mx", pattern=pattern)
        for pattern in patterns
        if not _MX.fullmatch(pattern)
    ]
    return faults


def matches_mx(pattern: str, host: str) -> bool:
    """True when a policy's pattern covers an MX host; `*` stands for exactly one label."""
    pattern, host = pattern.lower().removesuffix("."), host.lower().removesuffix(".")
    if pattern.startswith("*."):
        label, dot, parent = host.partition(".")
        return bool(label and dot) and parent == pattern[2:]
    return pattern == host


def uncovered_hosts(policy: StsPolicy, hosts: Iterable[str]) -> tuple[str, ...]:
    """MX hosts that no pattern covers: in mode enforce they get no mail from careful senders."""
    return tuple(
        host for host in hosts if not any(matches_mx(pattern, host) for pattern in policy.mx)
    )


def _bad_record(fault: Finding) -> StsRecord:
    return StsRecord(valid=False, findings=(fault,))
