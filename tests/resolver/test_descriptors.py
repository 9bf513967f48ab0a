"""An engine in a process that has no file descriptor left: unknown for now, never absent."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager

from hunter.core.answers import Outcome, RRType
from hunter.local.nameserver import NameServer
from hunter.resolver.engine import Engine
from hunter.resolver.tuning import Tuning

ZONE = "acme.com. MX 10 mx.acme.com."
QUESTIONS = [("acme.com", RRType.MX)]


async def test_an_engine_without_descriptors_says_unreachable_until_it_has_some(
    name_server: NameServer,
    open_quick: Callable[..., Awaitable[Engine]],
    no_descriptors: Callable[[], AbstractContextManager[None]],
) -> None:
    name_server.load(ZONE)
    tuning = Tuning(timeouts_s=(0.15,), tick_s=0.01, reopen_s=(0.05, 0.1), sockets_min=4)
    with no_descriptors():
        engine = await open_quick(name_server, tuning=tuning)
        (none,) = await engine.ask(QUESTIONS)
        usable = engine.usable

    assert (none.outcome, usable) == (Outcome.UNREACHABLE, False)
    async with asyncio.timeout(10):
        while not engine.usable:  # a probe opens it again
            await asyncio.sleep(0.01)
    (some,) = await engine.ask(QUESTIONS)
    assert some.outcome is Outcome.FOUND


async def test_an_engine_that_runs_out_goes_on_with_the_ports_it_has(
    name_server: NameServer,
    open_quick: Callable[..., Awaitable[Engine]],
    no_descriptors: Callable[[], AbstractContextManager[None]],
) -> None:
    name_server.load(ZONE)
    tuning = Tuning(timeouts_s=(0.5, 0.5), tick_s=0.01, sockets_min=4, rotate_after=1)
    engine = await open_quick(name_server, tuning=tuning)
    with no_descriptors():
        said = [(await engine.ask(QUESTIONS))[0].outcome for _ in range(30)]

    assert set(said) == {Outcome.FOUND}
