"""The rules in force in this process: the operator's files are watched, checked beside the work, and swapped whole."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeAlias

import structlog

from hunter.config import Config
from hunter.knowledge.load import Knowledge, load_own
from hunter.knowledge.problems import BadKnowledge, Problem
from hunter.ops.metrics import Metrics

log = structlog.get_logger()

#: what tells one state of a folder from another: (name, mtime in ns, bytes, inode) of each file
_Signature: TypeAlias = "tuple[tuple[str, int, int, int], ...] | str"
#: problems in one line of the log; all of them are at GET /admin/rules
_LOGGED_PROBLEMS: Final = 20


class Reloader:
    """Polls the files of HUNTER_RULES_DIR.

    Polling and not SIGHUP: nobody signals a pod whose ConfigMap changed, and a fleet of processes
    would need one signal each. A change is taken when two looks in a row see the same files, so
    that one half written is not read. Files with a mistake change nothing: the rules at work stay.
    """

    def __init__(self, config: Config, metrics: Metrics) -> None:
        """Load for the first time; raises BadKnowledge, since there is nothing to keep yet."""
        self._folder = config.rules_dir
        self._pause_s = config.rules_poll_s
        self._metrics = metrics
        self._listeners: list[Callable[[Knowledge], None]] = []
        self._loaded = self._seen = _signature(self._folder)
        self.current = load_own(self._folder)
        #: what is wrong with the files that were not taken, while they are there
        self.problems: tuple[Problem, ...] = ()
        self._show()

    def on_change(self, use: Callable[[Knowledge], None]) -> None:
        """Call `use` after each swap; it must not wait."""
        self._listeners.append(use)

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await asyncio.sleep(self._pause_s)
            try:
                await self.look()
            except Exception:  # the rules at work go on
                log.exception("rules not looked at")

    async def look(self) -> bool:
        """Take changed files that have come to rest; True when other rules are in force now."""
        if not self._folder:
            return False
        now = await asyncio.to_thread(_signature, self._folder)
        is_at_rest, self._seen = now == self._seen, now
        if now == self._loaded or not is_at_rest:
            return False
        self._loaded = now
        try:
            found = await asyncio.to_thread(load_own, self._folder)
        except BadKnowledge as error:
            self._refuse(error)
            return False
        self.problems = ()
        if found.version == self.current.version:
            self.current = found  # other words perhaps, and no other judgement
            return False
        before, self.current = self.current.version, found
        self._show()
        log.info("rules reloaded", version=found.version, before=before, own=sorted(found.own))
        for use in self._listeners:
            use(found)
        return True

    def _refuse(self, error: BadKnowledge) -> None:
        self.problems = error.problems
        self._metrics.hunter_rules_reload_failures_total.inc({})
        log.error(
            "rules not reloaded",
            kept=self.current.version,
            problems=[str(each) for each in error.problems[:_LOGGED_PROBLEMS]],
            more=max(0, len(error.problems) - _LOGGED_PROBLEMS),
        )

    def _show(self) -> None:
        # one series at a time: a scrape must not see two versions in force
        self._metrics.hunter_rules_info.values.clear()
        self._metrics.hunter_rules_info.set({"version": self.current.version}, 1)


def _signature(folder: str) -> _Signature:
    if not folder:
        return ""
    try:
        found = [(path, path.stat()) for path in Path(folder).iterdir() if path.suffix == ".yaml"]
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return tuple(sorted((p.name, s.st_mtime_ns, s.st_size, s.st_ino) for p, s in found))
