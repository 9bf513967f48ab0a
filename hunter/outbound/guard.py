"""The guard every connection out passes: it looks at the address that is dialled, not at the name."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable, Sequence
from enum import StrEnum
from ipaddress import ip_address
from typing import Any, Final, TypeAlias

from hunter.outbound.addresses import is_loopback, refusal, refusal_for_operator

#: A host name to its addresses, as Hunter's own resolver knows them. Raises NoHost when DNS proves
#: that there are none, OSError when it does not say.
Resolve: TypeAlias = Callable[[str], Awaitable[Sequence[str]]]

#: RFC 1123 section 2.1, and underscores, which some hosts have; never a number at the end, which
#: some libraries would read as an address
_HOST: Final = re.compile(
    r"(?=.{1,253}\Z)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*"
    r"(?!0x[0-9a-f]*\Z)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?",
    re.ASCII,
)
_MAX_ADDRESSES: Final = 8


class Failure(StrEnum):
    """Why nothing came back. Only NO_HOST, FORBIDDEN and what the server did are facts about it."""

    #: DNS proves that the name has no address
    NO_HOST = "no_host"
    #: DNS did not say
    UNRESOLVED = "unresolved"
    #: the guard refuses: every address of the host is on its table, or the URL is of a wrong kind
    FORBIDDEN = "forbidden"
    #: nobody took the connection
    UNREACHABLE = "unreachable"
    #: the certificate is not valid for the name (RFC 9525)
    CERTIFICATE = "certificate"
    #: too slow
    TIMEOUT = "timeout"
    #: larger than asked for
    TOO_LARGE = "too_large"
    #: a redirection where none is followed, or one too many
    REDIRECT = "redirect"
    #: not the protocol that was expected
    PROTOCOL = "protocol"


class OutboundError(OSError):
    """Nothing came back; `failure` says what kind of nothing, the text says it to people."""

    def __init__(self, failure: Failure, detail: str) -> None:
        super().__init__(detail)
        self.failure = failure


class NoHost(OutboundError):
    """DNS proves that the name has no address"""

    def __init__(self, host: str) -> None:
        super().__init__(Failure.NO_HOST, f"{host} has no address")


class Guard:
    """Resolves names and opens sockets, to addresses outside the table of `addresses` only.

    The check is made on the address handed to connect(2), so neither a name that changes its mind
    between two look-ups nor a literal in an odd form gets past it. Proxies of the environment are
    not known here. `allow_loopback` is for development and tests; production refuses the setting.
    """

    def __init__(self, resolve: Resolve, *, allow_loopback: bool = False) -> None:
        self._resolve = resolve
        self._allow_loopback = allow_loopback

    def check(self, address: str) -> None:
        """Raises OutboundError (FORBIDDEN) unless this address may be dialled."""
        why = refusal(address)
        if why and not (self._allow_loopback and is_loopback(address)):
            raise OutboundError(Failure.FORBIDDEN, f"{address[:45]} is {why}")

    async def addresses(self, host: str) -> list[str]:
        """The addresses of a host that may be dialled, at least one.

        Raises OutboundError: FORBIDDEN when there are others only or the name is no host name,
        NO_HOST and UNRESOLVED as DNS has it.
        """
        name = host.lower().removesuffix(".")
        found = [name] if is_literal(name) else await self._lookup(name)
        allowed, refused = [], []
        for address in found[:_MAX_ADDRESSES]:
            try:
                self.check(address)
            except OutboundError as error:
                refused.append(error)
            else:
                allowed.append(address)
        if not allowed:
            raise refused[0]
        return allowed

    async def _lookup(self, name: str) -> Sequence[str]:
        if not _HOST.fullmatch(name) or name.rpartition(".")[2].isdigit():
            raise OutboundError(Failure.FORBIDDEN, f"{name[:80]!r} is not a host name")
        try:
            found = await self._resolve(name)
        except OutboundError:
            raise
        except OSError as error:
            raise OutboundError(Failure.UNRESOLVED, f"{name}: {error}") from None
        if not found:
            raise NoHost(name)
        return found

    def open_socket(self, info: tuple[Any, ...]) -> socket.socket:
        """A socket for one address as getaddrinfo(3) gives it, checked: the last gate."""
        family, kind, protocol, _, address = info
        if family not in {socket.AF_INET, socket.AF_INET6}:
            raise OutboundError(Failure.FORBIDDEN, "not an Internet address")
        self.check(str(address[0]))
        return socket.socket(family, kind, protocol)

    async def connect(
        self, host: str, port: int, *, timeout_s: float
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A TCP connection to the first address that takes it, without TLS. Raises OutboundError."""
        try:
            async with asyncio.timeout(timeout_s):
                return await self._dial(host, port)
        except TimeoutError:
            raise OutboundError(Failure.TIMEOUT, f"{host} did not answer in time") from None

    async def connect_operator(self, host: str, port: int, *, timeout_s: float) -> socket.socket:
        """A connected socket to a server that the operator's settings name. Raises OutboundError.

        A mail relay is often inside: its name is looked up by the system, as those of PostgreSQL
        and Redis are, and private addresses are let through. Those at which no server of an
        operator is, such as a cloud's metadata service, are not.
        """
        try:
            async with asyncio.timeout(timeout_s):
                return await self._dial_operator(host, port)
        except TimeoutError:
            raise OutboundError(Failure.TIMEOUT, f"{host} did not answer in time") from None

    async def _dial_operator(self, host: str, port: int) -> socket.socket:
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise OutboundError(Failure.UNRESOLVED, f"{host}: {error.strerror}") from None
        last = OutboundError(Failure.NO_HOST, f"{host} has no address")
        for family, kind, protocol, _, address in found[:_MAX_ADDRESSES]:
            if why := refusal_for_operator(str(address[0])):
                last = OutboundError(Failure.FORBIDDEN, f"{address[0]} is {why}")
                continue
            sock = socket.socket(family, kind, protocol)
            try:
                sock.setblocking(False)
                await loop.sock_connect(sock, address)
            except (OSError, RuntimeError) as error:  # uvloop tells some failures as the latter
                sock.close()
                reason = getattr(error, "strerror", None) or "not connected"
                last = OutboundError(Failure.UNREACHABLE, f"{host}: {reason}")
            except BaseException:
                sock.close()
                raise
            else:
                return sock
        raise last

    async def exchange(
        self, host: str, port: int, request: bytes, *, limit: int, timeout_s: float
    ) -> bytes:
        """Send a request and read until the server hangs up, `limit` bytes at most.

        Raises OutboundError, TOO_LARGE when there was more.
        """
        try:
            async with asyncio.timeout(timeout_s):
                reader, writer = await self._dial(host, port)
                try:
                    writer.write(request)
                    return await _read_all(reader, limit)
                finally:
                    writer.close()
        except TimeoutError:
            raise OutboundError(Failure.TIMEOUT, f"{host} did not answer in time") from None
        except OutboundError:
            raise
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise OutboundError(Failure.PROTOCOL, f"{host}: {reason}") from None

    async def _dial(
        self, host: str, port: int
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        last = ""
        for address in await self.addresses(host):
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            where = (address, port)
            sock = self.open_socket((family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", where))
            try:
                sock.setblocking(False)
                await asyncio.get_running_loop().sock_connect(sock, where)
                return await asyncio.open_connection(sock=sock)
            except (OSError, RuntimeError) as error:  # uvloop tells some failures as the latter
                sock.close()
                last = getattr(error, "strerror", None) or "not connected"
            except BaseException:
                sock.close()
                raise
        raise OutboundError(Failure.UNREACHABLE, f"{host}: {last}")


async def _read_all(reader: asyncio.StreamReader, limit: int) -> bytes:
    content = bytearray()
    while part := await reader.read(limit + 1):
        content += part
        if len(content) > limit:
            raise OutboundError(Failure.TOO_LARGE, f"more than {limit} bytes")
    return bytes(content)


def is_literal(name: str) -> bool:
    """True for an address in the place of a host name."""
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
