"""Alerts and their messages: listed, acknowledged, looked into, sent again."""

from __future__ import annotations

import msgspec
from aiohttp import web

from hunter.queue.hints import DELIVERIES
from hunter.store import alerts
from hunter.store.alerts import Alert, AlertFilter, Attempt, Delivery, DeliveryFilter, Span
from hunter.store.database import LONG_S, Connection
from hunter.web.alert_requests import AlertsQuery, DeliveriesQuery, ReplayBody, read_body
from hunter.web.keys import CALLER, DB, HINTS
from hunter.web.schema import id_in_path, read_query, render


class DeliveryView(msgspec.Struct, frozen=True):
    """A message with its latest tries."""

    delivery: Delivery
    attempts: list[Attempt]


class Replayed(msgspec.Struct, frozen=True):
    """How many messages are sent again; ask once more when it is 10,000."""

    replayed: int


async def index(request: web.Request) -> web.Response:
    """GET /alerts"""
    query = read_query(request, AlertsQuery)
    wanted = AlertFilter(
        rule=query.rule,
        domain=query.domain,
        kind=query.kind.value if query.kind else None,
        acknowledged=query.acknowledged,
    )
    async with request.app[DB].acquire() as conn:
        return render(await alerts.page(conn, wanted, query.cursor, query.limit))


async def acknowledge(request: web.Request) -> web.Response:
    """POST /alerts/{alert_id}/acknowledge"""
    alert_id = id_in_path(request, "alert_id")

    async def work(conn: Connection) -> Alert:
        return await alerts.acknowledge(conn, alert_id, request[CALLER])

    return render(await request.app[DB].transact(work))


async def deliveries(request: web.Request) -> web.Response:
    """GET /alerts/deliveries"""
    query = read_query(request, DeliveriesQuery)
    wanted = DeliveryFilter(
        state=query.state, rule=query.rule, endpoint=query.endpoint, domain=query.domain
    )
    async with request.app[DB].acquire() as conn:
        return render(await alerts.deliveries_page(conn, wanted, query.cursor, query.limit))


async def delivery(request: web.Request) -> web.Response:
    """GET /alerts/deliveries/{delivery_id}"""
    delivery_id = id_in_path(request, "delivery_id")
    async with request.app[DB].acquire() as conn:
        found = await alerts.get_delivery(conn, delivery_id)
        return render(DeliveryView(found, await alerts.attempts(conn, delivery_id)))


async def replay(request: web.Request) -> web.Response:
    """POST /alerts/deliveries/{delivery_id}/replay"""
    delivery_id = id_in_path(request, "delivery_id")

    async def work(conn: Connection) -> Delivery:
        return await alerts.replay(conn, delivery_id)

    found = await request.app[DB].transact(work)
    await request.app[HINTS].announce(DELIVERIES)
    return render(found, status=202)


async def replay_span(request: web.Request) -> web.Response:
    """POST /alerts/deliveries/replay"""
    body = await read_body(request, ReplayBody)
    span = Span(since=body.since, until=body.until, states=body.states, endpoint=body.endpoint)

    async def work(conn: Connection) -> int:
        return await alerts.replay_span(conn, span)

    replayed = await request.app[DB].transact(work, deadline_s=LONG_S)
    await request.app[HINTS].announce(DELIVERIES)
    return render(Replayed(replayed), status=202)
