"""Keys of callers, for whoever runs Hunter: made, listed, changed, rotated and revoked."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from aiohttp import web

from hunter.core.credentials import is_key_id
from hunter.core.errors import InvalidInput, NotFound
from hunter.pipeline import keys
from hunter.store import api_keys
from hunter.store.api_keys import ApiKey, Wanted
from hunter.web.bodies import Digest, json_body, media_type
from hunter.web.callers import CALLERS
from hunter.web.keys import CALLER, CONFIG, DB
from hunter.web.middleware import API
from hunter.web.requests import KeyChange, NewKeyRequest, PageQuery, RotateRequest
from hunter.web.schema import read_json, read_query, render

_JSON: Final = "application/json"
#: the answer holds a secret: no cache may keep it
_SECRET: Final = {"Cache-Control": "no-store"}
_HOUR_S: Final = 3600


class NewKeyView(msgspec.Struct, frozen=True):
    """A key with its text, which is told this once."""

    #: hk_<id>_<secret>: what the caller sends
    key: str
    properties: ApiKey


async def index(request: web.Request) -> web.Response:
    """GET /admin/api-keys"""
    query = read_query(request, PageQuery)
    async with request.app[DB].acquire() as conn:
        return render(await api_keys.list_keys(conn, query.cursor, query.limit))


async def show(request: web.Request) -> web.Response:
    """GET /admin/api-keys/{key_id}"""
    async with request.app[DB].acquire() as conn:
        return render(await api_keys.get(conn, _key_id(request)))


async def create(request: web.Request) -> web.Response:
    """POST /admin/api-keys"""
    asked = read_json(await _body(request), NewKeyRequest)
    _require_future(asked.expires_at)
    wanted = Wanted(**msgspec.structs.asdict(asked))
    made = await keys.create(
        request.app[DB], str(request.app[CONFIG].key_pepper), wanted, created_by=request[CALLER]
    )
    headers = _SECRET | {"Location": f"{API}/admin/api-keys/{made.key.id}"}
    return render(NewKeyView(made.text, made.key), status=201, headers=headers)


async def change(request: web.Request) -> web.Response:
    """PATCH /admin/api-keys/{key_id}"""
    asked = msgspec.structs.asdict(read_json(await _body(request), KeyChange))
    changes: dict[str, Any] = {
        name: value for name, value in asked.items() if value is not msgspec.UNSET
    }
    _require_future(changes.get("expires_at"))
    key_id = _key_id(request)
    key = await keys.change(request.app[DB], key_id, changes)
    request.app[CALLERS].forget(key_id)
    return render(key)


async def rotate(request: web.Request) -> web.Response:
    """POST /admin/api-keys/{key_id}/rotate"""
    asked = read_json(await _body(request), RotateRequest)
    key_id = _key_id(request)
    made = await keys.rotate(
        request.app[DB],
        str(request.app[CONFIG].key_pepper),
        key_id,
        grace_s=asked.grace_hours * _HOUR_S,
    )
    request.app[CALLERS].forget(key_id)
    return render(NewKeyView(made.text, made.key), headers=_SECRET)


async def revoke(request: web.Request) -> web.Response:
    """DELETE /admin/api-keys/{key_id}"""
    key_id = _key_id(request)
    key = await keys.revoke(request.app[DB], key_id)
    request.app[CALLERS].forget(key_id)
    return render(key)


async def _body(request: web.Request) -> bytes:
    media_type(request, _JSON)
    return await json_body(request, Digest(request))


def _key_id(request: web.Request) -> str:
    key_id = request.match_info["key_id"]
    if not is_key_id(key_id):
        raise NotFound("There is no key with this id.")
    return key_id


def _require_future(moment: datetime | None) -> None:
    if moment is not None and moment <= datetime.now(UTC):
        raise InvalidInput(
            "The key would be expired already.",
            errors=(("/expires_at", "name a moment that is still to come"),),
        )
