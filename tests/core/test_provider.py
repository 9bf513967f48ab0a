"""Who receives a domain's mail."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunter.core.answers import Answer, Depth, Outcome, RRType
from hunter.core.facts import Rules
from hunter.core.provider import (
    Mail,
    family_of,
    hides_mailboxes,
    is_local,
    operator_name,
    operator_of,
    read_mx,
    selectors_for,
)
from hunter.core.tables import SuffixIndex
from hunter.knowledge.load import load_knowledge

DOMAIN = "contoso.com.tr"


@pytest.fixture(scope="module")
def rules() -> Rules:
    return load_knowledge().rules


def mail(rules: Rules, *records: str, domain: str = DOMAIN) -> Mail:
    answer = Answer(domain, RRType.MX, Outcome.FOUND, records)
    return read_mx(answer, domain, rules, lambda _name, _kind: None)


@pytest.mark.parametrize(
    ("host", "operator"),
    [
        ("contoso-com.mail.protection.outlook.com", "microsoft365"),
        ("contoso-com.k-v1.mx.microsoft", "microsoft365"),
        ("evilmail.protection.outlook.com.attacker.net", "unknown:attacker.net"),
        ("notmail-protection.outlook.com", "unknown:outlook.com"),
        ("hotmail-com.olc.protection.outlook.com", "microsoft_consumer"),
        ("gmr-smtp-in.l.google.com", "google_domains_forward"),
        ("gmail-smtp-in.l.google.com", "gmail_consumer"),
        ("alt1.aspmx.l.google.com", "google_workspace"),
        ("inbound-smtp.eu-west-1.amazonaws.com", "amazon_workmail"),
        ("esva1.contoso.com.tr", "libraesva"),
        ("mail.contoso.com.tr", "self_hosted"),
        (DOMAIN, "self_hosted"),
        ("192.0.2.1", "broken"),
        ("[2001:db8::1]", "broken"),
        ("localhost", "broken"),
        ("mailserver", "broken"),
        ("mx.example.org", "unknown:example.org"),
        ("com.tr", "unknown:com.tr"),
    ],
)
def test_host_belongs_to_its_operator_on_label_boundaries(
    rules: Rules, host: str, operator: str
) -> None:
    assert operator_of(host, DOMAIN, rules) == operator


def test_host_of_a_sibling_name_under_the_same_registrable_domain_is_self_hosted(
    rules: Rules,
) -> None:
    assert operator_of("mx.contoso.com", "shop.contoso.com", rules) == "self_hosted"


def test_longest_suffix_wins_whatever_the_order() -> None:
    index = SuffixIndex({"com": "a", "example.com": "b"})
    assert (index.find("mx.example.com"), index.find("x.com"), index.find("net")) == (
        "b",
        "a",
        None,
    )
    assert len(index) == 2


def test_variant_belongs_to_its_suite(rules: Rules) -> None:
    assert family_of("microsoft365_gcc_high", rules) == "microsoft365"
    assert family_of("unknown:x.org", rules) == "unknown:x.org"


def test_operators_have_names_to_read_aloud(rules: Rules) -> None:
    names = [
        operator_name(each, rules) for each in ("natro", "self_hosted", "mixed", "unknown:x.org")
    ]
    assert names == ["Natro", "their own mail server", "two systems", "x.org"]
    assert operator_name(None, rules) is None


def test_two_suites_are_mixed_whatever_their_preference(rules: Rules) -> None:
    found = mail(rules, "1 smtp.google.com", "50 contoso-com-tr.mail.protection.outlook.com")
    assert found.operator == "mixed"
    assert found.mailboxes == ("google_workspace", "microsoft365")


def test_variants_of_one_suite_are_no_mix(rules: Rules) -> None:
    found = mail(rules, "1 a.mail.protection.outlook.com", "2 a.mail.protection.partner.outlook.cn")
    assert found.operator == "microsoft365"


def test_strangers_backup_behind_a_suite_is_no_mix(rules: Rules) -> None:
    found = mail(rules, "10 a.mail.protection.outlook.com", "50 mx.backup.example.net")
    assert found.operator == "microsoft365"


def test_suite_behind_an_own_server_is_a_mix(rules: Rules) -> None:
    found = mail(rules, "10 mail.contoso.com.tr", "20 a.mail.protection.outlook.com")
    assert (found.operator, found.mailboxes) == ("mixed", ("self_hosted", "microsoft365"))


def test_hosting_company_as_backup_of_an_own_server_is_no_mix(rules: Rules) -> None:
    found = mail(rules, "10 mail.contoso.com.tr", "20 mx.natrohost.com")
    assert (found.operator, found.mailboxes) == ("self_hosted", ())


def test_filter_in_front_of_a_visible_suite_keeps_both(rules: Rules) -> None:
    found = mail(rules, "10 eu-smtp-inbound-1.mimecast.com", "20 a.mail.protection.outlook.com")
    assert (found.operator, found.mailboxes) == ("mimecast", ("microsoft365",))


def test_own_server_beside_a_stranger_of_equal_preference_is_self_hosted(rules: Rules) -> None:
    found = mail(rules, "10 a.stranger.example", "10 mail.contoso.com.tr")
    assert found.operator == "self_hosted"


def test_unknown_operators_are_named_by_the_first(rules: Rules) -> None:
    assert mail(rules, "10 mx.stranger.net").operator == "unknown:stranger.net"


def test_null_mx_has_no_operator(rules: Rules) -> None:
    found = mail(rules, "0 .")
    assert (found.is_null, found.operator, found.hosts) == (True, None, ())


def test_null_mx_with_others_is_broken(rules: Rules) -> None:
    found = mail(rules, "0 .", "10 mail.contoso.com.tr")
    assert found.operator == "broken"
    assert [each.code for each in found.findings] == ["mx_null_mx_with_others"]


def test_addresses_alone_are_broken_and_beside_a_host_ignored(rules: Rules) -> None:
    assert mail(rules, "10 192.0.2.1").operator == "broken"
    assert mail(rules, "10 192.0.2.1", "20 mx.natrohost.com").operator == "natro"


def test_proof_of_the_domain_by_mx_is_no_route(rules: Rules) -> None:
    found = mail(rules, "32767 ms12345678.msv1.invalid")
    assert (found.operator, found.hosts, found.proofs) == (None, (), ("ms12345678.msv1.invalid",))


@given(
    st.permutations(
        ["10 mail.contoso.com.tr", "20 mx.natrohost.com", "20 smtp.google.com", "5 x.iphmx.com"]
    )
)
def test_order_of_records_never_matters(records: list[str]) -> None:
    rules = load_knowledge().rules
    assert mail(rules, *records) == mail(rules, *sorted(records))


@given(st.lists(st.text(max_size=30), max_size=5))
def test_any_records_are_read(records: list[str]) -> None:
    mail(load_knowledge().rules, *records)


@pytest.mark.parametrize(
    ("operator", "local"),
    [
        (None, None),
        ("unknown:x.org", None),
        ("mixed", None),
        ("self_hosted", True),
        ("onprem_exchange", True),
        ("natro", True),
        ("google_workspace", False),
        ("yandex360", False),
        ("godaddy", False),
    ],
)
def test_local_means_self_hosted_or_a_regional_hosting_company(
    rules: Rules, operator: str | None, local: bool | None
) -> None:
    assert is_local(operator, rules) is local


@pytest.mark.parametrize(
    ("host", "selectors"),
    [
        ("eu-smtp-inbound-1.mimecast.com", ("selector1", "selector2", "google")),
        ("mail.contoso.com.tr", ("selector1", "selector2")),
        ("a.mail.protection.outlook.com", ("selector1", "selector2")),
        ("mx-in01.natrohost.com", ("selector1",)),
    ],
)
def test_quick_depth_asks_at_most_three_selectors_by_operator(
    rules: Rules, host: str, selectors: tuple[str, ...]
) -> None:
    assert selectors_for([host], Depth.QUICK, rules)[: len(selectors)] == selectors
    assert len(selectors_for([host], Depth.QUICK, rules)) <= 3


@pytest.mark.parametrize(
    ("hosts", "hides"),
    [
        ([], False),
        (["eu-smtp-inbound-1.mimecast.com"], True),
        (["mail.contoso.com.tr"], True),
        (["mx.fabrikam.net"], True),
        (["mx-in01.natrohost.com", "mail.contoso.com.tr"], False),
    ],
)
def test_filters_own_servers_and_strangers_hide_the_mailboxes(
    rules: Rules, hosts: list[str], hides: bool
) -> None:
    assert hides_mailboxes(hosts, DOMAIN, rules) is hides


def test_full_depth_asks_tier_0_and_the_selectors_hinted_at(rules: Rules) -> None:
    chosen = selectors_for(["smtp.google.com", "spf.mandrillapp.com"], Depth.FULL, rules)
    assert {"google", "google2048", "selector1", "default", "mandrill"} <= set(chosen)
    assert len(chosen) == len(set(chosen))
    assert "protonmail" not in chosen


def test_portal_of_hubspot_gives_the_names_of_its_selectors(rules: Rules) -> None:
    hosts = ["smtp.google.com", "1234567.spf05.hubspotemail.net"]
    chosen = selectors_for(iter(hosts), Depth.FULL, rules)
    assert {"hs1-1234567", "hs2-1234567", "google"} <= set(chosen)
    assert not any(each.startswith("hs1") for each in selectors_for(hosts[:1], Depth.FULL, rules))
