"""Rules and endpoints changed while a message is on its way, and a worker whose clock is wrong."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import pytest
from aiohttp import web
from standardwebhooks import Webhook

from hunter.outbound.webhooks import read_secret
from hunter.store import alert_endpoints, alert_rules
from hunter.store.alert_endpoints import Edit
from hunter.store.database import Connection
from tests.alerting import SECRET, happen
from tests.pipeline.couriers import Case, Receive, Receiver

FIRST = "SELECT state || coalesce(' ' || last_error, '') FROM delivery WHERE domain = 'a.example'"
Delivering = Callable[..., Any]


@asynccontextmanager
async def on_its_way(case: Case, receiver: Receiver) -> AsyncIterator[None]:
    """While inside, a message of a.example has arrived and has no answer; at the end it fails."""
    arrived, answered = asyncio.Event(), asyncio.Event()

    async def hesitate(_request: web.Request, _body: bytes) -> web.Response:
        arrived.set()
        await answered.wait()
        return web.Response(status=500)

    receiver.answer = hesitate
    await happen(case.db, "a.example")
    try:
        async with asyncio.timeout(20):
            await arrived.wait()
            yield
    finally:
        receiver.status(200)
        answered.set()
    await case.until("SELECT state <> 'leased' OR epoch > 1 FROM delivery")


def ids(receiver: Receiver) -> list[str]:
    """The messages that came."""
    return [headers["webhook-id"] for headers, _ in receiver.came]


async def test_of_a_rule_deleted_while_its_message_is_sent_nothing_is_sent_again(
    case: Case, receive: Receive, delivering: Delivering
) -> None:
    receiver = await receive()
    target = await case.endpoint(receiver.url)
    deleted = await case.rule(target)

    async def delete(conn: Connection) -> None:
        await alert_rules.delete(conn, deleted)

    async with delivering():
        async with on_its_way(case, receiver):
            await case.db.transact(delete)
        assert await case.ask(FIRST) == "dead rule_deleted", "its failure changed nothing"
        await case.again()
        await case.rule(target)
        await happen(case.db, "b.example")
        await case.until("SELECT count(*) = 1 FROM delivery WHERE state = 'done'")

    assert len(ids(receiver)) == len(set(ids(receiver))) == 2
    assert b"b.example" in receiver.came[1][1]
    assert await case.ask("SELECT count(*) FROM delivery_attempt") == 1


async def test_an_endpoint_disabled_while_a_message_is_sent_gets_it_when_it_is_enabled(
    case: Case, receive: Receive, delivering: Delivering
) -> None:
    receiver, other = await receive(), await receive()
    target = await case.endpoint(receiver.url)
    await case.rule(target)

    async def switch(conn: Connection, *, is_on: bool) -> None:
        await alert_endpoints.change(conn, target, Edit(is_active=is_on))

    async with delivering():
        async with on_its_way(case, receiver):
            await case.db.transact(lambda conn: switch(conn, is_on=False))
        assert await case.ask(FIRST) == "ready status"
        await case.again()
        await case.rule(await case.endpoint(other.url))
        await happen(case.db, "b.example")
        await case.until("SELECT count(*) = 1 FROM delivery WHERE state = 'done'")
        assert len(receiver.came) == 1, "claims went on without it"

        await case.db.transact(lambda conn: switch(conn, is_on=True))
        await case.again()
        await case.until("SELECT count(*) = 3 FROM delivery WHERE state = 'done'")

    bodies: dict[str, set[bytes]] = {}
    for headers, body in receiver.came:
        bodies.setdefault(headers["webhook-id"], set()).add(body)
    assert len(receiver.came) == 3
    assert [len(each) for each in bodies.values()] == [1, 1], "no second text under one id"


async def test_a_secret_rotated_while_a_message_is_sent_signs_the_next_try_of_the_same_text(
    case: Case, receive: Receive, delivering: Delivering
) -> None:
    receiver = await receive()
    target = await case.endpoint(receiver.url)
    await case.rule(target)
    new = "whsec_" + "Z" * 32

    async def rotate(conn: Connection) -> None:
        await alert_endpoints.rotate(conn, target, b"\x00" + read_secret(new), grace_s=3600)

    async with delivering():
        async with on_its_way(case, receiver):
            await case.db.transact(rotate)
        await case.again()
        await case.until("SELECT count(*) = 1 FROM delivery WHERE state = 'done'")

    (before, first), (after, second) = receiver.came
    assert (before["webhook-id"], first) == (after["webhook-id"], second)
    Webhook(SECRET).verify(first, before)
    assert len(before["webhook-signature"].split()) == 1
    for secret in (SECRET, new):
        Webhook(secret).verify(second, after)


@pytest.mark.parametrize("hours", [-30, 30])
async def test_a_worker_whose_clock_is_wrong_signs_by_that_of_the_database(
    case: Case,
    receive: Receive,
    delivering: Delivering,
    monkeypatch: pytest.MonkeyPatch,
    hours: int,
) -> None:
    receiver = await receive()
    await case.rule(await case.endpoint(receiver.url))
    receiver.status(500, 200)
    right = time.time
    monkeypatch.setattr(time, "time", lambda: right() + 3600 * hours)

    async with delivering():
        made: UUID = await happen(case.db, "a.example")
        await case.until("SELECT count(*) = 1 FROM delivery_attempt")
        assert await case.ask(
            "SELECT due_at BETWEEN now() AND now() + interval '10 seconds' FROM delivery"
        ), "the ladder begins now"
        await case.again()
        await case.until("SELECT count(*) = 1 FROM delivery WHERE state = 'done'")
    monkeypatch.undo()

    assert str(made).encode() in receiver.came[0][1]
    for headers, body in receiver.came:
        Webhook(SECRET).verify(body, headers)  # which refuses what is five minutes off
