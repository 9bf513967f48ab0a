"""May this address send mail for this domain? The whole of `check_host` (RFC 7208 section 4)."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address
from typing import Final, TypeVar

import msgspec

from hunter.core.answers import Answer, Outcome, RRType
from hunter.core.spf import Mechanism, Spf, SpfState, select_spf
from hunter.core.spf_macro import (
    dotted,
    expand_explanation,
    expand_name,
    is_askable,
    needs_validated_name,
    presentation,
)
from hunter.core.spf_walk import MAX_LOOKUPS, MAX_MX_NAMES, MAX_VOIDS

T = TypeVar("T")
#: yields each question, is sent its answer, returns the result: the caller does all I/O
Steps = Generator[tuple[str, RRType], Answer, T]

#: names behind one address that are looked at (section 4.6.4)
_MAX_PTR_NAMES: Final = 10
#: the last label of a name that may have a policy: not all digits, no brackets (section 4.3)
_TOP_LABEL: Final = re.compile(r"(?=[^.]*[a-z-])[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")


class SpfResult(StrEnum):
    """The seven results of section 2.6."""

    NONE = "none"
    NEUTRAL = "neutral"
    PASS = "pass"  # noqa: S105 - a result, no secret
    FAIL = "fail"
    SOFTFAIL = "softfail"
    TEMPERROR = "temperror"
    PERMERROR = "permerror"


_BY_QUALIFIER: Final = {
    "+": SpfResult.PASS,
    "-": SpfResult.FAIL,
    "~": SpfResult.SOFTFAIL,
    "?": SpfResult.NEUTRAL,
}


class Sender(msgspec.Struct, frozen=True):
    """Who connects, and in whose name (section 4.1)."""

    ip: IPv4Address | IPv6Address
    #: of MAIL FROM; "" for a bounce, which speaks for postmaster at the HELO name (section 2.4)
    mail_from: str
    helo: str
    #: the host that asks, for the `r` macro
    receiver: str = "unknown"
    #: seconds since the epoch, for the `t` macro
    timestamp: int = 0

    @property
    def address(self) -> IPv4Address | IPv6Address:
        """The address that counts: an IPv4 address in IPv6 clothes is IPv4 (section 5)."""
        mapped = self.ip.ipv4_mapped if isinstance(self.ip, IPv6Address) else None
        return mapped or self.ip

    @property
    def local_part(self) -> str:
        """What stands before the @, "postmaster" where nothing does (section 4.3)."""
        return self.mail_from.rpartition("@")[0] or "postmaster"

    @property
    def domain(self) -> str:
        """What stands behind the @, the HELO name where there is no address."""
        name = self.mail_from.rpartition("@")[2] if self.mail_from else self.helo
        return name.lower().removesuffix(".")


class SpfCheck(msgspec.Struct, frozen=True):
    """What a receiver concludes, and by which way."""

    result: SpfResult
    #: (domain, term) that matched, from the sender's own record to the one that decided
    path: tuple[tuple[str, str], ...] = ()
    #: why there is no match to show, "" when there is one
    problem: str = ""
    #: what the domain tells a rejected sender, None without a readable exp=
    explanation: str | None = None
    #: terms that cost look-ups, and those that found nothing
    lookups: int = 0
    voids: int = 0


class _Decision(msgspec.Struct, frozen=True):
    """How one record answered."""

    result: SpfResult
    domain: str
    record: Spf
    path: tuple[tuple[str, str], ...]


class _Stop(Exception):
    """Evaluation cannot go on; the result holds for the whole policy."""

    def __init__(self, result: SpfResult, problem: str) -> None:
        super().__init__(problem)
        self.result = result
        self.problem = problem


def check_host(sender: Sender) -> Steps[SpfCheck]:
    """Evaluate the policy of the sender's domain, question by question.

    Total: whatever is published or answered, it ends with one of the seven results, after at most
    10 terms with look-ups (section 4.6.4).
    """
    evaluation = _Evaluation(sender)
    try:
        decision = yield from evaluation.record(sender.domain)
    except _Stop as stop:
        return evaluation.conclude(SpfCheck(stop.result, problem=stop.problem))
    if decision is None:
        problem = f"{sender.domain} has no SPF record"
        return evaluation.conclude(SpfCheck(SpfResult.NONE, problem=problem))
    found = SpfCheck(
        decision.result,
        decision.path,
        problem="" if decision.path else "no term matches the address",
        explanation=(yield from evaluation.explanation(decision)),
    )
    return evaluation.conclude(found)


def check_with(sender: Sender, lookup: Callable[[str, RRType], Answer]) -> SpfCheck:
    """`check_host` over answers that are at hand."""
    steps = check_host(sender)
    try:
        question = next(steps)
        while True:
            question = steps.send(lookup(*question))
    except StopIteration as end:
        result: SpfCheck = end.value
        return result


class _Evaluation:
    """One message under evaluation; its counters hold for all records on the way."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._address = sender.address
        self._is_ip4 = isinstance(self._address, IPv4Address)
        self._names: list[str] | None = None
        self._lookups = 0
        self._voids = 0

    def conclude(self, check: SpfCheck) -> SpfCheck:
        return msgspec.structs.replace(check, lookups=self._lookups, voids=self._voids)

    def record(self, domain: str) -> Steps[_Decision | None]:
        """The record of one name, from left to right; None when it has none (section 4.3 to 4.7)."""
        if not _may_have_policy(domain):
            return None
        answer = yield from self._ask(domain, RRType.TXT)
        choice = select_spf(_known(answer).records)
        if choice.state is SpfState.ABSENT:
            return None
        record = choice.record
        if record is None:
            raise _Stop(SpfResult.PERMERROR, f"{domain} has several SPF records")
        if choice.state is SpfState.PERMERROR:
            raise _Stop(SpfResult.PERMERROR, f"the SPF record of {domain} breaks the syntax")
        for term in record.mechanisms:
            path = yield from self._match(term, domain)
            if path is not None:
                own = (domain, written(term))
                return _Decision(_BY_QUALIFIER[term.qualifier], domain, record, (own, *path))
        if record.redirect is None:
            return _Decision(SpfResult.NEUTRAL, domain, record, ())
        return (yield from self._redirect(record.redirect, domain))

    def _redirect(self, spec: str, domain: str) -> Steps[_Decision]:
        self._count_lookup()
        target = yield from self._name(spec, domain)
        decision = yield from self.record(target)
        if decision is None:
            raise _Stop(SpfResult.PERMERROR, f"{target}, a redirect, has no SPF record")
        path = ((domain, f"redirect={target}"), *decision.path)
        return msgspec.structs.replace(decision, path=path if decision.path else ())

    def explanation(self, decision: _Decision) -> Steps[str | None]:
        """What the record that failed the sender has to say; any trouble means nothing (section 6.2)."""
        if decision.result is not SpfResult.FAIL or decision.record.explanation is None:
            return None
        name = yield from self._name(decision.record.explanation, decision.domain)
        answer = yield from self._ask(name, RRType.TXT)
        if len(answer.records) != 1:
            return None
        values = yield from self._values(answer.records[0], decision.domain)
        return expand_explanation(answer.records[0], values)

    # ── mechanisms: None when there is no match, else the way behind it ──

    def _match(self, term: Mechanism, domain: str) -> Steps[tuple[tuple[str, str], ...] | None]:
        if term.name == "all":
            return ()
        if term.name in ("ip4", "ip6"):
            return () if self._is_in(term.value, term) else None
        self._count_lookup()
        name = (yield from self._name(term.value, domain)) if term.value else domain
        if term.name == "include":
            return (yield from self._include(name))
        if term.name == "a":
            is_match = yield from self._is_at(name, term)
        elif term.name == "mx":
            is_match = yield from self._is_exchange(name, term)
        elif term.name == "ptr":
            is_match = yield from self._is_named(name)
        else:
            answer = yield from self._ask(name, RRType.A)
            is_match = self._filled(answer)
        return () if is_match else None

    def _include(self, name: str) -> Steps[tuple[tuple[str, str], ...] | None]:
        """The table of section 5.2; errors pass through as they are."""
        decision = yield from self.record(name)
        if decision is None:
            raise _Stop(SpfResult.PERMERROR, f"{name}, an include, has no SPF record")
        return decision.path if decision.result is SpfResult.PASS else None

    def _is_at(self, name: str, term: Mechanism) -> Steps[bool]:
        answer = yield from self._ask(name, self._rrtype)
        return self._filled(answer) and any(self._is_in(each, term) for each in answer.records)

    def _is_exchange(self, name: str, term: Mechanism) -> Steps[bool]:
        """Section 5.4: of the MX hosts alone, never of the name itself."""
        answer = yield from self._ask(name, RRType.MX)
        if not self._filled(answer):
            return False
        hosts = [record.rpartition(" ")[2] for record in answer.records]
        if len(hosts) > MAX_MX_NAMES:
            problem = f"{name} has {len(hosts)} MX hosts; an mx term may lead to {MAX_MX_NAMES}"
            raise _Stop(SpfResult.PERMERROR, problem)
        for host in hosts:
            if host != ".":
                addresses = _known((yield host, self._rrtype)).records
                if any(self._is_in(each, term) for each in addresses):
                    return True
        return False

    def _is_named(self, name: str) -> Steps[bool]:
        validated = yield from self._validated(counted=True)
        return any(each == name or each.endswith("." + name) for each in validated)

    def _validated(self, *, counted: bool) -> Steps[list[str]]:
        """Names of the address that lead back to it (section 5.5); an error skips a name."""
        if self._names is None:
            self._names = []
            answer = yield self._address.reverse_pointer, RRType.PTR
            if counted:
                self._count_void(answer)
            for name in answer.records[:_MAX_PTR_NAMES]:
                back = yield name, self._rrtype
                if any(_address(each) == self._address for each in back.records):
                    self._names.append(name.lower().removesuffix("."))
        return self._names

    # ── questions and limits ──

    @property
    def _rrtype(self) -> RRType:
        return RRType.A if self._is_ip4 else RRType.AAAA

    def _ask(self, name: str, rrtype: RRType) -> Steps[Answer]:
        """The answer; a name that no message can carry does not exist (section 4.8)."""
        if not is_askable(name):
            return Answer(name, rrtype, Outcome.NXDOMAIN)
        return (yield presentation(name), rrtype)

    def _filled(self, answer: Answer) -> bool:
        """True when something is there; counts what is not, and stops when nobody answered."""
        self._count_void(_known(answer))
        return answer.outcome is Outcome.FOUND

    def _count_lookup(self) -> None:
        self._lookups += 1
        if self._lookups > MAX_LOOKUPS:
            raise _Stop(SpfResult.PERMERROR, f"more than {MAX_LOOKUPS} terms need a look-up")

    def _count_void(self, answer: Answer) -> None:
        self._voids += answer.outcome.is_absent
        if self._voids > MAX_VOIDS:
            raise _Stop(SpfResult.PERMERROR, f"more than {MAX_VOIDS} look-ups found nothing")

    def _is_in(self, network: str, term: Mechanism) -> bool:
        """True when the sender is within the network; the family must be the same."""
        other = _address(network)
        if other is None or other.version != self._address.version:
            return False
        length, prefix = (32, term.cidr4) if self._is_ip4 else (128, term.cidr6)
        shift = 0 if prefix is None else length - prefix
        return int(other) >> shift == int(self._address) >> shift

    # ── macros ──

    def _name(self, spec: str, domain: str) -> Steps[str]:
        if "%" not in spec:
            return expand_name(spec, {})
        values = yield from self._values(spec, domain)
        return expand_name(spec, values)

    def _values(self, text: str, domain: str) -> Steps[dict[str, str]]:
        sender = self._sender
        validated = "unknown"
        if needs_validated_name(text):
            names = yield from self._validated(counted=False)
            validated = _best_name(names, domain)
        return {
            "s": f"{sender.local_part}@{sender.domain}",
            "l": sender.local_part,
            "o": sender.domain,
            "d": domain,
            "i": dotted(self._address),
            "p": validated,
            "v": "in-addr" if self._is_ip4 else "ip6",
            "h": sender.helo,
            "c": str(self._address),
            "r": sender.receiver,
            "t": str(sender.timestamp),
        }


def written(term: Mechanism) -> str:
    """A mechanism as it stands in a record, `+` left out."""
    text = term.qualifier.strip("+") + term.name
    if term.value:
        text += ":" + term.value
    if term.name in ("ip4", "ip6"):
        prefix = term.cidr4 if term.name == "ip4" else term.cidr6
        return text if prefix is None else f"{text}/{prefix}"
    if term.cidr4 is not None:
        text += f"/{term.cidr4}"
    return text if term.cidr6 is None else f"{text}//{term.cidr6}"


def _may_have_policy(domain: str) -> bool:
    """Section 4.3: two labels or more, each askable, the last one no number and no literal."""
    top = domain.rpartition(".")[2]
    return "." in domain and is_askable(domain) and _TOP_LABEL.fullmatch(top) is not None


def _known(answer: Answer) -> Answer:
    if not answer.outcome.is_known:
        raise _Stop(SpfResult.TEMPERROR, f"{answer.question} was not answered ({answer.outcome})")
    return answer


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return IPv6Address(text) if ":" in text else IPv4Address(text)
    except ValueError:
        return None


def _best_name(names: list[str], domain: str) -> str:
    """The `p` macro: the domain itself, else a name below it, else any (section 7.3)."""
    if domain in names:
        return domain
    below = (name for name in names if name.endswith("." + domain))
    return next(below, names[0] if names else "unknown")
