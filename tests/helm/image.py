"""The Dockerfile's steps, walked in a clean folder as an unprivileged user: `make image-recipe`.

There need not be a Docker engine. Every step is read out of the Dockerfile: a step that this does not
know is an error, so that it cannot fall behind. Places in the image become places below the folder;
the one step that installs Debian packages is left out and its programs are looked for instead.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
_USER: Final = "10001"
#: what an operator's first commands are; none needs a server
FIRST_COMMANDS: Final = (
    ["hunter", "--help"],
    ["hunter", "config"],
    ["hunter", "migrate", "--help"],
    ["python", "-c", "import hunter.web.app, hunter.worker.app, hunter.store.migrate as m; print(m.migrations_dir())"],
)  # fmt: skip


def steps(text: str) -> list[tuple[str, str]]:
    """Instructions and their arguments; comments and continued lines are put in order."""
    joined = re.sub(r"\\\n", " ", re.sub(r"(?m)^\s*#.*\n", "", text))
    return [
        (line.split(None, 1)[0], line.split(None, 1)[1].strip())
        for line in joined.splitlines()
        if line.strip()
    ]


@dataclass
class Walk:
    """Where the walk stands."""

    folder: Path
    workdir: Path = field(init=False)
    environ: dict[str, str] = field(default_factory=dict)
    stage: int = 0
    user: str = ""

    def __post_init__(self) -> None:
        self.workdir = self.folder
        (self.folder / "bin").mkdir(parents=True)
        (self.folder / "tmp").mkdir()
        base = (
            Path(sys.base_prefix)
            / "bin"
            / f"python{sys.version_info.major}.{sys.version_info.minor}"
        )
        for name in ("python", "python3"):
            (self.folder / "bin" / name).symlink_to(base)
        kept = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_CERT", "PIP_CONFIG_FILE",
                "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "https_proxy", "http_proxy", "no_proxy",
                "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")  # fmt: skip
        self.environ = {name: os.environ[name] for name in kept if name in os.environ}
        self.environ |= {
            "PATH": f"{self.folder}/bin:/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self.folder / "tmp"),
            "TMPDIR": str(self.folder / "tmp"),
            "LANG": "C.UTF-8",
        }

    def below(self, text: str) -> str:
        """Places of the image as places of the folder."""
        text = re.sub(r"(?<![\w.])/(opt/hunter|app|tmp)\b", f"{self.folder}/\\1", text)
        return text.replace("$PATH", self.environ["PATH"])

    def place(self, text: str) -> Path:
        """A place of the image."""
        return (self.workdir / self.below(text)) if not text.startswith("/") else Path(self.below(text))  # fmt: skip

    def step(self, name: str, rest: str) -> None:
        """Do what one instruction says."""
        match name:
            case "FROM":
                self.stage += 1
                self.workdir = self.folder
            case "ENV":
                for key, value in re.findall(r"(\w+)=(\S+)", rest):
                    self.environ[key] = self.below(value)
            case "WORKDIR":
                self.workdir = self.place(rest)
                self.workdir.mkdir(parents=True, exist_ok=True)
            case "COPY":
                self._copy(rest)
            case "RUN":
                self._run(rest)
            case "USER":
                self.user = rest
            case "ARG" | "LABEL" | "EXPOSE" | "HEALTHCHECK" | "ENTRYPOINT" | "CMD":
                pass
            case _:
                raise SystemExit(
                    f"{name}: this walk does not know how; teach it (tests/helm/image.py)"
                )

    def _copy(self, rest: str) -> None:
        *sources, target = rest.split()
        if sources[0].startswith("--from="):
            # the same place in both stages: what the build made is what runs
            if sources[1:] != [target]:
                raise SystemExit(f"COPY {rest}: the walk knows only one place for both")
            return
        for source in sources:
            tracked = subprocess.run(
                ["git", "ls-files", "-z", "--", source], cwd=ROOT, capture_output=True, text=True, check=True
            ).stdout.split("\0")[:-1]  # fmt: skip
            if not tracked:
                raise SystemExit(f"COPY {source}: no such file is part of the project")
            for name in tracked:
                # the contents of a folder, not the folder: as Docker does
                inner = Path(name).relative_to(source) if (ROOT / source).is_dir() else name
                to = self.place(target) / inner
                to.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, to)

    def _run(self, rest: str) -> None:
        if "apt-get" in rest:
            if not shutil.which("gcc"):
                raise SystemExit("gcc: not found; the image installs it, here it must be there")
            return
        if rest.startswith("useradd"):
            return
        self.execute(["sh", "-euc", self.below(rest)])

    def execute(self, command: list[str], **more: str) -> str:
        """Run as a user who is not root; its output."""
        done = subprocess.run(
            [*unprivileged(), *command],
            cwd=self.workdir,
            env=self.environ | more,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(
                f"{' '.join(command)}\nended with {done.returncode}:\n{done.stdout[-3000:]}"
            )
        return done.stdout


def unprivileged() -> list[str]:
    """How a command gets a user that is not root: as it is, in a namespace, or as nobody."""
    if os.getuid() != 0:
        return []
    namespace = ["unshare", "--user", f"--map-user={_USER}", f"--map-group={_USER}", "--"]
    if subprocess.run([*namespace, "true"], check=False, capture_output=True).returncode == 0:
        return namespace
    return ["setpriv", f"--reuid={_USER}", f"--regid={_USER}", "--clear-groups", "--"]


def say(text: str) -> None:
    """One line, at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def forbid_writing(folder: Path) -> None:
    """What the container has as a read-only root."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & ~(stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH))


def allow_writing(folder: Path) -> None:
    """So that it can be removed."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | stat.S_IWUSR)


def main() -> None:
    """Walk, then run the first commands as the image's user would, on files nobody can change."""
    begun = time.monotonic()
    instructions = steps((ROOT / "Dockerfile").read_text(encoding="utf-8"))
    folder = Path(tempfile.mkdtemp(prefix="hunter-image-"))
    try:
        if os.getuid() == 0 and unprivileged()[0] == "setpriv":
            folder.chmod(0o777)
        walk = Walk(folder / "image")
        for number, (name, rest) in enumerate(instructions, start=1):
            if name in {"RUN", "COPY", "FROM"}:
                say(f"[{number}/{len(instructions)}] {name} {rest[:90]}")
            walk.step(name, rest)
        if not walk.user or walk.user.split(":")[0] in {"0", "root"}:
            raise SystemExit("the image runs as root: USER is missing")
        forbid_writing(folder / "image" / "opt")
        for command in FIRST_COMMANDS:
            say(f"$ {' '.join(command)[:90]}")
            told = walk.execute(command)
            if not told.strip():
                raise SystemExit("it said nothing")
        who = walk.execute(
            ["python", "-c", "import os, hunter; print(os.getuid(), hunter.__file__)"]
        )
        uid, where = who.split()
        if uid == "0" or "site-packages" not in where:
            raise SystemExit(f"wanted the installed wheel as a plain user, got {who}")
        entry = next(json.loads(rest) for name, rest in instructions if name == "ENTRYPOINT")
        if not shutil.which(entry[0], path=walk.environ["PATH"]):
            raise SystemExit(f"ENTRYPOINT {entry}: not on the PATH of the image")
        say(
            f"walked in {time.monotonic() - begun:.0f} s as user {uid}: {where.replace(str(folder), '')}"
        )
    finally:
        allow_writing(folder)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
