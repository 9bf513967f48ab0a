"""Programs that check what the chart ships."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def run() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a program of this environment, or of the path; its output as text."""

    def _run(program: str, *arguments: str, **how: Any) -> subprocess.CompletedProcess[str]:
        here = Path(sys.executable).parent / program
        command = [str(here) if here.exists() else program, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, **how)

    return _run
