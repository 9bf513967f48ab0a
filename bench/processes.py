"""What processes cost, out of /proc: processor seconds and memory, by what each of them is."""

from __future__ import annotations

import contextlib
import os
from collections import defaultdict
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
#: how a command line tells what the process is
_MARKS = ((" serve", "API"), (" work", "worker"), ("postgres", "PostgreSQL"), ("valkey", "Valkey"))


def descendants(pid: int) -> list[int]:
    """The process and everything below it."""
    found, queue = [], [pid]
    while queue:
        current = queue.pop()
        found.append(current)
        with contextlib.suppress(OSError):
            for children in Path(f"/proc/{current}/task").glob("*/children"):
                queue += [int(child) for child in children.read_text().split()]
    return found


def kinds(pid: int) -> dict[int, str]:
    """Hunter's processes below `pid`: API, worker, PostgreSQL or Valkey."""
    found = {}
    for each in descendants(pid):
        command = command_of(each)
        kind = next((kind for mark, kind in _MARKS if mark in command), "")
        if kind:
            found[each] = kind
    return found


def command_of(pid: int) -> str:
    """The command line, "" of a process that is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def processor_s(pid: int) -> float:
    """Processor seconds of a process and of those of its children that ended; 0 when it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    # utime, stime, cutime, cstime: fields 14 to 17 of proc(5), the state being field 3
    return sum(map(int, fields[11:15])) / _TICKS


def processor_by_kind(pids: dict[int, str]) -> dict[str, float]:
    """Processor seconds by what processes are; PostgreSQL's parts besides, as "PostgreSQL: part"."""
    spent: dict[str, float] = defaultdict(float)
    for pid, kind in pids.items():
        seconds = processor_s(pid)
        spent[kind] += seconds
        if kind == "PostgreSQL":
            spent[f"{kind}: {_part(command_of(pid))}"] += seconds
    return spent


def _part(title: str) -> str:
    """Which part of PostgreSQL a process is, by the title it gives itself."""
    words = title.removeprefix("postgres: ").split(" ")
    if not title.startswith("postgres: "):
        return "postmaster and ended processes"
    known = {"walwriter", "checkpointer", "background", "autovacuum", "io", "logical"}
    return " ".join(words[:2]).strip() if words[0] in known else "backends"


def resident_peak_mib(pid: int) -> float:
    """The most memory the process ever had resident, in MiB."""
    return _field_kib(Path(f"/proc/{pid}/status"), "VmHWM:") / 1024


def proportional_mib(pid: int) -> float:
    """Memory of the process in MiB, what it shares divided by those who share it (PSS)."""
    return _field_kib(Path(f"/proc/{pid}/smaps_rollup"), "Pss:") / 1024


def _field_kib(path: Path, name: str) -> int:
    with contextlib.suppress(OSError):
        for line in path.read_text().splitlines():
            if line.startswith(name):
                return int(line.split()[1])
    return 0
