"""Errors reported to Sentry where a DSN is set, as silent about people as the log"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

from hunter import __version__
from hunter.config import Config
from hunter.ops.log import Report, scrub

#: fields of a log line that find the other lines of the same work
_TAGS: Final = ("request_id", "job", "chunk", "delivery", "lane", "domain")
#: an event nests deeper than a log line: exception, values, stacktrace, frames, context lines
_DEEPEST: Final = 16
_SHUTDOWN_S: Final = 2.0


def open_reports(config: Config) -> Report | None:
    """Start the reporter, with what it hooks into aiohttp, arq, asyncpg and asyncio; None without a DSN.

    An event carries the exception and its stack, the route's template and the ids of the work.
    It has no local variable, header, query, body, path or user, and what is left is scrubbed as a
    log line is. What the reporter cannot deliver is dropped; nothing waits for it.
    """
    if not config.sentry_dsn:
        return None
    # imported here: it costs a tenth of a second, and patches what it watches
    import sentry_sdk  # noqa: PLC0415
    from sentry_sdk.integrations.aiohttp import AioHttpIntegration  # noqa: PLC0415
    from sentry_sdk.integrations.arq import ArqIntegration  # noqa: PLC0415
    from sentry_sdk.integrations.asyncio import AsyncioIntegration  # noqa: PLC0415
    from sentry_sdk.integrations.asyncpg import AsyncPGIntegration  # noqa: PLC0415
    from sentry_sdk.integrations.logging import LoggingIntegration  # noqa: PLC0415

    sentry_sdk.init(
        dsn=str(config.sentry_dsn),
        release=f"hunter@{__version__}",
        environment=config.environment,
        integrations=[
            AioHttpIntegration(transaction_style="method_and_path_pattern"),
            ArqIntegration(),
            AsyncioIntegration(),
            AsyncPGIntegration(),
            # lines of the log reach Sentry by the processor that calls the report, once
            LoggingIntegration(level=None, event_level=None),
        ],
        auto_enabling_integrations=False,
        send_default_pii=False,
        include_local_variables=False,
        max_request_body_size="never",
        max_breadcrumbs=0,
        shutdown_timeout=_SHUTDOWN_S,
        before_send=_without_people,  # type: ignore[arg-type]  # its Event is a TypedDict
    )

    def report(error: BaseException | None, event: str, fields: Mapping[str, object]) -> None:
        with sentry_sdk.new_scope() as scope:
            for name in _TAGS:
                if name in fields:
                    scope.set_tag(name, str(fields[name]))
            scope.set_extra("event", event)
            if error is None:
                scope.capture_message(event, level="error")
            else:
                scope.capture_exception(error)

    return report


def _without_people(event: dict[str, Any], _hint: object) -> dict[str, Any]:
    """The event as it may leave: a request is its method only, the template stands in `transaction`."""
    event.pop("user", None)
    request = event.pop("request", None)
    clean = cast("dict[str, Any]", scrub(event, deepest=_DEEPEST))
    if request:
        clean["request"] = {"method": str(request.get("method", ""))}
    return clean
