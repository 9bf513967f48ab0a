"""May this address send for this domain: what the suite of RFC 7208 leaves open, and every limit."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunter.core.answers import Answer, Outcome, RRType
from hunter.core.spf import parse_spf
from hunter.core.spf_check import Sender, SpfCheck, SpfResult, check_with, written
from hunter.core.spf_macro import (
    dotted,
    expand_explanation,
    expand_name,
    is_askable,
    needs_validated_name,
    presentation,
)
from hunter.core.spf_walk import MAX_LOOKUPS

Zone = dict[str, tuple[str, ...] | Outcome]

_IP = "192.0.2.5"


def check(
    zone: Zone, *, ip: str = _IP, sender: str = "ann@a.example", helo: str = "mail.a.example"
) -> SpfCheck:
    """Evaluate over a zone of "name TYPE" → records, or how the question ends."""

    def lookup(name: str, rrtype: RRType) -> Answer:
        held = zone.get(f"{name} {rrtype}", Outcome.NXDOMAIN)
        if isinstance(held, Outcome):
            return Answer(name, rrtype, held)
        return Answer(name, rrtype, Outcome.FOUND, held)

    return check_with(Sender(ip_address(ip), sender, helo), lookup)


def policy(*terms: str, **more: tuple[str, ...] | Outcome) -> Zone:
    """A zone in which a.example publishes these terms."""
    return {"a.example TXT": (" ".join(("v=spf1", *terms)),), **more}


def test_the_way_to_the_match_leads_through_redirect_and_include() -> None:
    zone = policy("redirect=b.example") | {
        "b.example TXT": ("v=spf1 include:c.example -all",),
        "c.example TXT": ("v=spf1 ip4:192.0.2.0/24 ~all",),
    }

    found = check(zone)

    assert found.result is SpfResult.PASS
    assert found.path == (
        ("a.example", "redirect=b.example"),
        ("b.example", "include:c.example"),
        ("c.example", "ip4:192.0.2.0/24"),
    )
    assert (found.lookups, found.voids, found.problem) == (2, 0, "")


def test_a_redirect_whose_target_matches_nothing_is_neutral_without_a_way() -> None:
    zone = policy("redirect=b.example") | {"b.example TXT": ("v=spf1 ip4:198.51.100.1",)}

    found = check(zone)

    assert (found.result, found.path) == (SpfResult.NEUTRAL, ())
    assert found.problem == "no term matches the address"


@pytest.mark.parametrize(
    ("zone", "result", "problem"),
    [
        ({}, SpfResult.NONE, "a.example has no SPF record"),
        (
            {"a.example TXT": ("v=spf1 -all", "v=spf1 ~all")},
            SpfResult.PERMERROR,
            "a.example has several SPF records",
        ),
        (policy("ipv4:192.0.2.5"), SpfResult.PERMERROR, "breaks the syntax"),
        (
            {"a.example TXT": Outcome.SERVFAIL},
            SpfResult.TEMPERROR,
            "a.example TXT was not answered",
        ),
        (policy("include:b.example"), SpfResult.PERMERROR, "b.example, an include, has no SPF"),
        (policy("redirect=b.example"), SpfResult.PERMERROR, "b.example, a redirect, has no SPF"),
        (
            policy("a:b.example", **{"b.example A": Outcome.TIMEOUT}),
            SpfResult.TEMPERROR,
            "b.example A was not answered (timeout)",
        ),
        (
            policy("mx") | {"a.example MX": ("10 m.example",), "m.example A": Outcome.SERVFAIL},
            SpfResult.TEMPERROR,
            "m.example A was not answered",
        ),
        (
            policy("mx") | {"a.example MX": tuple(f"10 m{n}.example" for n in range(11))},
            SpfResult.PERMERROR,
            "a.example has 11 MX hosts",
        ),
        (
            policy(*[f"exists:x{n}.example" for n in range(3)], "-all"),
            SpfResult.PERMERROR,
            "more than 2 look-ups found nothing",
        ),
    ],
)
def test_an_evaluation_that_ends_early_says_why(
    zone: Zone, result: SpfResult, problem: str
) -> None:
    found = check(zone)

    assert found.result is result
    assert problem in found.problem
    assert found.path == ()


def test_ten_terms_with_look_ups_are_allowed_and_an_eleventh_is_an_error() -> None:
    here = {"a.example A": ("198.51.100.1",)}

    assert check(policy(*["a"] * MAX_LOOKUPS, "-all", **here)).result is SpfResult.FAIL
    assert check(policy(*["a"] * 11, "-all", **here)).result is SpfResult.PERMERROR


def test_two_void_look_ups_are_allowed() -> None:
    assert check(policy("a:x.example", "mx:y.example", "-all")).result is SpfResult.FAIL


def test_what_costs_no_look_up_is_not_counted() -> None:
    found = check(policy("ip6:2001:db8::/32", "ip4:192.0.2.5/32", "-all"))

    assert (found.result, found.lookups) == (SpfResult.PASS, 0)


def test_an_address_matches_no_network_of_the_other_family() -> None:
    assert check(policy("ip6:::/0", "-all")).result is SpfResult.FAIL
    assert check(policy("ip4:0.0.0.0/0", "-all"), ip="2001:db8::1").result is SpfResult.FAIL


def test_a_name_no_message_can_carry_does_not_exist() -> None:
    found = check(policy("a:b..example", "exists:" + "x" * 64 + ".example", "-all"))

    assert (found.result, found.voids) == (SpfResult.FAIL, 2)


def test_an_ipv4_address_in_ipv6_clothes_is_ipv4() -> None:
    assert check(policy("ip4:192.0.2.5", "-all"), ip="::ffff:192.0.2.5").result is SpfResult.PASS


def test_an_mx_term_passes_over_a_null_mx_and_reads_ipv6_addresses_for_an_ipv6_sender() -> None:
    zone = policy("mx", "-all") | {
        "a.example MX": ("0 .", "10 m.example"),
        "m.example AAAA": ("2001:db8::7",),
    }

    assert check(zone, ip="2001:db8::7").result is SpfResult.PASS
    assert check(zone, ip="2001:db8::8").result is SpfResult.FAIL


def test_a_validated_name_counts_with_its_subdomains_and_errors_only_skip_it() -> None:
    reverse = "5.2.0.192.in-addr.arpa PTR"
    zone = policy("ptr:b.example", "-all") | {
        reverse: ("lost.b.example", "forged.b.example", "mail.b.example"),
        "lost.b.example A": Outcome.TIMEOUT,
        "forged.b.example A": ("198.51.100.1", "no address"),
        "mail.b.example A": (_IP,),
    }

    assert check(zone).result is SpfResult.PASS
    assert check(zone | {reverse: ("mail.x.example",)}).result is SpfResult.FAIL
    assert check(zone | {"mail.b.example A": Outcome.NODATA}).result is SpfResult.FAIL
    assert check(zone | {reverse: Outcome.TIMEOUT}).result is SpfResult.FAIL


def test_only_ten_names_of_an_address_are_looked_at() -> None:
    names = tuple(f"n{n}.b.example" for n in range(11))
    zone = policy("ptr:b.example", "-all") | {
        "5.2.0.192.in-addr.arpa PTR": names,
        f"{names[-1]} A": (_IP,),
    }

    assert check(zone).result is SpfResult.FAIL


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("x.example", "a.example"), "a.example"),
        (("x.example", "mx.a.example"), "mx.a.example"),
        (("x.example",), "x.example"),
        ((), "unknown"),
    ],
)
def test_the_p_macro_is_the_nearest_validated_name(names: tuple[str, ...], said: str) -> None:
    zone: Zone = policy("-all", "exp=why.example", **{"why.example TXT": ("from %{p}",)})
    zone["5.2.0.192.in-addr.arpa PTR"] = names or Outcome.NXDOMAIN
    zone.update({f"{name} A": (_IP,) for name in names})

    assert check(zone).explanation == f"from {said}"


def test_names_of_an_address_are_asked_for_once() -> None:
    zone = policy("exists:%{p}.x.example", "ptr", "-all") | {
        "5.2.0.192.in-addr.arpa PTR": ("m.a.example",),
        "m.a.example A": (_IP,),
    }

    assert check(zone).result is SpfResult.PASS


def test_a_bounce_speaks_for_postmaster_at_the_helo_name() -> None:
    zone = policy("exists:%{l}.%{o}.x.example", "-all")
    zone["postmaster.a.example.x.example A"] = ("127.0.0.2",)

    assert check(zone, sender="", helo="A.Example.").result is SpfResult.PASS
    assert check(zone, sender="@a.example").result is SpfResult.PASS


@pytest.mark.parametrize(
    "domain",
    ["localhost", "a..example", "x" * 64 + ".example", "192.0.2.5", "[192.0.2.5]", "a.-b", ""],
)
def test_a_name_that_can_have_no_policy_is_none_without_a_question(domain: str) -> None:
    found = check({f"{domain} TXT": ("v=spf1 +all",)}, sender=f"ann@{domain}")

    assert found.result is SpfResult.NONE


@pytest.mark.parametrize(
    "said", [Outcome.NXDOMAIN, Outcome.SERVFAIL, ("one", "two"), ("%{x}",), ("ünsal",)]
)
def test_an_explanation_that_cannot_be_read_is_none(said: tuple[str, ...] | Outcome) -> None:
    found = check(policy("-all", "exp=why.example", **{"why.example TXT": said}))

    assert (found.result, found.explanation) == (SpfResult.FAIL, None)


def test_an_explanation_is_given_for_a_fail_alone() -> None:
    zone = policy("~all", "exp=why.example", **{"why.example TXT": ("no",)})

    assert check(zone).explanation is None


def test_an_explanation_may_name_who_asked_and_when() -> None:
    zone = policy("-all", "exp=why.example", **{"why.example TXT": ("%{c} at %{r} %{t}%_%%%-",)})

    def lookup(name: str, rrtype: RRType) -> Answer:
        return Answer(name, rrtype, Outcome.FOUND, tuple(zone[f"{name} {rrtype}"]))

    sender = Sender(ip_address(_IP), "ann@a.example", "h.example", "mx.here.example", 1_700_000_000)

    assert check_with(sender, lookup).explanation == "192.0.2.5 at mx.here.example 1700000000 %%20"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("%{d}", "a.example"),
        ("%{d1}.x", "example.x"),
        ("%{dr}", "example.a"),
        ("%{l-}", "b.c"),
        ("%{l1r-}", "b"),
        ("%{d9999999999999}", "a.example"),
        ("%{d0000000001}", "example"),
        ("%{L}.x.", "b-c.x"),
        ("a%%b%_c%-d", "a%b c%20d"),
        ("UPPER.Example.", "upper.example"),
    ],
)
def test_macros_fill_a_name(text: str, name: str) -> None:
    assert expand_name(text, {"d": "a.example", "l": "b-c"}) == name


def test_a_name_that_grew_too_long_loses_labels_on_the_left() -> None:
    label = "x" * 59

    assert expand_name(f"{label}." * 4 + "abc.example", {}) == f"{label}." * 4 + "abc.example"
    assert expand_name(f"{label}." * 5 + "abc.example", {}) == f"{label}." * 4 + "abc.example"
    assert expand_name("x" * 300, {}) == "x" * 300
    assert expand_name("a" + "." + "x" * 253, {}) == "x" * 253


@pytest.mark.timeout(20)
def test_a_name_is_cut_in_time_however_far_its_macros_made_it_grow() -> None:
    long = expand_name("%{d}." * 16_000 + "b.example", {"d": "a." * 120 + "example"})

    assert len(long) <= 253
    assert long.endswith(".a.a.example.b.example")


def test_an_explanation_keeps_its_last_dot_and_escapes_upper_case_macros() -> None:
    assert expand_explanation("See %{L}.", {"l": "a&b~c"}) == "See a%26b~c."


def test_an_explanation_with_no_part_of_a_macro_is_misspelt() -> None:
    assert expand_explanation("%{d0}", {"d": "a.example"}) is None
    assert expand_explanation("%{d01}", {"d": "a.example"}) == "example"


def test_small_parts_of_the_macro_language() -> None:
    assert needs_validated_name("%{P2}")
    assert not needs_validated_name("%{d}p")
    assert dotted(ip_address("2001:db8::ab")).endswith("0.0.A.B")
    assert not is_askable("a." * 130 + "b")
    assert presentation('a b\\c"') == "a\\032b\\092c\\034"


@pytest.mark.parametrize(
    "term",
    [
        "a",
        "-mx:b.example/24//64",
        "ip4:192.0.2.0/24",
        "ip4:192.0.2.1",
        "?ip6:2001:db8::/32",
        "a//64",
        "~include:%{d}.example",
        "exists:x.example",
        "-all",
        "ptr",
    ],
)
def test_a_term_is_shown_as_it_was_written(term: str) -> None:
    assert written(parse_spf(f"v=spf1 {term}").mechanisms[0]) == term


_NAMES = ("a.example", "b.example", "c.example")
_TERMS = st.sampled_from(
    [
        "all", "-all", "~all", "?all", "a", "mx", "ptr", "a/0", "mx//0", "ip4:192.0.2.0/24",
        "ip6:::/0", "exists:%{i}.b.example", "exists:%{p}.c.example", "include:b.example",
        "include:c.example", "include:%{d2}", "redirect=c.example", "redirect=a.example",
        "exp=b.example", "a:%{l}%{h}", "x=y", "broken", "mx:a.example", "ptr:example",
    ]
)  # fmt: skip
_OUTCOMES = st.sampled_from([Outcome.NXDOMAIN, Outcome.NODATA, Outcome.TIMEOUT, Outcome.SERVFAIL])


@st.composite
def _zones(draw: st.DrawFn) -> Zone:
    zone: Zone = {}
    for name in _NAMES:
        record = "v=spf1 " + " ".join(draw(st.lists(_TERMS, max_size=12)))
        zone[f"{name} TXT"] = draw(st.one_of(st.just((record,)), _OUTCOMES))
        zone[f"{name} A"] = draw(st.one_of(st.just((_IP,)), _OUTCOMES))
        zone[f"{name} MX"] = draw(st.one_of(st.just(("0 b.example",)), _OUTCOMES))
    zone["5.2.0.192.in-addr.arpa PTR"] = draw(st.one_of(st.just(_NAMES), _OUTCOMES))
    return zone


@given(_zones(), st.text(max_size=12), st.text(max_size=12))
def test_every_policy_ends_within_its_limits(zone: Zone, local: str, helo: str) -> None:
    found = check(zone, sender=f"{local}@a.example", helo=helo)

    assert found.result in SpfResult
    assert found.lookups <= MAX_LOOKUPS + 1
    assert found.voids <= 3
    assert (found.result is SpfResult.PASS) <= bool(found.path)
