"""A sender checked against a domain's SPF policy, its questions asked of the real name servers."""

from __future__ import annotations

from typing import Final

from hunter.core.answers import Answer
from hunter.core.spf_check import Sender, SpfCheck, check_host
from hunter.resolver.engine import Engine
from hunter.resolver.questions import Budget, Lane

#: RFC 7208 section 4.6.4 wants at least 20 seconds; 10 terms may lead to 10 hosts each
_SECONDS: Final = 20.0
_QUERIES: Final = 150


async def check_sender(engine: Engine, sender: Sender) -> SpfCheck:
    """`check_host` for one message; a silent name server makes it `temperror`, never `none`."""
    budget = Budget(queries=_QUERIES, seconds=_SECONDS)
    steps = check_host(sender)
    answer: Answer | None = None
    while True:
        try:
            question = next(steps) if answer is None else steps.send(answer)
        except StopIteration as end:
            found: SpfCheck = end.value
            return found
        [answer] = await engine.ask([question], lane=Lane.INTERACTIVE, budget=budget)
