"""The engine, opened and closed around a block."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from hunter.config import Config
from hunter.ops.metrics import Metrics
from hunter.resolver.engine import Engine
from hunter.resolver.tuning import Tuning
from hunter.resolver.variant import is_compiled


@asynccontextmanager
async def open_engine(
    config: Config, metrics: Metrics | None = None, *, tuning: Tuning | None = None
) -> AsyncIterator[Engine]:
    """The engine for this event loop, closed at the end of the block."""
    engine = Engine(config, metrics, tuning or Tuning())
    if metrics is not None:
        metrics.hunter_dns_engine_compiled.set({}, int(is_compiled()))
    engine.start()
    try:
        yield engine
    finally:
        engine.close()
