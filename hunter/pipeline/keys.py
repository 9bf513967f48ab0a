"""Keys made, changed, rotated and revoked, each with its entry in the audit log."""

from __future__ import annotations

import secrets
from typing import Final

import msgspec

from hunter.core.credentials import ID_BYTES, SECRET_BYTES, digest_of, id_from, write_key
from hunter.core.errors import Conflict
from hunter.store import api_keys, audit
from hunter.store.api_keys import ApiKey, Wanted
from hunter.store.database import Connection, Database

_NO_PEPPER: Final = (
    "This server has no HUNTER_KEY_PEPPER, without which no key can be made. "
    "Set it for every process, `openssl rand -hex 32` gives one, and start again."
)


class Secretive(msgspec.Struct, frozen=True):
    """A key with its text, which is shown once and stored nowhere."""

    text: str
    key: ApiKey


async def create(db: Database, pepper: str, wanted: Wanted, *, created_by: str) -> Secretive:
    """Make a key. Raises Conflict without a pepper."""
    key_id = id_from(secrets.token_bytes(ID_BYTES))
    text, digest = _new_secret(pepper, key_id)

    async def work(conn: Connection) -> ApiKey:
        key = await api_keys.add(conn, key_id, digest, wanted, created_by=created_by)
        await audit.record(conn, "key.created", key_id)
        return key

    return Secretive(text, await db.transact(work))


async def change(db: Database, key_id: str, changes: dict[str, object]) -> ApiKey:
    """Change some properties of a key, named as in `Wanted`. Raises NotFound."""

    async def work(conn: Connection) -> ApiKey:
        key = await api_keys.get(conn, key_id)
        names = Wanted.__struct_fields__
        properties = {name: getattr(key, name) for name in names} | changes
        await audit.record(conn, "key.changed", key_id)
        return await api_keys.change(conn, key_id, Wanted(**properties))

    return await db.transact(work)


async def rotate(db: Database, pepper: str, key_id: str, *, grace_s: float) -> Secretive:
    """Another secret for a key; the one before counts for `grace_s` more.

    Raises NotFound, and Conflict when the key is revoked or there is no pepper.
    """
    text, digest = _new_secret(pepper, key_id)

    async def work(conn: Connection) -> ApiKey:
        key = await api_keys.rotate(conn, key_id, digest, grace_s=grace_s)
        await audit.record(conn, "key.rotated", key_id)
        return key

    return Secretive(text, await db.transact(work))


async def revoke(db: Database, key_id: str) -> ApiKey:
    """End a key: every process refuses it within `hunter.web.callers.TRUST_S`. Raises NotFound."""

    async def work(conn: Connection) -> ApiKey:
        key = await api_keys.revoke(conn, key_id)
        await audit.record(conn, "key.revoked", key_id)
        return key

    return await db.transact(work)


def _new_secret(pepper: str, key_id: str) -> tuple[str, bytes]:
    if not pepper:
        raise Conflict(_NO_PEPPER)
    text = write_key(key_id, secrets.token_bytes(SECRET_BYTES))
    return text, digest_of(pepper, text)
