"""Compile the engine's modules with mypyc, where a C compiler and Python's headers are at hand.

`python -m hunter.local.compile`: says what it does and how it ended. Without a compiler the
interpreted modules run, slower and otherwise the same, so that is no error.
"""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hunter.resolver import variant

_ROOT = Path(__file__).parents[2]
#: what went wrong, in full
LOG = _ROOT / ".local" / "compile.log"
_PREFIX = "hunter.resolver.compiled"
#: The last words a compiler has are rarely the ones that help.
_TELLING = ("error:", "Error:", "not found", "No module named")


def compile_into(folder: Path) -> None:
    """Compile the modules into a folder; raises or exits when mypyc or the C compiler cannot."""
    # only here: an installation that does not compile needs neither
    from mypyc.build import mypycify  # noqa: PLC0415
    from setuptools import Distribution  # noqa: PLC0415

    # the project's own mypy settings ask for more than a compiler needs
    options = ["--config-file=", "--ignore-missing-imports", "--follow-imports=silent"]
    with tempfile.TemporaryDirectory() as scratch:
        modules = mypycify(
            [*options, *(str(path.relative_to(_ROOT)) for path in variant.sources())],
            group_name=_PREFIX,
            target_dir=scratch,
            debug_level="0",
        )
        command = Distribution({"ext_modules": modules}).get_command_obj("build_ext")
        command.build_lib = command.build_temp = scratch
        command.parallel = True
        command.ensure_finalized()
        command.run()
        for built in (Path(scratch) / "hunter" / "resolver").glob("*.so"):
            shutil.copy(built, folder / built.name)


def reason_in(output: str) -> str:
    """The line of a failed build's output that says the most."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    telling = [line for line in lines if any(word in line for word in _TELLING)]
    return (telling or lines or ["no output"])[0]


def main() -> int:
    """Compile unless what is there is current; 0 whether or not this machine can compile."""
    if variant.is_built():
        return 0
    print("compiling the DNS engine (mypyc)", flush=True)
    started = time.monotonic()
    try:
        with _only_one():
            problem = None if variant.is_built() else _compile()
    except OSError as error:  # an installation that belongs to somebody else
        problem = str(error)
    print(
        f"compiled in {time.monotonic() - started:.0f} s"
        if problem is None
        else f"not compiled: {problem}; the engine runs interpreted, the same but slower"
    )
    return 0


@contextmanager
def _only_one() -> Iterator[None]:
    """Wait while another process compiles the same tree; it ends with what was wanted."""
    LOG.parent.mkdir(exist_ok=True)
    with LOG.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _compile() -> str | None:
    """Put a build where Python looks for it; why there is none, when there is none.

    What is stamped is what stood there before: an edit during the build leaves the build stale.
    """
    source = variant.fingerprint()
    with tempfile.TemporaryDirectory(dir=variant.FOLDER.parent) as name:
        found = subprocess.run(
            [sys.executable, "-m", "hunter.local.compile", name],
            cwd=_ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        output = found.stderr + found.stdout
        LOG.write_text(output, encoding="utf-8")
        if found.returncode != 0:
            return f"{reason_in(output)} (all of it in {LOG.relative_to(_ROOT)})"
        shutil.rmtree(variant.FOLDER, ignore_errors=True)
        shutil.copytree(name, variant.FOLDER)
    variant.STAMP.write_text(source, encoding="ascii")
    return None


if __name__ == "__main__":
    if len(sys.argv) > 1:
        compile_into(Path(sys.argv[1]))
    else:
        raise SystemExit(main())
