"""A lead as a scan of a given survey leaves it in the database."""

from __future__ import annotations

import datetime as dt

from hunter.core.answers import Survey
from hunter.knowledge.load import load_knowledge
from hunter.ops.metrics import Metrics
from hunter.ops.stages import StageClock
from hunter.pipeline.verdicts import verdict_on
from hunter.store import judged
from hunter.store.database import Connection
from hunter.store.judged import NOTHING


async def store_lead(conn: Connection, survey: Survey, at: dt.datetime) -> None:
    """Judge a survey and write lead and observation."""
    verdict = verdict_on(at, survey, NOTHING, load_knowledge().rules, StageClock(Metrics()))
    assert verdict.lead is not None
    assert verdict.observed is not None
    names = [survey.domain]
    await judged.insert_missing(conn, names, names, names)
    await judged.observe(conn, at, [verdict.observed])
    await judged.write(conn, at, [verdict.lead])
