"""A TLS reporting record: where failures of transport encryption are reported (RFC 8460)."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from hunter.core.dmarc import quoted
from hunter.core.judgement import Finding

_VERSION = re.compile(r"v=TLSRPTv1[ \t]*;[ \t]*")
_FIELD = re.compile(r"([A-Za-z0-9][A-Za-z0-9_.-]{0,31})=(.*)", re.DOTALL)
_VALUE = re.compile(r"[\x21-\x3a\x3c\x3e-\x7e]+")
#: RFC 3986 section 3.2; before an @ may stand somebody's name
_AUTHORITY = re.compile(r"https://(?:[^/?#]*@)?(\[[^]/?#]*\]|[^/?#:]*)", re.IGNORECASE | re.ASCII)
#: what may stand in a URI (RFC 3986 section 2); "!" too has to be percent-encoded here
_CHARS = re.compile(r"(?:[A-Za-z0-9._~:/?#\[\]@$&'()*+=-]|%[0-9A-Fa-f]{2})+")
#: a mailbox, then perhaps a query with more of them (RFC 6068 section 2)
_URI = re.compile(
    r"((?ai:mailto):[^@?\s]+@[^@?\s]+(?:\?\S*)?|(?ai:https)://[^\s/?#]+(?:[/?#]\S*)?)"
)


class TlsRpt(msgspec.Struct, frozen=True):
    """The record at `_smtp._tls.<domain>`."""

    valid: bool
    #: lower-case hosts that get the reports; mailboxes' local parts are not kept
    targets: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()


def is_tlsrpt(text: str) -> bool:
    """True when a TXT record counts as a TLS reporting record at all."""
    return _VERSION.match(text) is not None


def select_tlsrpt(txt_records: Sequence[str]) -> TlsRpt | None:
    """The record among a name's TXT records; None when there is none, several are invalid."""
    found = [text for text in txt_records if is_tlsrpt(text)]
    if not found:
        return None
    if len(found) > 1:
        return _bad(Finding.of("tlsrpt_multiple_records", count=len(found)))
    return parse_tlsrpt(found[0])


def parse_tlsrpt(text: str) -> TlsRpt:
    """Parse one TXT record. Total."""
    version = _VERSION.match(text)
    if version is None:
        return _bad(Finding.of("tlsrpt_not_a_record"))
    parts = [part.strip(" \t") for part in text[version.end() :].split(";")]
    if parts[-1] == "":
        parts.pop()
    targets: list[str] = []
    for part in parts:
        field = _FIELD.fullmatch(part)
        if field is None or (field[1] != "rua" and not _VALUE.fullmatch(field[2])):
            return _bad(Finding.of("tlsrpt_invalid_field", field=quoted(part)))
        if field[1] == "rua":
            uris = [uri.strip(" \t") for uri in field[2].split(",")]
            if not all(_CHARS.fullmatch(uri) and _URI.fullmatch(uri) for uri in uris):
                return _bad(Finding.of("tlsrpt_invalid_rua"))
            targets += [_host(uri) for uri in uris]
    if not targets:
        return _bad(Finding.of("tlsrpt_missing_rua"))
    return TlsRpt(valid=True, targets=tuple(dict.fromkeys(targets)))


def _host(uri: str) -> str:
    authority = _AUTHORITY.match(uri)
    if authority is not None:
        return authority[1].lower()
    return uri.partition("?")[0].rpartition("@")[2].lower()


def _bad(fault: Finding) -> TlsRpt:
    return TlsRpt(valid=False, findings=(fault,))
