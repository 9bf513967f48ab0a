"""Questions in the DNS wire format, out of templates (RFC 1035 section 4.1)."""

from __future__ import annotations

import os
import re
import struct
from typing import Final

from hunter.core.answers import RRType
from hunter.resolver import records

#: id, flags, and the four counts (RFC 1035 section 4.1.1)
HEADER: Final = struct.Struct("!6H")
# bits of its second field
QR: Final = 0x8000
OPCODE: Final = 0x7800
AA: Final = 0x0400
TC: Final = 0x0200
RA: Final = 0x0080
AD: Final = 0x0020
CD: Final = 0x0010
# RCODEs
NOERROR: Final = 0
FORMERR: Final = 1
SERVFAIL: Final = 2
NXDOMAIN: Final = 3
NOTIMP: Final = 4
REFUSED: Final = 5
NOTAUTH: Final = 9
#: class IN
IN: Final = 1

_TYPE_CLASS: Final = struct.Struct("!HH")
#: RD, and AD as the wish to see the AD bit (RFC 6840 section 5.7); one question; with and without OPT
_HEAD_EDNS: Final = struct.pack("!5H", 0x0120, 1, 0, 0, 1)
_HEAD_PLAIN: Final = struct.pack("!5H", 0x0120, 1, 0, 0, 0)
#: the same with CD
_HEAD_EDNS_CD: Final = struct.pack("!5H", 0x0120 | CD, 1, 0, 0, 1)
_HEAD_PLAIN_CD: Final = struct.pack("!5H", 0x0120 | CD, 1, 0, 0, 0)
#: an OPT record for 1232 bytes: what fits into an unfragmented packet everywhere (RFC 9715)
_OPT: Final = b"\0" + _TYPE_CLASS.pack(records.OPT, 1232) + b"\0\0\0\0\0\0"
_LENGTH: Final = tuple(bytes([n]) for n in range(64))
#: most prefixes remembered
_MEMORY: Final = 10_000
_ESCAPED: Final = re.compile(rb"\\(\d\d\d|.)", re.DOTALL)


class Template:
    """All the engine needs to know about one record type, found once per question.

    Looking an enum member up in a dict costs as much as the rest of a table look-up together.
    """

    __slots__ = ("code", "number", "rrtype", "tail")

    def __init__(self, rrtype: RRType, number: int, code: int) -> None:
        self.rrtype = rrtype
        #: place in tables of counters
        self.number = number
        self.code = code
        #: QTYPE and QCLASS
        self.tail = _TYPE_CLASS.pack(code, IN)


_CODES: Final = (
    (RRType.A, records.A),
    (RRType.NS, records.NS),
    (RRType.CNAME, records.CNAME),
    (RRType.SOA, records.SOA),
    (RRType.MX, records.MX),
    (RRType.TXT, records.TXT),
    (RRType.AAAA, records.AAAA),
    (RRType.SRV, records.SRV),
    (RRType.DS, records.DS),
    (RRType.TLSA, records.TLSA),
    (RRType.CAA, records.CAA),
    (RRType.PTR, records.PTR),
)
TEMPLATES: Final = {
    rrtype: Template(rrtype, number, code) for number, (rrtype, code) in enumerate(_CODES)
}


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


def message(question: bytes, *, edns: bool, unchecked: bool = False) -> bytes:
    """A query without its id, which is drawn anew for every try.

    `unchecked` sets CD: what DNSSEC does not prove is wanted too (RFC 4035 section 3.2.2).
    """
    if unchecked:
        head = _HEAD_EDNS_CD if edns else _HEAD_PLAIN_CD
        return head + question + _OPT if edns else head + question
    return _HEAD_EDNS + question + _OPT if edns else _HEAD_PLAIN + question


def in_mixed_case(name: bytes) -> bytes:
    """A lower-case wire name with every letter's case drawn anew ("0x20", draft-vixie-dnsext-dns0x20).

    A forger has to guess one more bit a letter. Length bytes are at most 63, below all letters.
    """
    flips = os.urandom(len(name))
    return bytes(
        [
            byte - 0x20 if 0x61 <= byte <= 0x7A and flip & 1 else byte
            for byte, flip in zip(name, flips, strict=True)
        ]
    )
