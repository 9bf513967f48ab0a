"""One domain: all its questions, in waves, each wave chosen by what the one before has said."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Sequence
from typing import Protocol

import msgspec

from hunter.core.answers import Answer, Depth, Outcome, RRType, Survey
from hunter.core.dmarc import without_mailboxes
from hunter.core.dmarc_walk import REPORT_LABELS, discover
from hunter.core.products import SERVICE_NAMES
from hunter.core.wildcard import WILDCARD, WILDCARD_KEY
from hunter.resolver.engine import Engine
from hunter.resolver.questions import Budget, Lane

#: most selectors asked at each depth (dkim_selectors.yaml: at most 16 names a domain)
MAX_SELECTORS = {Depth.QUICK: 3, Depth.FULL: 14}
#: A silent domain would keep its whole chunk waiting through the retries of wave after wave.
#: Who has not named its MX by then is asked everything else beside it.
_FIRST_LOOK_S = 1.5
#: SPF targets in all: RFC 7208 section 4.6.4 lets receivers look up no more
_MAX_INCLUDES = 10
_MAX_INCLUDE_DEPTH = 3
#: hosts of report addresses whose consent is asked for (RFC 9990 section 4)
_MAX_REPORT_HOSTS = 3
_MAX_MX_HOSTS = 5
#: of the company's own MX hosts at quick depth: their CNAME may lead to an operator
_MAX_OWN_HOSTS = 2
#: RFC 9989 section 4.10: at most 8 questions to find a policy
_MAX_DMARC_PARENTS = 7

_QUICK: tuple[tuple[RRType, str], ...] = (
    (RRType.TXT, ""),
    (RRType.NS, ""),
    (RRType.TXT, "_dmarc"),
    (RRType.CNAME, "autodiscover"),
    (RRType.CNAME, "enterpriseregistration"),
)
_FULL: tuple[tuple[RRType, str], ...] = (
    *_QUICK,
    (RRType.SOA, ""),
    (RRType.A, ""),
    (RRType.AAAA, ""),
    (RRType.CAA, ""),
    (RRType.DS, ""),
    (RRType.CNAME, "enterpriseenrollment"),
    (RRType.CNAME, "lyncdiscover"),
    (RRType.CNAME, "sip"),
    (RRType.CNAME, "msoid"),
    *((RRType.CNAME, label) for label in SERVICE_NAMES),
    (RRType.SRV, "_sipfederationtls._tcp"),
    (RRType.SRV, "_autodiscover._tcp"),
    (RRType.A, "autodiscover"),
    (RRType.TXT, "_mta-sts"),
    (RRType.TXT, "_smtp._tls"),
    (RRType.TXT, "default._bimi"),
    # whether any selector can be there (RFC 8020)
    (RRType.TXT, "_domainkey"),
    (RRType.TXT, "_for-sale"),
    (RRType.CNAME, WILDCARD),
    (RRType.A, WILDCARD),
    (RRType.TXT, WILDCARD_KEY),
)

#: CNAMEs of quick depth that a wildcard would answer too
_GUARDED = ("autodiscover", "enterpriseregistration")

Question = tuple[str, RRType]


class SelectorHints(Protocol):
    """What a survey needs to know about operators; `hunter.knowledge` knows it."""

    def selectors_for(self, hosts: Sequence[str], depth: Depth) -> Sequence[str]:
        """DKIM selectors worth asking for, the likeliest first.

        `hosts` are names that hint at an operator: MX hosts, at full depth also SPF include
        targets and what autodiscover points to.
        """

    def hides_mailboxes(self, hosts: Sequence[str], domain: str) -> bool:
        """True when these MX hosts, the best first, do not say where the mailboxes are."""


class _Surveyor:
    """One survey under way: its budget, and the answers so far."""

    def __init__(self, engine: Engine, domain: str, lane: Lane) -> None:
        self.domain = domain
        self.answers: dict[str, Answer] = {}
        self.budget = Budget()
        #: the domain's SOA without DNSSEC validation, once that has been asked
        self.unchecked: Answer | None = None
        self._engine = engine
        self._lane = lane

    async def look(self) -> Answer:
        """The domain's MX, or BUDGET when it is not known soon."""
        question = (self.domain, RRType.MX)
        (mx,) = await self._engine.ask(
            [question], lane=self._lane, budget=self.budget, deadline_s=_FIRST_LOOK_S
        )
        self.answers[mx.question] = mx
        return mx

    async def ask(self, questions: Iterable[Question]) -> list[Answer]:
        """Ask about the domain and names below it, never from memory."""
        answers = await self._engine.ask([*questions], lane=self._lane, budget=self.budget)
        for answer in answers:
            self.answers[answer.question] = answer
        return answers

    async def ask_below(self, questions: Iterable[tuple[RRType, str]]) -> None:
        """Ask about labels below the domain ("" is the domain itself).

        "*" stands for a label nobody can have chosen. Its answer is filed under "*", which is what
        it proves, and the next survey, with another random label, has it under the same name.
        """
        wildcards = {}
        wanted = []
        for rrtype, label in questions:
            name = self.below(label)
            if label.startswith(WILDCARD):
                name = f"hunter-{secrets.token_hex(6)}{name.removeprefix(WILDCARD)}"
                wildcards[f"{name} {rrtype}"] = self.below(label)
            wanted.append((name, rrtype))
        if not wanted:
            return
        await self.ask(wanted)
        for question, name in wildcards.items():
            filed = msgspec.structs.replace(self.answers.pop(question), name=name)
            self.answers[filed.question] = filed

    async def ask_others(self, questions: Iterable[Question]) -> list[Answer]:
        """Ask what has not been asked yet; only what is not below the domain may be shared."""
        wanted = list(dict.fromkeys(questions))
        new = [each for each in wanted if f"{each[0]} {each[1]}" not in self.answers]
        own = [each for each in new if f".{each[0]}".endswith(f".{self.domain}")]
        others = [each for each in new if each not in own]
        asked = [
            self._engine.ask(part, lane=self._lane, shared=part is others, budget=self.budget)
            for part in (own, others)
            if part
        ]
        for answers in asked:
            self.answers.update((answer.question, answer) for answer in await answers)
        return [self.answers[f"{name} {rrtype}"] for name, rrtype in wanted]

    async def ask_unchecked(self) -> None:
        """Ask for the domain's SOA with CD=1, which makes a SERVFAIL of DNSSEC go away."""
        question = (self.domain, RRType.SOA)
        (self.unchecked,) = await self._engine.ask(
            [question], lane=self._lane, budget=self.budget, unchecked=True
        )

    def outcome(self, rrtype: RRType) -> Outcome | None:
        """How a question about the domain itself ended, None when it was not asked."""
        answer = self.answers.get(f"{self.domain} {rrtype}")
        return None if answer is None else answer.outcome

    def below(self, label: str) -> str:
        """A name under the domain; "" is the domain itself."""
        return f"{label}.{self.domain}" if label else self.domain

    def records(self, rrtype: RRType, label: str = "") -> tuple[str, ...]:
        """Records of an answer at hand; none when it was not asked or not found."""
        answer = self.answers.get(f"{self.below(label)} {rrtype}")
        return () if answer is None else answer.records


async def survey(
    engine: Engine,
    domain: str,
    depth: Depth,
    knowledge: SelectorHints,
    *,
    lane: Lane = Lane.BULK,
) -> Survey:
    """All answers about a domain (lower-case A-labels) at a depth, within 60 messages and 15 s.

    Questions about the domain and names below it are never taken from the cache; SPF include
    targets, MX hosts and DMARC parents, which many domains share, are. A question without an
    answer is in the survey with the outcome that says why; one not asked is not there.
    """
    started = time.monotonic()
    surveyor = _Surveyor(engine, domain, lane)
    mx = await surveyor.look()
    # NXDOMAIN: nothing exists below either (RFC 8020). Behind a CNAME it is the target that is
    # missing (RFC 6604 section 3), and the domain may well have names below it
    if mx.outcome is not Outcome.NXDOMAIN or mx.chain:
        await _waves(surveyor, depth, knowledge)
    return Survey(
        domain=domain,
        depth=depth,
        answers={question: kept(answer) for question, answer in surveyor.answers.items()},
        queries=surveyor.budget.used,
        duration_ms=round((time.monotonic() - started) * 1000, 3),
        validated=engine.trusts_ad,
        unchecked=surveyor.unchecked,
    )


def kept(answer: Answer) -> Answer:
    """The answer as it may be stored: the local part of a report mailbox is a person's."""
    if answer.rrtype is not RRType.TXT or not any("@" in text for text in answer.records):
        return answer
    records = tuple(without_mailboxes(text) for text in answer.records)
    return answer if records == answer.records else msgspec.structs.replace(answer, records=records)


async def _waves(surveyor: _Surveyor, depth: Depth, knowledge: SelectorHints) -> None:
    labels = [*(_QUICK if depth is Depth.QUICK else _FULL)]
    if surveyor.answers[f"{surveyor.domain} {RRType.MX}"].outcome is Outcome.BUDGET:
        labels.append((RRType.MX, ""))
    await surveyor.ask_below(labels)
    if not any(answer.outcome.is_known for answer in surveyor.answers.values()):
        return  # nobody is there: selectors would only wait as long again
    hosts = mx_hosts(surveyor.records(RRType.MX))
    is_full = depth is Depth.FULL
    doubts = [] if is_full else _doubts(surveyor, hosts, knowledge)
    hints = _hints(surveyor) if is_full else []
    selectors = list(knowledge.selectors_for([*hosts, *hints], depth))[: MAX_SELECTORS[depth]]
    # TXT, not CNAME: the answer brings the CNAME along, in its chain, and the key behind it
    keys = [(RRType.TXT, f"{selector}._domainkey") for selector in selectors]
    await surveyor.ask_below([*doubts, *keys])
    if is_full:
        await _beyond(surveyor, hosts)


async def _beyond(surveyor: _Surveyor, hosts: Sequence[str]) -> None:
    """What full depth asks last: what its budget may not reach is what others publish."""
    if surveyor.outcome(RRType.DS) is Outcome.FOUND and _fails(surveyor):
        await surveyor.ask_unchecked()
    await _other_names(surveyor, hosts)
    await surveyor.ask_others(_report_hosts(surveyor))


def _doubts(
    surveyor: _Surveyor, hosts: Sequence[str], knowledge: SelectorHints
) -> list[tuple[RRType, str]]:
    """What quick depth asks only where the first answers leave room for an error."""
    questions = []
    if any(surveyor.records(RRType.CNAME, label) for label in _GUARDED):
        questions.append((RRType.CNAME, WILDCARD))
    suffix = f".{surveyor.domain}"
    own = [host for host in hosts[:_MAX_OWN_HOSTS] if host.endswith(suffix)]
    questions += [(RRType.A, host.removesuffix(suffix)) for host in own]
    cname = surveyor.answers[f"{surveyor.below('autodiscover')} {RRType.CNAME}"]
    is_own = any(target.endswith(suffix) for target in cname.records)
    if (is_own or cname.outcome is Outcome.NODATA) and knowledge.hides_mailboxes(
        hosts, surveyor.domain
    ):
        # an Exchange server has its autodiscover elsewhere than the web site, shared hosting has not
        questions += [(RRType.A, "autodiscover"), (RRType.A, ""), (RRType.A, WILDCARD)]
    return list(dict.fromkeys(questions))


def mx_hosts(records: Iterable[str]) -> list[str]:
    """Host names of MX records, best preference first; null MX (RFC 7505) has none."""
    pairs = sorted((int(p), host) for p, _, host in (each.partition(" ") for each in records))
    return [host for _, host in dict.fromkeys(pairs) if host != "."]


def _fails(surveyor: _Surveyor) -> bool:
    """True when the name servers give nothing but errors about a domain."""
    own = (surveyor.outcome(rrtype) for rrtype in (RRType.MX, RRType.NS, RRType.SOA))
    return all(outcome is Outcome.SERVFAIL for outcome in own)


def _report_hosts(surveyor: _Surveyor) -> list[Question]:
    """Names at which other people's hosts agree to get the domain's DMARC reports."""
    walk = discover(surveyor.domain, lambda name, kind: surveyor.answers.get(f"{name} {kind}"))
    asked = [name for name in walk.queries if REPORT_LABELS in name]
    return [(name, RRType.TXT) for name in asked[:_MAX_REPORT_HOSTS]]


def _caa_parents(surveyor: _Surveyor) -> list[Question]:
    """Names up the tree whose CAA records hold where the domain has none (RFC 8659 section 3)."""
    outcome = surveyor.outcome(RRType.CAA)
    if outcome is None or not outcome.is_absent:
        return []
    labels = surveyor.domain.split(".")
    return [(".".join(labels[start:]), RRType.CAA) for start in range(1, len(labels))]


def _dmarc_parents(surveyor: _Surveyor) -> list[Question]:
    """Names up the tree that may hold the policy (RFC 9989 section 4.10), when the own has none."""
    own = surveyor.answers[f"{surveyor.below('_dmarc')} {RRType.TXT}"]
    # while the own record is unknown nothing above can decide
    if not own.outcome.is_known or any(record.startswith("v=DMARC1") for record in own.records):
        return []
    labels = surveyor.domain.split(".")
    above = [labels[start:] for start in range(1, len(labels))]
    # with eight labels or more the walk jumps to the last seven
    above = [each for each in above if len(each) <= _MAX_DMARC_PARENTS]
    return [(f"_dmarc.{'.'.join(each)}", RRType.TXT) for each in above]


async def _other_names(surveyor: _Surveyor, hosts: Sequence[str]) -> None:
    """DMARC and CAA parents, MX hosts with their TLSA, SPF include targets down to the third level."""
    questions = [*_dmarc_parents(surveyor), *_caa_parents(surveyor)]
    for host in hosts[:_MAX_MX_HOSTS]:
        questions += [(host, RRType.A), (f"_25._tcp.{host}", RRType.TLSA)]
    services = surveyor.records(RRType.SRV, "_autodiscover._tcp")
    questions += [(service.rpartition(" ")[2], RRType.A) for service in services[:1]]
    texts = surveyor.records(RRType.TXT)
    left = _MAX_INCLUDES
    for _ in range(_MAX_INCLUDE_DEPTH):
        targets = include_targets(texts)[:left]
        left -= len(targets)
        questions += [(target, RRType.TXT) for target in targets]
        if not questions:
            return
        answers = await surveyor.ask_others(questions)
        texts = tuple(text for answer in answers for text in answer.records)
        questions = []


def include_targets(texts: Iterable[str]) -> list[str]:
    """What the SPF records among these texts include or redirect to, macros left out.

    No SPF parser: this decides only what is worth asking, and asks rather once too often.
    """
    found = []
    for text in texts:
        if text[:7].lower() not in {"v=spf1", "v=spf1 "}:
            continue
        for term in text.split():
            low = term.lower().lstrip("+-~?")
            for mark in ("include:", "redirect="):
                target = low.removeprefix(mark).rstrip(".")
                if low.startswith(mark) and "." in target and "%" not in target:
                    found.append(target)
    return list(dict.fromkeys(found))


def _hints(surveyor: _Surveyor) -> list[str]:
    """Names that hint at an operator beside the MX."""
    return [
        *include_targets(surveyor.records(RRType.TXT)),
        *surveyor.records(RRType.CNAME, "autodiscover"),
    ]
