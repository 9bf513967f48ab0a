"""Products by their traces."""

from __future__ import annotations

from typing import Any

import pytest

from hunter.core.judgement import Product
from hunter.core.products import find_products
from hunter.core.sender import read_dmarc
from hunter.core.signals import mark_addons, read_survey
from hunter.knowledge.load import load_knowledge

RULES = load_knowledge().rules


def found(make_survey: Any, zone: dict[str, Any]) -> dict[str, Product]:
    survey = make_survey(zone)
    seen = read_survey(survey, RULES)
    products = find_products(seen, read_dmarc(survey), RULES)
    mark_addons(seen, RULES)
    return {each.id: each for each in products}


@pytest.mark.parametrize(
    ("zone", "product", "proves", "confidence"),
    [
        ({"TXT": [" HubSpot-Domain-Verification=aa "]}, "hubspot", "account", 0.7),
        ({"TXT": ["00D123456789012=x"]}, "salesforce", "account", 0.7),
        (
            {"TXT": ["v=spf1 include:1.spf05.hubspotemail.net -all"]},
            "hubspot",
            "active_sending",
            0.8,
        ),
        ({"CNAME autodiscover": ["x.zendesk.com"]}, "zendesk", "active_use", 0.9),
        ({"TXT k2._domainkey": ["→ dkim2.mcsv.net"]}, "mailchimp", "active_sending", 0.9),
        (
            {"TXT _dmarc": ["v=DMARC1; p=none; rua=mailto:a@ag.dmarcian.com"]},
            "dmarc_dmarcian",
            "active_use",
            0.8,
        ),
        (
            {"TXT": ["v=spf1 include:myconnectwise.net -all"]},
            "connectwise_autotask",
            "active_sending",
            0.7,
        ),
        ({"TXT": ["v=spf1 include:parasut.com -all"]}, "mikro_parasut_tr", "active_sending", 0.5),
    ],
)
def test_trace_shows_a_product_and_what_it_proves(
    make_survey: Any, zone: dict[str, Any], product: str, *, proves: str, confidence: float
) -> None:
    each = found(make_survey, zone)[product]
    assert (each.proves, each.confidence) == (proves, confidence)
    assert each.evidence[0].record


def test_mail_providers_own_token_is_not_read_as_its_crm(make_survey: Any) -> None:
    assert found(make_survey, {"TXT": ["zoho-verification=zb12345.zmverify.zoho.eu"]}) == {}
    assert "zoho_crm" in found(make_survey, {"TXT": ["zoho-verification=other"]})


def test_several_traces_are_one_product_with_all_evidence(make_survey: Any) -> None:
    zone = {"TXT": ["hubspot-domain-verification=a", "v=spf1 include:x.hubspotemail.net -all"]}
    each = found(make_survey, zone)["hubspot"]
    assert (each.proves, len(each.evidence)) == ("active_sending", 2)


def test_unknown_text_shows_nothing(make_survey: Any) -> None:
    assert found(make_survey, {"TXT": ["hello", "", "x", "hubspot"]}) == {}


def test_reports_to_a_stranger_show_no_product(make_survey: Any) -> None:
    zone = {"TXT _dmarc": ["v=DMARC1; p=none; rua=mailto:a@partner.example.net"]}
    assert found(make_survey, zone) == {}
