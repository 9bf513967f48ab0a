"""What a message says, made once before it is first sent: JSON for programs, words for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from hunter.core.cards import slack_message, teams_message
from hunter.core.channels import Channel
from hunter.core.notice import (
    Event,
    Notice,
    digest_notice,
    event_notice,
    lead_url,
    trial_notice,
)
from hunter.outbound.mail import compose
from hunter.store.outbox import Parcel

#: events of a digest that a program gets
MAX_EVENTS: Final = 500


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """What a message is made of."""

    parcel: Parcel
    #: of a digest; otherwise the one event, or none
    events: Sequence[Event]
    #: events of the day; more than `events` where there are very many
    total: int
    public_url: str


def write(letter: Letter, *, address: str, sender: str) -> bytes:
    """The bytes that are sent, and sent again, for a message."""
    match letter.parcel.target.channel:
        case Channel.WEBHOOK:
            return msgspec.json.encode(_payload(letter))
        case Channel.SLACK:
            return msgspec.json.encode(slack_message(_notice(letter)))
        case Channel.TEAMS:
            return msgspec.json.encode(teams_message(_notice(letter)))
        case Channel.EMAIL:
            return compose(
                _notice(letter),
                message_id=str(letter.parcel.id),
                sender=sender,
                recipient=address,
                at=letter.parcel.created_at,
            )


def _notice(letter: Letter) -> Notice:
    parcel, language = letter.parcel, letter.parcel.target.language
    if parcel.kind == "test":
        return trial_notice(rule=parcel.rule_name, language=language)
    if parcel.digest_day is not None:
        return digest_notice(
            letter.events,
            letter.total,
            day=parcel.digest_day,
            rule=parcel.rule_name,
            language=language,
            public_url=letter.public_url,
        )
    event = letter.events[0]
    return event_notice(
        event, rule=parcel.rule_name, language=language, public_url=letter.public_url
    )


def _payload(letter: Letter) -> dict[str, Any]:
    """type, timestamp and data, as the Standard Webhooks specification wants them."""
    parcel = letter.parcel
    rule = {"id": str(parcel.rule_id), "name": parcel.rule_name}
    if parcel.kind == "test":
        return _envelope("alerts.test", parcel.created_at, {"rule": rule})
    if parcel.digest_day is not None:
        data = {
            "rule": rule,
            "day": parcel.digest_day,
            "count": letter.total,
            "events": [_event(each, letter.public_url) for each in letter.events],
        }
        return _envelope("alerts.digest", parcel.created_at, data)
    event = letter.events[0]
    data = _event(event, letter.public_url) | {"rule": rule}
    return _envelope(f"lead.{event.kind}", event.at, data)


def _envelope(kind: str, at: object, data: dict[str, Any]) -> dict[str, Any]:
    return {"type": kind, "timestamp": at, "data": data}


def _event(event: Event, public_url: str) -> dict[str, Any]:
    told: dict[str, Any] = msgspec.to_builtins(event)
    return told | {"url": lead_url(public_url, event.domain) or None}
