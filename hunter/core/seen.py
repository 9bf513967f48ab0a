"""What a survey shows, collected once: signals, proofs of suites, traces of products."""

from __future__ import annotations

import msgspec

from hunter.core.answers import Answer, RRType, Survey
from hunter.core.facts import Rules
from hunter.core.judgement import Evidence, Finding, Signal, State, quoted
from hunter.core.provider import Mail, family_of, holds_mailboxes
from hunter.core.sender import SpfView

_NOT_ASKED = "not_asked"
#: read once: at each use Python 3.11 takes longer for Enum.MEMBER than for a dictionary
_PRESENT, _ABSENT, _UNKNOWN = State.PRESENT, State.ABSENT, State.UNKNOWN
_CNAME, _SRV = RRType.CNAME, RRType.SRV

#: how a trace was left → what it proves
PROVES = {
    "txt": "account",
    "spf": "active_sending",
    "dkim": "active_sending",
    "cname": "active_use",
    "rua": "active_use",
    "ns": "active_use",
}


class Key(msgspec.Struct, frozen=True, gc=False):
    """A DKIM selector that answered."""

    selector: str
    #: True when verifiers can use the key
    is_valid: bool
    evidence: Evidence
    findings: tuple[Finding, ...]


class Seen(msgspec.Struct, gc=False):
    """What a survey shows. Built by `read_survey`, then only read."""

    survey: Survey
    mx: Answer | None
    mail: Mail | None
    #: in an order that does not depend on the order received
    mx_records: tuple[str, ...]
    #: the first of them; the answer itself when it has none
    mx_evidence: tuple[Evidence, ...]
    spf: SpfView
    signals: dict[str, Signal]
    #: suite → feature → proof
    proved: dict[str, dict[str, tuple[Evidence, ...]]]
    #: suite → features that a question without an answer could have proved
    silent: dict[str, set[str]]
    #: product → (how, proof)
    traces: dict[str, list[tuple[str, Evidence]]]
    keys: list[Key]
    #: name servers
    ns: tuple[str, ...]
    tenant_name: str | None = None
    #: domain that the Exchange Online label of the MX or DKIM record belongs to
    eop_labels: tuple[tuple[str, Evidence], ...] = ()
    #: question → the one signal that it was answered by nothing, or by nobody
    bare: dict[str, Signal] = {}

    def signal(self, answer: Answer, record: str = "") -> Signal:
        """Present with the record that shows it; else absent or unknown, one object for an answer."""
        if record:
            return signal_of(answer, record, record)
        question = answer.name + " " + answer.rrtype
        found = self.bare.get(question)
        if found is None:
            found = self.bare[question] = signal_of(answer)
        return found

    def prove(self, suite: str, feature: str, proof: tuple[Evidence, ...]) -> None:
        """Note that `proof` shows a feature of a suite."""
        self.proved.setdefault(suite, {}).setdefault(feature, proof)

    def prove_owner(self, owner: str, feature: str, found: Evidence, rules: Rules) -> None:
        """Note that `found` leads to an operator, when mailboxes can be there."""
        family = family_of(owner, rules)
        if holds_mailboxes(family, rules):
            self.prove(family, feature, (found,))

    def doubt(self, suite: str, feature: str) -> None:
        """Note that nobody answered whether a suite has a feature."""
        self.silent.setdefault(suite, set()).add(feature)


def proof(answer: Answer, record: str = "") -> Evidence:
    """The answer as evidence, with the record that says it."""
    return Evidence(answer.name + " " + answer.rrtype, str(answer.outcome), quoted(record))


def not_asked(survey: Survey, rrtype: RRType, label: str = "") -> Evidence:
    """Evidence of a question that nobody asked."""
    name = f"{label}.{survey.domain}" if label else survey.domain
    return Evidence(f"{name} {rrtype}", _NOT_ASKED)


def is_silent(answer: Answer | None) -> bool:
    """True when a question was asked and nobody said yes or no."""
    return answer is not None and not answer.outcome.is_known


def signal_of(answer: Answer, record: str = "", value: str = "") -> Signal:
    """Present with the record that shows it; else absent or unknown, as the answer says."""
    state = _PRESENT if record else _ABSENT if answer.outcome.is_known else _UNKNOWN
    return Signal(state, quoted(value), (proof(answer, record),), answer.stale_since)


def targets_of(answer: Answer) -> tuple[str, ...]:
    """Names that a CNAME or SRV answer leads to, in an order of their own."""
    if answer.rrtype is _CNAME:
        return (*answer.chain, *sorted(answer.records))
    if answer.rrtype is _SRV:
        return (*answer.chain, *sorted(record.rpartition(" ")[2] for record in answer.records))
    return answer.chain
