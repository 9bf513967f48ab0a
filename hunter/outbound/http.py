"""HTTP out: one request behind the guard, with limits on time, size and redirections."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import aiohttp
import msgspec
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from hunter import __version__
from hunter.config import Config
from hunter.core.errors import Misconfigured
from hunter.outbound.guard import Failure, Guard, OutboundError, Resolve

#: answered with another place to go to (RFC 9110 section 15.4)
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_CONNECTIONS: Final = 100
_MAX_URL: Final = 2048
#: wait for a body that only illustrates its status
_BRIEF_S: Final = 1.0


class Response(msgspec.Struct, frozen=True):
    """What a server said."""

    status: int
    #: names in lower case; of several with one name the first
    headers: dict[str, str]
    body: bytes
    #: where it was said, after redirections
    url: str
    #: how many redirections led there
    hops: int = 0

    @property
    def media_type(self) -> str:
        """The content type without its parameters, in lower case."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


class Limits(msgspec.Struct, frozen=True):
    """How much one request may take."""

    #: seconds from the look-up of the name to the last byte, redirections included
    timeout_s: float
    #: bytes of one body
    body_bytes: int
    #: redirections followed; 0 leaves them to the caller as they are
    redirects: int = 0
    #: the status is what matters: of the body only its beginning is read, if it comes soon
    is_brief: bool = False


class _Request(msgspec.Struct, frozen=True):
    """What stays the same over redirections."""

    method: str
    limits: Limits
    headers: Mapping[str, str]
    body: bytes | None


class _Resolver(AbstractResolver):
    """The guard's own look-up in the place of the system's."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses that may be dialled."""
        found = await self._guard.addresses(host)
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in found
            if family in {socket.AF_UNSPEC, socket.AF_INET6 if ":" in address else socket.AF_INET}
        ]

    async def close(self) -> None:
        """Nothing is kept."""


def tls_context(ca_file: str = "") -> ssl.SSLContext:
    """TLS that verifies, by the system's authorities or those of a PEM file.

    The name must stand in the certificate as an alternative name (RFC 9525 section 6.3).
    Raises Misconfigured when the file is no such thing.
    """
    try:
        context = ssl.create_default_context(cafile=ca_file or None)
    except (OSError, ssl.SSLError) as error:
        reason = error.strerror or str(error)
        raise Misconfigured(f"HUNTER_OUTBOUND_CA_FILE={ca_file}: {reason}") from None
    context.hostname_checks_common_name = False
    return context


def check_url(url: str, *, allow_plain: bool = False) -> URL:
    """A URL as it will be requested. Raises OutboundError when it is of a wrong kind."""
    schemes = {"https", "http"} if allow_plain else {"https"}
    try:
        parsed = URL(url) if len(url) <= _MAX_URL else URL()
        is_right = parsed.scheme in schemes and bool(parsed.host) and bool(parsed.port)
    except ValueError:
        is_right, parsed = False, URL()
    if not is_right or parsed.user is not None or parsed.password is not None:
        wanted = "http or https" if allow_plain else "https"
        raise OutboundError(Failure.FORBIDDEN, f"{url[:100]!r} is no {wanted} URL to ask")
    return parsed.with_fragment(None)


class Http:
    """Requests out. No cookies, no proxies of the environment, no connection used twice."""

    def __init__(
        self, guard: Guard, session: aiohttp.ClientSession, *, allow_plain: bool = False
    ) -> None:
        #: for protocols other than HTTP
        self.guard = guard
        self._session = session
        self._schemes = {"https", "http"} if allow_plain else {"https"}

    async def get(self, url: str, limits: Limits, *, accept: str = "*/*") -> Response:
        """Fetch a URL. Raises OutboundError, whatever goes wrong."""
        return await self.request("GET", url, limits, headers={"Accept": accept})

    async def request(
        self,
        method: str,
        url: str,
        limits: Limits,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Response:
        """One request and its answer, whatever the status. Raises OutboundError.

        With redirections allowed, each hop is checked like the first; a body is never sent on.
        """
        try:
            async with asyncio.timeout(limits.timeout_s):
                return await self._follow(_Request(method, limits, headers or {}, body), url)
        except TimeoutError:
            raise OutboundError(Failure.TIMEOUT, "no complete answer in time") from None

    async def _follow(self, request: _Request, url: str) -> Response:
        redirects = request.limits.redirects
        for hop in range(redirects + 1):
            found = await self._once(request, self._checked(url), hop)
            if not redirects or found.status not in _REDIRECTS:
                return found
            if request.body is not None:
                raise OutboundError(Failure.REDIRECT, "a request with a body is not sent on")
            url = _target(found)
        raise OutboundError(Failure.REDIRECT, f"more than {redirects} redirections")

    def _checked(self, url: str) -> URL:
        return check_url(url, allow_plain="http" in self._schemes)

    async def _once(self, request: _Request, url: URL, hop: int) -> Response:
        try:
            async with self._session.request(
                request.method,
                url,
                headers=request.headers,
                data=request.body,
                allow_redirects=False,
            ) as answer:
                limits = request.limits
                read = _read_some if limits.is_brief else _read
                content = await read(answer, limits.body_bytes)
                fields = {name.lower(): answer.headers[name] for name in answer.headers}
                return Response(answer.status, fields, content, str(url), hop)
        except aiohttp.ClientConnectorCertificateError as error:
            raise OutboundError(Failure.CERTIFICATE, _certificate_fault(error)) from None
        except aiohttp.ClientConnectorSSLError:
            raise OutboundError(Failure.PROTOCOL, "TLS failed") from None
        except aiohttp.ClientConnectorError as error:
            if isinstance(error.os_error, OutboundError):
                raise error.os_error from None
            reason = error.os_error.strerror or "not connected"
            raise OutboundError(Failure.UNREACHABLE, f"{url.host}: {reason}") from None
        except aiohttp.InvalidURL:
            raise OutboundError(Failure.FORBIDDEN, f"{str(url)[:100]!r} cannot be asked") from None
        except OutboundError:
            raise
        # RuntimeError: how uvloop tells some failures to connect
        except (aiohttp.ClientError, ValueError, OSError, RuntimeError) as error:
            raise OutboundError(Failure.PROTOCOL, type(error).__name__) from None


async def _read(answer: aiohttp.ClientResponse, limit: int) -> bytes:
    """The body as it was sent. A compressed one, which nobody asked for, is not unpacked."""
    if answer.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
        raise OutboundError(Failure.PROTOCOL, "a compressed body, which was not asked for")
    content = bytearray()
    async for part in answer.content.iter_any():
        content += part
        if len(content) > limit:
            raise OutboundError(Failure.TOO_LARGE, f"more than {limit} bytes")
    return bytes(content)


async def _read_some(answer: aiohttp.ClientResponse, limit: int) -> bytes:
    """The beginning of the body, as far as it comes at once: never a reason to fail."""
    content = bytearray()
    with suppress(TimeoutError, aiohttp.ClientError, OSError):
        async with asyncio.timeout(_BRIEF_S):
            while len(content) < limit and (part := await answer.content.readany()):
                content += part
    answer.close()
    return bytes(content[:limit])


def _target(found: Response) -> str:
    """Where a redirection leads."""
    try:
        return str(URL(found.url).join(URL(found.headers.get("location", ""))))
    except ValueError:
        raise OutboundError(Failure.REDIRECT, "a redirection to nowhere") from None


def _certificate_fault(error: aiohttp.ClientConnectorCertificateError) -> str:
    inner: Any = error.certificate_error
    return f"certificate: {getattr(inner, 'verify_message', '') or 'not valid'}"


@asynccontextmanager
async def open_http(
    guard: Guard, *, ca_file: str = "", contact: str = "", allow_plain: bool = False
) -> AsyncIterator[Http]:
    """HTTP behind a guard, closed at the end of the block. Raises Misconfigured over the CA file."""
    connector = aiohttp.TCPConnector(
        resolver=_Resolver(guard),
        socket_factory=guard.open_socket,
        ssl=tls_context(ca_file),
        use_dns_cache=False,
        force_close=True,
        limit=_CONNECTIONS,
    )
    agent = f"Hunter/{__version__}" + (f" (+{contact})" if contact else "")
    async with aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        auto_decompress=False,
        timeout=aiohttp.ClientTimeout(total=None),
        headers={"User-Agent": agent, "Accept-Encoding": "identity"},
    ) as session:
        yield Http(guard, session, allow_plain=allow_plain)


@asynccontextmanager
async def open_outbound(config: Config, resolve: Resolve) -> AsyncIterator[Http]:
    """HTTP as the settings want it; plain http only where connections to loopback are allowed too."""
    guard = Guard(resolve, allow_loopback=config.outbound_loopback)
    async with open_http(
        guard,
        ca_file=config.outbound_ca_file,
        contact=config.outbound_contact,
        allow_plain=config.outbound_loopback,
    ) as http:
        yield http
