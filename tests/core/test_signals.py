"""What a survey shows of mailboxes: who may be named, and what proves nothing."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunter.core.answers import Answer, Depth, Outcome, RRType, survey_of
from hunter.core.judge import judge
from hunter.core.judgement import NO_HISTORY, Judgement, State
from hunter.core.provider import SELF_HOSTED, holds_mailboxes
from hunter.core.signals import read_survey
from hunter.knowledge.load import load_knowledge

RULES = load_knowledge().rules
AS_OF = dt.date(2026, 11, 23)
KEY = "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCB"
FILTER_MX = ["10 eu-smtp-inbound-1.mimecast.com"]
OWN_MX = ["10 mail.contoso.com"]


@pytest.fixture
def judged(make_survey: Any) -> Any:
    def run(zone: dict[str, Any], **options: Any) -> Judgement:
        return judge(make_survey(zone, **options), NO_HISTORY, RULES, AS_OF)

    return run


@pytest.fixture
def seen(make_survey: Any) -> Any:
    def run(zone: dict[str, Any], **options: Any) -> Any:
        return read_survey(make_survey(zone, **options), RULES)

    return run


# -- who may have the mailboxes ---------------------------------------------------------------


def test_a_filter_that_signs_is_not_where_the_mailboxes_are(judged: Any) -> None:
    found = judged(
        {
            "MX": FILTER_MX,
            "TXT": ["v=spf1 include:eu._netblocks.mimecast.com -all"],
            "TXT mimecast20190104._domainkey": [KEY],
        },
        depth=Depth.FULL,
    )
    assert (found.provider, found.gateway) == (None, "mimecast")


@pytest.mark.parametrize("mx", [["10 d1234.ess.barracudanetworks.com"], OWN_MX])
def test_a_bulk_sender_changes_nothing_about_the_mailboxes(judged: Any, mx: list[str]) -> None:
    sendgrid = "→ s1.domainkey.u123456.wl001.sendgrid.net"
    plain = judged({"MX": mx, "TXT": ["v=spf1 mx -all"]})
    found = judged(
        {
            "MX": mx,
            "TXT": ["v=spf1 mx include:sendgrid.net -all"],
            "TXT s1._domainkey": [sendgrid, KEY],
        }
    )
    assert (found.provider, found.confidence) == (plain.provider, plain.confidence)


def _suffixes(index: Any) -> list[str]:
    return sorted(index._rows)


@given(
    looks=st.sampled_from(["filter", "own", "unknown"]),
    spf=st.lists(st.sampled_from(_suffixes(RULES.spf)), max_size=3),
    dkim=st.lists(st.sampled_from(_suffixes(RULES.dkim)), max_size=3),
    autodiscover=st.none() | st.sampled_from(_suffixes(RULES.autodiscover)),
    selectors=st.lists(st.sampled_from(sorted(RULES.selectors)), max_size=3),
    mx_target=st.none() | st.sampled_from(_suffixes(RULES.mx)),
)
def test_only_an_operator_of_mailboxes_is_named_behind_other_mx(
    *,
    looks: str,
    spf: list[str],
    dkim: list[str],
    autodiscover: str | None,
    selectors: list[str],
    mx_target: str | None,
) -> None:
    mx = {"filter": FILTER_MX[0], "own": OWN_MX[0], "unknown": "10 mx.fabrikam.net"}[looks]
    texts = (" ".join(["v=spf1", *(f"include:{each}" for each in spf), "-all"]),)
    answers = [
        Answer("contoso.com", RRType.MX, Outcome.FOUND, (mx,)),
        Answer("contoso.com", RRType.TXT, Outcome.FOUND, texts),
        Answer(
            "autodiscover.contoso.com",
            RRType.CNAME,
            Outcome.FOUND if autodiscover else Outcome.NODATA,
            (autodiscover,) if autodiscover else (),
        ),
    ]
    for number, target in enumerate(dkim):
        name = f"x{number}._domainkey.contoso.com"
        answers.append(Answer(name, RRType.TXT, Outcome.FOUND, (KEY,), (f"x.{target}",)))
    for selector in selectors:
        name = f"{selector}._domainkey.contoso.com"
        answers.append(Answer(name, RRType.TXT, Outcome.FOUND, (KEY,)))
    if mx_target:
        chain = (f"a.{mx_target}",)
        name = "mail.contoso.com"
        answers.append(Answer(name, RRType.A, Outcome.FOUND, ("192.0.2.1",), chain))
    found = judge(survey_of("contoso.com", Depth.FULL, answers), NO_HISTORY, RULES, AS_OF)
    assert found.provider in {None, SELF_HOSTED} or holds_mailboxes(found.provider, RULES), (
        found.reason
    )


# -- the company's own MX host ----------------------------------------------------------------

OUTLOOK = "→ contoso-com.mail.protection.outlook.com"


@pytest.mark.parametrize(
    ("target", "provider"),
    [
        (OUTLOOK, "microsoft365"),
        ("→ mx-in01.natrohost.com", "natro"),
        ("→ mail.fabrikam.net", "self_hosted"),
    ],
)
def test_own_mx_host_that_is_an_alias_is_at_its_operator(
    judged: Any, target: str, provider: str
) -> None:
    found = judged({"MX": OWN_MX, "A mail": [target, "192.0.2.1"]})
    assert found.provider == provider


@pytest.mark.parametrize("silence", ["servfail", "timeout"])
def test_own_mx_host_that_nobody_answers_for_leaves_the_verdict_open(
    judged: Any, silence: str
) -> None:
    found = judged({"MX": OWN_MX, "A mail": silence})
    known = judged({"MX": OWN_MX, "A mail": [OUTLOOK, "192.0.2.1"]})
    assert (found.provider, found.tenant_state, found.segment) == (None, "unknown", "unknown")
    assert found.score <= known.score


# -- wildcards --------------------------------------------------------------------------------

AUTODISCOVER = ["autodiscover.outlook.com"]
DEVICES = ["enterpriseregistration.windows.net"]


def test_alias_that_every_name_has_is_no_sign_of_microsoft(judged: Any) -> None:
    zone = {"MX": FILTER_MX, "CNAME autodiscover": AUTODISCOVER}
    assert judged(zone).provider == "microsoft365"
    found = judged({**zone, "CNAME *": AUTODISCOVER})
    signal = found.signals["autodiscover_microsoft"]
    assert (found.provider, signal.state) == (None, State.ABSENT)
    assert [each.question for each in signal.evidence] == ["*.contoso.com CNAME"]


def test_alias_is_open_while_nobody_says_whether_all_names_have_it(judged: Any) -> None:
    found = judged({"MX": FILTER_MX, "CNAME autodiscover": AUTODISCOVER, "CNAME *": "servfail"})
    assert found.signals["autodiscover_microsoft"].state is State.UNKNOWN
    assert (found.provider, found.segment) == (None, "unknown")


def test_name_that_differs_from_the_wildcard_counts(judged: Any) -> None:
    found = judged(
        {
            "MX": FILTER_MX,
            "CNAME autodiscover": AUTODISCOVER,
            "CNAME enterpriseregistration": DEVICES,
            "CNAME *": DEVICES,
        }
    )
    assert found.provider == "microsoft365"
    assert found.signals["enterpriseregistration"].state is State.ABSENT


def test_policy_behind_a_wildcard_alias_is_none(judged: Any) -> None:
    zone = {"MX": OWN_MX, "TXT _dmarc": ["→ www.fabrikam.net", "v=DMARC1; p=reject"]}
    assert judged(zone).dmarc_policy == "reject"
    assert judged({**zone, "CNAME *": ["www.fabrikam.net"]}).dmarc_policy == "absent"


def test_wildcard_is_itself_evidence_of_nothing(seen: Any) -> None:
    zone = {
        "MX": OWN_MX,
        "CNAME *": ["shops.myshopify.com"],
        "A *": ["→ shops.myshopify.com", "192.0.2.1"],
        "TXT *._domainkey": ["→ s1.domainkey.u1.wl001.sendgrid.net", KEY],
    }
    assert seen(zone).traces == {}
    assert seen(zone).keys == []


def test_key_that_every_selector_has_is_no_key(seen: Any) -> None:
    zone = {"MX": FILTER_MX, "TXT google._domainkey": [KEY]}
    assert [each.selector for each in seen(zone).keys] == ["google"]
    found = seen({**zone, "TXT *._domainkey": [KEY]})
    assert (found.keys, found.proved) == ([], {})


def test_wildcard_of_texts_alone_hides_no_alias(seen: Any) -> None:
    found = seen({"MX": OWN_MX, "CNAME autodiscover": AUTODISCOVER, "CNAME *": []})
    assert found.signals["autodiscover_microsoft"].state is State.PRESENT


# -- an Exchange server of the company's own --------------------------------------------------

OWN_EXCHANGE = {
    "MX": OWN_MX,
    "A mail": ["192.0.2.9"],
    "A": ["198.51.100.1"],
    "A autodiscover": ["192.0.2.9"],
}


def test_autodiscover_at_an_address_of_its_own_is_an_exchange_server(judged: Any) -> None:
    found = judged(OWN_EXCHANGE)
    assert (found.provider, found.confidence_word) == ("onprem_exchange", "unsure")
    assert found.signals["autodiscover_own"].value == "192.0.2.9"


def test_autodiscover_that_is_an_alias_of_the_mail_host_counts(judged: Any) -> None:
    zone = {**OWN_EXCHANGE, "A autodiscover": ["→ mail.contoso.com", "192.0.2.9"]}
    assert judged(zone).provider == "onprem_exchange"


@pytest.mark.parametrize(
    "changed",
    [
        {"A": ["192.0.2.9"]},  # cPanel: autodiscover is where the web site is
        {"A *": ["192.0.2.9"]},
        {"TXT": ["v=spf1 +a +mx +ip4:192.0.2.9 ~all"]},
        {"A autodiscover": ["→ autodiscover.fabrikam.net", "192.0.2.9"]},
        {"A autodiscover": []},
    ],
)
def test_autodiscover_of_shared_hosting_is_no_exchange_server(
    judged: Any, changed: dict[str, Any]
) -> None:
    assert judged({**OWN_EXCHANGE, **changed}).provider == "self_hosted"


@pytest.mark.parametrize("silent", ["A", "A autodiscover"])
def test_silence_about_the_addresses_leaves_an_exchange_server_open(
    judged: Any, silent: str
) -> None:
    found = judged({**OWN_EXCHANGE, silent: "servfail"})
    assert (found.provider, found.segment) == (None, "unknown")


def test_service_record_leads_to_an_exchange_server(judged: Any) -> None:
    zone = {
        **OWN_EXCHANGE,
        "A autodiscover": [],
        "A owa": ["192.0.2.9"],
        "SRV _autodiscover._tcp": ["0 0 443 owa.contoso.com"],
    }
    assert judged(zone, depth=Depth.FULL).provider == "onprem_exchange"
    both = {**zone, "A autodiscover": ["192.0.2.9"], "A owa": ["198.51.100.1"]}
    assert judged(both, depth=Depth.FULL).provider == "onprem_exchange"
    panel = ["0 0 443 cpanelemaildiscovery.cpanel.net"]
    assert judged({**zone, "SRV _autodiscover._tcp": panel}).provider == "self_hosted"


@pytest.mark.parametrize(
    ("address", "state"),
    [([], State.UNKNOWN), ("timeout", State.UNKNOWN), (["192.0.2.9"], State.PRESENT)],
)
def test_silence_about_the_service_record_hides_no_server_that_is_seen(
    judged: Any, address: Any, state: State
) -> None:
    zone = {**OWN_EXCHANGE, "A autodiscover": address, "SRV _autodiscover._tcp": "servfail"}
    found = judged(zone, depth=Depth.FULL).signals["autodiscover_own"]

    assert found.state is state
    if address == []:
        (evidence,) = found.evidence
        assert evidence.question == "_autodiscover._tcp.contoso.com SRV"


# -- WorkMail, or a program that reads mail ---------------------------------------------------

AMAZON = {"MX": ["10 inbound-smtp.eu-west-1.amazonaws.com", "20 backup.fabrikam.net"]}


@pytest.mark.parametrize(
    ("autodiscover", "operator", "provider", "state"),
    [
        (["autodiscover.mail.eu-west-1.awsapps.com"], "amazon_workmail", "amazon_workmail", "mail"),
        ([], "amazon_ses_inbound", None, "forwarding"),
        ("servfail", "amazon_workmail", None, "mail"),
    ],
)
def test_amazons_mx_is_workmail_only_with_its_autodiscover(
    judged: Any, autodiscover: Any, operator: str, provider: str | None, state: str
) -> None:
    found = judged({**AMAZON, "CNAME autodiscover": autodiscover})
    assert (found.mx_operator, found.provider, found.mail_state) == (operator, provider, state)
