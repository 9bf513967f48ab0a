"""Files of labelled domains, sound and not."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunter.core.answers import Depth, RRType, Survey, survey_of
from hunter.core.corpus import StudyRow, read_corpus, survey_from
from hunter.core.errors import InvalidInput
from hunter.core.facts import Rules
from hunter.knowledge.load import load_knowledge

RULES: Rules = load_knowledge().rules
ROW = {
    "domain": "gemeinde.at",
    "mx": ["gemeinde-at.mail.seppmail.cloud."],
    "spf": "v=spf1 include:spf.protection.outlook.com -all",
    "provider": "microsoft",
    "signals": [
        "txt_verification: TXT verification matches ms365",
        "autodiscover: autodiscover CNAME → autodiscover.outlook.com",
        "dkim: DKIM selector1._domainkey.gemeinde.at CNAME → selector1-gemeinde-at._domainkey.gem.onmicrosoft.com",
        "tenant: MS365 tenant detected: Managed",
    ],
}


def survey(domain: str = "contoso.com") -> Survey:
    return survey_of(domain, Depth.QUICK, [])


def test_a_studys_row_becomes_the_survey_it_saw() -> None:
    (row,) = read_corpus(json.dumps([ROW]), RULES).rows
    seen = row.survey
    assert (row.domain, row.label, row.by_rule) == ("gemeinde.at", "microsoft365", True)
    assert seen.answers["gemeinde.at MX"].records == ("10 gemeinde-at.mail.seppmail.cloud",)
    assert seen.answers["gemeinde.at TXT"].records == (ROW["spf"], "MS=ms12345678")
    assert seen.answers["autodiscover.gemeinde.at CNAME"].records == ("autodiscover.outlook.com",)
    key = seen.answers["selector1._domainkey.gemeinde.at TXT"]
    assert key.chain == ("selector1-gemeinde-at._domainkey.gem.onmicrosoft.com",)


def test_autodiscover_by_srv_is_read_too() -> None:
    row = StudyRow(
        "gemeinde.at", "x", signals=["autodiscover: autodiscover SRV → 0 0 443 a.outlook.com."]
    )
    found = survey_from(row).get(RRType.SRV, "_autodiscover._tcp")
    assert found is not None
    assert found.records == ("0 0 443 a.outlook.com",)


@pytest.mark.parametrize(
    ("word", "label"),
    [
        ("Microsoft", "microsoft365"),
        ("dorfprovider", ""),
        ("zoho_mail", "zoho_mail"),
        (None, None),
        ("unknown", None),
    ],
)
def test_a_provider_only_a_study_knows_is_none_of_the_suites(
    word: str | None, label: str | None
) -> None:
    row = {"domain": "dorf.ch", "provider": word, "mx": None, "spf": None, "signals": None}
    (found,) = read_corpus(json.dumps([row]), RULES).rows
    assert found.label == label
    assert found.survey.answers["dorf.ch MX"].records == ()


def test_what_a_study_does_not_name_is_absent_and_not_unknown() -> None:
    found = survey_from(StudyRow("gemeinde.at", "unknown", mx=["mx.a1.net"], signals=["x"]))
    assert all(answer.outcome.is_known for answer in found.answers.values())
    assert found.answers["gemeinde.at TXT"].records == ()


def test_signals_can_be_left_out() -> None:
    row = StudyRow("gemeinde.at", "x", spf="v=spf1 -all", signals=list(ROW["signals"]))
    assert survey_from(row, with_signals=False).answers["gemeinde.at TXT"].records == (
        "v=spf1 -all",
    )


def test_a_users_csv_takes_its_observations_from_what_is_stored() -> None:
    text = "\ufeffDomain,Label,note\ncontoso.com,Google,x\n\nfabrikam.com,other\n"
    stored = {name: survey(name) for name in ("contoso.com", "fabrikam.com")}
    found = read_corpus(text, RULES, stored)
    assert found.refused == ()
    assert [(row.domain, row.label, row.by_rule) for row in found.rows] == [
        ("contoso.com", "google_workspace", False),
        ("fabrikam.com", "", False),
    ]


def test_json_lines_may_carry_the_survey_themselves() -> None:
    row = {
        "domain": "contoso.com",
        "label": "zoho_mail",
        "survey": {"domain": "contoso.com", "depth": "quick", "answers": {}},
    }
    (found,) = read_corpus("\n" + json.dumps(row) + "\n\n", RULES).rows
    assert (found.label, found.survey) == ("zoho_mail", survey())


@pytest.mark.parametrize(
    ("word", "label"),
    [
        ("microsoft", "microsoft365"),
        ("MICROSOFT365_GCC_HIGH", "microsoft365"),
        ("onprem_exchange", "onprem_exchange"),
        ("natro", ""),
        ("domestic", ""),
        ("unknown", None),
    ],
)
def test_labels_are_words_of_studies_or_ids_of_providers(word: str, label: str | None) -> None:
    (row,) = read_corpus(f"domain,label\ncontoso.com,{word}", RULES, {"contoso.com": survey()}).rows
    assert row.label == label


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"domain": "no dots", "provider": "microsoft"}, "dot"),
        ({"domain": 7, "provider": "microsoft"}, "domain"),
        ({"domain": "contoso.com", "provider": "microsoft", "mx": "mx.a.at"}, "mx"),
        ({"domain": "contoso.com", "provider": "micros0ft"}, "did you mean microsoft?"),
        (
            {
                "domain": "contoso.com",
                "label": "infomoniak",
                "survey": {"domain": "contoso.com", "depth": "quick", "answers": {}},
            },
            "'infomoniak' is no provider",
        ),
        ({"domain": "contoso.com"}, "label"),
        ({"domain": "contoso.com", "label": "other"}, "no stored observation of contoso.com"),
        (
            {
                "domain": "fabrikam.com",
                "label": "other",
                "survey": {"domain": "contoso.com", "depth": "quick", "answers": {}},
            },
            "is of another domain, contoso.com",
        ),
        ("contoso.com", "no JSON object"),
        (None, "object"),
    ],
)
def test_a_bad_row_is_told_in_one_line_and_sinks_nothing(row: object, said: str) -> None:
    found = read_corpus(json.dumps([row, ROW]), RULES)
    assert [each.domain for each in found.rows] == ["gemeinde.at"]
    (refusal,) = found.refused
    assert refusal.place == "row 1"
    assert said in refusal.detail
    assert "\n" not in refusal.detail


def test_a_refusal_shows_no_control_characters() -> None:
    (refusal,) = read_corpus("domain,label\ncontoso.com,\x1b[31mred", RULES).refused
    assert refusal.detail.isprintable()


@pytest.mark.parametrize("text", ["", "contoso.com\nfabrikam.com", "[{]", "[1"])
def test_a_text_that_is_no_corpus_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="The corpus"):
        read_corpus(text, RULES)


@given(st.text(max_size=60), st.text(max_size=20))
def test_whatever_a_row_holds_it_becomes_a_row_or_a_refusal(domain: str, label: str) -> None:
    rows = [{"domain": domain, "label": label}, {"domain": domain, "provider": label}]
    found = read_corpus(json.dumps(rows), RULES)
    assert len(found.rows) + len(found.refused) == 2
