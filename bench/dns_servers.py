"""Name servers and networks for the DNS benchmarks, each a process pinned to the server's core.

NSD serves where it is installed: our own server, in Python, would be what limits the fast clients.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dns_zone import Zone, flat

_PR_SET_PDEATHSIG = 1
_TICKS = os.sysconf("SC_CLK_TCK")


class NotAvailable(RuntimeError):
    """A server or tool cannot run here; the message says why."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server: its port on 127.0.0.1, its process, and what it is."""

    port: int
    pid: int
    title: str
    #: NSD: the configuration by which nsd-control finds it
    conf: Path | None = None

    def questions(self) -> int | None:
        """How many questions it has received so far; None when it cannot tell."""
        control = program("nsd-control")
        if self.conf is None or control is None:
            return None
        command = [control, "-c", str(self.conf), "stats_noreset"]
        told = subprocess.run(command, capture_output=True, text=True, check=False).stdout
        counts = dict(line.split("=", 1) for line in told.splitlines() if "=" in line)
        return int(counts["num.queries"]) if "num.queries" in counts else None


def cores() -> tuple[int, int]:
    """The client's core and the server's; the same one on a machine that has no more."""
    allowed = sorted(os.sched_getaffinity(0))
    return allowed[0], allowed[-1]


def pinned(core: int, **streams: int) -> dict[str, object]:
    """Arguments for subprocess.Popen: on that core, and never longer there than we are."""
    libc = ctypes.CDLL(None)

    def prepare() -> None:
        os.sched_setaffinity(0, {core})
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)

    return {"preexec_fn": prepare, "text": True, **streams}


def processor_seconds(pid: int) -> float:
    """Processor time of a process and all its descendants so far."""
    total, queue = 0.0, [pid]
    while queue:
        current = queue.pop()
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{current}/stat").read_text().rpartition(")")[2].split()
            total += (int(fields[11]) + int(fields[12])) / _TICKS
            for children in Path(f"/proc/{current}/task").glob("*/children"):
                queue += [int(child) for child in children.read_text().split()]
    return total


@contextlib.contextmanager
def running(command: Sequence[str], **options: object) -> Iterator[subprocess.Popen[str]]:
    """A process that is ended, by its id, with the block."""
    process: subprocess.Popen[str] = subprocess.Popen(command, **options)  # type: ignore[call-overload]  # typed per argument
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if process.stdout is not None:
            process.stdout.close()


@contextlib.contextmanager
def name_server() -> Iterator[Server]:
    """The flat zone, served by NSD or else by our own server."""
    with contextlib.ExitStack() as stack:
        try:
            server = stack.enter_context(nsd(flat(), ["127.0.0.1"]))
        except NotAvailable as why:
            print(f"{why}; serving with our own server, which may limit the fastest clients")
            server = stack.enter_context(own_server(flat()))
        yield server


@contextlib.contextmanager
def own_server(zones: Iterable[Zone]) -> Iterator[Server]:
    """hunter.local.nameserver with all these zones."""
    with tempfile.NamedTemporaryFile("w", suffix=".zone") as file:
        file.writelines(zone.text for zone in zones)
        file.flush()
        command = [sys.executable, "-m", "hunter.local.nameserver", "--zone", file.name]
        with running(command, **pinned(cores()[1], stdout=subprocess.PIPE)) as process:
            port = _announced(process)
            yield Server(port, process.pid, "own server")


@contextlib.contextmanager
def delay_proxy(server: Server) -> Iterator[Server]:
    """The slow and lossy network in front of a server, on the same core."""
    script = Path(__file__).with_name("delay_proxy.py")
    command = [sys.executable, str(script), "--server", f"127.0.0.1:{server.port}"]
    with running(command, **pinned(cores()[1], stdout=subprocess.PIPE)) as process:
        yield Server(_announced(process), process.pid, "delay proxy")


def _announced(process: subprocess.Popen[str]) -> int:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line.startswith("listening on "):
        raise NotAvailable(f"{process.args!r} did not start")
    return int(line.rpartition(":")[2])


def free_port(addresses: Sequence[str]) -> int:
    """A port that is free for UDP and TCP on all these addresses."""
    for _ in range(50):
        with contextlib.ExitStack() as stack:
            first = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            first.bind((addresses[0], 0))
            port = int(first.getsockname()[1])
            try:
                for address in addresses:
                    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                        if address == addresses[0] and kind == socket.SOCK_DGRAM:
                            continue
                        stack.enter_context(socket.socket(socket.AF_INET, kind)).bind(
                            (address, port)
                        )
            except OSError:
                continue
            return port
    raise NotAvailable(f"no port is free on {', '.join(addresses)}")


_NSD_CONF = """server:
  server-count: 1
  port: {port}
  username: ""
  chroot: ""
  zonesdir: "{folder}"
  pidfile: ""
  database: ""
  logfile: "{folder}/nsd.log"
  xfrdfile: ""
  xfrdir: "{folder}"
  zonelistfile: "{folder}/zone.list"
  rrl-ratelimit: 0
  tcp-count: 100
  receive-buffer-size: 4194304
  send-buffer-size: 4194304
{addresses}
remote-control:
  control-enable: yes
  control-interface: "{folder}/control"
"""


def program(name: str) -> str | None:
    """Debian keeps servers where an ordinary user's PATH does not look."""
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")


@contextlib.contextmanager
def nsd(zones: Iterable[Zone], addresses: Sequence[str], port: int = 0) -> Iterator[Server]:
    """NSD with one server process; raises NotAvailable when it is not installed or does not start."""
    path = program("nsd")
    if path is None:
        raise NotAvailable("NSD is not installed")
    with tempfile.TemporaryDirectory(prefix="hunter-nsd-") as name:
        folder = Path(name)
        port = port or free_port(addresses)
        lines = [
            _NSD_CONF.format(
                port=port,
                folder=folder,
                addresses="\n".join(f"  ip-address: {address}" for address in addresses),
            )
        ]
        for zone in zones:
            file = f"{zone.name or 'root'}.zone"
            (folder / file).write_text(zone.text)
            lines.append(f'zone:\n name: "{zone.name}."\n zonefile: "{file}"')
        (folder / "nsd.conf").write_text("\n".join(lines))
        command = [path, "-d", "-c", str(folder / "nsd.conf")]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        with running(command, **pinned(cores()[1], **quiet)) as process:
            wait_for_answer(process, (addresses[0], port), folder / "nsd.log")
            yield Server(port, process.pid, "NSD, one process", folder / "nsd.conf")


#: `. SOA`, id 1: a question that every server of ours answers
_ANY_QUESTION = bytes.fromhex("000100000001000000000000" + "00" + "00060001")


def wait_for_answer(process: subprocess.Popen[str], address: tuple[str, int], log: Path) -> None:
    deadline = time.monotonic() + 30
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(address)
        sock.settimeout(0.1)
        while time.monotonic() < deadline and process.poll() is None:
            try:
                sock.send(_ANY_QUESTION)
                sock.recv(512)
            except OSError:  # not there yet: nobody listens, or no answer
                time.sleep(0.05)
                continue
            return
    told = log.read_text().splitlines() if log.exists() else []
    # the first error is the cause, the last line only says that this was the end
    reasons = [line for line in told if "error:" in line] or told[-1:] or ["no log"]
    raise NotAvailable(f"{process.args!r} does not answer: {reasons[0]}")
