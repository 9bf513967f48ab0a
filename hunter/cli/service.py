"""A long-running process: signals, event loop and logging around one coroutine."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable

import uvloop

from hunter.cli.main import Exit
from hunter.config import Config
from hunter.core.errors import Misconfigured
from hunter.core.points import read_crash
from hunter.ops.crash import arm
from hunter.ops.log import configure_logging
from hunter.ops.reports import open_reports
from hunter.ops.tracing import tracing

Service = Callable[[asyncio.Event], Awaitable[None]]


def require_servers(config: Config, command: str) -> None:
    """Raise Misconfigured when the settings name no PostgreSQL or no Redis."""
    missing = [
        f"HUNTER_{name.upper()}: `hunter {command}` needs it; `hunter up` starts servers of its own"
        for name in ("database_url", "redis_url")
        if not getattr(config, name)
    ]
    if missing:
        raise Misconfigured("\n".join(missing))


def run_service(service: Service, config: Config, name: str) -> int:
    """Run until SIGTERM or SIGINT, which drain; a second signal ends at once."""
    configure_logging(config, report=open_reports(config))
    arm(read_crash(config.crash))
    with tracing(config, name):
        uvloop.run(until_signalled(service))
    return Exit.OK


async def until_signalled(service: Service) -> None:
    """Run `service`, whose event is set by the first SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def on_signal(number: signal.Signals) -> None:
        if stop.is_set():
            os._exit(128 + number)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal, number)
    await service(stop)
