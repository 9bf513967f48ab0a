"""A client of a running API, for the commands that talk to one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote

import aiohttp
import msgspec

from hunter.core.errors import InvalidInput, Unavailable
from hunter.store.jobs import JobProgress
from hunter.store.pages import Page
from hunter.store.schedule import State
from hunter.web.changes import ChangeView, LeadChanges, ObservationView
from hunter.web.receipts import BatchView
from hunter.web.views import LeadItem, TenantView

T = TypeVar("T")
#: seconds between two looks at a job
_POLL_S = 0.25


class _Fault(msgspec.Struct):
    """One place of a problem document."""

    pointer: str = ""
    detail: str = ""


class _Problem(msgspec.Struct):
    """A problem document (RFC 9457), as far as it is needed here."""

    title: str = ""
    detail: str = ""
    errors: list[_Fault] = []


class Api:
    """The API at `url`; `key` is sent as bearer token when there is one.

    Every call raises InvalidInput when the API refuses, Unavailable when it is away, busy, or
    not Hunter's.
    """

    def __init__(self, url: str, key: str = "") -> None:
        self.url = url.rstrip("/")
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=300)
        self._session = aiohttp.ClientSession(headers=headers, timeout=timeout)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        await self._session.close()

    async def ingest(self, file: Path) -> BatchView:
        """Send a company list."""
        with file.open("rb") as handle:
            form = aiohttp.FormData(quote_fields=False)
            form.add_field("file", handle, filename=file.name, content_type="text/csv")
            return await self._ask(BatchView, "POST", "/ingest/csv", data=form)

    async def finish(self, job_id: str, show: Callable[[JobProgress], None]) -> JobProgress:
        """Wait for a bulk job; `show` gets each look at its progress."""
        while True:
            job = await self._ask(JobProgress, "GET", f"/scan/bulk/{job_id}")
            show(job)
            if job.status in {"completed", "cancelled"}:
                return job
            await asyncio.sleep(_POLL_S)

    async def jobs(self) -> list[JobProgress]:
        """The newest bulk jobs."""
        page = await self._ask(Page[JobProgress], "GET", "/scan/bulk")
        return page.items

    async def job(self, job_id: str) -> JobProgress:
        """How far a job is."""
        return await self._ask(JobProgress, "GET", f"/scan/bulk/{quote(job_id, safe='')}")

    async def act(self, job_id: str, action: str) -> JobProgress:
        """Cancel or redrive a job; how that one, or the new one, is."""
        path = f"/scan/bulk/{quote(job_id, safe='')}/{action}"
        return await self._ask(JobProgress, "POST", path)

    async def best_leads(self, count: int, **wanted: str) -> list[LeadItem]:
        """The leads to call first, of those that the filters of `GET /leads` let through."""
        params = {"limit": count, **wanted}
        page = await self._ask(Page[LeadItem], "GET", "/leads", params=params)
        return page.items

    async def history(self, domain: str, count: int) -> list[ObservationView]:
        """What was seen of a lead, newest first."""
        path = f"/leads/{quote(domain, safe='')}/history"
        page = await self._ask(Page[ObservationView], "GET", path, params={"limit": count})
        return page.items

    async def lead_changes(self, domain: str, count: int, lang: str) -> LeadChanges:
        """What became different about a lead, newest first."""
        path = f"/leads/{quote(domain, safe='')}/changes"
        return await self._ask(LeadChanges, "GET", path, params={"limit": count, "lang": lang})

    async def changes(self, count: int, **wanted: str) -> list[ChangeView]:
        """What became different about all leads, newest first."""
        params = {"limit": count, **wanted}
        page = await self._ask(Page[ChangeView], "GET", "/changes", params=params)
        return page.items

    async def schedule(self, action: str | None = None) -> State:
        """How the schedule stands, after pause, resume or release."""
        if action is None:
            return await self._ask(State, "GET", "/admin/schedule")
        return await self._ask(State, "POST", f"/admin/schedule/{action}")

    async def tenants(self, count: int) -> list[TenantView]:
        """The Microsoft tenants with the leads to call first."""
        page = await self._ask(Page[TenantView], "GET", "/tenants", params={"limit": count})
        return page.items

    async def download(
        self, path: str, params: dict[str, str] | None = None
    ) -> AsyncGenerator[bytes, None]:
        """A file, piece by piece. Raises Unavailable when it breaks off."""
        try:
            async with self._session.get(f"{self.url}/api/v1{path}", params=params) as answer:
                if answer.status >= 400:
                    raise _refusal(answer.status, await answer.read())
                async for piece in answer.content.iter_any():
                    yield piece
        except (aiohttp.ClientError, TimeoutError) as error:
            told = f"no API answers at {self.url}, or the file from there broke off"
            raise Unavailable(told) from error

    async def ask(self, kind: type[T], method: str, path: str, **how: Any) -> T:
        """Any operation under /api/v1, its answer as a value of `kind`."""
        return await self._ask(kind, method, path, **how)

    async def _ask(self, kind: type[T], method: str, path: str, **how: Any) -> T:
        try:
            async with self._session.request(method, f"{self.url}/api/v1{path}", **how) as answer:
                body = await answer.read()
                if answer.status >= 400:
                    raise _refusal(answer.status, body)
                return msgspec.json.decode(body, type=kind)
        except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError) as error:
            told = f"{self.url} is not the URL of an API; http://127.0.0.1:8000 is one"
            raise InvalidInput(told) from error
        except (aiohttp.ClientConnectionError, TimeoutError) as error:
            told = (
                f"no API answers at {self.url}: start one with `hunter up`, or name it with --url"
            )
            raise Unavailable(told) from error
        except (aiohttp.ClientError, msgspec.DecodeError) as error:
            raise Unavailable(f"{self.url} does not speak like Hunter's API") from error


def _refusal(status: int, body: bytes) -> InvalidInput | Unavailable:
    try:
        problem = msgspec.json.decode(body, type=_Problem)
    except msgspec.DecodeError:
        return Unavailable(f"the API answered {status} without saying why")
    detail = problem.detail or problem.title
    if status >= 500:
        return Unavailable(f"the API answered {status}: {detail}")
    if status in {401, 403}:
        detail += " (set HUNTER_ADMIN_KEY to the API's key)"
    return InvalidInput(detail, errors=tuple((e.pointer, e.detail) for e in problem.errors))
