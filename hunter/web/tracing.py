"""A span for each request, named by its route's template."""

from __future__ import annotations

from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler

from hunter.ops.tracing import span
from hunter.web.middleware import endpoint_of

_PROBES: Final = ("/healthz", "/metrics")


@web.middleware
async def trace(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Follow a request, probes aside; a caller's `traceparent` is the parent (W3C Trace Context)."""
    endpoint = endpoint_of(request)
    if endpoint.startswith(_PROBES):
        return await handler(request)
    about = {"http.request.method": request.method, "http.route": endpoint}
    carrier = {name: request.headers.get(name, "") for name in ("traceparent", "tracestate")}
    with span(f"{request.method} {endpoint}", about, carrier=carrier) as current:
        response = await handler(request)
        if current is not None:
            current.set_attribute("http.response.status_code", response.status)
            if response.status >= 500:
                current.set_attribute("error.type", str(response.status))
        return response
