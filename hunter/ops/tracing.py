"""Traces by OpenTelemetry where HUNTER_OTLP_URL is set: a span for each request and each chunk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Final

import structlog

from hunter import __version__
from hunter.config import Config
from hunter.core.errors import Misconfigured

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

_SHUTDOWN_MS: Final = 2000
#: the tracer of this process; one service runs in a process
_started: list[Tracer] = []


@contextmanager
def tracing(config: Config, service: str) -> Iterator[None]:
    """Send spans to HUNTER_OTLP_URL while inside; without that setting nothing happens.

    Spans are sent in batches by a thread of the library; what cannot be delivered is dropped.
    Raises Misconfigured when the extra `otel` is not installed.
    """
    if not config.otlp_url:
        yield
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415  # optional
            OTLPSpanExporter,
        )
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415  # optional
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415  # optional
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415  # optional
    except ImportError:
        raise Misconfigured(
            "HUNTER_OTLP_URL: OpenTelemetry is not installed; install hunter[otel] or unset it"
        ) from None
    about = Resource.create(
        {
            "service.name": f"hunter-{service}",
            "service.version": __version__,
            "deployment.environment.name": config.environment,
        }
    )
    provider = TracerProvider(resource=about, shutdown_on_exit=False)
    exporter = OTLPSpanExporter(endpoint=config.otlp_url.rstrip("/") + "/v1/traces", timeout=5)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    _started.append(provider.get_tracer("hunter", __version__))
    try:
        yield
    finally:
        _started.clear()
        provider.force_flush(_SHUTDOWN_MS)
        provider.shutdown()


def span(
    name: str,
    attributes: Mapping[str, Any] | None = None,
    *,
    carrier: Mapping[str, str] | None = None,
) -> AbstractContextManager[Any]:
    """A span around a block; gives the span, or None where nothing is traced.

    `carrier` are the headers of a request whose caller may have begun the trace (W3C Trace
    Context). An exception that leaves the block marks the span, without its text, which may quote
    somebody's data.
    """
    if not _started:
        return nullcontext()
    return _traced(_started[0], name, attributes or {}, carrier)


@contextmanager
def _traced(
    tracer: Tracer, name: str, attributes: Mapping[str, Any], carrier: Mapping[str, str] | None
) -> Iterator[Any]:
    from opentelemetry import propagate  # noqa: PLC0415  # optional
    from opentelemetry.trace import SpanKind, Status, StatusCode  # noqa: PLC0415  # optional

    with tracer.start_as_current_span(
        name,
        context=propagate.extract(carrier) if carrier is not None else None,
        kind=SpanKind.INTERNAL if carrier is None else SpanKind.SERVER,
        attributes=dict(attributes),
        record_exception=False,
        set_status_on_exception=False,
    ) as current:
        trace_id = f"{current.get_span_context().trace_id:032x}"
        try:
            with structlog.contextvars.bound_contextvars(trace_id=trace_id):
                yield current
        except BaseException as error:
            current.set_attribute("error.type", type(error).__qualname__)
            current.set_status(Status(StatusCode.ERROR))
            raise
