"""Who is no lead: each way into skip has its own code, its own words, and the record that says so."""

from __future__ import annotations

from typing import Any

import pytest

from hunter.core.judgement import ScanStatus, Segment
from tests.core.zones import MICROSOFT_SPF, NATRO_MX, TENANT

SEDO = ["ns1.sedoparking.com", "ns2.sedoparking.com"]
AFTERNIC = ["ns1.afternic.com", "ns2.afternic.com"]
BODIS = ["ns1.bodis.com", "ns2.bodis.com"]
BRAND = ["ns1.markmonitor.com", "ns3.markmonitor.com"]
PARKED_MX = ["10 park-mx.above.com"]


@pytest.mark.parametrize(
    ("zone", "domain", "code", "told"),
    [
        ({"MX": "nxdomain"}, "contoso.com", "domain_missing", "does not exist"),
        ({"MX": ["0 ."]}, "contoso.com", "null_mx", "takes no mail (null MX)"),
        ({"MX": NATRO_MX}, "gmail.com", "not_a_company", "not to one company"),
        ({"MX": ["10 mx0.hotmail.com"]}, "contoso.com", "consumer", "private mail"),
        ({"MX": NATRO_MX}, "ornek.bel.tr", "public_body", "government opt-out"),
        ({"MX": PARKED_MX}, "contoso.com", "parked", "parked at a parking service"),
        ({"NS": BODIS}, "contoso.com", "parked_name", "by its name servers"),
        ({"MX": ["10 mail.cscdns.net"]}, "contoso.com", "defensive", "only to protect it"),
        ({"NS": BRAND}, "contoso.com", "defensive", "only to protect it"),
        ({"NS": SEDO}, "contoso.com", "for_sale", "offered for sale (by its name servers, at Sedo)"),
        ({"NS": AFTERNIC}, "contoso.com", "for_sale", "at Afternic"),
        ({"NS": ["ns1.dan.com", "ns2.dan.com"]}, "contoso.com", "for_sale", "at Dan.com"),
        ({"MX": PARKED_MX, "NS": SEDO}, "contoso.com", "for_sale", "at Sedo"),
        ({"TXT _for-sale": ["v=FORSALE1;"]}, "contoso.com", "for_sale", "its TXT record says so"),
        ({"TXT": ["This domain is for sale! Mail us"]}, "contoso.com", "for_sale", "TXT record"),
        ({"MX": PARKED_MX, "TXT _for-sale": ["v=FORSALE1;fval=EUR99"]}, "contoso.com", "for_sale", "TXT"),
    ],
)  # fmt: skip
def test_way_into_skip_has_its_code_and_words(
    judged: Any, zone: dict[str, Any], domain: str, *, code: str, told: str
) -> None:
    found = judged(zone, domain=domain)
    assert (found.segment, found.priority, found.reason_code) == (Segment.SKIP, 6, code)
    assert told in found.reason
    assert found.score == 0 or found.reason_code in {"not_a_company", "public_body"}


def test_company_with_mail_is_no_skip_wherever_its_dns_is(judged: Any) -> None:
    for servers in (SEDO, BODIS, BRAND):
        assert judged({"NS": servers, "MX": NATRO_MX}).segment is Segment.MIGRATION


def test_offer_of_sale_at_a_name_in_use_is_no_skip(judged: Any) -> None:
    found = judged({"MX": NATRO_MX, "TXT _for-sale": ["v=FORSALE1;"]})
    assert (found.segment, found.reason_code) == (Segment.MIGRATION, "hosting")


def test_one_name_server_elsewhere_parks_nothing(judged: Any) -> None:
    assert judged({"NS": [*SEDO, "ns1.example.net"]}).mail_state == "no_mail_likely"


def test_brand_that_sends_mail_is_not_kept_to_protect_it(judged: Any) -> None:
    found = judged({"NS": BRAND, "TXT": [TENANT, MICROSOFT_SPF]})
    assert found.reason_code == "claimed_no_mail"


def test_silence_of_the_name_servers_neither_parks_a_name_nor_clears_it(judged: Any) -> None:
    found = judged({"NS": "timeout"})
    assert (found.segment, found.reason_code) == (Segment.UNKNOWN, "unanswered_parking")
    assert (found.confidence, found.scan_status, found.lines) == (None, ScanStatus.UNKNOWN, ())
    assert judged({"MX": NATRO_MX, "NS": "timeout"}).provider == "natro"
