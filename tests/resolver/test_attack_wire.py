"""Bytes made to hurt the decoder: cut anywhere, looping, with lengths and counts that lie."""

from __future__ import annotations

import struct
from collections.abc import Awaitable, Callable

import dns.edns
import dns.message
import dns.rcode
import dns.rrset
import pytest

from hunter.core.answers import Answer, Outcome, RRType
from hunter.local.nameserver import NameServer, Packet
from hunter.resolver.engine import Engine
from hunter.resolver.questions import Budget
from hunter.resolver.replies import Alias, decode
from hunter.resolver.wire import TEMPLATES, encode_name

Opener = Callable[..., Awaitable[Engine]]

NAME = "example.com"
QUESTION = encode_name(NAME)
#: where the first record begins in an answer to a question for NAME
FIRST = 12 + len(QUESTION) + 4
OWNER = b"\xc0\x0c"
SOA = "example.com. 900 IN SOA ns1.example.com. host.example.com. 1 2 3 4 60"


def rr(owner: bytes, rrtype: int, rdata: bytes, *, length: int | None = None) -> bytes:
    """One record; `length` is what it says of its RDATA instead of the truth."""
    told = len(rdata) if length is None else length
    return owner + struct.pack("!HHIH", rrtype, 1, 300, told) + rdata


def mx(host: bytes, *, owner: bytes = OWNER, length: int | None = None) -> bytes:
    return rr(owner, 15, b"\0\x0a" + host, length=length)


def answer_of(
    *records: bytes, flags: int = 0x8180, counts: tuple[int, int, int] | None = None
) -> bytes:
    """What stands behind the id of an answer with these records in its answer section."""
    told = counts or (len(records), 0, 0)
    question = QUESTION + struct.pack("!HH", 15, 1)
    return struct.pack("!5H", flags, 1, *told) + question + b"".join(records)


def read(message: bytes, rrtype: RRType = RRType.MX) -> Answer | Alias:
    return decode(message, FIRST, NAME, TEMPLATES[rrtype], "")


# ── cut ──


def _whole(
    *sections: tuple[str, ...], rcode: dns.rcode.Rcode = dns.rcode.NOERROR, edns: bool = True
) -> bytes:
    """An answer as a resolver gives it: an OPT record with an option, long enough to be cut in."""
    query = dns.message.make_query("example.com", "TXT", use_edns=0 if edns else -1)
    response = dns.message.make_response(query)
    response.flags |= 0x80
    response.set_rcode(rcode)
    if edns:
        response.use_edns(
            0, options=[dns.edns.GenericOption(dns.edns.OptionType.COOKIE, b"cookie--")]
        )
    for section, texts in zip((response.answer, response.authority), sections, strict=False):
        for text in texts:
            name, ttl, rdclass, rrtype, rdata = text.split(None, 4)
            section.append(dns.rrset.from_text(name, int(ttl), rdclass, rrtype, rdata))
    return response.to_wire()


@pytest.mark.parametrize("edns", [True, False])
@pytest.mark.parametrize(
    ("whole", "outcome"),
    [
        (((f'{NAME}. 300 IN TXT "v=spf1 -all"',),), Outcome.FOUND),
        (
            ((f"{NAME}. 300 IN CNAME a.{NAME}.", f'a.{NAME}. 300 IN TXT "x" "y"'), (SOA,)),
            Outcome.FOUND,
        ),
        (((), (SOA,)), Outcome.NODATA),
        (((f"{NAME}. 300 IN CNAME a.{NAME}.",), (SOA,)), Outcome.NODATA),
    ],
)
def test_a_cut_answer_says_nothing_else_than_the_whole_one(
    whole: tuple[tuple[str, ...], ...], outcome: Outcome, edns: bool
) -> None:
    message = _whole(*whole, edns=edns)
    truth = read(message, RRType.TXT)
    assert isinstance(truth, Answer)
    assert truth.outcome is outcome

    said = [read(message[:size], RRType.TXT) for size in range(FIRST, len(message))]

    known = [each for each in said if getattr(each, "outcome", None) is not Outcome.MALFORMED]
    # records that are all there may lack what stands behind them; an absence may not
    assert all(each == truth for each in known)
    assert not known or outcome is Outcome.FOUND


@pytest.mark.parametrize("edns", [True, False])
def test_a_cut_nxdomain_is_no_absence(edns: bool) -> None:
    message = _whole((), (SOA,), rcode=dns.rcode.NXDOMAIN, edns=edns)

    outcomes = [read(message[:size], RRType.TXT) for size in range(FIRST, len(message) + 1)]

    assert [getattr(each, "outcome", None) for each in outcomes] == [
        *[Outcome.MALFORMED] * (len(message) - FIRST),
        Outcome.NXDOMAIN,
    ]


async def test_an_answer_cut_at_any_byte_of_the_way_is_unknown(open_quick: Opener) -> None:
    """Over real sockets: the number in the name says where its answer is cut."""
    names = [f"n{size:03}.example" for size in range(110)]
    zone = "\n".join(f"{name} MX 10 mx.somewhere.example\n{name} TXT abc" for name in names)
    cuts = "\n".join(f";! {name} cut={size}" for size, name in enumerate(names))
    async with NameServer(zone) as honest, NameServer(f"{zone}\n{cuts}") as cutter:
        questions = [(name, rrtype) for name in names for rrtype in (RRType.MX, RRType.NS)]
        truth = await (await open_quick(honest)).ask(questions, budget=Budget(999))
        said = await (await open_quick(cutter)).ask(questions, budget=Budget(999))
        both = await open_quick(cutter, honest)
        healed = await both.ask(questions, budget=Budget(999))

    def data(answer: Answer) -> object:
        return answer.outcome, answer.records

    assert [data(a) for a in healed] == [data(a) for a in truth]
    known = [(a, right) for a, right in zip(said, truth, strict=True) if a.outcome.is_known]
    assert all(data(a) == data(right) for a, right in known)
    assert {a.outcome for a in said if not a.outcome.is_known} == {
        Outcome.MALFORMED,  # as far as the question the answer is ours
        Outcome.TIMEOUT,  # cut before that it is nobody's
    }


# ── names that loop, lead forward or never end; lengths and counts that lie ──

CROOKED = {
    "owner points to itself": answer_of(mx(b"\0", owner=struct.pack("!H", 0xC000 | FIRST))),
    "owner points forward": answer_of(mx(b"\0", owner=struct.pack("!H", 0xC000 | FIRST + 12))),
    "owner points behind the end": answer_of(mx(b"\0", owner=b"\xff\xff")),
    "owner points at its own second byte": answer_of(
        mx(b"\0", owner=struct.pack("!H", 0xC000 | FIRST + 1))
    ),
    "owner label of the 0x40 kind": answer_of(mx(b"\0", owner=b"\x41ab\0")),
    "owner label of the 0x80 kind": answer_of(mx(b"\0", owner=b"\x81ab\0")),
    "owner label longer than the message": answer_of(mx(b"\0", owner=b"\x3fab\0")),
    "owner longer than 255 bytes": answer_of(mx(b"\0", owner=(b"\x3f" + b"a" * 63) * 4 + b"\0")),
    "target points to itself": answer_of(mx(struct.pack("!H", 0xC000 | FIRST + 14))),
    "target points forward": answer_of(mx(struct.pack("!H", 0xC000 | FIRST + 16) + b"\0")),
    "targets point at each other": answer_of(
        mx(struct.pack("!H", 0xC000 | FIRST + 30)), mx(struct.pack("!H", 0xC000 | FIRST + 14))
    ),
    "label before a pointer to itself": answer_of(
        mx(b"\1a" + struct.pack("!H", 0xC000 | FIRST + 14))
    ),
    "target ends in half a pointer": answer_of(mx(b"\1a\xc0")),
    "target without an end": answer_of(mx(b"\1a")),
    "target longer than its record": answer_of(mx(b"\2mx\0", length=4)),
    "target shorter than its record": answer_of(mx(b"\2mx\0" + b"xxx")),
    "RDLENGTH 0": answer_of(mx(b"\2mx\0", length=0)),
    "RDLENGTH 1": answer_of(mx(b"\2mx\0", length=1)),
    "RDLENGTH of the preference alone": answer_of(mx(b"\2mx\0", length=2)),
    "RDLENGTH behind the end": answer_of(mx(b"\2mx\0", length=7)),
    "RDLENGTH 65535": answer_of(mx(b"\2mx\0", length=65535)),
    "RDLENGTH over the next record": answer_of(mx(b"\2mx\0", length=24), mx(b"\3mx2\0")),
    "more answers than there are": answer_of(mx(b"\2mx\0"), counts=(2, 0, 0)),
    "65535 answers": answer_of(mx(b"\2mx\0"), counts=(65535, 0, 0)),
    "more authorities than there are": answer_of(counts=(0, 1, 0)),
    "more additional records than there are": answer_of(counts=(0, 0, 1)),
    "an NXDOMAIN with more additional records than there are": answer_of(flags=0x8183, counts=(0, 0, 2)),
    "an NXDOMAIN with an OPT longer than the message": answer_of(
        rr(b"\0", 41, b"", length=9), flags=0x8183, counts=(0, 0, 1)
    ),
    "an NXDOMAIN with an additional longer than the message": answer_of(
        mx(b"\0", length=99), flags=0x8183, counts=(0, 0, 1)
    ),
    "an NXDOMAIN with an SOA longer than the message": answer_of(
        rr(OWNER, 6, bytes(22), length=99), flags=0x8183, counts=(0, 1, 0)
    ),
    "a NODATA with a looping authority": answer_of(
        rr(struct.pack("!H", 0xC000 | FIRST), 6, bytes(22)), counts=(0, 1, 0)
    ),
    "an alias that points to itself": answer_of(rr(OWNER, 5, struct.pack("!H", 0xC000 | FIRST + 12))),
    "an alias longer than its record": answer_of(rr(OWNER, 5, b"\2ab\0", length=3), mx(b"\0")),
}  # fmt: skip


@pytest.mark.parametrize("crooked", CROOKED.values(), ids=CROOKED)
async def test_a_crooked_answer_is_malformed_and_the_next_server_is_asked(
    open_quick: Opener, crooked: bytes
) -> None:
    def script(packet: Packet, _times: int) -> list[bytes]:
        return [packet.data[:2] + crooked]

    async with (
        NameServer(script=script) as bad,
        NameServer(f"{NAME} MX 10 mx.{NAME}") as good,
    ):
        (alone,) = await (await open_quick(bad)).ask([(NAME, RRType.MX)])
        engine = await open_quick(bad, good)
        both = [answer for _ in range(2) for answer in await engine.ask([(NAME, RRType.MX)])]

    assert (alone.outcome, alone.records) == (Outcome.MALFORMED, ())
    assert {answer.records for answer in both} == {(f"10 mx.{NAME}",)}


@pytest.mark.parametrize(
    ("rrtype", "code", "rdata"),
    [
        (RRType.A, 1, b"\x7f\0\0"),
        (RRType.A, 1, b"\x7f\0\0\1\1"),
        (RRType.AAAA, 28, bytes(15)),
        (RRType.AAAA, 28, bytes(17)),
        (RRType.TXT, 16, b""),
        (RRType.TXT, 16, b"\5abcd"),
        (RRType.TXT, 16, b"\2abcd"),
        (RRType.TXT, 16, b"\1a\xff"),
        (RRType.SRV, 33, bytes(5)),
        (RRType.SRV, 33, bytes(6)),
        (RRType.SRV, 33, bytes(8)),
        (RRType.SOA, 6, bytes(21)),
        (RRType.SOA, 6, bytes(23)),
        (RRType.CAA, 257, b"\0"),
        (RRType.CAA, 257, b"\0\6issue"),
        (RRType.DS, 43, bytes(3)),
        (RRType.TLSA, 52, bytes(2)),
        (RRType.NS, 2, b""),
    ],
)
def test_rdata_of_a_wrong_size_is_malformed(rrtype: RRType, code: int, rdata: bytes) -> None:
    message = b"\0\0" + answer_of(rr(OWNER, code, rdata), rr(b"\0", 41, bytes(40)))

    assert getattr(read(message, rrtype), "outcome", None) is Outcome.MALFORMED


def test_a_message_full_of_pointers_is_put_down_at_the_first_name() -> None:
    """64 KiB in which thousands of names lead through the same eight thousand pointers."""
    chain, before = b"", 12
    at = FIRST + 12
    while at < 0x3FF0:
        chain += struct.pack("!H", 0xC000 | before)
        before, at = at, at + 2
    records = [rr(OWNER, 10, chain)]
    records += [mx(struct.pack("!H", 0xC000 | before))] * 3000
    message = b"\0\0" + answer_of(*records)

    # following each of them to its end takes seconds, in which nobody else is answered
    assert getattr(read(message), "outcome", None) is Outcome.MALFORMED


def test_a_name_may_have_a_pointer_before_each_of_its_labels() -> None:
    records, before = [rr(OWNER, 10, b"\1z\0")], FIRST + 12
    at = FIRST + 15
    for _ in range(126):
        records.append(rr(OWNER, 10, b"\1y" + struct.pack("!H", 0xC000 | before)))
        before = at + 12
        at += 16
    longest = answer_of(*records[:127], mx(struct.pack("!H", 0xC000 | before - 16)))
    too_long = answer_of(*records, mx(struct.pack("!H", 0xC000 | before)))

    answer = read(b"\0\0" + longest)

    assert isinstance(answer, Answer)
    assert answer.records == (f"10 {'y.' * 125}z",)
    assert getattr(read(b"\0\0" + too_long), "outcome", None) is Outcome.MALFORMED
