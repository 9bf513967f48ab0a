"""What a checkup of name servers found: how each check came out, and what follows for Hunter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum

import msgspec

from hunter.core.answers import Outcome


class Level(StrEnum):
    """How a check came out."""

    OK = "ok"
    #: slower or less well protected than it could be
    WARNING = "warning"
    #: makes Hunter wrong or blind
    FAULT = "fault"
    #: could not be found out
    SKIPPED = "skipped"


class Check(StrEnum):
    """What is looked at. All but the last are about one server."""

    #: does it answer over UDP
    REACHABLE = "reachable"
    #: does it ask others for us (RD and RA, RFC 1035 section 4.1.1)
    RECURSION = "recursion"
    #: does it take EDNS with 1232 bytes (RFC 6891, 9715)
    EDNS = "edns"
    #: does it answer over TCP (RFC 7766)
    TCP = "tcp"
    #: is what does not fit marked with TC, and whole over TCP
    TRUNCATION = "truncation"
    #: does it find names that exist
    KNOWN_NAMES = "known_names"
    #: does it pass on the record types that Hunter asks for, AAAA among them
    RECORD_TYPES = "record_types"
    #: does it say NXDOMAIN for names that do not exist
    NXDOMAIN = "nxdomain"
    #: does the question come back as it was sent, and nothing else with it (RFC 5452)
    MATCHING = "matching"
    #: does it set AD (RFC 6840 section 5.7)
    DNSSEC = "dnssec"
    #: how long does it take for what it has at hand
    LATENCY = "latency"
    #: does it answer many questions at once
    RATE = "rate"
    #: do the servers say the same
    AGREEMENT = "agreement"


class Verdict(StrEnum):
    """What the servers make of Hunter."""

    FINE = "fine"
    #: some companies or record types stay unknown, or a server only costs time
    DEGRADED = "degraded"
    #: nothing will be found out
    BLIND = "blind"
    #: something false will be found out
    WRONG = "wrong"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One check: how it came out, what was seen, and what to change where it is not ok."""

    check: Check
    level: Level
    detail: str
    advice: str = ""


class ServerReport(msgspec.Struct, frozen=True, kw_only=True):
    """All checks of one server; times in milliseconds, None when nothing was answered."""

    server: str
    checks: tuple[Finding, ...]
    median_ms: float | None
    p95_ms: float | None
    questions: int

    def has_fault(self, *checks: Check) -> bool:
        """True when one of these checks, or any when none is given, found a fault."""
        return any(
            each.level is Level.FAULT and (not checks or each.check in checks)
            for each in self.checks
        )

    @property
    def is_usable(self) -> bool:
        """True when Hunter gets answers from it at all."""
        return not self.has_fault(*_BLINDING)


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The whole checkup; `checks` are those about all servers together."""

    verdict: Verdict
    statement: str
    servers: tuple[ServerReport, ...]
    checks: tuple[Finding, ...]


#: faults after which no answer comes, and those after which a false one does
_BLINDING = (Check.REACHABLE, Check.RECURSION, Check.EDNS)
_LYING = (Check.NXDOMAIN, Check.KNOWN_NAMES)


# ── all servers together ──


class Said(msgspec.Struct, frozen=True):
    """What a usable server said: by known name how it ended, and the first name's MX records."""

    known: Mapping[str, Outcome]
    mail: tuple[str, ...]


def compare(said: Mapping[str, Said]) -> Finding:
    """Do the servers, by their text, say the same about names that exist?"""
    if len(said) < 2:
        detail = "fewer than two servers to compare"
        return Finding(check=Check.AGREEMENT, level=Level.SKIPPED, detail=detail)
    names = list(next(iter(said.values())).known)
    for name in names:
        told = {server: each.known[name] for server, each in said.items()}
        told = {server: outcome for server, outcome in told.items() if outcome.is_known}
        if len(set(told.values())) > 1:
            return Finding(
                check=Check.AGREEMENT,
                level=Level.FAULT,
                detail=f"{name}: "
                + ", ".join(f"{server} says {outcome}" for server, outcome in told.items()),
                advice="leave out the server that is wrong: Hunter asks them in turn",
            )
    if len({each.mail for each in said.values() if each.mail}) > 1:
        return Finding(
            check=Check.AGREEMENT,
            level=Level.WARNING,
            detail=f"the servers give different MX records for {names[0]}",
            advice="use servers that see the same DNS: a view of its own looks like a change",
        )
    return Finding(check=Check.AGREEMENT, level=Level.OK, detail="the servers say the same")


def conclude(reports: Sequence[ServerReport], checks: Sequence[Finding]) -> tuple[Verdict, str]:
    """What all of it means for Hunter, in one sentence."""
    usable = [report for report in reports if report.is_usable]
    if not usable:
        return Verdict.BLIND, (
            "Hunter will see nothing: no configured name server answers its questions, "
            "and every domain stays unknown."
        )
    liars = [report.server for report in usable if report.has_fault(*_LYING)]
    if liars:
        return Verdict.WRONG, (
            f"Hunter will be wrong: {' and '.join(liars)} says things that are not so, "
            "and no scan can tell them from the truth."
        )
    if any(each.level is Level.FAULT for each in checks):
        return Verdict.WRONG, (
            "Hunter will be wrong about some domains: the servers contradict each other."
        )
    return _without_lies(reports, usable, checks)


def _without_lies(
    reports: Sequence[ServerReport], usable: Sequence[ServerReport], checks: Sequence[Finding]
) -> tuple[Verdict, str]:
    gaps = {each.check for report in usable for each in report.checks if each.level is Level.FAULT}
    if gaps:
        return Verdict.DEGRADED, (
            "Hunter will say nothing false, but some answers stay unknown "
            f"({', '.join(sorted(gaps))})."
        )
    unseen = {
        each.check for report in usable for each in report.checks if each.level is Level.SKIPPED
    }
    if unseen:
        return Verdict.DEGRADED, (
            f"Hunter may miss answers: the servers gave too few to check ({', '.join(sorted(unseen))})."
        )
    if len(usable) < len(reports):
        return Verdict.DEGRADED, (
            f"Hunter will work with {len(usable)} of {len(reports)} name servers; "
            "the others cost it time."
        )
    every = [*checks, *(each for report in reports for each in report.checks)]
    if any(each.level is Level.WARNING for each in every):
        return Verdict.FINE, "Hunter will see what these servers see; the warnings cost it speed."
    return Verdict.FINE, "Hunter will see what these servers see, at full speed."
