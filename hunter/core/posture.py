"""Posture A to F: how well a domain protects its name in mail. A talking point, no score by itself."""

from __future__ import annotations

from hunter.core.answers import Answer, RRType
from hunter.core.case import Case
from hunter.core.score import Fact
from hunter.core.seen import proof
from hunter.core.sender import DmarcView, SpfView

#: applied DMARC policies that keep forged mail out of the inbox
ENFORCED = frozenset({"reject", "quarantine"})
#: findings of a record that somebody meant and receivers do not read
_FAULTY_DMARC = frozenset({"dmarc_like_record_ignored", "dmarc_dangling_cname"})
_WEAK_ALL = frozenset({"", "?", "+"})
#: placements of names behind which nobody sells mail: how they protect it is no talking point
_NO_POSTURE = frozenset({"parked", "parked_name", "for_sale", "defensive", "consumer"})


def spf_gap(spf: SpfView, txt: Answer | None) -> str:
    """What is wrong with the SPF record in words, "" when it protects or is not known."""
    if txt is None or not txt.outcome.is_known:
        return ""
    if not spf.record:
        return "there is none"
    if spf.all == "+":
        return "it allows everybody (+all)"
    if spf.is_broken:
        return "receivers must ignore it, because it is faulty"
    if spf.all in _WEAK_ALL and not spf.redirect:
        return "it ends without a decision"
    return ""


def dmarc_gap(dmarc: DmarcView) -> str:
    """Why no DMARC policy is enforced in words, "" when one is or when that is not known."""
    if dmarc.policy in ENFORCED or dmarc.policy == "unknown":
        return ""
    codes = {each.code for each in dmarc.findings}
    if "dmarc_multiple_records" in codes:
        return "there are several records, so receivers ignore them all"
    if dmarc.policy == "none":
        return "it is in test mode" if "dmarc_test_mode" in codes else "the policy is none"
    if _FAULTY_DMARC & codes or any(each.record for each in dmarc.evidence):
        return "the record is faulty, so receivers ignore it"
    return "there is no record"


def grade(
    spf: SpfView,
    txt: Answer | None,
    dmarc: DmarcView,
    *,
    has_key: bool,
    is_transport_broken: bool = False,
) -> str | None:
    """A to F; None while SPF or DMARC is not known.

    F: neither SPF nor DMARC, or SPF that allows everybody. E: one of the two. D: both, nothing
    enforced, nobody watching (no reports) or SPF without effect. C: both, reports wanted, nothing
    enforced. B: DMARC quarantine or reject with SPF that works. A: reject, a DKIM key seen, and
    nothing proved broken of what should protect mail on its way (DNSSEC, DANE, MTA-STS).
    A DKIM key that was not found never costs: selectors cannot be listed. Nor does transport
    security that is not there or was not asked for: only one that was set up and fails.
    """
    if txt is None or not txt.outcome.is_known or dmarc.policy == "unknown":
        return None
    has_spf = bool(spf.record)
    has_dmarc = dmarc.policy != "absent"
    if spf.all == "+" or not (has_spf or has_dmarc):
        return "F"
    if not (has_spf and has_dmarc):
        return "E"
    works = not spf_gap(spf, txt)
    if dmarc.policy in ENFORCED and works:
        is_best = dmarc.policy == "reject" and has_key and not is_transport_broken
        return "A" if is_best else "B"
    return "C" if works and (dmarc.has_reports or dmarc.policy in ENFORCED) else "D"


def add_posture(case: Case) -> None:
    """What is weak about SPF and DMARC, where mail is received."""
    facts, seen, dmarc = case.facts, case.seen, case.dmarc
    if seen.mail is None or not seen.mail.hosts or not _NO_POSTURE.isdisjoint(facts):
        return
    unprotected = dmarc_gap(dmarc)
    if unprotected:
        facts["dmarc_not_enforced"] = Fact(dmarc.evidence, unprotected)
    txt = seen.survey.get(RRType.TXT)
    gap = spf_gap(seen.spf, txt)
    if gap and txt is not None:
        facts["spf_gap"] = Fact((proof(txt, seen.spf.record),), gap)
