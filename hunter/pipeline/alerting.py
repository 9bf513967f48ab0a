"""Endpoints and rules made and tried by people: addresses checked and sealed, secrets made, tests sent."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import UUID
from zoneinfo import available_timezones

import msgspec

from hunter.config import Config
from hunter.core.advice import Language
from hunter.core.channels import Cadence, Channel
from hunter.core.digest_time import next_digest
from hunter.core.errors import InvalidInput
from hunter.outbound.guard import Guard, OutboundError, is_literal
from hunter.outbound.http import check_url
from hunter.outbound.mail import mailbox
from hunter.outbound.webhooks import read_secret, write_secret
from hunter.pipeline.digests import zone_of
from hunter.pipeline.sealing import Seal
from hunter.queue.hints import DELIVERIES, Hints
from hunter.store import alert_endpoints, alert_rules, alerts
from hunter.store.alert_endpoints import Edit, Endpoint, Sealed
from hunter.store.alerts import Attempt
from hunter.store.database import Connection, Database
from hunter.store.identifiers import uuid7

_KEY_BYTES: Final = 32
#: longest wait for a test: a try, and the wait for a worker
TEST_WAIT_S: Final = 15.0
_TEST_POLL_S: Final = 0.25


class NewEndpoint(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint as somebody wants it."""

    name: str
    kind: Channel
    language: Language
    #: URL, or a mail address
    address: str
    #: of a webhook; None: one is made
    secret: str | None = None


async def add_endpoint(
    db: Database, config: Config, new: NewEndpoint
) -> tuple[Endpoint, str | None]:
    """Store an endpoint; with the secret of a webhook, which is never shown again.

    Raises InvalidInput and Conflict.
    """
    address, shown = read_address(new.kind, new.address, config)
    secret = _secret(new)
    seal, made = Seal(str(config.key_pepper)), uuid7()
    sealed = Sealed(
        id=made,
        name=new.name,
        kind=new.kind,
        language=new.language,
        shown=shown,
        target=seal.close(address.encode(), made, "address"),
        secret=None if secret is None else seal.close(read_secret(secret), made, "secret"),
    )

    async def work(conn: Connection) -> Endpoint:
        await alert_endpoints.add(conn, sealed)
        return await alert_endpoints.get(conn, made)

    return await db.transact(work), secret


def _secret(new: NewEndpoint) -> str | None:
    if new.kind is not Channel.WEBHOOK:
        if new.secret is not None:
            told = f"{new.kind.value} has no place for a signature; leave the secret out"
            raise InvalidInput(f"The endpoint cannot be used: {told}.", errors=(("/secret", told),))
        return None
    return _checked_secret(new.secret) if new.secret else write_secret(os.urandom(_KEY_BYTES))


def _checked_secret(text: str) -> str:
    try:
        read_secret(text)
    except ValueError as error:
        raise InvalidInput(
            f"The secret cannot be used: it {error}.", errors=(("/secret", str(error)),)
        ) from None
    return text


def read_address(kind: Channel, text: str, config: Config) -> tuple[str, str]:
    """An address, checked, and what may be shown of it. Raises InvalidInput naming the fix.

    Where a name leads is looked at when it is dialled, every time; a literal address that will
    never be dialled is refused here already.
    """
    try:
        if kind is Channel.EMAIL:
            return _mail_address(text.strip())
        return _url(text.strip(), allow_loopback=config.outbound_loopback)
    except (ValueError, OutboundError) as error:
        told = str(error)
        raise InvalidInput(
            f"The address cannot be used: {told}.", errors=(("/address", told),)
        ) from None


def _mail_address(text: str) -> tuple[str, str]:
    name, _, domain = mailbox(text).partition("@")
    return text, f"{name[0]}…@{domain}"


def _url(text: str, *, allow_loopback: bool) -> tuple[str, str]:
    url = check_url(text, allow_plain=allow_loopback)
    host = url.host or ""
    if is_literal(host):
        Guard(_nowhere, allow_loopback=allow_loopback).check(host)
    port = "" if url.is_default_port() else f":{url.port}"
    return text, f"{url.scheme}://{url.host_subcomponent}{port}/…"


async def _nowhere(_name: str) -> Sequence[str]:
    return ()


async def change_endpoint(
    db: Database, config: Config, endpoint_id: UUID, edit: Edit, address: str | None
) -> Endpoint:
    """Change an endpoint, its address too. Raises NotFound, Conflict and InvalidInput."""

    async def work(conn: Connection) -> Endpoint:
        changed = edit
        if address is not None:
            found = await alert_endpoints.get(conn, endpoint_id)
            checked, shown = read_address(found.kind, address, config)
            target = Seal(str(config.key_pepper)).close(checked.encode(), endpoint_id, "address")
            changed = msgspec.structs.replace(edit, shown=shown, target=target)
        return await alert_endpoints.change(conn, endpoint_id, changed)

    return await db.transact(work)


async def rotate_secret(
    db: Database, config: Config, endpoint_id: UUID, *, secret: str | None, grace_s: float
) -> tuple[Endpoint, str]:
    """Give a webhook a new secret; both sign for `grace_s`. Raises NotFound, Conflict, InvalidInput."""
    text = _checked_secret(secret) if secret else write_secret(os.urandom(_KEY_BYTES))
    sealed = Seal(str(config.key_pepper)).close(read_secret(text), endpoint_id, "secret")

    async def work(conn: Connection) -> Endpoint:
        return await alert_endpoints.rotate(conn, endpoint_id, sealed, grace_s=grace_s)

    return await db.transact(work), text


def first_digest(cadence: Cadence, timezone: str, hour: int) -> datetime | None:
    """When a new daily rule first tells; None for others. Raises InvalidInput for no time zone."""
    if timezone != "UTC" and timezone not in available_timezones():
        told = "wants a name of the IANA time zone database, such as Europe/Istanbul"
        raise InvalidInput(
            f"The time zone cannot be used: it {told}.", errors=(("/timezone", told),)
        )
    if cadence is not Cadence.DAILY:
        return None
    return next_digest(datetime.now(UTC), hour, zone_of(timezone))


class Tested(msgspec.Struct, frozen=True, kw_only=True):
    """What an endpoint said to a test."""

    endpoint_id: UUID
    endpoint: str
    #: None: it is switched off, nothing was sent
    delivery_id: UUID | None
    #: None: no worker has tried it yet; the delivery tells later
    result: Attempt | None


async def try_rule(
    db: Database, hints: Hints, rule_id: UUID, *, wait_s: float = TEST_WAIT_S
) -> list[Tested]:
    """Send a message that says it is a test to every endpoint of a rule, and wait for their answers.

    It goes the way of all messages, so a worker has to run. Raises NotFound.
    """

    async def work(conn: Connection) -> list[tuple[Endpoint, UUID | None]]:
        rule = await alert_rules.get(conn, rule_id)
        return [
            (
                await alert_endpoints.get(conn, each),
                await alerts.add_test(conn, rule_id, each),
            )
            for each in rule.endpoints
        ]

    sent = await db.transact(work)
    await hints.announce(DELIVERIES)
    waiting = [delivery_id for _, delivery_id in sent if delivery_id is not None]
    results = await _results(db, waiting, wait_s)
    return [
        Tested(
            endpoint_id=endpoint.id,
            endpoint=endpoint.name,
            delivery_id=delivery_id,
            result=results.get(delivery_id) if delivery_id else None,
        )
        for endpoint, delivery_id in sent
    ]


async def _results(db: Database, waiting: Sequence[UUID], wait_s: float) -> Mapping[UUID, Attempt]:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + wait_s
    found: dict[UUID, Attempt] = {}
    while len(found) < len(waiting):
        async with db.acquire() as conn:
            for each in waiting:
                if each not in found and (tries := await alerts.attempts(conn, each)):
                    found[each] = tries[0]
        if len(found) == len(waiting) or loop.time() > deadline:
            break
        await asyncio.sleep(_TEST_POLL_S)
    return found
