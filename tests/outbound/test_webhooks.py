"""Webhooks: signatures by the specification, answers understood, and nothing sent where it must not go."""

from __future__ import annotations

import base64
import datetime as dt
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from aiohttp import web
from standardwebhooks import Webhook, WebhookVerificationError

from hunter.core.channels import Outcome
from hunter.local.https import Handler
from hunter.outbound.http import Http
from hunter.outbound.webhooks import post, read_secret, sign, write_secret
from tests.outbound.test_guard import IN_DNS, IN_URL

pytestmark = pytest.mark.tool("openssl")

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = b'{"type":"lead.mx_changed","company":"\xc5\x9ei\xc5\x9fli"}'


def test_the_reference_library_takes_each_signature_of_a_rotation_and_no_other() -> None:
    keys = [read_secret(SECRET), b"k" * 32]
    headers = sign("msg-1", int(time.time()), BODY, keys)

    Webhook(SECRET).verify(BODY, headers)
    Webhook(write_secret(keys[1])).verify(BODY, headers)
    for secret, body in ((write_secret(b"x" * 32), BODY), (SECRET, BODY + b" ")):
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(BODY, headers | {"webhook-id": "msg-2"})
    assert headers["webhook-signature"].count(" ") == 1


@pytest.mark.parametrize("size", [23, 65])
def test_secrets_have_24_to_64_bytes(size: int) -> None:
    with pytest.raises(ValueError, match="24 to 64"):
        read_secret("whsec_" + base64.b64encode(b"k" * size).decode())
    with pytest.raises(ValueError, match="whsec_"):
        read_secret(base64.b64encode(b"k" * 32).decode())


async def loopback(_name: str) -> Sequence[str]:
    return ["127.0.0.1"]


def answering(status: int, **headers: str) -> Handler:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(status=status, headers=headers, text="said")

    return answer


async def busy_for_an_hour(_request: web.Request) -> web.Response:
    """Says until when, by the clock at the time of the answer."""
    then = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
    return web.Response(
        status=503, headers={"Retry-After": then.strftime("%a, %d %b %Y %H:%M:%S GMT")}
    )


ANSWERS: dict[str, tuple[Handler, Outcome, float | None]] = {
    "/200": (answering(200), Outcome.OK, None),
    "/204": (answering(204), Outcome.OK, None),
    "/301": (answering(301, Location="/200"), Outcome.REDIRECT, None),
    "/307": (answering(307, Location="https://elsewhere.example/"), Outcome.REDIRECT, None),
    "/400": (answering(400), Outcome.STATUS, None),
    "/410": (answering(410), Outcome.GONE, None),
    "/429": (answering(429, **{"Retry-After": "120"}), Outcome.THROTTLED, 120),
    "/429-bare": (answering(429), Outcome.THROTTLED, None),
    "/429-odd": (answering(429, **{"Retry-After": "soon"}), Outcome.THROTTLED, None),
    "/429-huge": (answering(429, **{"Retry-After": "9" * 40}), Outcome.THROTTLED, 7 * 86400),
    "/503-date": (busy_for_an_hour, Outcome.THROTTLED, 3600),
    "/503": (answering(503), Outcome.STATUS, None),
    "/500": (answering(500, **{"Retry-After": "5"}), Outcome.STATUS, None),
}


async def test_answers_mean_what_the_specification_says(
    open_client: Callable[..., Awaitable[Http]], serve: Callable[..., Awaitable[int]]
) -> None:
    routes = {path: handler for path, (handler, _, _) in ANSWERS.items()}
    port = await serve(routes, "hooks.example")
    http = await open_client(loopback)

    for path, (_, outcome, asked_s) in ANSWERS.items():
        tried = await post(http, f"https://hooks.example:{port}{path}", BODY, {}, timeout_s=20)
        assert (tried.outcome, tried.status) == (outcome, int(path[1:4])), path
        if asked_s is None:
            assert tried.asked_s is None, path
        else:
            assert tried.asked_s is not None, path
            assert abs(tried.asked_s - asked_s) < 60, path


async def test_no_hostile_address_is_ever_connected_to(
    canary: Any, open_client: Callable[..., Awaitable[Http]]
) -> None:
    """As names lead to them and as URLs have them; a rebinding name is in test_guard.py."""
    assert len(set(IN_DNS)) >= 60
    for address in IN_DNS:

        async def hostile(_name: str, address: str = address) -> Sequence[str]:
            return [address]

        http = await open_client(hostile, allow_loopback=False)
        url = f"https://hooks.example:{canary.port}/"
        tried = await post(http, url, BODY, {}, timeout_s=20)
        assert tried.outcome is Outcome.FORBIDDEN, address
    http = await open_client(loopback, allow_loopback=False)
    for host in IN_URL:
        url = f"https://{host}:{canary.port}/"
        tried = await post(http, url, BODY, {}, timeout_s=20)
        assert tried.outcome is Outcome.FORBIDDEN, host
    tried = await post(http, f"http://hooks.example:{canary.port}/", BODY, {}, timeout_s=20)
    assert tried.outcome is Outcome.FORBIDDEN

    assert canary.visits == 0


async def test_a_wrong_certificate_gets_no_message(
    open_client: Callable[..., Awaitable[Http]], serve: Callable[..., Awaitable[int]]
) -> None:
    came: list[bytes] = []

    async def take(request: web.Request) -> web.Response:
        came.append(await request.read())
        return web.Response()

    http = await open_client(loopback)
    for names, days in ((("other.example",), 2), (("hooks.example",), -1)):
        port = await serve({"/": take}, *names, days=days)
        tried = await post(http, f"https://hooks.example:{port}/", BODY, {}, timeout_s=20)
        assert tried.outcome is Outcome.CERTIFICATE

    assert came == []
