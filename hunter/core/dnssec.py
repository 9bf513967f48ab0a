"""Whether a domain is signed, as its parent's DS records and the resolver's validation say (RFC 4033 to 4035)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum
from typing import Final

import msgspec

from hunter.core.answers import Answer, Outcome, RRType, Survey
from hunter.core.judgement import MAX_EVIDENCE, Evidence, Finding, quoted

_DS = re.compile(r"([0-9]{1,5}) ([0-9]{1,3}) ([0-9]{1,3}) ((?:[0-9A-Fa-f]{2})+)", re.ASCII)
#: digest type → octets (IANA registry; RFC 4509, 5933, 6605, 9563, 9558)
_DIGEST_BYTES: Final = {1: 20, 2: 32, 3: 32, 4: 48, 5: 32, 6: 32}
#: RFC 8624 section 3.3: SHA-1 and GOST must not be made any more
_WEAK_DIGESTS: Final = frozenset({1, 3})
#: RFC 8624 section 3.1 (and RFC 9905, 9906): RSA with SHA-1, DSA, GOST and RSA with MD5
_WEAK_ALGORITHMS: Final = frozenset({1, 3, 5, 6, 7, 12})
#: RFC 8624 section 3.1: validators must not, or need not, know these; such a zone counts as unsigned
_DEAD_ALGORITHMS: Final = frozenset({1, 3, 6, 12})
_NAMES: Final = {
    1: "RSAMD5", 3: "DSA", 5: "RSASHA1", 6: "DSA-NSEC3-SHA1", 7: "RSASHA1-NSEC3-SHA1",
    8: "RSASHA256", 10: "RSASHA512", 12: "ECC-GOST", 13: "ECDSAP256SHA256",
    14: "ECDSAP384SHA384", 15: "ED25519", 16: "ED448", 17: "SM2SM3", 23: "ECC-GOST12",
}  # fmt: skip
_OWN: Final = ((RRType.MX, ""), (RRType.TXT, ""), (RRType.NS, ""), (RRType.SOA, ""))


class DnssecState(StrEnum):
    """What is known of a domain's signatures."""

    #: signed, and a resolver we trust has validated an answer
    SECURE = "secure"
    #: the parent has a DS record; whether the signatures hold nobody we trust has said
    SIGNED = "signed"
    #: no DS record, or none that validators understand: answers prove themselves by nothing
    INSECURE = "insecure"
    #: signed, and validators refuse the answers
    BOGUS = "bogus"
    #: the deciding question was not asked or not answered
    UNKNOWN = "unknown"


class Ds(msgspec.Struct, frozen=True, gc=False):
    """One DS record (RFC 4034 section 5)."""

    key_tag: int
    algorithm: int
    digest_type: int
    #: upper-case hex
    digest: str

    @property
    def is_whole(self) -> bool:
        """True unless the digest has another length than its type."""
        wanted = _DIGEST_BYTES.get(self.digest_type)
        return wanted is None or len(self.digest) == 2 * wanted


class Dnssec(msgspec.Struct, frozen=True):
    """The signatures of one domain."""

    state: DnssecState
    records: tuple[Ds, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    findings: tuple[Finding, ...] = ()
    #: ISO 8601 instant of the deciding answer when that is older than this scan, else ""
    stale_since: str = ""


def parse_ds(text: str) -> Ds | None:
    """A DS record in presentation form ("12345 13 2 HEX"), None when it is none. Total."""
    match = _DS.fullmatch(text.strip())
    if match is None:
        return None
    tag, algorithm, digest_type = (int(match[n]) for n in (1, 2, 3))
    if tag > 0xFFFF or algorithm > 0xFF or digest_type > 0xFF:
        return None
    return Ds(tag, algorithm, digest_type, match[4].upper())


def read_dnssec(survey: Survey) -> Dnssec:
    """What the survey shows of the domain's signatures.

    The AD bit counts only where `survey.validated` says that the resolver is trusted (RFC 6840
    section 5.8). A missing DS record proves something only for a name that is a zone of its own.
    """
    answer = survey.get(RRType.DS)
    if answer is None or not answer.outcome.is_known:
        return Dnssec(DnssecState.UNKNOWN, evidence=() if answer is None else (_proof(answer),))
    if answer.outcome.is_absent:
        if not _is_zone(survey):
            return Dnssec(DnssecState.UNKNOWN, evidence=(_proof(answer),))
        unsigned = Finding.of("dnssec_unsigned", domain=survey.domain)
        return Dnssec(
            DnssecState.INSECURE, (), (_proof(answer),), (unsigned,), stale_since=answer.stale_since
        )
    parsed = [parse_ds(text) for text in sorted(answer.records)]
    records = tuple(each for each in parsed if each is not None)
    state = _state(survey, records)
    return Dnssec(
        state=state,
        records=records,
        evidence=_evidence(survey, answer),
        findings=tuple(_findings(survey.domain, records, state, unreadable=None in parsed)),
        stale_since=answer.stale_since,
    )


def _is_zone(survey: Survey) -> bool:
    """True when the domain is proved to be the top of a zone."""
    for rrtype in (RRType.NS, RRType.SOA):
        answer = survey.get(rrtype)
        if answer is not None and answer.outcome is Outcome.FOUND and not answer.chain:
            return True
    return False


def _state(survey: Survey, records: tuple[Ds, ...]) -> DnssecState:
    own = [answer for question in _OWN if (answer := survey.get(*question)) is not None]
    if _is_bogus(survey, own):
        return DnssecState.BOGUS
    if records and all(each.algorithm in _DEAD_ALGORITHMS for each in records):
        return DnssecState.INSECURE
    known = [answer for answer in own if answer.outcome.is_known and not answer.stale_since]
    if not survey.validated or not known:
        return DnssecState.SIGNED
    if all(answer.authenticated for answer in known if not answer.chain):
        return DnssecState.SECURE
    return DnssecState.SIGNED


def _is_bogus(survey: Survey, own: Iterable[Answer]) -> bool:
    """True when all own answers fail and the same question without validation does not.

    Bogus data is a SERVFAIL (RFC 4035 section 5.5) that the CD bit makes go away (section 3.2.2).
    """
    unchecked = survey.unchecked
    if unchecked is None or not unchecked.outcome.is_known:
        return False
    outcomes = {answer.outcome for answer in own}
    return outcomes == {Outcome.SERVFAIL}


def _findings(
    domain: str, records: tuple[Ds, ...], state: DnssecState, *, unreadable: bool
) -> Iterable[Finding]:
    if state is DnssecState.BOGUS:
        yield Finding.of("dnssec_bogus", domain=domain)
    if unreadable or not all(each.is_whole for each in records):
        yield Finding.of("dnssec_unreadable_ds", domain=domain)
    algorithms = {each.algorithm for each in records}
    if algorithms and algorithms <= _DEAD_ALGORITHMS:
        yield Finding.of("dnssec_dead_algorithm", algorithm=_listed(algorithms))
    elif algorithms & _WEAK_ALGORITHMS:
        yield Finding.of("dnssec_weak_algorithm", algorithm=_listed(algorithms & _WEAK_ALGORITHMS))
    if records and all(each.digest_type in _WEAK_DIGESTS for each in records):
        yield Finding.of("dnssec_weak_digest", domain=domain)


def _listed(algorithms: Iterable[int]) -> str:
    return ", ".join(f"{each} {_NAMES[each]}" for each in sorted(algorithms))


def _evidence(survey: Survey, answer: Answer) -> tuple[Evidence, ...]:
    found = [_proof(answer, record) for record in sorted(answer.records)[:MAX_EVIDENCE]]
    if survey.unchecked is not None:
        asked = survey.unchecked
        question = f"{asked.question} with CD=1"
        found.append(Evidence(question, asked.outcome.value, next(iter(asked.records), "")))
    return tuple(found)


def _proof(answer: Answer, record: str = "") -> Evidence:
    return Evidence(answer.question, answer.outcome.value, quoted(record))
