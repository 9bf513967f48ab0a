"""The sales brief of every golden case: each sentence with its record, in both languages, fit to be read out."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunter.core.advice import Language
from hunter.core.answers import Answer, Outcome, Survey
from hunter.core.brief import Brief, Sentence, brief
from hunter.core.judgement import Evidence, Segment
from hunter.core.wording import Section
from hunter.knowledge.load import load_knowledge
from tests.golden.cases import Case, Situation, load_cases, reason_about, situation

KNOWLEDGE = load_knowledge()
CASES = {case.name: case for cases in load_cases().values() for case in cases}
#: words that no Turkish sentence and no name of a product or operator has
_ENGLISH = re.compile(
    r"\b(?:the|their|they|is|are|mail is|with|record|was|whose|that|there|nobody|from)\b"
)
_TURKISH = re.compile(r"[ğışĞİŞ]|\b(?:bir|ve|için|ile|üzerinde)\b")
_NAMES = {
    each.name
    for table in (KNOWLEDGE.rules.providers, KNOWLEDGE.rules.products)
    for each in table.values()
}


def _brief(given: Situation, language: Language = Language.EN) -> Brief:
    return brief(reason_about(given), KNOWLEDGE.wording, language)


def _sentences(found: Brief) -> Iterable[Sentence]:
    if found.reason is not None:
        yield found.reason
    for section in Section:
        yield from found.section(section)


def _texts(found: Brief) -> Iterable[str]:
    yield from (each.text for each in _sentences(found))
    yield from (line.reason for line in found.lines)
    yield from found.would_change


def _is_in(survey: Survey, proof: Evidence) -> bool:
    if proof.question == f"{survey.domain} RDAP":
        return proof.record.startswith("expires ")  # the registry's word, not in DNS
    answer = survey.answers.get(proof.question)
    if answer is None:
        return proof.outcome == "not_asked"
    return not proof.record or any(
        _shows(record, proof) for record in (*answer.records, *answer.chain)
    )


def _shows(record: str, proof: Evidence) -> bool:
    """True for the record of a proof; of SRV the target is told."""
    return record == proof.record or record.endswith(f" {proof.record}")


def _unpublished(survey: Survey, proofs: Iterable[Evidence]) -> Survey:
    """The survey as it would be had nobody published these records."""
    answers = dict(survey.answers)
    for proof in proofs:
        answer = answers.get(proof.question)
        if answer is None or not proof.record:
            continue
        records = tuple(each for each in answer.records if not _shows(each, proof))
        chain = () if proof.record in answer.chain else answer.chain
        outcome = answer.outcome if records else Outcome.NODATA
        answers[proof.question] = msgspec.structs.replace(
            answer, records=records, chain=chain, outcome=outcome
        )
    return msgspec.structs.replace(survey, answers=answers)


def _unanswered(survey: Survey, proofs: Iterable[Evidence]) -> Survey:
    """The survey as it would be had nobody answered these questions."""
    answers = dict(survey.answers)
    for question in {each.question for each in proofs} & answers.keys():
        answers[question] = msgspec.structs.replace(
            answers[question], outcome=Outcome.TIMEOUT, records=(), chain=()
        )
    return msgspec.structs.replace(survey, answers=answers)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_every_sentence_rests_on_a_record_and_goes_with_it(case: Case) -> None:
    given = situation(case.name)
    for sentence in _sentences(_brief(given)):
        assert sentence.evidence, sentence.text
        assert [each for each in sentence.evidence if not _is_in(given.survey, each)] == []
        if any(each.question.endswith(" RDAP") for each in sentence.evidence):
            unasked = msgspec.structs.replace(given, registration=None)
            assert _left(unasked, given.survey, sentence) == []
            continue
        bare = _left(given, _unpublished(given.survey, sentence.evidence), sentence)
        cited = {each for each in sentence.evidence if each.record}
        assert [each for each in bare if not cited.isdisjoint(each.evidence)] == []
        # that a name is a public body's stands in the name itself
        if cited and sentence.code != "public_body":
            assert _left(given, _unanswered(given.survey, sentence.evidence), sentence) == []


def _left(given: Situation, survey: Survey, sentence: Sentence) -> list[Sentence]:
    """Sentences of the same row that are still told with another survey."""
    changed = _brief(msgspec.structs.replace(given, survey=survey))
    return [each for each in _sentences(changed) if each.code == sentence.code]


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_turkish_is_turkish_and_english_is_english(case: Case) -> None:
    given = situation(case.name)
    english, turkish = (_brief(given, language) for language in Language)
    for text in _texts(turkish):
        assert not _ENGLISH.search(_without_names(text)), text
    for text in _texts(english):
        assert not _TURKISH.search(_without_names(text)), text
    for section in Section:
        codes = [[each.code for each in found.section(section)] for found in (english, turkish)]
        assert codes[0] == codes[1]
    assert len(english.lines) == len(turkish.lines)


def _without_names(text: str) -> str:
    """Brand names are in no language."""
    for name in sorted(_NAMES, key=len, reverse=True):
        text = text.replace(name, "")
    return text


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_nothing_is_sold_to_whom_nobody_sells(case: Case) -> None:
    found = _brief(situation(case.name))
    if found.segment in {Segment.SKIP, Segment.UNKNOWN}:
        assert not (*found.why_now, *found.say, *found.ask, *found.offer)
    else:
        assert found.say, "a lead leaves the salesperson with nothing to say"
        assert found.ask or found.segment is Segment.COLD
        assert found.say[0].code != "say_unprotected", "“one more thing” comes second"
    for text in _texts(found):
        assert not re.search(r"\d ?%|% ?\d", text)
        assert not re.search(r"[$€₺£]|\bprice", text), "no price without a price list"


_HOSTILE = st.sampled_from(["\x1b[2J", "\u202emoc.live", "\u2066x\u2069", "\x00", "a\nb", "\u200f"])


@given(st.sampled_from(sorted(CASES)), st.randoms(use_true_random=False), _HOSTILE)
def test_no_answer_of_a_stranger_reaches_the_reader_raw(
    name: str, chance: random.Random, hostile: str
) -> None:
    given = situation(name)
    answers = {}
    for question, answer in given.survey.answers.items():
        match chance.randrange(6):
            case 0:
                answers[question] = msgspec.structs.replace(
                    answer, outcome=Outcome.TIMEOUT, records=(), chain=()
                )
            case 1:
                answers[question] = _spoiled(answer, hostile)
            case _:
                answers[question] = answer
    survey = msgspec.structs.replace(given.survey, answers=answers)
    changed = msgspec.structs.replace(given, survey=survey)
    for language in Language:
        found = _brief(changed, language)
        for text in _texts(found):
            assert text.isprintable(), text
        for sentence in _sentences(found):
            assert all(_is_in(survey, each) for each in sentence.evidence), sentence


def _spoiled(answer: Answer, hostile: str) -> Answer:
    return msgspec.structs.replace(
        answer,
        records=tuple(record + hostile for record in answer.records),
        chain=tuple(hostile + name for name in answer.chain),
    )
