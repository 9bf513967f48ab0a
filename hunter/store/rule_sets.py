"""Rule sets: every version of the rules that judged here, with the text of its files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, LiteralString

import msgspec

from hunter.store.database import Connection

_texts_of: Final = msgspec.json.Decoder(dict[str, str]).decode

_KEEP: Final[LiteralString] = """
    INSERT INTO rule_set (version, files) VALUES ($1, $2::jsonb) ON CONFLICT (version) DO NOTHING
"""


async def keep(conn: Connection, version: str, texts: Mapping[str, str]) -> None:
    """Keep the files of a version; it is kept once."""
    await conn.execute(_KEEP, version, msgspec.json.encode(texts).decode())


_TEXTS: Final[LiteralString] = "SELECT files FROM rule_set WHERE version = $1"


async def texts(conn: Connection, version: str) -> dict[str, str] | None:
    """The text of each file of a version, None when it never judged here."""
    files = await conn.fetchval(_TEXTS, version)
    return _texts_of(files) if files else None
