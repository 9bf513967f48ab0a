"""A DMARC record, parsed: what RFC 9989 makes of it, and what a reader of RFC 7489 would."""

from __future__ import annotations

import re
from enum import StrEnum
from functools import lru_cache
from typing import Final

import msgspec

from hunter.core.judgement import Finding, quotable
from hunter.core.tags import first_of_each, panel_fault, parse_tags

_VERSION = re.compile(r"[vV][ \t]*=[ \t]*DMARC1[ \t]*(?:;|$)")
# possessive: 64 KiB of blanks must not be tried from every blank
_DMARC_LIKE = re.compile(
    r"[\s\"'\\]*+(?:.*;\s*+)?v\s*+=\s*+dmarc1(?![0-9])", re.IGNORECASE | re.DOTALL
)
_SECOND = re.compile(r"[\s;]v[ \t]*=[ \t]*DMARC1")
# ASCII: without it, ignoring case takes ı for i and ſ for s
_URI = re.compile(r"([a-z][a-z0-9+.-]*):([!-~]+)", re.IGNORECASE | re.ASCII)
_SIZE = re.compile(r"!([0-9]+)([kmgt]?)$", re.IGNORECASE | re.ASCII)
_SIZE_LIKE = re.compile(r"![^!]*$")
_NUMBER = re.compile(r"[0-9]+", re.ASCII)
# every run is taken whole: searched for its @ from each place, a long one costs its square
_RUN = re.compile(r"[^,;!\s]++")
_SCHEME = re.compile(r"mailto:", re.IGNORECASE | re.ASCII)
_NAME = re.compile(r"[^@]++")
_BEYOND_HOST = re.compile(r"[/?#]")
#: longer records are parsed each time, so that what is kept stays small
_LONG_TEXT: Final = 450
_KNOWN: Final = frozenset({"v", "p", "sp", "np", "t", "psd", "adkim", "aspf", "fo", "rua", "ruf"})
_REMOVED: Final = frozenset({"pct", "rf", "ri"})
#: RFC 7489 section 6.3: values that reader accepts, tag by tag
_RFC7489_VALUES: Final = {
    "adkim": re.compile(r"[rs]", re.IGNORECASE | re.ASCII),
    "aspf": re.compile(r"[rs]", re.IGNORECASE | re.ASCII),
    "fo": re.compile(r"[01ds](?:[ \t]*:[ \t]*[01ds])*", re.IGNORECASE | re.ASCII),
    "rf": re.compile(r"[a-z0-9-]+(?:[ \t]*:[ \t]*[a-z0-9-]+)*", re.IGNORECASE | re.ASCII),
    "pct": re.compile(r"100|[0-9]{1,2}", re.ASCII),
}
_MAX_INTERVAL = 2**32 - 1
#: tag → code of what is wrong with it
_INVALID_POLICY: Final = {
    "p": "dmarc_invalid_p",
    "sp": "dmarc_invalid_sp",
    "np": "dmarc_invalid_np",
}
_INVALID_URI: Final = {"rua": "dmarc_invalid_rua", "ruf": "dmarc_invalid_ruf"}
_OBSOLETE_SIZE: Final = {"rua": "dmarc_rua_size_obsolete", "ruf": "dmarc_ruf_size_obsolete"}


class Policy(StrEnum):
    """What a domain asks receivers to do with mail that fails."""

    #: nothing but reports
    NONE = "none"
    #: treat as suspicious
    QUARANTINE = "quarantine"
    #: refuse
    REJECT = "reject"

    @property
    def softened(self) -> Policy:
        """One step down: what `t=y` makes of it (RFC 9989 section 4.7)."""
        return Policy.QUARANTINE if self is Policy.REJECT else Policy.NONE


class Verdict(StrEnum):
    """How a reader of RFC 9989 takes one record."""

    #: does not begin with v=DMARC1, or a broken version
    NOT_DMARC = "not_dmarc"
    #: a DMARC record that asks for nothing usable: no DMARC processing
    NO_POLICY = "no_policy"
    #: a usable policy
    POLICY = "policy"


class ReportUri(msgspec.Struct, frozen=True, gc=False):
    """Where reports go; the mailbox's local part is a person's and is not kept."""

    #: lower case: mailto, https, …
    scheme: str
    #: host of the mailbox or URL, lower case, "" when the URI cannot be read
    domain: str
    valid: bool


class Dmarc(msgspec.Struct, frozen=True):
    """One record. Policies are as declared, before test mode."""

    text: str
    verdict: Verdict
    #: policy for the name itself; none when healed because of a valid rua; None without a policy
    p: Policy | None = None
    #: for names below, None when not given
    sp: Policy | None = None
    #: for names that do not exist, None when not given
    np: Policy | None = None
    #: t=y: receivers apply one step less
    testing: bool = False
    #: y, n or u
    psd: str = "u"
    #: r (relaxed) or s (strict)
    adkim: str = "r"
    aspf: str = "r"
    rua: tuple[ReportUri, ...] = ()
    ruf: tuple[ReportUri, ...] = ()
    #: pct of RFC 7489, 100 when absent or unusable
    pct: int = 100
    #: True when a strict reader of RFC 7489 accepts the record
    rfc7489_valid: bool = False
    findings: tuple[Finding, ...] = ()

    @property
    def is_policy(self) -> bool:
        """True when receivers apply this record."""
        return self.verdict is Verdict.POLICY

    def policy_for(self, *, inherited: bool, exists: bool = True) -> Policy | None:
        """The policy for the name itself or, inherited, for a name below (section 4.10.1)."""
        if not self.is_policy:
            return None
        if not inherited:
            return self.p
        if not exists and self.np is not None:
            return self.np
        return self.sp or self.p


def is_dmarc(text: str) -> bool:
    """True when a TXT record begins with `v=DMARC1` (the value in capitals, blanks allowed)."""
    return _VERSION.match(text) is not None


def looks_like_dmarc(text: str) -> bool:
    """True when somebody meant a DMARC record, readable or not."""
    return _DMARC_LIKE.match(text) is not None


def without_mailboxes(text: str) -> str:
    """The record with `*` for the local parts of report mailboxes, for storing and showing.

    What is left is parsed as the whole was: the same policy, the same domains.
    """
    return _RUN.sub(_without_mailbox, text)


def quoted(part: str) -> str:
    """Part of a record as a finding may quote it: a cut or an escape brings no mailbox to light."""
    return without_mailboxes(quotable(without_mailboxes(part)))


def _without_mailbox(run: re.Match[str]) -> str:
    scheme = _SCHEME.search(run[0])
    if scheme is None:
        return run[0]
    # the query may name more people (RFC 6068 section 2)
    address, sign, query = run[0][scheme.end() :].partition("?")
    local, at, domain = address.rpartition("@")
    shown = _NAME.sub(_masked, local) + at + domain + sign + _NAME.sub(_masked, query)
    return run[0][: scheme.end()] + shown


def _masked(name: re.Match[str]) -> str:
    """What makes an address unreadable leaves it unreadable."""
    return "*" if name[0].isascii() and name[0].isprintable() else "…"


def parse_dmarc(text: str) -> Dmarc:
    """Parse one record; `text` is the joined TXT string. Total."""
    return _parse_known(text) if len(text) <= _LONG_TEXT else _parse(text)


def _parse(text: str) -> Dmarc:
    if not is_dmarc(text):
        return Dmarc(text=text, verdict=Verdict.NOT_DMARC, findings=_why_not(text))
    return _Reading(text).record()


#: "v=DMARC1; p=none" and its like are half of all records
_parse_known = lru_cache(maxsize=2048)(_parse)


def _why_not(text: str) -> tuple[Finding, ...]:
    if not looks_like_dmarc(text):
        return ()
    fault = panel_fault(text)
    ignored = Finding.of("dmarc_like_record_ignored")
    if fault is None:
        return (ignored,)
    is_quoted = fault == "quoted_record"
    return (Finding.of("dmarc_quoted_record" if is_quoted else "dmarc_escaped_semicolon"), ignored)


class _Reading:
    """One record while its findings are collected."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tags, self._broken = parse_tags(text)
        self._values, self._again = first_of_each(self._tags)
        self._found: list[Finding] = []

    def record(self) -> Dmarc:
        self._note_tags()
        rua = self._uris("rua")
        ruf = self._uris("ruf")
        policies = {name: self._policy(name) for name in ("p", "sp", "np")}
        usable = policies["p"] is not None and not any(
            name in self._values and policies[name] is None for name in ("sp", "np")
        )
        if not usable and any(uri.valid for uri in rua):
            # healed: reports are wanted, so act as if p=none had been retrieved
            policies = dict.fromkeys(policies) | {"p": Policy.NONE}
            usable = True
        return Dmarc(
            text=self._text,
            verdict=Verdict.POLICY if usable else Verdict.NO_POLICY,
            **(policies if usable else {}),
            testing=self._one_of("t", "yn", "n") == "y",
            psd=self._one_of("psd", "ynu", "u"),
            adkim=self._one_of("adkim", "rs", "r"),
            aspf=self._one_of("aspf", "rs", "r"),
            rua=rua,
            ruf=ruf,
            pct=self._pct(),
            rfc7489_valid=self._is_rfc7489_valid(rua + ruf),
            findings=tuple(self._found),
        )

    def _note_tags(self) -> None:
        if _SECOND.search(self._text, 1):
            self._found.append(Finding.of("dmarc_glued_records"))
        for name in self._again:
            self._found.append(Finding.of("dmarc_duplicate_tag", tag=quoted(name)))
        for part in self._broken:
            self._found.append(Finding.of("dmarc_not_a_tag", tag=quoted(part)))
        for tag in self._tags:
            if tag.name == "pct":
                self._found.append(Finding.of("dmarc_removed_tag_pct"))
            elif tag.name in _REMOVED:
                self._found.append(Finding.of("dmarc_removed_tag", tag=tag.name))
            elif tag.name not in _KNOWN:
                self._found.append(Finding.of("dmarc_unknown_tag", tag=quoted(tag.written)))
            elif tag.written != tag.name:
                self._found.append(Finding.of("dmarc_upper_case_tag", tag=tag.written))
        if "p" not in self._values:
            self._found.append(Finding.of("dmarc_missing_p"))
        fo = self._values.get("fo", "0")
        if not _RFC7489_VALUES["fo"].fullmatch(fo):
            shown = quoted(fo)
            self._found.append(
                Finding.of("dmarc_invalid_value", tag="fo", value=shown, default="0")
            )

    def _policy(self, name: str) -> Policy | None:
        value = self._values.get(name)
        if value is None:
            return None
        try:
            return Policy(value.lower())
        except ValueError:
            self._found.append(Finding.of(_INVALID_POLICY[name], value=quoted(value)))
            return None

    def _one_of(self, name: str, allowed: str, default: str) -> str:
        value = self._values.get(name, default).lower()
        if len(value) == 1 and value in allowed:
            return value
        self._found.append(
            Finding.of("dmarc_invalid_value", tag=name, value=quoted(value), default=default)
        )
        return default

    def _uris(self, name: str) -> tuple[ReportUri, ...]:
        if name not in self._values:
            return ()
        return tuple(self._uri(name, part.strip()) for part in self._values[name].split(","))

    def _uri(self, name: str, text: str) -> ReportUri:
        bare = _SIZE_LIKE.sub("", text)
        match = _URI.fullmatch(bare)
        if bare != text and match is not None:
            self._found.append(Finding.of(_OBSOLETE_SIZE[name]))
        domain = "" if match is None else _uri_domain(match[1].lower(), match[2])
        if match is None or (match[1].lower() == "mailto" and not domain):
            self._found.append(Finding.of(_INVALID_URI[name]))
            return ReportUri(match[1].lower() if match else "", "", valid=False)
        return ReportUri(match[1].lower(), domain, valid=True)

    def _pct(self) -> int:
        value = self._values.get("pct", "100")
        return min(int(value[:3]), 100) if _NUMBER.fullmatch(value) else 100

    def _is_rfc7489_valid(self, uris: tuple[ReportUri, ...]) -> bool:
        """RFC 7489 section 6.4: p second, no tag twice, every known value by its grammar."""
        if self._again or self._broken or ";;" in self._text.replace(" ", ""):
            return False
        if len(self._tags) < 2 or self._tags[1].name != "p":
            return False
        if not all(uri.valid for uri in uris) or not self._sizes_are_valid():
            return False
        policies = (self._values.get("p"), self._values.get("sp", "none"))
        if not all(_is_policy(value) for value in policies):
            return False
        return self._interval_is_valid() and all(
            pattern.fullmatch(self._values[name])
            for name, pattern in _RFC7489_VALUES.items()
            if name in self._values
        )

    def _sizes_are_valid(self) -> bool:
        parts = [part for name in ("rua", "ruf") for part in self._values.get(name, "").split(",")]
        return all("!" not in part or _SIZE.search(part.strip()) for part in parts)

    def _interval_is_valid(self) -> bool:
        value = self._values.get("ri", "86400")
        return bool(_NUMBER.fullmatch(value)) and int(value[:11]) <= _MAX_INTERVAL


def _is_policy(value: str | None) -> bool:
    return value is not None and value.lower() in {policy.value for policy in Policy}


def _uri_domain(scheme: str, rest: str) -> str:
    if scheme == "mailto":
        local, at, domain = rest.partition("?")[0].rpartition("@")
        return domain.lower().removesuffix(".") if local and at else ""
    # RFC 3986 section 3.2: what names the host ends at the path, the query or the fragment
    authority = _BEYOND_HOST.split(rest.removeprefix("//"), maxsplit=1)[0]
    return authority.rpartition("@")[2].partition(":")[0].lower()
