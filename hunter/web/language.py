"""In which language findings are told: ?lang=, else Accept-Language, else English."""

from __future__ import annotations

import re
from typing import Final

from aiohttp import web

from hunter.core.advice import Language

_RANGE: Final = re.compile(
    r"\s*([A-Za-z]{1,8}|\*)(?:-[A-Za-z0-9-]*)?\s*(?:;\s*q=([01](?:\.\d{0,3})?)\s*)?"
)
#: longer headers are nobody's wish
_MAX_CHARS: Final = 1000


def language_of(request: web.Request, asked: Language | None = None) -> Language:
    """The language asked for by name, else the best of Accept-Language that Hunter speaks."""
    header = request.headers.get("Accept-Language")
    return asked or (preferred_language(header) if header else Language.EN)


def preferred_language(header: str) -> Language:
    """The best of an Accept-Language header (RFC 9110 section 12.5.4); English without one."""
    wishes: dict[str, float] = {}
    for part in header[:_MAX_CHARS].split(","):
        match = _RANGE.fullmatch(part)
        if match is not None:
            wishes.setdefault(match[1].lower(), float(match[2] or 1))
    others = wishes.get("*", 0.0)
    # the first of equals is the default
    best = max(Language, key=lambda each: wishes.get(each.value, others))
    return best if wishes.get(best.value, others) else Language.EN


def language_headers(language: Language) -> dict[str, str]:
    """What an answer says about its language, for readers and for caches."""
    return {"Content-Language": language.value, "Vary": "Accept-Language"}
