"""Leads in the JSON that CRMs, forms and automation tools push: which value is what."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec

from hunter.pipeline.columns import heading_kind, looks_like_mail, looks_like_web

#: how deep an object is looked into, and how many values of one
_DEPTH_MAX: Final = 8
_VALUES_MAX: Final = 2000
#: characters of a value that are read
_TEXT_MAX: Final = 2048
#: keys under which a list of leads stands
_LISTS: Final = (
    "leads", "data", "items", "records", "results", "objects", "contacts", "companies", "rows",
    "events", "value",
)  # fmt: skip
#: keys whose object is about the company: a name in it is the company's
_COMPANIES: Final = frozenset(
    {"company", "account", "organization", "organisation", "firma", "sirket"}
)
#: keys whose object is about something else
_OTHERS: Final = frozenset(
    {"owner", "user", "sender", "author", "createdby", "form", "metadata", "definition"}
)
_EVENT_IDS: Final = ("event_id", "eventId", "webhook_id", "delivery_id")
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


class PushedLead(msgspec.Struct, frozen=True):
    """One lead as it was pushed: where its domain may be read from, the best first."""

    addresses: tuple[str, ...]
    company_name: str = ""


def event_id(payload: object) -> str:
    """The id that the sender gave the event in its body; "" without one."""
    if isinstance(payload, dict):
        for name in _EVENT_IDS:
            value = payload.get(name)
            if isinstance(value, str | int) and str(value):
                return str(value)
    return ""


def pushed_leads(payload: object) -> Iterator[PushedLead]:
    """The leads in a decoded body, in its order; an object without an address gives one without.

    Read are flat and nested objects, lists of them, HubSpot's `properties` (with and without
    `value` objects) and `propertyName`/`propertyValue`, and Typeform's `answers`.
    """
    for each in _objects(payload):
        found: dict[str, list[str]] = {"web": [], "mail": [], "company": [], "name": []}
        for kind, text in _capped(_values(each, "", 0)):
            if text.strip():
                found[kind].append(text.strip()[:_TEXT_MAX])
        # the name of somebody with an e-mail address is a person's
        names = found["company"] or ([] if found["mail"] else found["name"])
        yield PushedLead(tuple(found["web"] + found["mail"]), next(iter(names), ""))


def _capped(values: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    for number, value in enumerate(values):
        if number >= _VALUES_MAX:
            return
        yield value


def _objects(payload: object) -> Iterator[object]:
    if isinstance(payload, list):
        yield from payload
        return
    if isinstance(payload, dict):
        for name in _LISTS:
            inner = payload.get(name)
            if isinstance(inner, list) and any(isinstance(each, dict) for each in inner):
                yield from inner
                return
    yield payload


def _values(node: object, parent: str, depth: int) -> Iterator[tuple[str, str]]:
    """(kind, text) of every value that a heading of a list would name so."""
    if isinstance(node, str):
        kind = _form_of(node)
        if kind and depth == 0:  # a list of plain names
            yield kind, node
        return
    if not isinstance(node, dict) or depth > _DEPTH_MAX:
        return
    yield from _answers(node)
    if isinstance(node.get("propertyName"), str):
        yield from _value(node["propertyName"], node.get("propertyValue"), parent, depth)
        return
    for key, value in node.items():
        if _plain(key) not in _OTHERS:
            yield from _value(key, value, parent, depth)


def _value(key: str, value: object, parent: str, depth: int) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and isinstance(value.get("value"), str):
        value = value["value"]
    if isinstance(value, dict):
        yield from _values(value, key, depth + 1)
        return
    kind = _kind(key, parent)
    if not kind:
        return
    for text in value if isinstance(value, list) else [value]:
        if isinstance(text, str):
            yield kind, text


def _kind(key: str, parent: str) -> str:
    """What a key names; within an object about the company, its name is the company's."""
    kind = heading_kind(_CAMEL.sub(" ", key)) or heading_kind(key)
    if kind == "name" and _plain(parent) in _COMPANIES:
        return "company"
    if kind == "name" and parent and _plain(parent) not in {"properties", "fields", "attributes"}:
        return ""
    return kind


def _answers(node: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The answers of a form: by their type, else by the question they answer."""
    answers = node.get("answers")
    if not isinstance(answers, list):
        return
    questions = _questions(node)
    for answer in answers:
        if not isinstance(answer, dict):
            continue
        field = answer.get("field")
        field = field if isinstance(field, dict) else {}
        asked = questions.get(str(field.get("id")), "") or str(field.get("ref", ""))
        for kind, name in (("mail", "email"), ("web", "url"), (_kind(asked, ""), "text")):
            if kind and isinstance(text := answer.get(name), str):
                yield kind, text


def _questions(node: dict[str, Any]) -> dict[str, str]:
    """Titles of a form's fields by their ids."""
    definition = node.get("definition")
    fields = definition.get("fields") if isinstance(definition, dict) else None
    return {
        str(each.get("id")): str(each.get("title", ""))
        for each in (fields if isinstance(fields, list) else [])
        if isinstance(each, dict)
    }


def _form_of(text: str) -> str:
    if looks_like_mail(text):
        return "mail"
    return "web" if looks_like_web(text) else ""


def _plain(key: str) -> str:
    return re.sub(r"[^a-z]", "", key.lower())
