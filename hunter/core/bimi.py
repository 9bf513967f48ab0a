"""A BIMI record: the logo a domain wants beside its mail (AuthIndicators draft)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import msgspec

from hunter.core.dmarc import Dmarc, Policy
from hunter.core.dmarc_walk import DmarcPosture
from hunter.core.judgement import Finding
from hunter.core.tags import first_of_each, parse_tags

_VERSION = re.compile(r"v[ \t]*=[ \t]*BIMI1[ \t]*(?:;|$)")
_HTTPS = re.compile(r"(?ai:https)://[^\s/]+/\S+")
_ENFORCED: Final = frozenset({Policy.QUARANTINE, Policy.REJECT})
#: pct of RFC 7489, which verifiers of logos still read
_ALL: Final = 100


class Bimi(msgspec.Struct, frozen=True):
    """The record at `default._bimi.<domain>`."""

    valid: bool
    #: address of the SVG logo
    logo: str = ""
    #: address of the mark certificate (VMC or CMC)
    certificate: str = ""
    #: l= and a= are empty: the domain wants no logo
    declined: bool = False
    #: avp=: brand or personal
    preference: str = "brand"
    findings: tuple[Finding, ...] = ()


def is_bimi(text: str) -> bool:
    """True when a TXT record counts as a BIMI record at all."""
    return _VERSION.match(text) is not None


def select_bimi(txt_records: Sequence[str]) -> Bimi | None:
    """The record among a name's TXT records; None when there is none, several are invalid."""
    found = [text for text in txt_records if is_bimi(text)]
    if not found:
        return None
    if len(found) > 1:
        fault = Finding.of("bimi_multiple_records", count=len(found))
        return Bimi(valid=False, findings=(fault,))
    return parse_bimi(found[0])


def parse_bimi(text: str) -> Bimi:
    """Parse one TXT record. Total."""
    if not is_bimi(text):
        return Bimi(valid=False, findings=(Finding.of("bimi_not_a_record"),))
    tags, _ = parse_tags(text)
    values, again = first_of_each(tags)
    logo, certificate = values.get("l", ""), values.get("a", "")
    faults = [Finding.of("bimi_duplicate_tag", tag=name) for name in again]
    for name, uri in (("l", logo), ("a", certificate)):
        if uri and not _HTTPS.fullmatch(uri):
            faults.append(Finding.of("bimi_invalid_uri", tag=name))
    if "l" not in values:
        faults.append(Finding.of("bimi_missing_logo"))
    elif certificate and not logo:
        faults.append(Finding.of("bimi_certificate_without_logo"))
    return Bimi(
        valid=not faults,
        logo=logo,
        certificate=certificate,
        declined="l" in values and not logo and not certificate,
        preference="personal" if values.get("avp", "").lower() == "personal" else "brand",
        findings=tuple(faults),
    )


def dmarc_permits_bimi(posture: DmarcPosture) -> bool:
    """True when the DMARC of the name and of its organisation are strict enough for a logo.

    Quarantine or reject, for all mail and for subdomains, and not in test mode.
    """
    if posture.policy not in _ENFORCED:
        return False
    records = (posture.record, posture.org_record)
    return all(_is_strict(record) for record in records if record is not None)


def _is_strict(record: Dmarc) -> bool:
    if record.p not in _ENFORCED or record.testing or record.sp is Policy.NONE:
        return False
    return record.p is Policy.REJECT or record.pct == _ALL
