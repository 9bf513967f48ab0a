"""The table of addresses that Hunter never dials."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunter.outbound.addresses import is_loopback, refusal

PUBLIC = [
    "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0",
    "126.255.255.255", "128.0.0.1", "168.63.129.15", "169.253.255.255", "172.15.255.255",
    "172.32.0.0", "192.0.1.0", "192.0.3.0", "198.17.255.255", "198.20.0.0", "223.255.255.255",
    "2001:200::1", "2606:4700:4700::1111", "2a00:1450:4001:82b::200e", "::ffff:8.8.8.8",
    "64:ff9b::808:808",
]  # fmt: skip


@pytest.mark.parametrize("address", PUBLIC)
def test_an_address_of_the_internet_may_be_dialled(address: str) -> None:
    assert refusal(address) == ""


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("169.254.169.254", "link-local"),
        ("100.100.100.200", "carrier"),
        ("168.63.129.16", "cloud machine"),
        ("::ffff:10.0.0.1", "private"),
        ("64:ff9b::a00:1", "private"),
        ("2002:7f00:1::", "6to4"),
        ("2001:0:4136:e378:8000:63bf:3fff:fdd2", "Teredo"),
        ("fe80::1%eth0", "one link"),
        ("fd00:ec2::254", "private"),
        ("4000::1", "not global"),
        ("localhost", "not an address"),
    ],
)
def test_a_refusal_says_what_the_address_is(address: str, why: str) -> None:
    assert why in refusal(address)


@given(st.ip_addresses(v=4))
def test_no_address_gets_through_that_python_knows_as_not_global(
    address: ipaddress.IPv4Address,
) -> None:
    if not address.is_global or address.is_multicast:
        assert refusal(str(address))


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_inside_an_ipv6_one_is_judged_alike(address: ipaddress.IPv4Address) -> None:
    plain = refusal(str(address))

    assert refusal(f"::ffff:{address}") == plain
    assert refusal(str(ipaddress.IPv6Address(int(ipaddress.IPv6Address("64:ff9b::")) + int(address)))) == plain  # fmt: skip


@given(st.ip_addresses(v=6))
def test_only_global_unicast_of_ipv6_gets_through(address: ipaddress.IPv6Address) -> None:
    is_open = refusal(str(address)) == ""

    assert not is_open or address.is_global or address.ipv4_mapped is not None


@given(st.text(max_size=60))
def test_any_text_at_all_is_judged_without_an_exception(text: str) -> None:
    assert isinstance(refusal(text), str)
    assert is_loopback(text) in {True, False}


def test_loopback_means_the_two_plain_forms_only() -> None:
    assert is_loopback("127.0.0.1")
    assert is_loopback("127.255.0.9")
    assert is_loopback("::1")
    assert not is_loopback("::ffff:127.0.0.1")
    assert not is_loopback("0.0.0.0")
    assert not is_loopback("localhost")
