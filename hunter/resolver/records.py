"""Names and RDATA, from the wire to presentation form (RFC 1035 section 5.1)."""

from __future__ import annotations

import struct
from socket import AF_INET6, inet_ntoa, inet_ntop
from typing import Final

#: QTYPEs (IANA registry)
A: Final = 1
NS: Final = 2
CNAME: Final = 5
SOA: Final = 6
PTR: Final = 12
MX: Final = 15
TXT: Final = 16
AAAA: Final = 28
SRV: Final = 33
OPT: Final = 41
DS: Final = 43
TLSA: Final = 52
CAA: Final = 257

_SRV: Final = struct.Struct("!3H")
_SOA: Final = struct.Struct("!5I")
_PLAIN: Final = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."
#: most names remembered
_MEMORY: Final = 10_000
#: pointers one name may lead through: a pointer before each of the labels that fit into 255 bytes
_MAX_HOPS: Final = 126


class MalformedAnswer(ValueError):
    """The bytes are no DNS message."""


def read_name(data: bytes, at: int) -> tuple[str, int]:
    """The name at an offset and the offset behind it.

    Compression pointers must lead backwards, to a name that ends before the one that points to it,
    so that no bytes can make this loop (RFC 1035 section 4.1.4), and there is one a label at most,
    so that none can make it long.
    Raises MalformedAnswer or IndexError.
    """
    labels = []
    behind = 0
    hops = 0
    limit = at
    fence = len(data)
    size = 0
    while length := data[at]:
        if length < 64:
            labels.append(data[at + 1 : at + 1 + length])
            at += length + 1
            size += length + 1
        elif length >= 192:
            target = (length & 0x3F) << 8 | data[at + 1]
            if target >= limit or at + 2 > fence:
                raise MalformedAnswer("a compression pointer does not lead backwards")
            hops += 1
            if hops > _MAX_HOPS:
                raise MalformedAnswer("a name of more compression pointers than labels fit in")
            behind = behind or at + 2
            fence = limit
            at = limit = target
        else:
            raise MalformedAnswer("a label of a kind that does not exist")
    if size > 254 or at >= fence:
        raise MalformedAnswer("a name is longer than 255 bytes, or runs into what points to it")
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
_known_names: Final[dict[bytes, str]] = {}


def exact_name(data: bytes, at: int, end: int) -> str:
    """The name that fills an RDATA."""
    if at >= end:  # compiled, a slice that ends before it begins is a SystemError and not empty
        raise MalformedAnswer("a name has no bytes")
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
    return f"{data[at] << 8 | data[at + 1]} {exact_name(data, at + 2, end)}"


def _read_srv(data: bytes, at: int, end: int) -> str:
    priority, weight, port = _SRV.unpack_from(data, at)
    return f"{priority} {weight} {port} {exact_name(data, at + 6, end)}"


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


def read_record(code: int, data: bytes, at: int, end: int) -> str:  # one a type
    """The RDATA between two offsets, of a QTYPE that is in the list above (OPT is not read here).

    Raises MalformedAnswer, IndexError or struct.error. A chain of comparisons, the frequent types
    first, since compiled it is twice as fast as a table of functions.
    """
    if code == TXT:
        return _read_txt(data, at, end)
    if code in (CNAME, NS, PTR):
        return exact_name(data, at, end)
    if code == MX:
        return _read_mx(data, at, end)
    if code == A:
        return _read_a(data, at, end)
    if code == AAAA:
        return _read_aaaa(data, at, end)
    if code == SOA:
        return _read_soa(data, at, end)
    if code == SRV:
        return _read_srv(data, at, end)
    if code == DS:
        return _read_ds(data, at, end)
    if code == TLSA:
        return _read_tlsa(data, at, end)
    return _read_caa(data, at, end)
