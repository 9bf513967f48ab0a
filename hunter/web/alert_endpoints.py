"""Endpoints of alerts: where messages go, how they do, and their secrets."""

from __future__ import annotations

from datetime import datetime

import msgspec
from aiohttp import web

from hunter.pipeline.alerting import NewEndpoint, add_endpoint, change_endpoint, rotate_secret
from hunter.store import alert_endpoints
from hunter.store.alert_endpoints import Edit, Endpoint
from hunter.store.database import Connection
from hunter.web.alert_requests import EndpointBody, EndpointEdit, RotateBody, read_body
from hunter.web.keys import CONFIG, DB
from hunter.web.middleware import API
from hunter.web.requests import PageQuery
from hunter.web.schema import id_in_path, read_query, render

_HOUR_S = 3600.0


class EndpointCreated(msgspec.Struct, frozen=True):
    """A new endpoint; the secret of a webhook is shown this once."""

    endpoint: Endpoint
    secret: str | None


class SecretRotated(msgspec.Struct, frozen=True):
    """A new secret, shown this once; until then the old one signs too."""

    secret: str
    old_secret_until: datetime | None


async def create(request: web.Request) -> web.Response:
    """POST /alerts/endpoints"""
    body = await read_body(request, EndpointBody)
    new = NewEndpoint(
        name=body.name,
        kind=body.kind,
        language=body.language,
        address=body.address,
        secret=body.secret,
    )
    endpoint, secret = await add_endpoint(request.app[DB], request.app[CONFIG], new)
    headers = {"Location": f"{API}/alerts/endpoints/{endpoint.id}", "Cache-Control": "no-store"}
    return render(EndpointCreated(endpoint, secret), status=201, headers=headers)


async def index(request: web.Request) -> web.Response:
    """GET /alerts/endpoints"""
    query = read_query(request, PageQuery)
    async with request.app[DB].acquire() as conn:
        return render(await alert_endpoints.page(conn, query.cursor, query.limit))


async def show(request: web.Request) -> web.Response:
    """GET /alerts/endpoints/{endpoint_id}"""
    async with request.app[DB].acquire() as conn:
        return render(await alert_endpoints.get(conn, id_in_path(request, "endpoint_id")))


async def edit(request: web.Request) -> web.Response:
    """PATCH /alerts/endpoints/{endpoint_id}"""
    endpoint_id = id_in_path(request, "endpoint_id")
    body = await read_body(request, EndpointEdit)
    is_active = None if body.state is None else body.state == "active"
    wanted = Edit(name=body.name, language=body.language, is_active=is_active)
    app = request.app
    return render(await change_endpoint(app[DB], app[CONFIG], endpoint_id, wanted, body.address))


async def rotate(request: web.Request) -> web.Response:
    """POST /alerts/endpoints/{endpoint_id}/rotate"""
    endpoint_id = id_in_path(request, "endpoint_id")
    body = await read_body(request, RotateBody, may_be_empty=True)
    endpoint, secret = await rotate_secret(
        request.app[DB],
        request.app[CONFIG],
        endpoint_id,
        secret=body.secret,
        grace_s=body.grace_hours * _HOUR_S,
    )
    view = SecretRotated(secret, endpoint.old_secret_until)
    return render(view, headers={"Cache-Control": "no-store"})


async def delete(request: web.Request) -> web.Response:
    """DELETE /alerts/endpoints/{endpoint_id}"""
    endpoint_id = id_in_path(request, "endpoint_id")

    async def work(conn: Connection) -> None:
        await alert_endpoints.delete(conn, endpoint_id)

    await request.app[DB].transact(work)
    return web.Response(status=204)
