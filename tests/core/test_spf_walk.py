"""The static walk of an SPF policy: counts, depth, loops and what is not known."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunter.core.answers import Answer, Outcome, RRType
from hunter.core.spf import SpfState
from hunter.core.spf_walk import Include, SpfPosture, walk_spf

DOMAIN = "contoso.com"
Zone = dict[str, str | Outcome | list[str]]


def _lookup(zone: Zone, *, asked_all: bool = True) -> Callable[[str, RRType], Answer | None]:
    """Zone keys are "name TYPE"; what is not there is NXDOMAIN, or not asked."""

    def look(name: str, rrtype: RRType) -> Answer | None:
        held = zone.get(f"{name} {rrtype}", Outcome.NXDOMAIN if asked_all else None)
        if held is None:
            return None
        if isinstance(held, Outcome):
            return Answer(name, rrtype, held)
        records = (held,) if isinstance(held, str) else tuple(held)
        return Answer(name, rrtype, Outcome.FOUND, records)

    return look


def _walk(zone: Zone, *, asked_all: bool = True) -> SpfPosture:
    return walk_spf(DOMAIN, _lookup(zone, asked_all=asked_all))


def _codes(posture: SpfPosture) -> set[str]:
    return {finding.code for finding in posture.findings}


def test_a_policy_nobody_asked_for_is_unknown() -> None:
    posture = _walk({}, asked_all=False)

    assert posture.state is SpfState.UNKNOWN
    assert posture.unasked == ((DOMAIN, RRType.TXT),)


def test_our_own_limits_prove_nothing() -> None:
    assert _walk({"contoso.com TXT": Outcome.BUDGET}).state is SpfState.UNKNOWN


def test_a_name_server_that_fails_is_a_temporary_error() -> None:
    assert _walk({"contoso.com TXT": Outcome.SERVFAIL}).state is SpfState.TEMPERROR


def test_several_records_end_the_walk() -> None:
    posture = _walk({"contoso.com TXT": ["v=spf1 -all", "v=spf1 mx -all"]})

    assert posture.state is SpfState.PERMERROR
    assert _codes(posture) == {"spf_multiple_records"}


def test_depth_tells_the_owner_s_choice_from_the_vendor_s() -> None:
    posture = _walk(
        {
            "contoso.com TXT": "v=spf1 include:Vendor.net. -all",
            "vendor.net TXT": "v=spf1 redirect=deep.net",
            "deep.net TXT": "v=spf1 ip4:192.0.2.1 ~all",
        }
    )

    assert posture.includes == (
        Include("vendor.net", 1, "include", SpfState.OK),
        Include("deep.net", 2, "redirect", SpfState.OK),
    )
    assert (posture.lookups, posture.all, posture.complete) == (2, "-", True)


def test_an_include_that_was_not_asked_for_leaves_a_lower_bound() -> None:
    posture = _walk({"contoso.com TXT": "v=spf1 include:vendor.net mx -all"}, asked_all=False)

    assert posture.state is SpfState.OK
    assert (posture.lookups, posture.voids, posture.complete) == (2, 0, False)
    assert posture.unasked == (("vendor.net", RRType.TXT), (DOMAIN, RRType.MX))


def test_a_redirect_that_was_not_asked_for_hides_the_end() -> None:
    posture = _walk({"contoso.com TXT": "v=spf1 redirect=vendor.net"}, asked_all=False)

    assert posture.all is None
    assert not posture.complete


def test_a_redirect_to_nothing_is_a_permerror() -> None:
    posture = _walk({"contoso.com TXT": "v=spf1 redirect=vendor.net"})

    assert posture.state is SpfState.PERMERROR
    assert posture.voids == 1
    assert _codes(posture) == {"spf_redirect_without_spf"}


def test_a_broken_include_breaks_the_policy() -> None:
    posture = _walk(
        {
            "contoso.com TXT": "v=spf1 include:vendor.net include:other.net -all",
            "vendor.net TXT": "v=spf1 moo -all",
            "other.net TXT": Outcome.TIMEOUT,
        }
    )

    assert posture.state is SpfState.PERMERROR
    assert _codes(posture) == {"spf_broken_include"}


def test_an_include_of_itself_is_a_loop() -> None:
    posture = _walk({"contoso.com TXT": "v=spf1 include:contoso.com -all"})

    assert posture.state is SpfState.PERMERROR
    assert _codes(posture) == {"spf_loop"}


def test_a_tree_that_doubles_at_every_level_is_cut() -> None:
    zone: Zone = {
        f"{level}.net TXT": f"v=spf1 include:{level + 1}.net include:{level + 1}.net -all"
        for level in range(20)
    }
    zone["contoso.com TXT"] = "v=spf1 include:0.net include:0.net -all"

    posture = _walk(zone)

    assert posture.state is SpfState.PERMERROR
    assert 100 < posture.lookups < 200
    assert not posture.complete


def test_a_tree_of_long_records_costs_no_more_than_its_first_hundred_terms() -> None:
    zone: Zone = {
        f"{level}.net TXT": "v=spf1 " + f"include:{level + 1}.net " * 50 + "a mx exists:x.net " * 50
        for level in range(10)
    }
    zone["contoso.com TXT"] = "v=spf1 include:0.net redirect=0.net"
    look = _lookup(zone)
    asked: list[str] = []

    def counted(name: str, rrtype: RRType) -> Answer | None:
        asked.append(f"{name} {rrtype}")
        return look(name, rrtype)

    posture = walk_spf(DOMAIN, counted)

    assert posture.lookups < 120
    assert len(asked) < 120
    assert not posture.complete


def test_two_voids_are_allowed_and_three_are_not() -> None:
    text = "v=spf1 a:a.net exists:b.net"

    assert _walk({"contoso.com TXT": f"{text} -all"}).state is SpfState.OK
    posture = _walk({"contoso.com TXT": f"{text} mx:c.net -all"})
    assert (posture.state, posture.voids) == (SpfState.PERMERROR, 3)
    assert _codes(posture) == {"spf_too_many_voids"}


def test_a_host_with_only_ipv6_is_not_void() -> None:
    zone: Zone = {"contoso.com TXT": "v=spf1 a -all", "contoso.com A": Outcome.NODATA}

    assert _walk(zone).voids == 1
    assert _walk(zone | {"contoso.com AAAA": "2001:db8::1"}).voids == 0


def test_an_address_makes_a_term_count_once_and_nothing_else() -> None:
    zone: Zone = {
        "contoso.com TXT": "v=spf1 a ptr exists:%{i}.x.net -all",
        "contoso.com A": "192.0.2.1",
    }

    posture = _walk(zone)

    assert (posture.lookups, posture.voids, posture.complete) == (3, 0, False)
    assert _codes(posture) == {"spf_ptr", "spf_macro_unresolvable"}


def test_mx_of_a_domain_without_mail_is_pointed_out() -> None:
    posture = _walk({"contoso.com TXT": "v=spf1 mx -all", "contoso.com MX": "0 ."})

    assert _codes(posture) == {"spf_mx_on_null_mx"}


def test_a_hosted_policy_is_named() -> None:
    posture = _walk(
        {
            "contoso.com TXT": "v=spf1 include:contoso.com._nspf.vali.email -all",
            "contoso.com._nspf.vali.email TXT": "v=spf1 -all",
        }
    )

    assert _codes(posture) == {"spf_hosted"}


@pytest.mark.parametrize(("count", "state"), [(10, SpfState.OK), (11, SpfState.PERMERROR)])
def test_ten_mx_hosts_are_allowed_and_eleven_are_not(count: int, state: SpfState) -> None:
    hosts = [f"10 mx{number}.contoso.com" for number in range(count)]

    assert _walk({"contoso.com TXT": "v=spf1 mx -all", "contoso.com MX": hosts}).state is state


NAMES = st.sampled_from(["contoso.com", "a.net", "b.net", "%{i}.c.net"])
TERMS = st.builds("{}:{}".format, st.sampled_from(["include", "a", "mx", "exists"]), NAMES)
RECORDS = st.lists(TERMS | st.just("-all") | NAMES.map("redirect={}".format), max_size=4).map(
    lambda terms: " ".join(["v=spf1", *terms])
)
HELD = RECORDS | st.sampled_from(list(Outcome)) | st.lists(RECORDS, max_size=2) | st.text()


@given(
    st.dictionaries(
        st.sampled_from(["contoso.com TXT", "a.net TXT", "b.net TXT", "a.net A", "b.net MX"]), HELD
    ),
    st.booleans(),
)
def test_any_zone_can_be_walked(zone: Zone, asked_all: bool) -> None:
    posture = _walk(zone, asked_all=asked_all)

    assert posture.voids <= posture.lookups
    assert not posture.unasked or not posture.complete


def test_an_include_with_a_macro_ends_the_walk_there() -> None:
    posture = _walk({"contoso.com TXT": "v=spf1 include:%{d}.y.net -all"})

    assert not posture.complete
    assert "spf_macro_unresolvable" in _codes(posture)
