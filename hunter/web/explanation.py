"""A lead explained over HTTP: the chain of reasoning as data and in words, beside the stored judgement."""

from __future__ import annotations

from datetime import datetime

import msgspec

from hunter.core.advice import Language
from hunter.core.explain import Explanation
from hunter.core.explain_text import explain_lines
from hunter.store.leads import Lead


class ExplanationView(msgspec.Struct, frozen=True, kw_only=True):
    """A lead's judgement, link by link, reasoned about today under the rules in force."""

    domain: str
    #: the chain in words, a line each, in the language of the answer
    text: tuple[str, ...]
    #: the chain as data
    chain: Explanation
    #: the stored judgement: when it was made, by which rules, and whether today's is the same
    scanned_at: datetime | None
    rules_version: str | None
    segment: str | None
    priority: int | None
    score: int | None
    #: False where rules or days have moved segment, priority or score since
    is_current: bool


def explanation_view(lead: Lead, why: Explanation, language: Language) -> ExplanationView:
    """The chain of reasoning beside the stored judgement."""
    stored = (lead.segment, lead.priority, lead.score)
    return ExplanationView(
        domain=lead.domain,
        text=tuple(explain_lines(why, language)),
        chain=why,
        scanned_at=lead.last_scanned_at,
        rules_version=lead.rules_version,
        segment=lead.segment,
        priority=lead.priority,
        score=lead.score,
        is_current=stored == (why.verdict.segment.value, why.priority.priority, why.score),
    )
