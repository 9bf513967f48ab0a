"""Text to a canonical domain name, or the reason why not."""

from __future__ import annotations

import ipaddress
import re
from typing import Final

import msgspec

from hunter.core.idn import MAX_NAME, is_confusable, to_ascii, to_unicode
from hunter.core.refusals import (
    JUNK,
    NEVER_COMPANIES,
    REASONS,
    SHARED_NAMES,
    SPECIAL_USE,
    TEST_NAMES,
    refusal,
)
from hunter.core.suffixes import (
    is_known_tld,
    is_public_suffix,
    registrable_domain,
    suffix_list,
)

__all__ = [
    "REASONS",
    "WARNINGS",
    "Domain",
    "is_public_suffix",
    "parse_domain",
    "registrable_domain",
]

#: warning code → what was noticed
WARNINGS: Final[dict[str, str]] = {
    "www_removed": "The leading www. was removed: mail goes to the name without it.",
    "unknown_tld": "The ending is not a known top-level domain; check the spelling.",
    "shared_domain": "Many organisations share this name, so a lead on it is not one company.",
    "confusable": "The name mixes scripts or has only look-alike letters, and may imitate another name.",
    "turkish_i": "İ is not an i in domain names (UTS 46 keeps its dot); check that i was not meant.",
    "reserved_label": "A part of the name has hyphens in places 3 and 4, which only encoded names may have (RFC 5891).",
}

#: text longer than this is no name, whatever is in it
_MAX_TEXT: Final = 4096
# the way most names arrive; everything else takes the slow road. No label has "--" or "xn--" here
_PLAIN = re.compile(
    r"(?:[a-z0-9](?:[a-z0-9]|-(?!-)){0,62}(?<!-)\.){1,126}[a-z]{2,63}", re.ASCII
).fullmatch
#: white space, byte-order mark, zero-width and soft characters, quotes and brackets around a name
_AROUND: Final = " \t\r\n\f\v\0\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u200b\u200e\u200f\u2028\u2029\u202f\u205f\u2060\u3000\ufeff\"'`“”‘’«»,;"
_BRACKETS: Final = "<>(){}"
_FULL_WIDTH: Final = str.maketrans("＠：／", "@:/")
_MAILBOX = re.compile(r"<([^<>]*@[^<>]*)>\s*$")
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):/+", re.IGNORECASE)
_BARE_SCHEME = re.compile(r"(mailto|https?|file|javascript|data|about|tel|sip):", re.IGNORECASE)
_SCHEMES: Final = frozenset({"http", "https", "ftp", "ftps", "sftp", "ws", "wss", "mailto", "smtp"})
_PATH = re.compile(r"[/?#\\]")
_PORT = re.compile(r":[0-9]{0,5}$")
_SEPARATORS = re.compile(r"\s+/\s+|[\s,;|]+")
_FORMULA_SIGN = re.compile(r"[(|!]")


class Domain(msgspec.Struct, frozen=True, gc=False):
    """A name that can be asked for in DNS and held by a company."""

    #: lower-case A-labels, no trailing dot, at most 253 octets
    name: str
    #: the same name as a person reads it (U-labels)
    display: str
    #: codes of `WARNINGS`
    warnings: tuple[str, ...] = ()


def parse_domain(
    text: str, *, registrable: bool, allow_test_names: bool = False, private_suffixes: bool = False
) -> Domain:
    """Read one name out of a name, URL, e-mail address or host:port.

    With `registrable` the result is what one registrant holds (public suffix list, ICANN
    section; the private section too with `private_suffixes`); without, the name as given, less
    a leading `www.`. `allow_test_names` lets .test, .example and .invalid through.
    Raises InvalidDomain, whose `reason` is a key of `REASONS`; nothing else, whatever the text.
    """
    noticed: tuple[str, ...] = ()
    if _PLAIN(text) and len(text) <= MAX_NAME:
        name = text
    else:
        name, noticed = _read(text)
    tld = name[name.rfind(".") + 1 :]
    icann = suffix_list().icann
    if tld in SPECIAL_USE and not (allow_test_names and tld in TEST_NAMES):
        raise refusal("special_use")
    if tld not in icann.exact and tld not in icann.wild:
        noticed += ("unknown_tld",)
    _refuse_never_companies(name)
    if registrable or name.startswith("www."):
        name, more = _reduced(name, registrable=registrable, private=private_suffixes)
        noticed += more
    elif is_public_suffix(name):
        raise refusal("public_suffix")
    if "--" not in name:
        return Domain(name, name, noticed)
    return _with_display(name, noticed)


def _refuse_never_companies(name: str) -> None:
    suffix = name
    while True:
        reason = NEVER_COMPANIES.get(suffix)
        if reason is not None:
            raise refusal(reason)
        dot = suffix.find(".")
        if dot < 0:
            return
        suffix = suffix[dot + 1 :]


def _reduced(name: str, *, registrable: bool, private: bool) -> tuple[str, tuple[str, ...]]:
    """The name less `www.`, or its registrable part; a suffix is never left over."""
    held = registrable_domain(name, private=private)
    if held is None:
        raise refusal("public_suffix")
    if not registrable:
        bare = name
        while bare.startswith("www.") and bare != held:
            bare = bare[4:]
        return bare, (("www_removed",) if bare != name else ())
    shared = held in SHARED_NAMES or (not private and is_public_suffix(held, private=True))
    return held, (("shared_domain",) if shared else ())


def _with_display(name: str, noticed: tuple[str, ...]) -> Domain:
    display = to_unicode(name)
    if any(label[2:4] == "--" and label[:2] != "xn" for label in name.split(".")):
        noticed += ("reserved_label",)
    if is_confusable(display):
        noticed += ("confusable",)
    return Domain(name, display, noticed)


def _read(text: str) -> tuple[str, tuple[str, ...]]:
    """The slow road: dig the host out of what was pasted and bring it into canonical form."""
    if len(text) > _MAX_TEXT:
        raise refusal("name_too_long")
    trimmed = text.strip(_AROUND)
    if not trimmed:
        raise refusal("empty")
    if trimmed.casefold() in JUNK or not any(map(str.isalnum, trimmed)):
        raise refusal("no_domain")
    if trimmed[0] == "=" or (trimmed[0] in "+-@" and _FORMULA_SIGN.search(trimmed)):
        raise refusal("formula")
    _refuse_several(trimmed)
    host = _host(trimmed.translate(_FULL_WIDTH))
    if ":" in host or host[-1:].isdigit():
        _refuse_address(host)
    return _canonical(host), (("turkish_i",) if "İ" in host else ())


def _refuse_several(text: str) -> None:
    parts = [part for part in _SEPARATORS.split(text) if part]
    if len(parts) > 1 and all("." in part.strip(".") for part in parts):
        raise refusal("several_names")


def _host(text: str) -> str:
    """The host of a URL, e-mail address, name-addr ("Ali <ali@contoso.com>") or host:port."""
    mailbox = _MAILBOX.search(text)
    if mailbox:
        text = mailbox[1]
    rest = _without_scheme(text.strip(_BRACKETS + _AROUND))
    head = _PATH.split(rest, maxsplit=1)[0]
    if "@" in rest and "@" not in head and "." not in head:
        # a slash in a mailbox's local part, not the start of a path
        head = _PATH.split(rest.rpartition("@")[2], maxsplit=1)[0]
    host = head.rpartition("@")[2].strip(_BRACKETS + _AROUND)
    if host.count(":") == 1 or "]:" in host:
        host = _PORT.sub("", host)
    return host


def _without_scheme(text: str) -> str:
    scheme = _SCHEME.match(text) or _BARE_SCHEME.match(text)
    if scheme is None:
        return text.removeprefix("//")
    if scheme[1].lower() not in _SCHEMES:
        raise refusal("bad_scheme")
    return text[scheme.end() :]


def _refuse_address(host: str) -> None:
    try:
        ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return
    raise refusal("ip_literal")


def _canonical(host: str) -> str:
    if not host:
        raise refusal("no_domain")
    name = to_ascii(host)
    tld = name.rpartition(".")[2]
    if "." not in name:
        raise refusal("public_suffix" if is_known_tld(tld) else "single_label")
    if tld.isdigit():
        raise refusal("ip_literal" if _looks_like_ipv4(name) else "numeric_tld")
    return name


def _looks_like_ipv4(name: str) -> bool:
    return name.count(".") == 3 and name.replace(".", "").isdigit()
