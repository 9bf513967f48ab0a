"""Request bodies, read as they come: limits, a deadline of our own, and names line by line."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable
from typing import Final, TypeVar

import msgspec
from aiohttp import web

from hunter.core.errors import LimitExceeded
from hunter.web.keys import CONFIG
from hunter.web.problems import Malformed, SlowBody, WrongMediaType
from hunter.web.unpacking import unpacker_of

T = TypeVar("T")

#: the framework cuts slow headers, never slow bodies
IDLE_S: Final = 15.0
TOTAL_S: Final = 300.0
#: names handed on at once; a slice is one commit of the acceptance
SLICE_LINES: Final = 5000
#: a JSON body is held in memory as a whole, so it gets less than a stream
JSON_MAX_BYTES: Final = 16 * 1024 * 1024
#: a longer line holds no name; what is beyond is dropped, the line is refused
LINE_MAX_BYTES: Final = 4096

#: what hunter.web.unpacking unpacks
_CODINGS: Final = frozenset({"", "identity", "gzip", "deflate", "zstd"})

_WAY_OUT: Final = "Send the names as NDJSON (application/x-ndjson) or as text lines (text/plain), or split the list."


def media_type(request: web.Request, *allowed: str) -> str:
    """The content type; raises WrongMediaType naming those this path reads.

    A missing content type is the first allowed one.
    """
    coding = ", ".join(request.headers.getall("Content-Encoding", [])).strip().lower()
    if coding not in _CODINGS:
        raise WrongMediaType(f"This path does not unpack {coding[:40]}. Send gzip, or no coding.")
    given = request.content_type if "Content-Type" in request.headers else allowed[0]
    if given not in allowed:
        raise WrongMediaType(f"This path does not read {given}. Send one of: {', '.join(allowed)}.")
    return given


async def body_chunks(
    request: web.Request, *, limit: int, way_out: str = _WAY_OUT
) -> AsyncIterator[bytes]:
    """The body in pieces. Raises LimitExceeded over `limit` bytes, SlowBody when it stalls."""
    if (request.content_length or 0) > limit:
        raise too_large(limit, way_out)
    size, patience, unpacker = 0, Patience(), unpacker_of(request)
    while packed := await patience.wait_for(request.content.readany()):
        for piece in unpacker.feed(packed):
            size += len(piece)
            if size > limit:
                raise too_large(limit, way_out)
            yield piece
    unpacker.end()


class Patience:
    """How long we wait for a body: for its next piece, and for all of it."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._deadline = self._loop.time() + TOTAL_S

    async def wait_for(self, piece: Awaitable[T]) -> T:
        """The next piece; raises SlowBody when it is late, Malformed when the body breaks off."""
        try:
            async with asyncio.timeout_at(min(self._deadline, self._loop.time() + IDLE_S)):
                return await piece
        except TimeoutError:
            raise SlowBody(
                f"Nothing came for {IDLE_S:g} s, or the body took longer than {TOTAL_S:g} s."
            ) from None
        except (ConnectionError, web.RequestPayloadError) as error:
            if "content-encoding" in str(error).lower():
                raise Malformed(
                    "The body is not compressed as its Content-Encoding says. Compress it so, or "
                    "leave the header out."
                ) from error
            raise Malformed("The body broke off before its end.") from error


def too_large(limit: int, way_out: str) -> LimitExceeded:
    """The refusal of a body of more than `limit` bytes."""
    return LimitExceeded(f"The body is larger than {_mib(limit)}. {way_out}".strip())


def _mib(size_bytes: int) -> str:
    mib = size_bytes / 1024**2
    return f"{mib:g} MiB" if mib >= 1 else f"{size_bytes} bytes"


class Digest:
    """SHA-256 of a request while its body streams through, for the Idempotency-Key."""

    def __init__(self, request: web.Request) -> None:
        self._query = sorted((name, value) for name, value in request.query.items() if value)
        self._hash = hashlib.sha256()

    def feed(self, piece: bytes) -> None:
        """Add the next piece of the body."""
        self._hash.update(piece)

    def value(self) -> bytes:
        """The digest of all pieces so far, and of the query when there is one."""
        if not self._query:
            return self._hash.digest()
        query = hashlib.sha256(msgspec.json.encode(self._query)).digest()
        return hashlib.sha256(query + self._hash.digest()).digest()


async def json_body(request: web.Request, digest: Digest) -> bytes:
    """A whole JSON body; raises Malformed when it is empty."""
    limit = min(JSON_MAX_BYTES, request.app[CONFIG].body_max_bytes)
    body = b"".join([piece async for piece in body_chunks(request, limit=limit)])
    if not body.strip():
        raise Malformed("The body is empty: send a JSON object.")
    digest.feed(body)
    return body


async def body_lines(request: web.Request, digest: Digest) -> AsyncIterator[list[tuple[int, str]]]:
    """Numbered, non-blank lines of the body, at most SLICE_LINES at once.

    Memory is bounded by one slice, whatever the body's size.
    """
    number, rest = 0, b""
    batch: list[tuple[int, str]] = []
    async for piece in body_chunks(
        request, limit=request.app[CONFIG].body_max_bytes, way_out="Split the list."
    ):
        digest.feed(piece)
        lines = (rest + piece).split(b"\n")
        rest = lines.pop()[: LINE_MAX_BYTES + 1]
        for line in lines:
            number += 1
            if text := decode_line(line):
                batch.append((number, text))
        while len(batch) >= SLICE_LINES:
            yield batch[:SLICE_LINES]
            del batch[:SLICE_LINES]
    if text := decode_line(rest):
        batch.append((number + 1, text))
    if batch:
        yield batch


def decode_line(line: bytes) -> str:
    """Text of one line: UTF-8, else Windows-1254, else Latin-1; without BOM and white space."""
    line = line[:LINE_MAX_BYTES]
    for encoding in ("utf-8", "windows-1254"):
        try:
            return line.decode(encoding).strip().lstrip("\ufeff").strip()
        except UnicodeDecodeError:
            continue
    return line.decode("latin-1").strip()
