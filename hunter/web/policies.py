"""What holds for each route of the router: who may use it, what it costs, how long it may take."""

from __future__ import annotations

from typing import Final

import msgspec
from aiohttp import web

from hunter.core.scopes import Access
from hunter.web.admission import Load

#: longest time for a request of a class, its body included; a stream has deadlines of its own
DEADLINES_S: Final = {
    Load.PROBE: 30.0,
    Load.READ: 20.0,
    Load.WRITE: 60.0,
    Load.BULK: 900.0,
    Load.STREAM: None,
}


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """What the middlewares must know about a route."""

    #: the route's template
    endpoint: str
    #: the right a key needs, or PUBLIC
    scope: Access
    load: Load
    #: how its writes are called in the audit log when they say nothing themselves; "" for reads
    action: str = ""
    #: a signed body lets a caller in without a key; the handler checks the signature
    takes_signature: bool = False
    #: one of the earlier system's unversioned paths
    is_earlier: bool = False


#: every route the router knows, none without a policy
Policies = dict[web.AbstractRoute, Policy]
POLICIES: Final = web.AppKey("policies", Policies)
