"""What an RDAP server says about a domain (RFC 9083), and which server that is (RFC 9224)."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from hunter.core.jcard import parse_jcard
from hunter.core.registration import (
    Registration,
    RegistrationState,
    parse_day,
    parse_statuses,
    plain_text,
    unknown,
)

_NOT_FOUND: Final = 404


class Bootstrap(msgspec.Struct, frozen=True):
    """IANA's list of RDAP servers by domain (RFC 9224 section 4)."""

    #: lower-case name without the trailing dot to base URLs, https first; "" stands for every name
    servers: dict[str, tuple[str, ...]] = {}
    #: RFC 3339 instant
    publication: str = ""
    #: why the file must not be used; "" when it may
    fault: str = ""
    #: URLs left out because they are none
    ignored: tuple[str, ...] = ()

    def servers_for(self, domain: str) -> tuple[str, ...]:
        """Base URLs of the servers responsible for a name: the longest match by whole labels."""
        labels = domain.split(".")
        for start in range(len(labels) + 1):
            found = self.servers.get(".".join(labels[start:]))
            if found:
                return found
        return ()


def parse_bootstrap(data: bytes) -> Bootstrap:
    """Read a bootstrap file. Total: a file that breaks RFC 9224 section 3 has a `fault`."""
    document = decode_json(data)
    if not isinstance(document, dict):
        return Bootstrap(fault="It is not a JSON object.")
    if document.get("version") != "1.0":
        return Bootstrap(fault="Its version is not 1.0.")
    publication = document.get("publication")
    if parse_day(publication) is None:
        return Bootstrap(fault="It does not say when it was published.")
    services = document.get("services")
    if not isinstance(services, list) or not services:
        return Bootstrap(fault="It has no services.")
    servers: dict[str, tuple[str, ...]] = {}
    ignored: list[str] = []
    for number, service in enumerate(services):
        match service:
            case [[*names], [*urls]] if _are_texts(names) and _are_texts(urls):
                good = [url for url in urls if _is_base(url)]
                ignored += [url for url in urls if url not in good]
                if good:
                    found = tuple(sorted(good, key=lambda url: not url.startswith("https:")))
                    servers |= {name.lower().strip("."): found for name in names}
            case _:
                return Bootstrap(fault=f"Service {number} is not a list of names and one of URLs.")
    if not servers:
        return Bootstrap(fault="None of its servers has a URL.")
    return Bootstrap(servers, str(publication), ignored=tuple(ignored))


def _are_texts(values: list[Any]) -> bool:
    return all(isinstance(value, str) for value in values)


def _is_base(url: str) -> bool:
    """True for an http or https URL of printable ASCII in which every % begins an escape."""
    try:
        parts = urlsplit(url)
        is_open = parts.scheme in {"https", "http"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return is_open and _is_clean(url)


def _is_clean(url: str) -> bool:
    escapes = [part[:2] for part in url.split("%")[1:]]
    return (
        url.isascii()
        and url.isprintable()
        and " " not in url
        and not urlsplit(url).query
        and all(len(each) == 2 and _is_hex(each) for each in escapes)
    )


def _is_hex(text: str) -> bool:
    return all(each in "0123456789abcdefABCDEF" for each in text)


def decode_json(data: bytes) -> Any:
    """JSON as plain values; None when it is no JSON, or nested too deep. Total."""
    try:
        return msgspec.json.decode(data)
    except (msgspec.MsgspecError, RecursionError, ValueError):
        return None


def parse_registration(
    data: bytes, domain: str, *, server: str, observed_at: dt.datetime
) -> Registration:
    """Read the answer to `domain/<name>` (RFC 9083 section 5.3). Total.

    An answer that is no domain object, or about another name, leaves the registration unknown.
    """
    found = decode_json(data)
    if not isinstance(found, dict) or found.get("objectClassName") != "domain":
        return unknown(domain, "The answer is no RDAP domain.", server=server, source="rdap")
    said = found.get("ldhName")
    if isinstance(said, str) and said.lower().removesuffix(".") != domain:
        return unknown(domain, "The answer is about another name.", server=server, source="rdap")
    events = _events(found.get("events"))
    signed = found.get("secureDNS")
    delegation = signed.get("delegationSigned") if isinstance(signed, dict) else None
    return Registration(
        domain,
        RegistrationState.REGISTERED,
        registrar=_registrar(found.get("entities")),
        created=events.get("registration"),
        expires=events.get("expiration") or events.get("registrar expiration"),
        statuses=parse_statuses(found.get("status")),
        delegation_signed=delegation if isinstance(delegation, bool) else None,
        source="rdap",
        server=server,
        observed_at=observed_at.isoformat(),
    )


def is_not_found(data: bytes) -> bool:
    """True when the body of a 404 is one of RDAP, or empty (RFC 7480 section 5.3, RFC 9083 section 6).

    A page for people says only that there is nothing at this path: perhaps no RDAP either.
    """
    if not data.strip():
        return True
    found = decode_json(data)
    if not isinstance(found, dict):
        return False
    code = found.get("errorCode")
    return code in {_NOT_FOUND, str(_NOT_FOUND)} or (code is None and "rdapConformance" in found)


def _events(rows: object) -> dict[str, dt.date]:
    """Days by the kind of event; of several of a kind the latest."""
    found: dict[str, dt.date] = {}
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, dict) and isinstance(row.get("eventAction"), str):
            action = row["eventAction"].strip().lower()
            day = parse_day(row.get("eventDate"))
            if day is not None:
                found[action] = max(day, found.get(action, day))
    return found


def _registrar(entities: object) -> str:
    """The name of the entity in the role of registrar; of nobody else anything is read."""
    for entity in entities if isinstance(entities, list) else ():
        if isinstance(entity, dict) and "registrar" in _roles(entity.get("roles")):
            card = parse_jcard(entity.get("vcardArray"))
            names = (*card.texts("fn"), *card.texts("org"), entity.get("handle"))
            found = next((name for each in names if (name := plain_text(each))), "")
            if found:
                return found
    return ""


def _roles(values: object) -> set[str]:
    """Roles of an entity; some servers give one as a plain text."""
    listed = values if isinstance(values, list) else [values]
    return {each.strip().lower() for each in listed if isinstance(each, str)}
