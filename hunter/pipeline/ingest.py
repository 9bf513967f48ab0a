"""Companies in: one, or a file of them, stored as leads and queued for a scan."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from operator import attrgetter
from typing import IO, Final
from uuid import UUID

import msgspec

from hunter.core.answers import Depth
from hunter.core.domain import REASONS, Domain, parse_domain
from hunter.core.errors import HunterError, InvalidDomain, InvalidInput, LimitExceeded
from hunter.core.refusals import refusal
from hunter.ops.metrics import Metrics
from hunter.pipeline.accept import Accepted, Idempotency, Line, accept_scan
from hunter.pipeline.columns import Columns
from hunter.pipeline.companies import ROW_REASONS, Company, Refusal
from hunter.pipeline.listed import Batch, Opened
from hunter.pipeline.reading import Readers, Reading
from hunter.queue.hints import Hints
from hunter.store import ingests, suppressions
from hunter.store.database import Connection, Database
from hunter.store.identifiers import uuid7
from hunter.store.suppressions import REDACTED

#: rows of one file, good and bad
ROWS_MAX: Final = 1_000_000
#: characters of a sheet's name that are told
_SHEET_CHARS: Final = 60
#: refused rows kept for the answer; the rest is behind a link
LISTED_REFUSALS: Final = 1000


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What is the same for every company of a request."""

    caller: str
    source: str | None = None
    depth: Depth = Depth.QUICK
    allow_test_names: bool = False
    chunk_size: int = 100


class Ingested(msgspec.Struct, frozen=True, kw_only=True):
    """How a file came out."""

    batch_id: str
    filename: str | None
    #: rows with something in them, below the heading
    row_count: int
    rejected_count: int
    #: at most `LISTED_REFUSALS` of them
    rejected: list[Refusal]
    #: format, encoding, delimiter and columns found
    detected: dict[str, object]
    scan: Accepted


async def ingest_company(
    db: Database,
    hints: Hints,
    metrics: Metrics,
    addresses: list[str],
    *,
    company_name: str | None,
    settings: Settings,
    idempotency: Idempotency | None = None,
) -> tuple[Domain, Accepted]:
    """Store one company as a lead and scan it at once; both are one transaction.

    `addresses` are its domain, web site and e-mail address as far as they are known, the best
    first; the first that gives a domain counts. Raises InvalidDomain when none does.
    """
    domain = first_domain(addresses, allow_test_names=settings.allow_test_names)
    lead = ingests.Company(
        domain=domain.name,
        display_name=domain.display,
        company_name=company_name,
        source=settings.source,
    )
    accepted = await accept_scan(
        db,
        hints,
        [Line(1, domain.name)],
        lane="interactive",
        depth=settings.depth,
        caller=settings.caller,
        idempotency=idempotency,
        companion=LeadsOfScan([lead]),
        allow_test_names=settings.allow_test_names,
        registrable=True,
        chunk_size=settings.chunk_size,
    )
    if not accepted.replayed:
        metrics.leads_ingested_total.inc({})
    return domain, accepted


class LeadsOfScan:
    """Companies, stored with the job that scans them."""

    def __init__(self, leads: list[ingests.Company]) -> None:
        self._leads = leads

    async def opened(self, conn: Connection, job_id: UUID) -> None:
        """Nothing yet."""

    async def accepted(self, conn: Connection, accepted: Accepted) -> None:
        """The companies as leads."""
        await ingests.upsert_companies(conn, self._leads)


def first_domain(addresses: Sequence[str], *, allow_test_names: bool) -> Domain:
    """The domain of a company by the first address that has one. Raises InvalidDomain or InvalidInput."""
    refused: InvalidDomain | None = None
    for address in addresses:
        try:
            return parse_domain(address, registrable=True, allow_test_names=allow_test_names)
        except InvalidDomain as error:
            refused = refused or error
    raise refused or InvalidInput(
        "Nothing says which domain the company has.",
        errors=(("/domain", "give one of domain, website and email"),),
    )


async def ingest_file(
    db: Database,
    hints: Hints,
    metrics: Metrics,
    file: IO[bytes],
    *,
    readers: Readers,
    filename: str | None,
    settings: Settings,
    idempotency: Idempotency | None = None,
) -> Ingested:
    """Store the companies of a file as leads and queue one scan of them all.

    Rows that give no company are kept as rejects of the batch. Raises InvalidInput when the file
    is no table, or when no row of it gives a company; the batch then says so too.
    The digest of `idempotency` is asked for before the file is read.
    """
    async with readers.open(file, allow_test_names=settings.allow_test_names) as reading:
        return await _ingest(
            db,
            hints,
            _Upload(db, metrics, reading, filename, settings),
            settings=settings,
            idempotency=idempotency,
        )


async def _ingest(
    db: Database,
    hints: Hints,
    upload: _Upload,
    *,
    settings: Settings,
    idempotency: Idempotency | None,
) -> Ingested:
    try:
        scan = await accept_scan(
            db,
            hints,
            upload.lines(),
            lane="bulk",
            depth=settings.depth,
            caller=settings.caller,
            idempotency=idempotency,
            companion=upload,
            allow_test_names=settings.allow_test_names,
            registrable=True,
            chunk_size=settings.chunk_size,
        )
    except HunterError as error:
        failure = upload.explain(error)
        await asyncio.shield(upload.fail(str(failure)))
        raise failure from error
    except BaseException:
        await asyncio.shield(upload.fail("the server stopped taking the file in; send it again"))
        raise
    if scan.replayed:
        return await _replayed(db, scan)
    return Ingested(
        batch_id=str(upload.batch_id),
        filename=upload.filename,
        row_count=upload.row_count,
        rejected_count=upload.rejected,
        rejected=upload.listed,
        detected=upload.detected,
        scan=scan,
    )


async def _replayed(db: Database, scan: Accepted) -> Ingested:
    """How the first file with the same Idempotency-Key came out."""
    async with db.acquire() as conn:
        batch = await ingests.batch_of_job(conn, UUID(scan.job_id))
        rejects = await ingests.rejects_page(conn, UUID(batch.batch_id), limit=LISTED_REFUSALS)
    return Ingested(
        batch_id=batch.batch_id,
        filename=batch.filename,
        row_count=batch.row_count,
        rejected_count=batch.rejected_count,
        rejected=[
            Refusal(row.line, row.value, row.reason, reason_in_words(row.reason))
            for row in rejects.items
        ],
        detected=batch.detected or {},
        scan=scan,
    )


def reason_in_words(code: str) -> str:
    """Why a row was refused, with the fix."""
    return ROW_REASONS.get(code) or REASONS.get(code, "")


def describe(found: Opened) -> dict[str, object]:
    """What was found out about a file, for the person who sent it."""
    columns = found.columns
    return {
        "format": found.format,
        "sheet": found.sheet[:_SHEET_CHARS] or None,
        "encoding": found.encoding or None,
        "delimiter": found.delimiter or None,
        "header_line": columns.header_line or None,
        "columns": {
            "website": [_column_name(columns, i) for i in columns.web],
            "email": [_column_name(columns, i) for i in columns.mail],
            "company": None if columns.company is None else _column_name(columns, columns.company),
        },
    }


def _column_name(columns: Columns, index: int) -> str:
    """The heading, or the number of the column where there is none."""
    return columns.headings[index] if columns.headings else f"column {index + 1}"


class _Upload:
    """One file on its way into the store."""

    def __init__(
        self,
        db: Database,
        metrics: Metrics,
        reading: Reading,
        filename: str | None,
        settings: Settings,
    ) -> None:
        self.batch_id = uuid7()
        self.row_count = 0
        self.rejected = 0
        self.listed: list[Refusal] = []
        self._db = db
        self._metrics = metrics
        self._reading = reading
        self.filename = filename
        self.detected = describe(reading.opened)
        self._settings = settings
        self._accepted = 0
        #: the batch is in the store; an upload refused for its key never gets there
        self._is_open = False

    async def opened(self, conn: Connection, job_id: UUID) -> None:
        """The batch, in state receiving, with its job."""
        await ingests.create_batch(
            conn,
            self.batch_id,
            filename=self.filename,
            source=self._settings.source,
            caller=self._settings.caller,
            job_id=job_id,
        )

    async def accepted(self, conn: Connection, accepted: Accepted) -> None:
        """The batch is accepted by the COMMIT that accepts its job."""
        await self._finish(conn, accepted, failure=None)

    async def lines(self) -> AsyncIterator[list[Line]]:
        """Slices of domains to scan; each slice is stored as leads before it is handed on."""
        self._is_open = True
        async for found in self._reading.batches():
            batch = await self._without_suppressed(found)
            self._count(batch)
            await self._store(batch.companies, batch.refusals)
            yield [Line(each.line, each.domain.name) for each in batch.companies]

    async def _without_suppressed(self, batch: Batch) -> Batch:
        """Rows of deleted names among the refused ones; one deleted later is a pseudonym in its chunk."""
        async with self._db.acquire() as conn:
            gone = await suppressions.among(conn, [each.domain.name for each in batch.companies])
        if not gone:
            return batch
        error = refusal("suppressed")
        refused = [
            Refusal(each.line, REDACTED, error.reason, str(error))
            for each in batch.companies
            if each.domain.name in gone
        ]
        return msgspec.structs.replace(
            batch,
            companies=[each for each in batch.companies if each.domain.name not in gone],
            refusals=sorted([*batch.refusals, *refused], key=attrgetter("line")),
        )

    def _count(self, batch: Batch) -> None:
        self.row_count += batch.row_count
        if self.row_count > ROWS_MAX:
            raise LimitExceeded(f"The file has more than {ROWS_MAX:,} rows: split the list.")
        self._accepted += len(batch.companies)
        self.rejected += len(batch.refusals)
        self.listed += batch.refusals[: LISTED_REFUSALS - len(self.listed)]

    async def _store(self, companies: list[Company], refused: list[Refusal]) -> None:
        leads = [
            ingests.Company(
                domain=each.domain.name,
                display_name=each.domain.display,
                company_name=each.company_name or None,
                source=self._settings.source,
            )
            for each in companies
        ]
        rejects = [ingests.RejectedRow(each.line, each.value, each.reason) for each in refused]

        async def store(conn: Connection) -> None:
            if leads:
                await ingests.upsert_companies(conn, leads)
            if rejects:
                await ingests.add_rejects(conn, self.batch_id, rejects)

        await self._db.transact(store)
        self._metrics.leads_ingested_total.add({}, len(leads))

    def explain(self, error: HunterError) -> HunterError:
        """The error as it concerns the file: when no row was good, the rows say why."""
        if not self._is_open or self._accepted or not isinstance(error, InvalidInput):
            return error
        places = tuple((f"line {each.line}", each.detail) for each in self.listed[:100])
        return InvalidInput("No row of the file gives a company domain.", errors=places)

    async def fail(self, reason: str) -> None:
        """Say in the batch why it failed; where this cannot, a sweep does it later."""
        if not self._is_open:
            return

        async def work(conn: Connection) -> None:
            await self._finish(conn, None, failure=reason)

        with suppress(HunterError):
            await self._db.transact(work, deadline_s=2)

    async def _finish(self, conn: Connection, scan: Accepted | None, failure: str | None) -> None:
        await ingests.finish_batch(
            conn,
            self.batch_id,
            row_count=self.row_count,
            accepted=scan.accepted if scan else 0,
            rejected=self.rejected,
            duplicates=scan.duplicates if scan else 0,
            detected=self.detected,
            job_id=UUID(scan.job_id) if scan else None,
            failure=failure,
        )
