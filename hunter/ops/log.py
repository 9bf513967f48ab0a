"""structlog: JSON in the cluster, colours on a terminal; no personal data in either."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Callable, Mapping
from typing import Final, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from hunter.config import Config

HIDDEN: Final = "***"

#: keys whose value is never written, whatever it is; compared in lower case, "-" as "_"
PRIVATE_KEYS: Final = frozenset(
    {
        "email", "e_mail", "mail", "emails", "contact", "contacts", "contact_emails", "phone",
        "company", "company_name", "display_name", "first_name", "last_name", "full_name",
        "api_key", "x_api_key", "admin_key", "authorization", "cookie", "set_cookie", "token",
        "secret", "password", "pepper", "credentials", "database_url", "redis_url", "dsn",
        "query", "query_string", "body", "payload", "headers",
    }
)  # fmt: skip

_PATTERNS: Final[tuple[tuple[re.Pattern[str], str], ...]] = (
    # URL userinfo first: "user:pass@host" would otherwise read as an e-mail address
    (re.compile(r"(?<=://)[^/\s@]*@"), f"{HIDDEN}@"),
    (re.compile(r"[^\s@<>\"'(),;:\[\]=]+@[^\s@<>\"'(),;:\[\]=]+\.[^\s@<>\"'(),;:\[\]=]+"), "[email]"),
    (re.compile(r"\bhk_[a-z2-7]{16}_[0-9a-f]+"), f"hk_{HIDDEN}"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]+"), rf"\1 {HIDDEN}"),
    (re.compile(r"(?i)\b(x-api-key|api_key|password|token|secret)(['\"]?\s*[=:]\s*['\"]?)[^\s'\"&,;}]+"), rf"\1\2{HIDDEN}"),
    (re.compile(r"(?<=[\w/])\?[\w%.\[\]-]+=[^\s\"']*"), f"?{HIDDEN}"),
    # PostgreSQL quotes whole rows here, company names and contacts among them
    (re.compile(r"(?m)^(DETAIL|CONTEXT|QUERY|WHERE):.*$(?:\n(?!\s|$|HINT:|[\w.]+(?:Error|Exception|Exit|Group)\b|During |The above |Traceback ).*$)*"), rf"\1: {HIDDEN}"),
)  # fmt: skip

#: what at least one pattern needs; most texts have none of it, and one look is cheaper than five
_SUSPECT: Final = re.compile(
    r"[@?]|://|hk_|(?i:bearer|basic|api-key|api_key|password|token|secret)|DETAIL:|CONTEXT:|QUERY:|WHERE:",
    re.ASCII,
)
_DEEPEST = 6


def scrub_text(text: str) -> str:
    """The text with e-mail addresses, credentials and query strings taken out."""
    if _SUSPECT.search(text) is None:
        return text
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def scrub(value: object, depth: int = 0, *, deepest: int = _DEEPEST) -> object:
    """The value with everything private replaced, by key and by pattern; cut below `deepest`."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return scrub_text(value)
    if depth >= deepest:
        return "…"
    if isinstance(value, Mapping):
        return {str(k): _scrub_item(str(k), each, depth, deepest) for k, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [scrub(each, depth + 1, deepest=deepest) for each in value]
    return scrub_text(repr(value))


def _scrub_item(key: str, value: object, depth: int, deepest: int = _DEEPEST) -> object:
    if key.lower().replace("-", "_") in PRIVATE_KEYS:
        return HIDDEN
    return scrub(value, depth + 1, deepest=deepest)


def hide_private(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    """Processor: nothing personal and no credential leaves through a log line.

    Runs after the traceback has become text, so that values inside it are covered too.
    """
    return {
        key: value if key.startswith("_") else _scrub_item(key, value, 0)
        for key, value in event.items()
    }


def _upper_level(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    """The guide's log filters compare with "ERROR"."""
    event["level"] = str(event.get("level", "info")).upper()
    return event


#: is told of an error: the exception or None, the event, and the line's other fields
Report = Callable[[BaseException | None, str, Mapping[str, object]], None]


def _telling(report: Report) -> Processor:
    """Processor: lines of errors go to the report as well, before a traceback becomes text."""

    def tell(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
        if event.get("level") in {"error", "critical"}:
            report(_exception_in(event.get("exc_info")), str(event.get("event", "")), event)
        return event

    return tell


def _exception_in(exc_info: object) -> BaseException | None:
    """`exc_info` as the logging methods take it: True, an exception, or the triple of sys.exc_info."""
    if isinstance(exc_info, BaseException):
        return exc_info
    if isinstance(exc_info, tuple):
        exc_info = exc_info[1]
        return exc_info if isinstance(exc_info, BaseException) else None
    return sys.exc_info()[1] if exc_info else None


def configure_logging(
    config: Config, stream: TextIO | None = None, *, report: Report | None = None
) -> None:
    """Send every log line, structlog's and the standard library's, to `stream` (stdout).

    Production writes one JSON object a line, development a readable line. `report` is told of
    every line of an error.
    """
    stream = stream or sys.stdout
    processors = [*_FIRST, *([_telling(report)] if report else []), *_LAST]
    level = getattr(logging, config.log_level.upper())
    # no spaces: the runbook and the filters of log shippers look for "level":"ERROR"
    render: Processor = structlog.processors.JSONRenderer(ensure_ascii=False, separators=(",", ":"))
    if config.environment != "production":
        render = structlog.dev.ConsoleRenderer(colors=stream.isatty())
    structlog.configure(
        processors=[*processors, render],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(stream),
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=processors,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
        )
    )
    logging.basicConfig(handlers=[handler], level=max(level, logging.INFO), force=True)
    # one line per request is written by our own middleware; asyncio reports slow callbacks
    logging.getLogger("aiohttp.access").disabled = True


_FIRST: Final[list[Processor]] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.PositionalArgumentsFormatter(),
]
_LAST: Final[list[Processor]] = [
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.format_exc_info,
    _upper_level,
    hide_private,
]
