"""Who receives a domain's mail: every MX host against the provider table, and what they say together."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import msgspec

from hunter.core.answers import Answer, Depth, RRType
from hunter.core.facts import Kind, Role, Rules
from hunter.core.identity import EXCHANGE
from hunter.core.judgement import Finding, MailHost
from hunter.core.mx import Lookup, MxState, analyse_mx
from hunter.core.suffixes import registrable_domain

SELF_HOSTED = "self_hosted"
MIXED = "mixed"
BROKEN = "broken"
#: what precedes the registrable domain of an operator that is in no table
UNKNOWN = "unknown:"

_IP_LITERAL = re.compile(r"\[?(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9a-f:]*:[0-9a-f:.]+)\]?")
#: domain proof by MX instead of TXT; never a mail route
_MX_PROOF = re.compile(r"ms\d{6,10}\.msv1\.invalid")
#: the mailboxes of a domain can be at operators of these kinds
_MAILBOX_KINDS = frozenset({Kind.SUITE, Kind.HOSTING, Kind.REGIONAL_ISP, Kind.GOVERNMENT})
_PORTAL = re.compile(r"(?P<portal>\d{3,12})\.spf\d\d\.hubspotemail\.net", re.ASCII)
_MAX_QUICK_SELECTORS = 3
_NULL_WITH_OTHERS = "mx_null_mx_with_others"
_MICROSOFT_SELECTORS = ("selector1", "selector2")
_GOOGLE_SELECTOR = "google"
_ADDRESSES = (RRType.A, RRType.AAAA)


class Mail(msgspec.Struct, frozen=True, gc=False):
    """What the MX records say together."""

    hosts: tuple[MailHost, ...]
    #: provider table id, "mixed", "self_hosted", "broken" or "unknown:<domain>"; None without a host
    operator: str | None
    #: mailbox operators in the MX set, best preference first
    mailboxes: tuple[str, ...] = ()
    #: RFC 7505: the domain states that it takes no mail
    is_null: bool = False
    findings: tuple[Finding, ...] = ()
    #: hosts that prove the domain to Microsoft, such as ms12345678.msv1.invalid
    proofs: tuple[str, ...] = ()
    #: answers about hosts that are aliases, and the name each of them leads to
    aliases: tuple[tuple[Answer, str], ...] = ()


def operator_of(host: str, domain: str, rules: Rules) -> str:
    """Who runs an MX host: a table id, "self_hosted", "broken" or "unknown:<registrable domain>"."""
    row = rules.mx.find(host)
    if row is not None:
        return row
    match = rules.mx_pattern.search(host)
    if match is not None and match.lastindex is not None:
        return rules.mx_pattern_ids[match.lastindex - 1]
    if host == domain or host.endswith("." + domain):
        return SELF_HOSTED
    if _IP_LITERAL.fullmatch(host) or "." not in host:
        return BROKEN
    owner = registrable_domain(host)
    if owner is not None and owner == registrable_domain(domain):
        return SELF_HOSTED
    return UNKNOWN + (owner or host)


def family_of(operator: str, rules: Rules) -> str:
    """The suite an operator is a variant of (GCC High is Microsoft 365); the operator itself otherwise."""
    row = rules.providers.get(operator)
    return operator if row is None else row.family


def holds_mailboxes(operator: str, rules: Rules) -> bool:
    """True when mailboxes can be at an operator: no filter, no relay, nobody who sends for others."""
    row = rules.providers.get(operator)
    return row is not None and (row.kind in _MAILBOX_KINDS or row.id == EXCHANGE)


def operator_name(operator: str | None, rules: Rules) -> str | None:
    """An operator as a salesperson says it."""
    if operator is None:
        return None
    row = rules.providers.get(operator)
    if row is not None:
        return row.name
    if operator == SELF_HOSTED:
        return "their own mail server"
    if operator == MIXED:
        return "two systems"
    return operator.removeprefix(UNKNOWN)


def read_mx(answer: Answer, domain: str, rules: Rules, lookup: Lookup) -> Mail:
    """An MX answer with records, in any order, as one statement about who receives the mail."""
    found = analyse_mx(answer, lookup=lookup)
    if found.state is MxState.NULL_MX:
        return Mail(hosts=(), operator=None, is_null=True, findings=found.findings)
    routes = [(group.preference, host) for group in found.groups for host in group.hosts]
    proofs = tuple([host for _, host in routes if _MX_PROOF.fullmatch(host)])
    aliases: list[tuple[Answer, str]] = []
    found_hosts = []
    for preference, host in routes:
        if host in proofs:
            continue
        owner = operator_of(host, domain, rules)
        alias = None if owner in rules.providers else _alias_of(host, rules, lookup)
        if alias is not None:
            aliases.append(alias)
            owner = _behind(alias[1], owner, rules)
        found_hosts.append(MailHost(preference, host, owner))
    hosts = tuple(found_hosts)
    is_faulty = hosts and all(host.operator == BROKEN for host in hosts)
    if is_faulty or any(each.code == _NULL_WITH_OTHERS for each in found.findings):
        return Mail(hosts=hosts, operator=BROKEN, findings=found.findings, proofs=proofs)
    operator, mailboxes = _together(hosts, rules)
    return Mail(
        hosts=hosts,
        operator=operator,
        mailboxes=mailboxes,
        findings=found.findings,
        proofs=proofs,
        aliases=tuple(aliases),
    )


def _alias_of(host: str, rules: Rules, lookup: Lookup) -> tuple[Answer, str] | None:
    """The answer that shows where a host leads: to an operator's name, else as far as it goes."""
    for rrtype in _ADDRESSES:
        answer = lookup(host, rrtype)
        if answer is not None and answer.chain:
            known = (target for target in answer.chain if rules.mx.find(target) is not None)
            return answer, next(known, answer.chain[-1])
    return None


def _behind(target: str, operator: str, rules: Rules) -> str:
    """Who receives where an MX host is an alias of `target`, which is what counts, not its own name.

    A filter or forwarder is who receives. Whose mailboxes the host of a suite or hosting company serves
    under another name is left to the identity model (`mx_target`); a stranger may be anybody.
    """
    owner = rules.mx.find(target)
    return operator if owner is None or holds_mailboxes(owner, rules) else owner


def _together(hosts: Sequence[MailHost], rules: Rules) -> tuple[str | None, tuple[str, ...]]:
    """Operator of the whole set, and the mailbox operators in it.

    Two mailbox operators are a mix; so is a suite behind an own server that has the better
    preference. A stranger's backup MX behind a known operator is not.
    """
    usable = [host for host in hosts if host.operator != BROKEN]
    if not usable:
        return None, ()  # only names that prove the domain to Microsoft
    mailboxes: dict[str, str] = {}
    for host in usable:
        row = rules.providers.get(host.operator)
        if row is not None and row.kind in _MAILBOX_KINDS:
            mailboxes.setdefault(row.family, host.operator)
    found = tuple(mailboxes.values())
    best = usable[0].preference
    first = [host.operator for host in usable if host.preference == best]
    if len(found) > 1:
        return MIXED, found
    for operator in first:
        row = rules.providers.get(operator)
        if row is not None:
            return operator, found
    if found and rules.providers[found[0]].kind is Kind.SUITE:
        return MIXED, (first[0], found[0])
    return (SELF_HOSTED if SELF_HOSTED in first else first[0]), ()


def is_local(operator: str | None, rules: Rules) -> bool | None:
    """True when mail is self-hosted or at a provider at home in one country, None when not known."""
    if operator == SELF_HOSTED:
        return True
    row = rules.providers.get(operator or "")
    if row is None:
        return None
    if row.kind is Kind.SELF_HOSTED:
        return True
    return bool(row.country) and row.role in {Role.BASIC, Role.HOSTED_EXCHANGE}


def hides_mailboxes(hosts: Sequence[str], domain: str, rules: Rules) -> bool:
    """True when the best MX host is a filter, the company's own, or in no table."""
    if not hosts:
        return False
    row = rules.providers.get(operator_of(hosts[0], domain, rules))
    return row is None or row.kind is Kind.GATEWAY


def selectors_for(hosts: Iterable[str], depth: Depth, rules: Rules) -> tuple[str, ...]:
    """DKIM selectors worth asking for, the likeliest first.

    `hosts` are names that hint at an operator: MX hosts, and at full depth SPF include targets
    and what autodiscover points to. Quick depth gives at most three: the operator's own, and
    Microsoft's behind a filter (with Google's) or an operator that is in no table, the first of them where a
    hosting company has none of its own (a tenant already set up shows there). Full depth gives tier 0 and
    the selectors of tier 1 and 2 of every operator hinted at.
    """
    hosts = tuple(hosts)
    operators = list(dict.fromkeys(_hinted(hosts, rules)))
    kinds = {rules.providers[each].kind for each in operators if each in rules.providers}
    known = [row for row in rules.selectors.values() if row.operator in operators]
    known.sort(key=lambda row: row.tier)
    chosen = [row.name for row in known]
    chosen += [f"hs{each}-{portal}" for portal in _portals(hosts) for each in (1, 2)]
    if Kind.GATEWAY in kinds:
        chosen = [*_MICROSOFT_SELECTORS, _GOOGLE_SELECTOR, *chosen]
    elif not operators:
        chosen = [*_MICROSOFT_SELECTORS]
    elif not chosen:
        chosen = [_MICROSOFT_SELECTORS[0]]
    if depth is Depth.FULL:
        chosen += [row.name for row in rules.selectors.values() if row.tier == 0]
        return tuple(dict.fromkeys(chosen))
    return tuple(dict.fromkeys(chosen))[:_MAX_QUICK_SELECTORS]


def _portals(hosts: Iterable[str]) -> Iterable[str]:
    """HubSpot portal ids among SPF targets: they are a part of the selectors' names."""
    for host in hosts:
        match = _PORTAL.fullmatch(host)
        if match is not None:
            yield match["portal"]


def _hinted(hosts: Iterable[str], rules: Rules) -> Iterable[str]:
    """Rows of the provider and product tables that these names belong to."""
    for host in hosts:
        for index in (rules.mx, rules.spf, rules.autodiscover, rules.product_spf):
            row = index.find(host)
            if row is not None:
                yield family_of(row, rules)
