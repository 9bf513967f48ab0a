"""Answers that a wildcard gave: every name gets them, so they say nothing about the name."""

from __future__ import annotations

import msgspec

from hunter.core.answers import Answer, RRType, Survey

#: label under which the answers to a name nobody can have chosen are filed
WILDCARD = "*"
#: the same below _domainkey
WILDCARD_KEY = "*._domainkey"
#: kinds of records whose names are chosen for a purpose
_NAMED = frozenset({RRType.CNAME, RRType.TXT, RRType.SRV})


def without_wildcards(survey: Survey) -> Survey:
    """The survey, with the wildcard's own answer, and no record, wherever a name only shows that.

    An alias that every name below the domain has (RFC 4592) proves no service; the evidence is
    then the wildcard itself. While nobody says whether there is one, no alias is known.
    """
    probe = survey.get(RRType.CNAME, WILDCARD)
    if probe is None:
        return survey
    alias = _alias(probe)
    if not alias and probe.outcome.is_known:
        return survey
    nothing = msgspec.structs.replace(probe, records=(), chain=())
    suffix = "." + survey.domain
    answers = {
        question: nothing
        if answer.name.endswith(suffix)
        and not answer.name.startswith(WILDCARD)
        and _is_common(answer, alias)
        else answer
        for question, answer in survey.answers.items()
    }
    return msgspec.structs.replace(survey, answers=answers)


def _is_common(answer: Answer, alias: str) -> bool:
    """True when a name is, or while the wildcard is not known may be, an alias as all others are."""
    if not alias:
        return answer.rrtype is RRType.CNAME and bool(answer.records)
    return answer.rrtype in _NAMED and _alias(answer) == alias


def _alias(answer: Answer) -> str:
    """The name that the name of an answer is an alias of; "" when it is none."""
    if answer.chain:
        return answer.chain[0]
    return answer.records[0] if answer.rrtype is RRType.CNAME and answer.records else ""


def same_answer(answer: Answer, probe: Answer) -> bool:
    """True when a name answers just as a name nobody can have chosen does."""
    found = {*answer.chain, *answer.records}
    return bool(found) and found == {*probe.chain, *probe.records}
