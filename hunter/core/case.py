"""One domain's case: what is read out of its records before points are given, and the facts found."""

from __future__ import annotations

import datetime as dt

import msgspec

from hunter.core.facts import Rules
from hunter.core.identity import Guess, Pillar
from hunter.core.judgement import Evidence, History, Product, Signal
from hunter.core.registration import Registration
from hunter.core.score import Fact
from hunter.core.seen import Seen
from hunter.core.sender import DmarcView

#: signals that prove a Microsoft tenant: id → (half a sentence, signal)
TenantSignals = dict[str, tuple[str, Signal]]


class Placement(msgspec.Struct, frozen=True, gc=False):
    """Where the mailboxes are, as far as it shows."""

    mail_state: str
    #: fact of placement, "" while that is open
    fact: str
    evidence: tuple[Evidence, ...]
    what: str = ""
    provider: str | None = None
    confidence: float | None = None
    #: deciding questions that nobody answered
    missing: tuple[Evidence, ...] = ()
    guess: Guess | None = None
    pillar: Pillar | None = None


class Case(msgspec.Struct, gc=False):
    """What facts are drawn from. `facts` is filled by the functions named add_…; the rest is only read."""

    seen: Seen
    dmarc: DmarcView
    products: tuple[Product, ...]
    #: who receives the mail: provider table id, "mixed", "self_hosted", "unknown:<domain>"; None when not known
    operator: str | None
    place: Placement
    tenant: TenantSignals
    #: one of the seven states of signals.yaml
    tenant_state: str
    history: History
    rules: Rules
    as_of: dt.date
    registration: Registration | None = None
    facts: dict[str, Fact] = {}
