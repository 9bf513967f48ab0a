"""One target under atheris: `python -m tests.fuzz.guided TARGET FOLDER [libFuzzer's own arguments]`.

FOLDER keeps the corpus and what was found. Ends with 77 after a finding.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["hunter"]):
    from tests.fuzz.targets import TARGETS, seeds_of

#: seconds one input may take
TIMEOUT_S = 5
#: longest input in bytes
MAX_BYTES = 8192


def _prepare(name: str, folder: Path) -> list[str]:
    """Write corpus and dictionary; the arguments that name them."""
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for seed in seeds_of(name):
        (corpus / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed)
    words = [word.encode() for word in TARGETS[name].words]
    if not words:
        return [str(corpus)]
    dictionary = folder / "words.dict"
    quoted = ("".join(f"\\x{byte:02x}" for byte in word) for word in words)
    dictionary.write_text("".join(f'"{word}"\n' for word in quoted), encoding="ascii")
    return [f"-dict={dictionary}", str(corpus)]


def main() -> None:
    """Hand the process over to libFuzzer, which ends it."""
    name, folder = sys.argv[1], Path(sys.argv[2])
    options = [f"-artifact_prefix={folder}/", f"-timeout={TIMEOUT_S}", f"-max_len={MAX_BYTES}"]
    options += ["-print_final_stats=1", "-print_pcs=0", *sys.argv[3:]]
    atheris.Setup([sys.argv[0], *options, *_prepare(name, folder)], TARGETS[name].check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
