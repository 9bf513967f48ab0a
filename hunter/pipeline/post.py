"""The ways out of a worker for messages: HTTPS behind the guard, the operator's mail relay, the seal."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from hunter.config import Config
from hunter.outbound.guard import Resolve
from hunter.outbound.http import Http, open_outbound, tls_context
from hunter.outbound.mail import Mailer, read_relay
from hunter.pipeline.sealing import Seal


class Post(msgspec.Struct, frozen=True):
    """What a message leaves by."""

    http: Http
    #: None without HUNTER_SMTP_URL
    mailer: Mailer | None
    seal: Seal


@asynccontextmanager
async def open_post(config: Config, resolve: Resolve) -> AsyncIterator[Post]:
    """The ways out that the settings allow, closed at the end of the block."""
    async with open_outbound(config, resolve) as http:
        mailer = None
        if config.smtp_url:
            tls = tls_context(config.outbound_ca_file)
            relay = read_relay(str(config.smtp_url))
            mailer = Mailer(http.guard, relay, tls, sender=config.smtp_from)
        yield Post(http, mailer, Seal(str(config.key_pepper)))
