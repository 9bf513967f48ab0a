"""A courier at work and somebody's servers, for tests of messages."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from uuid import UUID

import pytest
from aiohttp import web

from hunter.config import Config
from hunter.local.https import served
from hunter.ops.metrics import Metrics
from hunter.outbound.webhooks import read_secret
from hunter.pipeline.courier import Courier
from hunter.pipeline.post import open_post
from hunter.queue.hints import Hints
from hunter.store.database import Database
from tests.alerting import SECRET, endpoint, rule

KEY = b"\x00" + read_secret(SECRET)
Answer = Callable[[web.Request, bytes], Any]


class Receiver:
    """Somebody's server: keeps what came, answers as told."""

    def __init__(self) -> None:
        self.came: list[tuple[dict[str, str], bytes]] = []
        self.url = ""
        self.answer: Answer = lambda _request, _body: web.Response(status=200, text="ok")

    async def take(self, request: web.Request) -> web.StreamResponse:
        """Any request."""
        body = await request.read()
        self.came.append(({k.lower(): v for k, v in request.headers.items()}, body))
        answer = self.answer(request, body)
        found: web.StreamResponse = await answer if asyncio.iscoroutine(answer) else answer
        return found

    def status(self, *statuses: int, **headers: str) -> None:
        """Answer with these, the last one for ever."""
        left = list(statuses)
        self.answer = lambda _request, _body: web.Response(
            status=left.pop(0) if len(left) > 1 else left[0], headers=headers
        )


class Case:
    """What a test does with rules, endpoints and what becomes of messages."""

    def __init__(self, db: Database) -> None:
        self.db = db

    async def ask(self, query: str, *arguments: object) -> Any:
        """One value out of the database."""
        async with self.db.acquire() as conn:
            return await conn.fetchval(query, *arguments)

    async def until(self, query: str, limit_s: float = 20) -> None:
        """Wait until a query is true."""
        async with asyncio.timeout(limit_s):
            while not await self.ask(query):
                await asyncio.sleep(0.02)

    async def endpoint(self, url: str, kind: str = "webhook", **fields: Any) -> UUID:
        """An endpoint; a webhook with SECRET."""
        if kind == "webhook":
            fields = {"secret": KEY} | fields
        async with self.db.acquire() as conn:
            return await endpoint(conn, fields.pop("name", url), kind=kind, address=url, **fields)

    async def rule(self, *endpoints: UUID, **fields: Any) -> UUID:
        """A rule that matches every change."""
        async with self.db.acquire() as conn:
            return await rule(conn, *endpoints, **fields)

    async def again(self) -> None:
        """Do not wait for the ladder, or for a breaker."""
        await self.ask("UPDATE delivery SET due_at = now() WHERE state = 'ready' RETURNING 1")
        await self.ask("UPDATE alert_endpoint SET open_until = NULL RETURNING 1")


@pytest.fixture
def case(db: Database) -> Case:
    """What a test does with rules, endpoints and what becomes of messages."""
    return Case(db)


Receive = Callable[[], Any]


@pytest.fixture
async def receive() -> AsyncIterator[Receive]:
    """Starts receivers."""
    async with AsyncExitStack() as stack:

        async def start() -> Receiver:
            receiver = Receiver()
            port = await stack.enter_async_context(served({"/hook": receiver.take}, None))
            receiver.url = f"http://hooks.example:{port}/hook"
            return receiver

        yield start


async def loopback(_name: str) -> Sequence[str]:
    return ["127.0.0.1"]


@pytest.fixture
def delivering(config: Config, db: Database, hints: Hints) -> Callable[..., Any]:
    """A courier at work while inside."""

    @asynccontextmanager
    async def run(metrics: Metrics | None = None, **changed: Any) -> AsyncIterator[Courier]:
        settings = dataclasses.replace(
            config, outbound_loopback=True, public_url="https://hunter.example", **changed
        )
        async with open_post(settings, loopback) as post:
            courier = Courier(db, hints, post, metrics or Metrics(), settings)
            running = asyncio.create_task(courier.run())
            try:
                yield courier
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)

    return run
