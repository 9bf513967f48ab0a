"""A demonstration that needs no internet: invented companies, their name server, a Hunter of its own."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

from hunter.config import PREFIX
from hunter.core.errors import Unavailable
from hunter.local.company_list import CompanyList, company_list
from hunter.local.servers import Say, free_port, process
from hunter.local.stack import Stack, running
from hunter.local.zones import generate, zone_lines

COMPANIES = 3_000
ROWS = 1_200
_READY_DEADLINE_S = 30.0
_LISTENING = "listening on "


@contextlib.contextmanager
def demo_folder(keep: Path | None) -> Iterator[Path]:
    """`keep`, or a folder that goes with the block."""
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        yield keep
        return
    folder = Path(tempfile.mkdtemp(prefix="hunter-demo-"))
    # PostgreSQL may have to run as another user, who must be able to pass
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write_demo(
    folder: Path, *, companies: int = COMPANIES, rows: int = ROWS, seed: int = 1
) -> CompanyList:
    """Write zones.txt and companies.csv; gives what stands in the list."""
    invented = list(generate(companies, seed=seed))
    with (folder / "zones.txt").open("w", encoding="ascii") as file:
        file.writelines(f"{line}\n" for line in zone_lines(invented))
    listed = company_list(invented, rows, seed=seed)
    (folder / "companies.csv").write_bytes(listed.data)
    return listed


@contextlib.asynccontextmanager
async def name_server(zone: Path, log: Path) -> AsyncIterator[str]:
    """The zone served by a process of its own; gives "127.0.0.1:port"."""
    log.unlink(missing_ok=True)
    command = [sys.executable, "-m", "hunter.local.nameserver", "--zone", str(zone)]
    async with process(command, log=log) as child:
        deadline = asyncio.get_running_loop().time() + _READY_DEADLINE_S
        while True:
            text = log.read_text(encoding="utf-8") if log.exists() else ""
            if _LISTENING in text and text.endswith("\n"):
                yield text.split(_LISTENING)[1].split()[0]
                return
            if child.returncode is not None or asyncio.get_running_loop().time() > deadline:
                raise Unavailable(f"the name server did not start: {text.strip() or 'no word'}")
            await asyncio.sleep(0.02)


def demo_environ(environ: Mapping[str, str], folder: Path, dns: str) -> dict[str, str]:
    """The environment of the demonstration: none of the user's Hunter settings, free ports."""
    plain = {name: value for name, value in environ.items() if not name.startswith(PREFIX)}
    return plain | {
        "HUNTER_DATA_DIR": str(folder),
        "HUNTER_DNS_SERVERS": dns,
        "HUNTER_ALLOW_TEST_NAMES": "true",
        "HUNTER_PORT": str(free_port()),
        "HUNTER_WORKER_PORT": str(free_port()),
    }


@contextlib.asynccontextmanager
async def running_demo(
    environ: Mapping[str, str], folder: Path, say: Say
) -> AsyncIterator[tuple[Stack, CompanyList]]:
    """Name server, servers, API and worker on free ports, and the list to send them."""
    listed = write_demo(folder)
    say(f"{COMPANIES:,} invented companies and a list of {ROWS:,} rows written to {folder}")
    async with name_server(folder / "zones.txt", folder / "nameserver.log") as dns:
        say(f"name server: ready on {dns}")
        settings = demo_environ(environ, folder, dns)
        async with running(settings, say, throwaway=True) as stack:
            yield stack, listed
