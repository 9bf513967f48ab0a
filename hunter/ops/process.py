"""The process's own vital signs: loop lag, CPU, memory and disk."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

from hunter.ops.metrics import Metrics

_TICK_S: Final = 0.5
#: ticks whose worst lag is shown: 10 s, less than one usual scrape interval
_LAG_TICKS: Final = 20
#: ticks between two looks at CPU, memory and disk
_LOOK_TICKS: Final = 10


@asynccontextmanager
async def watch_process(metrics: Metrics, data_dir: Path) -> AsyncIterator[None]:
    """Keep the process gauges up to date while inside."""
    metrics.on_render(lambda: metrics.process_cpu_seconds_total.set({}, time.process_time()))
    task = asyncio.create_task(_watch(metrics, data_dir))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _watch(metrics: Metrics, data_dir: Path) -> None:
    loop = asyncio.get_running_loop()
    gauges = Vitals(metrics, data_dir)
    lags: deque[float] = deque(maxlen=_LAG_TICKS)
    gauges.look()
    ticks = 0
    while True:
        due = loop.time() + _TICK_S
        await asyncio.sleep(_TICK_S)
        lags.append(max(0.0, loop.time() - due))
        metrics.hunter_event_loop_lag_seconds.set({}, max(lags))
        ticks += 1
        if ticks % _LOOK_TICKS == 0:
            gauges.look()


class Vitals:
    """CPU, memory and disk, from the cgroup where it sets a limit, else from /proc."""

    def __init__(self, metrics: Metrics, data_dir: Path, cgroup: Path | None = None) -> None:
        self._metrics = metrics
        self._data_dir = data_dir
        self._cgroup = cgroup or _own_cgroup()
        self._cpu_s = self._cpu_seconds()
        self._at = time.monotonic()

    def look(self) -> None:
        """Set the gauges; CPU is the mean since the last look."""
        self._look_at_cpu()
        used, limit = self._memory()
        self._metrics.memory_usage_bytes.set({}, used)
        self._metrics.memory_limit_bytes.set({}, limit)
        disk = shutil.disk_usage(_existing(self._data_dir))
        self._metrics.disk_usage_percent.set({}, round(100 * disk.used / disk.total, 1))

    def _look_at_cpu(self) -> None:
        cpu_s, now = self._cpu_seconds(), time.monotonic()
        if (passed := now - self._at) > 0:
            share = (cpu_s - self._cpu_s) / passed / self._cores()
            self._metrics.cpu_usage_percent.set({}, round(100 * max(0.0, share), 1))
        self._cpu_s, self._at = cpu_s, now

    def _cores(self) -> float:
        """Cores allowed: the cgroup's quota over its period, else all of the machine."""
        quota, _, period = _read(self._cgroup / "cpu.max").partition(" ")
        if quota.isdigit() and period.isdigit():
            return int(quota) / int(period)
        return float(os.cpu_count() or 1)

    def _cpu_seconds(self) -> float:
        if _read(self._cgroup / "cpu.max").partition(" ")[0].isdigit():
            return _field(self._cgroup / "cpu.stat", "usage_usec") / 1e6
        return time.process_time()

    def _memory(self) -> tuple[int, int]:
        """(bytes in use without droppable page cache, bytes allowed)."""
        limit = _read(self._cgroup / "memory.max")
        if limit.isdigit():
            current = int(_read(self._cgroup / "memory.current") or 0)
            cache = _field(self._cgroup / "memory.stat", "inactive_file")
            return max(0, current - cache), int(limit)
        resident_kib = _field(Path("/proc/self/status"), "VmRSS:")
        return resident_kib * 1024, _field(Path("/proc/meminfo"), "MemTotal:") * 1024


def _own_cgroup() -> Path:
    """The folder of this process's cgroup (version 2); one that has no files otherwise."""
    for line in _read(Path("/proc/self/cgroup")).splitlines():
        if line.startswith("0::"):
            return Path("/sys/fs/cgroup") / line[3:].lstrip("/")
    return Path("/sys/fs/cgroup/none")


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def _field(path: Path, name: str) -> int:
    for line in _read(path).splitlines():
        words = line.split()
        if words and words[0] == name:
            return int(words[1])
    return 0


def _existing(path: Path) -> Path:
    """The folder itself, or the nearest one above it that is already there."""
    path = path.absolute()
    while not path.exists():
        path = path.parent
    return path
