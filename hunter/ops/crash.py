"""A process that kills itself at a named instant of the job protocol, to prove that nothing is lost.

Off unless HUNTER_CRASH is set, which production refuses. A pass then costs one look at a global.
"""

from __future__ import annotations

import os
import signal

from hunter.core.points import Point

#: the only state of this module, set once before the process begins its work
_armed: dict[Point, int] = {}


def arm(crash: tuple[Point, int] | None) -> None:
    """Die at the n-th pass of a point; None disarms."""
    _armed.clear()
    if crash is not None:
        point, number = crash
        _armed[point] = number


def pass_point(point: Point) -> None:
    """Say that `point` is passed now; when it is the armed one for the last time, nothing returns.

    SIGKILL, as the kernel's out-of-memory killer or a dying node would: no handler, no `finally`.
    """
    if not _armed:
        return
    left = _armed.get(point)
    if left is None:
        return
    if left == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    _armed[point] = left - 1
