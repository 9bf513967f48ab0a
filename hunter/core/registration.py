"""Who registered a domain through whom, and until when: what a registry told, without any person."""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from enum import StrEnum
from typing import Final

import msgspec

_MAX_TEXT: Final = 200
_MAX_STATUSES: Final = 20
#: RFC 3339 section 5.6, with what registries leave out: seconds, offset, the whole time
_DATE: Final = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:$|[Tt ])", re.ASCII)
#: EPP writes clientHold (RFC 5731) where RDAP writes "client hold" (RFC 8056)
_HUMP: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")
_STATUS: Final = re.compile(r"[a-z]+(?: [a-z]+){0,5}")


class RegistrationState(StrEnum):
    """What is known about a domain's registration. Unknown is never "not registered"."""

    #: a registry says that it is registered
    REGISTERED = "registered"
    #: the registry responsible for the name says that it is not
    UNREGISTERED = "unregistered"
    #: nobody was asked, or nobody gave a usable answer
    UNKNOWN = "unknown"


class Registration(msgspec.Struct, frozen=True, omit_defaults=True):
    """The registration of one domain. Registrants, contacts and name servers are not kept."""

    #: the name asked about: what one registrant holds, lower-case A-labels
    domain: str
    state: RegistrationState
    #: the registrar's name as the registry has it; "" when not told
    registrar: str = ""
    #: days in UTC; None when not told. `expires` may have passed: registries wait before they delete
    created: dt.date | None = None
    expires: dt.date | None = None
    #: RDAP's words (RFC 8056), sorted: "client transfer prohibited", "pending delete"
    statuses: tuple[str, ...] = ()
    #: whether the registry publishes DS records; None when not told
    delegation_signed: bool | None = None
    #: rdap or whois; "" when nobody answered
    source: str = ""
    #: the host that said so
    server: str = ""
    #: ISO 8601 instant of the answer
    observed_at: str = ""
    #: why it is unknown, "" otherwise
    reason: str = ""

    @property
    def is_known(self) -> bool:
        """True when a registry said yes or no."""
        return self.state is not RegistrationState.UNKNOWN


def unknown(domain: str, reason: str, *, server: str = "", source: str = "") -> Registration:
    """Nothing was learned, and why."""
    return Registration(
        domain, RegistrationState.UNKNOWN, reason=plain_text(reason), server=server, source=source
    )


def plain_text(value: object) -> str:
    """Text of a stranger as one short line: no control, format or unassigned characters. Total."""
    if not isinstance(value, str):
        return ""
    shown = "".join(
        " " if each.isspace() else each
        for each in value[: 4 * _MAX_TEXT]
        if each.isspace() or unicodedata.category(each)[0] != "C"
    )
    return " ".join(shown.split())[:_MAX_TEXT].rstrip()


def parse_day(value: object) -> dt.date | None:
    """An RFC 3339 instant or date as a day in UTC; None when it is neither. Total.

    A time without an offset counts as UTC; a time of day that is none (a leap second) leaves the
    date as written.
    """
    if not isinstance(value, str):
        return None
    text = value.strip()
    match = _DATE.match(text)
    if match is None:
        return None
    try:
        day = dt.date(int(match[1]), int(match[2]), int(match[3]))
    except ValueError:
        return None
    try:
        instant = dt.datetime.fromisoformat(text.upper())
        return instant.astimezone(dt.UTC).date() if instant.tzinfo else day
    except (ValueError, OverflowError):
        return day


def parse_statuses(values: object) -> tuple[str, ...]:
    """Statuses in RDAP's words, sorted, each once; EPP's spelling is translated. Total."""
    if not isinstance(values, list | tuple):
        return ()
    found = set()
    for value in values:
        if isinstance(value, str) and len(value) <= _MAX_TEXT:
            words = " ".join(_HUMP.sub(" ", value.strip()).lower().split())
            # EPP's ok is RDAP's active (RFC 8056 section 2)
            words = "active" if words == "ok" else words
            if _STATUS.fullmatch(words):
                found.add(words)
    return tuple(sorted(found)[:_MAX_STATUSES])
