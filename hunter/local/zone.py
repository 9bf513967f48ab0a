"""Zone text, and what an honest name server says about it: an encoder of its own, for loopback only."""

from __future__ import annotations

import ipaddress
import re
import struct
from collections.abc import Callable, Iterator
from typing import NamedTuple

import dns.exception
import dns.name
import dns.rdata
import dns.rdatatype

NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED = range(6)

TYPES = {
    "A": 1,
    "NS": 2,
    "CNAME": 5,
    "SOA": 6,
    "PTR": 12,
    "MX": 15,
    "TXT": 16,
    "AAAA": 28,
    "SRV": 33,
    "DS": 43,
    "TLSA": 52,
    "CAA": 257,
}
_CNAME = struct.pack("!H", 5)
_SOA = struct.pack("!H", 6)
_ONE = b"\0\1"
#: the owner of every stored record: a pointer to the question's name, at offset 12
_OWNER = b"\xc0\x0c"
_DEFAULT_TTL = 300
_MAX_CHAIN = 16
_WORD = re.compile(r'"((?:[^"\\]|\\.)*)"|((?:[^\s"\\]|\\.)+)')
_ESCAPE = re.compile(r"\\(\d{3}|.)", re.DOTALL)
_COMMENT = re.compile(r'((?:"(?:[^"\\]|\\.)*"|\\.|[^;"\\])*)(?:;.*)?', re.DOTALL)


class Reply(NamedTuple):
    """The sections of one answer, encoded."""

    rcode: int
    answers: int
    authorities: int
    body: bytes


class Directive(NamedTuple):
    """One `;! name [TYPE] word word=value …` line; what the words do is the server's affair."""

    name: bytes
    rrtype: int
    subtree: bool
    words: dict[str, str]
    line: int


def _unescape(text: str) -> bytes:
    if "\\" not in text:
        return text.encode()
    return b"".join(
        bytes([int(p)]) if i % 2 and p.isdigit() and len(p) == 3 else p.encode()
        for i, p in enumerate(_ESCAPE.split(text))
    )


def encode_name(text: str) -> bytes:
    """A name as lower-case wire labels; ValueError when RFC 1035 section 2.3.4 forbids it."""
    text = text.lower()
    if text in {"", "."}:
        return b"\0"
    labels = [_unescape(label) for label in re.split(r"(?<!\\)\.", text.removesuffix("."))]
    wire = b"".join(bytes([len(label)]) + label for label in labels if 0 < len(label) < 64) + b"\0"
    if len(wire) > 255 or any(not 0 < len(label) < 64 for label in labels):
        raise ValueError(f"{text!r} is not a domain name")
    return wire


def parents(name: bytes) -> Iterator[bytes]:
    """The names above a wire name, nearest first, the root last."""
    while name != b"\0":
        name = name[name[0] + 1 :]
        yield name


class Zone:
    """Everything the server knows: record sets by name and type, ready to be sent.

    Lines are `name [TTL] [IN] TYPE rdata`; `$ORIGIN`, `$TTL`, `@`, an empty owner (the one before)
    and comments mean what they mean in RFC 1035 section 5.1; one record stands on one line.
    Without `$ORIGIN` every name is absolute. Raises ValueError with the line number.
    """

    def __init__(self, text: str = "", *, outside: int = NXDOMAIN) -> None:
        #: owner + type → count (2 bytes) + the records, each owned by a pointer to offset 12
        self.sets: dict[bytes, bytes] = {}
        #: every name that exists, empty non-terminals included (RFC 4592 section 2.2.2)
        self.names: set[bytes] = {b"\0"}
        self.directives: list[Directive] = []
        self.outside = outside
        self._wire: dict[str, bytes] = {}
        self._origin = ""
        self._ttl = _DEFAULT_TTL
        self._apexes: set[bytes] = set()
        self.load(text)

    def load(self, text: str) -> None:
        """Add more zone text to what is there; `$ORIGIN` and `$TTL` begin anew."""
        owner = self._origin = ""
        self._ttl = _DEFAULT_TTL
        for number, line in enumerate(text.splitlines(), 1):
            if not line or line.isspace():
                continue
            try:
                if line.startswith(";!"):
                    self.directives.append(self._directive(line[2:].split(), number))
                    continue
                if ";" in line:
                    found = _COMMENT.match(line)
                    line = found.group(1) if found else ""  # noqa: PLW2901  # the same line without its comment
                if line.strip():
                    owner = self._line(line, owner)
            except (
                ValueError,
                IndexError,
                OverflowError,
                struct.error,
                dns.exception.DNSException,
            ) as error:
                raise ValueError(
                    f"zone line {number}: {str(error) or type(error).__name__}: {line!r}"
                ) from None
        # a zone begins at a SOA, or, to keep test zones short, at the topmost name that owns records
        owners = {key[:-2] for key in self.sets}
        self._apexes = {
            name for name in owners if name + _SOA in self.sets or owners.isdisjoint(parents(name))
        }

    def drop(self, text: str) -> None:
        """Take out what `load` had put in from this text; names in it stand in no other text."""
        gone = Zone(text)
        for key in gone.sets:
            self.sets.pop(key, None)
        self.directives = [each for each in self.directives if each not in gone.directives]
        self.names = {b"\0"}
        for key in self.sets:
            self._exists(key[:-2])
        self.load("")

    def _directive(self, words: list[str], number: int) -> Directive:
        name, *rest = words
        rrtype = TYPES.get(rest[0], 0) if rest else 0
        actions = dict(word.partition("=")[::2] for word in rest[1 if rrtype else 0 :])
        subtree = name.startswith(".")
        return Directive(encode_name(name[subtree:]), rrtype, subtree, actions, number)

    def _name(self, text: str) -> bytes:
        wire = self._wire.get(text)
        if wire is None or self._origin:
            absolute = text
            if self._origin and not text.endswith("."):
                absolute = self._origin if text == "@" else f"{text}.{self._origin}"
            wire = encode_name(absolute)
            if not self._origin:
                self._wire[text] = wire
        return wire

    def _line(self, line: str, owner: str) -> str:
        """Read one record or $ line; gives the owner for the next line."""
        words = line.split(None, 4)
        if words[0] == "$ORIGIN":
            self._origin = words[1].rstrip(".") + "."
            return owner
        if words[0] == "$TTL":
            self._ttl = int(words[1])
            return owner
        at, ttl = 0, self._ttl
        if not line[0].isspace():
            owner, at = words[0], 1
        while words[at].isdigit() or words[at].upper() == "IN":
            if words[at].isdigit():
                ttl = int(words[at])
            at += 1
        # the rest of the line as it stands: splitting further would lose blanks inside quotes
        parts = line.split(None, at + 1)
        self._add(self._name(owner), parts[at].upper(), ttl, parts[at + 1].rstrip())
        return owner

    def _add(self, name: bytes, kind: str, ttl: int, text: str) -> None:
        encode = _RDATA.get(kind)
        if encode is not None:
            number, rdata = TYPES[kind], encode(self, text)
        else:
            number = dns.rdatatype.from_text(kind)
            rdata = (
                dns.rdata.from_text("IN", kind, text, dns.name.root, relativize=False).to_wire()
                or b""
            )
        record = _OWNER + struct.pack("!HHIH", number, 1, ttl, len(rdata)) + rdata
        key = name + struct.pack("!H", number)
        known = self.sets.get(key)
        if known is None:
            self.sets[key] = _ONE + record
            self._exists(name)
        elif record not in known:
            (count,) = struct.unpack_from("!H", known)
            self.sets[key] = struct.pack("!H", count + 1) + known[2:] + record

    def _exists(self, name: bytes) -> None:
        while name not in self.names:
            self.names.add(name)
            name = name[name[0] + 1 :]

    # ── answering ──

    def reply(self, name: bytes, rrtype: bytes, *, chase: bool = True) -> Reply:
        """The answer for a lower-case wire name: RFC 1034 section 4.3.2 within this data."""
        body, count, seen = b"", 0, set()
        owner = name
        while True:
            if self._outside(owner):
                return self._end(self.outside, count, body, owner)
            source = owner if owner in self.names else self._wildcard(owner)
            if source is None:
                return self._end(NXDOMAIN, count, body, owner)
            found = self.sets.get(source + rrtype)
            if found is not None:
                rrs = found[2:] if not count else _reowned(found, owner)
                return Reply(NOERROR, count + struct.unpack_from("!H", found)[0], 0, body + rrs)
            alias = self.sets.get(source + _CNAME)
            if alias is None:
                return self._end(NOERROR, count, body, owner)
            body += alias[2:] if not count else _reowned(alias, owner)
            count += 1
            seen.add(owner)
            owner = alias[14:]  # count 2, owner 2, type 2, class 2, TTL 4, length 2
            if owner in seen or count >= _MAX_CHAIN or not chase:
                return Reply(NOERROR, count, 0, body)

    def _outside(self, name: bytes) -> bool:
        """True for a name of no zone here. Asked like a recursive resolver, the root knows `com`."""
        if self.outside == NXDOMAIN and name in self.names:
            return False
        return name not in self._apexes and self._apexes.isdisjoint(parents(name))

    def _wildcard(self, name: bytes) -> bytes | None:
        """The wildcard that covers a name that does not exist (RFC 4592 section 3.3.1)."""
        for parent in parents(name):
            if parent in self.names:
                star = b"\1*" + parent
                return star if star in self.names else None
        return None  # pragma: no cover - the root always exists

    def _end(self, rcode: int, count: int, body: bytes, name: bytes) -> Reply:
        """A negative answer, with the SOA that says how long it holds (RFC 2308 section 3)."""
        if rcode == REFUSED:
            return Reply(NOERROR if count else REFUSED, count, 0, body)
        for zone in (name, *parents(name)):
            soa = self.sets.get(zone + _SOA)
            if soa is not None:
                return Reply(rcode, count, 1, body + _reowned(soa, zone))
        return Reply(rcode, count, 1, body + _ROOT_SOA)


def _reowned(records: bytes, owner: bytes) -> bytes:
    """Stored records under another owner than the question's name."""
    parts, at = [], 2
    while at < len(records):
        (length,) = struct.unpack_from("!H", records, at + 10)
        parts.append(owner + records[at + 2 : at + 12 + length])
        at += 12 + length
    return b"".join(parts)


# ── RDATA, text to wire; names inside are never compressed, so records can be moved as they are ──


def _address(_zone: Zone, text: str) -> bytes:
    return ipaddress.ip_address(text).packed


def _target(zone: Zone, text: str) -> bytes:
    return zone._name(text)  # noqa: SLF001  # the zone's own encoder


def _mx(zone: Zone, text: str) -> bytes:
    preference, host = text.split()
    return struct.pack("!H", int(preference)) + zone._name(host)  # noqa: SLF001


def _srv(zone: Zone, text: str) -> bytes:
    priority, weight, port, host = text.split()
    return struct.pack("!HHH", int(priority), int(weight), int(port)) + zone._name(host)  # noqa: SLF001


def _txt(_zone: Zone, text: str) -> bytes:
    out = []
    for quoted, bare in _WORD.findall(text):
        raw = _unescape(quoted or bare)
        if len(raw) > 255:
            raise ValueError("a character-string holds 255 bytes at most; write several")
        out.append(bytes([len(raw)]) + raw)
    if not out:
        raise ValueError("TXT wants at least one character-string")
    return b"".join(out)


def _soa(zone: Zone, text: str) -> bytes:
    mname, rname, *numbers = text.split()
    return zone._name(mname) + zone._name(rname) + struct.pack("!5I", *map(int, numbers))  # noqa: SLF001


def _caa(_zone: Zone, text: str) -> bytes:
    flags, tag, value = text.split(None, 2)
    (quoted, bare), *_ = _WORD.findall(value) or [("", "")]
    return bytes([int(flags), len(tag)]) + tag.encode() + _unescape(quoted or bare)


def _ds(_zone: Zone, text: str) -> bytes:
    tag, algorithm, kind, *digest = text.split()
    return struct.pack("!HBB", int(tag), int(algorithm), int(kind)) + bytes.fromhex("".join(digest))


def _tlsa(_zone: Zone, text: str) -> bytes:
    usage, selector, matching, *digest = text.split()
    return bytes([int(usage), int(selector), int(matching)]) + bytes.fromhex("".join(digest))


_RDATA: dict[str, Callable[[Zone, str], bytes]] = {
    "A": _address,
    "AAAA": _address,
    "NS": _target,
    "CNAME": _target,
    "PTR": _target,
    "MX": _mx,
    "SRV": _srv,
    "TXT": _txt,
    "SOA": _soa,
    "CAA": _caa,
    "DS": _ds,
    "TLSA": _tlsa,
}

_SOA_RDATA = (
    encode_name("a.root-servers.net")
    + encode_name("nstld.verisign-grs.com")
    + struct.pack("!5I", 2026010100, 1800, 900, 604800, 86400)
)
#: the negative answer of a recursive resolver for a name under no zone of ours
_ROOT_SOA = b"\0" + struct.pack("!HHIH", 6, 1, 86400, len(_SOA_RDATA)) + _SOA_RDATA
