"""For whoever runs Hunter: the rules in force, how re-judging by them goes, and who wrote what."""

from __future__ import annotations

import hashlib

import msgspec
from aiohttp import web

from hunter.knowledge.problems import Problem
from hunter.store import audit, job_desk, rejudge
from hunter.store.rejudge import Run
from hunter.web import scans
from hunter.web.keys import CONFIG, DB, RULES
from hunter.web.requests import AuditQuery, DeskQuery
from hunter.web.schema import read_query, render

#: runs shown, newest first
_SHOWN_RUNS = 10


class RulesFile(msgspec.Struct, frozen=True):
    """One data file of the rules in force."""

    #: "rules.yaml"
    name: str
    #: True for the operator's own, in place of the shipped one
    own: bool
    #: of the text, as `sha256sum` prints it
    sha256: str


class RulesView(msgspec.Struct, frozen=True):
    """The rules that this API process has, those of the workers, and re-judging by them."""

    version: str
    files: list[RulesFile]
    #: what is wrong with changed files that were not taken; the version above goes on
    problems: tuple[Problem, ...]
    #: version → how many workers judge by it
    workers: dict[str, int]
    #: the run that waits for `hunter rules apply`, if one does
    held: Run | None
    #: the latest runs, newest first
    runs: list[Run]


async def show_rules(request: web.Request) -> web.Response:
    """GET /admin/rules"""
    rules = request.app[RULES]
    alive_s = 3 * request.app[CONFIG].heartbeat_s
    async with request.app[DB].acquire(reserved=True) as conn:
        workers = await rejudge.workers(conn, alive_s=alive_s)
        held = await rejudge.held(conn)
        runs = await rejudge.latest(conn, _SHOWN_RUNS)
    knowledge = rules.current
    files = [
        RulesFile(f"{name}.yaml", name in knowledge.own, hashlib.sha256(text.encode()).hexdigest())
        for name, text in sorted(knowledge.texts.items())
    ]
    view = RulesView(knowledge.version, files, rules.problems, workers, held, runs)
    return render(view)


async def list_jobs(request: web.Request) -> web.Response:
    """GET /admin/jobs"""
    query = read_query(request, DeskQuery)
    async with request.app[DB].acquire(reserved=True) as conn:
        page = await job_desk.page(
            conn,
            status=query.status,
            lane=query.lane,
            has_dead=query.has_dead,
            after=query.cursor,
            limit=query.limit,
        )
    return render(page)


async def cancel_job(request: web.Request) -> web.Response:
    """POST /admin/jobs/{job_id}/cancel"""
    return await scans.cancel_job(request)


async def redrive_job(request: web.Request) -> web.Response:
    """POST /admin/jobs/{job_id}/redrive"""
    return await scans.redrive_job(request)


async def audit_log(request: web.Request) -> web.Response:
    """GET /admin/audit"""
    query = read_query(request, AuditQuery)
    async with request.app[DB].acquire() as conn:
        page = await audit.list_entries(
            conn,
            actor=query.actor,
            action=query.action,
            target=query.target,
            after=query.cursor,
            limit=query.limit,
        )
    return render(page)
