"""What is wrong with a running Hunter, looked at from outside its processes, each look with a deadline."""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from collections.abc import Awaitable, Callable, Iterator
from enum import StrEnum
from typing import Final

import msgspec

from hunter.config import Config
from hunter.core.answers import RRType
from hunter.core.errors import Unavailable
from hunter.queue.hints import Generation, open_queue
from hunter.resolver.direct import Asker
from hunter.resolver.servers import RESOLV_CONF, servers_in
from hunter.store import schedule, vitals
from hunter.store.database import Database, open_database
from hunter.store.migrate import require_schema
from hunter.store.vitals import Vitals

_LIMIT_S: Final = 5.0
_DNS_TIMEOUT_S: Final = 2.0
#: open work older than this has been forgotten by somebody
_OLD_S: Final = 60.0
_STALLED_S: Final = 300.0
_SKEW_S: Final = 2.0
_SKEW_MAX_S: Final = 30.0
#: share of PostgreSQL's connections in use from which the next deploy may find none
_CROWDED: Final = 0.8
#: a backup a day, and time for it to run
_BACKUP_OLD_S: Final = 26 * 3600.0


class Level(StrEnum):
    """How bad a reading is."""

    OK = "ok"
    WARNING = "warning"
    #: somebody has to do something now
    FAULT = "fault"


class Reading(msgspec.Struct, frozen=True):
    """One thing looked at: how it is, in words, and what to do where it is not as it should be."""

    name: str
    level: Level
    detail: str
    advice: str = ""


async def diagnose(config: Config) -> list[Reading]:
    """Look at PostgreSQL, Redis, the work in the tables and the name servers, side by side."""
    groups = await asyncio.gather(_database(config), _redis(config), _name_servers(config))
    return [reading for group in groups for reading in group]


async def _database(config: Config) -> list[Reading]:
    if not config.database_url:
        return [Reading("database", Level.FAULT, "no database is set", "set HUNTER_DATABASE_URL")]
    async with open_database(config) as db:
        answered = await _timed("database", db.ping, _DATABASE_ADVICE)
        if answered.level is Level.FAULT:
            return [answered]
        return [answered, await _schema(db), *await _work(db, config)]


async def _schema(db: Database) -> Reading:
    try:
        async with db.acquire() as conn:
            await require_schema(conn)
    except Unavailable as error:
        return Reading("schema", Level.FAULT, str(error), "hunter migrate up")
    return Reading("schema", Level.OK, "is what this build needs")


async def _work(db: Database, config: Config) -> list[Reading]:
    try:
        async with asyncio.timeout(_LIMIT_S), db.acquire() as conn:
            before = dt.datetime.now(dt.UTC)
            seen = await vitals.look(conn, alive_s=3 * config.heartbeat_s)
            standing = await schedule.state(conn)
    except (TimeoutError, Unavailable) as error:
        return [Reading("work", Level.FAULT, _word(error), _DATABASE_ADVICE)]
    except Exception as error:  # noqa: BLE001  # an older schema may lack what is read
        return [
            Reading("work", Level.FAULT, f"cannot be read: {type(error).__name__}", "see schema")
        ]
    return [
        _clock(seen, before),
        *read_work(seen, hint_stale_s=config.hint_stale_s),
        _schedule(standing),
    ]


def _clock(seen: Vitals, before: dt.datetime) -> Reading:
    """The clocks compared; PostgreSQL's decides about leases, this machine's about signatures."""
    skew_s = abs((seen.clock - before).total_seconds())
    level = Level.OK if skew_s < _SKEW_S else Level.WARNING
    if skew_s >= _SKEW_MAX_S:
        level = Level.FAULT
    told = f"PostgreSQL's clock and this machine's are {skew_s:.1f} s apart"
    return Reading("clock", level, told, "" if level is Level.OK else "mend NTP on both machines")


def read_work(seen: Vitals, *, hint_stale_s: float) -> Iterator[Reading]:
    """What the tables say about the work, thing by thing."""
    is_open = bool(seen.ready or seen.leased)
    workers = f"{seen.workers} alive, {seen.slots} slots for bulk"
    if seen.workers:
        yield Reading("workers", Level.OK, workers)
    else:
        level = Level.FAULT if is_open else Level.WARNING
        yield Reading(
            "workers", level, "none alive", "start a worker, read the log of the last one"
        )
    yield _aged(
        "oldest ready chunk",
        seen.oldest_ready_s,
        f"{seen.ready} ready, the oldest for {seen.oldest_ready_s:.0f} s",
        "add workers; docs/runbook.md#queuestalled",
    )
    yield _aged(
        "expired leases",
        # the next round of a dispatcher takes them over: a moment is no fault
        seen.longest_expired_s / 2 if seen.expired_leases else 0.0,
        f"{seen.expired_leases} not taken over, the longest for {seen.longest_expired_s:.0f} s",
        "workers died or hang and nobody takes over: look at workers and their log",
    )
    yield _dispatch(seen, hint_stale_s)
    dead = f"{seen.dead} given up"
    yield Reading(
        "dead chunks",
        Level.WARNING if seen.dead else Level.OK,
        dead,
        "`hunter jobs` names the jobs, `hunter jobs redrive` tries again" if seen.dead else "",
    )
    yield Reading(
        "accounting",
        Level.FAULT if seen.mismatched else Level.OK,
        f"{seen.mismatched} of the jobs do not add up",
        "docs/runbook.md#jobaccountingmismatch" if seen.mismatched else "",
    )
    share = seen.connections / max(1, seen.connections_max)
    yield Reading(
        "connections",
        Level.WARNING if share > _CROWDED else Level.OK,
        f"PostgreSQL has {seen.connections} of {seen.connections_max}",
        "lower HUNTER_DB_POOL_SIZE or raise max_connections" if share > _CROWDED else "",
    )

    yield _messages(seen)
    yield _backup(seen)


def _messages(seen: Vitals) -> Reading:
    """Alerts on their way: an endpoint that is away is its owner's, a queue that stands is ours."""
    told = f"{seen.late_messages} late by a minute or more, {seen.dead_messages} given up"
    level = Level.WARNING if seen.late_messages or seen.dead_messages else Level.OK
    advice = "`hunter alerts deliveries` names the endpoints" if level is not Level.OK else ""
    return Reading("messages", level, told, advice)


def _backup(seen: Vitals) -> Reading:
    if seen.backup_s is None:
        return Reading("backup", Level.WARNING, "none yet", "docs/runbook.md#backuptooold")
    told = f"the last verified one ended {seen.backup_s / 3600:.1f} h ago"
    if seen.backup_s < _BACKUP_OLD_S:
        return Reading("backup", Level.OK, told)
    return Reading("backup", Level.WARNING, told, "docs/runbook.md#backuptooold")


def _schedule(standing: schedule.State) -> Reading:
    """Whether leads are scanned again when due, and changes told."""
    told = f"{standing.due} leads due, {standing.pending} changes wait for a second look"
    if standing.held_at is not None:
        why = standing.reason or "too much changed at once"
        return Reading("schedule", Level.FAULT, f"changes are held back: {why}", "hunter schedule")
    if standing.silent_at is not None:
        return Reading(
            "schedule",
            Level.WARNING,
            standing.reason or "scans stay unanswered",
            "hunter doctor dns",
        )
    if standing.paused_at is not None:
        return Reading("schedule", Level.WARNING, f"paused; {told}", "hunter schedule")
    return Reading("schedule", Level.OK, told)


def _aged(name: str, age_s: float, detail: str, advice: str) -> Reading:
    level = Level.OK if age_s < _OLD_S else Level.WARNING
    if age_s >= _STALLED_S:
        level = Level.FAULT
    return Reading(name, level, detail, "" if level is Level.OK else advice)


def _dispatch(seen: Vitals, hint_stale_s: float) -> Reading:
    """Work that is ready must be hinted again and again, or be claimed without hints."""
    name = "last dispatch"
    if seen.last_dispatch_s is None:
        return Reading(name, Level.OK, "never: there was no job yet")
    told = f"{seen.last_dispatch_s:.0f} s ago"
    if not seen.ready or seen.last_dispatch_s < 3 * hint_stale_s + _OLD_S:
        return Reading(name, Level.OK, told)
    return Reading(
        name, Level.FAULT, f"{told}, with work waiting", "no dispatcher runs: look at workers"
    )


async def _redis(config: Config) -> list[Reading]:
    if not config.redis_url:
        return [Reading("redis", Level.FAULT, "no Redis is set", "set HUNTER_REDIS_URL")]
    async with open_queue(config) as hints:
        answered = await _timed("redis", hints.ping, _REDIS_ADVICE)
        if answered.level is Level.FAULT:
            return [answered]
        wiped = await hints.generation() is Generation.WIPED
    told = "was wiped, or no worker ran yet" if wiped else "has its generation key"
    return [answered, Reading("hints", Level.OK, told)]


async def _name_servers(config: Config) -> list[Reading]:
    servers = config.dns_servers or servers_in(RESOLV_CONF)
    if not servers:
        return [Reading("dns", Level.FAULT, "no name server is set", "set HUNTER_DNS_SERVERS")]
    return list(await asyncio.gather(*(_name_server(each) for each in servers[:8])))


async def _name_server(address: tuple[str, int]) -> Reading:
    host, port = address
    name = f"dns {host}:{port}"
    reply = await Asker(address, limit=2, timeout_s=_DNS_TIMEOUT_S).ask(".", RRType.NS)
    if not reply.came:
        told = reply.error or f"no answer within {2 * _DNS_TIMEOUT_S:g} s"
        return Reading(name, Level.FAULT, told, "hunter doctor dns")
    return Reading(name, Level.OK, f"answers in {reply.rtt_s * 1000:.0f} ms")


async def _timed(name: str, ping: Callable[[], Awaitable[None]], advice: str) -> Reading:
    started = time.monotonic()
    try:
        async with asyncio.timeout(_LIMIT_S):
            await ping()
    except (TimeoutError, Unavailable, OSError) as error:
        return Reading(name, Level.FAULT, _word(error), advice)
    return Reading(name, Level.OK, f"answers in {(time.monotonic() - started) * 1000:.0f} ms")


def _word(error: Exception) -> str:
    """In our words: a driver's text may hold a host or a user."""
    if isinstance(error, TimeoutError):
        return f"no answer within {_LIMIT_S:g} s"
    return str(error) if isinstance(error, Unavailable) else "cannot connect"


_DATABASE_ADVICE: Final = (
    "is PostgreSQL up, and is HUNTER_DATABASE_URL right? docs/runbook.md#databaseunavailable"
)
_REDIS_ADVICE: Final = "is Redis up, and is HUNTER_REDIS_URL right? Work goes on without it: docs/runbook.md#redisunavailable"
