"""Company lists read outside this process: a file can cost a reader its life, never the server."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from typing import IO, Final

import msgspec

from hunter.core.errors import InvalidInput, Unavailable
from hunter.pipeline.listed import Batch, Ended, Message, Opened, Refused, messages
from hunter.pipeline.reader import LENGTH_BYTES
from hunter.pipeline.rows import WAY_OUT
from hunter.pipeline.sheets import is_workbook

#: a text up to this size is read here, in a thread: it cannot cost more than a moment
SMALL_BYTES: Final = 128 * 1024
#: processor time a file may take
CPU_S: Final = 120
#: so long the next message is waited for
MESSAGE_WITHIN_S: Final = 90.0
#: so long a file waits for another one to be done
TURN_WITHIN_S: Final = 20.0

_message_of: Final = msgspec.msgpack.Decoder(Message).decode


class Reading:
    """A list that was told apart; take its rows once."""

    def __init__(self, opened: Opened, source: AsyncIterator[Message]) -> None:
        self.opened = opened
        self._source = source

    async def batches(self) -> AsyncIterator[Batch]:
        """The rows in the order of the file. Raises InvalidInput when it cannot be read on."""
        async for message in self._source:
            match message:
                case Batch():
                    yield message
                case Refused():
                    raise InvalidInput(message.detail)
                case _:
                    return


class Readers:
    """At most `slots` files are read at once, each in a process of at most `memory_bytes`."""

    def __init__(self, *, memory_bytes: int, slots: int) -> None:
        self._memory_bytes = memory_bytes
        self._slots = asyncio.Semaphore(slots)

    @asynccontextmanager
    async def open(self, file: IO[bytes], *, allow_test_names: bool) -> AsyncIterator[Reading]:
        """Read a seekable file. Raises InvalidInput that says what it is instead of a list.

        Unavailable when too many other files are being read.
        """
        if _is_small_text(file):
            async with aclosing(_read_here(file, allow_test_names=allow_test_names)) as told:
                yield await _reading(told)
            return
        async with (
            self._turn(),
            self._process(file, allow_test_names=allow_test_names) as process,
            aclosing(_told_by(process)) as told,
        ):
            yield await _reading(told)

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(TURN_WITHIN_S):
                await self._slots.acquire()
        except TimeoutError:
            told = "This server is reading other files now; send the file again in a minute."
            raise Unavailable(told, retry_after_s=30) from None
        try:
            yield
        finally:
            self._slots.release()

    @asynccontextmanager
    async def _process(
        self, file: IO[bytes], *, allow_test_names: bool
    ) -> AsyncIterator[asyncio.subprocess.Process]:
        limits = [str(self._memory_bytes), str(CPU_S), str(int(allow_test_names))]
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "hunter.pipeline.reader", *limits),
            stdin=file.fileno(),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            # nothing of this process's environment: it has the secrets
            env={"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        )
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def _is_small_text(file: IO[bytes]) -> bool:
    file.flush()
    file.seek(0)
    head = file.read(16)
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    return size <= SMALL_BYTES and not is_workbook(head)


async def _reading(source: AsyncIterator[Message]) -> Reading:
    match await anext(source):
        case Opened() as opened:
            return Reading(opened, source)
        case Refused(detail):
            raise InvalidInput(detail)
        case _:
            raise AssertionError("a reader begins with what it found")


async def _read_here(file: IO[bytes], *, allow_test_names: bool) -> AsyncGenerator[Message, None]:
    """The messages about a small text."""

    def read() -> list[Message]:
        return list(messages(file, allow_test_names=allow_test_names))

    for message in await asyncio.to_thread(read):
        yield message


async def _told_by(process: asyncio.subprocess.Process) -> AsyncGenerator[Message, None]:
    """The messages of a reader; the last is Ended or Refused, whatever became of the reader."""
    output = process.stdout
    while output is not None:
        try:
            async with asyncio.timeout(MESSAGE_WITHIN_S):
                length = int.from_bytes(await output.readexactly(LENGTH_BYTES), "big")
                message = _message_of(await output.readexactly(length))
        except (asyncio.IncompleteReadError, TimeoutError):
            # killed by a limit, or by a fault of the library that it met in the file
            yield Refused(
                f"The file cannot be read within the memory and time of one file: {WAY_OUT}, in "
                "parts if it is large."
            )
            return
        yield message
        if isinstance(message, Ended | Refused):
            return
