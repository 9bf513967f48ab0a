"""Every SQL constant is understood by the migrated schema, and SQL is nowhere else."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import asyncpg

import hunter.store
from hunter.store import lead_filters
from hunter.store.database import Database

_VERB = re.compile(r"^\s*(SELECT|INSERT|UPDATE|DELETE|WITH|CREATE)\s", re.IGNORECASE)
#: psycopg's placeholders: these are migrate's own, run on its direct session
_DIRECT = re.compile(r"%s|^\s*CREATE")


def _statements() -> Iterator[tuple[str, str]]:
    for found in pkgutil.iter_modules(hunter.store.__path__, "hunter.store."):
        module = importlib.import_module(found.name)
        for name, value in vars(module).items():
            if isinstance(value, str) and _VERB.match(value) and not _DIRECT.search(value):
                yield f"{found.name}.{name}", value


STATEMENTS = dict(_statements()) | {
    f"lead_filters {sort} {column}": text
    for (sort, column), text in lead_filters.STATEMENTS.items()
}


async def test_every_statement_is_understood_by_the_schema(db: Database) -> None:
    refused = {}
    for name, statement in STATEMENTS.items():
        try:
            async with db.acquire() as conn:
                await conn.prepare(statement)
        except asyncpg.PostgresError as error:
            refused[name] = str(error)

    assert refused == {}


def test_there_are_statements() -> None:
    assert len(STATEMENTS) > 50


def test_no_sql_outside_the_store() -> None:
    package = Path(hunter.store.__path__[0]).parent
    found = [
        f"{path.relative_to(package)}:{node.lineno}"
        for path in package.rglob("*.py")
        if path.parent.name != "store"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and re.match(
            r"^\s*(SELECT .* FROM|INSERT INTO|UPDATE \w+ SET|DELETE FROM)\s", node.value, re.DOTALL
        )
    ]

    assert found == []
