"""What a survey asks at each depth, and what it says when there is no answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import pytest

from hunter.config import Config
from hunter.core.answers import Depth, Outcome, RRType
from hunter.core.dnssec import DnssecState, read_dnssec
from hunter.local.nameserver import NameServer
from hunter.resolver.engine import Engine
from hunter.resolver.opening import open_engine
from hunter.resolver.survey import include_targets, mx_hosts, survey

ZONE = """
contoso.com 300 SOA ns1.contoso.com host.contoso.com 1 2 3 4 60
contoso.com 300 MX 10 contoso-com.mail.protection.outlook.com
contoso.com 300 MX 20 mail.contoso.com
contoso.com 300 TXT "v=spf1 include:spf.protection.outlook.com include:_spf.contoso.com -all"
contoso.com 300 NS ns1.contoso.com
_dmarc.contoso.com 300 TXT "v=DMARC1; p=reject"
_spf.contoso.com 300 TXT "v=spf1 include:spf.vendor.example ?all"
spf.vendor.example 300 TXT "v=spf1 ip4:192.0.2.1 -all"
spf.protection.outlook.com 300 TXT "v=spf1 ip4:192.0.2.2 -all"
contoso-com.mail.protection.outlook.com 300 A 192.0.2.3
mail.contoso.com 300 A 192.0.2.4
autodiscover.contoso.com 300 CNAME autodiscover.outlook.com
autodiscover.outlook.com 300 A 192.0.2.5
selector1._domainkey.contoso.com 300 CNAME selector1-contoso-com._domainkey.contoso.onmicrosoft.com
selector1-contoso-com._domainkey.contoso.onmicrosoft.com 300 TXT "v=DKIM1; p=AAAA"
"""


class Hints:
    """Says which hosts it was shown."""

    def __init__(self, *selectors: str) -> None:
        self.selectors = selectors or ("selector1", "selector2")
        self.hosts: list[str] = []

    def selectors_for(self, hosts: Sequence[str], depth: Depth) -> Sequence[str]:
        self.hosts = list(hosts)
        return self.selectors

    def hides_mailboxes(self, hosts: Sequence[str], domain: str) -> bool:
        return any(host.endswith(domain) for host in hosts[:1])


async def test_quick_depth_asks_exactly_its_set(engine: Engine, name_server: NameServer) -> None:
    name_server.load(ZONE)

    found = await survey(engine, "contoso.com", Depth.QUICK, Hints())

    assert set(found.answers) == {
        "contoso.com MX",
        "contoso.com TXT",
        "contoso.com NS",
        "_dmarc.contoso.com TXT",
        "autodiscover.contoso.com CNAME",
        "enterpriseregistration.contoso.com CNAME",
        "selector1._domainkey.contoso.com TXT",
        "selector2._domainkey.contoso.com TXT",
        "*.contoso.com CNAME",
        "mail.contoso.com A",
    }
    assert found.queries == name_server.total == 10
    assert found.duration_ms > 0


async def test_quick_depth_asks_no_more_where_nothing_can_be_mistaken(
    engine: Engine, name_server: NameServer
) -> None:
    name_server.load("fabrikam.com MX 10 mx1.fabrikam.net\nfabrikam.com MX 20 mx.notfabrikam.com")

    found = await survey(engine, "fabrikam.com", Depth.QUICK, Hints())

    assert found.queries == name_server.total == 8
    assert found.get(RRType.CNAME, "*") is None


async def test_quick_depth_follows_the_own_name_of_an_mx_host(
    engine: Engine, name_server: NameServer
) -> None:
    name_server.load(
        "\n".join(f"fabrikam.com MX {n}0 mx{n}.fabrikam.com" for n in (1, 2, 3))
        + "\nmx1.fabrikam.com CNAME fabrikam-com.mail.protection.outlook.com"
        + "\nfabrikam-com.mail.protection.outlook.com A 192.0.2.1"
    )

    await survey(engine, "fabrikam.com", Depth.QUICK, Hints())
    found = await survey(engine, "fabrikam.com", Depth.QUICK, Hints())

    answer = found.get(RRType.A, "mx1")
    assert answer is not None
    assert answer.chain == ("fabrikam-com.mail.protection.outlook.com",)
    assert found.get(RRType.A, "mx2") is not None
    assert found.get(RRType.A, "mx3") is None
    assert name_server.queries["mx1.fabrikam.com A"] == 2  # never from memory


@pytest.mark.parametrize("record", ["A 192.0.2.1", "CNAME mail.fabrikam.com"])
async def test_quick_depth_looks_whether_autodiscover_is_a_server_of_its_own(
    engine: Engine, name_server: NameServer, record: str
) -> None:
    name_server.load(
        "fabrikam.com MX 10 mail.fabrikam.com\nmail.fabrikam.com A 192.0.2.1\n"
        f"fabrikam.com A 198.51.100.1\nautodiscover.fabrikam.com {record}"
    )

    found = await survey(engine, "fabrikam.com", Depth.QUICK, Hints())

    for label in ("", "autodiscover", "mail", "*"):
        assert found.get(RRType.A, label) is not None


async def test_full_depth_asks_where_the_autodiscover_service_is(
    engine: Engine, name_server: NameServer
) -> None:
    name_server.load(
        "fabrikam.com MX 10 mail.fabrikam.com\n"
        "_autodiscover._tcp.fabrikam.com SRV 0 0 443 owa.fabrikam.com\nowa.fabrikam.com A 192.0.2.1"
    )

    found = await survey(engine, "fabrikam.com", Depth.FULL, Hints())

    assert found.get(RRType.A, "autodiscover") is not None
    assert found.get(RRType.A, "owa") is not None


async def test_quick_depth_asks_three_selectors_at_most(
    engine: Engine, name_server: NameServer
) -> None:
    name_server.load(ZONE)
    hints = Hints("a", "b", "c", "d")

    found = await survey(engine, "contoso.com", Depth.QUICK, hints)

    assert sum("_domainkey" in question for question in found.answers) == 3
    assert hints.hosts == ["contoso-com.mail.protection.outlook.com", "mail.contoso.com"]


async def test_full_depth_asks_everything(engine: Engine, name_server: NameServer) -> None:
    name_server.load(ZONE)
    hints = Hints()

    found = await survey(engine, "contoso.com", Depth.FULL, hints)

    for rrtype in ("MX", "TXT", "NS", "SOA", "A", "AAAA", "CAA", "DS"):
        assert f"contoso.com {rrtype}" in found.answers
    for label in (
        "autodiscover",
        "enterpriseregistration",
        "enterpriseenrollment",
        "lyncdiscover",
        "sip",
        "msoid",
    ):
        assert found.get(RRType.CNAME, label) is not None
    for label in ("_sipfederationtls._tcp", "_autodiscover._tcp"):
        assert found.get(RRType.SRV, label) is not None
    for label in ("_dmarc", "_mta-sts", "_smtp._tls", "default._bimi", "_domainkey"):
        assert found.get(RRType.TXT, label) is not None
    for host in ("contoso-com.mail.protection.outlook.com", "mail.contoso.com"):
        assert found.lookup(host, RRType.A) is not None
        assert found.lookup(f"_25._tcp.{host}", RRType.TLSA) is not None
    for target in ("_spf.contoso.com", "spf.vendor.example", "spf.protection.outlook.com"):
        assert found.lookup(target, RRType.TXT) is not None
    assert set(hints.hosts) >= {"spf.protection.outlook.com", "autodiscover.outlook.com"}
    assert found.lookup("_dmarc.com", RRType.TXT) is None  # the own record decides
    assert found.lookup("com", RRType.CAA) is not None  # the domain has no CAA of its own
    assert not found.validated
    assert found.unchecked is None
    assert found.queries == name_server.total <= 60


async def test_a_dkim_cname_comes_with_the_key_behind_it(
    engine: Engine, name_server: NameServer
) -> None:
    name_server.load(ZONE)

    found = await survey(engine, "contoso.com", Depth.QUICK, Hints())

    answer = found.get(RRType.TXT, "selector1._domainkey")
    assert answer is not None
    assert answer.records == ("v=DKIM1; p=AAAA",)
    assert answer.chain == ("selector1-contoso-com._domainkey.contoso.onmicrosoft.com",)


@pytest.mark.parametrize("depth", Depth)
async def test_a_missing_domain_costs_one_question(
    engine: Engine, name_server: NameServer, depth: Depth
) -> None:
    found = await survey(engine, "missing.example", depth, Hints())

    assert [a.outcome for a in found.answers.values()] == [Outcome.NXDOMAIN]
    assert name_server.total == 1


async def test_a_domain_that_is_an_alias_to_nowhere_is_surveyed_on(
    engine: Engine, name_server: NameServer
) -> None:
    name_server.load(
        "alias.example CNAME gone.example.net\n_dmarc.alias.example TXT v=DMARC1;p=none"
    )

    found = await survey(engine, "alias.example", Depth.QUICK, Hints())

    dmarc = found.get(RRType.TXT, "_dmarc")
    assert dmarc is not None
    assert dmarc.outcome is Outcome.FOUND


@pytest.mark.parametrize(
    ("word", "outcome"),
    [("timeout", Outcome.TIMEOUT), ("servfail", Outcome.SERVFAIL), ("refused", Outcome.REFUSED)],
)
async def test_what_was_not_answered_is_unknown_and_never_absent(
    engine: Engine, name_server: NameServer, word: str, outcome: Outcome
) -> None:
    name_server.load(ZONE + f";! contoso.com MX {word}\n;! _dmarc.contoso.com {word}")

    found = await survey(engine, "contoso.com", Depth.QUICK, Hints())

    assert {found.answers[q].outcome for q in ("contoso.com MX", "_dmarc.contoso.com TXT")} == {
        outcome
    }
    assert found.answers["contoso.com TXT"].outcome is Outcome.FOUND


async def test_a_silent_domain_is_not_asked_for_selectors_as_well(
    engine: Engine, name_server: NameServer
) -> None:
    name_server.load(ZONE + ";! .contoso.com timeout\n")

    found = await survey(engine, "contoso.com", Depth.QUICK, Hints())

    assert {answer.outcome for answer in found.answers.values()} == {Outcome.TIMEOUT}
    assert len(found.answers) == 6


async def test_a_slow_mx_is_asked_again_beside_everything_else(name_server: NameServer) -> None:
    name_server.load(ZONE + ";! contoso.com MX drop-first=2\n")
    settings = Config(dns_servers=(name_server.address,))
    async with open_engine(settings) as patient:
        found = await survey(patient, "contoso.com", Depth.QUICK, Hints())

    mx = found.get(RRType.MX)
    assert mx is not None
    assert mx.outcome is Outcome.FOUND
    assert len(found.answers) == 10
    assert name_server.queries["contoso.com MX"] == 3


async def test_dmarc_parents_are_asked_up_to_the_top(
    engine: Engine, name_server: NameServer
) -> None:
    name_server.load(
        'a.b.example.com MX 10 mx.example.com\n_dmarc.example.com TXT "v=DMARC1; p=none"'
    )

    found = await survey(engine, "a.b.example.com", Depth.FULL, Hints())

    asked = [q for q in found.answers if q.startswith("_dmarc")]
    assert asked == [
        "_dmarc.a.b.example.com TXT",
        "_dmarc.b.example.com TXT",
        "_dmarc.example.com TXT",
        "_dmarc.com TXT",
    ]


async def test_the_dmarc_walk_jumps_to_seven_labels(
    engine: Engine, name_server: NameServer
) -> None:
    domain = "a.b.c.d.e.f.g.h.i.example.com"
    name_server.load(f"{domain} MX 10 mx.example.com")

    found = await survey(engine, domain, Depth.FULL, Hints())

    parents = [q for q in found.answers if q.startswith("_dmarc") and domain not in q]
    assert parents[0] == "_dmarc.f.g.h.i.example.com TXT".replace("f.g", "e.f.g", 1)
    assert len(parents) == 7


async def test_parents_do_not_matter_while_the_own_policy_is_unknown(
    engine: Engine, name_server: NameServer
) -> None:
    name_server.load(ZONE + ";! _dmarc.contoso.com servfail")

    found = await survey(engine, "contoso.com", Depth.FULL, Hints())

    assert found.lookup("_dmarc.com", RRType.TXT) is None


async def test_a_wildcard_shows_itself_at_a_selector_nobody_chose(
    engine: Engine, name_server: NameServer
) -> None:
    name_server.load(ZONE + '*._domainkey.contoso.com TXT "v=spf1 -all"')

    surveys = [await survey(engine, "contoso.com", Depth.FULL, Hints()) for _ in range(2)]

    probes = [q for q in name_server.queries if q.startswith("hunter-")]
    assert len(probes) == 6  # two random selectors, and two random labels by two types
    for found in surveys:
        assert {found.answers[f"*.contoso.com {rrtype}"].outcome for rrtype in ("CNAME", "A")} == {
            Outcome.NXDOMAIN
        }
        answer = found.get(RRType.TXT, "*._domainkey")
        assert answer is not None
        assert answer.outcome is Outcome.FOUND
        assert not any("hunter-" in question for question in found.answers)


async def test_a_rescan_asks_about_the_domain_anew_and_shares_the_rest(
    engine: Engine, name_server: NameServer
) -> None:
    name_server.load(ZONE)

    for _ in range(2):
        await survey(engine, "contoso.com", Depth.FULL, Hints())

    asked = name_server.queries
    assert asked["contoso.com MX"] == 2
    assert asked["_spf.contoso.com TXT"] == 2
    assert asked["mail.contoso.com A"] == 2
    assert asked["spf.protection.outlook.com TXT"] == 1
    assert asked["contoso-com.mail.protection.outlook.com A"] == 1


async def test_a_domain_full_of_includes_keeps_its_budget(
    engine: Engine, name_server: NameServer
) -> None:
    own = "\n".join(
        f'i{i}.contoso.com TXT "v=spf1 '
        + " ".join(f"include:i{i * 9 + j}.contoso.com" for j in range(1, 10))
        + '"'
        for i in range(200)
    )
    name_server.load('contoso.com TXT "v=spf1 include:i0.contoso.com"\ncontoso.com MX 0 .\n' + own)

    found = await survey(engine, "contoso.com", Depth.FULL, Hints())

    assert found.queries <= 60
    assert name_server.total <= 60


@pytest.mark.parametrize(("mx", "includes", "selectors"), [(2, 5, 6), (9, 9, 14)])
async def test_full_depth_keeps_its_budget_and_asks_about_the_domain_itself_first(
    engine: Engine, name_server: NameServer, mx: int, includes: int, selectors: int
) -> None:
    hosts = "\n".join(f"contoso.com MX {n} mx{n}.mail{n}.net" for n in range(mx))
    spf = " ".join(f"include:spf{n}.vendor{n}.net" for n in range(includes))
    rua = ",".join(f"mailto:x@r{n}.net" for n in range(5))
    name_server.load(
        f'{hosts}\ncontoso.com TXT "v=spf1 {spf} -all"\n'
        f'_dmarc.contoso.com TXT "v=DMARC1; p=none; rua={rua}"\n'
        "contoso.com NS ns1.contoso.com\n_autodiscover._tcp.contoso.com SRV 0 0 443 a.mail1.net"
    )

    found = await survey(engine, "contoso.com", Depth.FULL, Hints(*map(str, range(selectors))))

    assert found.queries == name_server.total <= 60
    left_out = [each.name for each in found.answers.values() if each.outcome is Outcome.BUDGET]
    assert not any(name == "contoso.com" or name.endswith(".contoso.com") for name in left_out)
    assert bool(left_out) is (mx == 9)


async def test_hosts_of_report_addresses_are_asked_for_their_consent(
    engine: Engine, name_server: NameServer
) -> None:
    name_server.load(
        '_dmarc.contoso.com TXT "v=DMARC1; p=none; rua=mailto:a@vendor.net,mailto:b@contoso.com"\n'
        'contoso.com._report._dmarc.vendor.net TXT "v=DMARC1"\ncontoso.com MX 0 .'
    )

    found = await survey(engine, "contoso.com", Depth.FULL, Hints())

    consent = found.lookup("contoso.com._report._dmarc.vendor.net", RRType.TXT)
    assert consent is not None
    assert consent.records == ("v=DMARC1",)
    assert [name for name in found.answers if "._report." in name] == [consent.question]


async def test_a_domain_whose_signatures_are_broken_is_asked_without_validation(
    open_quick: Callable[..., Awaitable[Engine]], name_server: NameServer
) -> None:
    digest = "AB" * 32
    bogus = "\n".join(f";! contoso.com {kind} bogus" for kind in ("MX", "TXT", "NS", "SOA"))
    name_server.load(f"{ZONE}contoso.com DS 12345 13 2 {digest}\n{bogus}")
    engine = await open_quick(name_server, dns_trust_ad=True)

    found = await survey(engine, "contoso.com", Depth.FULL, Hints())

    assert found.validated
    assert found.unchecked is not None
    assert found.unchecked.outcome is Outcome.FOUND
    assert read_dnssec(found).state is DnssecState.BOGUS


async def test_a_server_that_fails_with_and_without_validation_is_no_proof(
    engine: Engine, name_server: NameServer
) -> None:
    failing = "\n".join(f";! contoso.com {kind} servfail" for kind in ("MX", "TXT", "NS", "SOA"))
    name_server.load(f"{ZONE}contoso.com DS 12345 13 2 {'AB' * 32}\n{failing}")

    found = await survey(engine, "contoso.com", Depth.FULL, Hints())

    assert found.unchecked is not None
    assert found.unchecked.outcome is Outcome.SERVFAIL
    assert read_dnssec(found).state is DnssecState.SIGNED


async def test_whose_mailbox_gets_reports_is_not_in_a_survey(
    engine: Engine, name_server: NameServer
) -> None:
    name_server.load(
        'contoso.com MX 10 mx.contoso.com\n_dmarc.contoso.com TXT "v=DMARC1; p=none; rua=mailto:ali@contoso.com"'
    )

    found = await survey(engine, "contoso.com", Depth.QUICK, Hints())

    dmarc = found.answers["_dmarc.contoso.com TXT"]
    assert dmarc.records == ("v=DMARC1; p=none; rua=mailto:*@contoso.com",)


async def test_null_mx_has_no_host(engine: Engine, name_server: NameServer) -> None:
    name_server.load("quiet.example MX 0 .")

    found = await survey(engine, "quiet.example", Depth.FULL, Hints())

    assert found.answers["quiet.example MX"].records == ("0 .",)
    assert not any(question.startswith("_25._tcp") for question in found.answers)


def test_mx_hosts_come_in_the_order_of_preference() -> None:
    assert mx_hosts(["20 b.example", "5 c.example", "10 a.example", "0 ."]) == [
        "c.example",
        "a.example",
        "b.example",
    ]


@pytest.mark.parametrize(
    ("text", "targets"),
    [
        ("v=spf1 include:a.example +include:B.example. ?all", ["a.example", "b.example"]),
        ("V=SPF1 redirect=c.example", ["c.example"]),
        ("v=spf1 include:%{i}.x.example include:a.example include:a.example", ["a.example"]),
        ("v=spf10 include:a.example", []),
        ("google-site-verification=include:a.example", []),
        ("v=spf1 include: include:localhost redirect=", []),
    ],
)
def test_include_targets_are_read_without_macros(text: str, targets: list[str]) -> None:
    assert include_targets([text]) == targets
