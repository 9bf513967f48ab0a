"""The DNS wire format: questions out of templates, answers in one pass over the bytes."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from socket import AF_INET6, inet_ntoa, inet_ntop
from typing import NamedTuple

from hunter.core.answers import Answer, Outcome, RRType

#: id, flags, and the four counts (RFC 1035 section 4.1.1)
HEADER = struct.Struct("!6H")
QR, OPCODE, AA, TC, RA, AD = 0x8000, 0x7800, 0x0400, 0x0200, 0x0080, 0x0020
NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED = range(6)
NOTAUTH = 9
#: hops a CNAME chain may have
MAX_CHAIN = 8

_RR = struct.Struct("!HHIH")
_TWO = struct.Struct("!H")
_SRV = struct.Struct("!3H")
_SOA = struct.Struct("!5I")
_MINIMUM = struct.Struct("!I")
_IN, _NS, _CNAME, _SOA_TYPE, _OPT_TYPE = 1, 2, 5, 6, 41
_QUESTION_POINTER = 0xC00C
#: a TTL with the top bit set means 0 (RFC 2181 section 8)
_TTL_LIMIT = 2**31
#: RD, and AD as the wish to see the AD bit (RFC 6840 section 5.7); one question; with and without OPT
_HEAD_EDNS = struct.pack("!5H", 0x0120, 1, 0, 0, 1)
_HEAD_PLAIN = struct.pack("!5H", 0x0120, 1, 0, 0, 0)
#: an OPT record for 1232 bytes: what fits into an unfragmented packet everywhere (RFC 9715)
_OPT = b"\0\0\x29" + _TWO.pack(1232) + b"\0\0\0\0\0\0"
_LENGTH = tuple(bytes([n]) for n in range(64))
_PLAIN = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."
#: most names remembered by either memory of this module
_MEMORY = 10_000
#: pointers one name may lead through: a pointer before each of the labels that fit into 255 bytes
_MAX_HOPS = 126
_DOT = 0x2E
_ESCAPED = re.compile(rb"\\(\d\d\d|.)", re.DOTALL)


class MalformedAnswer(ValueError):
    """The bytes are no DNS message."""


class Alias(NamedTuple):
    """An answer that ends in a CNAME: the target has to be asked for."""

    chain: tuple[str, ...]
    ttl: int
    authenticated: bool


class Template(NamedTuple):
    """All the engine needs to know about one record type, found once per question.

    Looking an enum member up in a dict calls Enum.__hash__, which is Python code: on the way of
    every packet it would cost as much as the rest of a table look-up together.
    """

    rrtype: RRType
    #: place in tables of counters
    number: int
    code: int
    #: QTYPE and QCLASS
    tail: bytes
    read: Callable[[bytes, int, int], str]


# ── questions ──


def encode_name(name: str) -> bytes:
    """A name in presentation form as wire labels; ValueError when no DNS message can carry it."""
    if not name or name == ".":
        return b"\0"
    raw = name.encode("ascii")
    labels = raw.split(b".") if b"\\" not in raw else _escaped_labels(raw)
    try:
        wire = b"".join([_LENGTH[len(label)] + label for label in labels]) + b"\0"
    except IndexError:
        raise ValueError("a label has more than 63 bytes") from None
    if len(wire) > 255 or b"" in labels:
        raise ValueError("the name is empty somewhere or longer than 255 bytes")
    return wire


class NameEncoder:
    """encode_name for the names of one survey after the other.

    A survey's names end in the same domain and begin with the same few labels, so both halves are
    mostly at hand: a quarter of the time of encoding them anew.
    """

    __slots__ = ("_dotted", "_last", "_prefixes", "_wire")

    def __init__(self) -> None:
        self._last = "."
        self._dotted = ".."
        self._wire = b"\0"
        self._prefixes: dict[str, bytes] = {}

    def encode(self, name: str) -> bytes:
        """The same as encode_name."""
        if name == self._last:
            return self._wire
        if not name.endswith(self._dotted):
            self._wire = encode_name(name)
            self._last, self._dotted = name, "." + name
            return self._wire
        prefix = name[: -len(self._dotted)]
        head = self._prefixes.get(prefix)
        if head is None:
            if not prefix.strip(".") or prefix.endswith("\\"):
                return encode_name(name)  # empty labels, or a dot that is no border of labels
            head = encode_name(prefix)[:-1]
            if len(self._prefixes) >= _MEMORY:
                self._prefixes.clear()
            self._prefixes[prefix] = head
        wire = head + self._wire
        if len(wire) > 255:
            raise ValueError("the name is longer than 255 bytes")
        return wire


def _escaped_labels(raw: bytes) -> list[bytes]:
    labels = [b""]
    at = 0
    for escape in _ESCAPED.finditer(raw):
        first, *rest = raw[at : escape.start()].split(b".")
        labels[-1] += first
        labels += rest
        code = escape[1]
        labels[-1] += bytes([int(code)]) if len(code) == 3 else code
        at = escape.end()
    first, *rest = raw[at:].split(b".")
    labels[-1] += first
    return labels + rest


def message(question: bytes, *, edns: bool) -> bytes:
    """A query without its id, which is drawn anew for every try."""
    return _HEAD_EDNS + question + _OPT if edns else _HEAD_PLAIN + question


# ── names and RDATA, wire to presentation ──


def read_name(data: bytes, at: int) -> tuple[str, int]:
    """The name at an offset and the offset behind it.

    Compression pointers must lead backwards, each before the last, so that no bytes can make this
    loop (RFC 1035 section 4.1.4), and there is one a label at most, so that none can make it long.
    Raises MalformedAnswer or IndexError.
    """
    labels = []
    behind = 0
    hops = 0
    limit = at
    size = 0
    while length := data[at]:
        if length < 64:
            labels.append(data[at + 1 : at + 1 + length])
            at += length + 1
            size += length + 1
        elif length >= 192:
            target = (length & 0x3F) << 8 | data[at + 1]
            if target >= limit:
                raise MalformedAnswer("a compression pointer does not lead backwards")
            hops += 1
            if hops > _MAX_HOPS:
                raise MalformedAnswer("a name of more compression pointers than labels fit in")
            behind = behind or at + 2
            at = limit = target
        else:
            raise MalformedAnswer("a label of a kind that does not exist")
    if size > 254:
        raise MalformedAnswer("a name is longer than 255 bytes")
    if not labels:
        return ".", behind or at + 1
    raw = b".".join(labels)
    # names with anything but letters, digits, - and _ are rare enough for a slow way
    if raw.translate(None, _PLAIN) or raw.count(b".") >= len(labels):
        return ".".join(map(_label_text, labels)), behind or at + 1
    return raw.decode("ascii").lower(), behind or at + 1


def _label_text(label: bytes) -> str:
    """RFC 1035 section 5.1: \\X for what means something in a master file, \\DDD for the rest."""
    return "".join(
        f"\\{byte:03}"
        if not 0x20 < byte < 0x7F
        else f"\\{byte:c}"
        if byte in b'".;\\()@$'
        else chr(byte)
        for byte in label.lower()
    )


def text_of(raw: bytes) -> str:
    r"""Bytes of a record as text that can be stored: what is not UTF-8, and NUL, as \xHH."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text = raw.decode("utf-8", "backslashreplace")
    return text.replace("\0", "\\x00") if "\0" in text else text


#: names of RDATA, by their uncompressed wire form: half of all targets are the same few dozen
_known_names: dict[bytes, str] = {}


def _exact_name(data: bytes, at: int, end: int) -> str:
    """The name that fills an RDATA."""
    raw = data[at:end]
    known = _known_names.get(raw)
    if known is not None:
        return known
    name, behind = read_name(data, at)
    if behind != end:
        raise MalformedAnswer("a name and its RDATA differ in length")
    # without a pointer the bytes mean the same in every message
    if behind - at == len(name) + 2 and not raw[-1]:
        if len(_known_names) >= _MEMORY:
            _known_names.clear()
        _known_names[raw] = name
    return name


def _read_a(data: bytes, at: int, end: int) -> str:
    if end - at != 4:
        raise MalformedAnswer("an A record has 4 bytes")
    return inet_ntoa(data[at:end])


def _read_aaaa(data: bytes, at: int, end: int) -> str:
    if end - at != 16:
        raise MalformedAnswer("an AAAA record has 16 bytes")
    return inet_ntop(AF_INET6, data[at:end])


def _read_mx(data: bytes, at: int, end: int) -> str:
    return f"{data[at] << 8 | data[at + 1]} {_exact_name(data, at + 2, end)}"


def _read_srv(data: bytes, at: int, end: int) -> str:
    priority, weight, port = _SRV.unpack_from(data, at)
    return f"{priority} {weight} {port} {_exact_name(data, at + 6, end)}"


def _read_soa(data: bytes, at: int, end: int) -> str:
    mname, at = read_name(data, at)
    rname, at = read_name(data, at)
    if end - at != 20:
        raise MalformedAnswer("a SOA record ends in 20 bytes of numbers")
    return " ".join([mname, rname, *map(str, _SOA.unpack_from(data, at))])


def _read_txt(data: bytes, at: int, end: int) -> str:
    first = at + 1 + data[at]
    if first == end:  # one character-string, as nearly always
        return text_of(data[at + 1 : end])
    parts = [data[at + 1 : first]]
    at = first
    while at < end:
        following = at + 1 + data[at]
        parts.append(data[at + 1 : following])
        at = following
    if at != end:
        raise MalformedAnswer("a character-string leaves its record")
    return text_of(b"".join(parts))


def _read_caa(data: bytes, at: int, end: int) -> str:
    value = at + 2 + data[at + 1]
    if value > end:
        raise MalformedAnswer("a CAA tag leaves its record")
    return f"{data[at]} {text_of(data[at + 2 : value]).lower()} {text_of(data[value:end])}"


def _read_ds(data: bytes, at: int, end: int) -> str:
    if end - at < 4:
        raise MalformedAnswer("a DS record has at least 4 bytes")
    tag = data[at] << 8 | data[at + 1]
    return f"{tag} {data[at + 2]} {data[at + 3]} {data[at + 4 : end].hex().upper()}"


def _read_tlsa(data: bytes, at: int, end: int) -> str:
    if end - at < 3:
        raise MalformedAnswer("a TLSA record has at least 3 bytes")
    return f"{data[at]} {data[at + 1]} {data[at + 2]} {data[at + 3 : end].hex().upper()}"


_READERS: tuple[tuple[RRType, int, Callable[[bytes, int, int], str]], ...] = (
    (RRType.A, 1, _read_a),
    (RRType.NS, _NS, _exact_name),
    (RRType.CNAME, _CNAME, _exact_name),
    (RRType.SOA, _SOA_TYPE, _read_soa),
    (RRType.MX, 15, _read_mx),
    (RRType.TXT, 16, _read_txt),
    (RRType.AAAA, 28, _read_aaaa),
    (RRType.SRV, 33, _read_srv),
    (RRType.DS, 43, _read_ds),
    (RRType.TLSA, 52, _read_tlsa),
    (RRType.CAA, 257, _read_caa),
)
TEMPLATES = {
    rrtype: Template(rrtype, number, code, struct.pack("!HH", code, _IN), read)
    for number, (rrtype, code, read) in enumerate(_READERS)
}


# ── answers ──


def decode(  # noqa: PLR0917  # called once per packet: keywords cost a fifth of a microsecond
    data: bytes,
    at: int,
    header: tuple[int, int, int, int, int, int],
    name: str,
    template: Template,
    server: str,
) -> Answer | Alias:
    """What a NOERROR or NXDOMAIN message says; `at` is the offset behind the question.

    Never raises: bytes that break RFC 1035 give Outcome.MALFORMED.
    """
    try:
        return _decode(data, at, header, name, template, server)
    except (ValueError, IndexError, struct.error):
        return Answer(name, template.rrtype, Outcome.MALFORMED, server=server)


def _decode(  # noqa: PLR0917  # as above
    data: bytes,
    at: int,
    header: tuple[int, int, int, int, int, int],
    name: str,
    template: Template,
    server: str,
) -> Answer | Alias:
    flags, answers = header[1], header[3]
    rrtype, _number, code, _tail, reader = template
    records: list[str] = []
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
            found, at = read_name(data, at)
            mine = found == owner
        rtype, rclass, rttl, length = _RR.unpack_from(data, at)
        at += 10
        end = at + length
        if end > len(data):
            raise MalformedAnswer("a record leaves the message")
        if mine and rclass == _IN and rtype == code:
            records.append(reader(data, at, end))
            ttl = min(ttl, rttl)
        elif mine and rclass == _IN and rtype == _CNAME:
            owner = _exact_name(data, at, end)
            pointer = 0xC000 | at
            chain.append(owner)
            ttl = min(ttl, rttl)
        else:
            skipped = True
        at = end
    if skipped and (chain or not records):
        # RRs may come in any order (RFC 1034 section 3.6): look again, with all of them at hand
        chain, records, ttl = _unordered(data, start, answers, name, template)
    if len(chain) > MAX_CHAIN or (chain and (name in chain or len(set(chain)) < len(chain))):
        return Answer(name, rrtype, Outcome.CNAME_LOOP, chain=tuple(chain), server=server)
    if records:
        # the code is about the end of the chain (RFC 6604 section 3), which of a CNAME is its target
        if flags & 15 and code != _CNAME:
            raise MalformedAnswer("records of a name that is said not to exist")
        return Answer(
            name,
            rrtype,
            Outcome.FOUND,
            tuple(records),
            tuple(chain),
            ttl if ttl < _TTL_LIMIT else 0,
            flags & AD != 0,
            server,
        )
    outcome, least = _absence(data, at, header, ttl)
    if outcome is None:
        if chain:
            return Alias(tuple(chain), ttl, flags & AD != 0)
        # records for somebody else, and no SOA, where ours were wanted: no statement about us
        is_said = flags & (AA | RA) and not answers
        outcome = Outcome.NODATA if is_said else Outcome.LAME
    return Answer(name, rrtype, outcome, (), tuple(chain), least, flags & AD != 0, server)


def _absence(
    data: bytes, at: int, header: tuple[int, int, int, int, int, int], ttl: int
) -> tuple[Outcome | None, int]:
    """The outcome and negative TTL (RFC 2308) that the authority section proves; None for neither."""
    flags, authorities = header[1], header[4]
    soa = referral = False
    for _ in range(authorities):
        _owner, at = read_name(data, at)
        rtype, _class, rttl, length = _RR.unpack_from(data, at)
        at += 10 + length
        if at > len(data):
            raise MalformedAnswer("a record leaves the message")
        if rtype == _SOA_TYPE and length >= 22:
            soa = True
            ttl = min(ttl, rttl, _MINIMUM.unpack_from(data, at - 4)[0])
        elif rtype == _NS:
            referral = True
    if _has_extended_rcode(data, at, header[5]):
        return Outcome.LAME, 0
    negative_ttl = ttl if soa else 0
    if flags & 15 == NXDOMAIN:
        return Outcome.NXDOMAIN, negative_ttl
    if soa:
        return Outcome.NODATA, negative_ttl
    # name servers of some zone where an answer was wanted: a referral, downward or upward
    if referral and not flags & AA:
        return Outcome.LAME, 0
    return None, 0


def _has_extended_rcode(data: bytes, at: int, count: int) -> bool:
    """An OPT record whose TTL begins with more of the RCODE (RFC 6891 section 6.1.3): no NOERROR."""
    for _ in range(count):
        _owner, at = read_name(data, at)
        rtype, _class, ttl, length = _RR.unpack_from(data, at)
        at += 10 + length
        if at > len(data):
            raise MalformedAnswer("a record leaves the message")
        if rtype == _OPT_TYPE:
            return bool(ttl >> 24)
    return False


def _unordered(
    data: bytes, at: int, answers: int, name: str, template: Template
) -> tuple[list[str], list[str], int]:
    """CNAME chain, records at its end and smallest TTL, whatever the order of the records."""
    aliases: dict[str, tuple[str, int]] = {}
    found: dict[str, list[tuple[str, int]]] = {}
    for _ in range(answers):
        owner, at = read_name(data, at)
        rtype, rclass, ttl, length = _RR.unpack_from(data, at)
        at += 10
        if rclass == _IN and rtype == template.code:
            found.setdefault(owner, []).append((template.read(data, at, at + length), ttl))
        elif rclass == _IN and rtype == _CNAME:
            aliases[owner] = (_exact_name(data, at, at + length), ttl)
        at += length
    chain: list[str] = []
    least = _TTL_LIMIT
    while name in aliases and name not in found and len(chain) <= MAX_CHAIN:
        name, ttl = aliases[name]
        chain.append(name)
        least = min(least, ttl)
    hits = found.get(name, [])
    return chain, [text for text, _ in hits], min([least, *(ttl for _, ttl in hits)])
