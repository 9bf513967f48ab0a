"""What became different about a domain between two observations, where both sides are known."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from typing import Final

import msgspec

from hunter.core import identity
from hunter.core.answers import Answer, RRType, Survey
from hunter.core.dkim import SelectorState, read_selector
from hunter.core.judgement import Judgement, Segment, State
from hunter.core.pending import differing, is_gone
from hunter.core.sender import read_spf
from hunter.core.wildcard import without_wildcards

_MX, _TXT, _NS = RRType.MX, RRType.TXT, RRType.NS
_DOMAINKEY: Final = "._domainkey."
#: what receivers do with mail that fails, weakest first
_STRENGTH: Final = ("none", "quarantine", "reject")
#: Microsoft's MX zone that is signed and has TLSA records for every host
_DANE_ZONE: Final = ".mx.microsoft"
#: a smaller move of the score tells nobody anything
SCORE_NOTIFIES: Final = 10
#: answers at a selector by which nobody can have mail verified; a broken key is still somebody's try
_NO_KEY: Final = frozenset(
    {
        SelectorState.NOT_FOUND,
        SelectorState.PREPARED,
        SelectorState.NOT_DKIM,
        SelectorState.REVOKED,
    }
)


class Kind(StrEnum):
    """What became different. A more telling kind stands in for `mx_changed`."""

    #: other mail hosts; where the mailboxes are did not change or cannot be named
    MX_CHANGED = "mx_changed"
    #: the mailboxes moved
    PROVIDER_CHANGED = "provider_changed"
    #: another filter before the mailboxes, or one where none was
    GATEWAY_CHANGED = "gateway_changed"
    #: mail reaches the mailboxes without the filter of before
    GATEWAY_REMOVED = "gateway_removed"
    SPF_CHANGED = "spf_changed"
    #: a selector with a key came, went, or points elsewhere
    DKIM_CHANGED = "dkim_changed"
    #: the same selector has another key
    DKIM_KEY_ROTATED = "dkim_key_rotated"
    DMARC_ADDED = "dmarc_added"
    DMARC_REMOVED = "dmarc_removed"
    DMARC_STRENGTHENED = "dmarc_strengthened"
    DMARC_WEAKENED = "dmarc_weakened"
    PRODUCT_ADDED = "product_added"
    PRODUCT_REMOVED = "product_removed"
    #: notifies from 10 points
    SCORE_CHANGED = "score_changed"
    SEGMENT_CHANGED = "segment_changed"
    TENANT_STATE_CHANGED = "tenant_state_changed"
    NAMESERVER_CHANGED = "nameserver_changed"
    #: the registration ends within 30 days
    EXPIRE_SOON = "expire_soon"
    #: the registration has ended
    EXPIRED = "expired"
    #: the domain does not exist any more
    DOMAIN_GONE = "domain_gone"
    #: the mail hosts can be reached by DANE now
    DANE_READY = "dane_ready"
    #: other rules, the same records
    RECLASSIFIED = "reclassified"
    #: another fact table, the same records
    FACT_TABLE_EFFECT = "fact_table_effect"
    #: a deciding question went unanswered, for the first time since it was
    OBSERVATION_FAILED = "observation_failed"
    #: too much of what is scanned changes or fails at once: the resolver's doing, for operators
    SCAN_HEALTH_DEGRADED = "scan_health_degraded"


#: never told to a customer
INTERNAL: Final = frozenset(
    {
        Kind.RECLASSIFIED,
        Kind.FACT_TABLE_EFFECT,
        Kind.OBSERVATION_FAILED,
        Kind.SCAN_HEALTH_DEGRADED,
    }
)

#: what somebody who does it well does now and then; told to those who ask for this very kind
_ROUTINE: Final = frozenset({Kind.DKIM_KEY_ROTATED, Kind.DANE_READY})

Judge = Callable[[Survey], Judgement]


class Found(msgspec.Struct, frozen=True):
    """One change; `before` and `after` hold the same fields, each JSON-able."""

    kind: Kind
    before: dict[str, object]
    after: dict[str, object]


class Side(msgspec.Struct, frozen=True):
    """One observation: what was answered and what is concluded from it."""

    survey: Survey
    judgement: Judgement
    #: the same judged by the questions alone that both sides answered
    shared: Judgement


def find_changes(
    before: Survey,
    after: Survey,
    judges: tuple[Judge, Judge],
    *,
    judgement: Judgement | None = None,
    other_rules: bool = False,
) -> list[Found]:
    """The changes from one observation to the next, each judged by its own of `judges`.

    Both judge by the same rules on the same day, and differ in what they know from before. A field
    that only questions of one side decide is no change: full depth after quick, or other selectors
    asked, is new knowledge about the same company. `judgement` is that of `after`, if it was judged;
    `other_rules` says that `before` was asked by another version of them.
    """
    if not differing(before, after):
        return list(_fact_table_effect(before, after)) if other_rules else []
    both = {
        question
        for question, answer in after.answers.items()
        if answer.outcome.is_known
        and (old := before.answers.get(question)) is not None
        and old.outcome.is_known
    }
    sides = []
    for survey, judged, judge in zip((before, after), (None, judgement), judges, strict=True):
        whole = judged or judge(survey)
        known = sum(answer.outcome.is_known for answer in survey.answers.values())
        shared = whole if known == len(both) else judge(_only(survey, both))
        sides.append(Side(without_wildcards(survey), whole, shared))
    return compare(*sides, other_rules=other_rules)


def _only(survey: Survey, questions: set[str]) -> Survey:
    answers = {name: each for name, each in survey.answers.items() if name in questions}
    return msgspec.structs.replace(survey, answers=answers)


def compare(before: Side, after: Side, *, other_rules: bool = False) -> list[Found]:
    """The changes from one side to the other, most telling first. A domain that is gone says only that."""
    if is_gone(after.survey):
        if is_gone(before.survey):
            return []
        mx = before.survey.get(_MX)
        hosts = sorted(mx.records) if mx is not None else []
        return [Found(Kind.DOMAIN_GONE, {"exists": True, "mx": hosts}, {"exists": False, "mx": []})]
    return [
        *_mail(before, after),
        *_tenant(before, after),
        *_spf(before.survey, after.survey),
        *_dkim(before.survey, after.survey),
        *_dmarc(before, after),
        *_products(before, after),
        *_nameservers(before.survey, after.survey),
        *_segment(before, after),
        *_score(before, after),
        *(_fact_table_effect(before.survey, after.survey) if other_rules else ()),
    ]


def _moved(before: Side, after: Side, field: str, *, unknown: object = None) -> bool:
    """True when a field is another one, and is so by what both sides answered."""
    old, new = getattr(before.judgement, field), getattr(after.judgement, field)
    if unknown in {old, new} or old == new:
        return False
    return bool(getattr(before.shared, field) != getattr(after.shared, field))


def _one(
    kind: Kind, field: str, before: object, after: object, **more: tuple[object, object]
) -> Found:
    return Found(
        kind,
        {field: before} | {name: pair[0] for name, pair in more.items()},
        {field: after} | {name: pair[1] for name, pair in more.items()},
    )


def _mail(before: Side, after: Side) -> Iterator[Found]:
    """Where mail goes: the most telling of provider, gateway, DANE and MX."""
    old, new = before.survey.get(_MX), after.survey.get(_MX)
    hosts = _hosts(old), _hosts(new)
    is_moved = is_known(old) and is_known(new) and hosts[0] != hosts[1]
    told = False
    if _moved(before, after, "provider"):
        told = True
        yield _one(
            Kind.PROVIDER_CHANGED,
            "provider",
            before.judgement.provider,
            after.judgement.provider,
            mx=hosts,
        )
    filters = before.judgement.gateway, after.judgement.gateway
    if is_moved and filters[0] != filters[1]:
        if filters[1] is not None:
            told = True
            yield _one(Kind.GATEWAY_CHANGED, "gateway", *filters, mx=hosts)
        elif hosts[1] and not _is_null(hosts[1]):
            told = True
            yield _one(Kind.GATEWAY_REMOVED, "gateway", *filters, mx=hosts)
    if _became_dane_ready(before, after, *hosts):
        told = told or (_is_microsoft(before) and _is_microsoft(after))
        yield _one(Kind.DANE_READY, "dane_ready", False, True, mx=hosts)
    if is_moved and not told:
        yield _one(Kind.MX_CHANGED, "mx", *hosts)


def is_known(answer: Answer | None) -> bool:
    """True for a question that was answered."""
    return answer is not None and answer.outcome.is_known


def _hosts(answer: Answer | None) -> list[str]:
    return sorted(answer.records, key=_preference) if answer is not None else []


def _preference(record: str) -> tuple[int, str]:
    preference, _, host = record.partition(" ")
    return (int(preference) if preference.isascii() and preference.isdigit() else 0, host)


def _is_null(records: list[str]) -> bool:
    return all(record.endswith(" .") for record in records)


def _is_microsoft(side: Side) -> bool:
    return (side.judgement.mx_operator or "").startswith(identity.MICROSOFT)


def _became_dane_ready(before: Side, after: Side, old: list[str], new: list[str]) -> bool:
    """True when TLSA records came, or Microsoft's hosts moved to the zone where all have them."""
    then, now = (side.judgement.signals.get("dane_ready") for side in (before, after))
    if now is not None and now.state is State.PRESENT:
        return then is not None and then.state is State.ABSENT
    if now is not None and now.state is State.ABSENT:
        return False
    return (
        bool(old and new)
        and all(each.endswith(_DANE_ZONE) for each in new)
        and not any(each.endswith(_DANE_ZONE) for each in old)
        and _is_microsoft(before)
    )


def _tenant(before: Side, after: Side) -> Iterator[Found]:
    if _moved(before, after, "tenant_state", unknown="unknown"):
        yield _one(
            Kind.TENANT_STATE_CHANGED,
            "tenant_state",
            before.judgement.tenant_state,
            after.judgement.tenant_state,
        )


def _spf(before: Survey, after: Survey) -> Iterator[Found]:
    if not is_known(before.get(_TXT)) or not is_known(after.get(_TXT)):
        return
    old, new = read_spf(before).record, read_spf(after).record
    if old != new:
        yield _one(Kind.SPF_CHANGED, "spf", old or None, new or None)


def _dkim(before: Survey, after: Survey) -> Iterator[Found]:
    """Selectors asked on both sides; keys that changed in place are told apart."""
    suffix = f"{_DOMAINKEY}{after.domain}"
    changed: dict[str, tuple[object, object]] = {}
    rotated: dict[str, tuple[object, object]] = {}
    for question in differing(before, after):
        old, new = before.answers[question], after.answers[question]
        if not new.name.endswith(suffix) or new.name.startswith("*"):
            continue
        selector = new.name.removesuffix(suffix)
        had, has = (_has_key(each, after.domain) for each in (old, new))
        if had and has and old.chain == new.chain:
            rotated[selector] = _key(old), _key(new)
        elif had or has:
            changed[selector] = _key(old), _key(new)
    for kind, found in ((Kind.DKIM_CHANGED, changed), (Kind.DKIM_KEY_ROTATED, rotated)):
        if found:
            yield Found(
                kind,
                {"selectors": {name: pair[0] for name, pair in sorted(found.items())}},
                {"selectors": {name: pair[1] for name, pair in sorted(found.items())}},
            )


def _has_key(answer: Answer, domain: str) -> bool:
    return read_selector(answer, domain).state not in _NO_KEY


def _key(answer: Answer) -> str | None:
    """What a selector says, short: where it points, or the record itself."""
    if answer.chain:
        return answer.chain[-1] if not answer.records else f"{answer.chain[-1]} {_cut(answer)}"
    return _cut(answer) or None


def _cut(answer: Answer) -> str:
    text = " ".join(sorted(answer.records))
    return text if len(text) <= _KEY_CHARS else f"{text[:_KEY_CHARS]}…{text[-_KEY_TAIL:]}"


#: a key is shown by its beginning and its end: a long one is thousands of characters
_KEY_CHARS: Final = 80
_KEY_TAIL: Final = 12


def _dmarc(before: Side, after: Side) -> Iterator[Found]:
    if not _moved(before, after, "dmarc_policy", unknown="unknown"):
        return
    old, new = before.judgement.dmarc_policy, after.judgement.dmarc_policy
    if old == "absent":
        kind = Kind.DMARC_ADDED
    elif new == "absent":
        kind = Kind.DMARC_REMOVED
    elif _STRENGTH.index(new) > _STRENGTH.index(old):
        kind = Kind.DMARC_STRENGTHENED
    else:
        kind = Kind.DMARC_WEAKENED
    yield _one(kind, "dmarc_policy", old, new)


def _products(before: Side, after: Side) -> Iterator[Found]:
    """Products whose traces came or went; one whose questions were not asked before is no news."""
    old = {product.id: product for product in before.judgement.products}
    new = {product.id: product for product in after.judgement.products}
    for kind, found, others, elsewhere in (
        (Kind.PRODUCT_ADDED, new, old, before.survey),
        (Kind.PRODUCT_REMOVED, old, new, after.survey),
    ):
        for name in sorted(found.keys() - others.keys()):
            questions = [each.question for each in found[name].evidence]
            answered = [is_known(elsewhere.answers.get(each)) for each in questions]
            # one trace answered shows that it is new; that all are gone takes all of them
            if not (any(answered) if kind is Kind.PRODUCT_ADDED else all(answered)):
                continue
            shown = {"product": name, "name": found[name].name, "category": found[name].category}
            nothing: dict[str, object] = dict.fromkeys(shown)
            sides = (nothing, shown) if kind is Kind.PRODUCT_ADDED else (shown, nothing)
            yield Found(kind, dict(sides[0]), dict(sides[1]))


def _nameservers(before: Survey, after: Survey) -> Iterator[Found]:
    old, new = before.get(_NS), after.get(_NS)
    if old is None or new is None or not old.records or not new.records:
        return
    if is_known(old) and is_known(new) and set(old.records) != set(new.records):
        yield _one(Kind.NAMESERVER_CHANGED, "ns", sorted(old.records), sorted(new.records))


def _segment(before: Side, after: Side) -> Iterator[Found]:
    """Judging itself keeps a segment that is too close to call."""
    if _moved(before, after, "segment", unknown=Segment.UNKNOWN):
        yield _one(
            Kind.SEGMENT_CHANGED,
            "segment",
            before.judgement.segment.value,
            after.judgement.segment.value,
            reason=(before.judgement.reason, after.judgement.reason),
        )


def _score(before: Side, after: Side) -> Iterator[Found]:
    """A move of the score that what both sides answered accounts for.

    A large one of which they account for little came of new knowledge, and is none.
    """
    if Segment.UNKNOWN in {before.judgement.segment, after.judgement.segment}:
        return
    if not _moved(before, after, "score"):
        return
    whole, shared = (
        abs(new.score - old.score)
        for old, new in ((before.judgement, after.judgement), (before.shared, after.shared))
    )
    if whole < SCORE_NOTIFIES or shared >= SCORE_NOTIFIES:
        yield _one(
            Kind.SCORE_CHANGED,
            "score",
            before.judgement.score,
            after.judgement.score,
            fit=(before.judgement.fit, after.judgement.fit),
            urgency=(before.judgement.urgency, after.judgement.urgency),
        )


def _fact_table_effect(before: Survey, after: Survey) -> Iterator[Found]:
    """Selectors that another fact table asks for, and that have keys: news to Hunter, not the company's."""
    suffix = f"{_DOMAINKEY}{after.domain}"
    found = {
        answer.name.removesuffix(suffix): _key(answer)
        for question, answer in after.answers.items()
        if answer.name.endswith(suffix)
        and not answer.name.startswith("*")
        and question not in before.answers
        and is_known(answer)
        and _has_key(answer, after.domain)
    }
    if found:
        yield _one(Kind.FACT_TABLE_EFFECT, "selectors", dict.fromkeys(found, "not asked"), found)


def is_told(kind: str, before: Mapping[str, object], after: Mapping[str, object]) -> bool:
    """True for what people want to hear of unasked: neither Hunter's own doing, nor small, nor routine."""
    if kind in INTERNAL or kind in _ROUTINE:
        return False
    if kind != Kind.SCORE_CHANGED:
        return True
    old, new = before.get("score"), after.get("score")
    return isinstance(old, int) and isinstance(new, int) and abs(new - old) >= SCORE_NOTIFIES
