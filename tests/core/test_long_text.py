"""Records as long as an attacker likes cost as much as their length, and are not told at length."""

from __future__ import annotations

import datetime as dt

import msgspec
import pytest

from hunter.core.answers import Answer, Depth, Outcome, RRType, survey_of
from hunter.core.caa import parse_caa
from hunter.core.dmarc import without_mailboxes
from hunter.core.judge import judge
from hunter.core.judgement import NO_HISTORY
from hunter.core.mta_sts import parse_sts_policy, parse_sts_record
from hunter.core.tlsrpt import parse_tlsrpt
from hunter.knowledge.load import load_knowledge
from hunter.resolver.survey import include_targets

#: fifteen times what a message carries: whatever grows with the square of it never comes back
_LENGTH = 1_000_000


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    ("beginning", "unit"),
    [
        ("", " "),
        ("", '"'),
        ("", "\\"),
        ("", "; "),
        ("", "v="),
        ("", "a"),
        ("", "MS=ms1"),
        ("v=spf1 include:", "a."),
        ("v=spf1 ", "include:a.example "),
        ("v=spf1 exists:", "%{i}"),
        ("v=DMARC1;", ";"),
        ("v=DMARC1; p=none; rua=", "mailto:a@b.c!9m,"),
        ("v=DKIM1; p=", "A "),
        ("v=DKIM1; h=", "sha1:"),
        ("v=STSv1; id=", "1"),
        ("v=TLSRPTv1; rua=", "mailto:a@b.c,"),
        ("v=BIMI1; l=", "https://a/"),
    ],
)
def test_a_long_record_is_judged_in_time(beginning: str, unit: str) -> None:
    text = beginning + unit * (_LENGTH // len(unit))
    labels = ("", "_dmarc.", "selector1._domainkey.", "_mta-sts.", "_smtp._tls.", "default._bimi.")
    answers = [
        Answer(f"{label}contoso.com", RRType.TXT, Outcome.FOUND, (text,)) for label in labels
    ]
    answers.append(Answer("contoso.com", RRType.MX, Outcome.FOUND, ("10 mx.contoso.com",)))
    survey = survey_of("contoso.com", Depth.FULL, answers)

    said = judge(survey, NO_HISTORY, load_knowledge().rules, dt.date(2026, 11, 24))

    assert said.mx_operator == "self_hosted"
    assert len(include_targets([text])) <= 1


def test_thousands_of_hosts_and_faults_do_not_fill_a_judgement() -> None:
    tags = "v=DMARC1; p=none; " + ";".join(f"t{i}=x" for i in range(8000))
    hosts = tuple(f"{i} mx{i}.contoso.com" for i in range(3000))
    answers = [
        Answer("contoso.com", RRType.MX, Outcome.FOUND, hosts),
        Answer("_dmarc.contoso.com", RRType.TXT, Outcome.FOUND, (tags,)),
    ]
    survey = survey_of("contoso.com", Depth.QUICK, answers)

    said = judge(survey, NO_HISTORY, load_knowledge().rules, dt.date(2026, 11, 24))

    assert said.mx.value.endswith(" and 2950 more")
    assert len(said.mx.evidence) == 50
    assert len(said.findings) == 100
    assert said.dmarc_policy == "none"
    # the DMARC record itself, as evidence, is most of what is left
    assert len(msgspec.json.encode(said)) < 200_000


@pytest.mark.timeout(20)
def test_a_long_record_is_read_in_time_whatever_stands_in_its_middle() -> None:
    blanks = " " * _LENGTH

    assert without_mailboxes("mailto:" * (_LENGTH // 7)).startswith("mailto:mailto:")
    assert parse_caa([f'0 issue "{blanks}!"']).issuers() == ()
    assert not parse_tlsrpt(f"v=TLSRPTv1; rua={blanks}x").valid
    assert not parse_sts_record(f"v=STSv1; id=1{blanks}x").valid
    assert not parse_sts_policy(f"version: x{' ' * 60_000}x").valid
