"""What holds for each route of the router: who may use it, under which name it is counted."""

from __future__ import annotations

from typing import Final

import msgspec
from aiohttp import web

from hunter.core.scopes import Access


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """What the middlewares must know about a route."""

    #: the route's template
    endpoint: str
    #: the right a key needs, or PUBLIC
    scope: Access
    #: a signed body lets a caller in without a key; the handler checks the signature
    takes_signature: bool = False
    #: one of the earlier system's unversioned paths
    is_earlier: bool = False


#: every route the router knows, none without a policy
Policies = dict[web.AbstractRoute, Policy]
POLICIES: Final = web.AppKey("policies", Policies)
