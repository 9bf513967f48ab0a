"""A survey and what was known before, judged: pure, dated by its argument, every word with its record."""

from __future__ import annotations

import datetime as dt
from hashlib import sha256

import msgspec

from hunter.core import identity, provider
from hunter.core.answers import Answer, Depth, Outcome, RRType, Survey
from hunter.core.eop_label import decode_label
from hunter.core.facts import Kind, Role, Rules
from hunter.core.judgement import (
    Axis,
    Evidence,
    Finding,
    History,
    Judgement,
    MailHost,
    Product,
    ScanStatus,
    Segment,
    Signal,
    SignalDates,
    State,
)
from hunter.core.posture import dmarc_gap, grade, spf_gap
from hunter.core.products import find_products
from hunter.core.refusals import NEVER_COMPANIES
from hunter.core.score import Fact, fill, priority, score_lines, total, verdict
from hunter.core.sender import DmarcView, read_dmarc
from hunter.core.signals import (
    Seen,
    is_silent,
    mark_addons,
    not_asked,
    proof,
    read_survey,
    signal_of,
)
from hunter.core.suffixes import registrable_domain

#: read once: at each use Python 3.11 takes longer for Enum.MEMBER than for a dictionary
_PRESENT, _ABSENT, _UNKNOWN = State.PRESENT, State.ABSENT, State.UNKNOWN
_MX, _TXT, _CNAME, _NS = RRType.MX, RRType.TXT, RRType.CNAME, RRType.NS
_NXDOMAIN = Outcome.NXDOMAIN
_FIT, _URGENCY = Axis.FIT, Axis.URGENCY
#: how a facts of placement follows from what an operator means to a seller
_PLACEMENT = {
    Role.COMPETITOR: "mail_competitor_suite",
    Role.BASIC: "mail_hosting",
    Role.HOSTED_EXCHANGE: "mail_hosted_exchange",
    Role.SELF_HOSTED: "mail_self_hosted",
    Role.NO_MAILBOX: "mail_forwarded",
    Role.TRANSACTIONAL: "mail_transactional",
}
#: placements with which a Microsoft tenant would change what to say
_TENANT_MATTERS = frozenset(
    {
        *_PLACEMENT.values(),
        "mail_exchange_onprem",
        "mail_gateway_unseen",
        "mail_mixed",
        "mail_none_likely",
        "mail_unknown_operator",
    }
)
#: signals that prove who owns the name, at some time, and no use of a tenant
_CLAIMS = frozenset({"txt_ms", "mx_proof"})
#: facts of a tenant that earn points for the record that proves it
_TENANT_FACTS = ("tenant_without_mail", "migrating_in", "migrating_out")
#: placements of names behind which nobody sells mail: how they protect it is no talking point
_NO_POSTURE = frozenset({"parked", "parked_name", "defensive", "consumer"})
_MICROSOFT_SERVICES = "existing_microsoft"
_MICROSOFT_SELECTORS = ("selector1._domainkey", "selector2._domainkey")
#: most that an operator counts for that no public data confirms: its own MX proves at least who receives
_UNVERIFIED_MX = 0.75
_UNVERIFIED = 0.5
_CALL_FIRST = 1
#: A record of 64 KiB holds thousands of hosts or faults. A judgement is stored with every scan and
#: shown in lists: it tells the first of them, and the survey has them all
_MAX_MX = 50
_MAX_FINDINGS = 100
#: this many business products make a company that buys software
_BREADTH = 5
#: relations that say nothing about buying software
_NO_BREADTH = ("neutral", "weak_", "existing_", "gateway_present", "m365_")
#: the values a fingerprint covers: no addresses, serials or TTLs, which change by themselves
_FINGERPRINT = frozenset(
    {RRType.MX, RRType.TXT, RRType.NS, RRType.CNAME, RRType.SRV, RRType.CAA, RRType.DS}
)
_FEATURES = {
    "autodiscover": "the autodiscover record",
    "spf": "the SPF entry",
    "dkim": "the DKIM record",
    "mx_target": "where the MX host leads",
    "addon": "the signature or security add-on",
    "account": "the ownership proof",
    "federation": "the Exchange federation proof",
}


#: signals that prove a Microsoft tenant: id → (half a sentence, signal)
TenantSignals = dict[str, tuple[str, Signal]]


class Placement(msgspec.Struct, frozen=True, gc=False):
    """Where the mailboxes are, as far as it shows."""

    mail_state: str
    #: fact of placement, "" while that is open
    fact: str
    evidence: tuple[Evidence, ...]
    what: str = ""
    provider: str | None = None
    confidence: float | None = None
    #: deciding questions that nobody answered
    missing: tuple[Evidence, ...] = ()
    guess: identity.Guess | None = None


def judge(survey: Survey, history: History, rules: Rules, as_of: dt.date) -> Judgement:
    """Everything concluded about a domain on a day; the same input gives the same judgement.

    `survey` is the merged one (`hunter.core.merge`). Answers that nobody gave earn nothing, cost
    nothing and never raise confidence.
    """
    seen = read_survey(survey, rules)
    dmarc = read_dmarc(survey)
    products = find_products(seen, dmarc, rules)
    mark_addons(seen, rules)
    operator = seen.mail.operator if seen.mail is not None else None
    place = _placement(seen, operator, rules)
    facts = _facts_of_placement(seen, place, operator, rules)
    tenant = _tenant_signals(seen, rules)
    state = _tenant_state(seen, place, tenant, history=history, rules=rules, as_of=as_of)
    _add_tenant(facts, seen, state, place, tenant, rules=rules)
    if not tenant:
        _add_silence(facts, seen, state, place, rules)
    _add_products(facts, products, rules)
    _add_posture(facts, seen, dmarc)
    _add_dated(
        facts,
        seen,
        place,
        operator=operator,
        products=products,
        tenant=tenant,
        history=history,
        rules=rules,
        as_of=as_of,
    )
    provider_name = provider.operator_name(place.provider, rules)
    operator_name = provider.operator_name(operator, rules)
    names = {
        "provider": provider_name or "an unknown place",
        "operator": operator_name or "nobody",
    }
    lines = score_lines(facts, rules, names, as_of)
    fit, urgency = total(lines, _FIT), total(lines, _URGENCY)
    row = verdict(facts, rules)
    segment, reason = row.segment, fill(row.sentence, facts, names, as_of)
    if segment is Segment.UNKNOWN and history.segment not in {None, Segment.UNKNOWN}:
        segment = history.segment or segment
        reason = f"Not answered this time, so nothing has changed. {reason}"
    rank = priority(
        rules.priorities,
        facts,
        segment=segment,
        score=fit + urgency,
        urgency=urgency,
        confidence=place.confidence,
    )
    if rank == _CALL_FIRST:
        reason = f"{reason} Call first."
    txt = survey.get(_TXT)
    return Judgement(
        domain=survey.domain,
        provider=place.provider,
        provider_name=provider_name,
        mx_operator=operator,
        mx_operator_name=operator_name,
        gateway=operator if _is_gateway(operator, rules) else None,
        tenant_state=state,
        tenant_name=seen.tenant_name,
        mail_state=place.mail_state,
        local_provider=provider.is_local(place.provider, rules),
        segment=segment,
        priority=rank,
        score=fit + urgency,
        fit=fit,
        urgency=urgency,
        confidence=None if place.confidence is None else round(place.confidence, 3),
        confidence_word=identity.word(place.confidence, rules.identity),
        posture=grade(seen.spf, txt, dmarc, has_key=any(key.is_valid for key in seen.keys)),
        reason=reason,
        mx=_mx_signal(seen),
        mx_hosts=seen.mail.hosts if seen.mail is not None else (),
        spf=_spf_signal(seen, txt),
        dkim=_dkim_signal(seen),
        dmarc_policy=dmarc.policy,
        signals=dict(sorted(seen.signals.items())),
        products=products,
        lines=lines,
        findings=_findings(seen, dmarc),
        would_change=_would_change(place, facts, names, rules, as_of),
        scan_status=_scan_status(seen, operator, facts, rules),
        rules_version=rules.version,
        fingerprint=fingerprint(survey),
    )


def _is_gateway(operator: str | None, rules: Rules) -> bool:
    row = rules.providers.get(operator or "")
    return row is not None and row.kind is Kind.GATEWAY


def _mx_class(operator: str, rules: Rules) -> str:
    """How the MX looks to the identity model."""
    if operator == provider.SELF_HOSTED:
        return "own"
    row = rules.providers.get(operator)
    if row is None:
        return "unknown"
    if row.kind is Kind.GATEWAY:
        return "gateway"
    if row.kind in {Kind.FORWARDING, Kind.TRANSACTIONAL}:
        return "forwarder"
    return "hoster"


def _deciding(seen: Seen, operator: str | None, rules: Rules) -> list[tuple[RRType, str]]:
    """Questions that decide where the mailboxes are."""
    questions = [(_MX, "")]
    if operator is not None and operator not in {provider.MIXED, provider.BROKEN}:
        named = seen.mail is not None and seen.mail.mailboxes
        if not named and _mx_class(operator, rules) in {"own", "unknown", "gateway"}:
            questions += [(_TXT, ""), (_CNAME, "autodiscover")]
    return questions


def _missing(seen: Seen, operator: str | None, rules: Rules) -> tuple[Evidence, ...]:
    """Deciding questions that nobody answered, now or earlier."""
    found = []
    for rrtype, label in _deciding(seen, operator, rules):
        answer = seen.survey.get(rrtype, label)
        if answer is None:
            found.append(not_asked(seen.survey, rrtype, label))
        elif not answer.outcome.is_known:
            found.append(proof(answer))
    return tuple(found)


def _scan_status(
    seen: Seen, operator: str | None, facts: dict[str, Fact], rules: Rules
) -> ScanStatus:
    """OK when every deciding question was answered by this scan, and none that hides a tenant is open."""
    if "tenant_unanswered" in facts:
        return ScanStatus.UNKNOWN
    for rrtype, label in _deciding(seen, operator, rules):
        answer = seen.survey.get(rrtype, label)
        if answer is None or not answer.outcome.is_known or answer.stale_since:
            return ScanStatus.UNKNOWN
    return (
        ScanStatus.UNKNOWN
        if "mx_target" in seen.silent.get(identity.MICROSOFT, ())
        else ScanStatus.OK
    )


def _placement(seen: Seen, operator: str | None, rules: Rules) -> Placement:
    fixed = rules.identity.fixed
    missing = _missing(seen, operator, rules)
    mx = seen.mx
    if mx is None or not mx.outcome.is_known:
        return Placement("unknown", "", missing, missing=missing)
    base = tuple(proof(mx, record) for record in sorted(mx.records)[:_MAX_MX]) or (proof(mx),)
    if mx.outcome is _NXDOMAIN and not mx.chain:
        return Placement(
            "domain_missing", "domain_missing", base, confidence=fixed["domain_missing"]
        )
    if seen.mail is not None and seen.mail.is_null:
        return Placement("no_mail", "null_mx", base, confidence=fixed["null_mx"])
    parked = _parking_servers(seen, rules) if operator is None else ()
    if parked:
        return Placement("parked", "parked_name", parked, confidence=fixed["parked"])
    if operator is None:
        return Placement("no_mail_likely", "mail_none_likely", base, confidence=fixed["no_mx"])
    if operator == provider.BROKEN or _is_nowhere(seen):
        what = "it names no usable host" if operator == provider.BROKEN else "its hosts are missing"
        return Placement("unknown", "mail_faulty", base, what, confidence=fixed["broken"])
    if operator == provider.MIXED and seen.mail is not None:
        what = " and ".join(
            provider.operator_name(each, rules) or each for each in seen.mail.mailboxes
        )
        return Placement(
            "mail", "mail_mixed", base, what, provider.MIXED, confidence=fixed["mixed"]
        )
    row = rules.providers.get(operator)
    if row is not None and row.kind is Kind.PARKING:
        fact = "defensive" if row.role is Role.DEFENSIVE else "parked"
        return Placement("parked", fact, base, confidence=fixed["parked"])
    if row is not None and row.kind is Kind.CONSUMER:
        return Placement("consumer", "consumer", base, confidence=fixed["consumer"])
    if row is not None and row.kind is Kind.GOVERNMENT:
        return Placement(
            "mail", "government", base, provider=operator, confidence=fixed["government"]
        )
    return _inferred(seen, operator, base=base, missing=missing, rules=rules)


def _parking_servers(seen: Seen, rules: Rules) -> tuple[Evidence, ...]:
    """The NS records, when all of them are a parking service's."""
    answer = seen.survey.get(_NS)
    if answer is None or not seen.ns:
        return ()
    if not all(rules.parking_ns.find(host) for host in seen.ns):
        return ()
    return tuple(proof(answer, host) for host in seen.ns)


def _is_nowhere(seen: Seen) -> bool:
    """True when every MX host has the company's own name and is proved to have no address.

    Said at full depth only: quick depth asks for an address to see where an alias leads, of two
    hosts at most.
    """
    hosts = seen.mail.hosts if seen.mail is not None else ()
    if not hosts or seen.survey.depth is Depth.QUICK:
        return False
    if any(host.operator != provider.SELF_HOSTED for host in hosts):
        return False
    findings = seen.mail.findings if seen.mail is not None else ()
    missing = {each.message for each in findings if each.code == "mx_missing_host"}
    return len(missing) == len({host.host for host in hosts})


def _inferred(
    seen: Seen,
    operator: str,
    *,
    base: tuple[Evidence, ...],
    missing: tuple[Evidence, ...],
    rules: Rules,
) -> Placement:
    """Placement by the identity model."""
    mailboxes = seen.mail.mailboxes if seen.mail is not None else ()
    row = rules.providers.get(mailboxes[0]) if mailboxes else None
    suite = row.family if row is not None and row.kind is Kind.SUITE else None
    looks = _mx_class(operator, rules)
    outcome = identity.guess(
        rules.identity,
        mx_class=looks,
        mx_suite=suite,
        proved=seen.proved,
        silent=seen.silent,
        market=seen.survey.domain.rpartition(".")[2],
    )
    state = "forwarding" if looks == "forwarder" else "mail"
    if missing or outcome.is_open:
        open_questions = missing or tuple(
            proof(each)
            for each in sorted(seen.survey.answers.values(), key=lambda each: each.question)
            if not each.outcome.is_known
        )
        return Placement(state, "", base, missing=open_questions, guess=outcome)
    if outcome.suite is None:
        return _rest(
            seen, operator, looks=looks, base=base, state=state, outcome=outcome, rules=rules
        )
    found = seen.proved.get(outcome.suite, {})
    evidence = tuple(
        dict.fromkeys([*base, *(each for name in sorted(found) for each in found[name])])
    )
    if outcome.suite == identity.MICROSOFT:
        is_sure = suite is not None or (
            looks == "gateway" and ("autodiscover" in found or "dkim" in found)
        )
        fact = "mail_microsoft" if is_sure else "mail_microsoft_probable"
    elif outcome.suite == identity.EXCHANGE:
        fact = "mail_exchange_onprem"
    else:
        fact = _PLACEMENT.get(rules.providers[outcome.suite].role, "mail_competitor_suite")
    return Placement(
        state,
        fact,
        evidence,
        provider=outcome.suite,
        confidence=_capped(
            outcome.probability, outcome.suite, rules, is_receiver=suite == outcome.suite
        ),
        guess=outcome,
    )


def _rest(
    seen: Seen,
    operator: str,
    *,
    looks: str,
    base: tuple[Evidence, ...],
    state: str,
    outcome: identity.Guess,
    rules: Rules,
) -> Placement:
    """No suite is likely: the mailboxes are with the MX operator, or out of sight behind a filter."""
    checked = tuple(
        proof(answer)
        for answer in (seen.survey.get(_TXT), seen.survey.get(_CNAME, "autodiscover"))
        if answer is not None
    )
    if looks == "gateway":
        return Placement(
            state,
            "mail_gateway_unseen",
            base + checked,
            confidence=min(outcome.best, rules.identity.name_from),
            guess=outcome,
        )
    if looks == "own":
        fact, place, evidence = "mail_self_hosted", provider.SELF_HOSTED, base + checked
    elif looks == "unknown":
        return Placement(
            state,
            "mail_unknown_operator",
            base + checked,
            confidence=outcome.probability,
            guess=outcome,
        )
    else:
        fact = _PLACEMENT.get(rules.providers[operator].role, "mail_hosting")
        place, evidence = operator, base
    if looks == "forwarder":
        place = ""
    return Placement(
        state,
        fact,
        evidence,
        provider=place or None,
        confidence=_capped(outcome.probability, operator, rules, is_receiver=True),
        guess=outcome,
    )


def _capped(probability: float, operator: str, rules: Rules, *, is_receiver: bool) -> float:
    row = rules.providers.get(operator)
    if row is not None and row.verified == "no" and row.id != identity.EXCHANGE:
        return min(probability, _UNVERIFIED_MX if is_receiver else _UNVERIFIED)
    return probability


def _facts_of_placement(
    seen: Seen, place: Placement, operator: str | None, rules: Rules
) -> dict[str, Fact]:
    facts: dict[str, Fact] = {}
    base = tuple(proof(seen.mx, record) for record in sorted(seen.mx.records)) if seen.mx else ()
    owner = _never_a_company(seen.survey.domain)
    if owner:
        facts["not_a_company"] = Fact((), owner)
    if place.missing:
        facts["unanswered"] = Fact(place.missing)
        if seen.mx is None or not seen.mx.outcome.is_known:
            facts["mx_unanswered"] = Fact(place.missing)
    if place.fact:
        facts[place.fact] = Fact(place.evidence, place.what)
    if _is_gateway(operator, rules):
        facts["gateway"] = Fact(base)
    address = seen.survey.get(RRType.A)
    if place.fact == "mail_none_likely" and address is not None and address.records:
        facts["mail_implicit"] = Fact(
            tuple(proof(address, record) for record in sorted(address.records))
        )
    public = rules.public_suffixes.find(seen.survey.domain)
    if public is not None:
        facts["public_body"] = Fact(base or place.evidence, public)
    row = rules.providers.get(place.provider or "")
    if row is not None and row.country and place.fact in {"mail_hosting", "mail_hosted_exchange"}:
        facts["regional"] = Fact(base, row.country)
    return facts


def _never_a_company(domain: str) -> str:
    """The service this name belongs to, "" for a name that can be a company's."""
    while domain:
        if domain in NEVER_COMPANIES:
            return domain
        domain = domain.partition(".")[2]
    return ""


def _tenant_signals(seen: Seen, rules: Rules) -> TenantSignals:
    """Signals that prove a Microsoft tenant: id → (half a sentence, signal)."""
    found = {}
    signals = seen.signals
    for row in rules.signals.values():
        if row.tenant and row.id in signals and signals[row.id].state is _PRESENT:
            found[row.id] = (row.says, signals[row.id])
    for name, says in (
        ("mx_proof", "the domain is being proved to Microsoft by an MX record"),
        ("dkim_microsoft", "DKIM keys point to a Microsoft tenant"),
    ):
        signal = seen.signals.get(name)
        if signal is not None and signal.state is _PRESENT:
            found[name] = (says, signal)
    return found


def _appeared(dates: SignalDates | None) -> dt.date | None:
    """The day a signal appeared; None without a proved absence before it."""
    if dates is None or dates.first_absent is None or dates.first_present is None:
        return None
    return dates.first_present if dates.first_present >= dates.first_absent else None


def _tenant_state(
    seen: Seen,
    place: Placement,
    tenant: TenantSignals,
    *,
    history: History,
    rules: Rules,
    as_of: dt.date,
) -> str:
    """One of the seven states of signals.yaml."""
    if place.fact == "mail_microsoft":
        return "m365_mail"
    if place.fact == "mail_microsoft_probable":
        return "m365_mail_probable"
    if place.fact in {"", "mail_faulty", "domain_missing"}:
        return "unknown"
    mixed = seen.mail.mailboxes if place.fact == "mail_mixed" and seen.mail is not None else ()
    if any(provider.family_of(each, rules) == identity.MICROSOFT for each in mixed):
        return "migrating_in"
    was = history.seen.get("mx_microsoft")
    leftover = any(
        name in seen.signals and seen.signals[name].state is _PRESENT
        for name in ("spf_microsoft", "dkim_microsoft", "autodiscover_microsoft")
    )
    if was is not None and was.last_present is not None and leftover:
        return "migrating_out"
    if tenant:
        if place.fact == "mail_gateway_unseen" and seen.spf.is_hidden:
            return "unknown"
        dates = [_appeared(history.seen.get(name)) for name in tenant]
        newest = max((each for each in dates if each is not None), default=None)
        if newest is not None and (as_of - newest).days < rules.migrating_days:
            return "migrating_in"
        return "tenant_without_mail"
    if place.fact == "mail_gateway_unseen" or _silent_on_tenant(seen, rules):
        return "unknown"
    return "no_microsoft"


def _silent_on_tenant(seen: Seen, rules: Rules) -> tuple[Evidence, ...]:
    """Questions that would show a tenant and that nobody answered."""
    survey = seen.survey
    found = [
        not_asked(survey, rrtype, label)
        for rrtype, label in ((_TXT, ""), (_CNAME, "autodiscover"))
        if survey.get(rrtype, label) is None
    ]
    for row in rules.signals.values():
        signal = seen.signals.get(row.id)
        if row.tenant and signal is not None and signal.state is _UNKNOWN:
            found += signal.evidence
    found += [
        proof(answer)
        for selector in _MICROSOFT_SELECTORS
        if (answer := survey.get(_TXT, selector)) is not None and is_silent(answer)
    ]
    return tuple(dict.fromkeys(found))


def _add_silence(
    facts: dict[str, Fact], seen: Seen, state: str, place: Placement, rules: Rules
) -> None:
    """The fact that nobody said whether there is a tenant, where a company may have one."""
    if state != "unknown" or place.fact not in _TENANT_MATTERS:
        return
    silent = _silent_on_tenant(seen, rules)
    if silent:
        facts["tenant_unanswered"] = Fact(silent)


def _add_tenant(
    facts: dict[str, Fact],
    seen: Seen,
    state: str,
    place: Placement,
    tenant: TenantSignals,
    *,
    rules: Rules,
) -> None:
    evidence = tuple(
        dict.fromkeys(each for _, signal in tenant.values() for each in signal.evidence)
    )
    says = next((says for says, _ in tenant.values()), "")
    if state == "migrating_in":
        facts["migrating_in"] = Fact(
            evidence or place.evidence, says or "mail goes to Microsoft and to another system"
        )
    elif state == "tenant_without_mail":
        strong = [(half, signal) for name, (half, signal) in tenant.items() if name not in _CLAIMS]
        if strong:
            says = strong[0][0]
            evidence = tuple(
                dict.fromkeys(each for _, signal in strong for each in signal.evidence)
            )
        facts["tenant_without_mail"] = Fact(evidence, says)
        facts["tenant_set_up" if strong else "tenant_claimed"] = Fact(evidence, says)
    elif state == "migrating_out":
        left = [
            seen.signals[name].evidence
            for name in ("spf_microsoft", "dkim_microsoft", "autodiscover_microsoft")
            if name in seen.signals and seen.signals[name].state is _PRESENT
        ]
        facts["migrating_out"] = Fact(
            tuple(dict.fromkeys(each for group in left for each in group)),
            says or "the SPF record names Microsoft",
        )
    if place.fact == "mail_mixed" and _is_microsoft_first(seen, rules):
        facts["mixed_microsoft_first"] = Fact(place.evidence, place.what)
    if "godaddy_tenant" in tenant:
        facts["godaddy_tenant"] = Fact(tenant["godaddy_tenant"][1].evidence)
    spf = seen.signals.get("spf_microsoft")
    elsewhere = place.fact and place.fact not in {"mail_microsoft", "mail_microsoft_probable"}
    if elsewhere and spf is not None and spf.state is _PRESENT:
        facts["spf_names_microsoft"] = Fact(spf.evidence)


def _is_microsoft_first(seen: Seen, rules: Rules) -> bool:
    """True when the hosts with the best preference are Microsoft's, all of them."""
    hosts = seen.mail.hosts if seen.mail is not None else ()
    best = min((host.preference for host in hosts), default=0)
    first = [host.operator for host in hosts if host.preference == best]
    return all(provider.family_of(each, rules) == identity.MICROSOFT for each in first)


def _add_products(facts: dict[str, Fact], products: tuple[Product, ...], rules: Rules) -> None:
    by_fact: dict[str, list[Product]] = {}
    for product in products:
        fact = rules.relations.get(product.relation)
        if fact is not None:
            by_fact.setdefault(fact, []).append(product)
    counted = {each for name in _TENANT_FACTS if name in facts for each in facts[name].evidence}
    # a record that earns points as proof of the tenant earns none as a product
    services = [
        each
        for each in by_fact.pop(_MICROSOFT_SERVICES, ())
        if not counted.issuperset(each.evidence)
    ]
    if services:
        by_fact[_MICROSOFT_SERVICES] = services
    for fact, found in by_fact.items():
        facts[fact] = Fact(
            tuple(dict.fromkeys(each for product in found for each in product.evidence)),
            _listed([product.name for product in found]),
        )
    bought = [each for each in products if not each.relation.startswith(_NO_BREADTH)]
    if len(bought) >= _BREADTH:
        facts["software_breadth"] = Fact(
            tuple(dict.fromkeys(product.evidence[0] for product in bought)), str(len(bought))
        )


def _listed(names: list[str]) -> str:
    """A, B and C."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _add_posture(facts: dict[str, Fact], seen: Seen, dmarc: DmarcView) -> None:
    if seen.mail is None or not seen.mail.hosts or not _NO_POSTURE.isdisjoint(facts):
        return
    unprotected = dmarc_gap(dmarc)
    if unprotected:
        facts["dmarc_not_enforced"] = Fact(dmarc.evidence, unprotected)
    txt = seen.survey.get(_TXT)
    gap = spf_gap(seen.spf, txt)
    if gap and txt is not None:
        facts["spf_gap"] = Fact((proof(txt, seen.spf.record),), gap)


def _add_dated(
    facts: dict[str, Fact],
    seen: Seen,
    place: Placement,
    *,
    operator: str | None,
    products: tuple[Product, ...],
    tenant: TenantSignals,
    history: History,
    rules: Rules,
    as_of: dt.date,
) -> None:
    """Facts with a date: what history proves to be new, and ends that vendors announced."""
    if not place.fact:
        return
    _add_ends(facts, place, operator=operator, products=products, rules=rules, as_of=as_of)
    is_microsoft = place.fact in {"mail_microsoft", "mail_microsoft_probable"}
    if not is_microsoft:
        _add_tenant_dates(facts, seen, tenant, history)
    if seen.mx is None or operator is None:
        return
    base = place.evidence
    if place.fact == "mail_mixed":
        since = _appeared(history.seen.get("mx:" + provider.MIXED))
        if since is not None:
            facts["mixed_since"] = Fact(base, place.what, since)
        return
    moved = _appeared(
        history.seen.get("mx:" + _receiver(operator, seen.mail.hosts if seen.mail else ()))
    )
    if moved is not None:
        name = provider.operator_name(operator, rules) or operator
        facts["mx_moved"] = Fact(base, name, moved)
    if not _is_gateway(operator, rules):
        gone = [
            (dates.last_present, name.removeprefix("gateway:"))
            for name, dates in history.seen.items()
            if name.startswith("gateway:")
            and dates.last_present is not None
            and name.removeprefix("gateway:") in rules.providers
        ]
        if gone:
            last, gateway = max(gone)
            facts["gateway_gone"] = Fact(base, rules.providers[gateway].name, last)
    hosts = seen.signals.get("ns")
    if hosts is not None:
        moves = [
            (date, host)
            for host in hosts.value.split()
            if (date := _appeared(history.seen.get("ns:" + host))) is not None
        ]
        if moves:
            date, host = max(moves)
            facts["dns_host_moved"] = Fact(
                hosts.evidence, provider.operator_name(host, rules) or host, date
            )


def _add_ends(
    facts: dict[str, Fact],
    place: Placement,
    *,
    operator: str | None,
    products: tuple[Product, ...],
    rules: Rules,
    as_of: dt.date,
) -> None:
    """The announced end that presses most: the one nearest to this day, before or after it."""
    shown = {each: place.evidence for each in (operator, place.provider) if each is not None}
    shown |= {product.id: product.evidence for product in products}
    ends = [(event, shown[each]) for each in sorted(shown) for event in rules.events.get(each, ())]
    if not ends:
        return
    event, evidence = min(ends, key=lambda end: abs((end[0].date - as_of).days))
    verb = "ended" if event.date < as_of else "ends"
    what = f"{event.name} {verb} on {event.date.isoformat()}"
    what += f"; {event.condition}," if event.condition else ":"
    facts["product_end"] = Fact(evidence, what, event.date)


def _add_tenant_dates(
    facts: dict[str, Fact], seen: Seen, tenant: TenantSignals, history: History
) -> None:
    dated = [
        (date, says, signal)
        for name, (says, signal) in tenant.items()
        if (date := _appeared(history.seen.get(name))) is not None
    ]
    if dated:
        date, says, signal = max(dated, key=lambda each: (each[0], each[1]))
        facts["tenant_appeared"] = Fact(signal.evidence, says, date)
    was = history.seen.get("mx_microsoft")
    now = seen.signals.get("mx_microsoft")
    if (
        was is not None
        and was.last_present is not None
        and now is not None
        and now.state is _ABSENT
    ):
        facts["microsoft_lost"] = Fact(now.evidence, "", was.last_present)


def _mx_signal(seen: Seen) -> Signal:
    if seen.mx is None:
        return Signal(_UNKNOWN, "", (not_asked(seen.survey, _MX),))
    records = sorted(seen.mx.records)[:_MAX_MX]
    if not records:
        return signal_of(seen.mx)
    more = len(seen.mx.records) - len(records)
    return Signal(
        _PRESENT,
        ", ".join(records) + (f" and {more} more" if more else ""),
        tuple(proof(seen.mx, record) for record in records),
        seen.mx.stale_since,
    )


def _spf_signal(seen: Seen, txt: Answer | None) -> Signal:
    if txt is None:
        return Signal(_UNKNOWN, "", (not_asked(seen.survey, _TXT),))
    return signal_of(txt, seen.spf.record, seen.spf.record)


def _dkim_signal(seen: Seen) -> Signal:
    """Present with its selectors; absent only where nothing exists below _domainkey (RFC 8020)."""
    keys = [key for key in seen.keys if key.is_valid]
    if keys:
        return Signal(
            _PRESENT,
            " ".join(sorted(key.selector for key in keys)),
            tuple(key.evidence for key in keys),
        )
    above = seen.survey.get(_TXT, "_domainkey")
    if above is not None and above.outcome is _NXDOMAIN:
        return Signal(_ABSENT, "", (proof(above),))
    asked = sorted(
        (
            answer
            for answer in seen.survey.answers.values()
            if answer.name.endswith("._domainkey." + seen.survey.domain)
        ),
        key=lambda answer: answer.name,
    )
    return Signal(_UNKNOWN, "", tuple(proof(answer) for answer in asked))


def _findings(seen: Seen, dmarc: DmarcView) -> tuple[Finding, ...]:
    """Faults of the mail set-up, each with how to put it right."""
    found = [*(seen.mail.findings if seen.mail is not None else ()), *seen.spf.findings]
    found += dmarc.findings
    found += [finding for key in seen.keys for finding in key.findings]
    for label, evidence in seen.eop_labels:
        other = decode_label(label)
        if other is not None and other != seen.survey.domain:
            found.append(
                Finding(
                    "eop_label_mismatch",
                    "warning",
                    f"{evidence.question.split(' ')[0]} uses the Microsoft 365 name of {other}: a sister domain of the same customer, or a mistake that breaks mail.",
                    "Exchange Online naming rule",
                )
            )
            break
    return tuple(dict.fromkeys(found))[:_MAX_FINDINGS]


def _would_change(
    place: Placement, facts: dict[str, Fact], names: dict[str, str], rules: Rules, as_of: dt.date
) -> tuple[str, ...]:
    found = []
    outcome = place.guess
    if outcome is not None and outcome.suite is not None and place.fact:
        mine = next(each for each in outcome.candidates if each.suite == outcome.suite)
        if mine.weights:
            feature, _ = max(mine.weights, key=lambda pair: pair[1])
            chance = identity.without(rules.identity, outcome, feature)
            found.append(
                f"Without {_FEATURES[feature]}, {names['provider']} would be {identity.word(chance, rules.identity)} ({chance:.2f})."
            )
    found += [fill(row.sentence, facts, names, as_of) for row in rules.changes.holding(facts)]
    return tuple(found)


def fingerprint(survey: Survey) -> str:
    """Digest over what the domain publishes: never over TTL, order, silence, or other people's names."""
    suffix = "." + survey.domain
    values = []
    for answer in survey.answers.values():
        if (answer.records or answer.chain) and answer.rrtype in _FINGERPRINT:
            name = answer.name
            if name == survey.domain or name.endswith(suffix):
                values.append(f"{name} {answer.rrtype}={sorted(answer.records)}{answer.chain}")
    missing = survey.get(_MX)
    if missing is not None and missing.outcome is _NXDOMAIN:
        values.append("nxdomain")
    return sha256("\n".join(sorted(values)).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def next_history(history: History, judgement: Judgement, as_of: dt.date) -> History:
    """History after this judgement: what was proved present or absent on that day.

    Values inherited from an earlier scan prove nothing and leave the dates alone.
    """
    seen = dict(history.seen)
    for name, signal in judgement.signals.items():
        if name != "ns" and not signal.stale_since:
            _note(seen, name, signal.state, as_of)
    mx = judgement.mx
    if mx.state is not _UNKNOWN and not mx.stale_since:
        _note_group(seen, "mx:", [_receiver(judgement.mx_operator, judgement.mx_hosts)], as_of)
        _note_group(seen, "gateway:", [judgement.gateway] if judgement.gateway else [], as_of)
    hosts = judgement.signals.get("ns")
    if hosts is not None and hosts.state is _PRESENT and not hosts.stale_since:
        _note_group(seen, "ns:", hosts.value.split(), as_of)
    is_known = judgement.scan_status is ScanStatus.OK
    return History(
        seen=seen,
        segment=judgement.segment if is_known else history.segment,
        score=judgement.score if is_known else history.score,
        provider=judgement.provider or history.provider,
    )


def _receiver(operator: str | None, hosts: tuple[MailHost, ...]) -> str:
    """Who receives the mail, by names that no edit of the provider table changes.

    Microsoft's own move from outlook.com to mx.microsoft is no move of the customer.
    """
    if operator is None or not hosts:
        return "none"
    if operator == provider.MIXED or operator.startswith(identity.MICROSOFT):
        return operator
    best = min(hosts, key=lambda each: (each.preference, each.host)).host
    return registrable_domain(best) or best


def _note(seen: dict[str, SignalDates], name: str, state: State, as_of: dt.date) -> None:
    dates = seen.get(name, SignalDates())
    if state is _PRESENT:
        seen[name] = SignalDates(dates.first_absent, dates.first_present or as_of, as_of)
    elif state is _ABSENT and (dates.first_absent is None or dates.first_present is not None):
        # gone again: a later return is a new appearance
        seen[name] = SignalDates(as_of, None, dates.last_present)


def _note_group(
    seen: dict[str, SignalDates], prefix: str, present: list[str], as_of: dt.date
) -> None:
    """Signals of which one excludes the others: seeing others before proves that this one was absent."""
    others = [
        dates.last_present
        for name, dates in seen.items()
        if name.startswith(prefix) and dates.last_present is not None
    ]
    before = max(others, default=None)
    for name in [each for each in seen if each.startswith(prefix)]:
        if name.removeprefix(prefix) not in present:
            _note(seen, name, _ABSENT, as_of)
    for each in present:
        if prefix + each not in seen and before is not None:
            seen[prefix + each] = SignalDates(first_absent=before)
        _note(seen, prefix + each, _PRESENT, as_of)
