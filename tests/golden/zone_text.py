"""Zone text of a golden case, and the survey that a full scan of that zone would bring home.

One record a line: `name type data`, names below the domain ("@" is the domain itself, a trailing dot
makes a name absolute). TXT data stands as it is, without quotes. In place of the data an outcome in
capitals says how the question ended: `@ MX TIMEOUT`. `* ANY SERVFAIL` is said to every question that
the zone does not answer. Names not in the zone do not exist; `* CNAME target` answers for them.
"""

from __future__ import annotations

from collections.abc import Iterable

from hunter.core.answers import Answer, Depth, Outcome, RRType, Survey
from hunter.core.dmarc_walk import walk_names
from hunter.core.wildcard import WILDCARD, WILDCARD_KEY
from hunter.knowledge.load import Knowledge

#: what a scan asks below every domain (hunter.resolver.survey)
_QUICK = (
    (RRType.MX, ""),
    (RRType.TXT, ""),
    (RRType.NS, ""),
    (RRType.TXT, "_dmarc"),
    (RRType.CNAME, "autodiscover"),
    (RRType.CNAME, "enterpriseregistration"),
)
_FULL = (
    *_QUICK,
    (RRType.A, ""),
    (RRType.CAA, ""),
    (RRType.DS, ""),
    (RRType.CNAME, "enterpriseenrollment"),
    (RRType.CNAME, "lyncdiscover"),
    (RRType.CNAME, "sip"),
    (RRType.CNAME, "msoid"),
    (RRType.CNAME, "www"),
    (RRType.CNAME, "portal"),
    (RRType.CNAME, "support"),
    (RRType.CNAME, "partner"),
    (RRType.CNAME, "customer"),
    (RRType.TXT, "_for-sale"),
    (RRType.SRV, "_sipfederationtls._tcp"),
    (RRType.SRV, "_autodiscover._tcp"),
    (RRType.A, "autodiscover"),
    (RRType.TXT, "_mta-sts"),
    (RRType.TXT, "_smtp._tls"),
    (RRType.TXT, "default._bimi"),
    (RRType.CNAME, WILDCARD),
    (RRType.A, WILDCARD),
    (RRType.TXT, WILDCARD_KEY),
)
#: what nobody wants to read or to see obeyed in a data file
_WORDS = {
    "{U+202E}": "\u202e",
    "{ESC}": "\x1b",
    "{HUGE}": "x" * 64_000,
    "{TERMS}": " ".join(f"ip4:192.0.2.{number % 256}" for number in range(3_000)),
}
_OUTCOMES = {outcome.name: outcome for outcome in Outcome}


class Zone:
    """The records and outcomes of a zone text."""

    def __init__(self, domain: str, text: str) -> None:
        self.domain = domain
        self.rest: Outcome | None = None
        self.outcomes: dict[tuple[str, RRType], Outcome] = {}
        self.records: dict[tuple[str, RRType], list[str]] = {}
        for line in text.splitlines():
            if line.strip():
                self._read(line)
        #: names that exist, if only because something below them does (RFC 8020)
        self.names = {
            ".".join(name.split(".")[start:])
            for name, _ in (*self.records, *self.outcomes)
            for start in range(name.count(".") + 1)
        }

    def _read(self, line: str) -> None:
        label, kind, data = line.strip().split(None, 2)
        name = self.absolute(label)
        outcome = _OUTCOMES.get(data)
        if kind == "ANY" and outcome is not None:
            self.rest = outcome
        elif outcome is not None:
            self.outcomes[name, RRType(kind)] = outcome
        else:
            for word, meant in _WORDS.items():
                data = data.replace(word, meant)
            self.records.setdefault((name, RRType(kind)), []).append(data)

    def absolute(self, label: str) -> str:
        """A name as it stands in the text, with the domain behind it."""
        if label.endswith("."):
            return label.rstrip(".")
        return self.domain if label == "@" else f"{label}.{self.domain}"

    def answer(self, name: str, rrtype: RRType) -> Answer:
        """What an honest resolver says to one question."""
        if (name, rrtype) in self.outcomes:
            return Answer(name, rrtype, self.outcomes[name, rrtype])
        owner = name
        if name not in self.names and name.endswith("." + self.domain):
            owner = self.absolute(WILDCARD)
        found = tuple(self.records.get((owner, rrtype), ()))
        if found:
            return Answer(name, rrtype, Outcome.FOUND, found)
        alias = self.records.get((owner, RRType.CNAME))
        if alias:
            beyond = self.answer(alias[0], rrtype)
            chain = (alias[0], *beyond.chain)
            return Answer(name, rrtype, beyond.outcome, beyond.records, chain)
        if self.rest is not None:
            return Answer(name, rrtype, self.rest)
        return Answer(name, rrtype, Outcome.NODATA if owner in self.names else Outcome.NXDOMAIN)


def survey_zone(domain: str, text: str, depth: Depth, knowledge: Knowledge) -> Survey:
    """The survey that a scan of this zone brings home."""
    zone = Zone(domain, text)
    mx = zone.answer(domain, RRType.MX)
    if mx.outcome is Outcome.NXDOMAIN:
        return Survey(domain, depth, {mx.question: mx})
    answers = {
        each.question: each
        for rrtype, label in (_FULL if depth is Depth.FULL else _QUICK)
        for each in [zone.answer(f"{label}.{domain}" if label else domain, rrtype)]
    }
    hosts = [record.rpartition(" ")[2] for record in sorted(mx.records)]
    questions = [*_dmarc_parents(domain), *_addresses(zone, hosts)]
    hints = [*hosts]
    if depth is Depth.FULL:
        questions += [(name, rrtype) for name, rrtype in zone.records if rrtype is not RRType.MX]
        hints += _hints(answers.values())
    questions += [
        (f"{selector}._domainkey.{domain}", RRType.TXT)
        for selector in knowledge.selectors_for(hints, depth)
    ]
    for name, rrtype in questions:
        if not name.startswith(WILDCARD) and rrtype is not RRType.CNAME:
            answers.setdefault(f"{name} {rrtype}", zone.answer(name, rrtype))
    return Survey(domain, depth, answers)


def _dmarc_parents(domain: str) -> Iterable[tuple[str, RRType]]:
    return [(f"_dmarc.{name}", RRType.TXT) for name in walk_names(domain)]


def _addresses(zone: Zone, hosts: list[str]) -> list[tuple[str, RRType]]:
    """Addresses of MX hosts: those of the company's own that the zone speaks of."""
    return [(host, RRType.A) for host in hosts if host in zone.names and host != zone.domain]


def _hints(answers: Iterable[Answer]) -> list[str]:
    """Names beside the MX that say which selectors are worth asking for."""
    found = []
    for answer in answers:
        if answer.rrtype is RRType.TXT:
            terms = " ".join(answer.records).lower().split()
            found += [term.removeprefix("include:") for term in terms if "include:" in term]
        elif answer.rrtype is RRType.CNAME:
            found += answer.records
    return found
