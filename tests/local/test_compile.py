"""The engine compiled: what runs, when it does, and what happens on a machine that cannot compile."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hunter.resolver import variant

ROOT = Path(__file__).parents[2]
ASK = "from hunter.resolver import variant, wire; print(variant.is_compiled(), wire.__file__)"

built = pytest.mark.skipif(
    not variant.is_built() and "TEST_HUNTER_REQUIRE_TOOLS" not in os.environ,
    reason="the engine is not compiled here: python -m hunter.local.compile",
)


def run(*arguments: str, tree: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Python in a tree of its own, with nothing of this process's wishes about compiling."""
    inherited = {k: v for k, v in os.environ.items() if k != "HUNTER_PURE_PYTHON"}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=tree,
        env=inherited | {"PYTHONPATH": str(tree)} | environ,
        capture_output=True,
        text=True,
        check=True,
    )


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the package, to edit and to compile in."""
    shutil.copytree(ROOT / "hunter", tmp_path / "hunter")
    return tmp_path


@built
def test_a_built_engine_runs_compiled() -> None:
    told = run("-c", ASK, tree=ROOT).stdout

    assert told.startswith("True")
    assert "compiled" in told


@built
def test_the_interpreted_engine_runs_when_asked_for() -> None:
    told = run("-c", ASK, tree=ROOT, HUNTER_PURE_PYTHON="1").stdout

    assert told.startswith("False")
    assert told.strip().endswith("wire.py")


@built
def test_an_edited_source_runs_instead_of_its_stale_build(tree: Path) -> None:
    with (tree / "hunter" / "resolver" / "wire.py").open("a") as source:
        source.write("# edited\n")

    assert run("-c", ASK, tree=tree).stdout.startswith("False")


def test_without_a_compiler_it_says_so_in_one_line_and_the_engine_runs_interpreted(
    tree: Path,
) -> None:
    shutil.rmtree(tree / "hunter" / "resolver" / "compiled", ignore_errors=True)

    said = run("-m", "hunter.local.compile", tree=tree, CC="no-such-compiler").stdout

    first, last = said.splitlines()
    assert first == "compiling the DNS engine (mypyc)"
    assert last.startswith("not compiled: ")
    assert "no-such-compiler" in last
    assert "no-such-compiler" in (tree / ".local" / "compile.log").read_text()
    assert run("-c", ASK, tree=tree).stdout.startswith("False")


@built
def test_what_is_current_is_not_compiled_again(tree: Path) -> None:
    assert run("-m", "hunter.local.compile", tree=tree, CC="no-such-compiler").stdout == ""


@built
def test_an_edit_during_the_build_leaves_the_build_stale(tree: Path) -> None:
    before = (tree / "hunter" / "resolver" / "compiled" / "source.sha256").read_text()
    script = """
import subprocess, sys
from hunter.local import compile
from hunter.resolver import variant
variant.STAMP.write_text("stale")
run = subprocess.run
def edit(command, **more):
    with variant.sources()[0].open("a") as source:
        source.write("# edited\\n")
    return run([sys.executable, "-c", ""], **more)
compile.subprocess.run = edit
compile.main()
print(variant.STAMP.read_text(), variant.is_built())
"""
    said = run("-c", script, tree=tree).stdout.splitlines()[-1]

    assert said == f"{before} False"
