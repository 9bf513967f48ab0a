"""How the loopback name server packs an answer, and the many wrong ways in which it can be told to."""

from __future__ import annotations

import asyncio
import struct
import time
from collections import deque
from collections.abc import Callable

from hunter.local.zone import (
    FORMERR,
    NOERROR,
    NOTIMP,
    NXDOMAIN,
    REFUSED,
    SERVFAIL,
    TYPES,
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
    "tcp-half": "sends half of a message over TCP and then nothing more",
    "tcp-cut": "sends half of a message over TCP and closes the connection",
    "tcp-dribble": "sends a message over TCP byte by byte",
    "tcp-pairs": "answers over TCP two at a time, in one segment",
    "lame": "refers to other name servers instead of answering",
    "upward-referral": "refers to the root instead of answering",
    "wrong-id": "sends a forged answer with another id first",
    "wrong-question": "sends a forged answer to another question first",
    "wrong-source": "sends a forged answer from another port first",
    "wrong-address": "sends a forged answer from another address (IPv4 only) first",
    "garbage": "sends random bytes first",
    "short": "sends the first five bytes of an answer first",
    "broken": "cuts the last bytes of the answer off and keeps its counts",
    "cut": "cut=BYTES: sends no more than the first bytes of the answer",
    "pointer-loop": "answers with a compression pointer to itself",
    "mangle-case": "turns the case of the letters in the question around",
    "lower-case": "turns the letters of the question to lower case",
    "contradict": "says NXDOMAIN beside the records of the answer",
    "hijack": "gives names that do not exist an address of its own",
    "duplicate": "answers twice",
    "empty-question": "leaves the question section out of the answer",
    "no-chase": "answers a CNAME without what it points to",
    "ad": "sets the AD bit",
    "bogus": "answers SERVFAIL unless CD is set, as validating resolvers do where DNSSEC is broken",
    "delay": "delay=MS: answers that much later",
    "delay-first": "delay-first=MS: answers the first datagram of each question that much later",
    "drop-first": "drop-first=N: ignores the first N datagrams of each question",
    "servfail-first": "servfail-first=N: SERVFAIL to the first N times of each question",
    "loss": "loss=PERCENT: ignores that share of datagrams",
    "burst": "burst=N: ignores what comes after N datagrams within a twentieth of a second",
    "no-ra": "answers without the RA bit, as a server that asks nobody else does",
    "authoritative": "answers with AA and without RA, as the servers do that resolvers ask",
    "no-opt": "answers a question with EDNS as if it had none",
    "storm": "storm=PERCENT: does one of all that can be told from the truth to that share of datagrams",
}
#: what is sent before, not instead of, the true answer
LIES = frozenset(
    {"wrong-id", "wrong-question", "wrong-source", "wrong-address", "garbage", "short"}
)
#: what a storm draws from: nobody can tell a well-formed lie from the truth, so there is none here
STORM: tuple[dict[str, str], ...] = (
    *({word: ""} for word in sorted(LIES)),
    *({word: "", "timeout": ""} for word in sorted(LIES)),
    *(
        {word: ""}
        for word in (
            *(
                "timeout",
                "formerr",
                "servfail",
                "notimp",
                "refused",
                "formerr-on-edns",
                "drop-edns",
            ),
            *("truncate", "lame", "upward-referral", "broken", "pointer-loop", "mangle-case"),
            *("duplicate", "empty-question", "no-chase", "lower-case"),
        )
    ),
    *({"cut": str(size)} for size in (0, 3, 11, 12, 20, 30, 45, 60)),
    *({"delay": str(ms)} for ms in (1, 20, 60)),
    *({"truncate": "", word: ""} for word in ("tcp-close", "tcp-cut", "tcp-truncate")),
    {"servfail": "", "empty-question": ""},
    {"duplicate": "", "delay": "5"},
)
#: a silence longer than anybody waits
FOREVER_S = 3600
_TYPE_NAMES = {number: name for name, number in TYPES.items()}
_QR_RA = 0x8080
_TC = 0x0200
#: RD and CD come back as they were (RFC 1035 section 4.1.1, RFC 4035 section 3.2.2)
_KEPT = 0x0110
_CD = 0x0010
_AD = 0x0020
#: seconds over which datagrams count as one burst
_BURST_S = 0.05
_EDNS_SIZE = struct.pack("!H", 1232)
#: what a hijacking resolver wants to be taken for: an A record (RFC 5737 address)
_HIJACKED = Reply(
    NOERROR, 1, 0, b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 60, 4) + b"\xc0\x00\x02\x50"
)
_A = b"\0\1"


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

    @property
    def text(self) -> str:
        """The question as a person writes it: "example.com MX"."""
        labels, at = [], 0
        while self.name[at]:
            labels.append(self.name[at + 1 : at + 1 + self.name[at]].decode("latin-1"))
            at += self.name[at] + 1
        number = int.from_bytes(self.rrtype, "big")
        return f"{'.'.join(labels) or '.'} {_TYPE_NAMES.get(number, number)}"


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
    if "bogus" in words and not asked.flags & _CD:
        rcode = SERVFAIL
    if rcode is not None:
        reply = Reply(rcode, 0, 0, b"")
    elif "lame" in words or "upward-referral" in words:
        owner = b"\0" if "upward-referral" in words else b"\xc0\x0c"
        target = b"\2ns\7invalid\0"
        body = owner + struct.pack("!HHIH", 2, 1, 300, len(target)) + target
        reply = Reply(NOERROR, 0, 1, body)
    elif "hijack" in words and honest.rcode == NXDOMAIN:
        reply = _HIJACKED if asked.rrtype == _A else Reply(NOERROR, 0, 0, b"")
    elif "contradict" in words and honest.answers and not honest.authorities:
        reply = honest._replace(rcode=NXDOMAIN)
    elif "pointer-loop" in words:
        here = 0xC000 | (12 + len(asked.question))
        body = struct.pack("!HHHIH", here, 1, 1, 60, 4) + b"\x7f\0\0\1"
        reply = Reply(NOERROR, 1, 0, body)
    if "no-opt" in words:
        asked.edns, asked.limit = False, asked.limit if tcp else 512
    head, tail = pack(asked, reply, secure="ad" in words)
    if "no-ra" in words or "authoritative" in words:
        head = head[:1] + bytes([head[1] & 0x7F]) + head[2:]
    if "authoritative" in words:
        head = bytes([head[0] | 0x04]) + head[1:]
    if ("tcp-truncate" if tcp else "truncate") in words:
        head, tail = struct.pack("!5H", _QR_RA | _TC, 1, 0, 0, 0), b""
    if "broken" in words:
        head, tail = head[:8] + b"\0\0", reply.body[:-3]
    if "empty-question" in words:
        return data[:2] + head[:2] + b"\0\0" + head[4:] + tail
    question = asked.question
    if "mangle-case" in words:
        question = question[:-4].swapcase() + question[-4:]
    if "lower-case" in words:
        question = question[:-4].lower() + question[-4:]
    whole = data[:2] + head + question + tail
    return whole[: int(words["cut"])] if "cut" in words and not tcp else whole


class Bursts:
    """Counts what comes in within a twentieth of a second."""

    def __init__(self) -> None:
        self._times: deque[float] = deque()

    def come(self) -> int:
        """One more has come; how many that makes."""
        now = time.monotonic()
        self._times.append(now)
        while now - self._times[0] > _BURST_S:
            self._times.popleft()
        return len(self._times)


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


async def write(writer: asyncio.StreamWriter, framed: bytes, words: dict[str, str]) -> None:
    """Send messages over TCP as the words ask for; OSError where the connection is to be closed."""
    if "tcp-half" in words or "tcp-cut" in words:
        writer.write(framed[: len(framed) // 2])
        await writer.drain()
        if "tcp-cut" in words:
            raise ConnectionResetError
        await asyncio.sleep(FOREVER_S)
    step = 1 if "tcp-dribble" in words else max(1, len(framed))
    for at in range(0, len(framed), step):
        writer.write(framed[at : at + step])
        await writer.drain()
        await asyncio.sleep(0)
