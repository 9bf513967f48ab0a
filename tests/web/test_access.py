"""Who may do what: no route without an authorization of its own."""

from __future__ import annotations

import pytest
from aiohttp import web

from hunter.config import Config
from hunter.core.scopes import PUBLIC, Scope
from hunter.ops.server import PROBES
from hunter.web.app import create_app
from hunter.web.policies import POLICIES
from hunter.web.routes import ROUTES, Route, add_routes

#: what nobody needs a key for; a route that joins them is a decision, made here as well
OPEN = {"/", "/docs", "/openapi.json", "/problems/{slug}", "/static/{name}", *PROBES}


def test_every_route_of_the_router_says_who_may_use_it(config: Config) -> None:
    app = create_app(config)
    routes = list(app.router.routes())

    policies = app[POLICIES]

    assert len(routes) > 40
    assert set(routes) == set(policies)
    assert all(each.scope in {PUBLIC, *Scope} for each in policies.values())
    assert {each.endpoint for each in policies.values() if each.scope == PUBLIC} == OPEN


async def _nobody(_request: web.Request) -> web.Response:
    return web.Response()


def test_an_application_with_a_route_that_says_nothing_does_not_start() -> None:
    app = web.Application()
    app.router.add_get("/forgotten", _nobody)

    with pytest.raises(RuntimeError, match="/forgotten says neither a scope nor PUBLIC"):
        add_routes(app)


def test_a_route_cannot_be_written_without_a_scope() -> None:
    with pytest.raises(TypeError, match="scope"):
        Route(method="GET", path="/forgotten", handler=_nobody, summary="")  # type: ignore[call-arg]

    assert all(route.scope in {PUBLIC, *Scope} for route in ROUTES)
