"""The sentences that salespeople are told, by the facts they rest on, in English and Turkish."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from hunter.core.advice import Language

#: facts of the brief alone, beside those that rules speak of
BRIEF_FACTS = frozenset(
    {
        # how sure the place of the mailboxes is
        "sure", "likely", "unsure",
        # products that are seen at work, and accounts that were opened once
        "in_use", "opened",
        "tenant_named", "dmarc_enforced",
    }
)  # fmt: skip
#: words in braces, alone or with the name of a fact behind them: {what} or {what_gateway_gone}
BRIEF_WORDS = frozenset({"what", "name", "date", "days", "ago", "ends", "condition"})
#: words in braces that are no fact's
NAMES = frozenset({"provider", "operator"})
#: headings beside those of the sections, segments, and how sure it is
LABELS = frozenset({"would_change", "sure", "likely", "unsure"})


class Section(StrEnum):
    """Parts of a brief, in the order in which they are told."""

    #: what they run
    RUNS = "runs"
    #: why now
    WHY_NOW = "why_now"
    #: what to say
    SAY = "say"
    #: what to ask
    ASK = "ask"
    #: which offer
    OFFER = "offer"


class BriefRow(msgspec.Struct, frozen=True):
    """One sentence: said when its facts hold."""

    id: str
    section: Section
    #: all of these facts
    when: tuple[str, ...]
    #: one of these at least; empty: no condition
    any_of: tuple[str, ...]
    #: none of these
    unless: tuple[str, ...]
    en: str
    tr: str

    def text(self, language: Language) -> str:
        """The sentence with its words still in braces."""
        return self.tr if language is Language.TR else self.en


class Turkish(msgspec.Struct, frozen=True):
    """The sentences of the seller's policy in Turkish, by the id of the row."""

    rules: dict[str, str]
    verdicts: dict[str, str]
    changes: dict[str, str]
    #: words that stand around sentences
    frame: dict[str, str]
    #: English phrase → Turkish phrase
    phrases: dict[str, str]


class Wording(msgspec.Struct, frozen=True):
    """Everything that is said to salespeople beside the rules' own English."""

    rows: tuple[BriefRow, ...]
    #: most sentences of each section
    most: dict[Section, int]
    #: section, segment or word of confidence → language → as people read it
    labels: dict[str, dict[Language, str]]
    turkish: Turkish


#: offer → language → what it costs, in the seller's words
Prices = dict[str, dict[Language, str]]
