"""`hunter up`: one command to a running system, told step by step, and nothing left behind."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from hunter.cli.main import Exit
from hunter.local.nameserver import NameServer
from hunter.local.servers import free_ports

if TYPE_CHECKING:
    from tests.cli.conftest import Hunter

pytestmark = pytest.mark.timeout(120)

ZONE = """\
kaya.test SOA ns1.kaya.test hostmaster.kaya.test 1 7200 3600 1209600 3600
kaya.test MX 0 kaya-test.mail.protection.outlook.com
kaya.test TXT "v=spf1 include:spf.protection.outlook.com -all"
autodiscover.kaya.test CNAME autodiscover.outlook.com
"""
Up = Callable[..., Awaitable[asyncio.subprocess.Process]]


@pytest.fixture
async def up(environ: dict[str, str]) -> AsyncIterator[Up]:
    """Start `hunter up` and wait until it says that everything runs."""
    started: list[asyncio.subprocess.Process] = []

    async def start(**settings: str) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "hunter", "up",
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environ | settings,
        )  # fmt: skip
        started.append(process)
        assert process.stdout is not None
        async for line in process.stdout:
            if b"Ctrl-C stops everything" in line:
                return process
        assert process.stderr is not None
        pytest.fail((await process.stderr.read()).decode())

    yield start
    for process in started:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def test_a_company_list_goes_in_and_leads_come_out(
    up: Up, hunter: Hunter, environ: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "liste.csv").write_text("Firma;Web Sitesi\nKaya Ltd;www.kaya.test\nYok A.Ş.;yok\n")
    async with NameServer(ZONE) as dns:
        host, port = dns.address
        process = await up(HUNTER_DNS_SERVERS=f"{host}:{port}")

        ingested = await hunter("ingest", "liste.csv")
        health = await _get(environ["HUNTER_PORT"], "/healthz/ready")
        worker = await _get(environ["HUNTER_WORKER_PORT"], "/healthz/ready")
        process.send_signal(signal.SIGINT)
        out, err = await process.communicate()

    assert ingested.code == Exit.OK, ingested.err
    assert "accepted 1 companies; 0 duplicates, 1 rows set aside" in ingested.out
    assert "line 3: 'yok'" in ingested.out
    assert "scanned 1 of 1\n" in ingested.out
    assert "1 of 1 domains done: 1 answered, 0 gave no answer, 0 failed" in ingested.out
    assert "1. Kaya Ltd  (kaya.test)" in ingested.out
    assert "Microsoft 365" in ingested.out
    assert health["checks"] == worker["checks"] == {"database": True, "redis": True}
    assert (process.returncode, err) == (Exit.OK, b"")
    assert b"stopped; the data stays" in out


async def test_the_second_start_finds_the_data(
    up: Up, hunter: Hunter, environ: dict[str, str]
) -> None:
    first = await up()
    first.send_signal(signal.SIGTERM)
    await first.communicate()

    second = await up()
    health = await _get(environ["HUNTER_PORT"], "/healthz")
    second.send_signal(signal.SIGTERM)
    out, _ = await second.communicate()

    assert health["database"] == "connected"
    assert (first.returncode, second.returncode) == (Exit.OK, Exit.OK)
    assert b"stopped; the data stays" in out


async def test_a_dead_worker_is_reported_and_ends_everything(up: Up) -> None:
    process = await up()
    (worker,) = (pid for pid in _family(process.pid) if _words(pid)[-2:] == ["hunter", "work"])

    os.kill(worker, signal.SIGKILL)
    _, err = await process.communicate()

    assert process.returncode == Exit.FAILED
    assert err.decode().startswith("hunter: the worker ended with code -9; its log ")


async def test_as_many_workers_as_wished_are_started(up: Up, environ: dict[str, str]) -> None:
    first = free_ports(2)
    process = await up(HUNTER_UP_WORKERS="2", HUNTER_WORKER_PORT=str(first))

    ready = [await _get(str(port), "/healthz/ready") for port in (first, first + 1)]
    process.send_signal(signal.SIGTERM)
    out, _ = await process.communicate()

    assert [each["status"] for each in ready] == ["ready", "ready"]
    assert (process.returncode, b"stopped" in out) == (Exit.OK, True)


async def test_no_orphan_is_left_when_it_is_killed(up: Up) -> None:
    process = await up()
    family = _family(process.pid)

    process.kill()
    await process.wait()

    # PostgreSQL, its helpers, Valkey, API and worker; the test's time limit ends a vain wait
    assert len(family) >= 4
    while any(map(_words, family)):
        await asyncio.sleep(0.1)


@pytest.mark.parametrize("setting", ["HUNTER_PORT", "HUNTER_WORKER_PORT"])
async def test_a_taken_port_is_one_line_with_the_fix(
    hunter: Hunter, environ: dict[str, str], setting: str
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        ended = await hunter("up", **{setting: port})

    assert ended.code == Exit.FAILED
    assert ended.err == (
        f"hunter: port {port} on 127.0.0.1 cannot be used (Address already in use): "
        f"stop what listens there, or set {setting} to another port\n"
    )


async def test_two_on_one_folder_are_refused(
    up: Up, hunter: Hunter, environ: dict[str, str]
) -> None:
    from hunter.local.servers import free_port

    await up()

    ended = await hunter("up", HUNTER_PORT=str(free_port()), HUNTER_WORKER_PORT=str(free_port()))

    assert ended.code == Exit.FAILED
    assert "Hunter already runs from" in ended.err
    assert "set HUNTER_DATA_DIR to another folder" in ended.err


async def _get(port: str, path: str) -> dict[str, Any]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{port}{path}") as answer,
    ):
        body: dict[str, Any] = json.loads(await answer.read())
        return body


def _words(pid: int) -> list[str]:
    """The command line of a process, [] when it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0")[:-1]
    except (FileNotFoundError, ProcessLookupError):
        return []


def _family(pid: int) -> set[int]:
    """All processes below one."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):
            # the name in brackets may hold blanks; the parent is the second word behind it
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {pid}
