"""The rows of the data files as they are written, and the types of their fields."""

from __future__ import annotations

import datetime as dt
from typing import Literal

import msgspec

from hunter.core.facts import Kind, Promise, Role
from hunter.core.judgement import Axis, Segment
from hunter.core.wording import Section


class Written(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A row of a data file; a field nobody knows is a mistake."""


class Sourced(Written, frozen=True, kw_only=True):
    """Where a fact comes from, and how sure it is."""

    verified: Literal["yes", "partial", "no"]
    sources: str
    unconfirmed: str = ""
    notes: str = ""


class ProviderLine(Sourced, frozen=True, kw_only=True):
    """A row of providers.yaml; lists are words with a blank between them."""

    id: str
    name: str
    kind: Kind
    role: Role
    about: str = ""
    family: str = ""
    cloud: Literal["", "us_gov", "china", "germany"] = ""
    country: str = ""
    mx: str = ""
    mx_regex: str = ""
    spf: str = ""
    selectors: str = ""
    dkim: str = ""
    autodiscover: str = ""
    ns: str = ""
    txt: str = ""
    domains_2020: int = 0
    hosts_ch_at_2026: int = 0


class ProductLine(Sourced, frozen=True, kw_only=True):
    """A row of products.yaml."""

    id: str
    name: str
    category: str
    relation: str
    about: str = ""
    country: str = ""
    txt: str = ""
    spf: str = ""
    cname: str = ""
    dkim: str = ""
    rua: str = ""
    ns: str = ""
    ns_regex: str = ""
    shapes: str = ""
    spf_2020: int = 0
    txt_2019: int = 0


class SelectorLine(Written, frozen=True, kw_only=True):
    """A row of selectors.yaml."""

    selector: str
    tier: Literal[0, 1, 2]
    record: Literal["CNAME", "TXT", "TXT/CNAME", "CNAME/TXT"]
    sources: str
    operator: str = ""
    target: str = ""
    note: str = ""


class SignalLine(Written, frozen=True, kw_only=True):
    """A row of signals.yaml."""

    id: str
    ask: list[str]
    tenant: bool
    says: str
    targets: str = ""
    txt: list[str] = []
    product: str = ""
    seen: str = ""
    notes: str = ""


class EventLine(Written, frozen=True, kw_only=True):
    """A row of events.yaml."""

    id: str
    name: str
    date: dt.date
    kind: Literal["end", "change"]
    applies_to: str
    condition: str = ""
    notes: str = ""


class SuiteLines(Written, frozen=True, kw_only=True):
    """One suite of identity.yaml."""

    prior: dict[str, float]
    weights: dict[str, dict[str, float]]


class IdentityLines(Written, frozen=True, kw_only=True):
    """The whole of identity.yaml."""

    version: str
    words: dict[Literal["sure", "likely"], float]
    name_from: float
    markets: dict[str, float]
    local: dict[str, dict[str, float]] = {}
    fixed: dict[str, float]
    suites: dict[str, SuiteLines]


class GroupLine(Written, frozen=True, kw_only=True):
    """A group of rules.yaml."""

    id: str
    cap: int
    pick: Literal["best", "sum"]


class RuleLine(Written, frozen=True, kw_only=True):
    """A rule of rules.yaml."""

    id: str
    axis: Axis
    group: str
    points: int
    when: list[str]
    sentence: str
    half_life: float = 0.0


class VerdictLine(Written, frozen=True, kw_only=True):
    """A verdict of rules.yaml."""

    id: str
    when: list[str]
    segment: Segment
    sentence: str


class PriorityLine(Written, frozen=True, kw_only=True):
    """A priority of rules.yaml."""

    priority: Literal[1, 2, 3, 4, 5, 6]
    segments: list[Segment]
    any_of: list[str] = []
    all_of: list[str] = []
    score_from: int = 0
    urgency_from: int = 0
    confidence_below: float = 2.0


class ChangeLine(Written, frozen=True, kw_only=True):
    """A row of changes in rules.yaml."""

    id: str
    when: list[str]
    sentence: str
    promise: Promise | None = None


class BriefLine(Written, frozen=True, kw_only=True):
    """A sentence of brief.yaml."""

    id: str
    section: Section
    when: list[str]
    any_of: list[str] = []
    unless: list[str] = []
    en: str
    tr: str
