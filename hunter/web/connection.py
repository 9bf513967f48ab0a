"""One connection: a problem for what is no request, an end to slow headers, and a no before parsing."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any, Final

import structlog
from aiohttp import http_exceptions, web

from hunter.web.admission import ADMISSION, Gate, Load, Overloaded
from hunter.web.policies import POLICIES
from hunter.web.problems import CATALOGUE, CONTENT_TYPE, encode_problem

log = structlog.get_logger()

#: from the first byte of a request to the end of its headers
HEADERS_S: Final = 15.0
#: all headers of a request; a single one may have 8 KiB
HEADERS_MAX_BYTES: Final = 32 * 1024
#: what is turned away unparsed is told once in so long
_TOLD_EVERY_S: Final = 1.0

_DETAILS: Final = {
    "malformed-request": "This is no HTTP request.",
    "headers-too-large": "The request line or a header is too long, or there are too many.",
    "request-timeout": f"The headers were not there after {HEADERS_S:g} s.",
    "internal-error": "Something went wrong in Hunter. The log has it under this request id.",
}


class Connection(web.RequestHandler):
    """aiohttp's protocol, with answers of ours where it has none, and limits it does not know.

    It leans on the protocol's own fields; tests/web/test_connection.py holds them still.
    """

    __slots__ = ("_begun", "_cutter", "_door", "_is_clean", "_pending_bytes")

    def __init__(self, *args: Any, door: Door, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._door = door
        self._cutter: asyncio.TimerHandle | None = None
        self._pending_bytes = 0
        #: the bytes before ended where a request does
        self._is_clean = True

    def data_received(self, data: bytes) -> None:
        """Feed the parser, unless the server is full and this is a read that can be told so."""
        if self._door.gate.is_full and self._is_idle() and self._door.turns_away(data):
            self._send(self._door.shed())
            self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
            return
        counted = self._request_count
        was_idle = self._is_idle(is_partial_too=True)
        super().data_received(data)
        self._is_clean = data.endswith(b"\r\n\r\n")
        if self._request_count != counted or not was_idle:
            self._headers_came()
        elif data:
            self._wait_for_headers(len(data))

    def _is_idle(self, *, is_partial_too: bool = False) -> bool:
        """True between two requests: nothing is parsed, answered or half read."""
        waiter = self._waiter
        return (
            not self._messages
            and (waiter is None or not waiter.done())
            and self._current_request is None
            and (waiter is not None or self._request_count == 0)
            and (is_partial_too or (self._is_clean and self._pending_bytes == 0))
        )

    def _wait_for_headers(self, size_bytes: int) -> None:
        self._pending_bytes += size_bytes
        if self._pending_bytes > HEADERS_MAX_BYTES:
            self._refuse("headers-too-large")
        elif self._cutter is None:
            self._cutter = self._loop.call_later(HEADERS_S, self._refuse, "request-timeout")

    def _headers_came(self) -> None:
        self._pending_bytes = 0
        if self._cutter is not None:
            self._cutter.cancel()
            self._cutter = None

    def _refuse(self, slug: str) -> None:
        """Answer what will never be a request, and hang up."""
        self._headers_came()
        if self.transport is not None and not self._force_close:
            log.info("request refused", reason=slug)
            self._send(_problem(slug))
            self.force_close()

    def _send(self, answer: bytes) -> None:
        if isinstance(self.transport, asyncio.WriteTransport):
            self.transport.write(answer)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Nothing is waited for any more."""
        self._headers_came()
        super().connection_lost(exc)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The problem for what the parser refused; its own words would quote the request."""
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has begun, another cannot be sent")
        slug = "malformed-request" if status < 500 else "internal-error"
        if isinstance(exc, http_exceptions.LineTooLong):
            slug = "headers-too-large"
        if slug == "internal-error":
            self.log_exception("request failed", exc_info=exc)
        else:
            log.info("request refused", reason=slug, error=type(exc).__name__)
        kind, request_id = CATALOGUE[slug], str(uuid.uuid4())
        response = web.Response(
            body=encode_problem(kind, _DETAILS[slug], request_id),
            status=kind.status,
            content_type=CONTENT_TYPE,
            headers={"X-Request-ID": request_id, "X-Content-Type-Options": "nosniff"},
        )
        response.force_close()
        return response


class Door:
    """Which requests a full server turns away before it has parsed them.

    An answer through all the layers costs a third of a read and more: at twice the load a server
    can bear, most of its time would go into saying no.
    """

    def __init__(self, app: web.Application) -> None:
        self.gate: Gate = app[ADMISSION].gates[Load.READ]
        self._spared = _spared_endings(app)
        self._told_at = 0.0
        error = Overloaded(Load.READ)
        whole = _whole_answer(
            "overloaded", str(error), _PLACEHOLDER, f"Retry-After: {error.retry_after_s}\r\n"
        )
        #: the answer around its id, which stands in a header and in the body
        self._parts = whole.split(_PLACEHOLDER.encode())

    def turns_away(self, data: bytes) -> bool:
        """True for one whole GET without a body of a route among the reads.

        Anything else goes the long way: what does not end here could hide another request.
        """
        if not data.startswith((b"GET /api/v1/", b"GET /leads")):
            return False
        if data.find(b"\r\n\r\n") != len(data) - 4:
            return False
        path = data[4 : data.find(b" ", 4)].partition(b"?")[0]
        if path.endswith(self._spared):
            return False
        head = data.lower()
        return b" http/1.1\r\n" in head and not any(each in head for each in _UNSURE)

    def shed(self) -> bytes:
        """The answer, with an id of its own."""
        self.gate.shed += 1
        now = asyncio.get_running_loop().time()
        if now - self._told_at > _TOLD_EVERY_S:
            self._told_at = now
            log.warning("reads turned away", shed=self.gate.shed, in_flight=self.gate.in_flight)
        return str(uuid.uuid4()).encode().join(self._parts)


#: a body, another protocol or another wish for the connection
_UNSURE: Final = (
    b"\ncontent-length",
    b"\ntransfer-encoding",
    b"\nupgrade",
    b"\nexpect",
    b"\nconnection: close",
)


def _spared_endings(app: web.Application) -> tuple[bytes, ...]:
    """How paths end that are no reads: those have places of their own."""
    ends = {
        policy.endpoint.rpartition("/")[2]
        for policy in app[POLICIES].values()
        if policy.load is not Load.READ and policy.endpoint.startswith("/api/v1/")
    }
    return tuple(f"/{end}".encode() for end in sorted(ends) if "{" not in end)


_PLACEHOLDER: Final = str(uuid.UUID(int=0))


def _problem(slug: str) -> bytes:
    return _whole_answer(slug, _DETAILS[slug], str(uuid.uuid4()), "Connection: close\r\n")


def _whole_answer(slug: str, detail: str, request_id: str, headers: str) -> bytes:
    """Status line, headers and body of a problem, for where there is no request to answer."""
    kind = CATALOGUE[slug]
    body = encode_problem(kind, detail, request_id)
    head = (
        f"HTTP/1.1 {kind.status} {kind.title}\r\nContent-Type: {CONTENT_TYPE}\r\n"
        f"Content-Length: {len(body)}\r\nX-Request-ID: {request_id}\r\n"
        f"X-Content-Type-Options: nosniff\r\n{headers}\r\n"
    )
    return head.encode() + body


class _Server(web.Server):
    """Makes connections of ours."""

    def __init__(self, made: web.Server, door: Door) -> None:
        super().__init__(
            made.request_handler,
            request_factory=made.request_factory,
            handler_cancellation=made.handler_cancellation,
            loop=made._loop,  # noqa: SLF001  # a copy of what the application made
            **made._kwargs,  # noqa: SLF001
        )
        self._door = door

    def __call__(self) -> Connection:
        return Connection(self, loop=self._loop, door=self._door, **self._kwargs)


class ApiRunner(web.AppRunner):
    """Runs the application over connections of ours."""

    async def _make_server(self) -> web.Server:
        return _Server(await super()._make_server(), Door(self.app))
