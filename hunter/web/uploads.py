"""Uploaded files: spooled to disk while they come, within limits, under no name."""

from __future__ import annotations

from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO, Final

from aiohttp import BodyPartReader, web
from aiohttp.http_exceptions import BadHttpMessage

from hunter.core.errors import InvalidInput, LimitExceeded, Unavailable
from hunter.web.bodies import Digest, Patience, body_chunks, media_type, too_large
from hunter.web.keys import CONFIG
from hunter.web.problems import Malformed, WrongMediaType

#: a file larger than this waits on disk, not in memory
SPOOL_BYTES: Final = 1024 * 1024
#: a packed body of more than this may not be so many times the size it was sent in
BOMB_FROM_BYTES: Final = 16 * 1024 * 1024
BOMB_RATIO: Final = 200
_SPLIT: Final = "Split the file."
_NO_ROOM: Final = "There is no room for the file now."


async def spool_upload(
    request: web.Request, digest: Digest, *allowed: str
) -> tuple[IO[bytes], str]:
    """An uploaded file at its start and its name: multipart, or the raw body.

    The digest is of the file alone: a form sent again has another boundary.
    The caller closes the file. Large ones lie on disk; Unavailable when there is no room.
    """
    kind = media_type(request, *allowed, "multipart/form-data")
    if kind == "multipart/form-data" and "Content-Encoding" in request.headers:
        raise WrongMediaType("A form is not unpacked. Send the file itself as the packed body.")
    file = _spool(request.app[CONFIG].data_dir / "tmp")
    try:
        name = ""
        if kind == "multipart/form-data":
            name = await _spool_part(request, file, digest)
        else:
            limit, size = request.app[CONFIG].upload_max_bytes, 0
            async for piece in body_chunks(request, limit=limit, way_out=_SPLIT):
                size += len(piece)
                _require_sound(request, size)
                _keep(file, piece, digest)
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return file, name


def _spool(folder: Path) -> IO[bytes]:
    """A file without a name: nothing of it is left when this process is killed."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return SpooledTemporaryFile(max_size=SPOOL_BYTES, dir=str(folder))
    except OSError as error:
        raise Unavailable(_NO_ROOM, retry_after_s=30) from error


def _require_sound(request: web.Request, size: int) -> None:
    """Raises LimitExceeded when the body unpacks to so much that it is no list."""
    packed = request.content_length
    if "Content-Encoding" not in request.headers or packed is None or size <= BOMB_FROM_BYTES:
        return
    if size > packed * BOMB_RATIO:
        raise LimitExceeded(
            f"The body unpacks to more than {BOMB_RATIO} times its size. Send the file unpacked."
        )


def _keep(file: IO[bytes], piece: bytes, digest: Digest) -> None:
    digest.feed(piece)
    try:
        file.write(piece)
    except OSError as error:
        raise Unavailable(_NO_ROOM, retry_after_s=30) from error


async def _spool_part(request: web.Request, file: IO[bytes], digest: Digest) -> str:
    """Write the first file of a multipart form into `file`; its name. Other fields are dropped."""
    limit, size, patience = request.app[CONFIG].upload_max_bytes, 0, Patience()
    try:
        form = await request.multipart()
        while isinstance(part := await patience.wait_for(form.next()), BodyPartReader):
            wanted = part.filename is not None or part.name == "file"
            while piece := await patience.wait_for(part.read_chunk(64 * 1024)):
                size += len(piece)
                if size > limit:
                    raise too_large(limit, _SPLIT)
                _require_sound(request, size)
                if wanted:
                    _keep(file, piece, digest)
            if wanted:
                return part.filename or ""
    except (ValueError, AssertionError, BadHttpMessage) as error:
        raise Malformed(
            "The body is no multipart form: its boundary is missing, or a part has no header."
        ) from error
    raise InvalidInput(
        "The form holds no file.",
        errors=(("/file", "send the file in a field named 'file': curl -F file=@list.csv"),),
    )
