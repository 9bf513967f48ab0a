"""Named checks with time limits; liveness, readiness and startup."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import structlog

from hunter.core.errors import Unavailable

log = structlog.get_logger()

Check = Callable[[], Awaitable[object]]
#: status and JSON body of an answer
Answer = tuple[int, dict[str, object]]

CHECK_LIMIT_S: Final = 1.0
CACHE_S: Final = 1.0

_WORDS: Final[tuple[tuple[type[BaseException], str], ...]] = (
    (TimeoutError, f"no answer within {CHECK_LIMIT_S:g} s"),
    (ConnectionRefusedError, "connection refused"),
    (ConnectionError, "connection lost"),
    (OSError, "connection failed"),
)


class Health:
    """What the probes answer.

    `checks` are the dependencies that readiness names ("database", "redis"); each is called with
    nothing and raises when the dependency is away. `startup` checks must each succeed once before
    the startup probe turns 200 for good. A check in `optional` only degrades readiness.
    """

    def __init__(
        self,
        checks: Mapping[str, Check],
        *,
        environment: str,
        startup: Mapping[str, Check] | None = None,
        optional: frozenset[str] = frozenset(),
    ) -> None:
        self._checks = dict(checks)
        self._startup = dict(startup or {})
        self._environment = environment
        self._optional = optional
        self._running: asyncio.Task[dict[str, str]] | None = None
        self._failures: dict[str, str] = {}
        self._checked_at = float("-inf")
        self.started = False
        #: set when the process is asked to stop: readiness is false from that moment
        self.draining = False

    def live(self) -> Answer:
        """Always 200: whoever hears this, the loop turns. No dependency is touched."""
        return 200, {"status": "alive"}

    async def ready(self) -> Answer:
        """200 when every dependency answers, else a 503 problem that says which does not."""
        if self.draining:
            return _unavailable("Draining: this process is stopping", {})
        failures = await self.failures()
        checks = {name: name not in failures for name in self._checks}
        fatal = {name: why for name, why in failures.items() if name not in self._optional}
        if fatal:
            return _unavailable(_sentence(fatal), checks)
        status = "degraded" if failures else "ready"
        return 200, {"status": status, "checks": checks, "environment": self._environment}

    async def startup(self) -> Answer:
        """503 until every dependency and every start condition was met once; then 200 for good."""
        if not self.started:
            failures = await self.failures() | await _run(self._startup)
            if fatal := {n: why for n, why in failures.items() if n not in self._optional}:
                return _unavailable(_sentence(fatal), dict.fromkeys(fatal, False))
            self.started = True
        return 200, {"status": "started"}

    async def legacy(self) -> Answer:
        """The earlier system's answer: always 200, the truth in words."""
        failures = await self.failures()
        words = {name: "disconnected" if name in failures else "connected" for name in self._checks}
        return 200, {"status": "ok", **words, "environment": self._environment}

    async def checks(self) -> dict[str, bool]:
        """Which dependency answers."""
        failures = await self.failures()
        return {name: name not in failures for name in self._checks}

    async def failures(self) -> dict[str, str]:
        """Why each failing check failed. Checks run at most once a second, whoever asks."""
        if time.monotonic() - self._checked_at < CACHE_S:
            return self._failures
        if self._running is None:
            self._running = asyncio.create_task(self._look())
        # shielded: a probe that hangs up must not take the others' answer with it
        return await asyncio.shield(self._running)

    async def _look(self) -> dict[str, str]:
        try:
            self._failures = await _run(self._checks)
            self._checked_at = time.monotonic()
            return self._failures
        finally:
            self._running = None


async def _run(checks: Mapping[str, Check]) -> dict[str, str]:
    outcomes = await asyncio.gather(*(_outcome(name, check) for name, check in checks.items()))
    return {name: why for name, why in zip(checks, outcomes, strict=True) if why is not None}


async def _outcome(name: str, check: Check) -> str | None:
    """None when the check succeeds, else why not in words that leak no host, user or secret."""
    try:
        async with asyncio.timeout(CHECK_LIMIT_S):
            await check()
    except Unavailable as error:
        why = _known_word(error) or str(error)
    except Exception as error:  # noqa: BLE001  # a check may fail in any way its driver knows
        why = _known_word(error) or "it answers with an error"
    else:
        return None
    log.warning("health check failed", check=name, reason=why)
    return why


def _known_word(error: BaseException | None) -> str | None:
    """Fixed words for the first cause we know; a driver's own text may hold a host or a user."""
    while error is not None:
        for kind, word in _WORDS:
            if isinstance(error, kind):
                return word
        error = error.__cause__ or error.__context__
    return None


def _sentence(failures: Mapping[str, str]) -> str:
    return "; ".join(f"{name.capitalize()} unavailable: {why}" for name, why in failures.items())


def _unavailable(detail: str, checks: Mapping[str, bool]) -> Answer:
    return 503, {
        "type": "/problems/unavailable",
        "title": "Temporarily unavailable",
        "status": 503,
        "detail": detail,
        "checks": dict(checks),
    }
