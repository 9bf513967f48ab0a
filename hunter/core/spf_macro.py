"""SPF macros: the parts of a policy that depend on the message at hand (RFC 7208 section 7)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address
from typing import Final
from urllib.parse import quote

from hunter.core.spf import MACRO

#: the letters c, r and t are for explanations alone (section 7.2)
_EXPLANATION_MACRO: Final = re.compile(
    r"%\{([slodipvhcrtSLODIPVHCRT])([0-9]*)([rR]?)([.+,/_=-]*)\}|%%|%_|%-"
)
_LITERAL: Final = {"%%": "%", "%_": " ", "%-": "%20"}
_NEEDS_P: Final = re.compile(r"%\{p", re.IGNORECASE)
#: octets of a name in presentation form, without the last dot (RFC 1035 section 3.1)
_MAX_NAME: Final = 253
_MAX_LABEL: Final = 63
#: characters with a meaning in a master file, and all that cannot be seen (RFC 1035 section 5.1)
_SPECIAL: Final = re.compile(r'[^!-~]|["();@$\\]')


def needs_validated_name(text: str) -> bool:
    """True when the text has a `p` macro, which costs look-ups to fill in."""
    return _NEEDS_P.search(text) is not None


def expand_name(text: str, values: Mapping[str, str]) -> str:
    """A domain-spec as the name to ask for: macros filled in, cut to 253 characters from the left.

    `values` maps lower-case macro letters to what they stand for. The name is lower case without
    the last dot; section 7.3 cuts by whole labels.
    """
    name = _filled(MACRO, text, values).lower().removesuffix(".")
    if len(name) <= _MAX_NAME:
        return name
    # one more than fits: what stands before its first dot is the label that is cut
    end = name[-_MAX_NAME - 1 :]
    return end.partition(".")[2] or name


def expand_explanation(text: str, values: Mapping[str, str]) -> str | None:
    """An explanation as the sender reads it; None when it is not ASCII or a macro is misspelt."""
    if not text.isascii() or "%" in _EXPLANATION_MACRO.sub(_misspelt, text):
        return None
    return _filled(_EXPLANATION_MACRO, text, values)


def _misspelt(macro: re.Match[str]) -> str:
    """What is left of a macro that cannot be filled in: section 7.1 forbids zero parts."""
    return macro[0] if macro[2] and not macro[2].strip("0") else ""


def _filled(pattern: re.Pattern[str], text: str, values: Mapping[str, str]) -> str:
    return pattern.sub(lambda macro: _value(macro, values), text) if "%" in text else text


def _value(macro: re.Match[str], values: Mapping[str, str]) -> str:
    letter = macro[1]
    if letter is None:
        return _LITERAL[macro[0]]
    parts = re.split(f"[{re.escape(macro[4] or '.')}]", values[letter.lower()])
    if macro[3]:
        parts.reverse()
    # more parts than there are is as good as all (section 7.3); nine digits bound the number
    wanted = int(macro[2].lstrip("0")[:9]) if macro[2] else 0
    value = ".".join(parts[-wanted:])
    return quote(value, safe="") if letter.isupper() else value


def dotted(address: IPv4Address | IPv6Address) -> str:
    """The `i` macro: dotted quad, or the 32 nibbles of an IPv6 address between dots."""
    if isinstance(address, IPv4Address):
        return str(address)
    return ".".join(f"{int(address):032X}")


def is_askable(name: str) -> bool:
    """True when a DNS message can carry the name: labels of 1 to 63 octets, 253 in all."""
    labels = name.split(".")
    return len(name) <= _MAX_NAME and all(0 < len(label) <= _MAX_LABEL for label in labels)


def presentation(name: str) -> str:
    r"""The name as a question is written: what means something in a master file as \DDD."""
    return _SPECIAL.sub(lambda found: f"\\{ord(found[0]):03}", name)
