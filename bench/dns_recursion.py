"""The third table: through unbound, which walks a root, three registries and the companies' zones.

unbound asks name servers on port 53 only, so all of it runs in a network namespace of its own,
where that port is free and needs no root: this file starts itself again under `unshare`.
"""

from __future__ import annotations

import sys

if __name__ == "__main__":
    # dns.py stands in this folder and has the name of dnspython's package: look here last
    sys.path.append(sys.path.pop(0))

import contextlib
import fcntl
import json
import socket
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import dns_tools
from dns_clients import Run
from dns_servers import (
    NotAvailable,
    Server,
    cores,
    free_port,
    nsd,
    pinned,
    program,
    running,
    wait_for_answer,
)
from dns_tables import Show, once, rows_of
from dns_zone import leaves, registries, root
from harness import Row

#: what the project ships for its users
CONFIGURATION = Path(__file__).parents[1] / "helm" / "hunter" / "files" / "unbound.conf"
_ROOT, _REGISTRY, _HOSTER = "127.0.1.1", "127.0.2.1", ("127.0.3.1", "127.0.3.2")
_IFF_UP, _SIOCGIFFLAGS, _SIOCSIFFLAGS = 1, 0x8913, 0x8914
#: unbound works on so many at once (num-queries-per-thread); a tenth of the window is for people
_IN_FLIGHT = 3_600

#: stands behind the shipped file; later lines win. The tree is not signed
_HERE = """include: "{shipped}"
server:
  port: {port}
  do-not-query-localhost: no
  module-config: "iterator"
  root-hints: "{folder}/root.hints"
"""


def third_table(show: Show, domains: int = 10_000) -> list[Row]:
    """Run this file in a network namespace; no rows, and a line that says why, where that fails."""
    with tempfile.NamedTemporaryFile("r", suffix=".json") as results:
        try:
            command = [*_namespace(), sys.executable, __file__, results.name, str(domains)]
            _checked(command)
        except NotAvailable as why:
            print(f"no table through unbound: {why}")
            return []
        rows = [Row(**row) for row in json.loads(results.read())]
    for title in dict.fromkeys(row.row for row in rows):
        show(title, [row for row in rows if row.row == title])
    return rows


def _namespace() -> list[str]:
    """The words that start a command in a network namespace: as root, or as anybody."""
    path = program("unshare")
    if path is None:
        raise NotAvailable("unshare is not installed")
    plain, mapped = [path, "--net"], [path, "--user", "--map-root-user", "--net"]
    try:
        _checked([*plain, "true"])
    except NotAvailable:
        # root in a container may not, and nobody else may
        _checked([*mapped, "true"])
        return mapped
    return plain


def _checked(command: list[str]) -> None:
    process = subprocess.run(command, check=False, stderr=subprocess.PIPE, text=True)
    if process.returncode:
        told = process.stderr.strip().splitlines()
        raise NotAvailable(told[-1] if told else f"exit status {process.returncode}")


@contextlib.contextmanager
def unbound() -> Iterator[Server]:
    """unbound with the shipped configuration and an empty cache, on the server's core."""
    path = program("unbound")
    if path is None:
        raise NotAvailable("unbound is not installed")
    with tempfile.TemporaryDirectory(prefix="hunter-unbound-") as name:
        folder = Path(name)
        port = free_port(["127.0.0.1"])
        (folder / "root.hints").write_text(
            f". 3600 NS a.root-servers.net.\na.root-servers.net. 3600 A {_ROOT}\n"
        )
        conf = folder / "unbound.conf"
        conf.write_text(_HERE.format(shipped=CONFIGURATION, port=port, folder=folder))
        log = folder / "unbound.log"
        with log.open("w") as words:
            streams = {"stdout": words.fileno(), "stderr": words.fileno()}
            command = [path, "-d", "-c", str(conf)]
            with running(command, **pinned(cores()[1], **streams)) as process:
                wait_for_answer(process, ("127.0.0.1", port), log)
                yield Server(port, process.pid, "unbound")


def measure(domains: int) -> list[Row]:
    """Cold and warm, the eight questions and quick surveys."""
    rows: list[Row] = []
    asked = Run(client="engine", in_flight=_IN_FLIGHT, domains=domains)
    for depth in ("", "quick"):
        run = Run(**(asdict(asked) | {"depth": depth}))
        with unbound() as server:
            for state in ("cold", "warm"):
                title = f"Hunter through unbound, {state}"
                found = once(server, run)
                if not depth:
                    rows += rows_of(title, found)
                    continue
                rows.append(Row(title, "domains quick", domains / found.seconds, "1/s"))
                for metric, count in (("lost", found.lost), ("wrong", found.wrong)):
                    rows = [
                        Row(r.row, r.metric, r.value + count, r.unit)
                        if (r.row, r.metric) == (title, metric)
                        else r
                        for r in rows
                    ]
            if not depth:
                tool = dns_tools.dnsperf(server, in_flight=_IN_FLIGHT, domains=domains)
                rows += rows_of("dnsperf through unbound, warm", tool) if tool else []
    return rows


def _loopback_up() -> None:
    """A new namespace has its loopback interface down."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        request = struct.pack("16sh14x", b"lo", 0)
        (flags,) = struct.unpack_from("h", fcntl.ioctl(sock, _SIOCGIFFLAGS, request), 16)
        fcntl.ioctl(sock, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | _IFF_UP))


def main(results: str, domains: int) -> None:
    """Serve the tree, measure, and leave the rows in a file; ends with one line when it cannot."""
    _loopback_up()
    try:
        with (
            nsd([root(_ROOT, _REGISTRY)], [_ROOT], 53),
            nsd(registries(_REGISTRY, _HOSTER, domains), [_REGISTRY], 53),
            nsd(leaves(_HOSTER, domains), _HOSTER, 53),
        ):
            rows = measure(domains)
    except NotAvailable as why:
        sys.exit(str(why))
    Path(results).write_text(json.dumps([asdict(row) for row in rows]))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
