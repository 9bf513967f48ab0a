"""Answers about names that many domains share, for as long as their TTL says."""

from __future__ import annotations

from collections import OrderedDict

from hunter.core.answers import Answer, Outcome, RRType

#: seconds; a day-old answer must not decide a scan even when its owner allows it
_LONGEST = 3600
#: RFC 2308 section 5 asks for a limit on negative answers
_LONGEST_NEGATIVE = 900
#: RFC 9520 section 3.2: a failure is remembered, but shortly
_FAILURE = 5


class Cache:
    """Least recently used answers go first when `size` is reached."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._entries: OrderedDict[tuple[str, RRType], tuple[float, Answer]] = OrderedDict()
        #: looks that found records, that found an absence or a failure, and that found nothing
        self.hits = 0
        self.negative = 0
        self.misses = 0
        #: fresh answers thrown away for lack of room
        self.evictions = 0

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: tuple[str, RRType], now: float) -> Answer | None:
        """The answer while it is fresh."""
        entry = self._entries.get(key)
        if entry is not None:
            if now < entry[0]:
                if entry[1].outcome is Outcome.FOUND:
                    self.hits += 1
                else:
                    self.negative += 1
                self._entries.move_to_end(key)
                return entry[1]
            del self._entries[key]
        self.misses += 1
        return None

    def put(self, key: tuple[str, RRType], answer: Answer, now: float) -> None:
        """Keep an answer. Without a TTL (no SOA in a negative answer) it is not kept at all.

        Nor is BUDGET, which is about those who asked.
        """
        if answer.outcome is Outcome.FOUND:
            seconds = min(answer.ttl, _LONGEST)
        elif answer.outcome.is_absent:
            seconds = min(answer.ttl, _LONGEST_NEGATIVE)
        else:
            seconds = 0 if answer.outcome is Outcome.BUDGET else _FAILURE
        if seconds <= 0:
            return
        self._entries[key] = (now + seconds, answer)
        self._entries.move_to_end(key)
        if len(self._entries) > self._size:
            _, (until, _answer) = self._entries.popitem(last=False)
            self.evictions += now < until
