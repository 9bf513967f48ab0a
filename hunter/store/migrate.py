"""The schema: brought up, looked at and taken back, by one process at a time."""

from __future__ import annotations

import hashlib
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final, LiteralString
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

import msgspec
import psycopg
import yoyo

import hunter
from hunter.core.errors import Misconfigured, Unavailable
from hunter.store.database import Connection

#: any number, the same in every process: whoever holds it may change the schema
_LOCK_KEY: Final = 4_836_120_714
LOCK_WAIT_S: Final = 60
#: months of partitions kept ahead
_MONTHS_AHEAD: Final = 3
#: A migration may take longer than a request; it must not queue everybody behind its lock.
_SESSION: Final = (
    "-c statement_timeout=0 -c idle_in_transaction_session_timeout=0 -c lock_timeout=10s"
)

_BACKEND: Final[LiteralString] = "SELECT pg_backend_pid()"
_LOCK: Final[LiteralString] = "SELECT pg_advisory_lock(%s::bigint)"
_WAIT: Final[LiteralString] = "SELECT set_config('statement_timeout', %s, false)"
_CHECKSUM_TABLE: Final[LiteralString] = """
    CREATE TABLE IF NOT EXISTS migration_checksum (
        migration_id text CONSTRAINT migration_checksum_pkey PRIMARY KEY,
        sha256 text NOT NULL
    )
"""
_CHECKSUMS: Final[LiteralString] = "SELECT migration_id, sha256 FROM migration_checksum"
_RECORD: Final[LiteralString] = """
    INSERT INTO migration_checksum (migration_id, sha256) VALUES (%s, %s)
    ON CONFLICT (migration_id) DO UPDATE SET sha256 = EXCLUDED.sha256
"""
_FORGET: Final[LiteralString] = "DELETE FROM migration_checksum WHERE migration_id = %s"
_HAS_HISTORY: Final[LiteralString] = "SELECT to_regclass('_yoyo_migration') IS NOT NULL"
_HISTORY: Final[LiteralString] = """
    SELECT migration_id, applied_at_utc FROM _yoyo_migration ORDER BY applied_at_utc, migration_id
"""
_PARTITIONS: Final[LiteralString] = (
    "SELECT make_scan_result_partitions((now() AT TIME ZONE 'UTC')::date, %s)"
)


class Applied(msgspec.Struct, frozen=True):
    """A migration that was applied, and when (UTC)."""

    id: str
    at: datetime


class Status(msgspec.Struct, frozen=True):
    """Where a database stands against the migrations of this build."""

    applied: tuple[str, ...]
    pending: tuple[str, ...]
    #: applied by a newer build; tolerated
    newer: tuple[str, ...]
    #: applied files that were edited afterwards
    changed: tuple[str, ...]

    @property
    def is_current(self) -> bool:
        """True when this build finds every table it needs."""
        return not self.pending and not self.changed


def migrations_dir() -> Path:
    """The folder of migrations: beside the package in a checkout, under share/ once installed."""
    checkout = Path(hunter.__file__).parents[1] / "migrations"
    installed = Path(sysconfig.get_path("data")) / "share" / "hunter" / "migrations"
    for folder in (checkout, installed):
        if any(folder.glob("[0-9]*.sql")):
            return folder
    raise Misconfigured(f"no migrations in {checkout} nor in {installed}: install Hunter again")


def migrate_up(url: str) -> list[str]:
    """Apply what is missing and make the partitions ahead; the ids applied, in order.

    Raises Unavailable when the database does not answer or another migration runs longer than
    `LOCK_WAIT_S`, Misconfigured when an applied file was edited.
    """
    with _exclusive(url) as (session, backend):
        _refuse_changed(session)
        missing = backend.to_apply(_files())
        done = []
        for migration in missing:
            # yoyo would mark it in a transaction of its own: a crash in between would leave a
            # migration applied that nobody knows of
            with backend.transaction():
                migration.process_steps(backend, "apply")
                backend.mark_one(migration)
                backend.cursor().execute(_RECORD, (migration.id, _checksum(migration.id)))
            done.append(migration.id)
        session.execute(_PARTITIONS, (_MONTHS_AHEAD,))
    return done


def rollback(url: str, count: int = 1) -> list[str]:
    """Take back the last `count` migrations; the ids, newest first. Data in them is lost.

    Raises Misconfigured when a newer build has migrated since: what it built upon would go.
    """
    with _exclusive(url) as (session, backend):
        _refuse_newer(session)
        done = []
        for migration in list(backend.to_rollback(_files()))[:count]:
            with backend.transaction():
                migration.process_steps(backend, "rollback")
                backend.unmark_one(migration)
                backend.cursor().execute(_FORGET, (migration.id,))
            done.append(migration.id)
    return done


def history(url: str) -> list[Applied]:
    """Every applied migration, oldest first."""
    with _session(url) as session:
        return _history(session)


def status(url: str) -> Status:
    """Applied, pending, newer and changed migrations; changes nothing."""
    with _session(url) as session:
        applied = tuple(row.id for row in _history(session))
        known = tuple(migration.id for migration in _files())
        return Status(
            applied=applied,
            pending=tuple(name for name in known if name not in applied),
            newer=tuple(name for name in applied if name not in known),
            changed=tuple(_changed(session)) if applied else (),
        )


_PENDING: Final[LiteralString] = """
    SELECT wanted FROM unnest($1::text[]) AS wanted
    WHERE wanted NOT IN (SELECT migration_id FROM _yoyo_migration)
"""
_SCHEMA_EXISTS: Final[LiteralString] = "SELECT to_regclass('_yoyo_migration') IS NOT NULL"


async def require_schema(conn: Connection) -> None:
    """Raise Unavailable when the schema is older than this build needs; newer is tolerated."""
    wanted = [migration.id for migration in _files()]
    missing = wanted
    if await conn.fetchval(_SCHEMA_EXISTS):
        missing = [row["wanted"] for row in await conn.fetch(_PENDING, wanted)]
    if missing:
        raise Unavailable(
            f"schema is older than this build: run `hunter migrate up` ({missing[0]} is next)"
        )


_MAKE_PARTITIONS: Final[LiteralString] = (
    "SELECT make_scan_result_partitions((now() AT TIME ZONE 'UTC')::date, $1)"
)


async def make_partitions(conn: Connection) -> int:
    """Make the partitions of the coming months; how many were missing."""
    made: int = await conn.fetchval(_MAKE_PARTITIONS, _MONTHS_AHEAD)
    return made


@contextmanager
def _session(url: str) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    try:
        session = psycopg.connect(_with_options(url), autocommit=True, connect_timeout=5)
    except psycopg.OperationalError as error:
        raise Unavailable("the database does not answer") from error
    with session:
        yield session


@contextmanager
def _exclusive(url: str) -> Iterator[tuple[psycopg.Connection[tuple[Any, ...]], Any]]:
    """A session that holds the migration lock, and yoyo's backend.

    The advisory lock goes with its session, so a killed migration leaves nothing behind but
    yoyo's own lock row, which can then be cleared: nobody else is at work.
    """
    with _session(url) as session:
        _refuse_pooler(session)
        session.execute(_WAIT, (f"{LOCK_WAIT_S}s",))
        try:
            session.execute(_LOCK, (_LOCK_KEY,))
        except (psycopg.errors.QueryCanceled, psycopg.errors.LockNotAvailable) as error:
            raise Unavailable("another migration is running") from error
        session.execute(_WAIT, ("0",))
        session.execute(_CHECKSUM_TABLE)
        backend = yoyo.get_backend(_with_options(url, scheme="postgresql+psycopg"))  # type: ignore[no-untyped-call]
        try:
            backend.init_database()
            backend.break_lock()
            yield session, backend
        finally:
            backend.connection.close()


def _with_options(url: str, scheme: str = "postgresql") -> str:
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query)) | {"options": _SESSION}
    return urlunsplit((scheme, parts.netloc, parts.path, urlencode(query, quote_via=quote), ""))


def _files() -> Any:  # yoyo is untyped
    return yoyo.read_migrations(str(migrations_dir()))  # type: ignore[no-untyped-call]


def _checksum(migration_id: str) -> str:
    return hashlib.sha256((migrations_dir() / f"{migration_id}.sql").read_bytes()).hexdigest()


def _history(session: psycopg.Connection[tuple[Any, ...]]) -> list[Applied]:
    if not _truth(session, _HAS_HISTORY):
        return []
    return [Applied(str(name), at) for name, at in session.execute(_HISTORY)]


def _truth(session: psycopg.Connection[tuple[Any, ...]], query: LiteralString) -> bool:
    row = session.execute(query).fetchone()
    return bool(row and row[0])


def _changed(session: psycopg.Connection[tuple[Any, ...]]) -> list[str]:
    """Applied migrations whose file is not what was applied."""
    folder = migrations_dir()
    return [
        str(name)
        for name, digest in session.execute(_CHECKSUMS)
        if (folder / f"{name}.sql").exists() and _checksum(str(name)) != digest
    ]


def _refuse_changed(session: psycopg.Connection[tuple[Any, ...]]) -> None:
    if changed := _changed(session):
        raise Misconfigured(
            f"applied migrations were edited: {', '.join(changed)}; "
            "put the files back and write a new migration instead"
        )


def _refuse_newer(session: psycopg.Connection[tuple[Any, ...]]) -> None:
    known = {migration.id for migration in _files()}
    if newer := [row.id for row in _history(session) if row.id not in known]:
        raise Misconfigured(
            f"a newer build has applied {', '.join(newer)}: take them back with that build first"
        )


def _refuse_pooler(session: psycopg.Connection[tuple[Any, ...]]) -> None:
    """A pooler gives every statement another session, and the lock would be held by nobody.

    It shows by the process it names at the start, which is one of its own invention.
    """
    row = session.execute(_BACKEND).fetchone()
    if row is None or row[0] != session.info.backend_pid:
        raise Misconfigured(
            "HUNTER_DATABASE_URL leads to a pooler, and migrations need PostgreSQL itself: "
            "name the server's own port for this command"
        )
