"""Leads pushed by CRMs, forms and automation tools, by key or by signature."""

from __future__ import annotations

import hmac
import time
from collections.abc import Sequence
from itertools import islice
from typing import Final

import msgspec
from aiohttp import web

from hunter.core.answers import Depth
from hunter.core.errors import InvalidInput, LimitExceeded
from hunter.outbound.webhooks import read_secret, sign
from hunter.pipeline.accept import Idempotency
from hunter.pipeline.pushed import PushedLead, event_id, pushed_leads
from hunter.pipeline.pushes import LEADS_MAX, ingest_push
from hunter.web.bodies import Digest, json_body, media_type
from hunter.web.callers import SIGNED_CALLER
from hunter.web.ingests import ingest_settings
from hunter.web.keys import CALLER, CONFIG, DB, HINTS, METRICS
from hunter.web.middleware import API
from hunter.web.problems import Malformed, NotAuthenticated
from hunter.web.receipts import push_view
from hunter.web.repeats import idempotency_of
from hunter.web.requests import IngestQuery
from hunter.web.scans import JSON
from hunter.web.schema import read_query, render

#: so far the clocks of sender and receiver may differ: the specification's own figure
_TOLERANCE_S: Final = 300
#: characters of an event's id that count
_EVENT_CHARS: Final = 200


async def ingest_webhook(request: web.Request) -> web.Response:
    """POST /ingest/webhook"""
    media_type(request, JSON)
    query = read_query(request, IngestQuery)
    digest = Digest(request)
    body = await json_body(request, digest)
    _require_signature(request, body)
    payload = _decoded(body)
    event = request.headers.get("webhook-id") or event_id(payload)
    done = await ingest_push(
        request.app[DB],
        request.app[HINTS],
        request.app[METRICS],
        _leads(payload),
        settings=ingest_settings(request, query.source or "webhook", query.depth or Depth.QUICK),
        idempotency=_once(request, digest, event),
    )
    status = 202 if done.scan else 200
    return render(push_view(done, event or None), status=status)


def _decoded(body: bytes) -> object:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Malformed(f"The body is not JSON: {error}.") from error
    except RecursionError as error:
        raise Malformed("The body is nested too deeply.") from error


def _leads(payload: object) -> Sequence[PushedLead]:
    if not isinstance(payload, dict | list):
        raise InvalidInput(
            "The body holds no lead.",
            errors=(("/", "send an object or a list of objects with a domain, website or email"),),
        )
    leads = list(islice(pushed_leads(payload), LEADS_MAX + 1))
    if len(leads) > LEADS_MAX:
        raise LimitExceeded(
            f"More than {LEADS_MAX:,} leads in one push. Send them in parts, or as a file to "
            "/ingest/csv."
        )
    return leads


def _once(request: web.Request, digest: Digest, event: str) -> Idempotency | None:
    """An event counts once: by Idempotency-Key, else by the id its sender gave it.

    Of signed requests the id alone: it is signed, the other header is not.
    """
    given = idempotency_of(request, digest, is_read=True)
    is_signed = request[CALLER] == SIGNED_CALLER
    if (given is not None and not is_signed) or not event:
        return given
    shown = event[:_EVENT_CHARS].encode("ascii", "backslashreplace").decode()[:_EVENT_CHARS]
    return Idempotency(
        f"event {shown}", request.method, f"{API}/ingest/webhook", digest.value, True
    )


def _require_signature(request: web.Request, body: bytes) -> None:
    """Raises NotAuthenticated when nothing but a good signature would let the caller in."""
    secret = str(request.app[CONFIG].ingest_webhook_secret)
    if not secret or request[CALLER] not in {SIGNED_CALLER, "anonymous"}:
        return
    if not _is_signed(request, body, read_secret(secret)):
        raise NotAuthenticated(
            "The signature is missing, wrong or older than five minutes. Sign as Standard Webhooks "
            "says (webhook-id, webhook-timestamp, webhook-signature), or send a key."
        )


def _is_signed(request: web.Request, body: bytes, key: bytes) -> bool:
    message_id = request.headers.get("webhook-id", "")
    sent_at = request.headers.get("webhook-timestamp", "")
    shown = request.headers.get("webhook-signature", "")
    if not message_id or not sent_at.isascii() or not sent_at.isdigit() or len(sent_at) > 12:
        return False
    if abs(time.time() - int(sent_at)) > _TOLERANCE_S:
        return False
    wanted = sign(message_id, int(sent_at), body, [key])["webhook-signature"].encode()
    given = (each.encode("utf-8", "replace") for each in shown.split(" ")[:10])
    return any(hmac.compare_digest(wanted, each) for each in given)
