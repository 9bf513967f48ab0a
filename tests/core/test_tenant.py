"""The Microsoft tenant: claimed, set up, moving in or out, and what is said of it."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from hunter.core.history import next_history
from hunter.core.judgement import NO_HISTORY, Segment, SignalDates
from tests.core.zones import (
    APPEARED,
    DKIM_MICROSOFT,
    FILTER_MX,
    MICROSOFT_MX,
    NATRO_MX,
    OLD,
    RECENT,
    TENANT,
    codes,
    seen,
)


def test_reason_of_a_tenant_without_mail_can_be_read_aloud(judged: Any) -> None:
    found = judged({"MX": NATRO_MX, "TXT": [TENANT]})
    assert found.reason == (
        "Mail at Natro, and a Microsoft tenant has claimed this domain: "
        "ask what it is used for. Call first."
    )
    assert found.provider == "natro"
    assert found.local_provider is True


def test_domain_proved_by_mx_has_a_tenant(judged: Any) -> None:
    found = judged({"MX": ["32767 ms12345678.msv1.invalid"]})
    assert (found.tenant_state, found.mail_state) == ("tenant_without_mail", "no_mail_likely")


def test_tenant_is_named_by_its_dkim_records(judged: Any) -> None:
    assert judged({"MX": NATRO_MX, "TXT selector1._domainkey": DKIM_MICROSOFT}).tenant_name == (
        "contoso"
    )


def test_tenant_bought_through_godaddy_is_told(judged: Any) -> None:
    assert "reseller_tenant" in codes(judged({"MX": MICROSOFT_MX, "TXT": ["NETORGFT123456"]}))


def test_label_of_another_domain_is_a_finding(judged: Any) -> None:
    found = judged({"MX": ["0 fabrikam-com.mail.protection.outlook.com"]})
    (finding,) = [each for each in found.findings if each.code == "eop_label_mismatch"]
    assert "fabrikam.com" in finding.get("other")
    for host in ("contoso-com.mail.protection.outlook.com", "contoso.mail.protection.outlook.com"):
        codes_here = {each.code for each in judged({"MX": [f"0 {host}"]}).findings}
        assert "eop_label_mismatch" not in codes_here


def test_each_other_domain_is_told_with_the_record_that_names_it(judged: Any) -> None:
    found = judged(
        {
            "MX": ["0 fabrikam-com.mail.protection.outlook.com"],
            "TXT selector1._domainkey": [
                "→ selector1-northwind-de._domainkey.group.onmicrosoft.com"
            ],
        }
    )
    told = [each.params for each in found.findings if each.code == "eop_label_mismatch"]
    assert [dict(each) for each in told] == [
        {"name": "selector1._domainkey.contoso.com", "other": "northwind.de"},
        {"name": "contoso.com", "other": "fabrikam.com"},
    ]


@pytest.mark.parametrize(
    ("zone", "cloud"),
    [
        ({"MX": ["0 contoso-com.mail.protection.office365.us"]}, "us_gov"),
        ({"MX": ["0 contoso-com.mail.protection.partner.outlook.cn"]}, "china"),
        ({"MX": ["0 contoso-com.mail.protection.outlook.de"]}, "germany"),
        ({"MX": FILTER_MX, "CNAME autodiscover": ["autodiscover.office365.us"]}, "us_gov"),
        ({"MX": FILTER_MX, "CNAME autodiscover": ["autodiscover.partner.outlook.cn"]}, "china"),
        (
            {
                "MX": FILTER_MX,
                "TXT selector1._domainkey": [
                    "→ selector1-contoso-com._domainkey.contoso.onmicrosoft.us"
                ],
            },
            "us_gov",
        ),
        ({"MX": FILTER_MX, "TXT": ["v=spf1 include:spf.protection.office365.us -all"]}, "us_gov"),
        ({"MX": MICROSOFT_MX}, None),
        ({"MX": NATRO_MX}, None),
        ({}, None),
    ],
)
def test_sovereign_cloud_is_named(judged: Any, zone: dict[str, Any], cloud: str | None) -> None:
    found = judged(zone)
    assert found.cloud == cloud
    told = {each.code for each in found.findings if each.code.startswith("microsoft_cloud_")}
    assert told == ({f"microsoft_cloud_{cloud}"} if cloud else set())
    if cloud:
        assert found.provider == "microsoft365"


NEW_MX = ["0 contoso-com.k-v1.mx.microsoft"]
NEW_DKIM = ["→ selector1-contoso-com._domainkey.contoso.k-v1.dkim.mail.microsoft"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"MX": MICROSOFT_MX}, {"MX": NEW_MX}),
        (
            {"MX": FILTER_MX, "TXT selector1._domainkey": DKIM_MICROSOFT},
            {"MX": FILTER_MX, "TXT selector1._domainkey": NEW_DKIM},
        ),
        (
            {"MX": MICROSOFT_MX, "TXT selector1._domainkey": DKIM_MICROSOFT},
            {"MX": NEW_MX, "TXT selector1._domainkey": NEW_DKIM},
        ),
    ],
)
def test_microsofts_new_names_are_another_fingerprint_and_the_same_provider(
    judged: Any, before: dict[str, Any], after: dict[str, Any]
) -> None:
    first = judged(before)
    second = judged(after, next_history(NO_HISTORY, first, OLD))
    assert first.fingerprint != second.fingerprint
    for name in ("provider", "mx_operator", "gateway", "tenant_state", "tenant_name", "segment"):
        assert getattr(first, name) == getattr(second, name), name
    assert second.urgency == 0


def test_new_tenant_is_a_migration_under_way(judged: Any) -> None:
    found = judged({"MX": NATRO_MX, "TXT": [TENANT]}, seen(txt_ms=APPEARED))
    assert found.tenant_state == "migrating_in"
    assert "tenant_appeared" in codes(found)
    assert "20 days ago" in found.reason
    assert found.priority == 1


def test_tenant_seen_on_the_first_scan_is_no_event(judged: Any) -> None:
    first = SignalDates(first_present=RECENT, last_present=RECENT)
    found = judged({"MX": NATRO_MX, "TXT": [TENANT]}, seen(txt_ms=first))
    assert (found.tenant_state, found.urgency) == ("tenant_without_mail", 0)


def test_tenant_that_came_long_ago_is_no_migration_under_way(judged: Any) -> None:
    old = SignalDates(first_absent=dt.date(2026, 1, 1), first_present=dt.date(2026, 2, 1))
    found = judged({"MX": NATRO_MX, "TXT": [TENANT]}, seen(txt_ms=old))
    assert found.tenant_state == "tenant_without_mail"


def test_microsoft_first_with_an_old_server_behind_is_a_customer_to_clean_up(judged: Any) -> None:
    found = judged({"MX": [*MICROSOFT_MX, "10 mx-in01.natrohost.com"]})
    assert (found.segment, found.tenant_state) == (Segment.EXISTING, "m365_mail")
    assert "clean-up" in found.reason
    assert "migrating_in_part" not in codes(found)


def test_microsoft_first_is_still_a_move_while_another_suite_or_a_new_mix_says_so(
    judged: Any,
) -> None:
    suites = judged({"MX": [*MICROSOFT_MX, "10 smtp.google.com"]})
    assert (suites.segment, suites.tenant_state) == (Segment.EXISTING, "migrating_in")
    new = judged({"MX": [*MICROSOFT_MX, "10 mx-in01.natrohost.com"]}, seen(mx__mixed=APPEARED))
    assert (new.segment, new.tenant_state) == (Segment.MIGRATION, "migrating_in")


def test_move_between_two_systems_is_under_way_only_with_a_date(judged: Any) -> None:
    zone = {"MX": ["1 smtp.google.com", "10 contoso-com.mail.protection.outlook.com"]}
    assert "ask which way" in judged(zone).reason
    dated = judged(zone, seen(mx__mixed=APPEARED))
    assert "Since 20 days" in dated.reason
    assert "under way" in dated.reason


def test_tenant_in_use_ranks_above_a_claim(judged: Any) -> None:
    claim = judged({"MX": NATRO_MX, "TXT": [TENANT]})
    entra = {"CNAME enterpriseregistration": ["enterpriseregistration.windows.net"]}
    used = judged({"MX": NATRO_MX, "TXT": [TENANT], **entra})
    assert used.fit > claim.fit
    assert "a Microsoft tenant is set up" in used.reason
    assert "moving" not in claim.reason + used.reason
    dated = judged({"MX": NATRO_MX, "TXT": [TENANT]}, seen(txt_ms=APPEARED))
    assert "somebody there is moving" in dated.reason


def test_claim_on_a_name_without_mail_is_not_called_first(judged: Any) -> None:
    found = judged({"TXT": [TENANT]})
    assert (found.tenant_state, found.priority) == ("tenant_without_mail", 5)
    entra = {"CNAME enterpriseregistration": ["enterpriseregistration.windows.net"]}
    assert judged(entra).priority == 1


def test_record_that_proves_the_tenant_earns_nothing_as_a_product(judged: Any) -> None:
    entra = {"CNAME enterpriseregistration": ["enterpriseregistration.windows.net"]}
    assert "existing_microsoft_paid" not in codes(judged({"MX": NATRO_MX, **entra}))
    assert "existing_microsoft_paid" in codes(judged({"MX": MICROSOFT_MX, **entra}))
