"""What a domain publishes to protect mail on its way: MTA-STS, TLS-RPT, DNSSEC and DANE, and BIMI and CAA beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

import msgspec

from hunter.core.answers import Answer, PolicyFile, PolicyState, RRType, Survey
from hunter.core.bimi import dmarc_permits_bimi, is_bimi, select_bimi
from hunter.core.caa import CaaPosture, find_caa
from hunter.core.dmarc_walk import DmarcState, discover
from hunter.core.dnssec import Dnssec, DnssecState, read_dnssec
from hunter.core.judgement import Evidence, Finding, Signal, State, quoted
from hunter.core.mta_sts import (
    StsPolicy,
    is_sts_record,
    parse_sts_policy,
    select_sts_record,
    uncovered_hosts,
)
from hunter.core.tlsa import read_dane
from hunter.core.tlsrpt import is_tlsrpt, select_tlsrpt
from hunter.core.wildcard import without_wildcards

#: RFC 8461 section 3.2 wants weeks; below a day a policy protects nobody who mails once a day
_SHORT_AGE_S: Final = 86_400
#: records of one answer that a signal shows
_MAX_SHOWN: Final = 10
_POLICY_PATH: Final = "/.well-known/mta-sts.txt"
_STS, _RPT, _LOGO = "_mta-sts", "_smtp._tls", "default._bimi"


class Transport(msgspec.Struct, gc=False):
    """Signals and findings of one survey; built by `read_transport`, then only read."""

    signals: dict[str, Signal] = {}
    findings: list[Finding] = []

    @property
    def is_broken(self) -> bool:
        """True when a protection was set up and is proved to fail."""
        return any(each.code in _BROKEN for each in self.findings)


#: findings of a protection that senders cannot use, or that loses mail
_BROKEN: Final = frozenset(
    {
        "dnssec_bogus",
        "dane_no_usable_tlsa",
        "mta_sts_multiple_records",
        "mta_sts_invalid_field",
        "mta_sts_invalid_id",
        "mta_sts_record_without_policy",
        "mta_sts_policy_unusable",
        "mta_sts_policy_bad_version",
        "mta_sts_policy_bad_mode",
        "mta_sts_policy_bad_max_age",
        "mta_sts_policy_bad_mx",
        "mta_sts_policy_bad_line",
        "mta_sts_policy_no_mx",
        "mta_sts_policy_too_large",
        "mta_sts_uncovered_mx",
    }
)


def read_transport(survey: Survey, hosts: Sequence[str]) -> Transport:
    """What the survey shows, for a domain with these MX hosts. Nothing where nothing was asked.

    Whoever gave no answer leaves a signal unknown; no finding rests on silence.
    """
    seen = Transport({}, [])
    survey = without_wildcards(survey)
    _read_dnssec(seen, survey, hosts)
    _read_sts(seen, survey, hosts)
    _read_tlsrpt(seen, survey)
    _read_bimi(seen, survey)
    _read_caa(seen, survey)
    return seen


def _read_dnssec(seen: Transport, survey: Survey, hosts: Sequence[str]) -> None:
    if survey.get(RRType.DS) is None:
        return
    dnssec = read_dnssec(survey)
    seen.findings += dnssec.findings
    seen.signals["dnssec"] = _dnssec_signal(dnssec)
    dane = read_dane(survey, hosts, dnssec) if hosts else None
    if dane is not None:
        seen.signals["dane_ready"] = Signal(dane.state, " ".join(dane.hosts), dane.evidence)
        seen.findings += dane.findings


_DNSSEC_STATES: Final = {
    DnssecState.SECURE: State.PRESENT,
    DnssecState.SIGNED: State.PRESENT,
    DnssecState.BOGUS: State.PRESENT,
    DnssecState.INSECURE: State.ABSENT,
    DnssecState.UNKNOWN: State.UNKNOWN,
}


def _dnssec_signal(dnssec: Dnssec) -> Signal:
    """Present where the parent has a DS record; the value says what is known of the signatures."""
    state = _DNSSEC_STATES[dnssec.state]
    value = "" if state is State.UNKNOWN else dnssec.state.value
    return Signal(state, value, dnssec.evidence, dnssec.stale_since)


def _read_sts(seen: Transport, survey: Survey, hosts: Sequence[str]) -> None:
    """MTA-STS: the record is one signal, the policy that makes it work another."""
    answer = survey.get(RRType.TXT, _STS)
    if answer is None:
        return
    record = select_sts_record(answer.records)
    policy = survey.policy
    if record is not None:
        seen.findings += record.findings
    is_valid = record is not None and record.valid
    value = record.id if record is not None else ""
    seen.signals["mta_sts"] = _signal(answer, is_sts_record, is_present=is_valid, value=value)
    if policy is not None:
        parsed = parse_sts_policy(policy.text) if policy.state is PolicyState.FETCHED else None
        seen.signals["mta_sts_policy"] = _policy_signal(survey.domain, policy, parsed)
        if answer.outcome.is_known:
            found = _policy_findings(survey.domain, policy, parsed, hosts, has_record=is_valid)
            seen.findings += found
    elif answer.outcome.is_absent and hosts:
        seen.findings.append(Finding.of("mta_sts_missing", domain=survey.domain))


def _policy_signal(domain: str, policy: PolicyFile, parsed: StsPolicy | None) -> Signal:
    """Present with its mode when senders can use it; absent when it is proved that none can."""
    state = State.ABSENT
    value = ""
    if policy.state is PolicyState.UNKNOWN:
        state = State.UNKNOWN
    elif parsed is not None and parsed.valid:
        state, value = State.PRESENT, parsed.mode
    said = policy.reason or (parsed.mode if parsed is not None else "")
    question = f"https://mta-sts.{domain}{_POLICY_PATH}"
    return Signal(state, value, (Evidence(question, policy.state.value, said),), policy.stale_since)


def _policy_findings(
    domain: str,
    policy: PolicyFile,
    parsed: StsPolicy | None,
    hosts: Sequence[str],
    *,
    has_record: bool,
) -> Iterable[Finding]:
    if policy.state is PolicyState.ABSENT and has_record:
        yield Finding.of("mta_sts_record_without_policy", domain=domain)
    if policy.state is PolicyState.UNUSABLE:
        yield Finding.of("mta_sts_policy_unusable", domain=domain, reason=policy.reason)
    if parsed is None:
        return
    if not has_record:
        yield Finding.of("mta_sts_policy_without_record", domain=domain)
    yield from parsed.findings
    if parsed.valid:
        yield from _coverage(parsed, hosts)


def _coverage(policy: StsPolicy, hosts: Sequence[str]) -> Iterable[Finding]:
    """What a policy that can be read does to this domain's mail (RFC 8461 sections 4.1 and 5)."""
    if policy.mode == "none":
        yield Finding.of("mta_sts_mode_none")
        return
    if policy.mode == "testing":
        yield Finding.of("mta_sts_mode_testing")
    if policy.max_age < _SHORT_AGE_S:
        yield Finding.of("mta_sts_short_max_age", seconds=policy.max_age)
    left_out = ", ".join(uncovered_hosts(policy, hosts))
    if left_out:
        enforced = policy.mode == "enforce"
        yield Finding.of(
            "mta_sts_uncovered_mx" if enforced else "mta_sts_uncovered_mx_testing", hosts=left_out
        )


def _read_tlsrpt(seen: Transport, survey: Survey) -> None:
    answer = survey.get(RRType.TXT, _RPT)
    if answer is None:
        return
    record = select_tlsrpt(answer.records)
    is_valid = record is not None and record.valid
    targets = " ".join(record.targets) if record is not None else ""
    seen.signals["tls_rpt"] = _signal(answer, is_tlsrpt, is_present=is_valid, value=targets)
    if record is not None:
        seen.findings += record.findings
    elif answer.outcome.is_known and _is_protected(seen):
        seen.findings.append(Finding.of("tlsrpt_missing", domain=survey.domain))


def _is_protected(seen: Transport) -> bool:
    """True when a fault of the set-up would lose mail: then somebody should be told of it."""
    named = (seen.signals.get(name) for name in ("mta_sts", "dane_ready"))
    return any(signal is not None and signal.state is State.PRESENT for signal in named)


def _read_bimi(seen: Transport, survey: Survey) -> None:
    answer = survey.get(RRType.TXT, _LOGO)
    if answer is None:
        return
    record = select_bimi(answer.records)
    wants_logo = record is not None and record.valid and not record.declined
    logo = record.logo if record is not None and wants_logo else ""
    seen.signals["bimi"] = _signal(answer, is_bimi, is_present=wants_logo, value=logo)
    if record is None:
        return
    seen.findings += record.findings
    if not wants_logo:
        return
    if not record.certificate:
        seen.findings.append(Finding.of("bimi_no_certificate"))
    policy = discover(survey.domain, survey.lookup)
    if policy.state is not DmarcState.UNKNOWN and not dmarc_permits_bimi(policy):
        seen.findings.append(Finding.of("bimi_dmarc_not_enforced", domain=survey.domain))


def _read_caa(seen: Transport, survey: Survey) -> None:
    answer = survey.get(RRType.CAA)
    if answer is None:
        return
    found = find_caa(survey.domain, survey.lookup)
    seen.signals["caa"] = _caa_signal(survey, found, answer)
    if found.caa is not None:
        seen.findings += found.caa.findings
    elif found.state is State.ABSENT:
        seen.findings.append(Finding.of("caa_missing", domain=survey.domain))


def _caa_signal(survey: Survey, found: CaaPosture, own: Answer) -> Signal:
    """Present with the authorities that may issue; everybody and nobody are said in words."""
    answer = survey.lookup(found.holder, RRType.CAA) if found.holder else own
    issuers = found.caa.issuers() if found.caa is not None else None
    value = "everybody" if issuers is None else " ".join(issuers) or "nobody"
    shown = answer or own
    evidence = _proofs(shown, shown.records)
    return Signal(
        found.state, value if found.state is State.PRESENT else "", evidence, shown.stale_since
    )


def _signal(
    answer: Answer, counts: Callable[[str], bool], *, is_present: bool, value: str
) -> Signal:
    """Present with the record that counts; else absent or unknown, as the answer says."""
    if not is_present:
        state = State.ABSENT if answer.outcome.is_known else State.UNKNOWN
        return Signal(state, "", _proofs(answer, answer.records), answer.stale_since)
    records = [text for text in answer.records if counts(text)]
    return Signal(State.PRESENT, value, _proofs(answer, records), answer.stale_since)


def _proofs(answer: Answer, records: Iterable[str]) -> tuple[Evidence, ...]:
    """The answer as evidence, with the first of these records."""
    shown = sorted(records)[:_MAX_SHOWN] or [""]
    return tuple(Evidence(answer.question, answer.outcome.value, quoted(text)) for text in shown)
