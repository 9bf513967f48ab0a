"""The DMARC policy that applies to a name: the DNS tree walk of RFC 9989 section 4.10."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Final

import msgspec

from hunter.core.answers import Answer, Outcome, RRType
from hunter.core.dmarc import Dmarc, Policy, is_dmarc, looks_like_dmarc, parse_dmarc
from hunter.core.judgement import Finding
from hunter.core.suffixes import is_public_suffix, registrable_domain

#: one question to DNS; None means that it was not asked
Lookup = Callable[[str, RRType], Answer | None]

#: between a domain and the host that gets its reports (RFC 9990 section 4)
REPORT_LABELS: Final = "._report._dmarc."
#: labels a walk starts from after the name itself
_MAX_LABELS: Final = 7
#: questions that show whether a name exists at all
_EXISTENCE: Final = (RRType.MX, RRType.TXT, RRType.NS, RRType.A)


class DmarcState(StrEnum):
    """Whether a policy applies."""

    FOUND = "found"
    #: proved that none applies, or the record asks for nothing usable
    ABSENT = "absent"
    #: a question that decides was not answered
    UNKNOWN = "unknown"


class DmarcPosture(msgspec.Struct, frozen=True, gc=False):
    """The policy for one name, with the walk that found it."""

    domain: str
    state: DmarcState
    #: name whose record applies, None without one
    policy_domain: str | None
    org_domain: str
    #: the record that applies, or the broken one at the name itself
    record: Dmarc | None = None
    #: the organisational domain's own record, None without one or when it was not found out
    org_record: Dmarc | None = None
    #: what applies to the name, before test mode
    policy: Policy | None = None
    #: after `t=y`: what receivers do
    effective: Policy | None = None
    #: what a reader of RFC 7489 applies (public suffix list, no np, no t), with its `pct`
    rfc7489_policy: Policy | None = None
    rfc7489_pct: int = 100
    #: names asked, in order
    queries: tuple[str, ...] = ()
    #: False when a question of the walk was not asked
    complete: bool = True
    findings: tuple[Finding, ...] = ()


def walk_names(domain: str) -> list[str]:
    """The names whose `_dmarc` record is asked, at most 8, the name itself first."""
    labels = domain.split(".")
    parents = labels[-_MAX_LABELS:] if len(labels) > _MAX_LABELS else labels[1:]
    above = [".".join(parents[cut:]) for cut in range(len(parents))]
    return [domain, *above]


def discover(domain: str, lookup: Lookup) -> DmarcPosture:
    """Find the policy for `domain` (canonical A-labels). Pure: all DNS comes from `lookup`.

    A failed question leaves the name's own record valid and makes an inherited policy unknown.
    One that was not asked does the same unless it is about a public suffix, where records are
    rare: then the answer stands and `complete` is False.
    """
    walk = _Walk(domain, lookup)
    walk.climb()
    return walk.posture()


class _Walk:
    """What was collected on the way up."""

    def __init__(self, domain: str, lookup: Lookup) -> None:
        self._domain = domain
        self._lookup = lookup
        self.records: dict[str, Dmarc] = {}
        self.queries: list[str] = []
        self.findings: list[Finding] = []
        self.failed = False
        self.complete = True
        self.org: str | None = None

    def climb(self) -> None:
        """Ask upwards until psd says stop (section 4.10, steps 1 to 7)."""
        for name in walk_names(self._domain):
            record = self._ask(name)
            if record is not None:
                self.records[name] = record
                if record.psd == "n":
                    self.org = name
                    return
                if record.psd == "y":
                    self.org = self._below(name)
                    return

    def _below(self, suffix: str) -> str:
        """The name one label below a suffix, which the walk may have leapt over (section 4.10.2)."""
        above = self._domain.removesuffix(suffix).removesuffix(".")
        return f"{above.rpartition('.')[2]}.{suffix}" if above else suffix

    def _ask(self, name: str) -> Dmarc | None:
        question = f"_dmarc.{name}"
        self.queries.append(question)
        answer = self._lookup(question, RRType.TXT)
        if answer is None or not answer.outcome.is_known:
            self.complete = False
            if answer is not None or not is_public_suffix(name):
                self.failed = True
            return None
        if answer.outcome.is_absent and answer.chain:
            self.findings.append(
                Finding.of("dmarc_dangling_cname", question=question, target=answer.chain[-1])
            )
        return self._choose(question, answer)

    def _choose(self, question: str, answer: Answer) -> Dmarc | None:
        """The one DMARC record among a name's TXT records; several are all discarded."""
        found = [text for text in answer.records if is_dmarc(text)]
        if len(found) == len(answer.records) == 1:
            return parse_dmarc(found[0])  # as it should be: nothing to tell
        for text in answer.records:
            if looks_like_dmarc(text) and not is_dmarc(text):
                self.findings.extend(parse_dmarc(text).findings)
        if found and len(found) < len(answer.records):
            self.findings.append(Finding.of("dmarc_foreign_txt", question=question))
        if len(found) > 1:
            several = Finding.of("dmarc_multiple_records", question=question, count=len(found))
            self.findings.append(several)
        return parse_dmarc(found[0]) if len(found) == 1 else None

    def _org_domain(self) -> str:
        """The collected record with the fewest labels; without any, the name as registered."""
        if self.org is not None:
            return self.org
        if self.records:
            return min(self.records, key=lambda name: name.count("."))
        return registrable_domain(self._domain) or self._domain

    def posture(self) -> DmarcPosture:
        org = self._org_domain()
        holder = self._policy_domain(org)
        record = None if holder is None else self.records[holder]
        own = holder == self._domain
        if self.failed and not own:
            return self._result(DmarcState.UNKNOWN, org)
        if record is None:
            self._note_apex()
            return self._result(DmarcState.ABSENT, org)
        self.findings.extend(record.findings)
        policy = record.policy_for(inherited=not own, exists=own or self._exists())
        if holder is None or policy is None:
            return self._result(DmarcState.ABSENT, org, record=record)
        self._note_reports(holder, org, record)
        self._note_test_mode(record)
        return self._result(
            DmarcState.FOUND, org, record=record, policy_domain=holder, policy=policy
        )

    def _policy_domain(self, org: str) -> str | None:
        """The name's own record, else the organisational domain's, else the suffix's."""
        for name in (self._domain, org):
            if name in self.records:
                return name
        return next((name for name, record in self.records.items() if record.psd == "y"), None)

    def _result(
        self,
        state: DmarcState,
        org: str,
        *,
        record: Dmarc | None = None,
        policy_domain: str | None = None,
        policy: Policy | None = None,
    ) -> DmarcPosture:
        old_policy, pct = self._rfc7489()
        effective = policy
        if policy is not None and record is not None and record.testing:
            effective = policy.softened
        return DmarcPosture(
            domain=self._domain,
            state=state,
            policy_domain=policy_domain,
            org_domain=org,
            record=record,
            org_record=self.records.get(org),
            policy=policy,
            effective=effective,
            rfc7489_policy=old_policy,
            rfc7489_pct=pct,
            queries=tuple(self.queries),
            complete=self.complete,
            findings=tuple(dict.fromkeys(self.findings)) if self.findings else (),
        )

    def _rfc7489(self) -> tuple[Policy | None, int]:
        """The older reading: own record, else the registrable domain's; sp, else p."""
        registered = registrable_domain(self._domain)
        for name in (self._domain, registered):
            record = self.records.get(name) if name else None
            if record is not None and record.is_policy:
                policy = record.p if name == self._domain else (record.sp or record.p)
                return policy, record.pct
        return None, 100

    def _exists(self) -> bool:
        """False only for a proved NXDOMAIN; an empty name exists (section 4.10.1)."""
        answers = (self._lookup(self._domain, rrtype) for rrtype in _EXISTENCE)
        return all(answer is None or answer.outcome is not Outcome.NXDOMAIN for answer in answers)

    def _note_apex(self) -> None:
        apex = self._lookup(self._domain, RRType.TXT)
        if apex is not None and any(is_dmarc(text) for text in apex.records):
            self.findings.append(Finding.of("dmarc_at_apex", domain=self._domain))

    def _note_test_mode(self, record: Dmarc) -> None:
        if record.testing:
            self.findings.append(Finding.of("dmarc_test_mode"))

    def _note_reports(self, holder: str, org: str, record: Dmarc) -> None:
        """External report addresses need the consent of their host (RFC 9990 section 4)."""
        for target in dict.fromkeys(uri.domain for uri in record.rua if uri.scheme == "mailto"):
            if not target or _same_organisation(target, org):
                continue
            question = f"{holder}{REPORT_LABELS}{target}"
            answer = self._lookup(question, RRType.TXT)
            self.queries.append(question)
            if answer is None or not answer.outcome.is_known:
                continue
            if not any(is_dmarc(text) for text in answer.records):
                self.findings.append(
                    Finding.of("dmarc_rua_not_authorised", target=target, question=question)
                )


def _same_organisation(target: str, org: str) -> bool:
    if target == org or target.endswith("." + org):
        return True
    return (registrable_domain(target) or target) == (registrable_domain(org) or org)
