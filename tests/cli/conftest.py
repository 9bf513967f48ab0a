"""The program as its users start it: a process with arguments, an environment and three streams."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from hunter.local.servers import free_port


class Ended(NamedTuple):
    """A finished run."""

    code: int
    out: str
    err: str


Hunter = Callable[..., Awaitable[Ended]]


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """A user's environment: own data folder, free ports."""
    return dict(os.environ) | {
        "COLUMNS": "200",
        "HUNTER_DATA_DIR": str(tmp_path / "data"),
        "HUNTER_PORT": str(free_port()),
        "HUNTER_WORKER_PORT": str(free_port()),
        "HUNTER_ALLOW_TEST_NAMES": "true",
    }


@pytest.fixture
def hunter(environ: dict[str, str], tmp_path: Path) -> Hunter:
    """Run `hunter` with arguments to its end."""

    async def run(*arguments: str, stdin: bytes = b"", **settings: str) -> Ended:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "hunter", *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environ | settings,
            cwd=tmp_path,
        )  # fmt: skip
        out, err = await process.communicate(stdin)
        return Ended(process.returncode or 0, out.decode(), err.decode())

    return run


@pytest.fixture(autouse=True)
def _folder_others_may_pass(tmp_path: Path) -> None:
    """PostgreSQL may have to run as another user."""
    for folder in (tmp_path, *tmp_path.parents):
        if folder.name.startswith("pytest"):
            folder.chmod(0o755)
