"""Ask real name servers on loopback and keep their answers as tests/resolver/data/answers.jsonl.

`python -m tests.resolver.record_answers` needs nsd and unbound (Debian packages of these names).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import dns.exception
import dns.flags
import dns.message
import dns.query

from hunter.core.answers import Answer
from hunter.local.nameserver import NameServer
from hunter.local.servers import free_port
from tests.fuzz.decoder import compare

DATA = Path(__file__).parent / "data"
ZONE = (DATA / "recorded.zone").read_text()
ORIGIN = "recorded.test"
QUESTIONS = [line.split() for line in (DATA / "questions.txt").read_text().splitlines() if line]

_NSD = """
server:
  ip-address: 127.0.0.1@{port}
  server-count: 1
  zonesdir: "{folder}"
  database: ""
  pidfile: "{folder}/nsd.pid"
  xfrdfile: "{folder}/xfrd.state"
  zonelistfile: "{folder}/zone.list"
  logfile: "{folder}/nsd.log"
  username: ""
remote-control:
  control-enable: no
zone:
  name: recorded.test
  zonefile: recorded.zone
"""
_UNBOUND = """
server:
  interface: 127.0.0.1@{port}
  do-daemonize: no
  do-not-query-localhost: no
  module-config: "iterator"
  username: ""
  chroot: ""
  directory: "{folder}"
  pidfile: ""
  use-syslog: no
  logfile: "{folder}/unbound.log"
  local-zone: "test." nodefault
stub-zone:
  name: recorded.test
  stub-addr: 127.0.0.1@{upstream}
"""


@contextlib.contextmanager
def nsd() -> Iterator[int]:
    """An authoritative server; its port."""
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        (Path(folder) / "recorded.zone").write_text(ZONE)
        settings = Path(folder) / "nsd.conf"
        settings.write_text(_NSD.format(port=port, folder=folder))
        with _running([_program("nsd"), "-d", "-c", str(settings)], port):
            yield port


@contextlib.contextmanager
def unbound(upstream: int) -> Iterator[int]:
    """A resolver that asks `upstream`; its port."""
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        settings = Path(folder) / "unbound.conf"
        settings.write_text(_UNBOUND.format(port=port, folder=folder, upstream=upstream))
        with _running([_program("unbound"), "-d", "-c", str(settings)], port):
            yield port


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise SystemExit(f"{name} is not installed: install Debian's package {name}.")
    return found


@contextlib.contextmanager
def _running(command: list[str], port: int) -> Iterator[None]:
    process = subprocess.Popen(command)
    try:
        for _ in range(100):
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port), timeout=0.1).close()
                break
            time.sleep(0.05)
        else:
            raise SystemExit(f"{command[0]} did not start.")
        yield
    finally:
        process.terminate()
        process.wait()


@contextlib.asynccontextmanager
async def _servers() -> AsyncIterator[dict[str, int]]:
    with nsd() as authority, unbound(authority) as resolver:
        async with NameServer(f"$ORIGIN {ORIGIN}.\n{ZONE}") as own:
            yield {"nsd": authority, "unbound": resolver, "own": own.address[1]}


def _ask(name: str, rrtype: str, port: int, *, edns: bool) -> dns.message.Message | None:
    query = dns.message.make_query(name, rrtype, use_edns=0 if edns else False, payload=4096)
    query.flags |= dns.flags.AD
    query.id = 7
    with contextlib.suppress(dns.exception.DNSException):
        return dns.query.udp(query, "127.0.0.1", timeout=2, port=port, ignore_trailing=True)
    return None


async def _record() -> list[dict[str, str]]:
    entries = []
    async with _servers() as servers:
        for by, port in servers.items():
            for name, rrtype, *words in QUESTIONS:
                full = f"{name}.{ORIGIN}." if name != "@" else f"{ORIGIN}."
                plain = "plain" in words
                reply = await asyncio.to_thread(_ask, full, rrtype, port, edns=not plain)
                if reply is None or reply.flags & dns.flags.TC or reply.rcode() not in (0, 3):
                    sys.stdout.write(f"{by} {full} {rrtype}: no whole answer\n")
                    continue
                wire = reply.wire or b""
                found = compare(wire)
                outcome = found.outcome.value if isinstance(found, Answer) else "alias"
                asked = f"{name} {rrtype}" + (" plain" if plain else "")
                entries.append({"by": by, "asked": asked, "outcome": outcome, "wire": wire.hex()})
    return entries


def main() -> None:
    """Write the file anew."""
    entries = asyncio.run(_record())
    lines = [json.dumps(entry) for entry in entries]
    (DATA / "answers.jsonl").write_text("\n".join(lines) + "\n")
    sys.stdout.write(f"{len(lines)} answers\n")


if __name__ == "__main__":
    main()
