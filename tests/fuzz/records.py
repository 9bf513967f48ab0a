"""One check for every record parser: what its result must be, whatever the record says."""

from __future__ import annotations

import re

from hunter.core.answers import Answer, Depth, Outcome, RRType, survey_of
from hunter.core.bimi import is_bimi, parse_bimi, select_bimi
from hunter.core.caa import CaaRecord, find_caa, parse_caa
from hunter.core.dkim import KeyState, parse_dkim_key, read_selector, rsa_bits, select_dkim_key
from hunter.core.dmarc import Dmarc, Verdict, is_dmarc, parse_dmarc, without_mailboxes
from hunter.core.dnssec import DnssecState, parse_ds, read_dnssec
from hunter.core.judgement import State
from hunter.core.mta_sts import (
    MAX_AGE_S,
    is_sts_record,
    parse_sts_policy,
    parse_sts_record,
    select_sts_record,
    uncovered_hosts,
)
from hunter.core.mx import MAX_HOSTS, MxState, parse_mx
from hunter.core.spf import SpfState, is_spf, parse_spf, select_spf
from hunter.core.tags import Tag, first_of_each, parse_tags
from hunter.core.tlsa import parse_tlsa, parse_tlsa_set
from hunter.core.tlsrpt import is_tlsrpt, parse_tlsrpt, select_tlsrpt
from tests.fuzz.inputs import Zone, record_of, records_of
from tests.fuzz.rules import errors_of, hold, hold_findings

_HOST = "mx.contoso.com"
_STS_ID = re.compile(r"[A-Za-z0-9]{1,32}")


def check_spf(data: bytes) -> None:
    """Several records: each one read, then chosen among."""
    texts = records_of(data)
    for text in texts:
        record = parse_spf(text)
        hold(record, len(data))
        hold_findings(record.findings, len(data), "spf_")
        assert record == parse_spf(record.text)
        assert is_spf(text) == ("spf_not_a_record" not in errors_of(record.findings))
        assert record.mechanisms[: len(record.reached)] == record.reached
        assert all((term.cidr4 or 0) <= 32 for term in record.mechanisms)
        assert all((term.cidr6 or 0) <= 128 for term in record.mechanisms)
        faults = set(errors_of(record.findings)) - {"spf_plus_all"}
        assert (record.state is SpfState.PERMERROR) == bool(faults), faults
    choice = select_spf(texts)
    hold(choice, len(data))
    hold_findings(choice.findings, len(data), "spf_")
    assert len(choice.records) == sum(map(is_spf, texts))
    assert (choice.state is SpfState.ABSENT) == (not choice.records)
    assert choice.state is select_spf(texts[::-1]).state, "the order of records says nothing"


def check_dmarc(data: bytes) -> None:
    """One record, and what is kept of it."""
    text = record_of(data)
    record = parse_dmarc(text)
    hold(record, len(data))
    hold_findings(record.findings, len(data), "dmarc_")
    assert record == parse_dmarc(record.text)
    assert (record.verdict is Verdict.NOT_DMARC) == (not is_dmarc(text))
    assert record.is_policy == (record.p is not None), "a policy and only a policy has p"
    assert 0 <= record.pct <= 100
    assert record.adkim in tuple("rs")
    assert record.aspf in tuple("rs")
    assert record.psd in tuple("ynu")
    for uri in record.rua + record.ruf:
        assert "@" not in uri.domain, "the local part of a mailbox is a person's"
        assert uri.valid or not uri.domain
        assert uri.domain == uri.domain.lower()
    shown = without_mailboxes(text)
    assert len(shown) <= len(text)
    assert without_mailboxes(shown) == shown
    stored = parse_dmarc(shown)
    assert (stored.verdict, stored.p, stored.sp, stored.np, stored.rfc7489_valid) == (
        record.verdict,
        record.p,
        record.sp,
        record.np,
        record.rfc7489_valid,
    ), "what is stored says the same"
    # a web address that looks like a mailbox may lose its host to the mask: the person comes first
    assert _reports(stored) == _reports(record)
    for finding in record.findings:
        for _, value in finding.params:
            assert without_mailboxes(value) == value, finding


def _reports(record: Dmarc) -> list[tuple[str, bool, str]]:
    return [
        (uri.scheme, uri.valid, uri.domain if uri.scheme == "mailto" else "")
        for uri in record.rua + record.ruf
    ]


def check_dkim(data: bytes) -> None:
    """The keys at one selector, and the raw bytes as a key."""
    texts = records_of(data)
    for text in texts:
        key = parse_dkim_key(text)
        hold(key, len(data))
        hold_findings(key.findings, len(data), "dkim_")
        if key.state is KeyState.VALID:
            assert not errors_of(key.findings)
            assert (key.bits or 0) >= 256
        if key.state is KeyState.NOT_DKIM:
            assert key.bits is None
    chosen = select_dkim_key(texts)
    hold(chosen, len(data))
    assert (chosen.state is KeyState.AMBIGUOUS) == (
        sum(parse_dkim_key(text).state is not KeyState.NOT_DKIM for text in texts) > 1
    )
    bits = rsa_bits(data)
    assert bits is None or 0 <= bits <= 8 * len(data)


def check_dkim_selector(data: bytes) -> None:
    """What one selector's answer proves, beside a wildcard's and the parent's."""
    zone = Zone(data)
    asked = [
        zone.lookup(name, RRType.TXT)
        for name in ("s._domainkey.a.net", "x._domainkey.a.net", "_domainkey.a.net")
    ]
    selector = read_selector(asked[0], "a.net", wildcard=asked[1], parent=asked[2])
    hold(selector, len(data))
    hold_findings(selector.findings, len(data), "dkim_")
    known = asked[0] is not None and asked[0].outcome.is_known
    assert (selector.state.value == "unknown") == (not known), "unknown is what nobody answered"


def check_mx(data: bytes) -> None:
    """A set of records; their order says nothing."""
    texts = records_of(data)
    found = parse_mx(texts)
    hold(found, len(data))
    hold_findings(found.findings, len(data), "mx_")
    assert found == parse_mx(sorted(texts)), "the order of records says nothing, twice is once"
    assert len(found.hosts) <= MAX_HOSTS
    assert (found.state is MxState.MX) == bool(found.groups)
    preferences = [group.preference for group in found.groups]
    assert preferences == sorted(set(preferences))
    assert all(list(group.hosts) == sorted(set(group.hosts)) for group in found.groups)
    written = [f"{group.preference} {host}." for group in found.groups for host in group.hosts]
    assert parse_mx(written).groups == found.groups, "what was read can be written and read again"


def check_mta_sts(data: bytes) -> None:
    """Records at `_mta-sts`."""
    texts = records_of(data)
    for text in texts:
        record = parse_sts_record(text)
        hold(record, len(data))
        hold_findings(record.findings, len(data), "mta_sts_")
        assert record.valid == (not record.findings)
        assert bool(_STS_ID.fullmatch(record.id)) == record.valid
        # section 3.1: the grammar allows a blank before the semicolon, the selection does not
        assert is_sts_record(text.replace(" ", "").replace("\t", "")) or not record.valid
    chosen = select_sts_record(texts)
    assert (chosen is None) == (not any(map(is_sts_record, texts)))
    assert chosen is None or not chosen.valid or sum(map(is_sts_record, texts)) == 1


def check_mta_sts_policy(data: bytes) -> None:
    """The policy file, as a web server of somebody else gives it."""
    policy = parse_sts_policy(record_of(data))
    hold(policy, len(data))
    hold_findings(policy.findings, len(data), "mta_sts_")
    assert policy.valid == (not policy.findings)
    if policy.valid:
        assert policy.mode in {"enforce", "testing", "none"}
        assert 0 <= policy.max_age <= MAX_AGE_S
        assert policy.mx or policy.mode == "none"
    hosts = (_HOST, *policy.mx)
    assert set(uncovered_hosts(policy, hosts)) <= set(hosts)
    assert not set(uncovered_hosts(policy, hosts)) & {mx for mx in policy.mx if "*" not in mx}


def check_tlsa(data: bytes) -> None:
    """TLSA records of one host: one that can be used is enough."""
    texts = records_of(data)
    found = parse_tlsa_set(_HOST, texts)
    hold(found, len(data))
    hold_findings(found.findings, len(data), "dane_")
    assert found == parse_tlsa_set(_HOST, texts[::-1]), "the order of records says nothing"
    codes = {finding.code for finding in found.findings}
    assert found.is_usable != ("dane_no_usable_tlsa" in codes)
    for record in found.records:
        assert record.fault is not None or (record.usage in {2, 3} and record.data)
        written = f"{record.usage} {record.selector} {record.matching} {record.data}"
        assert parse_tlsa(written) == record, "what was read can be written and read again"


def check_ds(data: bytes) -> None:
    """DS records of one domain, and what they say about its signatures."""
    texts = records_of(data)
    answer = Answer("contoso.com", RRType.DS, Outcome.FOUND, texts)
    found = read_dnssec(survey_of("contoso.com", Depth.FULL, [answer]))
    hold(found, len(data))
    hold_findings(found.findings, len(data), "dnssec_")
    assert found.state in {DnssecState.SIGNED, DnssecState.INSECURE}, "the AD bit was not trusted"
    for record in found.records:
        written = f"{record.key_tag} {record.algorithm} {record.digest_type} {record.digest}"
        assert parse_ds(written) == record, "what was read can be written and read again"


def check_tlsrpt(data: bytes) -> None:
    """Records at `_smtp._tls`."""
    texts = records_of(data)
    for text in texts:
        record = parse_tlsrpt(text)
        hold(record, len(data))
        hold_findings(record.findings, len(data), "tlsrpt_")
        assert record.valid == (not record.findings) == bool(record.targets)
        assert is_tlsrpt(text) or not record.valid
        assert not any("@" in target for target in record.targets), "a mailbox is a person's"
        assert all(target == target.lower() for target in record.targets)
        stored = parse_tlsrpt(without_mailboxes(text))
        assert not record.valid or stored == record, "what is stored says the same"
    chosen = select_tlsrpt(texts)
    assert (chosen is None) == (not any(map(is_tlsrpt, texts)))
    assert chosen is None or not chosen.valid or sum(map(is_tlsrpt, texts)) == 1


def check_bimi(data: bytes) -> None:
    """Records at `default._bimi`."""
    texts = records_of(data)
    for text in texts:
        record = parse_bimi(text)
        hold(record, len(data))
        hold_findings(record.findings, len(data), "bimi_")
        assert record.valid == (not record.findings)
        assert is_bimi(text) or not record.valid
        assert not (record.declined and record.logo)
        assert record.preference in {"brand", "personal"}
        if record.valid:
            for address in filter(None, (record.logo, record.certificate)):
                assert address.lower().startswith("https://")
                assert len(address.split()) == 1
    chosen = select_bimi(texts)
    assert (chosen is None) == (not any(map(is_bimi, texts)))
    assert chosen is None or not chosen.valid or sum(map(is_bimi, texts)) == 1


def check_caa(data: bytes) -> None:
    """A set of records, and the climb to the set that governs a name."""
    texts = records_of(data)
    found = parse_caa(texts)
    hold(found, len(data))
    hold_findings(found.findings, len(data), "caa_")
    unread = [finding for finding in found.findings if finding.code == "caa_unreadable"]
    assert len(found.records) + len(unread) == len(texts)
    issuers, wild = found.issuers(), found.issuers("issuewild")
    tags = {record.tag for record in found.records}
    assert "issuewild" in tags or wild == issuers, "without issuewild, issue decides"
    assert parse_caa([_written(record) for record in found.records]).records == found.records
    zone = Zone(data)
    posture = find_caa("www.a.net", zone.lookup)
    hold(posture, len(data))
    assert zone.asked <= 3
    assert (posture.state is State.PRESENT) == (posture.caa is not None) == bool(posture.holder)


def _written(record: CaaRecord) -> str:
    pairs = "".join(f";{name}={value}" for name, value in record.parameters)
    return f'{128 * record.critical} {record.tag} "{record.value}{pairs}"'


def check_tags(data: bytes) -> None:
    """A tag list, taken apart and put together again."""
    text = record_of(data)
    tags, broken = parse_tags(text)
    assert len(tags) + len(broken) <= text.count(";") + 1
    for tag in tags:
        hold(tag, len(data))
        assert tag.name == tag.written.lower()
        assert tag.name
        assert tag.value == tag.value.strip(" \t")
        assert "=" not in tag.name
    assert parse_tags(";".join(map(_joined, tags)))[0] == tags
    values, again = first_of_each(tags)
    assert set(again) <= set(values) == {tag.name for tag in tags}


def _joined(tag: Tag) -> str:
    return f"{tag.written}={tag.value}"
