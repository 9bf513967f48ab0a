"""A client of a running API, for the commands that talk to one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp

from hunter.core.errors import InvalidInput, Unavailable

JSON = dict[str, Any]
#: seconds between two looks at a job
_POLL_S = 0.25


class Api:
    """The API at `url`; `key` is sent as bearer token when there is one."""

    def __init__(self, url: str, key: str = "") -> None:
        self.url = url.rstrip("/")
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._session = aiohttp.ClientSession(
            headers=headers,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=300),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        await self._session.close()

    async def get(self, path: str, **query: str | int) -> JSON:
        """GET below /api/v1."""
        async with self._answer("GET", path, params=query) as answer:
            return answer

    async def ingest(self, file: Path) -> JSON:
        """Send a company list; gives the batch with its job."""
        form = aiohttp.FormData(quote_fields=False)
        with file.open("rb") as handle:
            form.add_field("file", handle, filename=file.name, content_type="text/csv")
            async with self._answer("POST", "/ingest/csv", data=form) as answer:
                return answer

    async def finish(self, job_id: str, show: Callable[[JSON], None]) -> JSON:
        """Wait for a bulk job; `show` gets each look at its progress."""
        while True:
            progress = await self.get(f"/scan/bulk/{job_id}")
            show(progress)
            if progress["status"] in {"completed", "cancelled"}:
                return progress
            await asyncio.sleep(_POLL_S)

    @asynccontextmanager
    async def _answer(self, method: str, path: str, **how: Any) -> AsyncIterator[JSON]:  # passed on
        try:
            async with self._session.request(method, f"{self.url}/api/v1{path}", **how) as answer:
                if answer.status >= 400:
                    raise await _problem(answer)
                body: JSON = await answer.json()
        except aiohttp.InvalidURL as error:
            raise InvalidInput(
                f"{self.url} is not the URL of an API: http://127.0.0.1:8000 is one"
            ) from error
        except (aiohttp.ClientConnectionError, TimeoutError) as error:
            raise Unavailable(
                f"no API answers at {self.url}: start one with `hunter up`, or name it with --url"
            ) from error
        except aiohttp.ClientError as error:
            raise Unavailable(f"{self.url} does not speak like Hunter's API") from error
        yield body


async def _problem(answer: aiohttp.ClientResponse) -> InvalidInput | Unavailable:
    """The error of a problem document (RFC 9457), as far as the answer is one."""
    try:
        problem = await answer.json(content_type=None)
    except ValueError:
        problem = None
    if not isinstance(problem, dict):
        return Unavailable(f"{answer.url} answered {answer.status} without saying why")
    detail = str(problem.get("detail") or problem.get("title") or f"status {answer.status}")
    if answer.status >= 500:
        return Unavailable(f"the API answered {answer.status}: {detail}")
    if answer.status in {401, 403}:
        detail += " (set HUNTER_ADMIN_KEY to the API's key)"
    errors = problem.get("errors") or []
    return InvalidInput(
        detail, errors=tuple((str(e.get("pointer", "")), str(e.get("detail", ""))) for e in errors)
    )
