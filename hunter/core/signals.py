"""A survey read once: signals in three states, traces of products, and what bears on the mailboxes."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hunter.core.answers import Answer, Outcome, RRType, Survey
from hunter.core.autodiscover import read_autodiscover
from hunter.core.dkim import SelectorState, read_selector
from hunter.core.facts import NameServers, Rules, SignalRow
from hunter.core.identity import EXCHANGE, GOOGLE, MICROSOFT
from hunter.core.judgement import MAX_EVIDENCE, Evidence, Signal, State
from hunter.core.provider import Mail, family_of, holds_mailboxes, read_mx
from hunter.core.seen import Key, Seen, is_silent, proof, signal_of, targets_of
from hunter.core.sender import read_spf
from hunter.core.suffixes import registrable_domain
from hunter.core.wildcard import WILDCARD, WILDCARD_KEY, same_answer, without_wildcards

#: <label>._domainkey.<tenant>.onmicrosoft.com and <label>._domainkey.<tenant>.<part>.dkim.mail.microsoft
_DKIM_TARGET = re.compile(
    r"[a-z0-9]+-(?P<label>[a-z0-9-]+)\._domainkey\.(?P<tenant>[a-z0-9-]+)"
    r"\.(?:onmicrosoft\.com|onmicrosoft\.us|partner\.onmschina\.cn|[a-z0-9-]+-v\d+\.dkim\.mail\.microsoft)"
)
_MX_LABEL = re.compile(r"(?P<label>[a-z0-9-]{1,63})\.(?:mail\.protection\.|[a-z0-9-]+-v\d+\.mx\.)")
_DOMAINKEY = "._domainkey"
#: relations of products that prove a mailbox at Microsoft, or at Microsoft or Google
_ADDONS = {"m365_confirming": (MICROSOFT,), "m365_or_google_confirming": (MICROSOFT, GOOGLE)}

#: read once: at each use Python 3.11 takes longer for Enum.MEMBER than for a dictionary
_PRESENT, _ABSENT, _UNKNOWN = State.PRESENT, State.ABSENT, State.UNKNOWN
_MX, _TXT, _NS, _A = RRType.MX, RRType.TXT, RRType.NS, RRType.A
#: one silence leaves a signal open, one record settles it
_RANK = {_PRESENT: 2, _UNKNOWN: 1, _ABSENT: 0}

#: somebody published a key here, a good one or not
_KEY_STATES = frozenset({SelectorState.VALID, SelectorState.INVALID, SelectorState.UNUSABLE})

#: a selector this long that begins its operator's id is called after it
_NAME_LENGTH = 4


def read_survey(survey: Survey, rules: Rules) -> Seen:
    """Everything a survey shows, in an order that does not depend on the order of records."""
    survey = without_wildcards(survey)
    mx = survey.get(_MX)
    txt = survey.get(_TXT)
    mail = None
    records = () if mx is None else tuple(sorted(mx.records))
    if mx is not None and mx.outcome is Outcome.FOUND:
        mail = read_mx(mx, survey.domain, rules, survey.lookup)
    seen = Seen(
        survey=survey,
        mx=mx,
        mail=mail,
        mx_records=records,
        mx_evidence=_mx_evidence(mx, records, mail),
        spf=read_spf(survey),
        signals={},
        proved={},
        silent={},
        traces={},
        keys=[],
        ns=(),
    )
    _read_txt(seen, txt, rules)
    _read_signals(seen, rules)
    _read_names(seen, rules)
    _read_mail(seen, rules)
    _read_spf(seen, txt, rules)
    read_autodiscover(seen, rules)
    _read_nameservers(seen, rules)
    _weigh_signals(seen)
    return seen


def _mx_evidence(
    mx: Answer | None, records: tuple[str, ...], mail: Mail | None
) -> tuple[Evidence, ...]:
    """The MX records, and where hosts of no known name lead; the bare answer without any."""
    if mx is None:
        return ()
    found = [proof(mx, record) for record in records[:MAX_EVIDENCE]]
    if mail is not None:
        found += [proof(answer, target) for answer, target in mail.aliases]
    return tuple(found) or (proof(mx),)


def _trace(seen: Seen, product: str, how: str, evidence: Evidence) -> None:
    seen.traces.setdefault(product, []).append((how, evidence))


def _read_txt(seen: Seen, txt: Answer | None, rules: Rules) -> None:
    """Tokens of the domain's own TXT records, trimmed and without case."""
    if txt is None:
        return
    for record in sorted(txt.records) if len(txt.records) > 1 else txt.records:
        text = record.strip().lower()
        if text.startswith("v=spf1"):
            continue
        meaning = rules.tokens.find(text)
        if meaning is None:
            continue
        kind, row = meaning
        if kind == "signal":
            seen.signals.setdefault(row, signal_of(txt, record, record.strip()))
            product = rules.signals[row].product
            if product:
                _trace(seen, product, "txt", proof(txt, record))
        elif kind == "product":
            _trace(seen, row, "txt", proof(txt, record))


def _read_signals(seen: Seen, rules: Rules) -> None:
    """The signals of the table, from every question of theirs that was asked."""
    answers, domain = seen.survey.answers, seen.survey.domain
    for row in rules.signals.values():
        if row.id in seen.signals:
            continue
        found: Signal | None = None
        for label, before, after in row.ask:
            answer = answers.get(before + domain + after)
            if answer is None:
                continue
            record = ""
            # tokens of the domain itself, which has no label, were read before
            if label and (answer.records or answer.chain):
                record = _record_at(label, answer, row, rules)
            here = seen.signal(answer, record)
            if found is None or _outranks(here, found):
                found = here
        if found is not None:
            seen.signals[row.id] = found


def _record_at(label: str, answer: Answer, row: SignalRow, rules: Rules) -> str:
    """The record or name of an answer that shows a signal, "" without one."""
    if row.targets is not None:
        return next((each for each in targets_of(answer) if row.targets.find(each)), "")
    index = rules.label_tokens[label]
    return next((each for each in sorted(answer.records) if index.find(each.strip().lower())), "")


def _outranks(new: Signal, old: Signal) -> bool:
    """Present beats unknown beats absent: one silence leaves the whole signal open."""
    return _RANK[new.state] > _RANK[old.state]


def _read_names(seen: Seen, rules: Rules) -> None:
    """CNAME targets below the domain, DKIM selectors among them."""
    suffix = "." + seen.survey.domain
    key_suffix = _DOMAINKEY + suffix
    # an answer that proves an absence names nobody
    below = [
        (question, each)
        for question, each in seen.survey.answers.items()
        if (each.records or each.chain or not each.outcome.is_known) and each.name.endswith(suffix)
    ]
    below.sort()
    probe = seen.survey.get(_TXT, WILDCARD_KEY)
    for _, answer in below:
        if answer.name.startswith(WILDCARD):
            continue
        is_key = answer.name.endswith(key_suffix)
        if is_key and probe is not None and same_answer(answer, probe):
            continue
        for target in targets_of(answer):
            product = rules.product_cname.find(target)
            if product is not None:
                _trace(seen, product, "dkim" if is_key else "cname", proof(answer, target))
        if is_key:
            _read_key(seen, answer, answer.name.removesuffix(key_suffix), rules)


def _read_key(seen: Seen, answer: Answer, selector: str, rules: Rules) -> None:
    row = rules.selectors.get(selector)
    operator = family_of(row.operator, rules) if row is not None else ""
    if not answer.outcome.is_known and not answer.chain:
        if holds_mailboxes(operator, rules):
            seen.doubt(operator, "dkim")
        return
    found = read_selector(answer, seen.survey.domain)
    targets = targets_of(answer)
    text = next(iter(sorted(answer.records)), "") if answer.rrtype is _TXT else ""
    if found.state not in {SelectorState.NOT_FOUND, SelectorState.UNKNOWN}:
        is_valid = found.state is SelectorState.VALID
        evidence = proof(answer, text or found.target)
        seen.keys.append(Key(selector, is_valid, evidence, found.findings))
    for target in targets:
        owner = rules.dkim.find(target)
        if owner is not None:
            seen.prove_owner(owner, "dkim", proof(answer, target), rules)
        match = _DKIM_TARGET.fullmatch(target)
        if match is not None:
            seen.tenant_name = seen.tenant_name or match["tenant"]
            seen.eop_labels += ((match["label"], proof(answer, target)),)
    # a TXT key names nobody, unless the selector is called after its operator: google, zoho
    word = selector.rstrip("0123456789")
    is_named = len(word) >= _NAME_LENGTH and operator.startswith(word)
    if found.state in _KEY_STATES and not targets and is_named:
        seen.prove_owner(operator, "dkim", proof(answer, text), rules)


def _read_mail(seen: Seen, rules: Rules) -> None:
    """Signals and features of the MX records."""
    mx = seen.mx
    if mx is None:
        return
    hosts = seen.mail.hosts if seen.mail is not None else ()
    microsoft = [host.host for host in hosts if family_of(host.operator, rules) == MICROSOFT]
    seen.signals["mx_microsoft"] = _named_in(seen, mx, microsoft)
    proofs = seen.mail.proofs if seen.mail is not None else ()
    seen.signals["mx_proof"] = _named_in(seen, mx, proofs)
    for name in microsoft:
        match = _MX_LABEL.match(name)
        if match is not None:
            seen.eop_labels += ((match["label"], proof(mx, _record_of(seen, name))),)
    for answer, target in seen.mail.aliases if seen.mail is not None else ():
        owner = rules.mx.find(target)
        if owner is not None:
            seen.prove_owner(owner, "mx_target", proof(answer, target), rules)
    for host in hosts:
        if host.operator not in rules.providers:
            address = seen.survey.lookup(host.host, _A)
            if address is not None and is_silent(address) and not _leads_to_owner(address, rules):
                seen.doubt(MICROSOFT, "mx_target")


def _leads_to_owner(answer: Answer, rules: Rules) -> bool:
    return any(rules.mx.find(target) is not None for target in answer.chain)


def _named_in(seen: Seen, mx: Answer, hosts: Sequence[str]) -> Signal:
    """Present with the MX record of the first of these hosts; else absent or unknown."""
    if not hosts:
        return seen.signal(mx)
    return signal_of(mx, _record_of(seen, hosts[0]), hosts[0])


def _record_of(seen: Seen, host: str) -> str:
    """The MX record of a host, "" when there is none."""
    return next((each for each in seen.mx_records if _exchange(each) == host), "")


def _exchange(record: str) -> str:
    """The host of an MX record, as `hunter.core.mx` reads it."""
    return record.strip().rpartition(" ")[2].lower().removesuffix(".")


def _read_spf(seen: Seen, txt: Answer | None, rules: Rules) -> None:
    """Who may send for the domain: first level, the company's own choice."""
    if txt is None:
        return
    spf = seen.spf
    names: dict[str, str] = {}
    for record, target in spf.targets:
        owner = rules.spf.find(target)
        if owner is not None:
            family = family_of(owner, rules)
            names.setdefault(family, record)
            seen.prove_owner(owner, "spf", proof(txt, record), rules)
        product = rules.product_spf.find(target)
        if product is not None:
            _trace(seen, product, "spf", proof(txt, record))
    for name, suite in (("spf_microsoft", MICROSOFT), ("spf_google", GOOGLE)):
        record = names.get(suite, "")
        if not record and spf.is_hidden and txt.outcome.is_known:
            # macros and redirects hide who sends: neither a yes nor a no
            seen.signals[name] = Signal(_UNKNOWN, "", (proof(txt, spf.record),))
        else:
            seen.signals[name] = seen.signal(txt, record)
    if not txt.outcome.is_known:
        for suite in (MICROSOFT, GOOGLE):
            seen.doubt(suite, "spf")
        seen.doubt(MICROSOFT, "addon")
        seen.doubt(GOOGLE, "account")
        seen.doubt(EXCHANGE, "federation")


def _read_nameservers(seen: Seen, rules: Rules) -> None:
    """Name servers: a signal of their own, the traces of cloud products, and the DNS host."""
    answer = seen.survey.get(_NS)
    if answer is None:
        return
    known = rules.recalled.name_servers
    found = known.get(answer.records) or known.keep(
        answer.records, _name_servers(answer.records, rules)
    )
    seen.ns = found.hosts
    seen.signals["ns"] = signal_of(answer, seen.ns[0] if seen.ns else "", found.owners)
    for product, host in found.products:
        _trace(seen, product, "ns", proof(answer, host))


def _name_servers(records: tuple[str, ...], rules: Rules) -> NameServers:
    hosts = tuple(sorted(records)[:MAX_EVIDENCE])
    owners = sorted({dns_host(each, rules) for each in hosts})
    products = []
    for host in hosts:
        product = rules.product_ns.find(host)
        if product is None:
            match = rules.product_ns_pattern.search(host)
            if match is not None and match.lastindex is not None:
                product = rules.product_ns_pattern_ids[match.lastindex - 1]
        if product is not None:
            products.append((product, host))
    return NameServers(hosts, " ".join(owners), tuple(products))


def dns_host(host: str, rules: Rules) -> str:
    """Who runs a name server: table id, else its registrable domain."""
    return rules.ns.find(host) or registrable_domain(host) or host


def _weigh_signals(seen: Seen) -> None:
    """Turn table signals and add-on products into features of the identity model."""
    signals = seen.signals
    for name, suite, feature in (
        ("autodiscover_microsoft", MICROSOFT, "autodiscover"),
        ("google_account", GOOGLE, "account"),
        ("exchange_federation", EXCHANGE, "federation"),
    ):
        signal = signals.get(name)
        if signal is not None and signal.state is _PRESENT:
            seen.prove(suite, feature, signal.evidence)
        elif signal is not None and signal.state is _UNKNOWN:
            seen.doubt(suite, feature)
    for name, suite in (("dkim_microsoft", MICROSOFT), ("dkim_google", GOOGLE)):
        found = seen.proved.get(suite, {}).get("dkim")
        if found is not None:
            signals[name] = Signal(_PRESENT, found[0].record, found)


def mark_addons(seen: Seen, rules: Rules) -> None:
    """Signature and security add-ons prove a mailbox at Microsoft or Google."""
    for product, traces in seen.traces.items():
        for suite in _ADDONS.get(rules.products[product].relation, ()):
            seen.prove(suite, "addon", (traces[0][1],))
