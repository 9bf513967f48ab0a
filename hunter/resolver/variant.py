"""Whether the engine's modules run compiled or interpreted: the same source, the same answers.

`python -m hunter.local.compile` compiles MODULES with mypyc into FOLDER. Python takes a module from
there only while the compiled source is the source at hand, so a stale build is never run: after an
edit the interpreter reads the edited file. HUNTER_PURE_PYTHON=1 leaves the compiled modules alone.
"""

from __future__ import annotations

import hashlib
import os
import sysconfig
from pathlib import Path

_PACKAGE = Path(__file__).parent
FOLDER = _PACKAGE / "compiled"
#: what FOLDER was compiled from: the fingerprint at that time
STAMP = FOLDER / "source.sha256"
#: the modules on the way of every packet, and what they call
MODULES = (
    "cache",
    "clock",
    "engine",
    "keeper",
    "outbox",
    "ports",
    "questions",
    "records",
    "replies",
    "servers",
    "shared",
    "sockets",
    "tally",
    "wire",
)
#: compiled modules rely on the constants and types of these, too
_USED = (_PACKAGE.parent / "config.py", _PACKAGE.parent / "core" / "answers.py")


def sources() -> list[Path]:
    """The files that are compiled."""
    return [_PACKAGE / f"{name}.py" for name in MODULES]


def fingerprint() -> str:
    """SHA-256 over the sources and the interpreter's binary interface, as hexadecimal digits."""
    digest = hashlib.sha256(str(sysconfig.get_config_var("SOABI")).encode())
    for path in (*sources(), *_USED):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def is_built() -> bool:
    """True when FOLDER holds the sources at hand, compiled for this interpreter."""
    try:
        return STAMP.read_text(encoding="ascii") == fingerprint()
    except OSError:
        return False


def search_path(interpreted: list[str]) -> list[str]:
    """Where Python looks for the modules of this package."""
    wish = os.environ.get("HUNTER_PURE_PYTHON", "").lower()
    if wish in {"true", "1", "yes"} or not is_built():
        return interpreted
    return [str(FOLDER), *interpreted]


def is_compiled() -> bool:
    """True when the engine of this process is the compiled one."""
    from hunter.resolver import wire  # noqa: PLC0415  # the search path must stand first

    return not str(wire.__file__).endswith(".py")
