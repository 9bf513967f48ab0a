"""The loopback server itself: dnspython asks it, and knows what should come back."""

from __future__ import annotations

import asyncio
import os
import signal
import struct
import subprocess
import sys
from pathlib import Path

import dns.asyncquery
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdata
import pytest

from hunter.local.nameserver import NameServer
from hunter.local.zone import NXDOMAIN, Zone, encode_name

ZONE = """
$TTL 600
example.com 3600 IN SOA ns1.example.com host.example.com 7 2 3 4 60
example.com MX 10 mx.example.com      ; a comment
            MX 20 mx2.example.com
example.com TXT "v=spf1 include:_spf.example.com; not a comment" "\\065\\"x"
deep.a.b.example.com A 192.0.2.1
*.w.example.com TXT "wild"
there.w.example.com A 192.0.2.2
alias.example.com CNAME alias2.example.com
alias2.example.com CNAME deep.a.b.example.com
away.example.com CNAME nowhere.example.net
l1.example.com CNAME l2.example.com
l2.example.com CNAME l1.example.com
example.org MX 0 .
$ORIGIN sub.example.net.
@ NS ns
ns A 192.0.2.53
"""


async def ask(
    server: NameServer, name: str, rrtype: str, *, edns: bool = False, tcp: bool = False
) -> dns.message.Message:
    query = dns.message.make_query(name, rrtype, use_edns=edns)
    host, port = server.address
    over = dns.asyncquery.tcp if tcp else dns.asyncquery.udp
    return await over(query, host, port=port, timeout=1)


@pytest.mark.parametrize(
    ("name", "rrtype", "rcode", "answer"),
    [
        ("example.com", "MX", "NOERROR", ["10 mx.example.com.", "20 mx2.example.com."]),
        ("EXAMPLE.com", "MX", "NOERROR", ["10 mx.example.com.", "20 mx2.example.com."]),
        (
            "example.com",
            "TXT",
            "NOERROR",
            ['"v=spf1 include:_spf.example.com; not a comment" "A\\"x"'],
        ),
        ("example.org", "MX", "NOERROR", ["0 ."]),
        ("b.example.com", "A", "NOERROR", []),
        ("a.b.example.com", "A", "NOERROR", []),
        ("x.a.b.example.com", "A", "NXDOMAIN", []),
        ("nope.example.com", "A", "NXDOMAIN", []),
        ("any.w.example.com", "TXT", "NOERROR", ['"wild"']),
        ("two.levels.w.example.com", "TXT", "NOERROR", ['"wild"']),
        ("any.w.example.com", "A", "NOERROR", []),
        ("there.w.example.com", "TXT", "NOERROR", []),
        ("below.there.w.example.com", "TXT", "NXDOMAIN", []),
        (
            "alias.example.com",
            "A",
            "NOERROR",
            ["alias2.example.com.", "deep.a.b.example.com.", "192.0.2.1"],
        ),
        ("alias.example.com", "CNAME", "NOERROR", ["alias2.example.com."]),
        ("alias.example.com", "TXT", "NOERROR", ["alias2.example.com.", "deep.a.b.example.com."]),
        ("away.example.com", "A", "NXDOMAIN", ["nowhere.example.net."]),
        ("l1.example.com", "A", "NOERROR", ["l2.example.com.", "l1.example.com."]),
        ("sub.example.net", "NS", "NOERROR", ["ns.sub.example.net."]),
        ("ns.sub.example.net", "A", "NOERROR", ["192.0.2.53"]),
        ("com", "A", "NOERROR", []),
        ("unknown.test", "A", "NXDOMAIN", []),
        (".", "NS", "NOERROR", []),
    ],
)
async def test_an_honest_answer(name: str, rrtype: str, rcode: str, answer: list[str]) -> None:
    async with NameServer(ZONE) as server:
        reply = await ask(server, name, rrtype)

    assert dns.rcode.to_text(reply.rcode()) == rcode
    assert [str(rdata) for rrset in reply.answer for rdata in rrset] == answer
    assert dns.flags.to_text(reply.flags) == "QR RD RA"
    ends_in_records = (
        bool(answer) and rcode == "NOERROR" and rrtype in {"MX", "TXT", "A", "CNAME", "NS"}
    )
    if not ends_in_records:
        assert [rrset.rdtype.name for rrset in reply.authority] == ["SOA"]


async def test_a_negative_answer_has_the_soa_of_its_zone() -> None:
    async with NameServer(ZONE) as server:
        inside = await ask(server, "nope.example.com", "A")
        outside = await ask(server, "nope.test", "A")

    assert str(inside.authority[0]).startswith("example.com. 3600 IN SOA ns1.example.com.")
    assert str(outside.authority[0]).startswith(". 86400 IN SOA")


async def test_an_authoritative_server_refuses_strange_names() -> None:
    async with NameServer(ZONE, outside="refused") as server:
        strange = await ask(server, "unknown.test", "A")
        top = await ask(server, "com", "A")
        missing = await ask(server, "nope.example.com", "A")

    assert strange.rcode() == top.rcode() == dns.rcode.REFUSED
    assert missing.rcode() == dns.rcode.NXDOMAIN


@pytest.mark.parametrize(
    ("length", "edns", "truncated"),
    [(400, False, False), (500, False, True), (500, True, False), (1400, True, True)],
)
async def test_an_answer_too_long_for_the_asker_is_truncated(
    length: int, edns: bool, truncated: bool
) -> None:
    strings = " ".join(f'"{"x" * min(200, length - at)}"' for at in range(0, length, 200))
    async with NameServer(f"long.example TXT {strings}") as server:
        reply = await ask(server, "long.example", "TXT", edns=edns)
        whole = await ask(server, "long.example", "TXT", edns=edns, tcp=True)

    assert bool(reply.flags & dns.flags.TC) is truncated
    assert bool(reply.answer) is not truncated
    assert len(whole.answer[0][0].to_text()) > length


async def test_one_tcp_connection_carries_several_questions() -> None:
    async with NameServer(ZONE) as server:
        reader, writer = await asyncio.open_connection(*server.address)
        queries = [dns.message.make_query("example.com", t) for t in ("MX", "TXT", "SOA")]
        for query in queries:
            wire = query.to_wire()
            writer.write(struct.pack("!H", len(wire)) + wire)
        for query in queries:
            (length,) = struct.unpack("!H", await reader.readexactly(2))
            assert query.is_response(dns.message.from_wire(await reader.readexactly(length)))
        writer.close()
        await writer.wait_closed()


async def test_a_changed_zone_is_served_at_once() -> None:
    async with NameServer(ZONE) as server:
        before = await ask(server, "new.example.com", "A")
        server.load("new.example.com A 192.0.2.9")
        after = await ask(server, "new.example.com", "A")
        server.replace("other.example A 192.0.2.10")
        gone = await ask(server, "new.example.com", "A")

    assert [m.rcode() for m in (before, after, gone)] == [
        dns.rcode.NXDOMAIN,
        dns.rcode.NOERROR,
        dns.rcode.NXDOMAIN,
    ]


async def test_questions_are_counted_by_name_and_type() -> None:
    async with NameServer(ZONE) as server:
        for name in ("example.com", "Example.com", "x.example.com"):
            await ask(server, name, "MX")

        assert server.queries == {"example.com MX": 2, "x.example.com MX": 1}
        assert server.total == 3


async def test_directives_reach_a_name_a_type_or_all_below() -> None:
    text = (
        ZONE
        + ";! example.com MX servfail\n;! .b.example.com refused\n;! there.w.example.com nxdomain"
    )
    async with NameServer(text) as server:
        rcodes = [
            (await ask(server, name, rrtype)).rcode()
            for name, rrtype in [
                ("example.com", "MX"),
                ("example.com", "TXT"),
                ("b.example.com", "A"),
                ("deep.a.b.example.com", "A"),
                ("there.w.example.com", "A"),
                ("any.w.example.com", "TXT"),
            ]
        ]

    assert [dns.rcode.to_text(rcode) for rcode in rcodes] == [
        "SERVFAIL",
        "NOERROR",
        "REFUSED",
        "REFUSED",
        "NXDOMAIN",
        "NOERROR",
    ]


async def test_a_lost_share_is_lost() -> None:
    async with NameServer(ZONE + ";! . loss=100") as server:
        with pytest.raises(dns.exception.Timeout):
            await dns.asyncquery.udp(
                dns.message.make_query("example.com", "MX"),
                *server.address[:1],
                port=server.address[1],
                timeout=0.1,
            )


async def test_what_is_no_question_is_survived() -> None:
    async with NameServer(ZONE) as server:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(
            asyncio.DatagramProtocol, remote_addr=server.address
        )
        for size in (0, 1, 11, 12, 13, 20, 300):
            transport.sendto(b"\0" * size)
            transport.sendto(os.urandom(size))
        transport.close()

        assert (await ask(server, "example.com", "MX")).answer


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("example.com MX", "line 1"),
        ("example.com A 999.1.2.3", "line 1"),
        ("example.com NONSENSE x", "line 1"),
        ("ok.example A 192.0.2.1\n" + "a" * 64 + ".example A 192.0.2.1", "line 2"),
        (";! example.com explode", "explode"),
        (";! example.com delay", "delay"),
        (";! example.com timeout=5", "timeout"),
    ],
)
def test_bad_zone_text_names_the_line(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        NameServer(text)


@pytest.mark.parametrize(
    ("rrtype", "text"),
    [
        ("A", "192.0.2.1"),
        ("AAAA", "2001:db8::1"),
        ("NS", "ns1.example.com"),
        ("CNAME", "b.example.com"),
        ("PTR", "host.example.com"),
        ("MX", "10 mx.example.com"),
        ("TXT", '"a b" c "d\\"e" "\\200\\000"'),
        ("SOA", "ns1.example.com host.example.com 1 2 3 4 5"),
        ("SRV", "1 2 443 sip.example.com"),
        ("DS", "12345 13 2 " + "AB" * 32),
        ("TLSA", "3 1 1 " + "cd" * 32),
        ("CAA", '128 issue "ca.example; x=1"'),
        ("HINFO", '"cpu" "os"'),
        ("NAPTR", '1 2 "u" "E2U+sip" "!^.*$!x!" .'),
    ],
)
def test_rdata_is_encoded_as_dnspython_encodes_it(rrtype: str, text: str) -> None:
    zone = Zone(f"x.example 60 {rrtype} {text}", outside=NXDOMAIN)
    rdata = dns.rdata.from_text("IN", rrtype, text, dns.name.root, relativize=False)

    (stored,) = zone.sets.values()

    assert stored[14:] == rdata.to_wire()


def test_a_name_of_escapes_is_encoded() -> None:
    assert encode_name("a\\.b.c\\032d.example") == b"\3a.b\3c d\7example\0"


def test_twenty_thousand_domains_load_and_answer_on_their_own(tmp_path: Path) -> None:
    lines = []
    for i in range(20_000):
        name = f"firm{i}.example"
        lines += [f"{name} MX 10 mx.{name}", f'{name} TXT "v=spf1 -all"', f"mx.{name} A 192.0.2.1"]
    zone = tmp_path / "zone"
    zone.write_text("\n".join(lines))
    command = [sys.executable, "-m", "hunter.local.nameserver", "--zone", str(zone)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            host, _, port = process.stdout.readline().removeprefix("listening on ").partition(":")
            reply = dns.query.udp(
                dns.message.make_query("firm19999.example", "MX"), host, port=int(port), timeout=5
            )
        finally:
            process.send_signal(signal.SIGTERM)

    assert str(reply.answer[0][0]) == "10 mx.firm19999.example."
    assert process.returncode == 0


def test_a_bad_zone_file_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    zone = tmp_path / "zone"
    zone.write_text("example.com MX")

    done = subprocess.run(
        [sys.executable, "-m", "hunter.local.nameserver", "--zone", str(zone)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert done.stderr.startswith("nameserver: zone line 1:")


def test_a_zone_file_that_changed_is_served_after_sighup_and_a_bad_one_is_not(
    tmp_path: Path,
) -> None:
    fixed, edited = tmp_path / "fixed", tmp_path / "edited"
    fixed.write_text("a.example MX 10 mx.a.example")
    edited.write_text('b.example MX 10 mx.b.example\n_dmarc.b.example TXT "v=DMARC1; p=none"')
    command = [sys.executable, "-m", "hunter.local.nameserver"]
    command += ["--zone", str(fixed), "--zone", str(edited)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            host, _, port = process.stdout.readline().removeprefix("listening on ").partition(":")

            def ask(name: str, kind: str) -> tuple[int, list[str]]:
                question = dns.message.make_query(name, kind)
                reply = dns.query.udp(question, host, port=int(port), timeout=5)
                return reply.rcode(), [str(each) for rrset in reply.answer for each in rrset]

            before = ask("_dmarc.b.example", "TXT")
            edited.write_text("b.example MX 20 other.b.example")
            process.send_signal(signal.SIGHUP)
            process.stdout.readline()
            after = [ask("b.example", "MX"), ask("_dmarc.b.example", "TXT")]
            edited.write_text("b.example MX")
            process.send_signal(signal.SIGHUP)
            told = process.stdout.readline(), process.stderr.readline()
            kept = [ask("b.example", "MX"), ask("a.example", "MX")]
        finally:
            process.send_signal(signal.SIGTERM)

    assert before == (0, ['"v=DMARC1; p=none"'])
    assert after == [(0, ["20 other.b.example."]), (NXDOMAIN, [])]
    assert told[0] == "reloaded\n"
    assert told[1].startswith("nameserver: edited stays as it was: zone line 1:")
    assert kept == [(0, ["20 other.b.example."]), (0, ["10 mx.a.example."])]
