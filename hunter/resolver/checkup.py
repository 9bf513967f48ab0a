"""A checkup of name servers: up to 39 questions that show what each does to answers."""

from __future__ import annotations

import asyncio
import ipaddress
import secrets
import statistics
from collections.abc import Awaitable, Callable, Sequence

from hunter.core.answers import Outcome, RRType
from hunter.resolver.direct import Asker, Exhausted, Reply
from hunter.resolver.findings import (
    Check,
    Finding,
    Level,
    Report,
    Said,
    ServerReport,
    compare,
    conclude,
)

#: names that exist as long as the internet does and are in every cache, so that nobody is troubled
KNOWN_NAMES = ("microsoft.com", "google.com", "outlook.com", "iana.org")
#: most questions to one server, and most seconds with it
MAX_QUESTIONS = 39
MAX_SECONDS = 10.0
_TIMEOUT_S = 1.5
#: questions at a pace, and the same one all at once
_PACED = 8
_BURST = 10
#: record types that home routers and old appliances are known not to pass on
_TYPES = (RRType.MX, RRType.TXT, RRType.AAAA, RRType.CAA)
#: a round trip to a resolver nearby takes a few milliseconds; a hundred is another continent
_SLOW_MS = 100
_SLOW_TAIL_MS = 500
_NEAR = "run a caching resolver near Hunter: docs/dns.md, unbound"


async def examine(
    servers: Sequence[tuple[str, int]],
    known_names: Sequence[str] = KNOWN_NAMES,
    *,
    timeout_s: float = _TIMEOUT_S,
    within_s: float = MAX_SECONDS,
) -> Report:
    """Check all servers at once: at most 39 questions and 10 seconds each, nobody else is asked.

    `known_names` must exist on the servers and have A and MX records; the first is asked about most.
    `timeout_s` is the wait for each reply, `within_s` the time for a server.
    """
    exams = [_Exam(address, known_names, timeout_s) for address in servers]
    reports = tuple(await asyncio.gather(*(each.run(within_s) for each in exams)))
    said = {e.text: e.said() for e, r in zip(exams, reports, strict=True) if r.is_usable}
    checks = (compare(said),) if len(exams) > 1 else ()
    verdict, statement = conclude(reports, checks)
    return Report(verdict=verdict, statement=statement, servers=reports, checks=checks)


class _Exam:
    """The checks of one server, and what its replies were."""

    def __init__(
        self, address: tuple[str, int], known_names: Sequence[str], timeout_s: float
    ) -> None:
        host, port = address
        self.text = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._known = dict.fromkeys(known_names, Reply(outcome=Outcome.TIMEOUT))
        self._typed = dict.fromkeys(_TYPES, Reply(outcome=Outcome.TIMEOUT))
        self._first = known_names[0]
        self._address = address
        self._asker = Asker(address, limit=MAX_QUESTIONS, timeout_s=timeout_s)
        self._findings: dict[Check, Finding] = {}
        #: round trips in milliseconds
        self._took: list[float] = []

    async def run(self, within_s: float) -> ServerReport:
        """All checks, as far as questions and time reach."""
        try:
            async with asyncio.timeout(within_s):
                await self._checks()
        except TimeoutError:
            self._skip_rest(f"no time left after {within_s:g} s")
        self._skip_rest("not asked, as the server gave too little to go on")
        return ServerReport(
            server=self.text,
            checks=tuple(self._findings[each] for each in Check if each in self._findings),
            median_ms=self._median() if self._took else None,
            p95_ms=self._p95() if self._took else None,
            questions=self._asker.asked,
        )

    def said(self) -> Said:
        """What other servers' answers are compared with."""
        known = {name: reply.outcome for name, reply in self._known.items()}
        return Said(known, tuple(sorted(self._typed[RRType.MX].records)))

    async def _checks(self) -> None:
        await self._checked(self._reach)
        if self._findings[Check.REACHABLE].level is Level.FAULT:
            return
        await self._checked(self._take_edns)
        # side by side: a server that drops some of this costs its time-out once
        await asyncio.gather(
            self._checked(self._know),
            self._checked(self._pass_types),
            self._checked(self._deny),
            self._checked(self._speak_tcp),
            self._checked(self._truncate),
            self._checked(self._match),
        )
        self._validate()
        await self._checked(self._pace)
        await self._checked(self._burst)

    async def _checked(self, check: Callable[[], Awaitable[None]]) -> None:
        try:
            await check()
        except Exhausted:
            self._skip_rest(f"not asked: {MAX_QUESTIONS} questions are enough for one server")

    def _skip_rest(self, why: str) -> None:
        for check in Check:
            if check not in self._findings and check is not Check.AGREEMENT:
                self._note(check, Level.SKIPPED, why)

    def _note(self, check: Check, level: Level, detail: str, advice: str = "") -> None:
        known = self._findings.get(check)
        if known is None or known.level is Level.SKIPPED:
            self._findings[check] = Finding(check=check, level=level, detail=detail, advice=advice)

    # ── one check each ──

    async def _reach(self) -> None:
        # without EDNS: as the engine probes, and as the oldest server understands
        reply = await self._asker.ask(".", RRType.NS, tries=3, edns=False)
        if reply.came:
            self._note(Check.REACHABLE, Level.OK, "answers over UDP")
            return
        silent = "no answer over UDP, asked three times"
        self._note(
            Check.REACHABLE,
            Level.FAULT,
            reply.error or silent,
            f"start the server, open UDP and TCP port {self._address[1]} to it, "
            "or take it out of HUNTER_DNS_SERVERS",
        )

    async def _take_edns(self) -> None:
        reply = await self._asker.ask(self._first, RRType.MX, edns=True)
        if not reply.came:
            plain = await self._asker.ask(self._first, RRType.MX, edns=False)
            self._asker.edns = False
            if plain.came:
                self._note(
                    Check.EDNS,
                    Level.FAULT,
                    "never answers a question with EDNS, and every question of Hunter has it",
                    "let the firewall pass DNS packets with EDNS, or use another resolver",
                )
            return
        if reply.edns:
            self._note(Check.EDNS, Level.OK, "takes EDNS with 1232 bytes")
            return
        refused = reply.outcome is Outcome.NOTIMP
        self._asker.edns = not refused
        self._note(
            Check.EDNS,
            Level.WARNING,
            "refuses EDNS" if refused else "ignores EDNS: answers above 512 bytes need TCP",
            "use a resolver that knows RFC 6891: without EDNS large answers need TCP",
        )

    async def _know(self) -> None:
        names = list(self._known)
        replies = await asyncio.gather(*(self._asker.ask(name, RRType.A) for name in names))
        self._known.update(zip(names, replies, strict=True))
        self._judge_recursion(replies)
        said = {name: _false_word(reply) for name, reply in self._known.items()}
        false = [f"{word} for {name}" for name, word in said.items() if word]
        right = sum(reply.outcome is Outcome.FOUND for reply in replies)
        if false:
            self._note(
                Check.KNOWN_NAMES,
                Level.FAULT,
                f"says {', '.join(false)}",
                "use a resolver without filter, or exempt Hunter from it; "
                "in a closed network name what exists with --known",
            )
        elif right == len(names):
            self._note(Check.KNOWN_NAMES, Level.OK, f"finds all {right} names that exist")
        elif right:
            self._note(
                Check.KNOWN_NAMES,
                Level.WARNING,
                f"finds {right} of {len(names)} names that exist",
                "ask it again in a minute; when it stays so, use another resolver",
            )

    def _judge_recursion(self, replies: Sequence[Reply]) -> None:
        came = [reply for reply in replies if reply.came]
        refused = [r for r in came if r.outcome in {Outcome.REFUSED, Outcome.LAME}]
        answered = [reply for reply in came if reply.outcome.is_known]
        if not came or (not answered and not refused):
            self._note(
                Check.RECURSION,
                Level.FAULT,
                "finds none of the names that exist: "
                + ", ".join(sorted({reply.outcome.value for reply in replies})),
                "look into its log: it cannot reach the servers it asks itself",
            )
        elif not answered:
            self._note(
                Check.RECURSION,
                Level.FAULT,
                "does not look up names for this machine",
                "allow this machine's address on the resolver (unbound: access-control), "
                "or use another one",
            )
        elif not any(reply.recurses for reply in came):
            self._note(
                Check.RECURSION,
                Level.WARNING,
                "answers, but does not offer recursion (RA is not set)",
                "name a recursive resolver: an authoritative server knows its own zones only",
            )
        else:
            self._note(Check.RECURSION, Level.OK, "looks names up for us")

    async def _pass_types(self) -> None:
        replies = await asyncio.gather(*(self._asker.ask(self._first, kind) for kind in _TYPES))
        self._typed = dict(zip(_TYPES, replies, strict=True))
        failed = [kind.value for kind, reply in self._typed.items() if not reply.is_useful]
        if not failed:
            self._note(
                Check.RECORD_TYPES, Level.OK, f"passes on A, {', '.join(t.value for t in _TYPES)}"
            )
        else:
            self._note(
                Check.RECORD_TYPES,
                Level.FAULT,
                f"does not answer questions for {', '.join(failed)}",
                "use a resolver that passes on every record type; home routers often do not",
            )

    async def _deny(self) -> None:
        # under .com and .net where hijackers earn money, under .invalid where nothing can exist
        label = f"hunter-{secrets.token_hex(8)}"
        asked = [
            (f"{label}.com", RRType.A),
            (f"{label}.com", RRType.MX),
            (f"{label}.net", RRType.A),
            (f"{label}.invalid", RRType.A),
        ]
        replies = await asyncio.gather(*(self._asker.ask(*each) for each in asked))
        invented = sorted({r for reply in replies for r in reply.records})
        denied = sum(reply.outcome is Outcome.NXDOMAIN for reply in replies)
        if invented:
            self._note(
                Check.NXDOMAIN,
                Level.FAULT,
                f"answers {', '.join(invented)} for names that do not exist",
                "switch that off at the provider (often called search help), "
                "or use a resolver that does not invent answers",
            )
        elif any(reply.outcome is Outcome.NODATA for reply in replies):
            self._note(
                Check.NXDOMAIN,
                Level.FAULT,
                "says that names exist which do not (no data instead of NXDOMAIN)",
                "use another resolver: domains that are gone would look alive",
            )
        elif denied:
            self._note(Check.NXDOMAIN, Level.OK, "says NXDOMAIN for names that do not exist")
        else:
            self._note(
                Check.NXDOMAIN,
                Level.WARNING,
                "says nothing about names that do not exist",
                "use another resolver: domains that are gone would stay unknown",
            )

    async def _speak_tcp(self) -> None:
        reply = await self._asker.ask_tcp(".", RRType.NS)
        if reply.came:
            self._note(Check.TCP, Level.OK, "answers over TCP")
            return
        self._note(
            Check.TCP,
            Level.FAULT,
            reply.error or "no answer over TCP",
            f"open TCP port {self._address[1]}: large SPF and TXT records stay unknown without it",
        )

    async def _truncate(self) -> None:
        # 512 bytes without EDNS: the TXT records of a large company do not fit
        small = await self._asker.ask(self._first, RRType.TXT, edns=False)
        if not small.came:
            return
        if not small.truncated:
            self._note(Check.TRUNCATION, Level.OK, "nothing had to be cut")
            return
        whole = await self._asker.ask_tcp(self._first, RRType.TXT)
        if whole.outcome.is_known and not whole.truncated:
            self._note(Check.TRUNCATION, Level.OK, "what does not fit comes whole over TCP")
            return
        self._note(
            Check.TRUNCATION,
            Level.FAULT,
            f"what does not fit into UDP does not come over TCP either ({whole.outcome})",
            f"open TCP port {self._address[1]} and let the resolver use TCP upstream",
        )

    async def _match(self) -> None:
        mixed = "".join(c.upper() if n % 2 else c for n, c in enumerate(self._first))
        reply = await self._asker.ask(mixed, RRType.A)
        strangers = self._asker.strangers
        if strangers:
            self._note(
                Check.MATCHING,
                Level.WARNING,
                f"{strangers} replies belong to no question: late, doubled or forged",
                "find out who sends them; Hunter ignores them and counts them "
                "(hunter_dns_messages_total)",
            )
        elif reply.came and not reply.same_case:
            self._note(
                Check.MATCHING,
                Level.WARNING,
                "changes the case of letters in the question",
                "leave HUNTER_DNS_0X20 off, or use a resolver that keeps case: it is harder to forge",
            )
        elif reply.came:
            self._note(Check.MATCHING, Level.OK, "sends the question back as it was")

    def _validate(self) -> None:
        came = [reply for reply in (*self._known.values(), *self._typed.values()) if reply.came]
        if any(reply.validated for reply in came):
            self._note(Check.DNSSEC, Level.OK, "validates (AD is set)")
        elif came:
            self._note(
                Check.DNSSEC, Level.OK, "nothing marked as validated; Hunter does not need it"
            )

    async def _pace(self) -> None:
        lost = 0
        for _ in range(_PACED):
            reply = await self._asker.ask(".", RRType.NS, tries=1)
            lost += not reply.came
            if reply.came:
                self._took.append(reply.rtt_s * 1000)
            if lost > 2:
                break
        if not self._took:
            return
        took = f"median {self._median():g} ms, p95 {self._p95():g} ms"
        lossy = f"{lost} of {_PACED} paced questions lost; " if lost else ""
        if lossy or self._median() > _SLOW_MS or self._p95() > _SLOW_TAIL_MS:
            self._note(Check.LATENCY, Level.WARNING, lossy + took, _NEAR)
        else:
            self._note(Check.LATENCY, Level.OK, took)

    def _median(self) -> float:
        return round(statistics.median(self._took), 1)

    def _p95(self) -> float:
        return round(sorted(self._took)[int(0.95 * (len(self._took) - 1) + 0.5)], 1)

    async def _burst(self) -> None:
        if not self._took:
            return
        replies = await self._asker.ask_at_once(".", RRType.NS, _BURST)
        # a limiter drops, refuses, or sends TC to make the asker prove its address over TCP
        kept = sum(r.came and r.outcome.is_known and not r.truncated for r in replies)
        if kept == _BURST:
            self._note(Check.RATE, Level.OK, f"answers {_BURST} questions at once")
            return
        self._note(
            Check.RATE,
            Level.WARNING,
            f"answers {kept} of {_BURST} questions at once: it limits the rate",
            "set HUNTER_DNS_MAX_QPS to what it allows, or " + _NEAR,
        )


# ── what replies say ──


def _false_word(reply: Reply) -> str:
    """What a name that exists was said to be; empty when nothing false was said."""
    if reply.outcome.is_absent:
        return reply.outcome.value.upper()
    for record in reply.records:
        try:
            if not ipaddress.ip_address(record).is_global:
                return record
        except ValueError:
            continue  # the name of an alias
    return ""
