"""Numbers of the engine that are no settings: the measured defaults, and a way to test fast."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """How the engine waits, grows and renews itself; what may differ between machines is in `Config`."""

    #: seconds to wait for each try (design: 1, 2, 3)
    timeouts_s: tuple[float, ...] = (1.0, 2.0, 3.0)
    tcp_timeout_s: float = 3.0
    #: length of a tick
    tick_s: float = 0.05
    #: questions in flight per server before the engine has learned anything
    first_window: int = 512
    sockets_min: int = 32
    sockets_max: int = 128
    #: a socket, and so a source port, is replaced after so many questions or seconds
    rotate_after: int = 20_000
    rotate_s: float = 60.0
    #: unanswered tries in a row before the server itself is doubted
    doubt_after: int = 20
    #: wait before an open breaker is tested again; doubled up to the second number
    reopen_s: tuple[float, float] = (1.0, 30.0)
    cache_size: int = 50_000
    #: a TCP connection without work is closed after this (RFC 7766 section 6.2.3)
    tcp_idle_s: float = 5.0
