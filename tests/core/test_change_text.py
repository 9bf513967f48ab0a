"""Every kind of change has a sentence in both languages, whatever its fields are."""

from __future__ import annotations

import pytest

from hunter.core.advice import Language
from hunter.core.change_text import sentence
from hunter.core.changes import Kind

_FIELDS: tuple[dict[str, object], ...] = (
    {},
    {"mx": ["10 a.example"], "provider": None, "gateway": "mimecast"},
    {"score": 40, "fit": 20, "reason": "Why."},
    {"selectors": {"google": None, "zoho": "p=AA"}},
    {"spf": "v=spf1 {include} -all " + "x" * 500},
)


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("kind", Kind)
def test_a_change_is_one_sentence_whatever_its_fields(kind: Kind, language: Language) -> None:
    for before in _FIELDS:
        for after in _FIELDS:
            text = sentence(kind, before, after, language)

            assert text.endswith(".")
            assert len(text) < 600


def test_operators_are_named_and_nothing_is_said_as_nothing() -> None:
    names = {"google_workspace": "Google Workspace"}
    before: dict[str, object] = {"provider": "self_hosted", "mx": ["10 mx.a.example"]}
    after: dict[str, object] = {"provider": "google_workspace", "mx": []}

    assert (
        sentence("provider_changed", before, after, name_of=lambda each: names.get(each, each))
        == "The mailboxes moved from their own mail server to Google Workspace."
    )
    assert sentence("mx_changed", {"mx": ["10 a.example"]}, {"mx": []}, Language.TR) == (
        "E-posta başka sunuculara gidiyor: yok, önce 10 a.example."
    )
