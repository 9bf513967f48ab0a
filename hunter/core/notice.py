"""What a message about changes says: one plain sentence each, the record before and after, a link."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from hunter.core.advice import Language
from hunter.core.channels import Kind
from hunter.core.notice_words import FIELDS, NO, NOTHING, SENTENCES, TITLES, YES
from hunter.core.registration import plain_text

#: changes that a digest tells one by one; Teams refuses messages over 28 KB
MAX_TOLD: Final = 20


class _Room(msgspec.Struct, frozen=True):
    """How much is told of each change."""

    #: records that differ
    lines: int
    #: characters of one side of a record
    value: int


_ALONE: Final = _Room(10, 200)
_AMONG_OTHERS: Final = _Room(2, 60)


class Lead(msgspec.Struct, frozen=True, kw_only=True):
    """A lead as receivers see it: no contacts, no notes."""

    display_name: str = ""
    company_name: str | None = None
    segment: str | None = None
    priority: int | None = None
    score: int | None = None
    confidence: float | None = None
    provider: str | None = None
    mx_operator: str | None = None
    gateway: str | None = None
    tenant_state: str | None = None
    mail_state: str | None = None
    posture: str | None = None
    dmarc_policy: str | None = None


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A change as it is told, the same for every rule and at every try."""

    change_id: str
    kind: Kind
    at: dt.datetime
    #: rises with every change; of two events of a domain the later one has the greater
    sequence: int
    domain: str
    before: dict[str, Any]
    after: dict[str, Any]
    lead: Lead
    rules_version: str


class Line(msgspec.Struct, frozen=True):
    """A record that changed."""

    label: str
    before: str
    after: str


class Item(msgspec.Struct, frozen=True):
    """One change in words."""

    sentence: str
    lines: tuple[Line, ...]
    #: "" without HUNTER_PUBLIC_URL
    url: str


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """A message in words, for every channel that people read; all of it plain text."""

    language: Language
    title: str
    items: tuple[Item, ...]
    #: "and 12 more", "" when all are told
    more: str = ""
    #: which rule it is of
    footer: str


def event_notice(event: Event, *, rule: str, language: Language, public_url: str) -> Notice:
    """One change in words."""
    item = _item(event, language, public_url, _ALONE)
    return Notice(
        language=language, title=item.sentence, items=(item,), footer=_footer(rule, language)
    )


def digest_notice(
    events: Sequence[Event],
    total: int,
    *,
    day: dt.date,
    rule: str,
    language: Language,
    public_url: str,
) -> Notice:
    """The changes of a day in words; of more than MAX_TOLD the rest as a number."""
    told = tuple(_item(event, language, public_url, _AMONG_OTHERS) for event in events[:MAX_TOLD])
    words = TITLES[language]
    left = total - len(told)
    return Notice(
        language=language,
        title=words["digest"].format(count=total, day=day.isoformat(), rule=plain_text(rule)),
        items=told,
        more=words["more"].format(count=left) if left else "",
        footer=_footer(rule, language),
    )


def trial_notice(*, rule: str, language: Language) -> Notice:
    """What the test button sends."""
    words = TITLES[language]
    return Notice(language=language, title=words["test"], items=(), footer=_footer(rule, language))


def lead_url(public_url: str, domain: str) -> str:
    """Where a lead is shown; "" without an address of this installation."""
    return f"{public_url.rstrip('/')}/api/v1/leads/{domain}" if public_url else ""


def _footer(rule: str, language: Language) -> str:
    return TITLES[language]["footer"].format(rule=plain_text(rule))


def _item(event: Event, language: Language, public_url: str, room: _Room) -> Item:
    sentence = SENTENCES[language][event.kind].format(who=_who(event))
    return Item(sentence, _lines(event, language, room), lead_url(public_url, event.domain))


def _who(event: Event) -> str:
    """The company with its domain, whatever somebody wrote into the list it came from."""
    company = plain_text(event.lead.company_name)[:80]
    shown = plain_text(event.lead.display_name) or event.domain
    return f"{company} ({shown})" if company and company != shown else shown


def _lines(event: Event, language: Language, room: _Room) -> tuple[Line, ...]:
    names = [*event.before, *(name for name in event.after if name not in event.before)]
    return tuple(
        Line(
            FIELDS[language].get(name, plain_text(name.replace("_", " "))),
            said(event.before.get(name), language, room.value),
            said(event.after.get(name), language, room.value),
        )
        for name in names
        if event.before.get(name) != event.after.get(name)
    )[: room.lines]


def said(value: object, language: Language, length: int = 200) -> str:
    """A value of a record as one line of plain text of at most `length` characters."""
    told = plain_text(_flat(value, language)[:1000])
    if len(told) > length:
        told = told[: length - 1].rstrip() + "…"
    return told or NOTHING[language]


def _flat(value: object, language: Language) -> str:
    if value is None:
        return NOTHING[language]
    if isinstance(value, bool):
        return YES[language] if value else NO[language]
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {_flat(each, language)}" for name, each in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(_flat(each, language) for each in value)
    return str(value)
