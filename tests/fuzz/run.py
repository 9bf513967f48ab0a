"""`make fuzz`: every target for its share of the time, then one table; a finding fails it."""

from __future__ import annotations

import argparse
import importlib.util
import os
import platform
import random
import re
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from hunter.resolver import variant
from tests.fuzz.targets import TARGETS

FOLDER = Path(".local") / "fuzz"
#: the decoder reads what strangers send, and its judge is slow
_WEIGHTS = {"decoder": 4}
_COMPILED_MUTATIONS = 20_000
#: seconds a target may need to start and to write its corpus
_GRACE_S = 240
_EXECUTIONS = re.compile(r"stat::number_of_executed_units: (\d+)")
_COVERAGE = re.compile(r"cov: (\d+)")
_SAVED = re.compile(r"Test unit written to (\S+)")


class Outcome(NamedTuple):
    """How one target's run ended."""

    name: str
    executions: int
    #: edges of the instrumented code that were reached; None without instrumentation
    coverage: int | None
    #: why it failed; "" when it did not
    fault: str = ""


def shares(names: Iterable[str], seconds: int, cores: int) -> dict[str, int]:
    """Whole seconds for each target, so that `cores` of them at a time need `seconds`."""
    weights = {name: _WEIGHTS.get(name, 1) for name in names}
    unit = seconds * cores / sum(weights.values())
    return {name: max(1, min(seconds, int(unit * weight))) for name, weight in weights.items()}


def run_guided(name: str, seconds: int, seed: int) -> Outcome:
    """One target under atheris, with the interpreted and instrumented modules."""
    folder = FOLDER / name
    command = [sys.executable, "-m", "tests.fuzz.guided", name, str(folder)]
    command += [f"-max_total_time={seconds}", f"-seed={seed}"]
    again = f"HUNTER_PURE_PYTHON=1 {sys.executable} -m tests.fuzz.replay {name}"
    # with a seed given, the order of sets must not make another run of it
    environ = os.environ | {"HUNTER_PURE_PYTHON": "1", "PYTHONHASHSEED": "0"}
    return _run(name, command, environ, limit_s=seconds + _GRACE_S, again=again)


def run_compiled(seed: int) -> Outcome:
    """Every starting point, and changed answers for the decoder, on the compiled modules."""
    command = [sys.executable, "-m", "tests.fuzz.replay", f"--mutations={_COMPILED_MUTATIONS}"]
    command += [f"--seed={seed}", f"--folder={FOLDER}"]
    environ = {name: value for name, value in os.environ.items() if name != "HUNTER_PURE_PYTHON"}
    again = f"{sys.executable} -m tests.fuzz.replay decoder"
    return _run("compiled", command, environ, limit_s=_GRACE_S, again=again)


def _run(
    name: str, command: list[str], environ: dict[str, str], *, limit_s: int, again: str
) -> Outcome:
    folder = FOLDER / name
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "run.log"
    with log.open("wb") as file:
        try:
            code = subprocess.run(
                command, env=environ, stdout=file, stderr=file, timeout=limit_s, check=False
            ).returncode
        except subprocess.TimeoutExpired:
            code = -1
    text = log.read_text(encoding="utf-8", errors="replace")
    executions, coverage = _EXECUTIONS.findall(text), _COVERAGE.findall(text)
    fault = "" if code == 0 else _fault(text, code, log, again)
    return Outcome(
        name,
        int(executions[-1]) if executions else 0,
        int(coverage[-1]) if coverage else None,
        fault,
    )


def _fault(text: str, code: int, log: Path, again: str) -> str:
    """What broke, where it is saved, and how to see it again."""
    lines = [line for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if re.match(r"\s*\w*(Error|Exception|ERROR)\b", line)]
    told = (telling or lines or ["nothing"])[0].strip()
    saved = _SAVED.findall(text)
    if not saved:
        return f"ended with {code}: {told} (all of it in {log})"
    return f"{told[:200]}\n    saved in  {saved[-1]}\n    again     {again} {saved[-1]}"


def table(outcomes: list[Outcome]) -> str:
    """The closing table."""
    lines = [f"{'target':<16}{'executions':>12}{'coverage':>10}  result"]
    for outcome in outcomes:
        coverage = "–" if outcome.coverage is None else f"{outcome.coverage:,}"
        result = "FAILED" if outcome.fault else "ok"
        lines.append(f"{outcome.name:<16}{outcome.executions:>12,}{coverage:>10}  {result}")
    total = sum(outcome.executions for outcome in outcomes)
    return "\n".join([*lines, f"{'all':<16}{total:>12,}"])


def main() -> int:
    """0 when every target ran and kept the rules."""
    parser = argparse.ArgumentParser(description="Fuzz the decoder and every record parser.")
    parser.add_argument("targets", nargs="*", default=list(TARGETS), metavar="TARGET")
    parser.add_argument("--seconds", type=int, default=60, help="for all targets together")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1, 2**31))
    chosen = parser.parse_args()
    unknown = sorted(set(chosen.targets) - set(TARGETS))
    if unknown or chosen.seconds < 1:
        parser.error(f"no target {unknown}; there are {', '.join(TARGETS)}; seconds are 1 or more")
    if importlib.util.find_spec("atheris") is None:
        print(
            f"make fuzz needs atheris, which has wheels for CPython 3.11 to 3.14 on Linux x86-64; this is "
            f"{platform.python_implementation()} {platform.python_version()} on {sys.platform} {platform.machine()}"
        )
        return 1
    return fuzz(chosen.targets, chosen.seconds, chosen.seed)


def fuzz(names: list[str], seconds: int, seed: int) -> int:
    """Run the targets, as many at a time as there are cores, and say how it went."""
    cores = len(os.sched_getaffinity(0))
    print(f"fuzzing {len(names)} targets for {seconds} s on {cores} cores, seed {seed}", flush=True)
    plan = shares(names, seconds, cores)
    outcomes = []
    with ThreadPoolExecutor(cores) as pool:
        for outcome in pool.map(lambda name: run_guided(name, plan[name], seed), plan):
            outcomes.append(outcome)
            print(f"  {outcome.name}: {'FAILED' if outcome.fault else 'ok'}", flush=True)
    if variant.is_built():
        outcomes.append(run_compiled(seed))
    else:
        print("  the engine is not compiled here, so only its interpreted modules were fuzzed")
    print(table(outcomes))
    failed = [outcome for outcome in outcomes if outcome.fault]
    for outcome in failed:
        print(f"\n{outcome.name}: {outcome.fault}")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
