"""The name servers, and for each: how much may be in flight, how fast, and whether to ask it at all."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from hunter.config import Config, parse_server

RESOLV_CONF: Final = Path("/etc/resolv.conf")
#: resolv.conf(5): libc reads no more than three, and asks this machine when there is none
_RESOLV_MAX: Final = 3
_FALLBACK: Final = (("127.0.0.1", 53),)
#: seconds between two looks at the rate; long against round trips
_GROWTH_S: Final = 0.25
#: a larger window must bring so much more answers a second
_WORTH_IT: Final = 1.1
#: seconds for which a window that was not worth growing is left alone
_CONTENT_S: Final = 5.0


def servers_of(config: Config, resolv_conf: Path = RESOLV_CONF) -> tuple[tuple[str, int], ...]:
    """HUNTER_DNS_SERVERS, or the name servers of resolv.conf, or this machine."""
    return config.dns_servers or servers_in(resolv_conf) or _FALLBACK


def servers_in(resolv_conf: Path) -> tuple[tuple[str, int], ...]:
    """The name servers of a resolv.conf; none when there is no such file or it names none."""
    try:
        lines = resolv_conf.read_text(errors="replace").splitlines()
    except OSError:
        return ()
    found = []
    for line in lines:
        words = line.split("#")[0].split(";")[0].split()
        if len(words) >= 2 and words[0] == "nameserver":
            address, _, scope = words[1].partition("%")
            try:
                host, port = parse_server(f"[{address}]" if ":" in address else address)
            except ValueError:
                continue  # libc skips what it cannot read, too
            found.append((f"{host}%{scope}" if scope else host, port))
    return tuple(found[:_RESOLV_MAX])


#: seconds for which a server is spared what it does not understand
_ODD_S: Final = 900.0
#: answers in other case, one after the other, that make it the server's habit
_CASE_LOST: Final = 3


class Server:
    """What the engine knows about one name server. No I/O: the engine tells it what happened.

    The window is counted in questions. It grows by one per answer while it is what holds us back,
    and shrinks by 15 % only when the server itself, not some domains, stops answering.
    """

    __slots__ = (
        "_checked",
        "_content_until",
        "_grown",
        "_looked_at",
        "_probed_at",
        "_rate",
        "_smaller",
        "address",
        "answers",
        "base_rtt",
        "bit",
        "bulk_window",
        "cap",
        "case_lost",
        "edns",
        "inflight",
        "is_open",
        "keeps_case",
        "limited",
        "lost_names",
        "number",
        "odd_until",
        "openings",
        "probing",
        "qps",
        "reopen_after_s",
        "reopen_at",
        "shrunk_at",
        "silent",
        "starved",
        "text",
        "timed_out",
        "tokens",
        "window",
    )

    def __init__(
        self, address: tuple[str, int], number: int, *, cap: int, qps: int, window: int
    ) -> None:
        self.address = address
        host, port = address
        self.text = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self.number = number
        self.bit = 1 << number
        self.inflight = 0
        self.cap = cap
        self.qps = qps
        self.tokens = float(burst_of(qps))
        #: the window was full, the rate limit was reached since the last tick
        self.limited = False
        self.starved = False
        #: answers ever, and how many there were at the last growth and the last look at losses
        self.answers = 0
        self._grown = 0
        self._checked = 0
        #: the window before the last growth (0: none to judge), and the rate it had
        self._smaller = 0
        self._rate = 0.0
        self._looked_at = 0.0
        self._content_until = 0.0
        #: time-outs since the last look at losses, and whose they were
        self.timed_out = 0
        self.lost_names: set[str] = set()
        #: tries in a row without any answer
        self.silent = 0
        self.probing = False
        self._probed_at = 0
        self.base_rtt = 0.0
        self.shrunk_at = 0.0
        self.is_open = False
        #: how often the breaker has opened
        self.openings = 0
        self.reopen_at = 0.0
        self.reopen_after_s = 0.0
        #: False for a while after it has refused EDNS (RFC 6891 section 6.2.2), or has not given
        #: back the case of questions several times in a row
        self.edns = True
        self.keeps_case = True
        self.case_lost = 0
        self.odd_until = 0.0
        self.window = self.bulk_window = 0
        self.resize(min(window, cap))

    def resize(self, window: int) -> None:
        """Set the window; a tenth of it is kept for interactive questions."""
        self.window = max(1, min(window, self.cap))
        self.bulk_window = max(1, self.window - self.window // 10)

    def has_room(self, *, interactive: bool) -> bool:
        """May another question be sent now?"""
        if self.inflight >= (self.window if interactive else self.bulk_window):
            self.limited = True
            return False
        return self.has_token()

    def has_token(self) -> bool:
        """Does the rate limit allow one more now?"""
        if not self.qps or self.tokens >= 1:
            return True
        self.starved = True
        return False

    def refused_edns(self, now: float) -> None:
        """It has answered a question without EDNS after refusing the same one with it."""
        self.edns = False
        self.odd_until = now + _ODD_S

    def lost_case(self, now: float) -> None:
        """An answer's question differs from ours in case alone: a forgery, or its habit."""
        self.case_lost += 1
        if self.case_lost >= _CASE_LOST:
            self.keeps_case = False
            self.odd_until = now + _ODD_S

    def forgive(self, now: float) -> None:
        """Try again what it could not do long ago: it may have been replaced."""
        if self.odd_until and now >= self.odd_until:
            self.edns = self.keeps_case = True
            self.case_lost = 0
            self.odd_until = 0.0

    def refill(self, seconds: float) -> None:
        """Give the token bucket what the passed time earned."""
        if self.qps:
            self.tokens = min(float(burst_of(self.qps)), self.tokens + self.qps * seconds)

    def grow(self, now: float) -> None:
        """One question per answer while the window limits us, and only as long as that helps.

        Over a network the rate rises with the window. Where a processor is the limit, ours or the
        server's, more in flight only makes queues longer: 10,000 was up to 1.7 times slower than
        500 on one machine. So a growth that brings no more answers a second is taken back.
        """
        passed = now - self._looked_at
        if passed < _GROWTH_S:
            return
        rate = (self.answers - self._grown) / passed
        if not self.limited or now < self._content_until:
            self._smaller = 0
        elif self._smaller and rate < self._rate * _WORTH_IT:
            self.resize(self._smaller)
            self._content_until = now + _CONTENT_S
            self._smaller = 0
        else:
            self._smaller, self._rate = self.window, rate
            self.resize(min(2 * self.window, self.window + self.answers - self._grown))
        self._grown = self.answers
        self._looked_at = now
        self.limited = False

    def lost(self, name: str) -> None:
        """A try for this name was not answered in time."""
        self.timed_out += 1
        self.silent += 1
        # three labels stand for the registrable domain: exact enough to tell one from twenty
        if len(self.lost_names) < 20:
            self.lost_names.add(".".join(name.rsplit(".", 3)[-3:]))

    def is_suspect(self, doubt_after: int) -> bool:
        """True when losses look like the server's: then a probe decides.

        Either nothing at all came back lately, or more than 5 % of 512 tries over 20 domains were
        lost. Single losses and slow domains never get here: halving per loss, as TCP does, would
        settle at 17 questions in flight at a loss of 0.5 %.
        """
        if self.silent >= doubt_after:
            return True
        tries = self.answers - self._checked + self.timed_out
        if tries < 512:
            return False
        suspect = self.timed_out * 20 > tries and len(self.lost_names) >= 20
        self._checked = self.answers
        self.timed_out = 0
        self.lost_names.clear()
        return suspect

    def probe_sent(self) -> None:
        """A probe is under way; remember what had been answered by then."""
        self.probing = True
        self._probed_at = self.answers

    def probed(self, rtt: float | None, now: float, reopen_s: tuple[float, float]) -> None:
        """The probe's round trip in seconds, None when it was not answered.

        A single probe can be lost like any datagram: the breaker opens only when nothing else was
        answered in the meantime either.
        """
        self.probing = False
        if rtt is None:
            if self.answers == self._probed_at:
                self.unreachable(now, reopen_s)
            self._shrink(now)
            return
        self.is_open = False
        self.silent = 0
        self.reopen_after_s = 0.0
        if self.base_rtt and rtt > 2 * self.base_rtt:
            self._shrink(now)
        self.base_rtt = min(self.base_rtt or rtt, rtt)

    def unreachable(self, now: float, reopen_s: tuple[float, float]) -> None:
        """Open the breaker: nobody is sent here until a probe comes back."""
        first, longest = reopen_s
        self.reopen_after_s = min(longest, self.reopen_after_s * 2) or first
        self.reopen_at = now + self.reopen_after_s
        self.openings += not self.is_open
        self.is_open = True

    def _shrink(self, now: float) -> None:
        if now - self.shrunk_at >= 1:
            self.shrunk_at = now
            self.resize(self.window * 85 // 100)


def burst_of(qps: int) -> int:
    """Most questions sent at once under a limit: a twentieth of a second's worth, at least one."""
    return max(1, qps // 20)
