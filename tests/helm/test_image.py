"""The Dockerfile: clean for hadolint, nobody's root, and walked by `make image-recipe` step by step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.helm.image import ROOT, steps

DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
STEPS = steps(DOCKERFILE)


@pytest.mark.tool("hadolint")
@pytest.mark.parametrize("name", ["Dockerfile", "helm/unbound.Dockerfile"])
def test_hadolint_finds_nothing(name: str, run: Callable[..., Any]) -> None:
    done = run("hadolint", "--no-color", str(ROOT / name))

    assert done.returncode == 0, done.stdout


def test_what_is_installed_is_locked_by_hash_and_a_wheel_of_the_project() -> None:
    runs = " ".join(rest for name, rest in STEPS if name == "RUN")

    assert "--require-hashes -r requirements.lock" in runs
    assert "--only-binary :all:" in runs
    assert "pip wheel --no-deps --no-build-isolation" in runs
    assert " -e ." not in runs


def test_the_last_stage_has_no_compiler_and_no_root() -> None:
    last = STEPS[max(n for n, (name, _) in enumerate(STEPS) if name == "FROM") :]

    assert [rest for name, rest in last if name == "USER"] == ["10001:10001"]
    assert not [rest for name, rest in last if name == "RUN" and "apt-get" in rest]
    assert [rest for name, rest in last if name == "COPY"] == [
        "--from=build /opt/hunter /opt/hunter"
    ]
    labels = next(rest for name, rest in last if name == "LABEL")
    for label in ("title", "version", "revision", "licenses", "base.name"):
        assert f"org.opencontainers.image.{label}=" in labels


def test_the_walk_reads_continued_lines_and_skips_comments() -> None:
    assert steps("FROM a\n# no\nRUN b \\\n # inside\n && c\n") == [
        ("FROM", "a"),
        ("RUN", "b   && c"),
    ]
