"""An SPF record, parsed as RFC 7208 section 12 says, with everything worth telling about it."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from enum import StrEnum
from functools import lru_cache
from typing import Final

import msgspec

from hunter.core.judgement import Finding

# ASCII: without it, ignoring case takes ı for i and ſ for s
_VERSION = re.compile(r"v=spf1(?= |$)", re.IGNORECASE | re.ASCII)
_SPF_LIKE = re.compile(r"[\s\"'\\]*v\s*=\s*spf1?(?![0-9a-z])", re.IGNORECASE | re.ASCII)
_MODIFIER = re.compile(r"([A-Za-z][A-Za-z0-9_.-]*)=(.*)", re.DOTALL)
_DIRECTIVE = re.compile(
    r"([+?~-]?)(all|include|a|mx|ptr|ip4|ip6|exists)(?=[:/]|$)(.*)",
    re.IGNORECASE | re.ASCII | re.DOTALL,
)
_CIDR4 = r"(?:0|[1-9][0-9]?)"
_CIDR6 = r"(?:0|[1-9][0-9]{0,2})"
_DUAL_CIDR = re.compile(rf"(?::(.*?))?(?:/({_CIDR4}))?(?://({_CIDR6}))?", re.DOTALL)
_IP = re.compile(r":([0-9A-Fa-f:.]+)(?:/(0|[1-9][0-9]{0,2}))?")
#: macro-expand of section 7.1 with the letters allowed outside an explanation
MACRO: Final = re.compile(r"%\{([slodipvhSLODIPVH])([0-9]*)([rR]?)([.+,/_=-]*)\}|%%|%_|%-")
_TOPLABEL = re.compile(r"\.(?=[A-Za-z0-9-]*[A-Za-z-])[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.?$")
_VISIBLE = re.compile(r"[\x21-\x7e]*")
#: longest text that fits a 512-octet answer with room to spare (section 3.4)
_LONG_TEXT = 450
#: mechanisms and modifiers that cost a DNS look-up (section 4.6.4)
LOOKUP_TERMS: Final = frozenset({"include", "a", "mx", "ptr", "exists", "redirect"})


class SpfState(StrEnum):
    """What a receiver makes of a name's policy."""

    #: one record that can be read
    OK = "ok"
    #: proved that there is none
    ABSENT = "absent"
    #: the published policy is broken: receivers stop with a permanent error
    PERMERROR = "permerror"
    #: DNS did not answer: receivers stop with a temporary error
    TEMPERROR = "temperror"
    #: the question was not asked
    UNKNOWN = "unknown"


class Mechanism(msgspec.Struct, frozen=True, gc=False):
    """One directive (section 4.6.1)."""

    #: "+", "-", "~" or "?"
    qualifier: str
    #: lower case: all, include, a, mx, ptr, ip4, ip6 or exists
    name: str
    #: domain-spec as written, or the address of ip4 and ip6; "" when there is none
    value: str = ""
    #: prefix lengths; None means 32 and 128
    cidr4: int | None = None
    cidr6: int | None = None


class Spf(msgspec.Struct, frozen=True):
    """One record. On `permerror` the terms that could be read are there all the same."""

    text: str
    #: ok or permerror
    state: SpfState
    mechanisms: tuple[Mechanism, ...] = ()
    #: domain-spec, None when there is none
    redirect: str | None = None
    explanation: str | None = None
    #: modifiers this version of SPF does not know, ignored by every receiver
    unknown_modifiers: tuple[tuple[str, str], ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def includes(self) -> tuple[str, ...]:
        """Targets of include, as written, in order."""
        return tuple(term.value for term in self.mechanisms if term.name == "include")

    @property
    def all(self) -> str | None:
        """Qualifier of the first `all`, None without one."""
        return next((term.qualifier for term in self.mechanisms if term.name == "all"), None)

    @property
    def reached(self) -> tuple[Mechanism, ...]:
        """The mechanisms a receiver can get to: nothing after `all` counts (section 5.1)."""
        names = [term.name for term in self.mechanisms]
        end = names.index("all") if "all" in names else len(names)
        return self.mechanisms[:end]


class SpfChoice(msgspec.Struct, frozen=True):
    """Which of a name's TXT records are SPF (section 4.5)."""

    #: ok, absent or permerror (several records, or a broken one)
    state: SpfState
    #: every record found, parsed; evidence of the provider even when there are several
    records: tuple[Spf, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def record(self) -> Spf | None:
        """The record that counts, None when there is none or more than one."""
        return self.records[0] if len(self.records) == 1 else None


def has_macro(value: str) -> bool:
    """True when a domain-spec depends on the message, so nobody can resolve it beforehand."""
    return "%{" in value


def is_spf(text: str) -> bool:
    """True when a TXT record is an SPF record, well or badly written."""
    return _VERSION.match(text) is not None


def select_spf(txt_records: Sequence[str]) -> SpfChoice:
    """Pick the SPF records of one name out of its TXT records; several are a permerror."""
    records = tuple(parse_spf(text) for text in txt_records if is_spf(text))
    findings = [
        Finding.of("spf_like_record_ignored", text=text)
        for text in txt_records
        if not is_spf(text) and _SPF_LIKE.match(text)
    ]
    if not records:
        return SpfChoice(SpfState.ABSENT, findings=tuple(findings))
    if len(records) > 1:
        findings.append(Finding.of("spf_multiple_records", count=len(records)))
        return SpfChoice(SpfState.PERMERROR, records, tuple(findings))
    return SpfChoice(records[0].state, records, (*findings, *records[0].findings))


def parse_spf(text: str) -> Spf:
    """Parse one record; `text` is the joined TXT string. Total: a broken record is a permerror."""
    return _parse_known(text) if len(text) <= _LONG_TEXT else _parse(text)


def _parse(text: str) -> Spf:
    version = _VERSION.match(text)
    if version is None:
        fault = Finding.of("spf_not_a_record")
        return Spf(text=text, state=SpfState.PERMERROR, findings=(fault,))
    reading = _Reading()
    for term in text[version.end() :].split(" "):
        if term:
            reading.take(term)
    return reading.record(text)


#: customers of one provider publish the same text; long ones are not kept, as they are rarely alike
_parse_known = lru_cache(maxsize=2048)(_parse)


class _Reading:
    """Terms collected while a record is read from left to right."""

    def __init__(self) -> None:
        self.mechanisms: list[Mechanism] = []
        self.once: dict[str, str] = {}
        self.unknown: list[tuple[str, str]] = []
        self.faults: list[Finding] = []

    def take(self, term: str) -> None:
        modifier = _MODIFIER.fullmatch(term)
        if modifier is not None:
            self._modifier(modifier[1].lower(), modifier[2], term)
            return
        mechanism = _mechanism(term)
        if mechanism is None:
            self.faults.append(Finding.of("spf_syntax", term=term))
        else:
            self.mechanisms.append(mechanism)

    def _modifier(self, name: str, value: str, term: str) -> None:
        if name in ("redirect", "exp"):
            if name in self.once:
                self.faults.append(Finding.of("spf_modifier_twice", term=name))
            elif not _is_domain_spec(value):
                self.faults.append(Finding.of("spf_syntax", term=term))
            self.once.setdefault(name, value)
            return
        if not _is_macro_string(value):
            self.faults.append(Finding.of("spf_syntax", term=term))
        self.unknown.append((name, value))

    def record(self, text: str) -> Spf:
        record = Spf(
            text=text,
            state=SpfState.PERMERROR if self.faults else SpfState.OK,
            mechanisms=tuple(self.mechanisms),
            redirect=self.once.get("redirect"),
            explanation=self.once.get("exp"),
            unknown_modifiers=tuple(self.unknown),
        )
        findings = (*self.faults, *_advice(record))
        return msgspec.structs.replace(record, findings=findings)


@lru_cache(maxsize=4096)  # a few providers' terms make up most records
def _mechanism(term: str) -> Mechanism | None:
    match = _DIRECTIVE.fullmatch(term)
    if match is None:
        return None
    qualifier, name, rest = match[1] or "+", match[2].lower(), match[3]
    if name == "all":
        return None if rest else Mechanism(qualifier, name)
    if name in ("ip4", "ip6"):
        return _network(qualifier, name, rest)
    if name in ("a", "mx"):
        return _dual_cidr(qualifier, name, rest)
    if name == "ptr" and not rest:
        return Mechanism(qualifier, name)
    if not rest.startswith(":") or not _is_domain_spec(rest[1:]):
        return None
    return Mechanism(qualifier, name, rest[1:])


def _network(qualifier: str, name: str, rest: str) -> Mechanism | None:
    match = _IP.fullmatch(rest)
    if match is None:
        return None
    parse, longest = (ipaddress.IPv4Address, 32) if name == "ip4" else (ipaddress.IPv6Address, 128)
    try:
        parse(match[1])
    except ValueError:
        return None
    prefix = None if match[2] is None else int(match[2])
    if prefix is not None and prefix > longest:
        return None
    if name == "ip4":
        return Mechanism(qualifier, name, match[1], cidr4=prefix)
    return Mechanism(qualifier, name, match[1], cidr6=prefix)


def _dual_cidr(qualifier: str, name: str, rest: str) -> Mechanism | None:
    match = _DUAL_CIDR.fullmatch(rest)
    if match is None or (match[1] is not None and not _is_domain_spec(match[1])):
        return None
    cidr4 = None if match[2] is None else int(match[2])
    cidr6 = None if match[3] is None else int(match[3])
    if (cidr4 or 0) > 32 or (cidr6 or 0) > 128:
        return None
    return Mechanism(qualifier, name, match[1] or "", cidr4, cidr6)


def _is_macro_string(value: str) -> bool:
    """Section 7.1: visible ASCII, every % part of a macro, no transformer of zero."""
    if not _VISIBLE.fullmatch(value):
        return False
    if "%" not in value:
        return True
    for macro in MACRO.finditer(value):
        if macro[2] and not macro[2].strip("0"):
            return False
    return "%" not in MACRO.sub("", value)


def _is_domain_spec(value: str) -> bool:
    """A macro-string that ends in a macro or in a top label that is not all digits."""
    if not value or not _is_macro_string(value):
        return False
    return _ends_in_macro(value) or _TOPLABEL.search(value) is not None


def _ends_in_macro(value: str) -> bool:
    """True when the end is a whole macro: in `%%{d}` the brace stands for itself."""
    return any(macro.end() == len(value) for macro in MACRO.finditer(value))


def _advice(record: Spf) -> list[Finding]:
    """What a receiver accepts and an administrator should know."""
    found = _advice_on_end(record)
    for name, value in record.unknown_modifiers:
        if name in LOOKUP_TERMS or name in ("ip4", "ip6", "all"):
            term, fix = f"{name}={value}", f"{name}:{value}"
            found.append(Finding.of("spf_looks_like_typo", term=term, fix=fix))
    seen: set[str] = set()
    for target in record.includes:
        if target.lower() in seen:
            found.append(Finding.of("spf_duplicate_include", term=target))
        seen.add(target.lower())
    if any(term.name == "ptr" for term in record.mechanisms):
        found.append(Finding.of("spf_ptr"))
    if len(record.text) > _LONG_TEXT:
        found.append(Finding.of("spf_record_long", count=len(record.text)))
    return found


def _advice_on_end(record: Spf) -> list[Finding]:
    if record.all is None:
        return [] if record.redirect is not None else [Finding.of("spf_no_all")]
    found = []
    if record.all in "+?":
        found.append(Finding.of("spf_plus_all" if record.all == "+" else "spf_neutral_all"))
    after = record.mechanisms[len(record.reached) + 1 :]
    if after:
        names = " ".join(term.name for term in after)
        found.append(Finding.of("spf_terms_after_all", term=names))
    if record.redirect is not None:
        found.append(Finding.of("spf_redirect_ignored"))
    return found
