"""Requests that may come twice: their Idempotency-Key, and small writes that are done once by it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeVar

import msgspec
from aiohttp import web

from hunter.core.errors import InvalidInput
from hunter.pipeline.accept import Idempotency
from hunter.store import audit, idempotency
from hunter.store.database import Connection
from hunter.store.idempotency import Key
from hunter.web.bodies import Digest
from hunter.web.keys import CALLER, DB
from hunter.web.middleware import API
from hunter.web.schema import render

T = TypeVar("T")
_KEY: Final = re.compile(r"[\x20-\x7e]{1,255}")


def idempotency_of(
    request: web.Request, digest: Digest, *, is_read: bool = False
) -> Idempotency | None:
    """What the Idempotency-Key header asks for; an earlier path is the same as the versioned one.

    `is_read` says that the body will be there before the first name. Raises InvalidInput.
    """
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return None
    if not _KEY.fullmatch(key):
        detail = "send 1 to 255 printable ASCII characters, a UUID for example"
        raise InvalidInput(
            "The Idempotency-Key cannot be used.", errors=(("Idempotency-Key", detail),)
        )
    path = API + request.path.removeprefix(API)
    return Idempotency(key, request.method, path, digest.value, is_read)


async def do_once(
    request: web.Request,
    digest: Digest,
    work: Callable[[Connection], Awaitable[T]],
    *,
    status: int,
    headers: Callable[[T], Mapping[str, str]] | None = None,
    reserved: bool = False,
) -> web.Response:
    """Do a small write in one transaction and answer with what it gives; again, the same answer.

    The answer lies in that transaction under the request's key for 24 hours. A twin under way is
    waited for. Raises InvalidInput when the key was used for another request.
    """
    asked = idempotency_of(request, digest, is_read=True)
    key = Key(request[CALLER], asked.key, asked.method, asked.path) if asked else None

    async def once(conn: Connection) -> idempotency.Answer:
        if key is not None:
            earlier = await idempotency.take(conn, key, digest.value())
            if earlier is not None:
                audit.nothing_written()
                return earlier
        made = await work(conn)
        answer = idempotency.Answer(
            body=msgspec.Raw(msgspec.json.encode(made)),
            headers=dict(headers(made)) if headers else {},
        )
        if key is not None:
            await idempotency.keep(conn, key, answer)
        return answer

    answer = await request.app[DB].transact(once, reserved=reserved)
    return render(answer.body, status=status, headers=answer.headers)
