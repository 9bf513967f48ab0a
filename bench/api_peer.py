"""Three of Hunter's routes as most people would write them: FastAPI, SQLAlchemy (async), uvicorn.

Over Hunter's own tables, with the same fields in the answers, checked bodies, and a scan that is in
the database when it is accepted. No keys, limits, ETags, request ids, problems or metrics: what
Hunter does beside is on Hunter's account.
"""

import datetime as dt
import os
import re
import uuid
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

from fastapi import Depends, FastAPI, HTTPException, Query
from pydantic import BaseModel, Field
from sqlalchemy import Integer, SmallInteger, Text, select, tuple_
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TIMESTAMP, UUID
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

_NAME = re.compile(r"(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}")
_Moment = TIMESTAMP(timezone=True)

engine = create_async_engine(os.environ["PEER_DATABASE_URL"], pool_size=10, max_overflow=0)
sessions = async_sessionmaker(engine, expire_on_commit=False)
app = FastAPI()


class Base(DeclarativeBase):
    """Tables."""


class Lead(Base):
    """Hunter's leads, the columns that answers are made of."""

    __tablename__ = "lead"
    domain: Mapped[str] = mapped_column(Text, primary_key=True)
    display_name: Mapped[str] = mapped_column(Text)
    company_name: Mapped[str | None] = mapped_column(Text)
    source: Mapped[str | None] = mapped_column(Text)
    notes: Mapped[str | None] = mapped_column(Text)
    first_seen_at: Mapped[dt.datetime] = mapped_column(_Moment)
    last_seen_at: Mapped[dt.datetime] = mapped_column(_Moment)
    last_scanned_at: Mapped[dt.datetime | None] = mapped_column(_Moment)
    next_scan_at: Mapped[dt.datetime | None] = mapped_column(_Moment)
    scan_status: Mapped[str] = mapped_column(Text)
    priority: Mapped[int | None] = mapped_column(SmallInteger)
    call_rank: Mapped[int] = mapped_column(Integer)
    judgement: Mapped[dict[str, Any] | None] = mapped_column(JSONB)


class Job(Base):
    """Hunter's scan jobs."""

    __tablename__ = "scan_job"
    id: Mapped[uuid.UUID] = mapped_column(UUID, primary_key=True)
    lane: Mapped[str] = mapped_column(Text)
    depth: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text)
    caller: Mapped[str] = mapped_column(Text)
    total: Mapped[int] = mapped_column(Integer)
    accepted_at: Mapped[dt.datetime] = mapped_column(_Moment)


class Chunk(Base):
    """Names of a job."""

    __tablename__ = "scan_chunk"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    job_id: Mapped[uuid.UUID] = mapped_column(UUID)
    lane: Mapped[str] = mapped_column(Text)
    domains: Mapped[list[str]] = mapped_column(ARRAY(Text))


class Signal(BaseModel):
    """One signal with what proves it."""

    state: str
    value: str = ""
    evidence: list[Any] = []
    observed_at: str | None = None


class Item(BaseModel):
    """A lead in a list."""

    domain: str
    display_name: str
    company_name: str | None
    source: str | None
    first_seen_at: dt.datetime
    last_seen_at: dt.datetime
    next_scan_at: dt.datetime | None
    scan_status: str
    scanned_at: dt.datetime | None
    provider: str | None = None
    provider_name: str | None = None
    mx_operator: str | None = None
    mx_operator_name: str | None = None
    gateway: str | None = None
    tenant_state: str = "unknown"
    tenant_name: str | None = None
    mail_state: str = "unknown"
    local_provider: bool | None = None
    segment: str = "unknown"
    priority: int | None = None
    score: int | None = None
    fit: int | None = None
    urgency: int | None = None
    confidence: float | None = None
    confidence_word: str = "unknown"
    posture: str | None = None
    reason: str = ""
    reason_code: str = ""
    dmarc_policy: str = "unknown"
    mx: Signal | None = None
    spf: Signal | None = None
    dkim: Signal | None = None
    products: list[Any] = []
    rules_version: str | None = None


class Whole(Item):
    """A lead with everything behind it."""

    notes: str | None
    mx_hosts: list[Any] = []
    signals: dict[str, Signal] = {}
    findings: list[Any] = []
    would_change: list[str] = []


class Page(BaseModel):
    """Leads, and where the next begin."""

    items: list[Item]
    next_cursor: str | None


class Scan(BaseModel):
    """A domain to scan."""

    domain: str
    depth: Literal["quick", "full"] = "quick"


class Accepted(BaseModel):
    """A scan that will be done."""

    job_id: uuid.UUID
    status: str
    total: int
    accepted: int
    rejected_count: int = 0
    rejected: list[Any] = Field(default_factory=list)


async def session() -> AsyncIterator[AsyncSession]:
    """A session a request."""
    async with sessions() as opened:
        yield opened


Session = Annotated[AsyncSession, Depends(session)]


def _facts(lead: Lead) -> dict[str, Any]:
    return (lead.judgement or {}) | {
        "domain": lead.domain,
        "display_name": lead.display_name,
        "company_name": lead.company_name,
        "source": lead.source,
        "notes": lead.notes,
        "first_seen_at": lead.first_seen_at,
        "last_seen_at": lead.last_seen_at,
        "next_scan_at": lead.next_scan_at,
        "scan_status": lead.scan_status,
        "scanned_at": lead.last_scanned_at,
    }


@app.get("/api/v1/leads/{domain}")
async def show(domain: str, db: Session) -> Whole:
    """A lead."""
    lead = await db.get(Lead, domain)
    if lead is None:
        raise HTTPException(404, "There is no such lead.")
    return Whole(**_facts(lead))


@app.get("/api/v1/leads")
async def index(
    db: Session,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
    cursor: str | None = None,
) -> Page:
    """A page of leads, those to call first on top."""
    wanted = select(Lead).order_by(Lead.call_rank, Lead.domain).limit(limit + 1)
    if cursor:
        rank, _, domain = cursor.partition("~")
        wanted = wanted.where(tuple_(Lead.call_rank, Lead.domain) > (int(rank), domain))
    leads = list((await db.scalars(wanted)).all())
    more = leads[limit - 1] if len(leads) > limit else None
    after = f"{more.call_rank}~{more.domain}" if more else None
    return Page(items=[Item(**_facts(lead)) for lead in leads[:limit]], next_cursor=after)


@app.post("/api/v1/scan/domain", status_code=202)
async def scan(wanted: Scan, db: Session) -> Accepted:
    """Take a scan in."""
    if not _NAME.fullmatch(wanted.domain):
        raise HTTPException(422, "This is no domain.")
    now = dt.datetime.now(dt.UTC)
    job = Job(
        id=uuid.uuid4(),
        lane="interactive",
        depth=wanted.depth,
        status="pending",
        caller="peer",
        total=1,
        accepted_at=now,
    )
    db.add(job)
    await db.flush()
    db.add(Chunk(job_id=job.id, lane=job.lane, domains=[wanted.domain]))
    await db.commit()
    return Accepted(job_id=job.id, status=job.status, total=1, accepted=1)
