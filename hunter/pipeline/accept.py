"""Names in, a job out: normalised, folded, stored in slices, accepted by one last COMMIT."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable, Collection, Sequence
from contextlib import suppress
from typing import Final, Protocol
from uuid import UUID

import msgspec

from hunter.core.answers import Depth
from hunter.core.domain import parse_domain
from hunter.core.errors import Conflict, HunterError, InvalidDomain, InvalidInput, LimitExceeded
from hunter.core.points import Point
from hunter.core.refusals import refusal
from hunter.ops.crash import pass_point
from hunter.queue.hints import Hints
from hunter.store import audit, chunks, dispatch, idempotency, jobs, quotas, suppressions
from hunter.store.database import Connection, Database
from hunter.store.identifiers import uuid7
from hunter.store.jobs import Reject
from hunter.store.suppressions import REDACTED

#: names in one transaction of an upload
SLICE: Final = 5_000
#: refused names listed in the answer; the rest is behind a link
LISTED_REJECTS: Final = 1_000
#: an upload that stood still so long has lost its Idempotency-Key to whoever asks next
KEY_IDLE_S: Final = 60.0
#: names parsed before other tasks get a turn
_TURN: Final = 250
_INPUT_CHARS: Final = 300
#: the job is accepted; a Redis that is away must not hold up the answer
_HINT_WITHIN_S: Final = 0.5


class Line(msgspec.Struct, frozen=True, gc=False):
    """One name as it was given; `number` is its line or its place in the list, from 1."""

    number: int
    text: str


class Idempotency(msgspec.Struct, frozen=True):
    """A request's Idempotency-Key; `digest` gives the request's digest once all names were read."""

    key: str
    method: str
    path: str
    digest: Callable[[], bytes]
    #: the body is here as a whole, so the digest stands before the first name is read
    is_read: bool = False


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a scan request. `total` domains are scanned: `accepted`, each once."""

    job_id: str
    status: str
    total: int
    accepted: int
    rejected_count: int
    #: at most `LISTED_REJECTS` of them
    rejected: list[Reject]
    duplicates: int
    #: True when an earlier request with the same key and body had been accepted
    replayed: bool = False


class Companion(Protocol):
    """What is stored in the same transactions as the job. Both may run again after a lost COMMIT."""

    async def opened(self, conn: Connection, job_id: UUID) -> None:
        """The job was made; no name was read yet."""

    async def accepted(self, conn: Connection, accepted: Accepted) -> None:
        """The job is about to be accepted."""


async def accept_scan(
    db: Database,
    hints: Hints,
    names: AsyncIterable[list[Line]] | Sequence[Line],
    *,
    lane: str,
    depth: Depth,
    caller: str = "anonymous",
    idempotency: Idempotency | None = None,
    companion: Companion | None = None,
    allow_test_names: bool = False,
    registrable: bool = False,
    limit: int = 1_000_000,
    chunk_size: int = 100,
) -> Accepted:
    """Store names as a scan job; when this returns, the job is committed.

    Bad names are listed, not raised, except for the one name of an interactive scan
    (InvalidDomain). Raises InvalidInput when there is no name at all, LimitExceeded above `limit`,
    InvalidInput when the key was used for another request, Conflict when its twin still runs,
    QuotaExceeded when the caller is a key that has used its day up, and Unavailable. After an
    exception nothing is left of the upload.
    """
    reading = _Reading(allow_test_names=allow_test_names, registrable=registrable, limit=limit)
    upload = _Upload(
        db,
        reading,
        request=idempotency,
        companion=companion,
        caller=caller,
        lane=lane,
        depth=depth,
        chunk_size=chunk_size,
    )
    if isinstance(names, Sequence) and len(names) <= SLICE:
        return await _accept_at_once(upload, hints, names)
    return await _accept_in_slices(upload, hints, names)


async def _accept_at_once(upload: _Upload, hints: Hints, names: Sequence[Line]) -> Accepted:
    """A small request is one transaction."""
    await upload.reading.read(names)
    await upload.refuse_suppressed()
    upload.reading.require_some(alone=upload.lane == "interactive")
    while True:
        try:
            status = await upload.db.transact(upload.store_whole, reserved=upload.is_interactive)
        except _KeyTakenError as taken:
            if (answer := await upload.settle_with(taken.earlier)) is not None:
                return answer
            continue
        return await _accepted(upload, hints, status)


async def _accept_in_slices(
    upload: _Upload, hints: Hints, names: AsyncIterable[list[Line]] | Sequence[Line]
) -> Accepted:
    batches = _batches(names)
    while True:
        try:
            await upload.db.transact(upload.open)
            pass_point(Point.ACCEPT_OPENED)
            break
        except _KeyTakenError as taken:
            if taken.earlier.body_hash is not None and not upload.is_read:
                async for _ in batches:  # the digest needs the whole body
                    pass
            if (answer := await upload.settle_with(taken.earlier)) is not None:
                return answer
    try:
        async for lines in batches:
            await upload.reading.read(lines)
            await upload.store_full_slices()
        await upload.refuse_suppressed()
        upload.reading.require_some(alone=upload.is_interactive)
        await upload.store_rest()
        status = await upload.db.transact(upload.close)
    except BaseException:
        await asyncio.shield(upload.drop())
        raise
    return await _accepted(upload, hints, status)


async def _batches(
    names: AsyncIterable[list[Line]] | Sequence[Line],
) -> AsyncIterator[Sequence[Line]]:
    if isinstance(names, Sequence):
        for start in range(0, len(names), SLICE):
            yield names[start : start + SLICE]
        return
    async for lines in names:
        yield lines


async def _accepted(upload: _Upload, hints: Hints, status: str) -> Accepted:
    """The answer; chunks of an interactive job are hinted at once, others by the dispatcher."""
    pass_point(Point.ACCEPT_ACCEPTED)
    if upload.hinted:
        pairs = [(hint.chunk_id, hint.number) for hint in upload.hinted]
        if not await hints.give(upload.lane, pairs, within_s=_HINT_WITHIN_S):
            await upload.unmark()
    return upload.answer(status)


class _Reading:
    """Names read so far: what is to be stored, what was refused, what came twice."""

    def __init__(self, *, allow_test_names: bool, registrable: bool, limit: int) -> None:
        self._allow_test_names = allow_test_names
        self._registrable = registrable
        self._limit = limit
        #: 64-bit digests, under the process's own key: a million names in tens of megabytes
        self._seen: set[int] = set()
        self._given = 0
        self._last_error: InvalidDomain | None = None
        #: to be stored next, and the line of each
        self.names: list[str] = []
        self.lines: list[int] = []
        self.rejects: list[Reject] = []
        self.accepted = 0
        self.rejected = 0
        self.duplicates = 0
        self.listed: list[Reject] = []

    async def read(self, lines: Sequence[Line]) -> None:
        """Normalise, fold and refuse; lets other tasks run in between."""
        for start in range(0, len(lines), _TURN):
            for line in lines[start : start + _TURN]:
                if line.text and not line.text.isspace():
                    self._read_one(line)
            await asyncio.sleep(0)

    def _read_one(self, line: Line) -> None:
        self._given += 1
        if self._given > self._limit:
            raise LimitExceeded(
                f"more than {self._limit:,} names: line {line.number} is one too many; split the list"
            )
        try:
            name = parse_domain(
                line.text, registrable=self._registrable, allow_test_names=self._allow_test_names
            ).name
        except InvalidDomain as error:
            self._refuse(line, error)
            return
        digest = hash(name)
        if digest in self._seen:
            self.duplicates += 1
            return
        self._seen.add(digest)
        self.accepted += 1
        self.names.append(name)
        self.lines.append(line.number)

    def _refuse(self, line: Line, error: InvalidDomain) -> None:
        self._last_error = error
        self.rejected += 1
        shown = line.text.strip()[:_INPUT_CHARS].replace("\0", "\N{REPLACEMENT CHARACTER}")
        shown = shown.encode("utf-8", "replace").decode()
        reject = Reject(input=shown, reason=error.reason, line=line.number)
        self.rejects.append(reject)
        if len(self.listed) < LISTED_REJECTS:
            self.listed.append(reject)

    def withdraw(self, suppressed: Collection[str]) -> None:
        """Refuse names that are suppressed after all; what is kept of them is the line."""
        if not suppressed:
            return
        pairs = list(zip(self.names, self.lines, strict=True))
        self.names = [name for name, _ in pairs if name not in suppressed]
        self.lines = [line for name, line in pairs if name not in suppressed]
        for name, line in pairs:
            if name in suppressed:
                self.accepted -= 1
                self._refuse(Line(line, REDACTED), refusal("suppressed"))

    def require_some(self, *, alone: bool) -> None:
        """Raises InvalidInput when no name was given; for a scan of one, why that one is refused."""
        if not self._given:
            raise InvalidInput("no names given: send at least one domain")
        if alone and not self.accepted and self._last_error is not None:
            raise self._last_error


class _KeyTakenError(HunterError):
    """The Idempotency-Key was used before; rolls the transaction back."""

    def __init__(self, earlier: idempotency.Earlier) -> None:
        super().__init__("key taken")
        self.earlier = earlier


class _Upload:
    """One job on its way into PostgreSQL. Every step may run again after a lost COMMIT."""

    def __init__(
        self,
        db: Database,
        reading: _Reading,
        *,
        request: Idempotency | None,
        companion: Companion | None,
        caller: str,
        lane: str,
        depth: Depth,
        chunk_size: int,
    ) -> None:
        self.db = db
        self.reading = reading
        self.job_id: UUID = uuid7()
        self.lane = lane
        self.is_interactive = lane == "interactive"
        self.hinted: list[dispatch.Hint] = []
        self.is_read = request is not None and request.is_read
        self._request = request
        self._companion = companion
        self._key: idempotency.Key | None = None
        if request is not None:
            self._key = idempotency.Key(caller, request.key, request.method, request.path)
        self._caller = caller
        self._depth = depth
        self._chunk_size = chunk_size
        self._slice = max(1, SLICE // chunk_size) * chunk_size
        self._stored = 0

    async def open(self, conn: Connection) -> None:
        """The job in state receiving, and its key."""
        await jobs.create(conn, self.job_id, lane=self.lane, depth=self._depth, caller=self._caller)
        if self._key is not None:
            earlier = await idempotency.reserve(conn, self._key, self.job_id)
            if earlier is not None:
                raise _KeyTakenError(earlier)
        await quotas.require(conn, self._caller)
        if self._companion is not None:
            await self._companion.opened(conn, self.job_id)

    async def store_whole(self, conn: Connection) -> str:
        """Everything in one transaction."""
        status = await jobs.status(conn, self.job_id)
        if status is not None:
            return status  # the COMMIT before had arrived after all
        await self.open(conn)
        reading = self.reading
        self.hinted = []
        await self._add(conn, reading.names, reading.rejects)
        return await self.close(conn)

    async def store_full_slices(self) -> None:
        """Commit as many whole slices as there are."""
        while len(self.reading.names) >= self._slice or len(self.reading.rejects) >= SLICE:
            await self.refuse_suppressed()
            await self._store(self._slice)

    async def refuse_suppressed(self) -> None:
        """Refuse the deleted ones of the names read; one deleted later is a pseudonym in its chunk."""
        if self.reading.names:
            async with self.db.acquire(reserved=self.is_interactive) as conn:
                self.reading.withdraw(await suppressions.among(conn, self.reading.names))

    async def store_rest(self) -> None:
        """Commit what is left."""
        await self._store(len(self.reading.names))

    async def _store(self, size: int) -> None:
        names, rejects = self.reading.names[:size], self.reading.rejects

        async def work(conn: Connection) -> None:
            await quotas.require(conn, self._caller, self.reading.accepted)
            if await jobs.touch(conn, self.job_id) == self._stored:
                await self._add(conn, names, rejects)

        await self.db.transact(work)
        pass_point(Point.ACCEPT_STORED)
        self._stored += len(names)
        del self.reading.names[:size]
        del self.reading.lines[:size]
        self.reading.rejects = []

    async def _add(self, conn: Connection, names: Sequence[str], rejects: Sequence[Reject]) -> None:
        step = self._chunk_size
        pieces = [names[start : start + step] for start in range(0, len(names), step)]
        ids = await chunks.add(conn, self.job_id, self.lane, pieces)
        if rejects:
            await jobs.add_rejects(conn, self.job_id, rejects)
        await jobs.grow(
            conn,
            self.job_id,
            total=self._stored + len(names),
            rejected=self.reading.rejected,
            duplicates=self.reading.duplicates,
        )
        if self.is_interactive:
            marked = [await dispatch.mark(conn, chunk_id) for chunk_id in ids]
            self.hinted += [hint for hint in marked if hint is not None]

    async def close(self, conn: Connection) -> str:
        """The acceptance; returns the job's status."""
        if await jobs.status(conn, self.job_id) != "receiving":
            # the COMMIT before had arrived after all, and has charged; or the upload was dropped
            return await jobs.accept(conn, self.job_id, rejected=0, duplicates=0)
        status = await jobs.accept(
            conn,
            self.job_id,
            rejected=self.reading.rejected,
            duplicates=self.reading.duplicates,
        )
        if self._key is not None and self._request is not None:
            await idempotency.settle(
                conn, self._key, body_hash=self._request.digest(), job_id=self.job_id
            )
        if self._companion is not None:
            await self._companion.accepted(conn, self.answer(status))
        await audit.record(conn, "scan.accepted", self.job_id)
        # last: the row of the day is locked from here to COMMIT
        await quotas.charge(conn, self._caller, self.reading.accepted)
        pass_point(Point.ACCEPT_CLOSING)
        return status

    def answer(self, status: str) -> Accepted:
        """What the request is told."""
        reading = self.reading
        return Accepted(
            job_id=str(self.job_id),
            status=status,
            total=reading.accepted,
            accepted=reading.accepted,
            rejected_count=reading.rejected,
            rejected=reading.listed,
            duplicates=reading.duplicates,
        )

    async def unmark(self) -> None:
        """The hints came to nothing: the dispatcher is to give new ones at once."""

        async def work(conn: Connection) -> None:
            await dispatch.unmark(conn, [hint.chunk_id for hint in self.hinted])

        with suppress(HunterError):  # they grow stale otherwise
            await self.db.transact(work, deadline_s=1, try_s=1, reserved=True)

    async def drop(self) -> None:
        """Delete what was stored of a failed upload; a sweep does it later where this cannot."""

        async def work(conn: Connection) -> None:
            await jobs.drop_receiving(conn, self.job_id)

        with suppress(HunterError):
            await self.db.transact(work, deadline_s=2)

    async def settle_with(self, earlier: idempotency.Earlier) -> Accepted | None:
        """The earlier request's answer; None when its upload was dead and the key is free again.

        All names must have been read where the earlier request is complete.
        """
        if earlier.body_hash is None:
            if earlier.idle_s < KEY_IDLE_S:
                raise Conflict(
                    "a request with this Idempotency-Key is still running", retry_after_s=2
                )
            async with self.db.acquire() as conn:
                await jobs.drop_receiving(conn, earlier.job_id)
            return None
        if self._request is None or earlier.body_hash != self._request.digest():
            raise InvalidInput(
                "this Idempotency-Key was used for another request",
                errors=(("Idempotency-Key", "use a new key for a new request"),),
            )
        audit.nothing_written()
        async with self.db.acquire() as conn:
            return await _replayed(conn, earlier.job_id)


async def _replayed(conn: Connection, job_id: UUID) -> Accepted:
    """What the first request was answered, with today's status."""
    job = await jobs.progress(conn, job_id)
    rejects = await jobs.rejects_page(conn, job_id, limit=LISTED_REJECTS)
    return Accepted(
        job_id=job.job_id,
        status=job.status,
        total=job.total,
        accepted=job.total,
        rejected_count=job.rejected_count,
        rejected=rejects.items,
        duplicates=job.duplicates,
        replayed=True,
    )
