"""A look through another resolver at what seems to have changed; through the first one where that is silent."""

from __future__ import annotations

from hunter.core.answers import Depth, Survey
from hunter.pipeline.looking import Looker
from hunter.resolver.questions import Lane
from hunter.resolver.survey import SelectorHints


class SecondLook:
    """Looks as a `Looker` does.

    A resolver that is down must not keep changes from ever being confirmed: what it leaves
    unanswered is asked of the first one too, whose answer confirms once the wait is over.
    """

    def __init__(self, first: Looker, second: Looker) -> None:
        self._first = first
        self._second = second

    @property
    def heard(self) -> int:
        """Replies so far, through either."""
        return self._first.heard + self._second.heard

    @property
    def usable(self) -> bool:
        """False while nobody can be asked through either."""
        return self._first.usable or self._second.usable

    async def look(
        self, domain: str, depth: Depth, knowledge: SelectorHints, *, lane: Lane = Lane.BULK
    ) -> Survey:
        """What one of them saw: the second, unless the first was told more."""
        seen = await self._second.look(domain, depth, knowledge, lane=lane)
        if not (missing := _unanswered(seen)):
            return seen
        again = await self._first.look(domain, depth, knowledge, lane=lane)
        return again if _unanswered(again) < missing else seen


def _unanswered(seen: Survey) -> int:
    return sum(not answer.outcome.is_known for answer in seen.answers.values())
