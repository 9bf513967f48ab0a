"""A brief as text: what a salesperson reads before the call, and aloud in it."""

from __future__ import annotations

from collections.abc import Iterable

from hunter.core.brief import Brief, Sentence
from hunter.core.judgement import Evidence
from hunter.core.wording import Section, Wording


def brief_lines(brief: Brief, wording: Wording, *, records: bool = False) -> Iterable[str]:
    """The brief, a line each; with the records under their sentences if they are wanted."""

    def label(name: str) -> str:
        return wording.labels[name][brief.language]

    parts = [f"P{brief.priority}", label(brief.segment.value), label(brief.confidence_word)]
    yield f"{brief.domain}: {', '.join(dict.fromkeys(parts))}"
    if brief.reason is not None:
        yield from _told(brief.reason, "", records=records)
    for section in Section:
        sentences = brief.section(section)
        if sentences:
            yield ""
            yield label(section.value)
            for each in sentences:
                yield from _told(each, "- ", records=records)
    if brief.would_change:
        yield ""
        yield label("would_change")
        yield from (f"- {each}" for each in brief.would_change)


def _told(sentence: Sentence, mark: str, *, records: bool) -> Iterable[str]:
    yield f"{mark}{sentence.text}"
    if records:
        yield from (f"    {_record(each)}" for each in sentence.evidence)


def _record(proof: Evidence) -> str:
    return f"{proof.question}: {proof.record or proof.outcome}"
