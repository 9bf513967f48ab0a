"""Check a running API as its callers meet it: health, ingest, scan, lead, metrics, versioned and earlier paths.

Exit code 0: all as it should be; 1: something is not, and the line says what.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final
from urllib.parse import quote

import aiohttp

from hunter.cli.main import Exit
from hunter.cli.terminal import harmless
from hunter.config import Config
from hunter.core.domain import parse_domain

#: longest wait for one answer; a scan waits for its result in it
_LIMIT_S: Final = 45.0
_WAIT_S: Final = 30
_API: Final = "/api/v1"
_REQUEST_ID: Final = "smoke-test"


class _Failed(Exception):
    """Something is not as it should be."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where the API is, and whether it may be written to."""
    parser.add_argument(
        "--url", help="the API (default: HUNTER_HOST and HUNTER_PORT on this machine)"
    )
    parser.add_argument(
        "--domain",
        default="contoso.com",
        help="the company that is taken in and scanned (default: contoso.com)",
    )
    parser.add_argument(
        "--read-only", action="store_true", help="write nothing: no ingest and no scan"
    )


def run(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Ask everything once, a line for each; HUNTER_ADMIN_KEY is the key."""
    config = Config.from_env(environ)
    url = (arguments.url or f"http://{config.host}:{config.port}").rstrip("/")
    domain = parse_domain(arguments.domain, registrable=False, allow_test_names=True).name
    looks = asyncio.run(_all(url, str(config.admin_key), domain, read_only=arguments.read_only))
    return Exit.OK if looks else Exit.FAILED


async def _all(url: str, key: str, domain: str, *, read_only: bool) -> bool:
    headers = {"X-Request-ID": _REQUEST_ID} | ({"Authorization": f"Bearer {key}"} if key else {})
    timeout = aiohttp.ClientTimeout(total=_LIMIT_S)
    async with aiohttp.ClientSession(headers=headers, timeout=timeout) as http:
        caller = _Caller(http, url)
        outcomes = [await _tell(name, look(caller)) for name, look in _READS]
        if not read_only:
            outcomes += [await _tell(name, look(caller, domain)) for name, look in _WRITES]
    return all(outcomes)


async def _tell(name: str, look: Awaitable[str]) -> bool:
    """One line: how it went, in how many milliseconds, and what is wrong."""
    started = time.monotonic()
    try:
        told, good = await look, True
    except _Failed as failed:
        told, good = str(failed), False
    except (aiohttp.ClientError, TimeoutError) as error:
        told, good = f"no answer: {type(error).__name__}", False
    took_ms = (time.monotonic() - started) * 1000
    sys.stdout.write(
        f"{'ok' if good else 'FAIL':<4}  {name:<24}  {took_ms:6.0f} ms  {harmless(told)}\n"
    )
    sys.stdout.flush()
    return good


class _Caller:
    """Asks, and holds answers to what every answer must be."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self._http = http
        self._url = url

    async def ask(
        self, method: str, path: str, *wanted: int, **how: Any
    ) -> tuple[aiohttp.ClientResponse, Any]:
        """The answer and its JSON, or its text; raises _Failed for another status than is wanted."""
        async with self._http.request(method, self._url + path, **how) as answer:
            body: Any = await answer.text()
            if "json" in answer.content_type:
                body = await answer.json(content_type=None)
        if answer.status not in (wanted or (200,)):
            detail = body.get("detail", "") if isinstance(body, dict) else ""
            raise _Failed(f"{method} {path} answered {answer.status}: {detail}"[:300])
        return answer, body


def _hold(fact: object, told: str) -> None:
    if not fact:
        raise _Failed(told)


async def _live(caller: _Caller) -> str:
    _, body = await caller.ask("GET", "/healthz/live")
    _hold(body == {"status": "alive"}, f"/healthz/live says {body}")
    return "alive"


async def _ready(caller: _Caller) -> str:
    _, body = await caller.ask("GET", "/healthz/ready")
    _hold(body.get("status") == "ready", f"/healthz/ready says {body.get('status')}")
    return f"{body['environment']}: {', '.join(body['checks'])}"


async def _startup(caller: _Caller) -> str:
    await caller.ask("GET", "/healthz/startup")
    return "started"


async def _legacy_health(caller: _Caller) -> str:
    _, body = await caller.ask("GET", "/healthz")
    words = {name: body.get(name) for name in ("database", "redis")}
    _hold(set(words.values()) == {"connected"}, f"/healthz says {words}")
    return "database and redis connected"


async def _metrics(caller: _Caller) -> str:
    _, text = await caller.ask("GET", "/metrics")
    names = ("http_requests_total", "db_connection_pool_size", "redis_connection_pool_size")
    missing = [name for name in names if f"\n# TYPE {name} " not in f"\n{text}"]
    _hold(not missing, f"/metrics lacks {', '.join(missing)}")
    return f"{sum(not line.startswith('#') for line in text.splitlines())} series"


async def _document(caller: _Caller) -> str:
    _, body = await caller.ask("GET", "/openapi.json")
    _hold(str(body.get("openapi", "")).startswith("3.1"), "/openapi.json is no OpenAPI 3.1")
    return f"{len(body['paths'])} paths"


async def _versioned(caller: _Caller) -> str:
    answer, body = await caller.ask("GET", f"{_API}/leads?limit=1")
    _hold("items" in body and "next_cursor" in body, f"{_API}/leads is no page")
    _hold(answer.headers.get("X-Request-ID") == _REQUEST_ID, "X-Request-ID did not come back")
    return f"{_API}/leads"


async def _earlier(caller: _Caller) -> str:
    answer, _ = await caller.ask("GET", "/leads?limit=1")
    for name in ("Deprecation", "Sunset", "Link"):
        _hold(name in answer.headers, f"/leads has no {name} header")
    return "/leads, with Deprecation, Sunset and Link"


async def _problem(caller: _Caller) -> str:
    answer, body = await caller.ask("GET", f"{_API}/no-such-path", 404)
    _hold(answer.content_type == "application/problem+json", "a 404 is no problem document")
    return str(body["title"])


async def _ingest(caller: _Caller, domain: str) -> str:
    await caller.ask("POST", f"{_API}/ingest/domain", 202, json={"domain": domain})
    return f"{domain} taken in"


async def _scan(caller: _Caller, domain: str) -> str:
    answer, body = await caller.ask(
        "POST",
        f"{_API}/scan/domain",
        200,
        202,
        json={"domain": domain},
        headers={"Prefer": f"wait={_WAIT_S}"},
    )
    _hold(answer.status == 200, f"no worker gave a result within {_WAIT_S} s")
    _hold(body["domain"] == domain, "the result is of another domain")
    return f"{body['scan_status']}, {body['segment']}, score {body['score']}"


async def _lead(caller: _Caller, domain: str) -> str:
    path = f"{_API}/leads/{quote(domain, safe='')}"
    _, lead = await caller.ask("GET", path)
    _, lines = await caller.ask("GET", f"{path}/score-breakdown")
    total = sum(line["points"] for line in lines["lines"])
    _hold(
        total == (lead["score"] or 0), f"the lines add up to {total}, the score is {lead['score']}"
    )
    return f"score {lead['score']} is the sum of its lines"


_READS: Final[tuple[tuple[str, Callable[[_Caller], Awaitable[str]]], ...]] = (
    ("liveness", _live),
    ("readiness", _ready),
    ("startup", _startup),
    ("earlier health", _legacy_health),
    ("metrics", _metrics),
    ("OpenAPI document", _document),
    ("versioned path", _versioned),
    ("earlier path", _earlier),
    ("problem document", _problem),
)
_WRITES: Final[tuple[tuple[str, Callable[[_Caller, str], Awaitable[str]]], ...]] = (
    ("ingest", _ingest),
    ("scan", _scan),
    ("lead", _lead),
)
