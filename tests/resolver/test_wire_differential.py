"""Whole answers, recorded and invented: our reading against dnspython's."""

from __future__ import annotations

import io
import itertools
import json
import struct
from pathlib import Path
from typing import NamedTuple

import dns.exception
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hunter.core.answers import Answer, Outcome, RRType
from hunter.resolver.records import read_name
from hunter.resolver.replies import MAX_CHAIN, Alias
from hunter.resolver.wire import TEMPLATES, encode_name, message
from tests.fuzz.decoder import compare
from tests.fuzz.reference import is_ambiguous, plain, question_of

RECORDED = [
    json.loads(line)
    for line in (Path(__file__).parent / "data" / "answers.jsonl").read_text().splitlines()
]


class Line(NamedTuple):
    """One record of an invented answer."""

    owner: dns.name.Name
    code: int
    ttl: int
    rdata: dns.rdata.Rdata
    rclass: int = 1


# ── recorded ──


@pytest.mark.parametrize("entry", RECORDED, ids=lambda entry: f"{entry['by']} {entry['asked']}")
def test_a_recorded_answer_reads_as_dnspython_reads_it(entry: dict[str, str]) -> None:
    found = compare(bytes.fromhex(entry["wire"]))

    assert found is not None
    assert (found.outcome if isinstance(found, Answer) else "alias") == entry["outcome"]


def test_the_recorded_answers_show_every_type_and_outcome() -> None:
    kinds = {(entry["asked"].split()[1], entry["outcome"]) for entry in RECORDED}

    assert {kind for kind, outcome in kinds if outcome == "found"} == {*map(str, RRType)}
    assert {"found", "nodata", "nxdomain", "lame", "alias"} <= {outcome for _, outcome in kinds}


# ── invented ──

labels = st.one_of(
    st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_", min_size=1).map(
        lambda text: text[:63].encode()
    ),
    st.binary(min_size=1, max_size=63),
)
names = st.lists(labels, max_size=3).map(lambda parts: dns.name.Name([*parts, b""]))
ttls = st.one_of(st.integers(0, 86400), st.sampled_from([2**31 - 1, 2**31, 2**32 - 1]))
uint8, uint16, uint32 = st.integers(0, 255), st.integers(0, 65535), st.integers(0, 2**32 - 1)


def packed(code: int, raw: bytes) -> dns.rdata.Rdata:
    kind = dns.rdatatype.RdataType(code)
    return dns.rdata.from_wire(dns.rdataclass.IN, kind, raw, 0, len(raw))


def named(code: int, head: bytes, *parts: dns.name.Name, tail: bytes = b"") -> dns.rdata.Rdata:
    return packed(code, head + b"".join(part.to_wire() or b"" for part in parts) + tail)


def hashed(kind: tuple[int, int]) -> st.SearchStrategy[bytes]:
    """The number of a hash and as many bytes as it has."""
    number, size = kind
    return st.binary(min_size=size, max_size=size).map(lambda digest: bytes([number]) + digest)


def rdatas(code: int) -> st.SearchStrategy[dns.rdata.Rdata]:
    """Any RDATA of a type."""
    digests = st.sampled_from([(1, 20), (2, 32), (4, 48)]).flatmap(hashed)
    certificates = st.sampled_from([(0, 40), (1, 32), (2, 64)]).flatmap(hashed)
    strings = st.lists(st.binary(max_size=255), min_size=1, max_size=4)
    kinds: dict[str, st.SearchStrategy[dns.rdata.Rdata]] = {
        "A": st.binary(min_size=4, max_size=4).map(lambda raw: packed(1, raw)),
        "AAAA": st.binary(min_size=16, max_size=16).map(lambda raw: packed(28, raw)),
        "NS": names.map(lambda name: named(2, b"", name)),
        "CNAME": names.map(lambda name: named(5, b"", name)),
        "PTR": names.map(lambda name: named(12, b"", name)),
        "MX": st.tuples(uint16, names).map(lambda v: named(15, struct.pack("!H", v[0]), v[1])),
        "SRV": st.tuples(st.binary(min_size=6, max_size=6), names).map(
            lambda v: named(33, v[0], v[1])
        ),
        "SOA": st.tuples(names, names, st.binary(min_size=20, max_size=20)).map(
            lambda v: named(6, b"", v[0], v[1], tail=v[2])
        ),
        "TXT": strings.map(
            lambda parts: packed(16, b"".join(bytes([len(each)]) + each for each in parts))
        ),
        "CAA": st.tuples(
            uint8, st.from_regex(rb"[A-Za-z0-9]{1,12}", fullmatch=True), st.binary()
        ).map(lambda v: packed(257, bytes([v[0], len(v[1])]) + v[1] + v[2])),
        "DS": st.tuples(st.binary(min_size=3, max_size=3), digests).map(
            lambda v: packed(43, v[0] + v[1])
        ),
        "TLSA": st.tuples(st.binary(min_size=2, max_size=2), certificates).map(
            lambda v: packed(52, v[0] + v[1])
        ),
    }
    return kinds[dns.rdatatype.to_text(dns.rdatatype.RdataType(code))]


def recased(draw: st.DrawFn, name: dns.name.Name) -> dns.name.Name:
    """The same name in other capitals."""
    match draw(st.sampled_from(["as it is", "upper", "lower"])):
        case "upper":
            return dns.name.Name([label.upper() for label in name.labels])
        case "lower":
            return dns.name.Name([label.lower() for label in name.labels])
        case _:
            return name


def line(draw: st.DrawFn, owner: dns.name.Name, code: int) -> Line:
    return Line(recased(draw, owner), code, draw(ttls), draw(rdatas(code)))


@st.composite
def answers(draw: st.DrawFn) -> bytes:
    """A chain of aliases, records at its end or not, strays between them, in any order."""
    question = draw(names)
    code = draw(st.sampled_from([template.code for template in TEMPLATES.values()]))
    path = [question, *draw(st.lists(names, max_size=10 if draw(st.booleans()) else 2))]
    lines = [
        Line(recased(draw, owner), 5, draw(ttls), named(5, b"", recased(draw, target)))
        for owner, target in itertools.pairwise(path)
    ]
    lines += [line(draw, path[-1], code) for _ in range(draw(st.integers(0, 4)))]
    strays = st.sampled_from([1, 2, 5, 6, 15, 16, 28, code])
    for _ in range(draw(st.integers(0, 2))):
        stray = line(draw, draw(st.sampled_from([*path, *draw(st.lists(names))])), draw(strays))
        lines.append(stray._replace(rclass=draw(st.sampled_from([1, 1, 3]))))
    if draw(st.booleans()):
        lines = draw(st.permutations(lines))
    authority = [
        line(draw, draw(names), draw(st.sampled_from([2, 6])))
        for _ in range(draw(st.integers(0, 2)))
    ]
    flags = 0x8000 | draw(st.integers(0, 2**16 - 1)) & 0x05B0 | draw(st.sampled_from([0, 0, 3]))
    return render(
        flags,
        (question, code),
        lines,
        authority,
        edns=draw(st.booleans()),
        squeeze=draw(st.booleans()),
    )


def render(
    flags: int,
    question: tuple[dns.name.Name, int],
    lines: list[Line],
    authority: list[Line],
    *,
    edns: bool,
    squeeze: bool,
) -> bytes:
    """A message packed by dnspython, name compression on or off."""
    file = io.BytesIO()
    known: dns.name.CompressType | None = {} if squeeze else None
    file.write(struct.pack("!6H", 7, flags, 1, len(lines), len(authority), int(edns)))
    question[0].to_wire(file, known)
    file.write(struct.pack("!HH", question[1], 1))
    for each in [*lines, *authority]:
        each.owner.to_wire(file, known)
        file.write(struct.pack("!HHIH", each.code, each.rclass, each.ttl, 0))
        start = file.tell()
        each.rdata.to_wire(file, known)
        length = file.tell() - start
        file.seek(start - 2)
        file.write(struct.pack("!H", length))
        file.seek(0, io.SEEK_END)
    if edns:
        file.write(b"\0" + struct.pack("!HHIH", 41, 1232, 0, 0))
    return file.getvalue()


@settings(max_examples=150)
@given(answers())
def test_an_invented_answer_reads_as_dnspython_reads_it(wire: bytes) -> None:
    found = compare(wire)

    assert found is not None
    if isinstance(found, Answer) and wire[3] & 15 == dns.rcode.NOERROR:
        assert found.outcome is not Outcome.MALFORMED


@settings(max_examples=150)
@given(answers())
def test_an_answer_means_what_dnspython_concludes_from_it(wire: bytes) -> None:
    """Chain, TTL and whether there are records, by dnspython's own way of following aliases."""
    found = compare(wire)
    question = question_of(wire)
    assert question is not None
    try:
        whole = dns.message.from_wire(wire)
        assert isinstance(whole, dns.message.QueryMessage)
        concluded = whole.resolve_chaining()
    except (dns.exception.FormError, dns.message.ChainTooLong, dns.message.AnswerForNXDOMAIN):
        return  # a stray of another class, more links than dnspython follows, or a contradiction
    if is_ambiguous(wire, question) or len(concluded.cnames) > MAX_CHAIN:
        return

    assert found is not None
    assert found.chain == tuple(plain(alias[0].target) for alias in concluded.cnames)
    if concluded.answer is None:
        assert isinstance(found, Alias) or found.outcome is not Outcome.FOUND
    else:
        assert isinstance(found, Answer)
        assert (found.outcome, found.ttl) == (Outcome.FOUND, concluded.minimum_ttl)


@settings(max_examples=150)
@given(answers(), st.data())
def test_a_damaged_answer_never_says_more_than_dnspython_reads(
    wire: bytes, data: st.DataObject
) -> None:
    damaged = bytearray(wire)
    for _ in range(data.draw(st.integers(0, 4))):
        place = data.draw(st.integers(0, len(damaged) * 8 - 1))
        damaged[place // 8] ^= 1 << place % 8
    cut = data.draw(st.one_of(st.just(len(damaged)), st.integers(0, len(damaged))))

    compare(bytes(damaged[:cut]))


@pytest.mark.parametrize("entry", RECORDED, ids=lambda entry: f"{entry['by']} {entry['asked']}")
def test_a_recorded_answer_cut_anywhere_never_says_more(entry: dict[str, str]) -> None:
    wire = bytes.fromhex(entry["wire"])
    for cut in range(12, len(wire)):
        compare(wire[:cut])


# ── names and questions ──


@given(names)
def test_a_name_is_encoded_and_read_as_dnspython_does(name: dns.name.Name) -> None:
    wire = name.to_wire() or b""

    assert read_name(wire, 0) == (plain(name), len(wire))
    assert encode_name(str(name)[:-1]) == wire


@given(names, st.sampled_from(list(RRType)), st.booleans())
def test_a_question_with_any_name_reads_as_meant(
    name: dns.name.Name, rrtype: RRType, edns: bool
) -> None:
    question = encode_name(str(name)[:-1]) + TEMPLATES[rrtype].tail

    parsed = dns.message.from_wire(b"\x12\x34" + message(question, edns=edns))

    assert (parsed.question[0].name, parsed.question[0].rdtype) == (name, TEMPLATES[rrtype].code)
    assert (question_of(b"\x12\x34" + message(question, edns=edns)) or ("",))[0] == plain(name)
