"""Vital signs: from the cgroup where it sets a limit, else from /proc."""

import asyncio
from pathlib import Path

import pytest
from aioprometheus.collectors import Gauge

from hunter.ops import process
from hunter.ops.metrics import Metrics
from hunter.ops.process import Vitals, watch_process


def _value(gauge: Gauge) -> float:
    value = gauge.get({})
    assert isinstance(value, int | float)
    return value


def test_a_limiting_cgroup_is_what_counts(tmp_path: Path) -> None:
    (tmp_path / "cpu.max").write_text("50000 100000\n")
    (tmp_path / "cpu.stat").write_text("usage_usec 2000000\nuser_usec 1\n")
    (tmp_path / "memory.max").write_text("1000\n")
    (tmp_path / "memory.current").write_text("700\n")
    (tmp_path / "memory.stat").write_text("anon 500\ninactive_file 100\n")
    metrics = Metrics()

    Vitals(metrics, tmp_path, cgroup=tmp_path).look()

    assert _value(metrics.memory_usage_bytes) == 600
    assert _value(metrics.memory_limit_bytes) == 1000
    assert _value(metrics.cpu_usage_percent) == 0.0


def test_without_a_limit_the_process_and_the_machine_count(tmp_path: Path) -> None:
    (tmp_path / "cpu.max").write_text("max 100000\n")
    (tmp_path / "memory.max").write_text("max\n")
    metrics = Metrics()

    Vitals(metrics, tmp_path / "not" / "yet", cgroup=tmp_path).look()

    assert 0 < _value(metrics.memory_usage_bytes) < _value(metrics.memory_limit_bytes)
    assert 0 < _value(metrics.disk_usage_percent) <= 100


async def test_the_watch_sets_the_loop_lag(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_TICK_S", 0.001)
    metrics = Metrics()

    async with watch_process(metrics, tmp_path):
        while b"hunter_event_loop_lag_seconds" not in metrics.render():
            await asyncio.sleep(0)

    assert _value(metrics.hunter_event_loop_lag_seconds) >= 0
