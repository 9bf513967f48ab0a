"""Alert rules: kept, tested for real, tried on the past."""

from __future__ import annotations

from typing import Any

import msgspec
from aiohttp import web

from hunter.pipeline.alerting import Tested, first_digest, try_rule
from hunter.store import alert_rules
from hunter.store.alert_rules import Rule, Wanted
from hunter.store.database import Connection
from hunter.store.identifiers import uuid7
from hunter.web.alert_requests import DryRunQuery, Filters, RuleBody, read_body
from hunter.web.bodies import Digest
from hunter.web.keys import DB, HINTS
from hunter.web.middleware import API
from hunter.web.repeats import do_once
from hunter.web.requests import PageQuery
from hunter.web.schema import id_in_path, read_query, render

_EXAMPLES = 10


class TestResult(msgspec.Struct, frozen=True):
    """What each endpoint of a rule said to a test."""

    __test__ = False  # not pytest's

    endpoints: list[Tested]


async def create(request: web.Request) -> web.Response:
    """POST /alerts/rules"""
    digest = Digest(request)
    wanted = _wanted(await read_body(request, RuleBody, digest=digest))

    async def work(conn: Connection) -> Rule:
        return await alert_rules.add(conn, uuid7(), wanted)

    return await do_once(
        request,
        digest,
        work,
        status=201,
        headers=lambda rule: {"Location": f"{API}/alerts/rules/{rule.id}"},
    )


def _wanted(body: RuleBody) -> Wanted:
    return Wanted(
        name=body.name,
        is_enabled=body.enabled,
        cadence=body.cadence,
        timezone=body.timezone,
        digest_hour=body.digest_hour,
        endpoints=body.endpoints,
        digest_at=first_digest(body.cadence, body.timezone, body.digest_hour),
        **_filters(body),
    )


def _filters(body: Filters) -> dict[str, Any]:
    return {name: getattr(body, name) for name in alert_rules.Filters.__struct_fields__}


async def index(request: web.Request) -> web.Response:
    """GET /alerts/rules"""
    query = read_query(request, PageQuery)
    async with request.app[DB].acquire() as conn:
        return render(await alert_rules.page(conn, query.cursor, query.limit))


async def show(request: web.Request) -> web.Response:
    """GET /alerts/rules/{rule_id}"""
    async with request.app[DB].acquire() as conn:
        return render(await alert_rules.get(conn, id_in_path(request, "rule_id")))


async def replace(request: web.Request) -> web.Response:
    """PUT /alerts/rules/{rule_id}"""
    rule_id = id_in_path(request, "rule_id")
    wanted = _wanted(await read_body(request, RuleBody))

    async def work(conn: Connection) -> Rule:
        return await alert_rules.replace(conn, rule_id, wanted)

    return render(await request.app[DB].transact(work))


async def delete(request: web.Request) -> web.Response:
    """DELETE /alerts/rules/{rule_id}"""
    rule_id = id_in_path(request, "rule_id")

    async def work(conn: Connection) -> None:
        await alert_rules.delete(conn, rule_id)

    await request.app[DB].transact(work)
    return web.Response(status=204)


async def test(request: web.Request) -> web.Response:
    """POST /alerts/rules/{rule_id}/test"""
    rule_id = id_in_path(request, "rule_id")
    return render(TestResult(await try_rule(request.app[DB], request.app[HINTS], rule_id)))


async def dry_run(request: web.Request) -> web.Response:
    """POST /alerts/rules/{rule_id}/dry-run"""
    query = read_query(request, DryRunQuery)
    rule_id = id_in_path(request, "rule_id")
    async with request.app[DB].acquire() as conn:
        rule = await alert_rules.get(conn, rule_id)
        found = await alert_rules.dry_run(conn, rule, days=query.days, examples=_EXAMPLES)
    return render(found)


async def dry_run_new(request: web.Request) -> web.Response:
    """POST /alerts/rules/dry-run"""
    query = read_query(request, DryRunQuery)
    body = await read_body(request, Filters)
    wanted = msgspec.convert(_filters(body), alert_rules.Filters)
    async with request.app[DB].acquire() as conn:
        found = await alert_rules.dry_run(conn, wanted, days=query.days, examples=_EXAMPLES)
    return render(found)
