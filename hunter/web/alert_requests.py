"""What callers send about alerts: rules, endpoints, and what they look for."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

import msgspec
from aiohttp import web

from hunter.core.advice import Language
from hunter.core.channels import QUIET, Cadence, Channel, Kind
from hunter.core.judgement import Segment
from hunter.web.bodies import Digest, json_body, media_type
from hunter.web.requests import Moment, PageQuery
from hunter.web.schema import T, read_json

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
Word = Annotated[str, msgspec.Meta(min_length=1, max_length=253)]
Words = Annotated[list[Word], msgspec.Meta(min_length=1, max_length=1000)]
Market = Annotated[str, msgspec.Meta(pattern="^([a-z0-9]{2}|global)$")]


def _loud() -> list[Kind]:
    return [kind for kind in Kind if kind not in QUIET]


class Filters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which changes a rule wants. Every filter that is given has to hold; without, any change does."""

    #: all but dkim_key_rotated and dane_ready without
    kinds: Annotated[list[Kind], msgspec.Meta(min_length=1)] = msgspec.field(default_factory=_loud)
    segments: Annotated[list[Segment], msgspec.Meta(min_length=1)] | None = None
    #: where the mailboxes are, or were before they moved
    providers: Words | None = None
    min_score: Annotated[int, msgspec.Meta(ge=0, le=100)] | None = None
    #: 2: leads of P1 and P2
    lowest_priority: Annotated[int, msgspec.Meta(ge=1, le=6)] | None = None
    #: leads that have one of these
    tags: Words | None = None
    #: these domains only, as their leads are named
    domains: Words | None = None
    #: country codes, and global for names under no country's
    markets: Annotated[list[Market], msgspec.Meta(min_length=1)] | None = None


class RuleBody(Filters, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An alert rule."""

    name: Name
    #: ids of endpoints to tell
    endpoints: Annotated[list[UUID], msgspec.Meta(min_length=1, max_length=20)]
    enabled: bool = True
    #: daily: one message a day with all changes, none on a day without
    cadence: Cadence = Cadence.IMMEDIATE
    #: of a daily rule: by the IANA database
    timezone: Annotated[str, msgspec.Meta(max_length=64)] = "UTC"
    #: of a daily rule: hour of the day there
    digest_hour: Annotated[int, msgspec.Meta(ge=0, le=23)] = 8


class EndpointBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where alerts go."""

    name: Name
    kind: Channel
    #: an https URL, or a mail address for kind email
    address: Annotated[str, msgspec.Meta(min_length=1, max_length=2048)]
    language: Language = Language.EN
    #: of a webhook, whsec_ and Base64; one is made without
    secret: Annotated[str, msgspec.Meta(max_length=200)] | None = None


class EndpointEdit(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is to be another; what is left out stays."""

    name: Name | None = None
    address: Annotated[str, msgspec.Meta(min_length=1, max_length=2048)] | None = None
    language: Language | None = None
    #: disabled: nothing is sent, what is due waits for up to three and a half days
    state: Literal["active", "disabled"] | None = None


class RotateBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A new secret for a webhook."""

    #: one is made without
    secret: Annotated[str, msgspec.Meta(max_length=200)] | None = None
    #: hours for which the secret of before signs too
    grace_hours: Annotated[float, msgspec.Meta(ge=0, le=720)] = 24.0


class AlertsQuery(PageQuery, frozen=True, forbid_unknown_fields=True):
    """A page of alerts, newest first."""

    rule: UUID | None = None
    domain: str | None = None
    kind: Kind | None = None
    acknowledged: bool | None = None


class DeliveriesQuery(PageQuery, frozen=True, forbid_unknown_fields=True):
    """A page of messages, newest first."""

    state: Literal["ready", "leased", "done", "dead"] | None = None
    rule: UUID | None = None
    endpoint: UUID | None = None
    domain: str | None = None


class ReplayBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Messages made in a stretch of time, to be sent again as they were; 10,000 in one call."""

    since: Moment
    until: Moment
    states: Annotated[tuple[Literal["dead", "done"], ...], msgspec.Meta(min_length=1)] = ("dead",)
    endpoint: UUID | None = None


class DryRunQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far back to look."""

    days: Annotated[int, msgspec.Meta(ge=1, le=366)] = 30


async def read_body(
    request: web.Request,
    kind: type[T],
    *,
    may_be_empty: bool = False,
    digest: Digest | None = None,
) -> T:
    """The JSON body as a value of `kind`; an empty one, where it may be, as {}."""
    media_type(request, "application/json")
    if may_be_empty and not request.can_read_body:
        return read_json(b"{}", kind)
    return read_json(await json_body(request, digest or Digest(request)), kind)
