"""dnsperf and massdns, the fastest clients there are in C, asked for the same answers."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from dns_clients import Verdict
from dns_row import Found
from dns_servers import Server, cores, pinned, processor_seconds
from dns_zone import SETS, domain_of, expected_of, questions_of

_COUNT = re.compile(r"Queries (sent|completed|lost): +(\d+)")
_CODE = re.compile(r"(NOERROR|NXDOMAIN) (\d+) \(")
_SECONDS = re.compile(r"Run time \(s\): +([\d.]+)")
_LATENCY = re.compile(r"^> \w+ \S+ \w+ ([\d.]+)$", re.MULTILINE)


def _timed(command: Sequence[str], output: Path) -> tuple[float, float, float]:
    """Seconds, processor seconds and peak MiB of a program whose words go to a file."""
    with output.open("w") as words:
        started = time.perf_counter()
        process = subprocess.Popen(
            command,
            **pinned(cores()[0], stdout=words.fileno(), stderr=words.fileno()),  # type: ignore[call-overload]
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(
            f"{command[0]} ended with {process.returncode}: {output.read_text()[-300:]}"
        )
    seconds = time.perf_counter() - started
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def dnsperf(server: Server, *, in_flight: int, domains: int) -> Found | None:
    """dnsperf over the eight questions; None when it is not installed.

    It looks at no record, so wrong counts only the response codes that should be others.
    """
    if shutil.which("dnsperf") is None:
        return None
    with tempfile.TemporaryDirectory() as name:
        questions = Path(name) / "questions"
        with questions.open("w") as file:
            for number in range(domains):
                file.writelines(f"{owner} {rrtype}\n" for owner, rrtype in questions_of(number))
        command = ["dnsperf", "-s", "127.0.0.1", "-p", str(server.port), "-d", str(questions)]
        command += ["-n", "1", "-q", str(in_flight), "-c", "16", "-T", "1", "-e", "-t", "2"]
        theirs = processor_seconds(server.pid)
        _, cpu, peak = _timed(command, Path(name) / "words")
        theirs = processor_seconds(server.pid) - theirs
        found = read_dnsperf((Path(name) / "words").read_text(), domains)
        # a second, short run says how long each answer took: writing that down costs time
        command[command.index("-n") :] = ["-l", "1", "-q", str(in_flight), "-c", "16", "-e", "-v"]
        _timed(command, Path(name) / "words")
        took = sorted(float(each) for each in _LATENCY.findall((Path(name) / "words").read_text()))
    found.cpu_s, found.peak_mib, found.server_cpu_s = cpu, peak, theirs
    if took:
        found.p50_ms = took[len(took) // 2] * 1000
        found.p99_ms = took[len(took) * 99 // 100] * 1000
    return found


def read_dnsperf(words: str, domains: int) -> Found:
    """What dnsperf says about a run over the questions of `domains` companies."""
    counts = {word: int(number) for word, number in _COUNT.findall(words)}
    codes = {word: int(number) for word, number in _CODE.findall(words)}
    seconds = _SECONDS.search(words)
    assert seconds is not None, words
    # the last of the eight does not exist
    missing, absent = counts["sent"] - counts["completed"], codes.get("NXDOMAIN", 0)
    known = codes.get("NOERROR", 0) + absent
    return Found(
        asked=counts["sent"],
        domains=domains,
        lost=missing,
        wrong=counts["completed"] - known + (0 if missing else abs(absent - domains)),
        seconds=float(seconds.group(1)),
    )


def massdns(server: Server, *, in_flight: int, domains: int) -> Found | None:
    """massdns over the same names and types, one run per kind of name; None when not installed."""
    if shutil.which("massdns") is None:
        return None
    total = Found(domains=domains)
    lines: list[str] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "resolvers").write_text(f"127.0.0.1:{server.port}\n")
        theirs = processor_seconds(server.pid)
        for label, group in itertools.groupby(SETS, key=lambda each: each[1]):
            types = [word for rrtype, _ in group for word in ("-t", str(rrtype))]
            names = (f"{label}.{domain_of(number)}\n".lstrip(".") for number in range(domains))
            (folder / "names").write_text("".join(names))
            command = ["massdns", "-r", str(folder / "resolvers"), *types, "-s", str(in_flight)]
            command += ["-o", "S", "-w", str(folder / "answers"), "--quiet", "-c", "10"]
            command += ["--root"] if os.geteuid() == 0 else []
            seconds, cpu, peak = _timed([*command, str(folder / "names")], folder / "words")
            total.seconds += seconds
            total.cpu_s += cpu
            total.peak_mib = max(total.peak_mib, peak)
            lines += (folder / "answers").read_text().splitlines()
        total.server_cpu_s = processor_seconds(server.pid) - theirs
    verdict = judge_massdns(lines, domains)
    total.asked, total.lost, total.wrong = verdict.asked, verdict.lost, verdict.wrong
    return total


def judge_massdns(lines: Sequence[str], domains: int) -> Verdict:
    """Compare `name. TYPE data` lines with the zone; it tells nothing about what does not exist."""
    told: dict[tuple[str, str], list[str]] = {}
    for line in lines:
        owner, rrtype, data = line.split(" ", 2)
        text = data.strip('"') if rrtype == "TXT" else data.rstrip(".")
        told.setdefault((owner.rstrip("."), rrtype), []).append(text)
    verdict = Verdict()
    for number in range(domains):
        for (owner, rrtype), wanted in zip(questions_of(number), expected_of(number), strict=True):
            found = " | ".join(sorted(told.pop((owner, str(rrtype)), [])))
            verdict.asked += 1
            verdict.lost += bool(wanted) and not found
            verdict.wrong += bool(found) and found != wanted
    return verdict
