"""Signals as a judgement shows them, and the keys and names behind them."""

from __future__ import annotations

from typing import Any

import pytest

from hunter.core.judgement import State
from tests.core.zones import FILTER_MX, NATRO_MX, OWN_MX


def test_dkim_absent_is_said_only_where_nothing_can_be(judged: Any) -> None:
    unknown = judged({"MX": NATRO_MX, "TXT selector1._domainkey": []})
    assert unknown.dkim.state is State.UNKNOWN
    absent = judged({"MX": NATRO_MX, "TXT _domainkey": "nxdomain"})
    assert absent.dkim.state is State.ABSENT


def test_wildcard_is_no_evidence(judged: Any) -> None:
    wild = ["→ hosting.zendesk.com", "anything"]
    found = judged(
        {
            "MX": OWN_MX,
            "TXT *._domainkey": wild,
            "TXT selector1._domainkey": wild,
            "TXT google._domainkey": [],
        }
    )
    assert found.products == ()
    assert found.dkim.state is State.UNKNOWN


def test_service_record_counts_as_autodiscover(judged: Any) -> None:
    zone = {"MX": FILTER_MX, "SRV _autodiscover._tcp": ["0 0 443 autodiscover.outlook.com"]}
    found = judged(zone)
    assert found.signals["autodiscover_microsoft"].state is State.PRESENT
    assert found.provider == "microsoft365"


def test_half_of_a_signal_unanswered_leaves_it_open(judged: Any) -> None:
    found = judged({"MX": NATRO_MX, "SRV _autodiscover._tcp": "timeout"})
    assert found.signals["autodiscover_microsoft"].state is State.UNKNOWN


def test_records_at_labels_are_signals(judged: Any) -> None:
    found = judged({"MX": NATRO_MX, "TXT _mta-sts": ["v=STSv1; id=1"], "TXT _smtp._tls": ["x"]})
    assert found.signals["mta_sts"].state is State.PRESENT
    assert found.signals["tls_rpt"].state is State.ABSENT


def test_name_servers_are_a_signal_and_a_trace(judged: Any) -> None:
    hosts = ["ns-1.awsdns-01.org", "ana.ns.cloudflare.com", "ns1.natrohost.com"]
    found = judged({"MX": NATRO_MX, "NS": hosts})
    assert "cloudflare" in {each.id for each in found.products}
    assert "aws_route53" in {each.id for each in found.products}
    assert found.signals["ns"].state is State.PRESENT


def test_old_skype_records_are_one_signal(judged: Any) -> None:
    both = judged({"MX": NATRO_MX, "CNAME sip": [], "CNAME lyncdiscover": []})
    assert both.signals["sip_microsoft"].state is State.ABSENT
    one = judged(
        {"MX": NATRO_MX, "CNAME sip": [], "CNAME lyncdiscover": ["webdir.online.lync.com"]}
    )
    assert one.signals["sip_microsoft"].state is State.PRESENT
    assert one.tenant_state == "tenant_without_mail"


def test_silent_selector_of_a_sending_service_says_nothing_of_mailboxes(judged: Any) -> None:
    found = judged({"MX": FILTER_MX, "TXT k1._domainkey": "timeout"})
    assert found.confidence is not None


def test_key_without_a_row_in_the_table_is_a_key_all_the_same(judged: Any) -> None:
    key = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
    found = judged({"MX": NATRO_MX, "TXT made-up._domainkey": [key]})
    assert (found.dkim.state, found.dkim.value) == (State.PRESENT, "made-up")


KEY = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="


def test_key_at_a_selector_called_after_its_operator_names_it(judged: Any) -> None:
    zone = {"MX": FILTER_MX, "TXT": ["v=spf1 include:_spf.google.com ~all"]}
    named = judged({**zone, "TXT google._domainkey": [KEY]})
    assert (named.provider, named.tenant_state) == ("google_workspace", "no_microsoft")
    assert named.signals["dkim_google"].state is State.PRESENT


@pytest.mark.parametrize("selector", ["s1", "1522905413783", "selector1", "mail"])
def test_key_at_any_other_selector_names_nobody(judged: Any, selector: str) -> None:
    assert judged({"MX": FILTER_MX, f"TXT {selector}._domainkey": [KEY]}).provider is None


def test_old_host_names_of_microsoft_have_no_label(judged: Any) -> None:
    found = judged({"MX": ["10 mail.contoso.frontbridge.com"]})
    assert found.provider == "microsoft365"
    assert "eop_label_mismatch" not in {each.code for each in found.findings}


def test_mail_host_that_is_no_alias_stays_with_its_owner(judged: Any) -> None:
    assert judged({"MX": OWN_MX, "A mail": ["192.0.2.1"]}).provider == "self_hosted"


def test_hidden_senders_are_neither_yes_nor_no(judged: Any) -> None:
    found = judged({"MX": NATRO_MX, "TXT": ["v=spf1 include:%{d}.spf.example.net -all"]})
    assert found.signals["spf_microsoft"].state is State.UNKNOWN


def test_autodiscover_address_that_nobody_gave_is_open(judged: Any) -> None:
    found = judged({"MX": FILTER_MX, "A autodiscover": "timeout"})
    assert found.signals["autodiscover_own"].state is State.UNKNOWN
    assert found.confidence is None or found.confidence <= 0.5
