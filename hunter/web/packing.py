"""Answers packed as the caller takes them: zstd, else gzip, else as they are."""

from __future__ import annotations

import sys
from typing import Final, Protocol

from aiohttp import web
from aiohttp.typedefs import Handler

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

#: bytes from which an answer is worth packing
_PACK_FROM: Final = 1400
#: a third of what gzip costs, for answers as short
_LEVEL: Final = 3
#: best first; of two that the caller likes equally the first is taken
_CODINGS: Final = ("zstd", "gzip")
_IS_PACKABLE: Final = web.ResponseKey("is_packable", bool)


class Packer(Protocol):
    """What packs the pieces of an answer."""

    def pack(self, data: bytes) -> bytes:
        """Packed bytes; perhaps none yet."""

    def end(self) -> bytes:
        """The last packed bytes."""


class _Plain:
    def pack(self, data: bytes) -> bytes:
        return data

    def end(self) -> bytes:
        return b""


class _Zstd:
    def __init__(self) -> None:
        self._compressor = zstd.ZstdCompressor(level=_LEVEL)

    def pack(self, data: bytes) -> bytes:
        return self._compressor.compress(data)

    def end(self) -> bytes:
        return self._compressor.flush()


def coding_for(header: str) -> str | None:
    """The coding that an Accept-Encoding header likes best (RFC 9110 section 12.5.3), None for none."""
    liked: dict[str, float] = {}
    for part in header[:2000].split(","):
        name, *parameters = (each.strip().lower() for each in part.split(";"))
        liked[{"x-gzip": "gzip"}.get(name, name)] = _quality(parameters)
    # whoever takes anything is older than zstd
    liked.setdefault("gzip", liked.get("*", 0.0))
    best = max(_CODINGS, key=lambda coding: liked.get(coding, 0.0))
    quality = liked.get(best, 0.0)
    return best if quality > 0 and quality >= liked.get("identity", 0.0) else None


def _quality(parameters: list[str]) -> float:
    for each in parameters:
        if each.startswith("q="):
            try:
                return float(each[2:])
            except ValueError:
                return 0.0
    return 1.0


def allow_packing(response: web.Response) -> None:
    """Let an answer go out packed when it is long enough and the caller wants it."""
    if isinstance(response.body, bytes) and len(response.body) >= _PACK_FROM:
        response[_IS_PACKABLE] = True
        _vary(response)


@web.middleware
async def pack(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Pack the answers that may be."""
    response = await handler(request)
    if not isinstance(response, web.Response) or not response.get(_IS_PACKABLE):
        return response
    match coding_for(request.headers.get("Accept-Encoding", "")):
        case "zstd" if isinstance(response.body, bytes):
            response.body = zstd.compress(response.body, level=_LEVEL)
            response.headers["Content-Encoding"] = "zstd"
        case "gzip":
            response.enable_compression(web.ContentCoding.gzip)
        case _:
            pass
    return response


def packed_stream(request: web.Request, response: web.StreamResponse) -> Packer:
    """What packs an answer that is sent in pieces, told in its headers; before it is prepared."""
    _vary(response)
    match coding_for(request.headers.get("Accept-Encoding", "")):
        case "zstd":
            response.headers["Content-Encoding"] = "zstd"
            return _Zstd()
        case "gzip":  # the framework's own packs what is written
            response.enable_compression(web.ContentCoding.gzip)
        case _:
            pass
    return _Plain()


def unpacked_stream() -> Packer:
    """For an answer that is packed already, or whose rows must not be kept back."""
    return _Plain()


def _vary(response: web.StreamResponse) -> None:
    varies = response.headers.get("Vary")
    response.headers["Vary"] = f"{varies}, Accept-Encoding" if varies else "Accept-Encoding"
