"""What travels through the engine: batches of questions, one question, and a domain's budget."""

from __future__ import annotations

import asyncio
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from hunter.core.answers import Answer, Outcome, RRType
from hunter.resolver.replies import MAX_CHAIN, Alias
from hunter.resolver.wire import Template, message

if TYPE_CHECKING:
    from hunter.resolver.servers import Server


class Lane(StrEnum):
    """Who is waiting."""

    #: a person: dequeued first, with a tenth of every window kept free
    INTERACTIVE = "interactive"
    #: a job
    BULK = "bulk"


class Budget:
    """What one domain may cost: messages sent, and seconds from the first of them on.

    The clock starts with the first message, not while the domain waits for its turn: a long queue
    of our own making says nothing about the domain.
    """

    __slots__ = ("due", "limit", "seconds", "used")

    def __init__(self, queries: int = 60, seconds: float = 15.0) -> None:
        self.limit = queries
        self.seconds = seconds
        #: messages sent, retries and TCP included
        self.used = 0
        #: tick of the engine at which time is up; 0 before the first message
        self.due = 0


class Batch:
    """Questions asked together; one future for all of them."""

    __slots__ = ("budget", "due", "future", "interactive", "left", "results", "seconds")

    def __init__(
        self,
        size: int,
        budget: Budget,
        lane: Lane,
        future: asyncio.Future[list[Answer]] | None,
        seconds: float = 15.0,
    ) -> None:
        self.budget = budget
        #: what this call may take, where its budget has more
        self.seconds = seconds
        self.interactive = lane is Lane.INTERACTIVE
        self.future = future
        self.left = size
        self.due = 0
        #: an Answer, or what will bring it: our own Query, or the key of a shared question
        self.results: list[Answer | Query | tuple[str, RRType] | None] = [None] * size

    def complete(self) -> None:
        """All answers are here."""
        if self.future is not None and not self.future.done():
            self.future.set_result(self.results)  # type: ignore[arg-type]  # all are answers now

    def finds_payer(self, now: int) -> bool:
        """True when somebody else has budget left at this tick, and pays from now on."""
        return False

    def is_abandoned(self) -> bool:
        """True when nobody waits any more: time was up, or whoever asked has gone."""
        return self.future is not None and self.future.done()


class Query:
    """One question on its way to an answer. Slots, not a coroutine: a scan makes millions."""

    __slots__ = (
        "batch",
        "chase",
        "due",
        "ident",
        "index",
        "mixed",
        "name",
        "no_edns",
        "packet",
        "pending",
        "question",
        "sent_at",
        "server",
        "template",
        "timeouts",
        "tries",
        "unchecked",
        "useless",
        "worst",
    )

    def __init__(  # noqa: PLR0917  # made once per question: keywords cost
        self,
        batch: Batch,
        index: int,
        name: str,
        template: Template,
        question: bytes,
        timeouts: tuple[int, ...],
        unchecked: bool = False,
    ) -> None:
        self.batch: Batch | None = batch
        self.index = index
        self.name = name
        self.template = template
        #: the question as sent last; its answer repeats it byte for byte
        self.question = question
        #: the message without its id
        self.packet = message(question, edns=True, unchecked=unchecked)
        #: asked with CD: DNSSEC is not to be checked
        self.unchecked = unchecked
        #: ticks to wait for each try
        self.timeouts = timeouts
        self.tries = 0
        #: tick at which the try now under way is over; 0 when none is
        self.due = 0
        #: id of that try, the table it stands in, and, for some, the time
        self.ident = 0
        self.pending = _NOWHERE
        self.sent_at = 0.0
        #: where to send it; None leaves the choice to the engine
        self.server: Server | None = None
        #: bits of the servers that have answered with something useless, or refused EDNS
        self.useless = 0
        self.no_edns = 0
        #: False once an answer has come back in other case than the question
        self.mixed = True
        #: how the tries so far failed
        self.worst: Outcome | None = None
        #: what is known when a CNAME is followed by asking again
        self.chase: Alias | None = None

    @property
    def asked_name(self) -> str:
        """The name in the question now: the name itself, or where its CNAMEs have led."""
        return self.name if self.chase is None else self.chase.chain[-1]

    def failed(self, outcome: Outcome) -> None:
        """Remember how a try ended; what a server said outweighs its silence."""
        silent = outcome is Outcome.UNREACHABLE or outcome is Outcome.TIMEOUT
        if self.worst is None or not silent or self.worst is Outcome.UNREACHABLE:
            self.worst = outcome

    def answer(self, outcome: Outcome) -> Answer:
        """An answer without records."""
        chain = () if self.chase is None else self.chase.chain
        server = "" if self.server is None or outcome in _NOBODY else self.server.text
        return Answer(self.name, self.template.rrtype, outcome, chain=chain, server=server)

    def joined(self, last: Answer) -> Answer:
        """The answer at the end of a chase, told as the answer to the first question."""
        if self.chase is None:
            return last
        before = self.chase
        chain = before.chain + last.chain
        if len(chain) > MAX_CHAIN:
            return self.answer(Outcome.CNAME_LOOP)
        return Answer(
            self.name,
            last.rrtype,
            last.outcome,
            last.records,
            chain,
            min(before.ttl, last.ttl),
            before.authenticated and last.authenticated,
            last.server,
        )


_NOBODY: Final = frozenset({Outcome.TIMEOUT, Outcome.UNREACHABLE, Outcome.BUDGET})
#: before the first try
_NOWHERE: Final[dict[int, Query]] = {}
