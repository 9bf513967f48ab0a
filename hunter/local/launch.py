"""Start a program that dies with its parent and, for PostgreSQL, never runs as root.

`python -m hunter.local.launch PARENT_PID SIGNAL USER PROGRAM ARGUMENT…`

Kept apart from the launcher because it must run between fork and exec: in a process of its own
it needs no `preexec_fn`, which is unsafe beside threads and an event loop.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_CLONE_NEWUSER = 0x10000000
#: the user PostgreSQL runs as when we are root: it refuses uid 0
NOBODY = 65534


def die_with(parent: int, death_signal: int) -> None:
    """Ask the kernel for `death_signal` when the parent ends, even by SIGKILL (Linux only)."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, death_signal)
    # The parent may have died before the kernel was asked.
    if os.getppid() != parent:
        os._exit(1)


def enter_user_namespace() -> bool:
    """Become "nobody" in a user namespace of our own; False where the kernel does not let us.

    Root's files stay reachable, so this works inside a private folder. The ids are mapped one to
    one: uid 65534 inside is our own uid outside.
    """
    uid, gid = os.getuid(), os.getgid()
    if sys.platform != "linux" or ctypes.CDLL(None).unshare(_CLONE_NEWUSER) != 0:
        return False
    with contextlib.suppress(OSError):
        Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
    Path("/proc/self/uid_map").write_text(f"{NOBODY} {uid} 1", encoding="ascii")
    Path("/proc/self/gid_map").write_text(f"{NOBODY} {gid} 1", encoding="ascii")
    return True


def main(argv: list[str]) -> None:
    """Drop what must be dropped, tie ourselves to the parent, become the program."""
    parent, death_signal, user, program, *arguments = argv
    if user == "namespace":
        enter_user_namespace()
    elif user == "nobody":
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    # After the change of user: changing credentials clears the parent-death signal.
    die_with(int(parent), signal.Signals[death_signal])
    os.execv(program, [program, *arguments])  # noqa: S606  # the launcher built the command itself


if __name__ == "__main__":
    main(sys.argv[1:])
