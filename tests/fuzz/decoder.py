"""The decoder held against dnspython over any bytes."""

from __future__ import annotations

import dns.exception
import dns.message

from hunter.core.answers import Answer, Outcome, RRType
from hunter.resolver.replies import Alias, decode
from hunter.resolver.wire import TEMPLATES
from tests.fuzz.reference import (
    RRTYPES,
    Malformed,
    Question,
    Reading,
    claim_of,
    is_ambiguous,
    question_of,
    read_reference,
)


def decoded(wire: bytes, question: Question, rrtype: RRType) -> Answer | Alias:
    """Our reading of an answer to its own question."""
    return decode(wire, question.behind, question.name, TEMPLATES[rrtype], "192.0.2.1:53")


def compare(wire: bytes) -> Answer | Alias | None:
    """Hold our reading of one message against dnspython's; None when it has no question of ours.

    The engine gives the decoder only messages with NOERROR or NXDOMAIN, so the RCODE is made one.
    """
    question = question_of(wire)
    if question is None:
        return None
    wire = wire[:3] + bytes([wire[3] & 0xF0 | (3 if wire[3] & 1 else 0)]) + wire[4:]
    rrtype = RRTYPES.get(question.code) or list(RRType)[question.code % len(RRType)]
    found = decoded(wire, question, rrtype)
    claim = claim_of(found)
    expected = _expected(wire, question, rrtype)
    if expected is None:
        assert claim.outcome is Outcome.MALFORMED, f"dnspython refuses it, yet we say {found}"
    elif is_ambiguous(wire, question):
        _hold_to_message(claim, wire, question, rrtype)
    elif claim.outcome is Outcome.MALFORMED:
        assert not is_whole(wire), f"dnspython reads all of it: {expected}"
    elif expected.outcome is Outcome.CNAME_LOOP:
        assert claim.outcome is Outcome.CNAME_LOOP, f"a loop, yet we say {found}"
    else:
        assert claim == expected, f"dnspython reads {expected}, we say {claim}"
    return found


def _expected(wire: bytes, question: Question, rrtype: RRType) -> Reading | None:
    try:
        return read_reference(wire, question, rrtype)
    except Malformed:
        return None


def is_whole(wire: bytes) -> bool:
    """True when dnspython reads the message to its end."""
    try:
        dns.message.from_wire(wire, ignore_trailing=True)
    except (dns.exception.DNSException, ValueError):
        return False
    return True


def _hold_to_message(claim: Reading, wire: bytes, question: Question, rrtype: RRType) -> None:
    """Where any of several CNAMEs may be taken, the records must still be the end's own."""
    if claim.outcome is not Outcome.FOUND or rrtype is RRType.CNAME:
        return
    end = question._replace(name=claim.chain[-1]) if claim.chain else question
    expected = read_reference(wire, end, rrtype)
    assert claim.records == expected.records, f"{end.name} has {expected}, we say {claim}"
