"""Messages reach their endpoints: the same bytes under the same id until they are taken, and no one waits for another."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import UUID

import msgspec
import pytest
from aiohttp import web
from standardwebhooks import Webhook

from hunter.config import Secret
from hunter.ops.metrics import Metrics
from hunter.outbound.webhooks import read_secret
from hunter.pipeline.digests import Digester
from hunter.pipeline.sealing import Seal
from hunter.queue.hints import Hints
from hunter.store.database import Database
from tests.alerting import SECRET, happen
from tests.pipeline.couriers import Case, Receive


async def test_a_webhook_is_signed_so_that_the_reference_library_takes_it(
    case: Case, db: Database, receive: Receive, delivering: Callable[..., Any]
) -> None:
    receiver = await receive()
    made = await case.rule(await case.endpoint(receiver.url), name="moves")
    metrics = Metrics()
    change_id = await happen(db, "contoso.example", before={"mx": ["a."]}, after={"mx": ["b."]})

    async with delivering(metrics):
        await case.until("SELECT count(*) = 1 FROM delivery WHERE state = 'done'")

    headers, body = receiver.came[0]
    told = Webhook(SECRET).verify(body, headers)
    assert headers["webhook-id"] == str(await case.ask("SELECT id FROM delivery"))
    assert (told["type"], told["data"]["change_id"]) == ("lead.mx_changed", str(change_id))
    assert told["data"]["rule"] == {"id": str(made), "name": "moves"}
    assert (told["data"]["before"], told["data"]["after"]) == ({"mx": ["a."]}, {"mx": ["b."]})
    assert told["data"]["lead"]["segment"] == "migration"
    assert told["data"]["url"] == "https://hunter.example/api/v1/leads/contoso.example"
    assert isinstance(told["data"]["sequence"], int)
    assert {"timestamp", "type", "data"} == set(told)
    attempts = metrics.hunter_delivery_attempts_total
    assert attempts.get({"channel": "webhook", "outcome": "ok"}) == 1
    assert len(receiver.came) == 1


async def test_a_retry_has_the_same_id_and_bytes_and_a_new_signature(
    case: Case, db: Database, receive: Receive, delivering: Callable[..., Any]
) -> None:
    receiver = await receive()
    receiver.status(500, 302, 200)
    await case.rule(await case.endpoint(receiver.url))
    await happen(db, "contoso.example", lead={"company_name": "Before"})

    async with delivering():
        await case.until("SELECT count(*) = 1 FROM delivery_attempt")
        # what is known of the lead is another thing by then
        await case.ask("UPDATE lead SET company_name = 'After' RETURNING 1")
        assert await case.ask("SELECT due_at > now() + interval '3 seconds' FROM delivery")
        await case.again()
        await case.until("SELECT count(*) = 2 FROM delivery_attempt")
        await case.again()
        await case.until("SELECT count(*) = 1 FROM delivery WHERE state = 'done'")

    assert len({headers["webhook-id"] for headers, _ in receiver.came}) == 1
    assert len({body for _, body in receiver.came}) == 1
    for headers, body in receiver.came:
        Webhook(SECRET).verify(body, headers)
    outcomes = "SELECT string_agg(outcome, ' ' ORDER BY epoch) FROM delivery_attempt"
    assert await case.ask(outcomes) == "status redirect ok"
    assert await case.ask("SELECT failures FROM alert_endpoint") == 0


async def test_410_ends_an_endpoint_and_all_that_waits_for_it(
    case: Case, db: Database, receive: Receive, delivering: Callable[..., Any]
) -> None:
    receiver = await receive()
    receiver.status(500, 410)
    await case.rule(await case.endpoint(receiver.url))
    metrics = Metrics()

    async with delivering(metrics):
        await happen(db, "a.example")
        await case.until("SELECT count(*) = 1 FROM delivery_attempt")
        await happen(db, "b.example")
        await case.until("SELECT count(*) = 2 FROM delivery WHERE state = 'dead'")

    assert await case.ask("SELECT state_reason FROM alert_endpoint") == "gone"
    assert await case.ask("SELECT count(*) FROM delivery WHERE last_error = 'gone'") == 2
    assert metrics.hunter_deliveries_dead_total.get({}) == 1
    assert len(receiver.came) == 2


@pytest.mark.parametrize("status", [429, 503])
async def test_an_endpoint_that_asks_to_wait_is_left_alone_for_so_long(
    status: int, case: Case, db: Database, receive: Receive, delivering: Callable[..., Any]
) -> None:
    receiver = await receive()
    receiver.status(status, **{"Retry-After": "900"})
    await case.rule(await case.endpoint(receiver.url))
    await happen(db, "a.example")

    async with delivering():
        await case.until("SELECT count(*) = 1 FROM delivery_attempt")

    later = "BETWEEN now() + interval '800 seconds' AND now() + interval '901 seconds'"
    assert await case.ask(f"SELECT due_at {later} FROM delivery")
    assert await case.ask(f"SELECT open_until {later} AND failures = 0 FROM alert_endpoint")
    assert await case.ask("SELECT last_error FROM delivery") == "throttled"


async def test_both_secrets_sign_while_one_is_rotated(
    case: Case, db: Database, receive: Receive, delivering: Callable[..., Any]
) -> None:
    receiver = await receive()
    old = "whsec_" + "Y" * 32
    until = await case.ask("SELECT now() + interval '1 hour'")
    await case.rule(
        await case.endpoint(
            receiver.url, old_secret=b"\x00" + read_secret(old), old_secret_until=until
        )
    )

    async with delivering():
        await happen(db, "a.example")
        await case.until("SELECT count(*) = 1 FROM delivery WHERE state = 'done'")
        await case.ask("UPDATE alert_endpoint SET old_secret_until = now() RETURNING 1")
        await happen(db, "b.example")
        await case.until("SELECT count(*) = 2 FROM delivery WHERE state = 'done'")

    (during, first), (after, second) = receiver.came
    Webhook(SECRET).verify(first, during)
    Webhook(old).verify(first, during)
    Webhook(SECRET).verify(second, after)
    assert len(after["webhook-signature"].split()) == 1


async def test_endpoints_that_never_answer_delay_no_other(
    case: Case, db: Database, receive: Receive, delivering: Callable[..., Any]
) -> None:
    """More dead endpoints than there are slots for; those that work are served while they hang."""
    dead, good = await receive(), await receive()
    hang = asyncio.Event()

    async def never(_request: web.Request, _body: bytes) -> web.Response:
        await hang.wait()
        return web.Response()

    dead.answer = never
    many = [await case.endpoint(dead.url, name=f"dead {n}", failures=1) for n in range(100)]
    await case.rule(*many)
    await happen(db, "contoso.example")
    async with delivering():
        async with asyncio.timeout(20):
            while len(dead.came) < 8:
                await asyncio.sleep(0.02)
        await case.rule(await case.endpoint(good.url), domains=[f"d{n}.example" for n in range(20)])
        for number in range(20):
            await happen(db, f"d{number}.example")
        await case.until(
            "SELECT count(*) = 20 FROM delivery d JOIN alert_endpoint e ON e.id = d.endpoint_id "
            "WHERE d.state = 'done' AND e.name NOT LIKE 'dead%'"
        )
        assert await case.ask("SELECT count(*) FROM delivery_attempt") == 20
        assert await case.ask("SELECT count(*) <= 64 FROM delivery WHERE state = 'leased'")
        hang.set()

    assert len(good.came) == 20


async def test_an_endpoint_has_few_messages_under_way_and_after_a_failure_one(
    case: Case, db: Database, receive: Receive, delivering: Callable[..., Any]
) -> None:
    receiver = await receive()
    release = asyncio.Event()

    async def slow(_request: web.Request, _body: bytes) -> web.Response:
        await release.wait()
        return web.Response(status=500)

    receiver.answer = slow
    await case.rule(await case.endpoint(receiver.url))
    for number in range(12):
        await happen(db, f"d{number}.example")

    async with delivering(), delivering():
        async with asyncio.timeout(20):
            while len(receiver.came) < 8:
                await asyncio.sleep(0.02)
        assert await case.ask("SELECT count(*) FROM delivery WHERE state = 'leased'") == 8
        release.set()
        await case.until("SELECT count(*) = 12 FROM delivery_attempt")
    # the eight at once count as one, then one follows the other
    assert await case.ask("SELECT failures = 5 AND open_until > now() FROM alert_endpoint")

    release.clear()
    await case.again()
    async with delivering():
        async with asyncio.timeout(20):
            while len(receiver.came) < 13:
                await asyncio.sleep(0.02)
        assert await case.ask("SELECT count(*) FROM delivery WHERE state = 'leased'") == 1
        release.set()


async def test_bodies_without_end_or_haste_do_not_matter(
    case: Case, db: Database, receive: Receive, delivering: Callable[..., Any]
) -> None:
    receiver = await receive()

    async def flood(request: web.Request, _body: bytes) -> web.StreamResponse:
        response = web.StreamResponse(status=200)
        await response.prepare(request)
        drip = len(receiver.came) % 2
        for _ in range(2000):
            await response.write(b"x" if drip else b"x" * 65536)
            await asyncio.sleep(0.3 if drip else 0)
        return response

    receiver.answer = flood
    await case.rule(await case.endpoint(receiver.url))
    for number in range(4):
        await happen(db, f"d{number}.example")

    async with delivering():
        await case.until("SELECT count(*) = 4 FROM delivery WHERE state = 'done'")

    assert await case.ask("SELECT max(length(detail)) <= 500 FROM delivery_attempt")


async def test_a_message_that_was_taken_over_is_not_recorded_twice(
    case: Case, db: Database, receive: Receive, delivering: Callable[..., Any]
) -> None:
    receiver = await receive()
    release = asyncio.Event()

    async def slow(_request: web.Request, _body: bytes) -> web.Response:
        await release.wait()
        return web.Response(status=500)

    receiver.answer = slow
    await case.rule(await case.endpoint(receiver.url))
    await happen(db, "a.example")
    async with delivering():
        async with asyncio.timeout(20):
            while not receiver.came:
                await asyncio.sleep(0.02)
        # as if the lease had run out and another worker had delivered it
        await case.ask(
            "UPDATE delivery SET epoch = epoch + 1, state = 'done', ended_at = now() RETURNING 1"
        )
        release.set()

    assert await case.ask("SELECT state FROM delivery") == "done"
    assert await case.ask("SELECT count(*) FROM delivery_attempt") == 0
    assert await case.ask("SELECT failures FROM alert_endpoint") == 0


async def test_an_address_sealed_under_another_pepper_is_told_and_tried_later(
    case: Case, db: Database, delivering: Callable[..., Any]
) -> None:
    sealed = Seal("one pepper").close(b"http://hooks.example/", UUID(int=7), "address")
    await case.rule(await case.endpoint("x", kind="slack", id=UUID(int=7), target=sealed))
    await happen(db, "a.example")

    async with delivering(key_pepper=Secret("another pepper")):
        await case.until("SELECT count(*) = 1 FROM delivery_attempt")

    assert await case.ask("SELECT state || ' ' || last_error FROM delivery") == "ready unsealable"
    assert await case.ask("SELECT failures FROM alert_endpoint") == 0


async def test_chats_get_their_formats(
    case: Case, db: Database, receive: Receive, delivering: Callable[..., Any]
) -> None:
    receiver = await receive()
    await case.rule(
        await case.endpoint(receiver.url, kind="slack", name="slack"),
        await case.endpoint(receiver.url, kind="teams", name="teams", language="tr"),
    )
    await happen(db, "a.example", lead={"company_name": "<!channel> *Acme*"})

    async with delivering():
        await case.until("SELECT count(*) = 2 FROM delivery WHERE state = 'done'")

    told = [msgspec.json.decode(body) for _, body in receiver.came]
    slack = next(each for each in told if "blocks" in each)
    teams = next(each for each in told if "attachments" in each)
    assert slack["text"].startswith("&lt;!channel&gt; *Acme* (a.example) receives")
    assert slack["blocks"][0]["text"]["type"] == "plain_text"
    card = teams["attachments"][0]["content"]
    assert "postasını" in card["body"][0]["inlines"][0]["text"]
    assert all("webhook-signature" not in headers for headers, _ in receiver.came)


async def test_a_day_is_one_digest_and_an_empty_day_none(
    case: Case, db: Database, hints: Hints, receive: Receive, delivering: Callable[..., Any]
) -> None:
    receiver = await receive()
    due = await case.ask("SELECT now() - interval '1 minute'")
    made = await case.rule(
        await case.endpoint(receiver.url),
        cadence="daily",
        digest_at=due,
        timezone="Europe/Istanbul",
    )
    digester = Digester(db, hints)
    for number in range(3):
        await happen(db, f"d{number}.example")

    # two workers at once
    found = await asyncio.gather(digester.make_one(), digester.make_one())
    await case.ask("UPDATE alert_rule SET digest_at = now() - interval '1 minute' RETURNING 1")
    await happen(db, "late.example")
    await digester.make_one()
    await case.ask("UPDATE alert_rule SET digest_at = now() - interval '1 minute' RETURNING 1")
    await digester.make_one()
    async with delivering():
        await case.until("SELECT count(*) = 2 FROM delivery WHERE state = 'done'")

    assert sorted(found) == [False, True]
    told = [Webhook(SECRET).verify(body, headers) for headers, body in receiver.came]
    counts = sorted((each["data"]["count"], len(each["data"]["events"])) for each in told)
    assert counts == [(1, 1), (3, 3)]
    assert await case.ask("SELECT count(DISTINCT digest_day) FROM delivery") == 2
    assert await case.ask("SELECT count(*) FROM alert WHERE awaits_digest") == 0
    assert await case.ask("SELECT digest_at > now() FROM alert_rule WHERE id = $1", made)
