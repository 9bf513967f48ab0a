"""Every kind of change, out of two surveys; and what is none because one side is not known."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from functools import partial

import pytest

from hunter.core.answers import Answer, Depth, Outcome, RRType, Survey, survey_of
from hunter.core.changes import Found, Kind, find_changes
from hunter.core.judge import judge
from hunter.core.judgement import NO_HISTORY
from hunter.knowledge.load import load_knowledge

RULES = load_knowledge().rules
Zone = Mapping[str, "tuple[str, ...] | str"]
TODAY = dt.date(2026, 3, 1)
_judge = partial(judge, history=NO_HISTORY, rules=RULES, as_of=TODAY)
_TYPES = {"mx": (RRType.MX, ""), "ns": (RRType.NS, ""), "txt": (RRType.TXT, "")}

SPF = "v=spf1 include:spf.protection.outlook.com -all"
OUTLOOK = {"mx": ("0 contoso-com.mail.protection.outlook.com",), "txt": (SPF,)}
GOOGLE = {"mx": ("1 aspmx.l.google.com",), "txt": ("v=spf1 include:_spf.google.com ~all",)}
#: what shows that the mailboxes behind a gateway are at Microsoft
AT_MICROSOFT = {
    "autodiscover CNAME": ("autodiscover.outlook.com",),
    "selector1._domainkey CNAME": ("selector1-contoso-com._domainkey.contoso.onmicrosoft.com",),
    "enterpriseregistration CNAME": ("enterpriseregistration.windows.net",),
}


def _survey(
    *parts: Zone,
    depth: Depth = Depth.QUICK,
    **more: tuple[str, ...] | str,
) -> Survey:
    """Answers by "mx", "txt", "ns" or "label TYPE"; () is proved absent, a word is an outcome."""
    asked: dict[str, tuple[str, ...] | str] = {"mx": (), "txt": (), "ns": ("ns1.example.net",)}
    asked |= {"_dmarc TXT": (), "autodiscover CNAME": (), "enterpriseregistration CNAME": ()}
    for part in (*parts, more):
        asked |= part
    answers = []
    for name, value in asked.items():
        rrtype, label = _TYPES.get(name) or (RRType(name.split()[1]), name.split()[0])
        full = f"{label}.contoso.com" if label else "contoso.com"
        if isinstance(value, str):
            answers.append(Answer(full, rrtype, Outcome(value)))
        else:
            outcome = Outcome.FOUND if value else Outcome.NODATA
            answers.append(Answer(full, rrtype, outcome, value))
    return survey_of("contoso.com", depth, answers)


def _changes(before: Survey, after: Survey) -> list[Found]:
    return find_changes(before, after, (_judge, _judge))


def _kinds(before: Survey, after: Survey) -> set[Kind]:
    """Without what follows from others: score, segment and tenant."""
    follow = {Kind.SCORE_CHANGED, Kind.SEGMENT_CHANGED, Kind.TENANT_STATE_CHANGED}
    return {found.kind for found in _changes(before, after)} - follow


@pytest.mark.parametrize(
    ("before", "after", "kinds"),
    [
        (
            (GOOGLE,),
            (OUTLOOK, {"autodiscover CNAME": AT_MICROSOFT["autodiscover CNAME"]}),
            {Kind.PROVIDER_CHANGED, Kind.SPF_CHANGED},
        ),
        (
            ({"mx": ("10 mail.contoso.com",)},),
            ({"mx": ("10 mail2.contoso.com",)},),
            {Kind.MX_CHANGED},
        ),
        (
            (OUTLOOK, AT_MICROSOFT, {"mx": ("10 cluster1.eu.messagelabs.com",)}),
            (OUTLOOK, AT_MICROSOFT, {"mx": ("10 eu-smtp-inbound-1.mimecast.com",)}),
            {Kind.GATEWAY_CHANGED},
        ),
        (
            (OUTLOOK, AT_MICROSOFT, {"mx": ("10 d1a.ess.barracudanetworks.com",)}),
            (OUTLOOK, AT_MICROSOFT),
            {Kind.GATEWAY_REMOVED},
        ),
        (
            (OUTLOOK, AT_MICROSOFT),
            (OUTLOOK, AT_MICROSOFT, {"mx": ("0 contoso-com.o-v1.mx.microsoft",)}),
            {Kind.DANE_READY},
        ),
        ((GOOGLE,), (GOOGLE, {"ns": ("ns1.example.org",)}), {Kind.NAMESERVER_CHANGED}),
        ((GOOGLE,), (GOOGLE, {"txt": ()}), {Kind.SPF_CHANGED}),
        ((GOOGLE,), (GOOGLE, {"_dmarc TXT": ("v=DMARC1; p=none",)}), {Kind.DMARC_ADDED}),
        ((GOOGLE, {"_dmarc TXT": ("v=DMARC1; p=none",)}), (GOOGLE,), {Kind.DMARC_REMOVED}),
        (
            (GOOGLE, {"_dmarc TXT": ("v=DMARC1; p=none",)}),
            (GOOGLE, {"_dmarc TXT": ("v=DMARC1; p=reject",)}),
            {Kind.DMARC_STRENGTHENED},
        ),
        (
            (GOOGLE, {"_dmarc TXT": ("v=DMARC1; p=reject",)}),
            (GOOGLE, {"_dmarc TXT": ("v=DMARC1; p=quarantine",)}),
            {Kind.DMARC_WEAKENED},
        ),
        (
            (GOOGLE,),
            (GOOGLE, {"txt": (*GOOGLE["txt"], "docusign=0a1b2c3d-0000-4000-8000-000000000000")}),
            {Kind.PRODUCT_ADDED},
        ),
        (
            (GOOGLE, {"google._domainkey TXT": ("v=DKIM1; k=rsa; p=MIGfMA0GCSq=",)}),
            (GOOGLE, {"google._domainkey TXT": ("v=DKIM1; k=rsa; p=MIGfMA0GCSr=",)}),
            {Kind.DKIM_KEY_ROTATED},
        ),
        (
            (GOOGLE, {"google._domainkey TXT": ("v=DKIM1; k=rsa; p=MIGfMA0GCSq=",)}),
            (GOOGLE, {"google._domainkey TXT": ()}),
            {Kind.DKIM_CHANGED},
        ),
        ((GOOGLE,), ({"mx": "nxdomain"},), {Kind.DOMAIN_GONE}),
    ],
    ids=lambda value: "+".join(sorted(value)) if isinstance(value, set) else "",
)
def test_an_edit_is_told_by_its_most_telling_kind(
    before: tuple[Zone, ...],
    after: tuple[Zone, ...],
    kinds: set[Kind],
) -> None:
    one, other = _survey(*before), _survey(*after)

    assert _kinds(one, other) == kinds
    assert _changes(one, one) == []
    if kinds != {Kind.DOMAIN_GONE}:
        assert _kinds(other, one), "and back again"


def test_a_domain_that_is_gone_says_only_that() -> None:
    (gone,) = _changes(_survey(GOOGLE), _survey({"mx": "nxdomain"}))

    assert (gone.kind, gone.before["mx"]) == (Kind.DOMAIN_GONE, ["1 aspmx.l.google.com"])


@pytest.mark.parametrize("question", ["mx", "txt", "ns", "_dmarc TXT"])
@pytest.mark.parametrize("outcome", ["servfail", "timeout", "refused", "malformed"])
def test_silence_on_either_side_is_no_change(question: str, outcome: str) -> None:
    full = _survey(OUTLOOK, AT_MICROSOFT, {"_dmarc TXT": ("v=DMARC1; p=reject",)})
    silent = _survey(
        OUTLOOK, AT_MICROSOFT, {"_dmarc TXT": ("v=DMARC1; p=reject",)}, {question: outcome}
    )

    assert _changes(full, silent) == _changes(silent, full) == []


def test_more_questions_asked_are_no_change_of_the_company() -> None:
    quick = _survey(GOOGLE)
    full = _survey(
        GOOGLE,
        AT_MICROSOFT,
        {"lyncdiscover CNAME": ("webdir.online.lync.com",), "_mta-sts TXT": ("v=STSv1; id=1",)},
        depth=Depth.FULL,
    )
    before = _survey(GOOGLE, dict.fromkeys(AT_MICROSOFT, "timeout"))

    assert _changes(before, full) == []
    assert all(
        found.kind not in {Kind.MX_CHANGED, Kind.SPF_CHANGED} for found in _changes(quick, full)
    )


def test_a_score_moved_by_new_knowledge_is_not_the_edits_doing() -> None:
    """Full depth finds a tenant the quick scan never asked for, and one small edit came along."""
    before = _survey(GOOGLE, dict.fromkeys(AT_MICROSOFT, "timeout"))
    after = _survey(GOOGLE, AT_MICROSOFT, {"ns": ("ns1.example.org",)})

    assert {found.kind for found in _changes(before, after)} == {Kind.NAMESERVER_CHANGED}


def test_a_selector_of_a_new_fact_table_is_not_the_companys_news() -> None:
    before = _survey(GOOGLE, {"google._domainkey TXT": ()})
    after = _survey(
        GOOGLE, {"google._domainkey TXT": (), "zoho._domainkey TXT": ("v=DKIM1; p=MIGfMA0GCSq=",)}
    )

    assert _changes(before, after) == []
    (effect,) = find_changes(before, after, (_judge, _judge), other_rules=True)
    assert (effect.kind, effect.before) == (
        Kind.FACT_TABLE_EFFECT,
        {"selectors": {"zoho": "not asked"}},
    )


def test_judging_by_the_same_rules_leaves_no_change_of_the_same_records() -> None:
    """Order of records is chance."""
    one = _survey({"mx": ("1 aspmx.l.google.com", "5 alt1.aspmx.l.google.com")})
    other = _survey({"mx": ("5 alt1.aspmx.l.google.com", "1 aspmx.l.google.com")})

    assert find_changes(one, other, (_judge, _judge)) == []
