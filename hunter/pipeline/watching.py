"""How leads are watched, by the settings."""

from __future__ import annotations

from hunter.config import Config
from hunter.core.schedule import Watch


def watch_of(config: Config) -> Watch:
    """How often leads are scanned, and what confirms a change."""
    return Watch(
        days=config.watch_days,
        confirm_s=config.confirm_after_s,
        second=frozenset(_shown(*server) for server in config.dns_confirm_servers),
    )


def _shown(address: str, port: int) -> str:
    """A name server as an answer names it."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
