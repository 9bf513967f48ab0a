"""The process that reads one company list: its standard input is the file, its output messages."""

from __future__ import annotations

import contextlib
import resource
import sys
from pathlib import Path
from typing import IO, Final

import msgspec

from hunter.pipeline.listed import Refused, messages
from hunter.pipeline.rows import WAY_OUT

#: bytes of the length before each message
LENGTH_BYTES: Final = 4
#: descriptors the reader needs: three of its own, and the file again by its path
_DESCRIPTORS: Final = 32
_ROOM: Final = "Reading the file takes more memory than this server gives to one file"


def main(arguments: list[str]) -> int:
    """`reader MEMORY_BYTES CPU_S ALLOW_TEST_NAMES`; what a hostile file can cost is decided here."""
    memory_bytes, cpu_s, allow_test_names = (int(each) for each in arguments)
    _confine(memory_bytes, cpu_s)
    with open(0, "rb", closefd=False) as file, open(1, "wb", closefd=False) as out:
        try:
            for message in messages(file, allow_test_names=bool(allow_test_names)):
                _send(out, message)
        except MemoryError:
            _send(out, Refused(f"{_ROOM}: {WAY_OUT}."))
        except BrokenPipeError:
            return 1
    return 0


def _confine(memory_bytes: int, cpu_s: int) -> None:
    limits = {
        resource.RLIMIT_AS: memory_bytes,
        resource.RLIMIT_CPU: cpu_s,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: _DESCRIPTORS,
    }
    for name, most in limits.items():
        resource.setrlimit(name, (most, most))
    # where memory runs out all the same, this process is the one to go
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def _send(out: IO[bytes], message: object) -> None:
    data = msgspec.msgpack.encode(message)
    out.write(len(data).to_bytes(LENGTH_BYTES, "big") + data)
    out.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
