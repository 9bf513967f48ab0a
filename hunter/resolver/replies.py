"""What a name server's message says about one question, in one pass over its bytes."""

from __future__ import annotations

import struct
from typing import Final

from hunter.core.answers import Answer, Outcome
from hunter.resolver import records, wire
from hunter.resolver.records import MalformedAnswer, exact_name, read_name, read_record
from hunter.resolver.wire import Template

#: hops a CNAME chain may have
MAX_CHAIN: Final = 8
_RR: Final = struct.Struct("!HHIH")
_MINIMUM: Final = struct.Struct("!I")
_QUESTION_POINTER: Final = 0xC00C
#: a TTL with the top bit set means 0 (RFC 2181 section 8)
_TTL_LIMIT: Final = 2**31
# looked up once: an attribute of an enum costs as much as reading a record's header
_FOUND: Final = Outcome.FOUND
_NODATA: Final = Outcome.NODATA
_NXDOMAIN: Final = Outcome.NXDOMAIN
_LAME: Final = Outcome.LAME
#: RCODEs that are outcomes of their own; FORMERR without EDNS: the server cannot read the question
_FAILURES: Final = {
    wire.FORMERR: Outcome.NOTIMP,
    wire.NOTIMP: Outcome.NOTIMP,
    wire.REFUSED: Outcome.REFUSED,
    wire.NOTAUTH: Outcome.REFUSED,
}


class Alias:
    """An answer that ends in a CNAME: the target has to be asked for."""

    __slots__ = ("authenticated", "chain", "ttl")

    def __init__(
        self, chain: tuple[str, ...], ttl: int, authenticated: bool
    ) -> None:  # as in Answer
        self.chain = chain
        self.ttl = ttl
        self.authenticated = authenticated


def failure(rcode: int) -> Outcome:
    """What a message with any RCODE but NOERROR and NXDOMAIN says."""
    return _FAILURES.get(rcode, Outcome.SERVFAIL)


def decode(data: bytes, at: int, name: str, template: Template, server: str) -> Answer | Alias:
    """What a NOERROR or NXDOMAIN message says; `at` is the offset behind the question.

    Never raises: bytes that break RFC 1035 give Outcome.MALFORMED.
    """
    try:
        return _decode(data, at, name, template, server)
    except (ValueError, IndexError, struct.error):
        return Answer(name, template.rrtype, Outcome.MALFORMED, server=server)


def _decode(data: bytes, at: int, name: str, template: Template, server: str) -> Answer | Alias:
    code = template.code
    answers = data[6] << 8 | data[7]
    found: list[str] = []
    chain: list[str] = []
    skipped = False
    ttl = _TTL_LIMIT
    owner = name
    # nearly every owner is a pointer to the question or to the last CNAME's target
    pointer = _QUESTION_POINTER
    start = at
    for _ in range(answers):
        if (data[at] << 8 | data[at + 1]) == pointer:
            at += 2
            mine = True
        else:
            other, at = read_name(data, at)
            mine = other == owner
        # written out: compiled, this is ten times faster than struct
        rtype = data[at] << 8 | data[at + 1]
        rclass = data[at + 2] << 8 | data[at + 3]
        rttl = data[at + 4] << 24 | data[at + 5] << 16 | data[at + 6] << 8 | data[at + 7]
        end = at + 10 + (data[at + 8] << 8 | data[at + 9])
        at += 10
        if end > len(data):
            raise MalformedAnswer("a record leaves the message")
        if mine and rclass == wire.IN and rtype == code:
            found.append(read_record(code, data, at, end))
            ttl = min(ttl, rttl if rttl < _TTL_LIMIT else 0)
        elif mine and rclass == wire.IN and rtype == records.CNAME:
            skipped = skipped or bool(found)
            owner = exact_name(data, at, end)
            pointer = 0xC000 | at
            chain.append(owner)
            ttl = min(ttl, rttl if rttl < _TTL_LIMIT else 0)
        else:
            skipped = True
        at = end
    if (skipped and (chain or not found)) or _comes_round(name, chain):
        # RRs may come in any order (RFC 1034 section 3.6): look again, with all of them at hand
        chain, found, ttl = _unordered(data, start, answers, name, code)
    if len(chain) > MAX_CHAIN or _comes_round(name, chain):
        return Answer(name, template.rrtype, Outcome.CNAME_LOOP, chain=tuple(chain), server=server)
    authenticated = data[3] & wire.AD != 0
    if found:
        # the code is about the end of the chain (RFC 6604 section 3), which of a CNAME is its target
        if data[3] & 15 and code != records.CNAME:
            raise MalformedAnswer("records of a name that is said not to exist")
        if len(found) > 1:
            # a set holds no record twice, however often a server sends it (RFC 2181 section 5)
            found = list(dict.fromkeys(found))
        return Answer(
            name,
            template.rrtype,
            _FOUND,
            tuple(found),
            tuple(chain),
            ttl,
            authenticated,
            server,
        )
    outcome, least = _absence(data, at, name, chain, ttl)
    if outcome is None:
        if chain:
            return Alias(tuple(chain), ttl, authenticated)
        # records for somebody else, and no SOA, where ours were wanted: no statement about us
        is_said = (data[2] << 8 | data[3]) & (wire.AA | wire.RA) and not answers
        outcome = _NODATA if is_said else _LAME
    return Answer(name, template.rrtype, outcome, (), tuple(chain), least, authenticated, server)


def _comes_round(name: str, chain: list[str]) -> bool:
    """True when a CNAME chain meets one of its names again."""
    return bool(chain) and (name in chain or len(set(chain)) < len(chain))


def _seconds(ttl: int) -> int:
    return ttl if ttl < _TTL_LIMIT else 0


def _is_within(name: str, zone: str) -> bool:
    """True when a name, as `read_name` writes it, is the zone's own or one below it."""
    if zone in (".", name):
        return True
    if not name.endswith("." + zone):
        return False
    # an escaped dot is part of its label (RFC 1035 section 5.1)
    before = name[: -len(zone) - 1]
    return (len(before) - len(before.rstrip("\\"))) % 2 == 0


def _absence(
    data: bytes, at: int, name: str, chain: list[str], ttl: int
) -> tuple[Outcome | None, int]:
    """The outcome and negative TTL that the authority section proves; None for neither.

    The proof is the SOA of the zone that the name is in, with aliases their end (RFC 2308 section
    2.2): of another zone it shows a server that does not know the name's.
    """
    flags = data[2] << 8 | data[3]
    end = chain[-1] if chain else name
    soa = foreign = referral = False
    for _ in range(data[8] << 8 | data[9]):
        owner, at = read_name(data, at)
        rtype, rclass, rttl, length = _RR.unpack_from(data, at)
        at += 10 + length
        if at > len(data):
            raise MalformedAnswer("a record leaves the message")
        if rtype == records.SOA and rclass == wire.IN and length >= 22:
            if not _is_within(end, owner):
                foreign = True
                continue
            soa = True
            ttl = min(ttl, _seconds(rttl), _seconds(_MINIMUM.unpack_from(data, at - 4)[0]))
        elif rtype == records.NS:
            referral = True
    if _has_extended_rcode(data, at):
        return _LAME, 0
    negative_ttl = ttl if soa else 0
    if flags & 15 == wire.NXDOMAIN:
        return _NXDOMAIN, negative_ttl
    if soa:
        return _NODATA, negative_ttl
    # name servers of some zone where an answer was wanted: a referral, downward or upward
    if (referral and not flags & wire.AA) or (foreign and not chain):
        return _LAME, 0
    return None, 0


def _has_extended_rcode(data: bytes, at: int) -> bool:
    """An OPT record whose TTL begins with more of the RCODE (RFC 6891 section 6.1.3): no NOERROR."""
    for _ in range(data[10] << 8 | data[11]):
        _owner, at = read_name(data, at)
        rtype, _class, ttl, length = _RR.unpack_from(data, at)
        at += 10 + length
        if at > len(data):
            raise MalformedAnswer("a record leaves the message")
        if rtype == records.OPT:
            return bool(ttl >> 24)
    return False


def _unordered(
    data: bytes, at: int, answers: int, name: str, code: int
) -> tuple[list[str], list[str], int]:
    """CNAME chain, records at its end and smallest TTL, whatever the order of the records."""
    aliases: dict[str, tuple[str, int]] = {}
    found: dict[str, list[tuple[str, int]]] = {}
    for _ in range(answers):
        owner, at = read_name(data, at)
        rtype, rclass, ttl, length = _RR.unpack_from(data, at)
        at += 10
        if rclass == wire.IN and rtype == code:
            text = read_record(code, data, at, at + length)
            found.setdefault(owner, []).append((text, _seconds(ttl)))
        elif rclass == wire.IN and rtype == records.CNAME:
            aliases[owner] = (exact_name(data, at, at + length), _seconds(ttl))
        at += length
    chain: list[str] = []
    least = _TTL_LIMIT
    while name in aliases and name not in found and len(chain) <= MAX_CHAIN:
        name, ttl = aliases[name]
        chain.append(name)
        least = min(least, ttl)
    hits = found.get(name, [])
    return chain, [text for text, _ in hits], min([least, *(ttl for _, ttl in hits)])
