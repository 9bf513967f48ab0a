"""Packed bodies, unpacked piece by piece: one that ends too early is told from a whole one."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Iterator
from typing import Final, Protocol

from aiohttp import web

from hunter.web.problems import Malformed

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

#: unpacked bytes handed on at once, however well they were packed
PIECE_BYTES: Final = 256 * 1024
_NOT_PACKED: Final = (
    "The body is not compressed as its Content-Encoding says. Compress it so, or leave the header "
    "out."
)


class Unpacker(Protocol):
    """What makes the pieces of a body plain."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Plain pieces of some packed bytes. Raises Malformed."""

    def end(self) -> None:
        """The body is over. Raises Malformed when what was packed is not."""


class _Plain:
    def feed(self, data: bytes) -> Iterator[bytes]:
        yield data

    def end(self) -> None:
        """Nothing was packed."""


class _Zlib:
    """gzip, one member after the other, or deflate with and without its wrapper."""

    def __init__(self, *, is_gzip: bool) -> None:
        self._is_gzip = is_gzip
        self._member: zlib._Decompress | None = None

    def feed(self, data: bytes) -> Iterator[bytes]:
        try:
            while data:
                member = self._member or self._begin(data)
                if piece := member.decompress(data, PIECE_BYTES):
                    yield piece
                data = member.unconsumed_tail
                self._member = member
                if member.eof:
                    self._member, data = None, member.unused_data
        except zlib.error as error:
            raise Malformed(_NOT_PACKED) from error

    def _begin(self, data: bytes) -> zlib._Decompress:
        if self._is_gzip:
            return zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        # senders differ in whether deflate has its wrapper: RFC 9110 section 8.4.1.2
        has_wrapper = data[0] & 0xF == 8
        return zlib.decompressobj(wbits=zlib.MAX_WBITS if has_wrapper else -zlib.MAX_WBITS)

    def end(self) -> None:
        if self._member is not None:
            raise Malformed("The compressed body broke off before its end: send it again.")


class _Zstd:
    """Zstandard, one frame after the other."""

    def __init__(self) -> None:
        self._frame: zstd.ZstdDecompressor | None = None

    def feed(self, data: bytes) -> Iterator[bytes]:
        try:
            while data or (self._frame is not None and not self._frame.needs_input):
                frame = self._frame = self._frame or zstd.ZstdDecompressor()
                if piece := frame.decompress(data, PIECE_BYTES):
                    yield piece
                data = b""
                if frame.eof:
                    self._frame, data = None, frame.unused_data
        except zstd.ZstdError as error:
            raise Malformed(_NOT_PACKED) from error

    def end(self) -> None:
        if self._frame is not None:
            raise Malformed("The compressed body broke off before its end: send it again.")


def unpacker_of(request: web.Request) -> Unpacker:
    """By the Content-Encoding of a request; other codings were refused before."""
    match request.headers.get("Content-Encoding", "").strip().lower():
        case "gzip":
            return _Zlib(is_gzip=True)
        case "deflate":
            return _Zlib(is_gzip=False)
        case "zstd":
            return _Zstd()
        case _:
            return _Plain()
