"""The whole of Hunter on one machine: servers, schema, API and worker, started and stopped together."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import socket
import sys
from collections.abc import AsyncIterator, Coroutine, Mapping
from pathlib import Path

import aiohttp

from hunter.config import Config
from hunter.core.errors import Unavailable
from hunter.local.servers import Say, embedded, log_file, process
from hunter.store.migrate import migrate_up

READY_DEADLINE_S = 30.0
#: the setting that says where a subcommand listens
_PORTS = {"serve": "HUNTER_PORT", "work": "HUNTER_WORKER_PORT"}
Child = asyncio.subprocess.Process


@dataclasses.dataclass(frozen=True)
class Part:
    """One child process, and where its words go."""

    name: str
    child: Child
    log: Path


@dataclasses.dataclass(frozen=True)
class Stack:
    """A running Hunter."""

    config: Config
    parts: tuple[Part, ...]

    @property
    def url(self) -> str:
        """Where the API listens."""
        host = f"[{self.config.host}]" if ":" in self.config.host else self.config.host
        return f"http://{host}:{self.config.port}"

    async def guard(self, work: Coroutine[None, None, None], stop: asyncio.Event) -> None:
        """Do `work` until it is done, `stop` is set, or a part ends, which raises Unavailable."""
        doing = asyncio.create_task(work)
        waiting = asyncio.create_task(self.wait(stop))
        try:
            await asyncio.wait({doing, waiting}, return_when=asyncio.FIRST_COMPLETED)
            # a part that ended explains the failure of the work better than the work itself
            for task in (waiting, doing):
                if task.done():
                    task.result()
        finally:
            doing.cancel()
            waiting.cancel()
            await asyncio.gather(doing, waiting, return_exceptions=True)

    async def wait(self, stop: asyncio.Event) -> None:
        """Until `stop` is set; raises Unavailable with the end of the log when a part ends."""
        stopping = asyncio.create_task(stop.wait())
        ends = {asyncio.create_task(part.child.wait()): part for part in self.parts}
        try:
            await asyncio.wait({stopping, *ends}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (stopping, *ends):
                task.cancel()
        for part in self.parts:
            if part.child.returncode is not None and not stop.is_set():
                raise _ended(part)


@contextlib.asynccontextmanager
async def running(
    environ: Mapping[str, str], say: Say, *, throwaway: bool = False
) -> AsyncIterator[Stack]:
    """Everything, ready for requests; stopped in reverse order with the block.

    Raises Misconfigured, or Unavailable with the fix when a part cannot start.
    """
    config = Config.from_env(environ)
    require_free(config.host, config.port, "HUNTER_PORT")
    for number in range(config.up_workers):
        require_free(config.host, config.worker_port + number, "HUNTER_WORKER_PORT")
    async with contextlib.AsyncExitStack() as stack:
        config = await stack.enter_async_context(embedded(config, say, throwaway=throwaway))
        done = await asyncio.to_thread(migrate_up, str(config.database_url))
        say(f"schema: {f'{len(done)} migrations applied' if done else 'up to date'}")
        servers = {
            "HUNTER_DATABASE_URL": str(config.database_url),
            "HUNTER_REDIS_URL": str(config.redis_url),
        }
        parts = []
        for name, command, port in _commands(config):
            log = log_file(config.data_dir, f"{name.lower().replace(' ', '-')}.log")
            child = await stack.enter_async_context(
                process(
                    [sys.executable, "-m", "hunter", command],
                    log=log,
                    env={**environ, **servers, _PORTS[command]: str(port)},
                    # it may use its whole grace, then hand leases back and close its pools
                    stop_deadline_s=config.drain_delay_s + config.drain_grace_s + 10,
                )
            )
            parts.append((Part(name, child, log), port))
        for part, port in parts:
            await _until_ready(part, config.host, port)
            say(f"{part.name}: ready on {config.host}:{port}, log in {part.log}")
        yield Stack(config, tuple(part for part, _ in parts))


def _commands(config: Config) -> list[tuple[str, str, int]]:
    """What to start: its name, its subcommand, the port it listens on."""
    workers = [
        ("worker" if not n else f"worker {n + 1}", "work", config.worker_port + n)
        for n in range(config.up_workers)
    ]
    return [("API", "serve", config.port), *workers]


def require_free(host: str, port: int, setting: str) -> None:
    """Raise Unavailable when somebody listens on the port already."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        # connections of an earlier run that are still closing do not count
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise Unavailable(
                f"port {port} on {host} cannot be used ({error.strerror}): stop what listens there, "
                f"or set {setting} to another port"
            ) from None


async def _until_ready(part: Part, host: str, port: int) -> None:
    address = f"[{host}]" if ":" in host else host
    url = f"http://{address}:{port}/healthz/ready"
    deadline = asyncio.get_running_loop().time() + READY_DEADLINE_S
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session:
        while True:
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                async with session.get(url) as answer:
                    if answer.status == 200:
                        return
            if part.child.returncode is not None:
                raise _ended(part)
            if asyncio.get_running_loop().time() > deadline:
                raise Unavailable(
                    f"the {part.name} is not ready after {READY_DEADLINE_S:g} s; "
                    f"its log {part.log} ends: {_last_words(part.log)}"
                )
            await asyncio.sleep(0.05)


def _ended(part: Part) -> Unavailable:
    return Unavailable(
        f"the {part.name} ended with code {part.child.returncode}; "
        f"its log {part.log} ends: {_last_words(part.log)}"
    )


def _last_words(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return " | ".join(lines[-3:]) or "(empty)"
