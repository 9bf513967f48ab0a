"""What DNS said about one domain: records and outcomes, frozen."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Outcome(StrEnum):
    """How one question ended. An outcome is a value, never an exception."""

    #: at least one record of the type asked for, perhaps behind CNAMEs
    FOUND = "found"
    #: the name exists, the type does not (RFC 2308 section 2.2)
    NODATA = "nodata"
    #: the name does not exist, nor anything below it (RFC 8020)
    NXDOMAIN = "nxdomain"
    #: the server could not find out, or DNSSEC validation failed
    SERVFAIL = "servfail"
    #: the server will not answer us
    REFUSED = "refused"
    #: the server does not know this kind of question
    NOTIMP = "notimp"
    #: a referral or an upward referral where an answer was wanted
    LAME = "lame"
    #: no answer in time from any server
    TIMEOUT = "timeout"
    #: an answer that breaks RFC 1035 or contradicts itself
    MALFORMED = "malformed"
    #: a CNAME chain that loops or is longer than 8
    CNAME_LOOP = "cname_loop"
    #: nobody could be asked: socket errors, breaker open
    UNREACHABLE = "unreachable"
    #: the domain's own limit of questions or time was used up
    BUDGET = "budget"

    @property
    def is_known(self) -> bool:
        """True when DNS itself said yes or no."""
        return self in _KNOWN

    @property
    def is_absent(self) -> bool:
        """True when absence is proved."""
        return self in _ABSENT


_KNOWN = frozenset({Outcome.FOUND, Outcome.NODATA, Outcome.NXDOMAIN})
_ABSENT = frozenset({Outcome.NODATA, Outcome.NXDOMAIN})


class RRType(StrEnum):
    """Record types a survey asks for (names of the IANA registry)."""

    A = "A"
    NS = "NS"
    CNAME = "CNAME"
    SOA = "SOA"
    PTR = "PTR"
    MX = "MX"
    TXT = "TXT"
    AAAA = "AAAA"
    SRV = "SRV"
    DS = "DS"
    TLSA = "TLSA"
    CAA = "CAA"


class Depth(StrEnum):
    """How much is asked about a domain."""

    #: what decides provider, segment and score: 6 to 15 questions
    QUICK = "quick"
    #: everything
    FULL = "full"


class Answer(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One question and how it ended.

    `records` are RDATA in presentation form, one string a record, in the order received:
    MX "10 mx.example.com", SRV "0 5 443 host", SOA "mname rname serial refresh retry expire minimum",
    CAA "0 issue letsencrypt.org", DS "12345 13 2 HEX", TLSA "3 1 1 HEX", addresses and names as such.
    Names are lower-case A-labels without the trailing dot (the root is "."); bytes outside
    printable ASCII in a name are \\DDD (RFC 1035 section 5.1).
    TXT: the character-strings of one record joined without a space, decoded as UTF-8; bytes that
    are not UTF-8, and NUL, stand as \\xHH, so that every record can be stored and shown.
    """

    name: str
    rrtype: RRType
    outcome: Outcome
    records: tuple[str, ...] = ()
    #: CNAME targets followed on the way, in order
    chain: tuple[str, ...] = ()
    #: seconds; the smallest TTL of the records, or the negative TTL of RFC 2308 section 5
    ttl: int = 0
    #: AD bit (RFC 6840 section 5.8); means something only from a trusted validating resolver
    authenticated: bool = False
    #: "192.0.2.1:53" that gave this answer; "" when none did
    server: str = ""
    #: set when this is inherited from an earlier scan: ISO 8601 instant of the last real answer
    stale_since: str = ""

    @property
    def question(self) -> str:
        """The question as a person writes it."""
        return f"{self.name} {self.rrtype}"


class PolicyState(StrEnum):
    """What came of fetching a domain's MTA-STS policy file (RFC 8461 section 3.3)."""

    #: text came, by the rules of the RFC; whether it is a policy is its parser's to say
    FETCHED = "fetched"
    #: proved: the file is not there (404, 410), or its host has no address
    ABSENT = "absent"
    #: proved: it is served in a way that lets no sender use it; `reason` says which
    UNUSABLE = "unusable"
    #: nobody answered, or in a way that may be different for others
    UNKNOWN = "unknown"


class PolicyFile(msgspec.Struct, frozen=True, omit_defaults=True):
    """The answer to the one question of a survey that is asked over HTTPS."""

    state: PolicyState
    #: the file, bytes that are not UTF-8 replaced; "" unless fetched
    text: str = ""
    #: why it is not there, not usable or not known: one line
    reason: str = ""
    #: set when this is inherited from an earlier scan, as in `Answer`
    stale_since: str = ""


class Survey(msgspec.Struct, frozen=True, omit_defaults=True):
    """All answers about one domain. Questions that were not asked are simply not there."""

    domain: str
    depth: Depth
    answers: dict[str, Answer]
    #: questions sent to name servers, retries and TCP included
    queries: int = 0
    #: wall time of the survey in milliseconds
    duration_ms: float = 0.0
    #: the MTA-STS policy file; None when it was not fetched
    policy: PolicyFile | None = None
    #: True when the name servers validate DNSSEC over a path we trust: then the AD bit says something
    validated: bool = False
    #: SOA of the domain asked with CD=1 (RFC 4035 section 3.2.2), after all its answers failed
    unchecked: Answer | None = None

    def get(self, rrtype: RRType, label: str = "") -> Answer | None:
        """The answer for a name below the domain ("" is the domain itself), None when not asked."""
        name = label + "." + self.domain if label else self.domain
        return self.answers.get(name + " " + rrtype)

    def lookup(self, name: str, rrtype: RRType) -> Answer | None:
        """The answer for an absolute name, None when not asked."""
        return self.answers.get(name + " " + rrtype)


def survey_of(domain: str, depth: Depth, answers: list[Answer]) -> Survey:
    """A survey out of plain answers, for tests, corpora and stored evidence."""
    return Survey(domain=domain, depth=depth, answers={a.question: a for a in answers})
