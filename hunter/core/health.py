"""Whether what scans see is the world's doing or the resolver's, told from how much changes at once."""

from __future__ import annotations

from typing import Final

import msgspec

#: of fewer domains a share says nothing
_ENOUGH: Final = 200
#: more than this share of providers does not move within minutes
HOLD_ABOVE: Final = 0.05
#: more than this share of domains does not fall silent within minutes
SILENT_ABOVE: Final = 0.2


class Sample(msgspec.Struct, frozen=True):
    """What scans of some minutes saw of domains whose mailboxes were known before."""

    known: int = 0
    #: seen elsewhere, or gone
    moved: int = 0
    #: a deciding question went unanswered
    silent: int = 0

    @property
    def is_enough(self) -> bool:
        """True when a share of it says something."""
        return self.known >= _ENOUGH

    @property
    def is_moving(self) -> bool:
        """True when so many have moved that no change is to be believed."""
        return self.is_enough and self.moved > self.known * HOLD_ABOVE

    @property
    def is_silent(self) -> bool:
        """True when so many are silent that an operator should know."""
        return self.is_enough and self.silent > self.known * SILENT_ABOVE

    @property
    def reason(self) -> str:
        """What is the matter, in a sentence; "" when nothing is."""
        found = []
        if self.is_moving:
            found.append(f"{self.moved:,} of {self.known:,} known providers seem to have moved")
        if self.is_silent:
            found.append(f"{self.silent:,} of {self.known:,} known domains went unanswered")
        return "; ".join(found)


class Trust(msgspec.Struct, frozen=True):
    """How far scans are trusted now."""

    #: no change is confirmed
    is_held: bool = False
    #: too much goes unanswered
    is_silent: bool = False
    #: an operator knows about what is seen: nothing is held
    is_released: bool = False


def weigh(seen: Sample, now: Trust) -> Trust:
    """How far scans are trusted after a sample; one too small to tell anything changes nothing."""
    if not seen.is_enough:
        return Trust(now.is_held and not now.is_released, now.is_silent, now.is_released)
    return Trust(seen.is_moving and not now.is_released, seen.is_silent, now.is_released)
