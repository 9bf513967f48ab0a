"""Answers in due form that are odd, contradict themselves, or speak of somebody else."""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from hunter.core.answers import Answer, Depth, Outcome, RRType
from hunter.core.judge import judge
from hunter.core.judgement import NO_HISTORY, Judgement, State
from hunter.knowledge.load import load_knowledge
from hunter.local.nameserver import NameServer, Packet
from hunter.resolver.engine import Engine
from hunter.resolver.survey import survey

Opener = Callable[..., Awaitable[Engine]]
Lies = Callable[..., Awaitable[list[str]]]
Script = Callable[[Packet, int], "list[bytes] | None"]

SOA = "example.com. 900 IN SOA ns1.example.com. host.example.com. 1 2 3 4 60"


async def one(engine: Engine, name: str = "example.com", rrtype: RRType = RRType.MX) -> Answer:
    (answer,) = await engine.ask([(name, rrtype)])
    return answer


def saying(
    answer: str = "",
    authority: str = "",
    additional: str = "",
    *,
    rcode: dns.rcode.Rcode = dns.rcode.NOERROR,
    flags: int = dns.flags.QR | dns.flags.RD | dns.flags.RA,
    asked: str = "",
) -> Script:
    """A server that says this, in zone text, to everybody, or to who asks for this name and type."""

    def script(packet: Packet, _times: int) -> list[bytes] | None:
        query = dns.message.from_wire(packet.data)
        (question,) = query.question
        if asked and f"{question.name} {question.rdtype.name}" != asked:
            return None
        response = dns.message.make_response(query)
        response.flags = dns.flags.Flag(flags)
        response.set_rcode(rcode)
        for section, text in (
            (response.answer, answer),
            (response.authority, authority),
            (response.additional, additional),
        ):
            for line in text.strip().splitlines():
                name, ttl, rdclass, rrtype, rdata = line.split(None, 4)
                section.append(dns.rrset.from_text(name, int(ttl), rdclass, rrtype, rdata))
        return [response.to_wire()]

    return script


async def told(open_quick: Opener, script: Script, rrtype: RRType = RRType.MX) -> Answer:
    """What the engine makes of a server with this script."""
    async with NameServer(script=script) as server:
        return await one(await open_quick(server), rrtype=rrtype)


async def judged(engine: Engine, domain: str, depth: Depth) -> Judgement:
    knowledge = load_knowledge()
    seen = await survey(engine, domain, depth, knowledge)
    return judge(seen, NO_HISTORY, knowledge.rules, dt.date(2026, 11, 24))


# ── aliases ──

ALIASES = """
loop.example CNAME loop2.example
loop2.example CNAME loop.example
self.example CNAME self.example
nowhere.example CNAME missing.gone.example
web.example MX 10 web-example.mail.protection.outlook.com
autodiscover.web.example CNAME autodiscover.web.example
enterpriseregistration.web.example CNAME missing.gone.example
_dmarc.web.example CNAME _dmarc.gone.example
"""


@pytest.mark.parametrize("chase", ["", "\n;! . no-chase"])
@pytest.mark.parametrize("depth", Depth)
async def test_aliases_that_loop_or_lead_nowhere_say_nothing_false(
    open_quick: Opener, lies: Lies, chase: str, depth: Depth
) -> None:
    domains = ("loop.example", "self.example", "nowhere.example", "web.example")
    async with NameServer(ALIASES + chase) as server:
        engine = await open_quick(server)
        outcomes = [(await one(engine, domain, RRType.A)).outcome for domain in domains]
        said = [await judged(engine, domain, depth) for domain in domains]
        false = [await lies(ALIASES, engine, domain, depth) for domain in domains]

    assert outcomes == [
        Outcome.CNAME_LOOP,
        Outcome.CNAME_LOOP,
        Outcome.NXDOMAIN,
        Outcome.NODATA,
    ]
    assert false == [[]] * 4
    # a loop says nothing of mail; a domain that is an alias to nowhere has a name all the same
    assert [each.mail_state for each in said[:3]] == ["unknown", "unknown", "no_mail_likely"]
    assert said[3].provider == "microsoft365"
    assert said[3].dmarc_policy == "absent"


async def test_records_beside_an_alias_of_the_same_name_are_kept(open_quick: Opener) -> None:
    """RFC 1034 section 3.6.2 forbids it, and the records are there."""
    answer = await told(
        open_quick,
        saying(
            "example.com. 300 IN CNAME other.example.\n"
            "example.com. 300 IN MX 10 mx.example.com.\n"
            "other.example. 300 IN A 192.0.2.1"
        ),
    )

    assert (answer.outcome, answer.records) == (Outcome.FOUND, ("10 mx.example.com",))


async def test_an_alias_elsewhere_in_the_answer_is_not_followed(open_quick: Opener) -> None:
    answer = await told(
        open_quick,
        saying(
            "other.example. 300 IN CNAME evil.example.\nevil.example. 300 IN MX 0 evil.example.",
            SOA,
        ),
    )

    assert (answer.outcome, answer.chain) == (Outcome.NODATA, ())


async def test_a_wildcard_zone_makes_nobody_a_microsoft_customer(
    open_quick: Opener, lies: Lies
) -> None:
    zone = """
wild.example 300 SOA ns1.wild.example host.wild.example 1 2 3 4 60
wild.example MX 10 mail.wild.example
wild.example TXT "v=spf1 mx -all"
mail.wild.example A 192.0.2.1
*.wild.example CNAME enterpriseregistration.windows.net
enterpriseregistration.windows.net A 192.0.2.9
"""
    async with NameServer(zone) as server:
        engine = await open_quick(server)
        said = [await judged(engine, "wild.example", depth) for depth in Depth]

        assert [await lies(zone, engine, "wild.example", depth) for depth in Depth] == [[], []]
    assert {each.tenant_state for each in said} <= {"unknown", "no_microsoft"}
    assert all(each.provider != "microsoft365" for each in said)
    assert not any(
        "enterpriseregistration" in evidence.record
        for each in said
        for signal in each.signals.values()
        if signal.state is State.PRESENT
        for evidence in signal.evidence
    )


# ── contradictions and referrals ──


async def test_records_of_a_name_that_is_said_not_to_exist_are_no_answer(
    open_quick: Opener,
) -> None:
    liar = saying("example.com. 300 IN MX 10 evil.example.", SOA, rcode=dns.rcode.NXDOMAIN)

    answer = await told(open_quick, liar)
    async with (
        NameServer(script=liar) as bad,
        NameServer("example.com MX 10 mx.example.com") as good,
    ):
        engine = await open_quick(bad, good)
        healed = {(await one(engine)).records for _ in range(2)}

    assert (answer.outcome, answer.records) == (Outcome.MALFORMED, ())
    assert healed == {("10 mx.example.com",)}


async def test_an_alias_whose_target_does_not_exist_is_an_alias(open_quick: Opener) -> None:
    says = saying("example.com. 300 IN CNAME gone.example.", SOA, rcode=dns.rcode.NXDOMAIN)

    alias, mx = [await told(open_quick, says, rrtype) for rrtype in (RRType.CNAME, RRType.MX)]

    assert (alias.outcome, alias.records) == (Outcome.FOUND, ("gone.example",))
    assert (mx.outcome, mx.chain) == (Outcome.NXDOMAIN, ("gone.example",))


ROOT = ". 518400 IN NS a.root-servers.net."


@pytest.mark.parametrize(
    ("script", "outcome"),
    [
        pytest.param(saying(authority=ROOT), Outcome.LAME, id="upward"),
        pytest.param(
            saying(authority="example.com. 300 IN NS ns1.example.com."), Outcome.LAME, id="downward"
        ),
        pytest.param(
            saying(authority=ROOT, flags=dns.flags.QR), Outcome.LAME, id="without recursion"
        ),
        pytest.param(saying(flags=dns.flags.QR), Outcome.LAME, id="empty and not responsible"),
        pytest.param(
            saying("other.example. 300 IN MX 0 evil.example."), Outcome.LAME, id="other name"
        ),
        pytest.param(
            saying("com. 300 IN MX 0 evil.example."), Outcome.LAME, id="a name above"
        ),
        pytest.param(
            saying("example.com. 300 CH MX 0 evil.example."), Outcome.LAME, id="other class"
        ),
        pytest.param(
            saying("example.com. 300 IN A 192.0.2.66"), Outcome.LAME, id="other type"
        ),
        pytest.param(
            saying(authority=ROOT, rcode=dns.rcode.REFUSED), Outcome.REFUSED, id="refused"
        ),
        pytest.param(saying(rcode=dns.rcode.NOTAUTH), Outcome.REFUSED, id="not responsible"),
        pytest.param(saying(rcode=dns.rcode.YXDOMAIN), Outcome.SERVFAIL, id="a code of updates"),
        pytest.param(saying(rcode=dns.rcode.BADVERS), Outcome.LAME, id="an extended code"),
    ],
)  # fmt: skip
async def test_what_is_no_statement_about_the_name_is_unknown(
    open_quick: Opener, script: Script, outcome: Outcome
) -> None:
    answer = await told(open_quick, script)

    assert (answer.outcome, answer.records) == (outcome, ())


# ── poison ──

POISON = """
mx.example.com. 86400 IN A 192.0.2.66
spf.protection.outlook.com. 86400 IN TXT "v=spf1 +all"
_dmarc.example.com. 86400 IN TXT "v=DMARC1; p=none"
other.example. 86400 IN MX 0 evil.example."""


@pytest.mark.parametrize("section", ["answer", "authority", "additional"])
async def test_records_that_nobody_asked_for_are_not_taken(
    open_quick: Opener, section: str
) -> None:
    mx = "example.com. 300 IN MX 10 mx.example.com."
    poisoner = saying(
        mx + POISON * (section == "answer"),
        POISON * (section == "authority"),
        POISON * (section == "additional"),
        asked="example.com. MX",
    )
    zone = """
mx.example.com A 192.0.2.1
spf.protection.outlook.com TXT "v=spf1 -all"
_dmarc.example.com TXT "v=DMARC1; p=reject"
"""
    async with NameServer(zone, script=poisoner) as server:
        engine = await open_quick(server)
        answer = await one(engine)
        others = await engine.ask(
            [
                ("mx.example.com", RRType.A),
                ("spf.protection.outlook.com", RRType.TXT),
                ("_dmarc.example.com", RRType.TXT),
                ("other.example", RRType.MX),
            ],
            shared=True,
        )

    assert answer.records == ("10 mx.example.com",)
    assert [each.records for each in others] == [
        ("192.0.2.1",),
        ("v=spf1 -all",),
        ("v=DMARC1; p=reject",),
        (),
    ]


# ── TTL, AD, hijacking ──


@pytest.mark.parametrize(
    ("ttl", "kept", "asked"),
    [(2**31 - 1, 2**31 - 1, 1), (2**31, 0, 2), (2**32 - 1, 0, 2), (0, 0, 2)],
)
async def test_a_huge_ttl_is_kept_for_an_hour_and_a_negative_one_not_at_all(
    open_quick: Opener, ttl: int, kept: int, asked: int
) -> None:
    zone = f"example.com {ttl} MX 10 mx.example.com"
    async with NameServer(zone) as server:
        engine = await open_quick(server)
        answers = [
            *await engine.ask([("example.com", RRType.MX)], shared=True),
            *await engine.ask([("example.com", RRType.MX)], shared=True),
        ]
        now = engine._loop.time()

        assert [answer.ttl for answer in answers] == [kept, kept]
        assert server.total == asked
        assert engine.cache.get(("example.com", RRType.MX), now + 3601) is None


@pytest.mark.parametrize("rrtype", [RRType.MX, RRType.TXT])
async def test_the_ad_bit_is_kept_and_changes_no_word(
    open_quick: Opener, lies: Lies, rrtype: RRType
) -> None:
    zone = "example.com MX 10 mx.example.com\nexample.com 60 SOA a.example b.example 1 2 3 4 60"
    async with NameServer(f"{zone}\n;! . ad") as server:
        engine = await open_quick(server)

        assert (await one(engine, rrtype=rrtype)).authenticated
        assert await lies(zone, engine, "example.com", Depth.FULL) == []


async def test_a_hijacker_shows_by_the_address_of_a_name_nobody_can_have_chosen(
    open_quick: Opener,
) -> None:
    zone = """
fabrikam.com 300 SOA ns1.fabrikam.com host.fabrikam.com 1 2 3 4 60
fabrikam.com MX 10 mail.fabrikam.com
fabrikam.com A 192.0.2.10
mail.fabrikam.com A 192.0.2.20
"""
    async with NameServer(zone) as honest, NameServer(zone + ";! . hijack") as hijacker:
        engine = await open_quick(hijacker)
        seen = await survey(engine, "fabrikam.com", Depth.FULL, load_knowledge())
        said = await judged(engine, "fabrikam.com", Depth.FULL)
        truth = await judged(await open_quick(honest), "fabrikam.com", Depth.FULL)

    random_name = seen.get(RRType.A, "*")
    autodiscover = seen.get(RRType.A, "autodiscover")
    assert random_name is not None
    assert autodiscover is not None
    assert random_name.records == autodiscover.records == ("192.0.2.80",)
    # an address that every name has is nobody's autodiscover
    for word in ("provider", "mx_operator", "tenant_state", "mail_state", "segment", "confidence"):
        assert getattr(said, word) == getattr(truth, word)
    present = [
        {name for name, signal in each.signals.items() if signal.state is State.PRESENT}
        for each in (said, truth)
    ]
    assert present[0] == present[1]
