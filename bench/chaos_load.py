"""The callers: bulks and single scans sent until they are accepted, and a book of every 202 seen."""

from __future__ import annotations

import asyncio
import json
import random
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from chaos_cluster import Cluster

#: answers after which the same request with the same key is right to repeat
_TRY_AGAIN = frozenset({409, 425, 429, 503})
_LONGEST_REQUEST_S = 45.0
_LONGEST_PAUSE_S = 2.0
_WAIT_S = 10


@dataclass(slots=True)
class Submission:
    """A list that was sent, and what came of it."""

    key: str
    names: tuple[str, ...]
    phase: str
    lane: str
    #: every job id a 202 or 200 named; more than one is a job too many
    job_ids: set[str] = field(default_factory=set)
    #: results in the table right after the cancel was answered
    rows_at_cancel: int | None = None

    @property
    def job_id(self) -> str | None:
        """The job, once an acceptance was seen."""
        return next(iter(self.job_ids), None)


@dataclass(slots=True)
class Ledger:
    """What the callers know. Nothing in here comes out of Hunter's tables."""

    submissions: list[Submission] = field(default_factory=list)
    #: phase and seconds from the request to the result, of single scans
    latencies: list[tuple[str, float]] = field(default_factory=list)
    #: answers nobody should get, by status
    wrong: dict[str, int] = field(default_factory=dict)
    #: requests by how they ended: a status, or the name of the exception
    requests: dict[str, int] = field(default_factory=dict)
    longest_request_s: float = 0.0

    def accepted(self, phase: str | None = None) -> list[Submission]:
        """Those with a job, of one phase or of all."""
        return [s for s in self.submissions if s.job_ids and phase in {None, s.phase}]


class Callers:
    """Sends to whichever API process answers, and repeats what was not answered under the same key."""

    def __init__(self, cluster: Cluster, names: Sequence[str], draw: random.Random) -> None:
        self.ledger = Ledger()
        self.phase = "calm"
        self.cluster = cluster
        self.names = names
        self.draw = draw
        self._at = 0
        self._turn = 0
        self._http = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=_LONGEST_REQUEST_S, connect=3),
            connector=aiohttp.TCPConnector(limit=0, force_close=True),
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    def take(self, count: int) -> list[str]:
        """The next names, from the start again when they are used up."""
        taken: list[str] = []
        while len(taken) < count:
            more = self.names[self._at : self._at + count - len(taken)]
            self._at = (self._at + len(more)) % len(self.names)
            taken += more
        return taken[:count]

    async def bulk(self, names: Sequence[str]) -> Submission:
        """Send a list until it is accepted; one in four is sent once more, as if the 202 was lost."""
        sent = self.new(names, "bulk")
        # an answer that is lost on its way makes a caller repeat a request that was accepted
        repeats = 2 if self.draw.random() < 0.25 else 1
        for _ in range(repeats):
            answer = await self._until_answered(
                "POST",
                "/api/v1/scan/bulk",
                data="\n".join(names).encode(),
                headers={"Content-Type": "text/plain", "Idempotency-Key": sent.key},
            )
            sent.job_ids.add(answer["job_id"])
        return sent

    async def single(self) -> None:
        """One scan somebody waits for."""
        name = self.draw.choice(self.names)
        sent = self.new([name], "interactive")
        phase, begin = self.phase, time.monotonic()
        answer = await self._until_answered(
            "POST",
            "/api/v1/scan/domain",
            data=json.dumps({"domain": name}).encode(),
            headers={
                "Content-Type": "application/json",
                "Idempotency-Key": sent.key,
                "Prefer": f"wait={_WAIT_S}",
            },
        )
        sent.job_ids.add(answer["job_id"])
        while not answer["is_result"]:
            progress = await self._until_answered("GET", f"/api/v1/scan/bulk/{sent.job_id}")
            if progress["status"] == "completed":
                break
            await asyncio.sleep(0.25)
        self.ledger.latencies.append((phase, time.monotonic() - begin))

    async def singles(self, every_s: float) -> None:
        """Single scans at a steady rate, however long each takes, until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                group.create_task(self.single())
                await asyncio.sleep(every_s)

    async def cancelled(self, names: Sequence[str], after_s: float) -> None:
        """A bulk that is cancelled under way; counts its rows as soon as the cancel is answered."""
        sent = await self.bulk(names)
        await asyncio.sleep(after_s)
        answer = await self._until_answered(
            "POST", f"/api/v1/scan/bulk/{sent.job_id}/cancel", conflict_is_answer=True
        )
        if answer.get("status") != "cancelled":
            return
        while sent.rows_at_cancel is None:
            try:
                async with self.cluster.connection() as conn:
                    sent.rows_at_cancel = await conn.fetchval(
                        "SELECT count(*) FROM scan_result WHERE job_id = $1",
                        uuid.UUID(sent.job_id),
                    )
            except Exception:  # noqa: BLE001  # PostgreSQL is down: whatever the driver says
                await asyncio.sleep(0.1)

    async def progress(self, job_id: str) -> dict[str, Any]:
        """What the API says of a job."""
        return await self._until_answered("GET", f"/api/v1/scan/bulk/{job_id}")

    async def results(self, job_id: str) -> list[str]:
        """The domains in the API's answer for the results of a job."""
        url = f"{self._url()}/api/v1/scan/bulk/{job_id}/results"
        async with self._http.get(url, headers={"Accept": "application/x-ndjson"}) as answer:
            answer.raise_for_status()
            return [json.loads(line)["domain"] async for line in answer.content]

    def new(self, names: Sequence[str], lane: str) -> Submission:
        """Enter a list into the book before it is sent."""
        key = str(uuid.UUID(int=self.draw.getrandbits(128), version=4))
        # Hunter folds what comes twice in a list
        sent = Submission(key, tuple(dict.fromkeys(names)), self.phase, lane)
        self.ledger.submissions.append(sent)
        return sent

    def _url(self) -> str:
        self._turn += 1
        return self.cluster.api_urls[self._turn % len(self.cluster.api_urls)]

    async def _until_answered(
        self, method: str, path: str, *, conflict_is_answer: bool = False, **request: Any
    ) -> dict[str, Any]:
        while True:
            begin = time.monotonic()
            try:
                async with self._http.request(method, self._url() + path, **request) as answer:
                    body = await answer.json(content_type=None)
                    ended, status = str(answer.status), answer.status
                    pause = float(answer.headers.get("Retry-After", "0.2"))
                    location = answer.headers.get("Location", "")
            except (aiohttp.ClientError, TimeoutError, ConnectionError, ValueError) as error:
                ended, status, pause, body, location = type(error).__name__, 0, 0.1, {}, ""
            self._count(ended, time.monotonic() - begin)
            if status in {200, 202} or (status == 409 and conflict_is_answer):
                told = location.rpartition("/")[2]
                return {**body, "job_id": body.get("job_id") or told, "is_result": status == 200}
            if status and status not in _TRY_AGAIN:
                told = f"{method} {path.split('/')[4]} {status}"
                self.ledger.wrong[told] = self.ledger.wrong.get(told, 0) + 1
            await asyncio.sleep(min(pause, _LONGEST_PAUSE_S))

    def _count(self, ended: str, took_s: float) -> None:
        ledger = self.ledger
        ledger.requests[ended] = ledger.requests.get(ended, 0) + 1
        ledger.longest_request_s = max(ledger.longest_request_s, took_s)
