"""Every kind of change, out of two surveys; and what is none because one side is not known."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from functools import partial

import msgspec
import pytest

from hunter.core.answers import Answer, Depth, Outcome, RRType, Survey, survey_of
from hunter.core.changes import Found, Kind, Side, compare, find_changes, is_told
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
KEY = "v=DKIM1; k=rsa; p=MIGfMA0GCSq="
#: what shows that the mailboxes behind a gateway are at Microsoft
AT_MICROSOFT = {
    "autodiscover CNAME": ("autodiscover.outlook.com",),
    "selector1._domainkey TXT": ("→ selector1-contoso-com._domainkey.contoso.onmicrosoft.com", KEY),
    "enterpriseregistration CNAME": ("enterpriseregistration.windows.net",),
}


def _survey(
    *parts: Zone,
    depth: Depth = Depth.QUICK,
    **more: tuple[str, ...] | str,
) -> Survey:
    """Answers by "mx", "txt", "ns" or "label TYPE"; () is proved absent, a word is an outcome, "→ name" an alias."""
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
            chain = tuple(each[2:] for each in value if each.startswith("→ "))
            records = tuple(each for each in value if not each.startswith("→ "))
            outcome = Outcome.FOUND if records else Outcome.NODATA
            answers.append(Answer(full, rrtype, outcome, records, chain))
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
        (
            (GOOGLE, {"google._domainkey TXT": (KEY,)}),
            (GOOGLE, {"google._domainkey TXT": ("v=DKIM1; p=",)}),
            {Kind.DKIM_CHANGED},
        ),
        (
            (GOOGLE, {"s1._domainkey TXT": ("→ s1.old.example", KEY)}),
            (GOOGLE, {"s1._domainkey TXT": ("→ s1.new.example", KEY)}),
            {Kind.DKIM_CHANGED},
        ),
        (
            ({"mx": ("10 d1a.ess.barracudanetworks.com",)},),
            ({"mx": ("0 .",)},),
            {Kind.MX_CHANGED},
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


@pytest.mark.parametrize("question", ["mx", "txt", "_dmarc TXT"])
@pytest.mark.parametrize("outcome", ["servfail", "timeout"])
def test_beside_an_edit_what_went_unanswered_is_still_no_change(
    question: str, outcome: str
) -> None:
    """Not its provider, SPF, products, policy, segment or score, though nothing is known of them."""
    full: tuple[Zone, ...] = (
        GOOGLE,
        {"txt": (*GOOGLE["txt"], "docusign=0a1b2c3d-0000-4000-8000-000000000000")},
        {"_dmarc TXT": ("v=DMARC1; p=reject",)},
    )
    silent = _survey(*full, {question: outcome})
    edited = _survey(*full, {"ns": ("ns1.example.org",)})

    assert {each.kind for each in _changes(silent, edited)} == {Kind.NAMESERVER_CHANGED}
    assert {each.kind for each in _changes(edited, silent)} == {Kind.NAMESERVER_CHANGED}


@pytest.mark.parametrize("servers", ["servfail", ()], ids=["silence", "none"])
def test_name_servers_that_nobody_names_are_no_other_ones(servers: tuple[str, ...] | str) -> None:
    one, other = _survey(GOOGLE, {"ns": servers}), _survey(GOOGLE, {"txt": ()})

    assert _kinds(one, other) == _kinds(other, one) == {Kind.SPF_CHANGED}


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


def test_a_domain_that_stays_gone_is_no_news_whatever_its_parents_servers_say() -> None:
    gone = _survey({"mx": "nxdomain"})
    told_otherwise = _survey({"mx": "nxdomain", "ns": ("ns1.example.org",)})

    assert _changes(gone, told_otherwise) == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (("→ s1.old.example",), ("→ s1.new.example",)),
        (("a note",), ("another note",)),
        (("v=DKIM1; p=",), ()),
    ],
    ids=["prepared", "no key", "revoked"],
)
def test_selectors_without_a_key_on_either_side_are_no_news(
    before: tuple[str, ...], after: tuple[str, ...]
) -> None:
    one, other = (
        _survey(GOOGLE, {"s1._domainkey TXT": answer, "ns": (f"ns{number}.example.net",)})
        for number, answer in enumerate((before, after))
    )

    assert {each.kind for each in _changes(one, other)} == {Kind.NAMESERVER_CHANGED}


def test_a_selector_is_told_by_where_it_points_and_by_both_ends_of_its_key() -> None:
    long = f"v=DKIM1; k=rsa; p={'A' * 380}QIDAQAB"
    one = _survey(GOOGLE, {"s1._domainkey TXT": ("→ s1.old.example",)})
    other = _survey(GOOGLE, {"s1._domainkey TXT": ("→ s1.new.example", long)})

    (found,) = [each for each in _changes(one, other) if each.kind is Kind.DKIM_CHANGED]

    (said,) = dict(found.after["selectors"]).values()  # type: ignore[call-overload]  # JSON
    assert found.before == {"selectors": {"s1": "s1.old.example"}}
    assert said.startswith("s1.new.example v=DKIM1; k=rsa; p=AAAA")
    assert said.endswith("…AAAAAQIDAQAB")
    assert len(said) < 120


TLSA = f"3 1 1 {'ab' * 32}"


@pytest.mark.parametrize(
    ("before", "after", "is_ready"),
    [
        ((), (TLSA,), True),
        ((TLSA,), (), False),
        ((), ("2 1 1 ab",), False),
        ((TLSA,), (TLSA,), False),
    ],
    ids=["came", "went", "useless", "stayed"],
)
def test_a_mail_host_is_ready_for_dane_when_usable_records_came(
    before: tuple[str, ...], after: tuple[str, ...], is_ready: bool
) -> None:
    one, other = _with_dane(before, "ns1.example.net"), _with_dane(after, "ns1.example.org")

    kinds = {found.kind for found in _changes(one, other)}

    assert (Kind.DANE_READY in kinds) is is_ready
    assert Kind.MX_CHANGED not in kinds
    assert Kind.NAMESERVER_CHANGED in kinds


def _with_dane(records: tuple[str, ...], server: str) -> Survey:
    """A signed domain whose mail host has these TLSA records, all validated on the way."""
    survey = _survey({"mx": ("10 mx.example.net",), "txt": (), "ns": (server,)}, depth=Depth.FULL)
    answers = [
        *survey.answers.values(),
        Answer("contoso.com", RRType.DS, Outcome.FOUND, (f"1 13 2 {'AB' * 32}",)),
        Answer(
            "contoso.com", RRType.SOA, Outcome.FOUND, ("ns1.example.net h.example.net 1 2 3 4 5",)
        ),
        Answer("mx.example.net", RRType.A, Outcome.FOUND, ("192.0.2.1",)),
        Answer(
            "_25._tcp.mx.example.net",
            RRType.TLSA,
            Outcome.FOUND if records else Outcome.NODATA,
            records,
        ),
    ]
    checked = [msgspec.structs.replace(each, authenticated=True) for each in answers]
    return msgspec.structs.replace(survey_of("contoso.com", Depth.FULL, checked), validated=True)


def test_by_other_rules_a_selector_that_has_nothing_is_no_effect() -> None:
    before = _survey(GOOGLE)
    after = _survey(GOOGLE, {"zoho._domainkey TXT": ()})

    assert find_changes(before, after, (_judge, _judge), other_rules=True) == []


def test_of_a_large_move_of_the_score_the_edit_has_to_account_for_as_much() -> None:
    """One edit of one point comes with a tenant that the earlier scan could not see."""
    base = _survey(OUTLOOK)
    sides = [
        Side(base, *(msgspec.structs.replace(_judge(base), score=each) for each in scores))
        for scores in ((40, 40), (70, 41), (70, 60), (41, 41))
    ]

    told = [{each.kind for each in compare(sides[0], other)} for other in sides[1:]]

    assert told == [set(), {Kind.SCORE_CHANGED}, {Kind.SCORE_CHANGED}]


@pytest.mark.parametrize(
    ("kind", "before", "after", "told"),
    [
        (Kind.MX_CHANGED, {}, {}, True),
        (Kind.DKIM_KEY_ROTATED, {}, {}, False),
        (Kind.DANE_READY, {}, {}, False),
        (Kind.RECLASSIFIED, {}, {}, False),
        (Kind.SCAN_HEALTH_DEGRADED, {}, {}, False),
        (Kind.SCORE_CHANGED, {"score": 50}, {"score": 60}, True),
        (Kind.SCORE_CHANGED, {"score": 50}, {"score": 40}, True),
        (Kind.SCORE_CHANGED, {"score": 50}, {"score": 59}, False),
        (Kind.SCORE_CHANGED, {"score": None}, {"score": 60}, False),
    ],
)
def test_people_hear_unasked_of_what_is_the_companys_and_large(
    kind: Kind, before: dict[str, object], after: dict[str, object], told: bool
) -> None:
    assert is_told(kind, before, after) is told
