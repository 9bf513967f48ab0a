"""What WHOIS says about a .tr domain: the text of TRABIS (RFC 3912 leaves its form to the registry)."""

from __future__ import annotations

import datetime as dt
import re
from typing import Final

from hunter.core.idn import to_unicode
from hunter.core.registration import (
    Registration,
    RegistrationState,
    parse_statuses,
    plain_text,
    unknown,
)

#: "** Registrar:" begins a section, "** Domain Name: a.com.tr" is one of a line
_SECTION: Final = re.compile(r"\*\*\s*([^:]{1,40}):\s*(.*)")
#: "Created on..............: 2007-Jan-08." and "Organization Name	: X"
_FIELD: Final = re.compile(r"([A-Za-z][A-Za-z ]{1,40}?)[ \t.]*:\s*(.*)")
_DAY: Final = re.compile(r"(\d{4})-([^\W\d_]{3,8})-(\d{1,2})")
_MONTHS: Final = {
    name: number
    for names in (
        "jan feb mar apr may jun jul aug sep oct nov dec",
        "oca şub mar nis may haz tem ağu eyl eki kas ara",
    )
    for number, name in enumerate(names.split(), start=1)
}
#: the registry's words for a domain that nobody has
_NO_MATCH: Final = re.compile(r"no match(?:es)? found|no entries found", re.IGNORECASE)
_MAX_BYTES: Final = 64 * 1024
_MAX_LINES: Final = 500


def parse_trabis(
    data: bytes, domain: str, *, server: str, observed_at: dt.datetime
) -> Registration:
    """Read the answer of whois.trabis.gov.tr about a name. Total.

    Text that is neither an entry for the name nor the registry's "no match" (a limit reached, an
    error) leaves the registration unknown. Of the registrant nothing is read.
    """
    text = _decode(data[:_MAX_BYTES])
    sections = _sections(text)
    said = sections.get("domain name", {}).get("", "").lower().removesuffix(".")
    if not said:
        if _NO_MATCH.search(text) and not sections:
            return Registration(
                domain,
                RegistrationState.UNREGISTERED,
                source="whois",
                server=server,
                observed_at=observed_at.isoformat(),
            )
        return unknown(domain, _first_line(text), server=server, source="whois")
    if said not in {domain, to_unicode(domain).lower()}:
        return unknown(domain, "The answer is about another name.", server=server, source="whois")
    dates = sections.get("additional info", {})
    return Registration(
        domain,
        RegistrationState.REGISTERED,
        registrar=plain_text(sections.get("registrar", {}).get("organization name", "")),
        created=_day(dates.get("created on", "")),
        expires=_day(dates.get("expires on", "")),
        statuses=_statuses(sections["domain name"]),
        source="whois",
        server=server,
        observed_at=observed_at.isoformat(),
    )


def _decode(data: bytes) -> str:
    """UTF-8, or else Windows-1254: the registry's texts are Turkish."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("windows-1254", "replace")


def _sections(text: str) -> dict[str, dict[str, str]]:
    """Fields by section, names in lower case; the rest of a section's own line is field ""."""
    found: dict[str, dict[str, str]] = {}
    fields: dict[str, str] = {}
    for line in text.splitlines()[:_MAX_LINES]:
        if begin := _SECTION.match(line.strip()):
            fields = found.setdefault(begin[1].strip().lower(), {})
            fields.setdefault("", begin[2].strip())
        elif field := _FIELD.match(line.strip()):
            fields.setdefault(field[1].strip().lower(), field[2].strip())
    return found


def _day(text: str) -> dt.date | None:
    """2007-Jan-08, with the full stop the registry puts behind it."""
    match = _DAY.match(text)
    month = _MONTHS.get(match[2].lower()[:3]) if match else None
    if match is None or month is None:
        return None
    try:
        return dt.date(int(match[1]), month, int(match[3]))
    except ValueError:
        return None


def _statuses(fields: dict[str, str]) -> tuple[str, ...]:
    """The registry's three lines in RDAP's words (RFC 8056)."""
    found = [fields.get("domain status", "")]
    if fields.get("frozen status", "-").strip(" -"):
        found.append("locked")
    if "locked" in fields.get("transfer status", "").lower().split():
        found.append("transfer prohibited")
    return parse_statuses(found)


def _first_line(text: str) -> str:
    """What the registry said instead of an answer."""
    line = next((line for line in text.splitlines() if line.strip()), "")
    return f"The registry answered: {plain_text(line)[:100]}" if line else "The answer is empty."
