"""Posture A to F, and the views of SPF and DMARC it rests on."""

from __future__ import annotations

from typing import Any

import pytest

from hunter.core.answers import Answer, Depth, Outcome, RRType
from hunter.core.posture import grade, spf_gap
from hunter.core.sender import DmarcView, SpfView, read_dmarc, read_spf

STRICT = "v=spf1 include:_spf.example.net -all"
REJECT = "v=DMARC1; p=reject; rua=mailto:person@contoso.com"


def graded(
    make_survey: Any, spf: list[str] | str, dmarc: list[str] | str, *, key: bool = False
) -> str | None:
    survey = make_survey({"TXT": spf, "TXT _dmarc": dmarc})
    txt = survey.get(RRType.TXT)
    return grade(read_spf(survey), txt, read_dmarc(survey), has_key=key)


@pytest.mark.parametrize(
    ("spf", "dmarc", "key", "wanted"),
    [
        ([STRICT], [REJECT], True, "A"),
        ([STRICT], [REJECT], False, "B"),
        ([STRICT], ["v=DMARC1; p=quarantine"], True, "B"),
        ([STRICT], ["v=DMARC1; p=none; rua=mailto:a@contoso.com"], True, "C"),
        (["v=spf1 ?all"], [REJECT], True, "D"),
        ([STRICT], ["v=DMARC1; p=none"], True, "D"),
        ([STRICT], ["v=DMARC1; p=quarantine; t=y"], False, "D"),
        ([STRICT], [], True, "E"),
        ([], [REJECT], True, "E"),
        ([], [], True, "F"),
        (["v=spf1 +all"], [REJECT], True, "F"),
        ("timeout", [REJECT], True, None),
        ([STRICT], "timeout", True, None),
    ],
)
def test_grade_of_a_domain(
    make_survey: Any, spf: list[str] | str, dmarc: list[str] | str, *, key: bool, wanted: str | None
) -> None:
    assert graded(make_survey, spf, dmarc, key=key) == wanted


@pytest.mark.parametrize(
    ("spf", "gap"),
    [
        ([STRICT], ""),
        (["v=spf1 redirect=_spf.yandex.net"], ""),
        (["v=spf1 mx"], "it ends without a decision"),
        (["v=spf1 +all"], "it allows everybody (+all)"),
        (["v=spf1 mx -all", "v=spf1 a -all"], "receivers must ignore it, because it is faulty"),
        ([], "there is none"),
        ("timeout", ""),
    ],
)
def test_gap_in_words(make_survey: Any, spf: list[str] | str, gap: str) -> None:
    survey = make_survey({"TXT": spf})
    assert spf_gap(read_spf(survey), survey.get(RRType.TXT)) == gap


def test_gap_of_a_question_nobody_asked_is_not_told() -> None:
    from hunter.core.sender import SpfView

    assert spf_gap(SpfView(), None) == ""


def test_first_level_of_spf_is_read(make_survey: Any) -> None:
    text = "v=spf1 include:A.Example.net a:b.example.net ip4:192.0.2.9 exists:%{i}.x.example redirect=c.example.net"
    view = read_spf(make_survey({"TXT": [text]}))
    assert [target for _, target in view.targets] == [
        "a.example.net",
        "b.example.net",
        "c.example.net",
    ]
    assert view.addresses == {"192.0.2.9"}
    assert view.is_hidden
    assert view.redirect == "c.example.net"


def test_both_of_two_spf_records_are_evidence(make_survey: Any) -> None:
    view = read_spf(
        make_survey({"TXT": ["v=spf1 include:a.example -all", "v=spf1 include:b.example -all"]})
    )
    assert {target for _, target in view.targets} == {"a.example", "b.example"}
    assert view.is_broken
    assert "spf_multiple_records" in {each.code for each in view.findings}


def test_full_depth_tells_of_the_whole_tree(make_survey: Any) -> None:
    survey = make_survey({"TXT": ["v=spf1 include:contoso.com -all"]}, depth=Depth.FULL)
    assert len(read_spf(survey).findings) > len(
        read_spf(make_survey({"TXT": ["v=spf1 include:contoso.com -all"]})).findings
    )


def test_text_that_only_looks_like_spf_is_a_finding(make_survey: Any) -> None:
    view = read_spf(make_survey({"TXT": ["v=spf10 -all"]}))
    assert view.record == ""


def test_policy_of_dmarc_is_what_receivers_apply(make_survey: Any) -> None:
    view = read_dmarc(make_survey({"TXT _dmarc": [REJECT]}))
    assert (view.policy, view.has_reports, view.report_domains) == (
        "reject",
        True,
        ("contoso.com",),
    )
    absent = read_dmarc(make_survey({}))
    assert (absent.policy, absent.evidence[0].question) == ("absent", "_dmarc.contoso.com TXT")


def test_inherited_policy_has_the_parents_record_as_evidence(make_survey: Any) -> None:
    survey = make_survey({}, domain="shop.contoso.com")
    parent = make_survey({"TXT _dmarc": [REJECT]}).answers["_dmarc.contoso.com TXT"]
    survey.answers[parent.question] = parent
    view = read_dmarc(survey)
    assert (view.policy, view.evidence[0].question) == ("reject", "_dmarc.contoso.com TXT")


def test_a_protection_that_fails_costs_the_best_grade_only() -> None:
    txt = Answer("contoso.com", RRType.TXT, Outcome.FOUND, ("v=spf1 -all",))
    spf = SpfView(record="v=spf1 -all", all="-")

    def grades(policy: str) -> list[str | None]:
        return [
            grade(spf, txt, DmarcView(policy), has_key=True, is_transport_broken=broken)
            for broken in (False, True)
        ]

    assert grades("reject") == ["A", "B"]
    assert grades("quarantine") == ["B", "B"]
    assert grades("none") == ["D", "D"]
