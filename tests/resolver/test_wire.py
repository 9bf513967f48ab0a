"""The codec, held to dnspython's over random records, and thrown random bytes."""

from __future__ import annotations

import itertools
import struct

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hunter.core.answers import Answer, Outcome, RRType
from hunter.resolver.records import read_name, text_of
from hunter.resolver.replies import Alias, decode
from hunter.resolver.wire import TEMPLATES, NameEncoder, encode_name, message

SOA = "example.com. 900 IN SOA ns1.example.com. host.example.com. 1 2 3 4 60"

label = st.binary(min_size=1, max_size=63)
plain_label = st.text("abcdefghijklmnopqrstuvwxyz0123456789-_", min_size=1, max_size=20)
names = st.lists(plain_label, min_size=1, max_size=5).map(lambda labels: ".".join(labels) + ".")
odd_names = st.lists(label, max_size=3).map(lambda labels: dns.name.Name([*labels, b""]))
uint16 = st.integers(0, 65535)
uint32 = st.integers(0, 2**32 - 1)
uint8 = st.integers(0, 255)
ttls = st.integers(0, 2**31 - 1)


def ask(rdata: list[str], rrtype: str, name: str = "example.com.", ttl: int = 300) -> Answer:
    """A NOERROR answer with these records, packed by dnspython and read by us."""
    response = dns.message.make_response(dns.message.make_query(name, rrtype))
    response.flags |= dns.flags.RA
    response.answer.append(dns.rrset.from_text(name, ttl, "IN", rrtype, *rdata))
    found = read(response.to_wire(), name, RRType(rrtype))
    assert isinstance(found, Answer)
    return found


def read(wire: bytes, name: str, rrtype: RRType) -> Answer | Alias:
    text = name.rstrip(".").lower()
    at = 12 + len(encode_name(text)) + 4
    return decode(wire, at, text, TEMPLATES[rrtype], "192.0.2.1:53")


def plain(name: dns.name.Name) -> str:
    return str(name).lower()[:-1] or "."


@given(st.lists(st.tuples(uint16, names), min_size=1, max_size=8, unique=True), ttls)
def test_mx_reads_as_dnspython_reads_it(pairs: list[tuple[int, str]], ttl: int) -> None:
    found = ask([f"{p} {host}" for p, host in pairs], "MX", ttl=ttl)

    assert found.outcome is Outcome.FOUND
    assert found.ttl == ttl
    assert set(found.records) == {f"{p} {host.rstrip('.')}" for p, host in pairs}


@given(st.lists(st.binary(max_size=255), min_size=1, max_size=8))
def test_txt_strings_are_joined_without_a_blank(strings: list[bytes]) -> None:
    quoted = " ".join('"' + "".join(f"\\{byte:03}" for byte in each) + '"' for each in strings)

    found = ask([quoted], "TXT")

    assert found.records == (text_of(b"".join(strings)),)


@given(odd_names)
def test_a_name_of_any_bytes_reads_as_dnspython_writes_it(name: dns.name.Name) -> None:
    wire = name.to_wire()
    assert wire is not None

    text, behind = read_name(wire, 0)

    assert text == plain(name)
    assert behind == len(wire)


@given(odd_names)
def test_a_name_survives_the_way_to_text_and_back(name: dns.name.Name) -> None:
    wire = name.canonicalize().to_wire()
    assert wire is not None

    assert encode_name(read_name(wire, 0)[0]) == wire


@given(names, names, st.tuples(uint32, uint32, uint32, uint32, uint32))
def test_soa_reads_as_dnspython_reads_it(mname: str, rname: str, numbers: tuple[int, ...]) -> None:
    tail = " ".join(map(str, numbers))

    found = ask([f"{mname} {rname} {tail}"], "SOA")

    assert found.records == (f"{mname.rstrip('.')} {rname.rstrip('.')} {tail}",)


@given(uint16, uint16, uint16, names)
def test_srv_reads_as_dnspython_reads_it(a: int, b: int, c: int, target: str) -> None:
    assert ask([f"{a} {b} {c} {target}"], "SRV").records == (f"{a} {b} {c} {target.rstrip('.')}",)


@given(st.ip_addresses(v=4).map(str), st.ip_addresses(v=6).map(str))
def test_addresses_read_as_dnspython_reads_them(v4: str, v6: str) -> None:
    assert ask([v4], "A").records == (v4,)
    rdata = dns.rdata.from_text("IN", "AAAA", v6)
    assert ask([v6], "AAAA").records == (str(rdata),)


@given(uint16, uint8, st.sampled_from([0, 3]), st.binary(min_size=20, max_size=20))
def test_ds_and_tlsa_read_as_dnspython_reads_them(
    tag: int, algorithm: int, matching: int, digest: bytes
) -> None:
    tlsa = f"3 1 {matching} {digest.hex()}"
    assert ask([f"{tag} {algorithm} 1 {digest.hex()}"], "DS").records == (
        f"{tag} {algorithm} 1 {digest.hex().upper()}",
    )
    assert ask([tlsa], "TLSA").records == (tlsa.upper(),)


@pytest.mark.parametrize("value", ["letsencrypt.org", ";", "ca.example; account=1 2"])
def test_caa_value_is_told_without_quotes(value: str) -> None:
    assert ask([f'128 ISSUE "{value}"'], "CAA").records == (f"128 issue {value}",)


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"plain", "plain"),
        ("şirket".encode(), "şirket"),
        (b"a\xe9b", "a\\xe9b"),
        (b"a\0b", "a\\x00b"),
        (b"\xed\xa0\x80", "\\xed\\xa0\\x80"),  # a lone surrogate, which PostgreSQL refuses
    ],
)
def test_bytes_become_text_that_can_be_stored(raw: bytes, text: str) -> None:
    assert text_of(raw) == text
    assert text.encode().decode() == text


# ── outcomes ──


def respond(
    name: str,
    rrtype: str,
    *,
    answer: tuple[str, ...] = (),
    authority: tuple[str, ...] = (),
    rcode: int = 0,
    flags: int = dns.flags.RA,
) -> Answer | Alias:
    response = dns.message.make_response(dns.message.make_query(name, rrtype))
    response.set_rcode(dns.rcode.Rcode(rcode))
    response.flags |= flags
    for section, lines in ((response.answer, answer), (response.authority, authority)):
        for line in lines:
            owner, ttl, _, kind, rdata = line.split(None, 4)
            section.append(dns.rrset.from_text(owner, int(ttl), "IN", kind, rdata))
    return read(response.to_wire(), name, RRType(rrtype))


def test_nodata_keeps_the_negative_ttl_of_the_soa() -> None:
    found = respond("example.com.", "MX", authority=(SOA,))

    assert isinstance(found, Answer)
    assert (found.outcome, found.ttl) == (Outcome.NODATA, 60)


def test_nxdomain_is_not_nodata() -> None:
    found = respond("x.example.com.", "MX", authority=(SOA,), rcode=3)

    assert isinstance(found, Answer)
    assert (found.outcome, found.ttl) == (Outcome.NXDOMAIN, 60)


def test_nxdomain_without_soa_has_no_ttl() -> None:
    found = respond("x.example.com.", "MX", rcode=3)

    assert isinstance(found, Answer)
    assert (found.outcome, found.ttl) == (Outcome.NXDOMAIN, 0)


@pytest.mark.parametrize("owner", ["www.example.com.", "EXAMPLE.com.", "com.", "."])
def test_the_soa_of_a_zone_that_holds_the_name_proves_absence(owner: str) -> None:
    soa = SOA.replace("example.com.", owner, 1)
    stray = ("evil.example.com. 300 IN A 192.0.2.66",)

    found = respond("www.example.com.", "MX", answer=stray, authority=(soa,), flags=0)

    assert isinstance(found, Answer)
    assert (found.outcome, found.ttl) == (Outcome.NODATA, 60)


#: zones that www.example.com is not in
ELSEWHERE = ["bad.example.", "ample.com.", "a.www.example.com.", "w.example.com."]


@pytest.mark.parametrize("owner", ELSEWHERE)
@pytest.mark.parametrize("flags", [0, dns.flags.RA, dns.flags.AA])
def test_the_soa_of_another_zone_proves_no_absence(owner: str, flags: int) -> None:
    soa = SOA.replace("example.com.", owner, 1)

    found = respond("www.example.com.", "MX", authority=(soa,), flags=flags)

    assert isinstance(found, Answer)
    assert found.outcome is Outcome.LAME


def test_a_dot_inside_a_label_is_no_border_of_a_zone() -> None:
    within = respond(r"a\\.example.com.", "MX", authority=(SOA,))
    beside = respond(r"a\.example.com.", "MX", authority=(SOA,))

    assert isinstance(within, Answer)
    assert isinstance(beside, Answer)
    assert (within.outcome, beside.outcome) == (Outcome.NODATA, Outcome.LAME)


def test_nxdomain_beside_the_soa_of_another_zone_has_no_ttl() -> None:
    soa = SOA.replace("example.com.", "bad.example.", 1)

    found = respond("x.example.com.", "MX", authority=(soa,), rcode=3)

    assert isinstance(found, Answer)
    assert (found.outcome, found.ttl) == (Outcome.NXDOMAIN, 0)


def test_an_alias_out_of_the_zone_whose_soa_is_there_has_to_be_asked_on() -> None:
    found = respond("www.example.com.", "A", answer=CHAIN[:1], authority=(SOA,))

    assert isinstance(found, Alias)
    assert found.chain == ("a.example.net",)


@pytest.mark.parametrize(
    "authority", ["example.com. 300 IN NS ns1.example.net.", ". 300 IN NS a.root-servers.net."]
)
def test_a_referral_is_not_an_answer(authority: str) -> None:
    found = respond("example.com.", "MX", authority=(authority,))

    assert isinstance(found, Answer)
    assert found.outcome is Outcome.LAME


def test_an_empty_answer_of_nobody_responsible_is_lame() -> None:
    found = respond("example.com.", "MX", flags=0)

    assert isinstance(found, Answer)
    assert found.outcome is Outcome.LAME


def test_an_empty_answer_of_a_resolver_is_nodata() -> None:
    found = respond("example.com.", "MX")

    assert isinstance(found, Answer)
    assert (found.outcome, found.ttl) == (Outcome.NODATA, 0)


@pytest.mark.parametrize("authority", [(), (SOA,)])
def test_an_extended_rcode_is_no_nodata(authority: tuple[str, ...]) -> None:
    response = dns.message.make_response(dns.message.make_query("example.com.", "MX", use_edns=0))
    response.flags |= dns.flags.RA
    for line in authority:
        owner, ttl, _, kind, rdata = line.split(None, 4)
        response.authority.append(dns.rrset.from_text(owner, int(ttl), "IN", kind, rdata))
    response.set_rcode(dns.rcode.BADVERS)

    found = read(response.to_wire(), "example.com.", RRType.MX)

    assert isinstance(found, Answer)
    assert found.outcome is Outcome.LAME


CHAIN = (
    "www.example.com. 300 IN CNAME a.example.net.",
    "a.example.net. 200 IN CNAME b.example.org.",
    "b.example.org. 400 IN A 192.0.2.7",
)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_a_cname_chain_is_followed_in_any_order(order: tuple[int, ...]) -> None:
    found = respond("WWW.example.com.", "A", answer=tuple(CHAIN[i] for i in order))

    assert isinstance(found, Answer)
    assert found.records == ("192.0.2.7",)
    assert found.chain == ("a.example.net", "b.example.org")
    assert found.ttl == 200


@pytest.mark.parametrize("order", [1, -1])
def test_records_beside_an_alias_are_ours_in_either_order(order: int) -> None:
    lines = ("example.com. 300 IN MX 1 x.example.", "example.com. 300 IN CNAME foo.example.")

    found = respond("example.com.", "MX", answer=lines[::order])

    assert isinstance(found, Answer)
    assert (found.outcome, found.records, found.chain) == (Outcome.FOUND, ("1 x.example",), ())


def test_a_chain_that_ends_open_has_to_be_asked_on() -> None:
    found = respond("www.example.com.", "A", answer=CHAIN[:2])

    assert isinstance(found, Alias)
    assert found.chain == ("a.example.net", "b.example.org")
    assert found.ttl == 200


def test_a_chain_to_nowhere_is_nxdomain_with_the_chain_kept() -> None:
    found = respond("www.example.com.", "A", answer=CHAIN[:1], authority=(SOA,), rcode=3)

    assert isinstance(found, Answer)
    assert (found.outcome, found.chain) == (Outcome.NXDOMAIN, ("a.example.net",))


@pytest.mark.parametrize("length", [9, 2])
def test_a_long_or_circular_chain_is_a_loop(length: int) -> None:
    links = [
        f"n{i}.example. 60 IN CNAME n{(i + 1) % 20 if length == 9 else (i + 1) % 2}.example."
        for i in range(length)
    ]

    found = respond("n0.example.", "A", answer=tuple(links))

    assert isinstance(found, Answer)
    assert found.outcome is Outcome.CNAME_LOOP


def test_a_cname_is_the_answer_to_a_question_for_it() -> None:
    found = respond("www.example.com.", "CNAME", answer=CHAIN[:1])

    assert isinstance(found, Answer)
    assert (found.records, found.chain) == (("a.example.net",), ())


def test_records_of_other_names_are_not_ours() -> None:
    found = respond("www.example.com.", "A", answer=("evil.example.com. 300 IN A 192.0.2.66",))

    assert isinstance(found, Answer)
    assert (found.outcome, found.records) == (Outcome.LAME, ())


def test_records_of_other_names_beside_a_soa_are_nodata() -> None:
    stray = ("evil.example.com. 300 IN A 192.0.2.66",)
    found = respond("www.example.com.", "A", answer=stray, authority=(SOA,))

    assert isinstance(found, Answer)
    assert (found.outcome, found.records) == (Outcome.NODATA, ())


def test_records_on_both_sides_of_their_alias_are_all_kept() -> None:
    lines = ('b.example.org. 60 IN TXT "one"', CHAIN[0], CHAIN[1], 'b.example.org. 60 IN TXT "two"')

    found = respond("www.example.com.", "TXT", answer=lines)

    assert isinstance(found, Answer)
    assert found.records == ("one", "two")
    assert found.chain == ("a.example.net", "b.example.org")


BESIDE = (
    "www.example.com. 300 IN A 192.0.2.1",
    "www.example.com. 300 IN CNAME a.example.net.",
    "a.example.net. 300 IN A 192.0.2.2",
)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_a_name_with_data_beside_its_alias_means_the_same_in_any_order(
    order: tuple[int, ...],
) -> None:
    found = respond("www.example.com.", "A", answer=tuple(BESIDE[i] for i in order))

    assert isinstance(found, Answer)
    assert (found.records, found.chain) == (("192.0.2.1",), ())


def test_a_record_sent_twice_is_one_record() -> None:
    line = 'example.com. 300 IN TXT "v=spf1 -all"'

    found = respond("example.com.", "TXT", answer=(line, line))

    assert isinstance(found, Answer)
    assert found.records == ("v=spf1 -all",)


@pytest.mark.parametrize("high", [2**31, 2**32 - 1])
def test_a_ttl_with_the_top_bit_set_is_0(high: int) -> None:
    response = dns.message.make_response(dns.message.make_query("example.com.", "A"))
    wire = response.to_wire()
    header = struct.pack("!6H", 7, 0x8080, 1, 2, 0, 0)
    records = b"".join(
        b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, ttl, 4) + bytes(4) for ttl in (60, high)
    )

    found = read(header + wire[12:29] + records, "example.com.", RRType.A)

    assert isinstance(found, Answer)
    assert (found.outcome, found.ttl) == (Outcome.FOUND, 0)


def test_a_soa_of_another_class_proves_no_absence() -> None:
    response = dns.message.make_response(dns.message.make_query("example.com.", "A"))
    header = struct.pack("!6H", 7, 0x8000, 1, 0, 1, 0)
    statement = b"\0" + struct.pack("!HHIH", 6, 3, 60, 22) + bytes(22)

    found = read(header + response.to_wire()[12:29] + statement, "example.com.", RRType.A)

    assert isinstance(found, Answer)
    assert found.outcome is Outcome.LAME


def test_the_ad_bit_is_kept() -> None:
    found = respond("www.example.com.", "CNAME", answer=CHAIN[:1], flags=dns.flags.AD)

    assert isinstance(found, Answer)
    assert found.authenticated


# ── questions ──


@given(names, st.sampled_from(list(RRType)), st.booleans())
def test_a_question_reads_as_meant(name: str, rrtype: RRType, edns: bool) -> None:
    question = encode_name(name.rstrip(".")) + TEMPLATES[rrtype].tail

    parsed = dns.message.from_wire(b"\x12\x34" + message(question, edns=edns))

    assert parsed.question[0].name == dns.name.from_text(name)
    assert parsed.question[0].rdtype == dns.rdatatype.from_text(rrtype)
    assert dns.flags.to_text(parsed.flags) == "RD AD"
    assert parsed.edns == (0 if edns else -1)
    assert parsed.payload == (1232 if edns else 0)


@given(st.lists(names.map(lambda name: name[:-1]), min_size=1, max_size=4), st.data())
def test_an_encoder_with_a_memory_encodes_alike(domains: list[str], data: st.DataObject) -> None:
    encoder = NameEncoder()
    for _ in range(10):
        prefix = data.draw(st.sampled_from(["", "_dmarc.", "a.b.", "www."]))
        name = prefix + data.draw(st.sampled_from(domains))

        assert encoder.encode(name) == encode_name(name)


@pytest.mark.parametrize("name", [".example.com", "..example.com"])
def test_an_encoder_with_a_memory_refuses_empty_labels(name: str) -> None:
    encoder = NameEncoder()
    encoder.encode("example.com")

    with pytest.raises(ValueError, match="empty"):
        encoder.encode(name)


def test_an_encoder_with_a_memory_knows_an_escaped_dot() -> None:
    encoder = NameEncoder()
    encoder.encode("example.com")

    assert encoder.encode("a\\.example.com") == b"\x09a.example\x03com\x00"


def test_an_encoder_with_a_memory_refuses_too_long_a_name() -> None:
    encoder = NameEncoder()
    domain = ".".join(["a" * 60] * 4)
    encoder.encode(domain)

    with pytest.raises(ValueError, match="255"):
        encoder.encode(f"{'b' * 20}.{domain}")


@pytest.mark.parametrize("name", ["a" * 64, "a..b", ".a", "şirket.com", ".".join(["a" * 60] * 5)])
def test_a_name_no_message_can_carry_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        encode_name(name)


# ── attacks ──


@pytest.mark.parametrize(
    "wire",
    [
        b"\xc0\x00",  # to itself
        b"\x01a\xc0\x02",  # to itself, behind a label
        b"\xc0\x04\x00\x00\x00",  # forwards
        b"\x40abc\x00",  # a kind of label that does not exist
        b"\x3fabc",  # a label that leaves the message
    ],
)
def test_a_crooked_name_is_refused(wire: bytes) -> None:
    with pytest.raises((ValueError, IndexError)):
        read_name(wire, 0)


def test_pointers_that_lead_back_in_steps_are_followed() -> None:
    wire = b"\x01c\x00" + b"\x01b\xc0\x00" + b"\x01a\xc0\x03"

    assert read_name(wire, 7) == ("a.b.c", 11)


def test_a_name_that_runs_into_what_points_to_it_is_refused() -> None:
    wire = b"\x05a" + b"\xc0\x00" + b"bb\x00"

    with pytest.raises(ValueError, match="runs into"):
        read_name(wire, 2)


def test_a_remembered_name_means_the_same_in_every_message() -> None:
    for target in ("b.example.com.", "b\\.example.com.", "b.example.com.", "B.EXAMPLE.com."):
        found = ask([f"10 {target}"], "MX", name="x.test.")
        assert found.records == (f"10 {target.lower()[:-1]}",)


def test_a_name_made_too_long_by_pointers_is_refused() -> None:
    wire = b"\x3f" + b"a" * 63 + b"\x00"
    at = 0
    for _ in range(4):
        before, at = at, len(wire)
        wire += b"\x3f" + b"a" * 63 + (0xC000 | before).to_bytes(2, "big")

    with pytest.raises(ValueError, match="255"):
        read_name(wire, at)


@settings(max_examples=300)
@given(st.binary(min_size=12, max_size=200), st.sampled_from(list(RRType)))
def test_random_bytes_never_raise(wire: bytes, rrtype: RRType) -> None:
    found = decode(wire, 12, "a.example", TEMPLATES[rrtype], "x")

    assert isinstance(found, Answer | Alias)


@settings(max_examples=500)
@given(st.data(), st.sampled_from(list(RRType)))
def test_a_mutated_answer_never_raises_and_never_hangs(data: st.DataObject, rrtype: RRType) -> None:
    rdata = {
        "A": "192.0.2.1",
        "NS": "ns1.example.com.",
        "CNAME": "b.example.com.",
        "PTR": "mail.example.com.",
        "SOA": SOA.split(None, 4)[4],
        "MX": "10 mx.example.com.",
        "TXT": '"a" "b"',
        "AAAA": "2001:db8::1",
        "SRV": "1 2 3 sip.example.com.",
        "DS": "1 8 2 " + "ab" * 32,
        "TLSA": "3 1 1 " + "cd" * 32,
        "CAA": '0 issue "x"',
    }[rrtype]
    response = dns.message.make_response(dns.message.make_query("example.com.", rrtype))
    response.answer.append(dns.rrset.from_text("example.com.", 60, "IN", rrtype, rdata))
    wire = bytearray(response.to_wire())
    for _ in range(data.draw(st.integers(1, 6))):
        wire[data.draw(st.integers(0, len(wire) - 1))] = data.draw(uint8)
    cut = data.draw(st.integers(12, len(wire)))

    found = decode(bytes(wire[:cut]), 29, "example.com", TEMPLATES[rrtype], "x")

    assert isinstance(found, Answer | Alias)
    if isinstance(found, Answer):
        "".join(found.records).encode()  # no lone surrogates, whatever the bytes
