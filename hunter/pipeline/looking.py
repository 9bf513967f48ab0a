"""One domain looked at: its survey, and at full depth the policy file that its records announce."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

import msgspec

from hunter.config import Config
from hunter.core.answers import Depth, RRType, Survey
from hunter.core.mta_sts import select_sts_record
from hunter.ops.metrics import Metrics
from hunter.outbound.guard import Resolve
from hunter.outbound.http import open_outbound
from hunter.outbound.policies import Policies
from hunter.resolver.engine import Engine
from hunter.resolver.questions import Lane
from hunter.resolver.survey import SelectorHints, survey

_RESOLVE_S: Final = 5.0


class Looker:
    """Looks at domains with what the settings allow: DNS always, HTTPS when asked to."""

    def __init__(
        self,
        engine: Engine,
        policies: Policies | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        self._engine = engine
        self._policies = policies
        self._metrics = metrics

    @property
    def heard(self) -> int:
        """Replies so far, whatever they said."""
        return self._engine.heard

    @property
    def usable(self) -> bool:
        """False while no name server can be asked."""
        return self._engine.usable

    async def look(
        self, domain: str, depth: Depth, knowledge: SelectorHints, *, lane: Lane = Lane.BULK
    ) -> Survey:
        """Everything seen of a domain; what could not be had stands in it as unknown."""
        seen = await survey(self._engine, domain, depth, knowledge, lane=lane)
        if self._policies is None or depth is not Depth.FULL or not _announces_policy(seen):
            return seen
        policy = await self._policies.fetch(domain)
        if self._metrics is not None:
            self._metrics.hunter_policy_fetches_total.inc({"state": policy.state.value})
        return msgspec.structs.replace(seen, policy=policy)


def _announces_policy(seen: Survey) -> bool:
    """True when a valid MTA-STS record is published (RFC 8461 section 3.1)."""
    answer = seen.get(RRType.TXT, "_mta-sts")
    record = select_sts_record(answer.records) if answer else None
    return record is not None and record.valid


def resolver_of(engine: Engine) -> Resolve:
    """Addresses of a host, IPv4 first, as Hunter's own name servers give them."""

    async def resolve(name: str) -> Sequence[str]:
        questions = [(name, RRType.A), (name, RRType.AAAA)]
        answers = await engine.ask(questions, lane=Lane.INTERACTIVE, deadline_s=_RESOLVE_S)
        found = [address for answer in answers for address in answer.records]
        silent = [answer for answer in answers if not answer.outcome.is_known]
        if silent and not found:
            raise OSError(f"DNS says {silent[0].outcome}")
        return found

    return resolve


@asynccontextmanager
async def open_looker(
    config: Config, engine: Engine, metrics: Metrics | None = None
) -> AsyncIterator[Looker]:
    """A looker with what the settings allow, closed at the end of the block."""
    if not config.fetch_policies:
        yield Looker(engine, metrics=metrics)
        return
    async with open_outbound(config, resolver_of(engine)) as http:
        yield Looker(engine, Policies(http), metrics)
