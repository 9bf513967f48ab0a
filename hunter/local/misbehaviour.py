"""How the loopback name server packs an answer, and the many wrong ways in which it can be told to."""

from __future__ import annotations

import struct
from collections.abc import Callable

from hunter.local.zone import (
    FORMERR,
    NOERROR,
    NOTIMP,
    NXDOMAIN,
    REFUSED,
    SERVFAIL,
    Directive,
    Reply,
)

RCODES = {
    "formerr": FORMERR,
    "servfail": SERVFAIL,
    "nxdomain": NXDOMAIN,
    "notimp": NOTIMP,
    "refused": REFUSED,
}
#: word of a directive → what the server does
BEHAVIOURS = {
    "timeout": "never answers over UDP",
    **{name: f"answers {name.upper()}" for name in RCODES},
    "formerr-on-edns": "answers FORMERR to a question with EDNS, properly without",
    "drop-edns": "never answers a question with EDNS",
    "truncate": "TC and no records over UDP, everything over TCP",
    "tcp-truncate": "TC and no records over TCP as well",
    "tcp-close": "closes the TCP connection instead of answering",
    "tcp-timeout": "keeps the TCP connection open and silent",
    "lame": "refers to other name servers instead of answering",
    "upward-referral": "refers to the root instead of answering",
    "wrong-id": "sends a forged answer with another id first",
    "wrong-question": "sends a forged answer to another question first",
    "wrong-source": "sends a forged answer from another port first",
    "garbage": "sends random bytes first",
    "short": "sends the first five bytes of an answer first",
    "broken": "cuts the last bytes of the answer off and keeps its counts",
    "pointer-loop": "answers with a compression pointer to itself",
    "duplicate": "answers twice",
    "empty-question": "leaves the question section out of the answer",
    "no-chase": "answers a CNAME without what it points to",
    "ad": "sets the AD bit",
    "delay": "delay=MS: answers that much later",
    "drop-first": "drop-first=N: ignores the first N datagrams of each question",
    "servfail-first": "servfail-first=N: SERVFAIL to the first N times of each question",
    "loss": "loss=PERCENT: ignores that share of datagrams",
}
#: what is sent before, not instead of, the true answer
LIES = frozenset({"wrong-id", "wrong-question", "wrong-source", "garbage", "short"})
_QR_RA = 0x8080
_TC = 0x0200
#: RD and CD come back as they were (RFC 1035 section 4.1.1, RFC 4035 section 3.2.2)
_KEPT = 0x0110
_AD = 0x0020
_EDNS_SIZE = struct.pack("!H", 1232)


def check(directive: Directive) -> None:
    """Raise ValueError for a directive with a word that means nothing."""
    for word, value in directive.words.items():
        if word not in BEHAVIOURS:
            known = " ".join(BEHAVIOURS)
            raise ValueError(f"zone line {directive.line}: {word!r} is none of: {known}")
        wants_number = f"{word}=" in BEHAVIOURS[word]
        if wants_number != value.replace(".", "", 1).isdigit():
            raise ValueError(f"zone line {directive.line}: {word}={value}: {BEHAVIOURS[word]}")


class Asked:
    """A question, taken apart. `sound` is false for what is none."""

    __slots__ = ("edns", "end", "flags", "limit", "name", "question", "rrtype", "sound")

    def __init__(self, data: bytes, *, tcp: bool = False) -> None:
        self.sound = False
        self.name, self.rrtype, self.question, self.end = b"\0", b"\0\0", b"", 0
        self.edns, self.flags, self.limit = False, 0, 512
        if len(data) < 17 or data[2] & 0x80 or data[4:6] != b"\0\1":
            return
        at = 12
        while at < len(data) and data[at]:
            at += data[at] + 1
        end = at + 5
        # class IN only
        if end > len(data) or at > 12 + 254 or data[at + 3 : end] != b"\0\1":
            return
        self.sound, self.end = True, end
        self.flags = (data[2] << 8) | data[3]
        self.question = data[12:end]
        # length bytes are below 64 and so never ASCII capitals: lower() leaves them alone
        self.name, self.rrtype = data[12 : at + 1].lower(), data[at + 1 : at + 3]
        # the additional section holds at most an OPT record, which begins with the root and type 41
        if data[end : end + 3] == b"\0\0\x29" and len(data) >= end + 11:
            self.edns = True
            self.limit = max(512, (data[end + 3] << 8) | data[end + 4])
        if tcp:
            self.limit = 65535


def pack(asked: Asked, reply: Reply, *, secure: bool = False) -> tuple[bytes, bytes]:
    """What stands before (from the flags on) and behind the question; TC when it does not fit."""
    flags = _QR_RA | (asked.flags & _KEPT) | reply.rcode
    if secure:
        flags |= _AD
    answers, authorities, body = reply.answers, reply.authorities, reply.body
    opt = b"\0\0\x29" + _EDNS_SIZE + b"\0\0\0\0\0\0" if asked.edns else b""
    if 12 + len(asked.question) + len(body) + len(opt) > asked.limit:
        flags, answers, authorities, body = flags | _TC, 0, 0, b""
    return struct.pack("!5H", flags, 1, answers, authorities, 1 if opt else 0), body + opt


def crooked(
    data: bytes,
    asked: Asked,
    words: dict[str, str],
    honest: Reply,
    nth: Callable[[str], int],
    *,
    tcp: bool,
) -> bytes:
    """The whole answer that the words ask for; `nth` counts how often this question came."""
    reply = honest
    rcode = next((code for word, code in RCODES.items() if word in words), None)
    if "formerr-on-edns" in words and asked.edns:
        rcode, asked.edns = FORMERR, False
    if "servfail-first" in words and nth("servfail-first") <= float(words["servfail-first"]):
        rcode = SERVFAIL
    if rcode is not None:
        reply = Reply(rcode, 0, 0, b"")
    elif "lame" in words or "upward-referral" in words:
        owner = b"\0" if "upward-referral" in words else b"\xc0\x0c"
        target = b"\2ns\7invalid\0"
        body = owner + struct.pack("!HHIH", 2, 1, 300, len(target)) + target
        reply = Reply(NOERROR, 0, 1, body)
    elif "pointer-loop" in words:
        here = 0xC000 | (12 + len(asked.question))
        body = struct.pack("!HHHIH", here, 1, 1, 60, 4) + b"\x7f\0\0\1"
        reply = Reply(NOERROR, 1, 0, body)
    head, tail = pack(asked, reply, secure="ad" in words)
    if ("tcp-truncate" if tcp else "truncate") in words:
        head, tail = struct.pack("!5H", _QR_RA | _TC, 1, 0, 0, 0), b""
    if "broken" in words:
        head, tail = head[:8] + b"\0\0", reply.body[:-3]
    if "empty-question" in words:
        return data[:2] + head[:2] + b"\0\0" + head[4:] + tail
    return data[:2] + head + asked.question + tail


def forged(lie: str, data: bytes, asked: Asked, noise: bytes) -> bytes:
    """A false NXDOMAIN, so that a resolver that falls for it says something wrong."""
    head = struct.pack("!5H", _QR_RA | NXDOMAIN, 1, 0, 0, 0)
    match lie:
        case "wrong-id":
            return bytes([data[0] ^ 0x5A, data[1]]) + head + asked.question
        case "wrong-question":
            return data[:2] + head + b"\5other" + asked.question
        case "short":
            return data[:5]
        case "garbage":
            return noise
        case _:
            return data[:2] + head + asked.question
