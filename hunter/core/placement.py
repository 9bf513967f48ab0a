"""Where the mailboxes are, as far as records show it, and the facts that follow."""

from __future__ import annotations

from hunter.core import identity, provider
from hunter.core.answers import Outcome, RRType
from hunter.core.case import Case, Placement
from hunter.core.facts import Kind, Provider, Role, Rules
from hunter.core.identity import Features
from hunter.core.judgement import Evidence, ScanStatus, State
from hunter.core.refusals import NEVER_COMPANIES
from hunter.core.score import Fact
from hunter.core.seen import Seen, not_asked, proof

#: read once: at each use Python 3.11 takes longer for Enum.MEMBER than for a dictionary
_MX, _TXT, _CNAME, _NS = RRType.MX, RRType.TXT, RRType.CNAME, RRType.NS
_NXDOMAIN = Outcome.NXDOMAIN
_PRESENT = State.PRESENT
#: how a fact of placement follows from what an operator means to a seller
PLACEMENT_FACTS = {
    Role.COMPETITOR: "mail_competitor_suite",
    Role.BASIC: "mail_hosting",
    Role.HOSTED_EXCHANGE: "mail_hosted_exchange",
    Role.SELF_HOSTED: "mail_self_hosted",
    Role.NO_MAILBOX: "mail_forwarded",
    Role.TRANSACTIONAL: "mail_transactional",
}
#: most that an operator counts for that no public data confirms: its own MX proves at least who receives
_UNVERIFIED_MX = 0.75
_UNVERIFIED = 0.5
#: of own MX hosts behind which no suite shows, the share that keeps the mailboxes: others filter or relay
_OWN_KEEPS = 0.85
#: facts that a question was not answered whose answer would make another lead of the company
_OPEN = frozenset({"unanswered", "tenant_unanswered", "dynamics_unanswered"})


def is_gateway(operator: str | None, rules: Rules) -> bool:
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


def scan_status(case: Case) -> ScanStatus:
    """OK when every deciding question was answered by this scan, and none that hides a customer is open."""
    if not _OPEN.isdisjoint(case.facts):
        return ScanStatus.UNKNOWN
    seen = case.seen
    for rrtype, label in _deciding(seen, case.operator, case.rules):
        answer = seen.survey.get(rrtype, label)
        if answer is None or not answer.outcome.is_known or answer.stale_since:
            return ScanStatus.UNKNOWN
    return (
        ScanStatus.UNKNOWN
        if "mx_target" in seen.silent.get(identity.MICROSOFT, ())
        else ScanStatus.OK
    )


def place_mail(seen: Seen, operator: str | None, rules: Rules) -> Placement:
    fixed = rules.identity.fixed
    missing = _missing(seen, operator, rules)
    mx = seen.mx
    if mx is None or not mx.outcome.is_known:
        return Placement("unknown", "", missing, missing=missing)
    base = seen.mx_evidence
    if mx.outcome is _NXDOMAIN and not mx.chain:
        return Placement(
            "domain_missing", "domain_missing", base, confidence=fixed["domain_missing"]
        )
    if seen.mail is not None and seen.mail.is_null:
        return Placement("no_mail", "null_mx", base, confidence=fixed["null_mx"])
    unused = _unused_name(seen, operator, base, rules)
    if unused is not None:
        return unused
    servers = seen.survey.get(_NS)
    if operator is None and servers is not None and not servers.outcome.is_known:
        # nobody receives mail, and whether the name is parked was not answered
        return Placement("unknown", "", base, missing=(proof(servers),))
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
    if row is not None and row.kind is Kind.CONSUMER:
        return Placement("consumer", "consumer", base, confidence=fixed["consumer"])
    if row is not None and row.kind is Kind.GOVERNMENT:
        return Placement(
            "mail", "government", base, provider=operator, confidence=fixed["government"]
        )
    return _inferred(seen, operator, base=base, missing=missing, rules=rules)


def _unused_name(
    seen: Seen, operator: str | None, base: tuple[Evidence, ...], rules: Rules
) -> Placement | None:
    """A name nobody works behind: for sale, kept to protect a brand, or parked.

    Its MX says so, or its name servers do where nobody receives mail. An offer of sale (RFC 10023)
    may stand at a name in use too, so it counts only beside one of them, or without any mail.
    """
    row = rules.providers.get(operator or "")
    is_parked = row is not None and row.kind is Kind.PARKING
    if operator is not None and not is_parked:
        return None
    servers, owner = _parking_servers(seen, rules)
    offer = seen.signals.get("for_sale")
    if offer is not None and offer.state is _PRESENT:
        fact, evidence, what = "for_sale", offer.evidence, "its TXT record says so"
    elif owner is not None and owner.role is Role.FOR_SALE:
        fact, evidence, what = "for_sale", servers, f"by its name servers, at {owner.name}"
    elif row is not None and is_parked:
        fact = "defensive" if row.role is Role.DEFENSIVE else "parked"
        evidence, what = base, row.name
    elif owner is not None and owner.role is Role.DEFENSIVE:
        if seen.proved:
            return None  # somebody works there: a brand's real name has its DNS there as well
        fact, evidence, what = "defensive", servers, owner.name
    elif owner is not None:
        fact, evidence, what = "parked_name", servers, owner.name
    else:
        return None
    return Placement("parked", fact, evidence, what, confidence=rules.identity.fixed["parked"])


def _parking_servers(seen: Seen, rules: Rules) -> tuple[tuple[Evidence, ...], Provider | None]:
    """The NS records and their parking service, when all of them are at parking services."""
    answer = seen.survey.get(_NS)
    owners = [rules.providers.get(rules.ns.find(host) or "") for host in seen.ns]
    found = [owner for owner in owners if owner is not None and owner.kind is Kind.PARKING]
    if answer is None or not found or len(found) < len(owners):
        return (), None
    return tuple(proof(answer, host) for host in seen.ns), found[0]


def _is_nowhere(seen: Seen) -> bool:
    """True when every MX host has the company's own name and is proved to have no address.

    Another's name tells at least whose customer the company was meant to be; that the host is
    missing is a finding then.

    Quick depth asks for the addresses of two hosts, and for IPv4 only: NXDOMAIN proves the absence
    of both kinds.
    """
    hosts = seen.mail.hosts if seen.mail is not None else ()
    if not hosts or any(host.operator != provider.SELF_HOSTED for host in hosts):
        return False
    findings = seen.mail.findings if seen.mail is not None else ()
    missing = {each.get("host") for each in findings if each.code == "mx_missing_host"}
    return len(missing) == len({host.host for host in hosts})


def mx_looks(seen: Seen, operator: str, rules: Rules) -> tuple[str, str | None]:
    """How the MX looks to the identity model, and the suite it belongs to, None when to none."""
    mailboxes = seen.mail.mailboxes if seen.mail is not None else ()
    row = rules.providers.get(mailboxes[0]) if mailboxes else None
    return _mx_class(operator, rules), (
        row.family if row is not None and row.kind is Kind.SUITE else None
    )


def features_of(seen: Seen, operator: str, rules: Rules) -> dict[str, Features]:
    """The proved features of every candidate of the identity model.

    A hosting company that receives the mail is the rest of the model: what speaks for it speaks for
    no candidate beside it.
    """
    row = rules.providers.get(operator)
    own = None if row is None or row.kind is Kind.SUITE else row.family
    return {name: found for name, found in seen.proved.items() if name != own}


def _inferred(
    seen: Seen,
    operator: str,
    *,
    base: tuple[Evidence, ...],
    missing: tuple[Evidence, ...],
    rules: Rules,
) -> Placement:
    """Placement by the identity model."""
    looks, suite = mx_looks(seen, operator, rules)
    outcome, pillar = _guess(seen, operator, looks, suite, rules)
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
        fact = PLACEMENT_FACTS.get(rules.providers[outcome.suite].role, "mail_competitor_suite")
    return Placement(
        state,
        fact,
        evidence,
        provider=outcome.suite,
        confidence=_capped(
            outcome.probability, outcome.suite, rules, is_receiver=suite == outcome.suite
        ),
        guess=outcome,
        pillar=pillar,
    )


def _guess(
    seen: Seen, operator: str, looks: str, suite: str | None, rules: Rules
) -> tuple[identity.Guess, identity.Pillar | None]:
    """The identity model's answer, and what it rests on; worked out once for companies that are alike."""
    market = identity.market_of(seen.survey.domain)
    named = features_of(seen, operator, rules)
    proved = tuple([(name, *found) for name, found in named.items()])
    silent = tuple([(name, *sorted(found)) for name, found in seen.silent.items()])
    alike = (looks, suite, market, proved, silent)
    known = rules.recalled.guesses.get(alike)
    if known is not None:
        return known
    outcome = identity.guess(
        rules.identity,
        mx_class=looks,
        mx_suite=suite,
        proved=named,
        silent=seen.silent,
        market=market,
    )
    return rules.recalled.guesses.keep(alike, (outcome, identity.pillar_of(outcome)))


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
    chance = outcome.probability
    if looks == "own":
        fact, place, evidence = "mail_self_hosted", provider.SELF_HOSTED, base + checked
        chance *= _OWN_KEEPS
    elif looks == "unknown":
        return Placement(
            state,
            "mail_unknown_operator",
            base + checked,
            confidence=outcome.probability,
            guess=outcome,
        )
    else:
        fact = PLACEMENT_FACTS.get(rules.providers[operator].role, "mail_hosting")
        place, evidence = operator, base
    if looks == "forwarder":
        place = ""
    return Placement(
        state,
        fact,
        evidence,
        provider=place or None,
        confidence=_capped(chance, operator, rules, is_receiver=True),
        guess=outcome,
    )


def _capped(probability: float, operator: str, rules: Rules, *, is_receiver: bool) -> float:
    row = rules.providers.get(operator)
    if row is not None and row.verified == "no" and row.id != identity.EXCHANGE:
        return min(probability, _UNVERIFIED_MX if is_receiver else _UNVERIFIED)
    return probability


def add_placement(case: Case) -> None:
    """The facts of who receives the mail and where the mailboxes are."""
    seen, place, operator, rules, facts = (
        case.seen, case.place, case.operator, case.rules, case.facts,
    )  # fmt: skip
    base = seen.mx_evidence if seen.mx_records else ()
    owner = _never_a_company(seen.survey.domain)
    if owner:
        facts["not_a_company"] = Fact((), owner)
    if place.missing:
        facts["unanswered"] = Fact(place.missing)
        if seen.mx is None or not seen.mx.outcome.is_known:
            facts["mx_unanswered"] = Fact(place.missing)
        elif operator is None:
            facts["parking_unanswered"] = Fact(place.missing)
    if place.fact:
        facts[place.fact] = Fact(place.evidence, place.what)
    if is_gateway(operator, rules):
        facts["gateway"] = Fact(base)
    if place.fact == "mail_none_likely":
        found = [seen.survey.get(rrtype) for rrtype in (RRType.A, RRType.AAAA)]
        implicit = [(each, text) for each in found if each for text in sorted(each.records)]
        if implicit:
            facts["mail_implicit"] = Fact(tuple(proof(each, text) for each, text in implicit))
    public = rules.public_suffixes.find(seen.survey.domain)
    if public is not None:
        facts["public_body"] = Fact(base or place.evidence, public)
    row = rules.providers.get(place.provider or "")
    if row is not None and row.country and place.fact in {"mail_hosting", "mail_hosted_exchange"}:
        facts["regional"] = Fact(base, row.country)


def _never_a_company(domain: str) -> str:
    """The service this name belongs to, "" for a name that can be a company's."""
    while domain:
        if domain in NEVER_COMPANIES:
            return domain
        domain = domain.partition(".")[2]
    return ""
