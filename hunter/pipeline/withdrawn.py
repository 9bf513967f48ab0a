"""Names of a chunk that were deleted since it was accepted: written under pseudonyms, as suppressed."""

from __future__ import annotations

from collections.abc import Sequence

from hunter.pipeline.verdicts import Seen
from hunter.store import suppressions
from hunter.store.chunks import Claim
from hunter.store.database import Connection
from hunter.store.suppressions import is_pseudonym


async def in_order(
    conn: Connection, claim: Claim, seen: Sequence[Seen]
) -> tuple[list[tuple[str, Seen]], list[str]]:
    """What was seen by name, in the order in which all chunks lock, and the names to lock.

    No name is deleted from here to the end of the transaction, so this stands first in it.
    """
    gone = await suppressions.among(conn, claim.domains)
    pairs = zip(claim.domains, seen, strict=True)
    order = sorted(
        (
            (gone[name], suppressions.REASON) if name in gone else (name, each)
            for name, each in pairs
        ),
        key=lambda pair: pair[0],
    )
    return order, [name for name, _ in order if not is_pseudonym(name)]
