"""Domain names to A-labels and back: UTS 46 non-transitional mapping, then IDNA 2008."""

from __future__ import annotations

import re
import unicodedata

import idna

from hunter.core.refusals import refusal

#: longest name in octets without the trailing dot (RFC 1035 section 2.3.4)
MAX_NAME = 253
#: longest label in octets
MAX_LABEL = 63
# idna refuses longer input by itself; asked first so that the reason is the right one
_MAX_INPUT = 1000
_LDH = re.compile(r"[a-z0-9-]+")
_DOTS = re.compile("[\u3002\uff0e\uff61]")
_RTL = frozenset({"R", "AL", "AN"})
# scripts that one writing system mixes by nature (UTS 39 section 5.1, highly restrictive)
_TOGETHER = (
    frozenset({"LATIN", "HIRAGANA", "KATAKANA", "CJK"}),
    frozenset({"LATIN", "HANGUL", "CJK"}),
    frozenset({"LATIN", "BOPOMOFO", "CJK"}),
)
# Cyrillic letters that nobody can tell from Latin ones, and what is the same in both (UTS 39)
_LATIN_TWINS = frozenset("асԁеһіјӏорԛѕԝхур0123456789-")


def to_ascii(name: str) -> str:
    """The canonical form: lower-case A-labels, no trailing dot.

    Raises InvalidDomain with reason empty_label, hyphen_edge, label_too_long, name_too_long,
    bad_character or bad_idn. Hyphens in positions 3 and 4 of a plain label are let through:
    such names exist in DNS (UTS 46 with CheckHyphens=false).
    """
    if len(name) > _MAX_INPUT:
        raise refusal("name_too_long")
    mapped = name.lower() if name.isascii() else _mapped(name)
    labels = mapped.removesuffix(".").split(".")
    if any(not label for label in labels):
        raise refusal("empty_label")
    encoded = [_a_label(label) for label in labels]
    if any(label.startswith("xn--") for label in encoded):
        _check_bidi(encoded)
    ascii_name = ".".join(encoded)
    if len(ascii_name) > MAX_NAME:
        raise refusal("name_too_long")
    return ascii_name


def to_unicode(name: str) -> str:
    """A canonical name as a person reads it; labels that do not decode stay as they are."""
    if "xn--" not in name:
        return name
    return ".".join(_u_label(label) for label in name.split("."))


def is_confusable(name: str) -> bool:
    """True when a label of a displayed name may imitate another: mixed scripts, or all look-alikes."""
    return not name.isascii() and any(_imitates(label) for label in name.split("."))


def _mapped(name: str) -> str:
    try:
        return idna.uts46_remap(_DOTS.sub(".", name), std3_rules=False)
    except idna.IDNAError as error:
        raise refusal("bad_character") from error


def _a_label(label: str) -> str:
    if label[0] == "-" or label[-1] == "-":
        raise refusal("hyphen_edge")
    if label.isascii() and not label.startswith("xn--"):
        if not _LDH.fullmatch(label):
            raise refusal("bad_character")
        if len(label) > MAX_LABEL:
            raise refusal("label_too_long")
        return label
    return _idna_label(label)


def _idna_label(label: str) -> str:
    try:
        return idna.alabel(label).decode("ascii")
    except ValueError as error:  # IDNAError is one; broken punycode raises others
        too_long = isinstance(error, idna.IDNAError) and error.code == "label_too_long"
        raise refusal("label_too_long" if too_long else "bad_idn") from error


def _u_label(label: str) -> str:
    if not label.startswith("xn--"):
        return label
    try:
        return idna.ulabel(label)
    except ValueError:  # IDNAError is one
        return label


def _check_bidi(labels: list[str]) -> None:
    """RFC 5893 section 2: one right-to-left label puts every label under the rule."""
    shown = [_u_label(label) for label in labels]
    if not any(unicodedata.bidirectional(char) in _RTL for label in shown for char in label):
        return
    for label in shown:
        try:
            idna.check_bidi(label, check_ltr=True)
        except idna.IDNAError as error:
            raise refusal("bad_idn") from error


def _script(char: str) -> str:
    return unicodedata.name(char, "").partition(" ")[0]


def _imitates(label: str) -> bool:
    scripts = {_script(char) for char in label if char.isalpha()}
    if scripts == {"CYRILLIC"} and _LATIN_TWINS.issuperset(label):
        return True
    return len(scripts) > 1 and not any(scripts <= together for together in _TOGETHER)
