"""DANE for mail: the TLSA records of MX hosts, and whether a sender may rely on them (RFC 6698, 7671, 7672)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from hunter.core.answers import Answer, RRType, Survey
from hunter.core.dnssec import Dnssec, DnssecState
from hunter.core.judgement import MAX_EVIDENCE, Evidence, Finding, State, quoted

_RECORD = re.compile(r"([0-9]{1,3}) ([0-9]{1,3}) ([0-9]{1,3}) ?((?:[0-9A-Fa-f]{2})*)", re.ASCII)
#: RFC 7672 section 3.1: DANE-TA and DANE-EE; PKIX-TA and PKIX-EE (0, 1) are unusable for SMTP
_USAGES: Final = frozenset({2, 3})
_SELECTORS: Final = frozenset({0, 1})
#: matching type → octets: SHA2-256 and SHA2-512; 0 is the certificate or key itself
_MATCHING: Final = {1: 32, 2: 64}
#: bits that order states: a host that is proved not to be protected outweighs one nobody knows
_RANK: Final = {State.PRESENT: 0, State.UNKNOWN: 1, State.ABSENT: 2}


class Tlsa(msgspec.Struct, frozen=True, gc=False):
    """One TLSA record (RFC 6698 section 2.1)."""

    #: 0 PKIX-TA, 1 PKIX-EE, 2 DANE-TA, 3 DANE-EE
    usage: int
    #: 0 whole certificate, 1 public key
    selector: int
    #: 0 full, 1 SHA2-256, 2 SHA2-512
    matching: int
    #: upper-case hex
    data: str

    @property
    def fault(self) -> str | None:
        """Why a mail server cannot use it: usage, parameter or length; None when it can."""
        if self.usage in {0, 1}:
            return "usage"
        if self.usage not in _USAGES or self.selector not in _SELECTORS:
            return "parameter"
        if self.matching == 0:
            return None if self.data else "length"
        if self.matching not in _MATCHING:
            return "parameter"
        return None if len(self.data) == 2 * _MATCHING[self.matching] else "length"


class TlsaSet(msgspec.Struct, frozen=True):
    """The TLSA records of one mail host; one that can be used is enough."""

    records: tuple[Tlsa, ...]
    findings: tuple[Finding, ...] = ()

    @property
    def is_usable(self) -> bool:
        """True when a sender can authenticate the host by at least one record."""
        return any(each.fault is None for each in self.records)


class Dane(msgspec.Struct, frozen=True):
    """DANE for a domain's mail, all MX hosts together."""

    #: present: every host is protected; absent: one is proved not to be; unknown: neither
    state: State
    #: hosts with usable records
    hosts: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    findings: tuple[Finding, ...] = ()


def parse_tlsa(text: str) -> Tlsa | None:
    """A TLSA record in presentation form ("3 1 1 HEX"), None when it is none. Total."""
    match = _RECORD.fullmatch(text.strip())
    if match is None:
        return None
    usage, selector, matching = (int(match[n]) for n in (1, 2, 3))
    if max(usage, selector, matching) > 0xFF:
        return None
    return Tlsa(usage, selector, matching, match[4].upper())


def parse_tlsa_set(host: str, texts: Sequence[str]) -> TlsaSet:
    """The TLSA records of a mail host, with what is wrong with them. Order does not matter."""
    parsed = [parse_tlsa(text) for text in sorted(set(texts))]
    records = tuple(each for each in parsed if each is not None)
    faults = {each.fault for each in records}
    findings = []
    if None in parsed:
        findings.append(Finding.of("dane_unreadable_tlsa", host=host))
    if "usage" in faults:
        findings.append(Finding.of("dane_pkix_usage", host=host))
    if "parameter" in faults:
        findings.append(Finding.of("dane_unknown_parameter", host=host))
    if "length" in faults:
        findings.append(Finding.of("dane_cut_digest", host=host))
    if any(each.fault is None and each.matching == 0 for each in records):
        findings.append(Finding.of("dane_full_data", host=host))
    found = TlsaSet(records)
    if texts and not found.is_usable:
        findings.append(Finding.of("dane_no_usable_tlsa", host=host))
    return TlsaSet(records, tuple(findings))


def read_dane(survey: Survey, hosts: Sequence[str], dnssec: Dnssec) -> Dane | None:
    """DANE for these MX hosts; None when no TLSA question was asked.

    Records count only when MX, host address and TLSA are all validated (RFC 7672 section 2.2): by
    a resolver we trust, or nothing is known. A domain proved unsigned has no DANE.
    """
    asked = [survey.lookup(f"_25._tcp.{host}", RRType.TLSA) for host in hosts]
    if not any(asked):
        return None
    seen = [_host(survey, host, answer) for host, answer in zip(hosts, asked, strict=True)]
    usable = tuple(host for host, (_, is_usable, _) in zip(hosts, seen, strict=True) if is_usable)
    findings = [finding for _, _, found in seen for finding in found]
    state = max((state for state, _, _ in seen), key=lambda each: _RANK[each])
    evidence = tuple(_proofs(answer for answer in asked if answer is not None))[:MAX_EVIDENCE]
    if dnssec.state is DnssecState.INSECURE:
        state = State.ABSENT
        evidence += dnssec.evidence
        if usable:
            findings.append(Finding.of("dane_without_dnssec", domain=survey.domain))
    bare = _bare(hosts, asked)
    if usable and bare:
        findings.append(Finding.of("dane_host_without_tlsa", hosts=", ".join(bare)))
    return Dane(state, usable, evidence, tuple(findings))


def _bare(hosts: Sequence[str], asked: Sequence[Answer | None]) -> list[str]:
    """Hosts that are proved to have no TLSA record."""
    pairs = zip(hosts, asked, strict=True)
    return [host for host, answer in pairs if answer is not None and answer.outcome.is_absent]


def _host(
    survey: Survey, host: str, answer: Answer | None
) -> tuple[State, bool, tuple[Finding, ...]]:
    """State of one host, whether its records are usable, and what is wrong with them."""
    if answer is None or not answer.outcome.is_known:
        return State.UNKNOWN, False, ()
    if answer.outcome.is_absent:
        return State.ABSENT, False, ()
    found = parse_tlsa_set(host, answer.records)
    if not found.is_usable:
        return State.ABSENT, False, found.findings
    if not survey.validated:
        return State.UNKNOWN, True, found.findings
    chain = [survey.get(RRType.MX), answer, survey.lookup(host, RRType.A)]
    known = [each for each in chain if each is not None and each.outcome.is_known]
    if not all(each.authenticated for each in known):
        insecure = Finding.of("dane_not_validated", host=host)
        return State.ABSENT, True, (*found.findings, insecure)
    return (State.PRESENT if len(known) == len(chain) else State.UNKNOWN), True, found.findings


def _proofs(answers: Iterable[Answer]) -> Iterable[Evidence]:
    for answer in answers:
        for record in sorted(answer.records) or [""]:
            yield Evidence(answer.question, answer.outcome.value, quoted(record))
