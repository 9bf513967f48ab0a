"""Cases from the conformance folder, one test a case; skipped with one line where it is absent."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

FOLDER = Path(
    os.environ.get("TEST_HUNTER_CONFORMANCE_DIR")
    or Path(__file__).parents[3] / "shared" / "conformance"
)
ABSENT = f"no conformance cases at {FOLDER}; set TEST_HUNTER_CONFORMANCE_DIR"


@pytest.fixture(scope="session")
def conformance_file() -> Callable[[str], str]:
    """The text of one file of the folder."""

    def read(relative: str) -> str:
        path = FOLDER / relative
        if not path.exists():
            pytest.skip(ABSENT)
        return path.read_text(encoding="utf-8")

    return read


@pytest.fixture(scope="session")
def conformance_bytes() -> Callable[[str], bytes]:
    """The bytes of one file of the folder."""

    def read(relative: str) -> bytes:
        path = FOLDER / relative
        if not path.exists():
            pytest.skip(ABSENT)
        return path.read_bytes()

    return read


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give a test with a `case` argument every case of its `CASES[test name]` (file, key).

    A case listed in the module's `DEVIATIONS` (id → reason) must fail: one that passes is an
    error, so that the list stays true.
    """
    if "case" not in metafunc.fixturenames:
        return
    relative, key = metafunc.module.CASES[metafunc.function.__name__]
    deviations: dict[str, str] = getattr(metafunc.module, "DEVIATIONS", {})
    path = FOLDER / relative
    if not path.exists():
        absent = pytest.param(None, marks=pytest.mark.skip(reason=ABSENT), id="absent")
        metafunc.parametrize("case", [absent])
        return
    cases = yaml.safe_load(path.read_text(encoding="utf-8"))[key]
    metafunc.parametrize("case", [_param(key, n, case, deviations) for n, case in enumerate(cases)])


def _param(key: str, number: int, case: dict[str, Any], deviations: dict[str, str]) -> Any:
    name = str(case.get("id", f"{key}-{number}"))
    marks = []
    if name in deviations:
        marks.append(pytest.mark.xfail(reason=deviations[name], strict=True))
    return pytest.param(case, id=name, marks=marks)
