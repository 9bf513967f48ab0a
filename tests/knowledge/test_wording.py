"""Sentences for salespeople: what ships is complete, and what is wrong is told with file, row and field."""

from __future__ import annotations

from pathlib import Path

import pytest

from hunter.knowledge.check import Checker
from hunter.knowledge.load import build_knowledge, load_own, shipped_texts
from hunter.knowledge.problems import BadKnowledge
from hunter.knowledge.source import Source
from hunter.knowledge.wording import wording

TEXTS = shipped_texts()
SOURCES = {name: Source(name, text) for name, text in TEXTS.items()}


def problems(name: str, old: str, new: str) -> str:
    """What is told of the files with one place changed; the others are read once for all tests."""
    assert old in TEXTS[name], old
    check = Checker(SOURCES | {name: Source(name, TEXTS[name].replace(old, new, 1))})
    wording(check, is_complete=True)
    return "\n".join(map(str, check.problems))


@pytest.mark.parametrize(
    ("name", "old", "new", "told"),
    [
        ("brief", "when: [mail_microsoft, sure]", "when: [mail_microsoft, certain]", "no such fact: certain"),
        ("brief", "when: [gateway], en", "when: [], en", "rests on nothing"),
        ("brief", "en: '{operator} filters", "en: '{operators} filters", "nothing fills {operators}; did you mean operator?"),
        ("brief", "en: '{operator} filters", "en: '{operator filters", "write {word}, or {{ for a brace"),
        ("brief", "section: runs", "section: run", "write one of runs"),
        ("brief", "why_now: 3", "why_now: 0", "most.why_now: tells nothing"),
        ("brief", "most: {runs: 6,", "most: {run: 6,", "most"),
        ("brief", "  sure: {en: sure, tr: kesin}\n", "", "labels.sure: is missing"),
        ("brief", "  sure: {en: sure, tr: kesin}", "  sure: {en: sure}", "labels.sure: without tr"),
        ("brief", "  sure: {en", "  safe: {en: safe, tr: emin}\n  sure: {en", "labels.safe: no such word"),
        ("turkish", "  mail_hosting: 'E-posta {p", "  mail_hosted: 'E-posta {p", "rules.mail_hosted: no such row in rules.yaml; did you mean mail_self_hosted?"),
        ("turkish", "  mail_mixed: 'E-posta", "  mail_mixt: 'E-posta", "rules.mail_mixed: is missing"),
        ("turkish", "{what_mail_faulty}", "{what_mail_fault}", "nothing fills {what_mail_fault}"),
        ("turkish", "changes:\n", "change:\n", "changes: is missing"),
        ("turkish", "bu yüzden hiçbir şey değişmedi. {reason}", "bu yüzden hiçbir şey değişmedi.", "frame.stale: without {reason}"),
        ("turkish", "  ended: sona erdi\n", "", "frame.ended: is missing"),
        ("turkish", "  ended: sona", "  over: sona\n  ended: sona", "frame.over: no such words"),
        ("turkish", "  a parking service:", "  a parking place:", "phrases.a parking service: is missing"),
        ("turkish", "frame:\n", "frame: [\n", "not YAML"),
        ("signals", "says: autodiscover points to Microsoft", "says: autodiscover is Microsoft's", "phrases.autodiscover is Microsoft's: is missing"),
        ("rules", "relations:\n", "relation:\n", "no such fact: crm_rival"),
    ],
)  # fmt: skip
def test_mistake_is_told_with_its_place(name: str, old: str, new: str, told: str) -> None:
    assert told in problems(name, old, new)


def test_rules_of_the_operator_may_go_without_turkish() -> None:
    rules = TEXTS["rules"].replace("id: mail_hosting,", "id: mail_at_a_hoster,", 1)
    texts = {**TEXTS, "rules": rules}
    assert build_knowledge(texts, own=frozenset({"rules"})).wording.turkish.rules
    with pytest.raises(BadKnowledge, match="mail_at_a_hoster"):
        build_knowledge(texts, own=frozenset({"rules", "turkish"}))


def test_operator_may_have_sentences_of_his_own(tmp_path: Path) -> None:
    text = TEXTS["brief"].replace("A Copilot workshop.", "A day with Copilot.", 1)
    (tmp_path / "brief.yaml").write_text(text, encoding="utf-8")
    own = load_own(str(tmp_path))
    assert any(row.en == "A day with Copilot." for row in own.wording.rows)
    assert own.version == load_own("").version
