"""A set of MX records: groups by preference, null MX and faults (RFC 5321, 7505)."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from functools import lru_cache
from typing import Final

import msgspec

from hunter.core.answers import Answer, Outcome, RRType
from hunter.core.judgement import Finding

#: one question to DNS; None means that it was not asked
Lookup = Callable[[str, RRType], Answer | None]

#: more hosts than this are cut with a note
MAX_HOSTS: Final = 20
_FEW: Final = 4
_RECORD = re.compile(r"([0-9]{1,5}) +(\S+)", re.ASCII)
_A, _AAAA = RRType.A, RRType.AAAA
_IPV4 = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}", re.ASCII)


class MxState(StrEnum):
    """Whether and how a domain takes mail."""

    MX = "mx"
    #: "0 ." alone: the domain says that it takes none
    NULL_MX = "null_mx"
    #: no MX but an address: mail goes to the address, by RFC 5321 section 5.1
    IMPLICIT = "implicit"
    #: no MX, and no address when that was asked
    ABSENT = "absent"
    UNKNOWN = "unknown"


class MxGroup(msgspec.Struct, frozen=True, gc=False):
    """Hosts of equal preference, sorted; lower is tried first."""

    preference: int
    hosts: tuple[str, ...]


class MxSet(msgspec.Struct, frozen=True):
    """All MX records of one name."""

    state: MxState
    groups: tuple[MxGroup, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def hosts(self) -> tuple[str, ...]:
        """All hosts, best preference first, each once."""
        return tuple(dict.fromkeys(host for group in self.groups for host in group.hosts))


def parse_mx(records: Sequence[str]) -> MxSet:
    """Parse MX records in presentation form ("10 mx.contoso.com"). Total; order does not matter."""
    pairs, findings = _pairs(records)
    real = [(preference, host) for preference, host in pairs if host]
    if len(pairs) > len(real):
        if not real:
            return MxSet(MxState.NULL_MX, findings=tuple(findings))
        findings.append(Finding.of("mx_null_mx_with_others"))
    if len(real) > MAX_HOSTS:
        findings.append(Finding.of("mx_too_many", count=len(real)))
    kept = real[:MAX_HOSTS]
    for host in dict.fromkeys(host for _, host in kept):
        fault = _name_fault(host)
        if fault is not None:
            findings.append(fault)
    state = MxState.MX if kept else MxState.ABSENT
    return MxSet(state, tuple(_groups(kept)), tuple(findings))


def analyse_mx(
    answer: Answer | None, addresses: Iterable[Answer | None] = (), lookup: Lookup | None = None
) -> MxSet:
    """What an MX answer means; `addresses` are the domain's own A and AAAA answers.

    With `lookup` the hosts' addresses are checked too; hosts nobody asked for are not faults.
    """
    if answer is None or not answer.outcome.is_known:
        return MxSet(MxState.UNKNOWN)
    if answer.outcome is Outcome.FOUND:
        few = len(answer.records) <= _FEW
        found = _parse_known(answer.records) if few else parse_mx(answer.records)
        faults = () if lookup is None else _target_faults(found.hosts, lookup)
        if not faults:
            return found
        return msgspec.structs.replace(found, findings=(*found.findings, *faults))
    if any(other is not None and other.outcome is Outcome.FOUND for other in addresses):
        return MxSet(MxState.IMPLICIT, findings=(Finding.of("mx_implicit"),))
    return MxSet(MxState.ABSENT)


#: customers of one provider publish the same few records
_parse_known = lru_cache(maxsize=4096)(parse_mx)


def _pairs(records: Sequence[str]) -> tuple[list[tuple[int, str]], list[Finding]]:
    """Preferences and hosts, sorted; the host of a null MX is empty."""
    pairs: set[tuple[int, str]] = set()
    findings = []
    for text in sorted(set(records)):
        match = _RECORD.fullmatch(text.strip())
        if match is None:
            findings.append(Finding.of("mx_unreadable", record=text))
        else:
            pairs.add((int(match[1]), match[2].lower().removesuffix(".")))
    return sorted(pairs), findings


def _groups(pairs: list[tuple[int, str]]) -> list[MxGroup]:
    by_preference: dict[int, list[str]] = {}
    for preference, host in pairs:
        by_preference.setdefault(preference, []).append(host)
    return [MxGroup(preference, tuple(hosts)) for preference, hosts in by_preference.items()]


@lru_cache(maxsize=4096)  # a name is looked at with its record and with its addresses
def _name_fault(host: str) -> Finding | None:
    """What is wrong with a host by its name alone."""
    bare = host.strip("[]")
    if _IPV4.fullmatch(bare) or ":" in bare:
        return Finding.of("mx_ip_literal", host=host)
    if bare == "localhost" or bare.endswith((".localhost", ".localdomain")):
        return Finding.of("mx_localhost", host=host)
    if "." not in bare:
        return Finding.of("mx_single_label", host=host)
    return None


def _target_faults(hosts: tuple[str, ...], lookup: Lookup) -> list[Finding]:
    """What is wrong with hosts by their addresses: CNAME, missing, private."""
    faults = []
    for host in hosts:
        if _name_fault(host) is None:
            found = (lookup(host, _A), lookup(host, _AAAA))
            answers = [answer for answer in found if answer is not None]
            fault = _address_fault(host, answers) if answers else None
            if fault is not None:
                faults.append(fault)
    return faults


def _address_fault(host: str, answers: list[Answer]) -> Finding | None:
    if any(answer.chain for answer in answers):
        return Finding.of("mx_cname", host=host)
    if any(answer.outcome is Outcome.NXDOMAIN for answer in answers):
        return Finding.of("mx_missing_host", host=host)
    records = [text for answer in answers for text in answer.records]
    if not records:
        both = len(answers) == 2 and all(answer.outcome.is_absent for answer in answers)
        return Finding.of("mx_missing_host", host=host) if both else None
    if any(_is_public(text) for text in records):
        return None
    return Finding.of("mx_private_address", host=host)


@lru_cache(maxsize=4096)  # a few hosting companies' addresses make up most of them
def _is_public(text: str) -> bool:
    try:
        return ipaddress.ip_address(text).is_global
    except ValueError:
        return False
