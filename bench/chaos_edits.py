"""Zones edited under fire: an edit that held becomes one change with its alerts, and nothing else does."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

import asyncpg
from chaos_cluster import Cluster
from chaos_load import Callers

#: what an edit does, and the kind of change it is; each is wanted by the rules of the harness
KINDS: Final = ("mx_changed", "dmarc_added", "spf_changed")
#: names edited: of three, two hold, and one is taken back before it can be confirmed
_EDITED: Final = 60
#: names scanned beside them that nobody edits
_BESIDE: Final = 240
#: of the storm, when edits are made: the first half with those that are taken back, then the others
_FIRST_AT, _SECOND_AT = 0.15, 0.5
#: of the time after which a look confirms: an edit that is taken back is in force so long
_TAKEN_BACK_AT: Final = 0.5
_POLL_S: Final = 0.3
#: the kind that undoes a kind, where it is another one
_BACK: Final = {"dmarc_added": "dmarc_removed", "dmarc_removed": "dmarc_added"}

_OK: Final = """
    SELECT domain FROM lead WHERE domain = ANY($1::text[]) AND scan_status = 'ok' AND pending IS NULL
"""
#: names that still wait for a second look, and scheduled scans that are not through
_UNSETTLED: Final = """
    SELECT (SELECT count(*) FROM lead WHERE domain = ANY($1::text[]) AND pending IS NOT NULL)
        + (SELECT count(*) FROM scan_job
           WHERE purpose <> 'asked' AND status IN ('pending', 'running'))
"""
_CHANGES: Final = "SELECT id, domain, kind FROM change WHERE domain = ANY($1::text[])"
#: that a question went unanswered is an event, and no change of a domain
_OF_NO_EDIT: Final = """
    SELECT domain, kind FROM change
    WHERE domain <> ALL($1::text[]) AND id <> ALL($2::uuid[])
      AND kind NOT IN ('observation_failed', 'scan_health_degraded')
"""


@dataclass(slots=True)
class Edited:
    """What is wrong with the changes of edited zones, and how many there were."""

    #: edits that held until confirmed, and those taken back before they could be
    held: int = 0
    taken_back: int = 0
    #: changes of the kinds that rules want, to be looked for among the alerts
    wanted: list[UUID] = field(default_factory=list)
    missing: int = 0
    doubled: int = 0
    #: changes of domains nobody edited, and of edits taken back that were not taken back too
    untrue: int = 0
    #: changes there and back of edits that were taken back: a frozen name server had kept them in force
    believed_too_long: int = 0
    #: still waiting for a second look at the end
    unsettled: int = 0
    told: list[str] = field(default_factory=list)

    @property
    def violations(self) -> int:
        """Zero, or the run has failed."""
        return self.missing + self.doubled + self.untrue + self.unsettled


def name_of(number: int) -> str:
    """The edited names; nobody else has one of these."""
    return f"edited{number}.example"


def zone_of(number: int, *, is_edited: bool) -> str:
    """The records of an edited name, before or after the edit of its kind."""
    name, kind = name_of(number), KINDS[number % len(KINDS)]
    spf = "~all" if is_edited and kind == "spf_changed" else "-all"
    lines = [f"{name} MX 10 mx1.{name}", f'{name} TXT "v=spf1 mx {spf}"']
    lines += [f"mx{host}.{name} A 192.0.2.{host}" for host in (1, 2)]
    if is_edited and kind == "mx_changed":
        lines.append(f"{name} MX 20 mx2.{name}")
    if is_edited and kind == "dmarc_added":
        lines.append(f'_dmarc.{name} TXT "v=DMARC1; p=reject"')
    return "\n".join(lines) + "\n"


class Editor:
    """Edits zones in the storm, and has each of them scanned; the second look is Hunter's own affair."""

    def __init__(self, cluster: Cluster, callers: Callers, draw: random.Random) -> None:
        self.cluster = cluster
        self.callers = callers
        self.names = [name_of(number) for number in range(_EDITED)]
        self._beside = draw.sample(list(callers.names), min(_BESIDE, len(callers.names)))
        numbers = list(range(_EDITED))
        draw.shuffle(numbers)
        third = _EDITED // 3
        self._first, self._second = set(numbers[:third]), set(numbers[third : 2 * third])
        self._taken_back = set(numbers[2 * third :])

    async def begin(self, patience_s: float) -> None:
        """In the calm: have all of them known before anything is edited. Raises RuntimeError."""
        await self._serve(set())
        await self._scanned(patience_s)
        async with self.cluster.connection() as conn:
            known = len(await conn.fetch(_OK, self.names))
        if known < len(self.names):
            raise RuntimeError(f"{known} of {len(self.names)} names are known before the storm")

    async def go_on(self, seconds: float) -> None:
        """In a storm of so many seconds: edit, take some back, and edit again."""
        await asyncio.sleep(_FIRST_AT * seconds)
        await self._serve(self._first | self._taken_back)
        await self._scan()
        await asyncio.sleep(_TAKEN_BACK_AT * self.cluster.shape.confirm_s)
        await self._serve(self._first)
        await self._scan()
        await asyncio.sleep((_SECOND_AT - _FIRST_AT) * seconds)
        await self._serve(self._first | self._second)
        await self._scan()

    async def settle(self, patience_s: float) -> None:
        """When all is healed: every edit is looked at once more, and confirmed; at most so long."""
        await self._serve(self._first | self._second)
        await self._scanned(patience_s)
        ends = time.monotonic() + patience_s
        while await self._unsettled() and time.monotonic() < ends:  # noqa: ASYNC110  # tables tell nobody
            await asyncio.sleep(_POLL_S)

    async def audit(self, told: Sequence[UUID]) -> Edited:
        """All changes in the table against the edits; `told` are those the harness wrote itself."""
        held = {name_of(number) for number in self._first | self._second}
        async with self.cluster.connection() as conn:
            found = await audit_edits(conn, held, {*self.names} - held, told)
        found.unsettled = await self._unsettled()
        return found

    async def _serve(self, edited: set[int]) -> None:
        await self.cluster.serve_edits(
            "".join(zone_of(number, is_edited=number in edited) for number in range(_EDITED))
        )

    async def _scan(self) -> str:
        sent = await self.callers.bulk([*self.names, *self._beside])
        assert sent.job_id
        return sent.job_id

    async def _scanned(self, patience_s: float) -> None:
        job, ends = await self._scan(), time.monotonic() + patience_s
        while (await self.callers.progress(job))["status"] != "completed":
            if time.monotonic() > ends:
                return  # the audit tells
            await asyncio.sleep(_POLL_S)

    async def _unsettled(self) -> int:
        async with self.cluster.connection() as conn:
            return int(await conn.fetchval(_UNSETTLED, self.names))


async def audit_edits(
    conn: asyncpg.Connection, held: set[str], taken_back: set[str], told: Sequence[UUID]
) -> Edited:
    """Count changes that are missing, doubled or of nothing that was edited for good."""
    found = Edited(held=len(held), taken_back=len(taken_back))
    rows = await conn.fetch(_CHANGES, [*held, *taken_back])
    found.wanted = [row["id"] for row in rows if row["kind"] in KINDS]
    counts = Counter((row["domain"], row["kind"]) for row in rows)
    for domain in held:
        if not counts[domain, kind_of(domain)]:
            found.missing += 1
            found.told.append(f"{domain}: no {kind_of(domain)}")
    for (domain, kind), count in counts.items():
        if kind == "observation_failed":
            continue
        if domain in taken_back:
            back = counts[domain, _BACK.get(kind, kind)]
            found.believed_too_long += count
            if count % 2 if _BACK.get(kind, kind) == kind else count != back:
                found.untrue += 1
                found.told.append(f"{domain}: {count} {kind}, and it was taken back")
        elif count > 1:
            found.doubled += count - 1
            found.told.append(f"{domain}: {count} {kind}")
    for row in await conn.fetch(_OF_NO_EDIT, [*held, *taken_back], told):
        found.untrue += 1
        found.told.append(f"{row['domain']}: {row['kind']}, and nobody edited it")
    return found


def kind_of(domain: str) -> str:
    """The change that the edit of a name is."""
    return KINDS[int(domain.removeprefix("edited").removesuffix(".example")) % len(KINDS)]
