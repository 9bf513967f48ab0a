"""The public suffix list: where one registrant's names end and the next one's begin."""

from __future__ import annotations

from functools import lru_cache
from importlib import resources

import idna
import msgspec

_BEGIN_PRIVATE = "===BEGIN PRIVATE DOMAINS==="
_VERSION = "// VERSION: "


class SuffixRules(msgspec.Struct, frozen=True):
    """The rules of one part of the list, names as lower-case A-labels."""

    #: names that are suffixes themselves: "com", "com.tr"
    exact: frozenset[str]
    #: parents of `*.` rules: every child is a suffix
    wild: frozenset[str]
    #: `!` rules: a child of a wildcard that is not a suffix
    exceptions: frozenset[str]


class SuffixList(msgspec.Struct, frozen=True):
    """The packaged list with its date."""

    #: as the list says it: "2026-10-22_08-36-41_UTC"
    version: str
    icann: SuffixRules
    #: ICANN and private section together
    everything: SuffixRules


def _rules(lines: list[str]) -> SuffixRules:
    exact: set[str] = set()
    wild: set[str] = set()
    exceptions: set[str] = set()
    for line in lines:
        bare = line.removeprefix("!").removeprefix("*.")
        name = bare if bare.isascii() else idna.encode(bare).decode("ascii")
        target = exceptions if line[0] == "!" else wild if line[0] == "*" else exact
        target.add(name)
    return SuffixRules(frozenset(exact), frozenset(wild), frozenset(exceptions))


def parse_suffix_list(text: str) -> SuffixList:
    """Read the list in the format of publicsuffix.org."""
    version = ""
    icann: list[str] = []
    private: list[str] = []
    section = icann
    for raw in text.splitlines():
        line = raw.split(" ")[0].strip().lower()
        if line and not line.startswith("//"):
            section.append(line)
        elif raw.startswith(_VERSION):
            version = raw.removeprefix(_VERSION).strip()
        elif _BEGIN_PRIVATE in raw:
            section = private
    return SuffixList(version=version, icann=_rules(icann), everything=_rules(icann + private))


@lru_cache(maxsize=1)
def suffix_list() -> SuffixList:
    """The list inside the installed publicsuffixlist package, read once."""
    path = resources.files("publicsuffixlist") / "public_suffix_list.dat"
    return parse_suffix_list(path.read_text(encoding="utf-8"))


def _section(*, private: bool) -> SuffixRules:
    listed = suffix_list()
    return listed.everything if private else listed.icann


def is_known_tld(tld: str) -> bool:
    """True when the list has a rule for this top-level domain."""
    rules = suffix_list().icann
    return tld in rules.exact or tld in rules.wild


def is_public_suffix(name: str, *, private: bool = False) -> bool:
    """True when names are registered below `name`, not as `name` (canonical A-labels)."""
    rules = _section(private=private)
    _, dot, parent = name.partition(".")
    if name in rules.exact or not dot:
        return True
    return parent in rules.wild and name not in rules.exceptions


@lru_cache(maxsize=8192)  # a few hundred hosting companies run the name servers of most domains
def registrable_domain(name: str, *, private: bool = False) -> str | None:
    """The part of a canonical name that one registrant holds, None for a public suffix.

    The ICANN section decides, the private one too when asked. A top-level domain that is
    not listed counts as a suffix (the list's default rule `*`).
    """
    rules = _section(private=private)
    child: str | None = None
    rest = name
    while True:
        if rest in rules.exceptions:
            return rest
        _, dot, parent = rest.partition(".")
        if rest in rules.exact or parent in rules.wild or not dot:
            return child
        child, rest = rest, parent
