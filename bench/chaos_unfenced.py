"""A worker whose fence is off, to show that the chaos run would see it: `python bench/chaos_unfenced.py`.

Every statement that compares a chunk's epoch is replaced by one that does not. It exists for the
harness alone; no setting of Hunter reaches it.
"""

from __future__ import annotations

import os
import sys

from hunter.cli import work
from hunter.store import chunks, leases

#: the chunk is locked as before, whoever's it is by now
_NO_FENCE = "SELECT 'leased' FROM scan_chunk WHERE id = $1 AND $2::bigint IS NOT NULL FOR UPDATE"
#: no lease is ever found lost, so nothing is cancelled by the heartbeat
_NEVER_LOST = "SELECT 1 FROM unnest($1::bigint[], $2::bigint[]) AS held(id, epoch) WHERE false"
_EPOCH = "AND epoch = $2 AND state = 'leased'"


def without_fence() -> None:
    """Replace the statements; raises RuntimeError when Hunter's have changed under this."""
    if "epoch = $2" not in chunks._FENCE or _EPOCH not in chunks._DONE:  # noqa: SLF001
        raise RuntimeError("the fence is written otherwise now: adapt bench/chaos_unfenced.py")
    replaced = chunks._DONE.replace(_EPOCH, "AND $2::bigint IS NOT NULL")  # noqa: SLF001
    for module, name, statement in (
        (chunks, "_FENCE", _NO_FENCE),
        (chunks, "_DONE", replaced),
        (leases, "_LOST", _NEVER_LOST),
    ):
        if not hasattr(module, name):
            raise RuntimeError(f"no {name} in {module.__name__} any more")
        setattr(module, name, statement)


if __name__ == "__main__":
    import argparse

    without_fence()
    sys.exit(work.run(argparse.Namespace(), os.environ))
