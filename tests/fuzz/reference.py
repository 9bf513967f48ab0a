"""What an answer says by dnspython's reading of its names and records: the decoder's judge."""

from __future__ import annotations

import ipaddress
import struct
from typing import Any, NamedTuple

import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.wire

from hunter.core.answers import Answer, Outcome, RRType
from hunter.resolver.replies import MAX_CHAIN, Alias
from hunter.resolver.wire import AA, AD, NXDOMAIN, RA, TEMPLATES

IN, NS, CNAME, SOA, OPT = 1, 2, 5, 6, 41
RRTYPES = {template.code: rrtype for rrtype, template in TEMPLATES.items()}
_HEADER_BYTES = 12
# dnspython follows 16 pointers a name, we as many as a name can have labels: no reader is wrong
dns.name.MAX_COMPRESSION_POINTER_CHAIN = 126


class Malformed(Exception):
    """dnspython cannot read a part that the answer needs."""


class Question(NamedTuple):
    """What was asked, read out of the answer itself."""

    name: str
    code: int
    #: offset behind the question
    behind: int


class Record(NamedTuple):
    """One resource record with its RDATA still packed."""

    owner: str
    code: int
    rclass: int
    ttl: int
    at: int
    length: int


class Reading(NamedTuple):
    """What the message says. `outcome` is None where a CNAME chain ends open."""

    outcome: Outcome | None
    records: tuple[str, ...]
    chain: tuple[str, ...]
    ttl: int
    authenticated: bool


def plain(name: dns.name.Name) -> str:
    """A name as `Answer` writes it."""
    return str(name).lower()[:-1] or "."


def question_of(wire: bytes) -> Question | None:
    """The one question of a message; None when it has another number or cannot be read."""
    if len(wire) < _HEADER_BYTES or struct.unpack_from("!H", wire, 4) != (1,):
        return None
    parser = dns.wire.Parser(wire, _HEADER_BYTES)
    try:
        name = parser.get_name(decompress=False)
        code, _rclass = parser.get_struct("!HH")
    except dns.exception.DNSException:
        return None
    return Question(plain(name), code, parser.current)


def read_reference(wire: bytes, question: Question, rrtype: RRType) -> Reading:
    """The answer to the question; raises Malformed."""
    try:
        return _read(wire, question, rrtype)
    except (dns.exception.DNSException, ValueError, struct.error) as error:
        raise Malformed(str(error)) from error


def claim_of(found: Answer | Alias) -> Reading:
    """What our decoder says, in the same form; duplicates count, order does not."""
    if isinstance(found, Alias):
        return Reading(None, (), found.chain, found.ttl, found.authenticated)
    records = found.records
    if found.rrtype is RRType.AAAA:
        records = tuple(str(ipaddress.ip_address(text)) for text in records)
    return Reading(
        found.outcome, tuple(sorted(records)), found.chain, found.ttl, found.authenticated
    )


def is_ambiguous(wire: bytes, question: Question) -> bool:
    """One name with several CNAME records: whichever a reader takes, RFC 2181 section 10.1 is broken."""
    try:
        owners = [
            record.owner
            for record in _section(wire, question.behind, _counts(wire)[0])[0]
            if record.code == CNAME and record.rclass == IN
        ]
    except (dns.exception.DNSException, ValueError, struct.error):
        return False
    return len(set(owners)) < len(owners)


def _read(wire: bytes, question: Question, rrtype: RRType) -> Reading:
    (flags,) = struct.unpack_from("!H", wire, 2)
    answers, at = _section(wire, question.behind, _counts(wire)[0])
    code = TEMPLATES[rrtype].code
    # RDATA is read when it is needed: what is broken in somebody else's record is nothing to us
    aliases: dict[str, Record] = {}
    records: dict[str, list[Record]] = {}
    for record in answers:
        if record.rclass == IN and record.code == code:
            records.setdefault(record.owner, []).append(record)
        elif record.rclass == IN and record.code == CNAME:
            aliases[record.owner] = record
    chain: list[str] = []
    ttls: list[int] = []
    name = question.name
    while name not in records and name in aliases:
        alias = aliases[name]
        name = record_text(wire, alias, RRType.CNAME)
        if name == question.name or name in chain or len(chain) == MAX_CHAIN:
            return Reading(Outcome.CNAME_LOOP, (), (), 0, authenticated=False)
        chain.append(name)
        ttls.append(alias.ttl)
    authenticated = bool(flags & AD)
    hits = records.get(name, [])
    if hits:
        if flags & 15 and rrtype is not RRType.CNAME:
            raise Malformed("records of a name that is said not to exist")
        texts = tuple(sorted({record_text(wire, record, rrtype) for record in hits}))
        least = min(ttls + [record.ttl for record in hits])
        return Reading(Outcome.FOUND, texts, tuple(chain), least, authenticated)
    outcome, least = _absence(wire, at, flags, ttls, chain or [question.name])
    if outcome is None and not chain:
        is_said = flags & (AA | RA) and not answers
        outcome = Outcome.NODATA if is_said else Outcome.LAME
    if outcome is None:
        least = min(ttls)
    return Reading(outcome, (), tuple(chain), least, authenticated)


def _absence(
    wire: bytes, at: int, flags: int, ttls: list[int], names: list[str]
) -> tuple[Outcome | None, int]:
    _, authorities, additional = _counts(wire)
    said, at = _section(wire, at, authorities)
    # type and length make a SOA: its names are not looked at for a negative answer
    starts = [r for r in said if (r.code, r.rclass) == (SOA, IN) and r.length >= 22]
    # RFC 2308 section 2.2: the zone's of the name, or of what its aliases end in
    end = dns.name.from_text(names[-1])
    statements = [r for r in starts if end.is_subdomain(dns.name.from_text(r.owner))]
    if _has_extended_rcode(wire, at, additional):
        return Outcome.LAME, 0
    least = 0
    if statements:
        minima = [_ttl(wire, r.at + r.length - 4) for r in statements]
        least = min(ttls + [r.ttl for r in statements] + minima)
    if flags & 15 == NXDOMAIN:
        return Outcome.NXDOMAIN, least
    if statements:
        return Outcome.NODATA, least
    if any(r.code == NS for r in said) and not flags & AA:
        return Outcome.LAME, 0
    if starts and not ttls:
        return Outcome.LAME, 0
    return None, 0


def _has_extended_rcode(wire: bytes, at: int, count: int) -> bool:
    for _ in range(count):
        (record,), at = _section(wire, at, 1)
        if record.code == OPT:
            return wire[record.at - 6] != 0
    return False


def _section(wire: bytes, at: int, count: int) -> tuple[list[Record], int]:
    parser = dns.wire.Parser(wire, at)
    found = []
    for _ in range(count):
        owner = plain(parser.get_name(decompress=True))
        code, rclass, _ttl_bits, length = parser.get_struct("!HHIH")
        start = parser.current
        found.append(Record(owner, code, rclass, _ttl(wire, start - 6), start, length))
        parser.get_bytes(length)
    return found, parser.current


def _counts(wire: bytes) -> tuple[int, int, int]:
    return struct.unpack_from("!3H", wire, 6)


def _ttl(wire: bytes, at: int) -> int:
    """RFC 2181 section 8: a TTL with the top bit set means 0."""
    value = int.from_bytes(wire[at : at + 4], "big")
    return value if value < 2**31 else 0


def record_text(wire: bytes, record: Record, rrtype: RRType) -> str:
    """One record as `Answer` writes it, read by dnspython."""
    raw = wire[record.at : record.at + record.length]
    if rrtype is RRType.DS and record.length >= 4:
        # dnspython refuses digests of an unusual length; whoever uses a DS has to decide that
        tag, algorithm, kind = struct.unpack_from("!HBB", raw)
        return f"{tag} {algorithm} {kind} {raw[4:].hex().upper()}"
    if rrtype is RRType.TLSA and record.length >= 3:
        return f"{raw[0]} {raw[1]} {raw[2]} {raw[3:].hex().upper()}"
    if rrtype is RRType.CAA and record.length >= 2 and raw[1] + 2 <= len(raw):
        # the same with tags that are not alphanumeric
        tag_end = 2 + raw[1]
        return f"{raw[0]} {_text(raw[2:tag_end]).lower()} {_text(raw[tag_end:])}"
    kind = dns.rdatatype.RdataType(record.code)
    rdata: Any = dns.rdata.from_wire(dns.rdataclass.IN, kind, wire, record.at, record.length)
    return _presented(rdata, rrtype)


def _presented(rdata: Any, rrtype: RRType) -> str:
    match rrtype:
        case RRType.A | RRType.AAAA:
            return str(ipaddress.ip_address(rdata.address))
        case RRType.NS | RRType.CNAME | RRType.PTR:
            return plain(rdata.target)
        case RRType.MX:
            return f"{rdata.preference} {plain(rdata.exchange)}"
        case RRType.SRV:
            return f"{rdata.priority} {rdata.weight} {rdata.port} {plain(rdata.target)}"
        case RRType.SOA:
            numbers = (rdata.serial, rdata.refresh, rdata.retry, rdata.expire, rdata.minimum)
            return " ".join([plain(rdata.mname), plain(rdata.rname), *map(str, numbers)])
        case RRType.TXT:
            return _text(b"".join(rdata.strings))
        case _:
            raise ValueError(f"too short a {rrtype} record")


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace").replace("\0", "\\x00")
