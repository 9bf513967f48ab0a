"""SPF and DMARC as judging needs them: who may send, what is enforced, what is wrong."""

from __future__ import annotations

from functools import lru_cache

import msgspec

from hunter.core.answers import Answer, Depth, RRType, Survey
from hunter.core.dmarc import Dmarc, Policy
from hunter.core.dmarc_walk import DmarcState, discover
from hunter.core.judgement import Evidence, Finding, quoted
from hunter.core.spf import SpfState, has_macro, select_spf
from hunter.core.spf_walk import walk_spf
from hunter.core.wildcard import without_wildcards

#: mechanisms whose value names a sender
_NAMING = frozenset({"include", "a", "exists"})
#: more characters of SPF than this are not remembered
_LONG_TEXT = 1024


class SpfView(msgspec.Struct, frozen=True, gc=False):
    """The SPF of a domain, first level: what the company itself chose."""

    #: the record, "" without one; the first in order when there are several
    record: str = ""
    #: (record, name) of every include:, a:, exists: and redirect= target without macros
    targets: tuple[tuple[str, str], ...] = ()
    #: addresses of ip4: and ip6:, as written
    addresses: frozenset[str] = frozenset()
    #: True when macros or a redirect to a name of no known provider hide who may send
    is_hidden: bool = False
    #: qualifier of `all`: "-", "~", "?" or "+"; "" without one
    all: str = ""
    #: True when receivers must ignore the record (RFC 7208 section 4.6)
    is_broken: bool = False
    #: target of redirect=, "" without one
    redirect: str = ""
    findings: tuple[Finding, ...] = ()


class DmarcView(msgspec.Struct, frozen=True, gc=False):
    """The DMARC policy that holds for a domain."""

    #: reject, quarantine, none, absent or unknown: what receivers apply
    policy: str = "unknown"
    #: True when aggregate reports are asked for
    has_reports: bool = False
    #: domains of the report addresses; local parts are never kept
    report_domains: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    findings: tuple[Finding, ...] = ()


def read_spf(survey: Survey) -> SpfView:
    """The SPF among the TXT records of a domain; at full depth with the findings of the whole tree."""
    txt = survey.get(RRType.TXT)
    if txt is None or not txt.outcome.is_known:
        return SpfView()
    records = tuple(sorted([text for text in txt.records if "spf" in text.lower()]))
    view = _known_view(records) if sum(map(len, records)) <= _LONG_TEXT else _first_level(records)
    findings = view.findings
    if not view.record:
        findings = findings or (Finding.of("spf_missing", domain=survey.domain),)
    elif survey.depth is Depth.FULL:
        found = walk_spf(survey.domain, survey.lookup).findings
        findings = tuple(dict.fromkeys((*findings, *found)))
    return view if findings is view.findings else msgspec.structs.replace(view, findings=findings)


def _first_level(records: tuple[str, ...]) -> SpfView:
    """What the records of one name say without any other name."""
    choice = select_spf(records)
    if not choice.records:
        return SpfView(findings=choice.findings)
    targets: list[tuple[str, str]] = []
    addresses: set[str] = set()
    is_hidden = False
    for record in choice.records:
        named = [term.value for term in record.mechanisms if term.name in _NAMING and term.value]
        for value in [*named, record.redirect] if record.redirect else named:
            if has_macro(value):
                is_hidden = True
            else:
                targets.append((record.text, value.lower().rstrip(".")))
        addresses.update(term.value for term in record.mechanisms if term.name.startswith("ip"))
    findings = choice.findings + tuple(each for r in choice.records for each in r.findings)
    first = choice.records[0]
    return SpfView(
        record=first.text,
        targets=tuple(targets),
        addresses=frozenset(addresses),
        is_hidden=is_hidden,
        all=first.all or "",
        is_broken=choice.state is SpfState.PERMERROR,
        redirect=first.redirect or "",
        findings=tuple(dict.fromkeys(findings)),
    )


#: customers of one provider publish the same record; long ones are rarely alike
_known_view = lru_cache(maxsize=2048)(_first_level)


def read_dmarc(survey: Survey) -> DmarcView:
    """The policy that holds for the domain, its own or one found up the tree (RFC 9989)."""
    survey = without_wildcards(survey)
    own = survey.get(RRType.TXT, "_dmarc")
    if own is None:
        return DmarcView()
    found = discover(survey.domain, survey.lookup)
    holder = survey.lookup(f"_dmarc.{found.policy_domain}", RRType.TXT) or own
    evidence = (_evidence(holder, found.record),)
    if found.state is DmarcState.UNKNOWN:
        return DmarcView(evidence=evidence, findings=found.findings)
    if found.record is None or found.effective is None:
        missing = Finding.of("dmarc_missing", domain=survey.domain)
        return DmarcView("absent", evidence=evidence, findings=found.findings or (missing,))
    domains = tuple(dict.fromkeys(uri.domain for uri in found.record.rua if uri.domain))
    findings = found.findings
    if found.policy is Policy.NONE:
        findings += (Finding.of("dmarc_policy_none"),)
    if not found.record.rua:
        findings += (Finding.of("dmarc_no_reports"),)
    return DmarcView(found.effective.value, bool(found.record.rua), domains, evidence, findings)


def _evidence(answer: Answer, record: Dmarc | None) -> Evidence:
    return Evidence(
        answer.question, answer.outcome.value, "" if record is None else quoted(record.text)
    )
