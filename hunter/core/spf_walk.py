"""The worst case of a published SPF policy: every look-up a receiver may have to make."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from hunter.core.answers import Answer, Outcome, RRType
from hunter.core.judgement import Finding
from hunter.core.spf import Mechanism, Spf, SpfChoice, SpfState, has_macro, is_spf, select_spf

#: one question to DNS; None means that it was not asked
Lookup = Callable[[str, RRType], Answer | None]

#: RFC 7208 section 4.6.4
MAX_LOOKUPS: Final = 10
MAX_VOIDS: Final = 2
MAX_MX_NAMES: Final = 10
# a tree that grows with every level is cut here; the verdict is long decided
_STOP_AT: Final = 100
_OWN_LIMITS: Final = frozenset({Outcome.BUDGET, Outcome.UNREACHABLE})
#: services that keep a customer's SPF behind one include or redirect
_HOSTED: Final = (
    "autospf.com",
    "powerspf.com",
    "easydmarc.com",
    "easydmarc.pro",
    "ondmarc.com",
    "pphosted.com",
    "agari.com",
    "dmarcian.com",
    "sendmarc.com",
    "valimail.com",
    "vali.email",
)


class Include(msgspec.Struct, frozen=True, gc=False):
    """One include or redirect on the walk."""

    #: as written, lower case, without the trailing dot; may hold a macro
    domain: str
    #: 1 is the domain owner's own choice, deeper is a vendor's
    depth: int
    #: include or redirect
    kind: str
    #: unknown when the target was not asked for or holds a macro
    state: SpfState


class SpfPosture(msgspec.Struct, frozen=True):
    """What can be said about a policy without a message at hand."""

    domain: str
    state: SpfState
    record: Spf | None = None
    #: terms that cost a look-up in the whole tree; a lower bound unless `complete`
    lookups: int = 0
    #: look-ups proved empty; a lower bound unless `complete`
    voids: int = 0
    #: qualifier of the `all` that ends the policy (at the top or through redirect)
    all: str | None = None
    includes: tuple[Include, ...] = ()
    #: False when a question of the walk was not asked or a macro hides a branch
    complete: bool = True
    #: questions that would complete the walk
    unasked: tuple[tuple[str, RRType], ...] = ()
    findings: tuple[Finding, ...] = ()


def walk_spf(domain: str, lookup: Lookup) -> SpfPosture:
    """Walk the policy of `domain` through everything it refers to.

    A receiver stops at the first match, so more than 10 look-ups means that a permanent error
    is possible, not that all mail fails. Questions nobody asked make the walk incomplete, never
    void. Pure: all DNS comes from `lookup`.
    """
    answer = _asked(lookup(domain, RRType.TXT))
    if answer is None:
        return SpfPosture(domain, SpfState.UNKNOWN, complete=False, unasked=((domain, RRType.TXT),))
    if not answer.outcome.is_known:
        return SpfPosture(domain, SpfState.TEMPERROR, complete=False)
    choice = select_spf(answer.records)
    if choice.record is None:
        return SpfPosture(domain, choice.state, findings=choice.findings)
    walk = _Walk(lookup)
    walk.findings.extend(choice.findings)
    end = walk.record(domain, choice.record, depth=0, path=(domain,))
    return walk.posture(domain, choice.record, end)


class _Walk:
    """Counters of one walk, shared by all levels of the tree."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self._choices: dict[str, SpfChoice] = {}
        self.lookups = 0
        self.voids = 0
        self.includes: list[Include] = []
        self.unasked: dict[tuple[str, RRType], None] = {}
        self.complete = True
        self.temporary = False
        self.permanent = False
        self.findings: list[Finding] = []

    def posture(self, domain: str, record: Spf, end: str | None) -> SpfPosture:
        if self.lookups > MAX_LOOKUPS:
            self.error(Finding.of("spf_too_many_lookups", count=self.lookups))
        if self.voids > MAX_VOIDS:
            self.error(Finding.of("spf_too_many_voids", count=self.voids))
        return SpfPosture(
            domain=domain,
            state=self._state(record),
            record=record,
            lookups=self.lookups,
            voids=self.voids,
            all=end,
            includes=tuple(self.includes),
            complete=self.complete,
            unasked=tuple(self.unasked),
            findings=tuple(dict.fromkeys(self.findings)),
        )

    def _state(self, record: Spf) -> SpfState:
        if self.permanent or record.state is SpfState.PERMERROR:
            return SpfState.PERMERROR
        return SpfState.TEMPERROR if self.temporary else SpfState.OK

    def error(self, finding: Finding) -> None:
        """Note what makes receivers stop with a permanent error."""
        self.permanent = True
        self.findings.append(finding)

    def record(self, domain: str, record: Spf, *, depth: int, path: tuple[str, ...]) -> str | None:
        """Walk one record; the qualifier that ends it."""
        for term in record.reached:
            if self.lookups > _STOP_AT:
                self.complete = False
                break
            self._term(domain, term, depth=depth, path=path)
        if record.all is not None or record.redirect is None:
            return record.all
        self.lookups += 1
        target = self._target("redirect", record.redirect, depth=depth, path=path)
        if target is None:
            return None
        name, policy = target
        return self.record(name, policy, depth=depth + 1, path=(*path, name))

    def _term(self, domain: str, term: Mechanism, *, depth: int, path: tuple[str, ...]) -> None:
        if term.name in ("ip4", "ip6"):
            return
        self.lookups += 1
        if term.name == "include":
            target = self._target("include", term.value, depth=depth, path=path)
            if target is not None:
                self.record(target[0], target[1], depth=depth + 1, path=(*path, target[0]))
        elif has_macro(term.value):
            self._macro(term.value)
        elif term.name == "mx":
            self._mx(_name(term.value) or domain)
        elif term.name != "ptr":
            self._address(_name(term.value) or domain, exists=term.name == "exists")

    def _target(
        self, kind: str, value: str, *, depth: int, path: tuple[str, ...]
    ) -> tuple[str, Spf] | None:
        """The record behind include or redirect, None when the walk ends here."""
        name = _name(value)
        self._note_hosted(name)
        if has_macro(value):
            self.includes.append(Include(name, depth + 1, kind, SpfState.UNKNOWN))
            self._macro(value)
            return None
        if name in path:
            self.includes.append(Include(name, depth + 1, kind, SpfState.PERMERROR))
            self.error(Finding.of("spf_loop", kind=kind, name=name))
            return None
        if self.lookups > _STOP_AT:
            self.complete = False
            return None
        state, policy = self._policy(name, kind)
        self.includes.append(Include(name, depth + 1, kind, state))
        return None if policy is None else (name, policy)

    def _policy(self, name: str, kind: str) -> tuple[SpfState, Spf | None]:
        answer = self._ask(name, RRType.TXT)
        if answer is None:
            return SpfState.UNKNOWN, None
        if not answer.outcome.is_known:
            return SpfState.TEMPERROR, None
        choice = self._choice(name, answer)
        if choice.state is SpfState.ABSENT:
            self.voids += answer.outcome.is_absent
            self.error(
                Finding.of("spf_include_without_spf", name=name)
                if kind == "include"
                else Finding.of("spf_redirect_without_spf", name=name)
            )
        elif choice.state is SpfState.PERMERROR:
            self.error(Finding.of("spf_broken_include", name=name))
        return choice.state, choice.record

    def _choice(self, name: str, answer: Answer) -> SpfChoice:
        """A long record that is included a hundred times is read once."""
        if name not in self._choices:
            self._choices[name] = select_spf([text for text in answer.records if is_spf(text)])
        return self._choices[name]

    def _ask(self, name: str, rrtype: RRType) -> Answer | None:
        answer = _asked(self._lookup(name, rrtype))
        if answer is None:
            self.complete = False
            self.unasked[(name, rrtype)] = None
        elif not answer.outcome.is_known:
            self.complete = False
            self.temporary = True
        return answer

    def _address(self, name: str, *, exists: bool = False) -> None:
        """An `a` or `exists`: void when neither family answers (exists asks for A only)."""
        answer = self._ask(name, RRType.A)
        if answer is None or not answer.outcome.is_absent:
            return
        if not exists and answer.outcome is Outcome.NODATA:
            other = self._lookup(name, RRType.AAAA)
            if other is not None and other.outcome is Outcome.FOUND:
                return
        self.voids += 1

    def _mx(self, name: str) -> None:
        answer = self._ask(name, RRType.MX)
        if answer is None:
            return
        self.voids += answer.outcome.is_absent
        hosts = [record.rpartition(" ")[2] for record in answer.records]
        if hosts == ["."]:
            self.findings.append(Finding.of("spf_mx_on_null_mx", name=name))
        if len(hosts) > MAX_MX_NAMES:
            self.error(Finding.of("spf_mx_over_10_names", name=name, count=len(hosts)))

    def _macro(self, value: str) -> None:
        self.complete = False
        self.findings.append(Finding.of("spf_macro_unresolvable", term=value))

    def _note_hosted(self, name: str) -> None:
        for vendor in _HOSTED:
            if name == vendor or name.endswith("." + vendor):
                self.findings.append(Finding.of("spf_hosted", vendor=vendor))


def _asked(answer: Answer | None) -> Answer | None:
    """An answer the name servers are responsible for; our own limits prove nothing about them."""
    return None if answer is None or answer.outcome in _OWN_LIMITS else answer


def _name(value: str) -> str:
    return value.removesuffix(".").lower() if not has_macro(value) else value
