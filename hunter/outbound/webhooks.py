"""Webhooks out: signed by the Standard Webhooks specification, and what the answer means."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final

import msgspec

from hunter.core.channels import Outcome
from hunter.core.registration import plain_text
from hunter.outbound.guard import Failure, OutboundError
from hunter.outbound.http import Http, Limits, Response

_PREFIX: Final = "whsec_"
#: of the answer's body, for people who look for a mistake
_EXCERPT: Final = 2000
_LONGEST_WAIT_S: Final = 7 * 86_400.0
_OUTCOMES: Final = {
    Failure.NO_HOST: Outcome.NO_HOST,
    Failure.UNRESOLVED: Outcome.UNRESOLVED,
    Failure.FORBIDDEN: Outcome.FORBIDDEN,
    Failure.UNREACHABLE: Outcome.UNREACHABLE,
    Failure.CERTIFICATE: Outcome.CERTIFICATE,
    Failure.TIMEOUT: Outcome.TIMEOUT,
    Failure.TOO_LARGE: Outcome.PROTOCOL,
    Failure.REDIRECT: Outcome.REDIRECT,
    Failure.PROTOCOL: Outcome.PROTOCOL,
}


class Tried(msgspec.Struct, frozen=True):
    """What came of one try."""

    outcome: Outcome
    #: HTTP status or SMTP reply code; None without an answer
    status: int | None = None
    #: what was said, as one short line
    detail: str = ""
    #: seconds after which the endpoint wants to be asked again
    asked_s: float | None = None


def write_secret(key: bytes) -> str:
    """A key as receivers are given it: whsec_ and Base64."""
    return _PREFIX + base64.b64encode(key).decode()


def read_secret(text: str) -> bytes:
    """The key of a secret. Raises ValueError unless it is whsec_ and Base64 of 24 to 64 bytes."""
    try:
        key = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if not text.startswith(_PREFIX) or not 24 <= len(key) <= 64:
        raise ValueError("wants whsec_ and Base64 of 24 to 64 bytes")
    return key


def sign(message_id: str, timestamp: int, body: bytes, keys: Sequence[bytes]) -> dict[str, str]:
    """The three headers of a message, signed with each of the keys: two while a secret is rotated."""
    content = f"{message_id}.{timestamp}.".encode() + body
    signatures = [
        "v1," + base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode() for key in keys
    ]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signatures),
    }


async def post(
    http: Http, url: str, body: bytes, headers: Mapping[str, str], *, timeout_s: float
) -> Tried:
    """Send a message once. Never raises; no redirection is followed."""
    limits = Limits(timeout_s=timeout_s, body_bytes=_EXCERPT, is_brief=True)
    sent = {"Content-Type": "application/json", **headers}
    try:
        answer = await http.request("POST", url, limits, headers=sent, body=body)
    except OutboundError as error:
        return failed(error)
    return _judged(answer)


def failed(error: OutboundError) -> Tried:
    """A try without an answer."""
    return Tried(_OUTCOMES[error.failure], detail=plain_text(str(error)))


def _judged(answer: Response) -> Tried:
    status = answer.status
    detail = plain_text(answer.body.decode("utf-8", "replace"))
    asked_s = None
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        outcome = Outcome.OK
    elif HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        outcome = Outcome.REDIRECT
        detail = f"to {plain_text(answer.headers.get('location', ''))}, which is not followed"
    elif status == HTTPStatus.GONE:
        outcome = Outcome.GONE
    else:
        asked_s = _asked_s(answer.headers, dt.datetime.now(dt.UTC))
        is_wait = status == HTTPStatus.TOO_MANY_REQUESTS or (
            status == HTTPStatus.SERVICE_UNAVAILABLE and asked_s is not None
        )
        outcome = Outcome.THROTTLED if is_wait else Outcome.STATUS
        asked_s = asked_s if is_wait else None
    return Tried(outcome, status, detail, asked_s)


def _asked_s(headers: Mapping[str, str], now: dt.datetime) -> float | None:
    """Retry-After in seconds, of either form (RFC 9110 section 10.2.3); None without a usable one."""
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), _LONGEST_WAIT_S)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=dt.UTC)
    return min(max(0.0, (at - now).total_seconds()), _LONGEST_WAIT_S)
