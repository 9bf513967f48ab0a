"""The pool, transactions that are run again when that can help, and errors in Hunter's words."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final, LiteralString, TypeAlias, TypeVar

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from hunter.config import Config
from hunter.core.errors import HunterError, Unavailable

#: What every store function takes first. The caller owns the transaction.
Connection: TypeAlias = "asyncpg.Connection[Any] | PoolConnectionProxy[Any]"
T = TypeVar("T")

#: Start-up parameters: a pooler in between wants them by ALTER ROLE instead (docs/configuration).
SERVER_SETTINGS: Final = {
    "application_name": "hunter",
    "statement_timeout": "15s",
    "lock_timeout": "3s",
    "idle_in_transaction_session_timeout": "10s",
    "tcp_keepalives_idle": "15",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "jit": "off",
}
#: So long a single answer is waited for: only a server that is gone, frozen or out of reach takes
#: it. What may take longer says so, and has statement_timeout as its limit.
_COMMAND_TIMEOUT_S: Final = 6.0
_RELEASE_TIMEOUT_S: Final = 1.0
LONG_S: Final = 20.0
_CONNECT_TIMEOUT_S: Final = 5.0
_FIRST_PAUSE_S: Final = 0.05
_LONGEST_PAUSE_S: Final = 2.0

#: Errors after which the same transaction may succeed.
_RETRYABLE: Final = frozenset(
    {
        "40001",  # serialization failure
        "40P01",  # deadlock
        "55P03",  # lock_timeout
        "57014",  # statement_timeout
        "25P03",  # idle_in_transaction_session_timeout
        "53300",  # too many connections
        "57P01",  # admin shutdown
        "57P02",  # crash shutdown
        "57P03",  # cannot connect now
    }
)
#: Out of disk or memory: waiting may help, hammering does not.
_EXHAUSTED: Final = frozenset({"53100", "53200"})


class Exhausted(Unavailable):
    """PostgreSQL is out of disk or memory"""


class BadData(HunterError):
    """PostgreSQL refuses a value"""


class Database:
    """A pool of connections; one is kept for interactive work."""

    def __init__(self, pool: asyncpg.Pool[Any], size: int, timeout_s: float) -> None:
        self._pool = pool
        self._timeout_s = timeout_s
        self._unreserved = asyncio.Semaphore(max(1, size - 1))
        self.size = size

    @property
    def in_use(self) -> int:
        """Connections handed out now."""
        return self._pool.get_size() - self._pool.get_idle_size()

    @asynccontextmanager
    async def acquire(self, *, reserved: bool = False) -> AsyncIterator[Connection]:
        """A connection; bulk work leaves the last one to callers with `reserved`.

        Raises Unavailable when none is free in time, or when PostgreSQL goes away while inside.
        """
        with _in_our_words():
            if reserved:
                async with self._lend() as conn:
                    yield conn
                return
            try:
                async with asyncio.timeout(self._timeout_s):
                    await self._unreserved.acquire()
            except TimeoutError:
                raise Unavailable("no database connection became free in time") from None
            try:
                async with self._lend() as conn:
                    yield conn
            finally:
                self._unreserved.release()

    @asynccontextmanager
    async def _lend(self) -> AsyncIterator[Connection]:
        conn = await self._pool.acquire(timeout=self._timeout_s)
        try:
            yield conn
        except (TimeoutError, asyncio.CancelledError, asyncpg.InternalClientError):
            # In the middle of a statement, maybe of a server that is frozen or behind a black
            # hole: to ask it to cancel and wait for its answer would take as long again.
            # Or the session was ended in between two of them, and the driver has lost its place.
            conn.terminate()
            raise
        finally:
            await self._pool.release(conn, timeout=_RELEASE_TIMEOUT_S)

    async def transact(
        self,
        work: Callable[[Connection], Awaitable[T]],
        *,
        deadline_s: float = 5.0,
        try_s: float | None = None,
        reserved: bool = False,
    ) -> T:
        """Run `work` in one transaction, and again while PostgreSQL's error allows hope.

        `work` must be safe to run after a COMMIT whose outcome is unknown: it looks before it
        writes. Each statement has its time limit, `try_s` is
        one for a whole try. Raises Unavailable after `deadline_s`.
        """
        loop = asyncio.get_running_loop()
        deadline, pause = loop.time() + deadline_s, _FIRST_PAUSE_S
        while True:
            try:
                with _in_our_words():
                    async with (
                        asyncio.timeout(try_s),
                        self.acquire(reserved=reserved) as conn,
                        _transaction(conn),
                    ):
                        return await work(conn)
            except Exhausted:
                raise
            except Unavailable:
                if loop.time() + pause > deadline:
                    raise
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311  # jitter
            pause = min(pause * 2, _LONGEST_PAUSE_S)

    async def ping(self) -> None:
        """Raises Unavailable when PostgreSQL does not answer."""
        async with self.acquire(reserved=True) as conn:
            await conn.execute(_PING)


_CONNECTIONS: Final[LiteralString] = """
    SELECT count(*) AS used, current_setting('max_connections')::integer AS allowed
    FROM pg_stat_activity WHERE backend_type = 'client backend'
"""


async def server_connections(conn: Connection) -> tuple[int, int]:
    """Connections the server has, of all its clients, and how many it allows."""
    row = await conn.fetchrow(_CONNECTIONS)
    return (row["used"], row["allowed"]) if row else (0, 0)


@asynccontextmanager
async def savepoint(conn: Connection) -> AsyncIterator[None]:
    """A part of a transaction that can fail alone; raises BadData when a value was refused."""
    with _in_our_words():
        async with conn.transaction():
            yield


@asynccontextmanager
async def _transaction(conn: Connection) -> AsyncIterator[None]:
    """BEGIN and COMMIT; after a time-out no ROLLBACK is sent, the connection is given up anyway."""
    transaction = conn.transaction()
    await transaction.start()
    try:
        yield
    except (TimeoutError, asyncio.CancelledError):
        raise
    except BaseException:
        if not conn.is_closed():
            await transaction.rollback()
        raise
    await transaction.commit()


_PING: Final[LiteralString] = "SELECT 1"


class _in_our_words:  # noqa: N801  # reads as a statement
    """Driver and connection errors that time may heal become Unavailable."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        match error:
            case asyncpg.PostgresError():
                _raise_translated(error)
            case TimeoutError() | OSError():
                raise Unavailable("the database does not answer") from error
            case UnicodeError():
                raise BadData("text that is not UTF-8") from error
            case asyncpg.InterfaceError():
                if isinstance(error, ValueError):
                    raise BadData(str(error)) from error
                raise Unavailable("the connection to the database was lost") from error
            case asyncpg.InternalClientError():
                raise Unavailable("the connection to the database was lost") from error
            case _:
                return


def _raise_translated(error: asyncpg.PostgresError) -> None:
    code = str(getattr(error, "sqlstate", "") or "")
    if code in _EXHAUSTED:
        raise Exhausted("the database is out of disk or memory", retry_after_s=5) from error
    if code in _RETRYABLE or code.startswith("08"):
        raise Unavailable("the database is busy or restarting") from error
    if code.startswith("22") or code == "23514":
        # never str(error): its DETAIL quotes the whole row, company name included
        raise BadData(_told(error)) from error


def _told(error: asyncpg.PostgresError) -> str:
    constraint = getattr(error, "constraint_name", None)
    return f"{type(error).__name__}: {constraint or str(error).splitlines()[0]}"


async def _leave_as_it_is(_conn: object) -> None:
    """Nothing sets session state, so a returned connection needs no RESET ALL and its round trip."""


@asynccontextmanager
async def open_database(config: Config) -> AsyncIterator[Database]:
    """A pool over HUNTER_DATABASE_URL. Connects when first used, so a late database is no error."""
    pool: asyncpg.Pool[Any] = await asyncpg.create_pool(
        str(config.database_url),
        min_size=0,
        max_size=config.db_pool_size,
        timeout=_CONNECT_TIMEOUT_S,
        command_timeout=_COMMAND_TIMEOUT_S,
        server_settings=SERVER_SETTINGS,
        max_inactive_connection_lifetime=300,
        reset=_leave_as_it_is,
    )
    try:
        yield Database(pool, config.db_pool_size, config.db_timeout_s)
    finally:
        try:
            await asyncio.wait_for(pool.close(), 10)
        except (TimeoutError, OSError):
            pool.terminate()
