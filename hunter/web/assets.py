"""The files of the pages, read once: what is not among them is not found, whatever the path says."""

from __future__ import annotations

import gzip
import hashlib
from functools import cache
from importlib.resources import files
from typing import Final

import msgspec
from aiohttp import web

from hunter.core.errors import NotFound

_TYPES: Final = {".js": "text/javascript", ".css": "text/css"}


class Asset(msgspec.Struct, frozen=True):
    """One file, compressed by gzip."""

    content_type: str
    packed: bytes
    #: entity tag without its quotes
    tag: str


@cache
def assets() -> dict[str, Asset]:
    """Every file that a page may ask for, by name."""
    found = {}
    for file in files("hunter.web").joinpath("static").iterdir():
        name = file.name.removesuffix(".gz")
        kind = _TYPES.get("." + name.rpartition(".")[2])
        if kind is not None:
            read = file.read_bytes()
            # the large ones lie there compressed: doing it here would hold up the first who asks
            packed = read if name != file.name else gzip.compress(read, mtime=0)
            tag = hashlib.blake2b(packed, digest_size=12).hexdigest()
            found[name] = Asset(kind, packed, tag)
    return found


async def serve(request: web.Request) -> web.Response:
    """GET /static/{name}"""
    asset = assets().get(request.match_info["name"])
    if asset is None:
        raise NotFound("There is no such file.")
    headers = {"Cache-Control": "no-cache", "Vary": "Accept-Encoding", "ETag": f'W/"{asset.tag}"'}
    if any(each.value in {asset.tag, "*"} for each in request.if_none_match or ()):
        return web.Response(status=304, headers=headers)
    if "gzip" not in request.headers.get("Accept-Encoding", ""):
        body = gzip.decompress(asset.packed)
    else:
        headers["Content-Encoding"] = "gzip"
        body = asset.packed
    return web.Response(
        body=body, content_type=asset.content_type, charset="utf-8", headers=headers
    )
