"""Messages say one plain sentence of each change, whatever stands in names and records."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunter.core.advice import Language
from hunter.core.cards import slack_message, teams_message
from hunter.core.channels import Kind
from hunter.core.notice import (
    MAX_TOLD,
    Event,
    Lead,
    digest_notice,
    event_notice,
    said,
    trial_notice,
)
from hunter.core.notice_words import SENTENCES, TITLES

DAY = dt.date(2026, 11, 20)
AT = dt.datetime(2026, 11, 20, 9, tzinfo=dt.UTC)


def event(kind: Kind = Kind.MX_CHANGED, **fields: Any) -> Event:
    """A change of contoso.example."""
    values: dict[str, Any] = {
        "change_id": "1",
        "kind": kind,
        "at": AT,
        "sequence": 7,
        "domain": "contoso.example",
        "before": {"mx": ["10 old.example"]},
        "after": {"mx": ["10 new.example"]},
        "lead": Lead(display_name="contoso.example", company_name="Contoso"),
        "rules_version": "1",
    } | fields
    return Event(**values)


@pytest.mark.parametrize("language", Language)
def test_every_kind_has_one_sentence_with_the_company(language: Language) -> None:
    assert set(SENTENCES[language]) == set(Kind)
    assert set(TITLES[Language.EN]) == set(TITLES[Language.TR])
    for kind in Kind:
        notice = event_notice(
            event(kind), rule="r", language=language, public_url="https://hunter.example/"
        )
        (item,) = notice.items
        assert item.sentence.startswith("Contoso (contoso.example) ")
        assert item.sentence.count(". ") == 0
        assert item.sentence.endswith(".")
        assert item.url == "https://hunter.example/api/v1/leads/contoso.example"


def test_the_record_is_told_before_and_after_in_both_languages() -> None:
    changed = event(
        before={"dmarc_policy": None, "same": 1}, after={"dmarc_policy": "reject", "same": 1}
    )

    told = {
        language: event_notice(changed, rule="r", language=language, public_url="").items[0]
        for language in Language
    }

    (english,), (turkish,) = told[Language.EN].lines, told[Language.TR].lines
    assert (english.label, english.before, english.after) == ("DMARC policy", "nothing", "reject")
    assert (turkish.label, turkish.before, turkish.after) == ("DMARC politikası", "yok", "reject")
    assert told[Language.EN].url == ""


def test_a_digest_tells_some_and_counts_the_rest() -> None:
    notice = digest_notice(
        [event()] * 60, 75, day=DAY, rule="r", language=Language.EN, public_url=""
    )

    assert len(notice.items) == MAX_TOLD
    assert notice.title == "75 changes on 2026-11-20 (r)"
    assert notice.more == f"and {75 - MAX_TOLD} more"


@pytest.mark.parametrize("language", Language)
def test_the_test_button_sends_a_message_of_no_change_that_names_its_rule(
    language: Language,
) -> None:
    notice = trial_notice(rule="Moves *of* <Vienna>", language=language)

    assert (notice.items, notice.more) == ((), "")
    assert "Moves *of* <Vienna>" in notice.footer
    for message in (slack_message(notice), teams_message(notice)):
        assert {notice.title, notice.footer} <= {text for _, text in texts(message)}
    (attachment,) = teams_message(notice)["attachments"]
    assert "actions" not in attachment["content"], "there is no lead to open"


@pytest.mark.parametrize(
    ("value", "english", "turkish"),
    [
        (True, "yes", "evet"),
        (False, "no", "hayır"),
        (0, "0", "0"),
        (None, "nothing", "yok"),
        ([], "nothing", "yok"),
        (["10 a.example", "20 b.example"], "10 a.example, 20 b.example", None),
        ({"s1": None, "s2": ["a", "b"]}, "s1: nothing, s2: a, b", "s1: yok, s2: a, b"),
    ],
)
def test_a_value_of_any_shape_is_one_line_in_the_readers_language(
    value: object, english: str, turkish: str | None
) -> None:
    assert said(value, Language.EN) == english
    assert said(value, Language.TR) == (turkish or english)


def texts(value: Any) -> list[tuple[str, str]]:
    """Every text that a chat shows, with the type of the object it is in."""
    if isinstance(value, dict):
        own = [(str(value.get("type")), each) for name, each in value.items() if name == "text"]
        own = [pair for pair in own if isinstance(pair[1], str)]
        return own + [pair for each in value.values() for pair in texts(each)]
    if isinstance(value, list):
        return [pair for each in value for pair in texts(each)]
    return []


HOSTILE = (
    "<!channel> <https://evil.example|bank> *b* [x](https://evil.example) @here & \u202e\r\n\0"
)


def test_nothing_hostile_is_markup_in_a_chat() -> None:
    lead = Lead(display_name="contoso.example", company_name=HOSTILE)
    changed = event(lead=lead, before={"spf": HOSTILE}, after={"spf": "v=spf1"})
    notice = event_notice(changed, rule=HOSTILE, language=Language.EN, public_url="")

    slack, teams = slack_message(notice), teams_message(notice)

    for kind, text in texts(slack):
        if kind != "plain_text":  # the fallback, which is markup: escaped
            assert "<" not in text
            assert "&lt;!channel&gt;" in text
    assert {kind for kind, _ in texts(teams)} == {"TextRun"}
    for _, text in texts(slack) + texts(teams):
        assert not set("\u202e\r\0") & set(text)


_PLAIN = st.none() | st.booleans() | st.integers() | st.text()
_LIST = st.lists(_PLAIN, max_size=20)
RECORDS = st.dictionaries(
    st.text(max_size=30), _PLAIN | _LIST | st.dictionaries(st.text(), _PLAIN | _LIST, max_size=5)
)


@given(st.text(max_size=400), RECORDS)
def test_every_message_can_be_sent_and_is_small_enough(name: str, record: dict[str, Any]) -> None:
    lead = Lead(display_name=name, company_name=name)
    many = [event(lead=lead, before=record, after={})] * 30
    for notice in (
        event_notice(many[0], rule=name, language=Language.TR, public_url="https://h.example"),
        digest_notice(many, 30, day=DAY, rule=name, language=Language.EN, public_url=""),
    ):
        slack, teams = slack_message(notice), teams_message(notice)
        assert len(slack["blocks"]) <= 50
        assert all(0 < len(text) <= 3000 for _, text in texts(slack["blocks"]))
        assert len(json.dumps(teams, ensure_ascii=False).encode("utf-8", "replace")) < 28_000
