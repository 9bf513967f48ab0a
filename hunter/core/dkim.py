"""A DKIM key record, parsed, and what one selector's answer proves (RFC 6376, 8301, 8463)."""

from __future__ import annotations

import binascii
import re
from collections.abc import Sequence
from enum import StrEnum
from functools import lru_cache
from typing import Final

import msgspec

from hunter.core.answers import Answer, Outcome
from hunter.core.judgement import Finding
from hunter.core.tags import first_of_each, panel_fault, parse_tags

_FWS = re.compile(r"[ \t\r\n]+")
_BLANKS = " \t\r\n"
#: OBJECT IDENTIFIER rsaEncryption 1.2.840.113549.1.1.1, as DER
_RSA_OID: Final = bytes.fromhex("06092a864886f70d010101")
_SEQUENCE, _BIT_STRING, _INTEGER = 0x30, 0x03, 0x02
#: RFC 8301 section 3.2: shorter keys are refused; 2048 is what signers should use
_MIN_BITS: Final = 1024
_GOOD_BITS: Final = 2048
_ED25519_BYTES: Final = 32
#: a 4096-bit key has some 800 characters
_LONG_TEXT: Final = 1024


class KeyState(StrEnum):
    """What a verifier makes of a selector's key record."""

    VALID = "valid"
    #: empty p=: the key was taken back
    REVOKED = "revoked"
    #: a key record that verifiers refuse
    INVALID = "invalid"
    #: of a kind that verifiers do not know, ignored
    UNUSABLE = "unusable"
    #: TXT that is no DKIM key
    NOT_DKIM = "not_dkim"
    #: more than one record, the result is undefined (RFC 6376 section 3.6.2.2)
    AMBIGUOUS = "ambiguous"


class DkimKey(msgspec.Struct, frozen=True):
    """One key record."""

    state: KeyState
    #: rsa, ed25519 or as written; "" when there is no key
    key: str = ""
    #: size of the key; None when it cannot be read
    bits: int | None = None
    #: t=y: verifiers treat the mail as unsigned
    testing: bool = False
    #: t=s: i= must be the domain itself
    strict_domain: bool = False
    #: s=, "*" without it; joined by ":"
    service: str = "*"
    #: h=, () means all
    hashes: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def is_weak(self) -> bool:
        """True for a valid RSA key below 2048 bits."""
        return self.state is KeyState.VALID and self.key == "rsa" and (self.bits or 0) < _GOOD_BITS


class SelectorState(StrEnum):
    """What the answer at one selector proves."""

    VALID = "valid"
    REVOKED = "revoked"
    INVALID = "invalid"
    UNUSABLE = "unusable"
    NOT_DKIM = "not_dkim"
    AMBIGUOUS = "ambiguous"
    #: nothing there, or only a wildcard
    NOT_FOUND = "not_found"
    #: a CNAME whose target is empty: set up, never switched on
    PREPARED = "prepared_not_enabled"
    #: nothing at this selector, yet `_domainkey` exists: some selector may
    UNKNOWN_SELECTORS = "unknown_selectors"
    #: nobody answered, or nobody asked
    UNKNOWN = "unknown"


class Selector(msgspec.Struct, frozen=True):
    """One selector of one domain."""

    state: SelectorState
    #: where the selector's CNAME ends, "" without one; only this shows an operator
    target: str = ""
    key: DkimKey | None = None
    findings: tuple[Finding, ...] = ()


def parse_dkim_key(text: str) -> DkimKey:
    """Parse one record; `text` is the joined TXT string. Total."""
    return _parse_known(text) if len(text) <= _LONG_TEXT else _parse(text)


def _parse(text: str) -> DkimKey:
    # RFC 6376 section 3.2: names of tags are read in the case they are written in
    tags, broken = parse_tags(text, blanks=_BLANKS, keep_case=True)
    values, again = first_of_each(tags)
    version = values.get("v")
    fault = panel_fault(text) if "p=" in text else None
    if fault is not None:
        is_quoted = fault == "quoted_record"
        mangled = Finding.of("dkim_quoted_record" if is_quoted else "dkim_escaped_semicolon")
        return DkimKey(KeyState.NOT_DKIM, findings=(mangled,))
    if ("p" not in values and version is None) or version not in (None, "DKIM1"):
        return DkimKey(KeyState.NOT_DKIM)
    faults = [Finding.of("dkim_duplicate_tag", tag=name) for name in again]
    faults += [Finding.of("dkim_not_a_tag", tag=part) for part in broken]
    if version is not None and tags[0].name != "v":
        faults.append(Finding.of("dkim_version_not_first"))
    if "p" not in values:
        faults.append(Finding.of("dkim_missing_p"))
    return _key(values, faults)


#: a stored key is read again for every version of the rules; long ones are no keys
_parse_known = lru_cache(maxsize=2048)(_parse)


def select_dkim_key(txt_records: Sequence[str]) -> DkimKey:
    """The key at a selector that has these TXT records."""
    keys = [parse_dkim_key(text) for text in txt_records]
    meant = [key for key in keys if key.state is not KeyState.NOT_DKIM]
    if len(meant) > 1:
        return DkimKey(
            KeyState.AMBIGUOUS, findings=(Finding.of("dkim_several_keys", count=len(meant)),)
        )
    if meant:
        return meant[0]
    return keys[0] if keys else DkimKey(KeyState.NOT_DKIM)


def read_selector(
    answer: Answer | None,
    domain: str,
    *,
    wildcard: Answer | None = None,
    parent: Answer | None = None,
) -> Selector:
    """What a TXT answer at `<selector>._domainkey.<domain>` proves.

    `wildcard` is the answer at a random selector, `parent` the answer at `_domainkey.<domain>`;
    None when not asked.
    """
    if answer is None or not answer.outcome.is_known:
        return Selector(SelectorState.UNKNOWN)
    target = answer.chain[-1] if answer.chain else ""
    if answer.outcome is Outcome.FOUND:
        if wildcard is not None and set(wildcard.records) == set(answer.records):
            return Selector(SelectorState.NOT_FOUND, findings=(Finding.of("dkim_wildcard"),))
        key = select_dkim_key(answer.records)
        return Selector(SelectorState(key.state.value), target, key, key.findings)
    if target.endswith("." + domain) and target.count("._domainkey."):
        note = Finding.of("dkim_cname_missing_trailing_dot", target=target)
        return Selector(SelectorState.NOT_FOUND, target, findings=(note,))
    if target:
        return Selector(SelectorState.PREPARED, target, findings=(Finding.of("dkim_prepared"),))
    if parent is not None and parent.outcome in (Outcome.NODATA, Outcome.FOUND):
        return Selector(SelectorState.UNKNOWN_SELECTORS)
    return Selector(SelectorState.NOT_FOUND)


def _key(values: dict[str, str], faults: list[Finding]) -> DkimKey:
    kind = values.get("k", "rsa").lower()
    flags = _listed(values.get("t", ""))
    hashes = _listed(values.get("h", ""))
    services = _listed(values.get("s", "*")) or ("*",)
    state, bits, found = _material(kind, values.get("p"))
    if faults:
        state = KeyState.INVALID
    elif hashes and "sha256" not in hashes and state is KeyState.VALID:
        # RFC 8301 section 3.1: nothing but sha256 may be used
        state = KeyState.UNUSABLE
        found = (*found, Finding.of("dkim_weak_hash"))
    notes = [Finding.of("dkim_testing")] if "y" in flags else []
    if not {"*", "email"} & set(services):
        notes.append(Finding.of("dkim_not_for_email", service=":".join(services)))
    return DkimKey(
        state=state,
        key=kind,
        bits=bits,
        testing="y" in flags,
        strict_domain="s" in flags,
        service=":".join(services),
        hashes=hashes,
        findings=(*faults, *found, *notes),
    )


def _listed(text: str) -> tuple[str, ...]:
    parts = (_FWS.sub("", part).lower() for part in text.split(":"))
    return tuple(part for part in parts if part)


def _material(kind: str, encoded: str | None) -> tuple[KeyState, int | None, tuple[Finding, ...]]:
    """State and size of the key in p=."""
    if encoded is None:
        return KeyState.INVALID, None, ()
    packed = _FWS.sub("", encoded)
    if not packed:
        return KeyState.REVOKED, None, (Finding.of("dkim_revoked"),)
    if kind not in ("rsa", "ed25519"):
        return KeyState.UNUSABLE, None, (Finding.of("dkim_unknown_key_type", kind=kind),)
    try:
        raw = binascii.a2b_base64(packed.encode(), strict_mode=True)
    except (binascii.Error, ValueError):
        return KeyState.INVALID, None, (Finding.of("dkim_bad_base64"),)
    if kind == "ed25519":
        if len(raw) != _ED25519_BYTES:
            return KeyState.INVALID, None, (Finding.of("dkim_bad_key"),)
        return KeyState.VALID, 256, ()
    bits = rsa_bits(raw)
    if bits is None:
        return KeyState.INVALID, None, (Finding.of("dkim_bad_key"),)
    if bits < _MIN_BITS:
        return KeyState.INVALID, bits, (Finding.of("dkim_short_key", bits=bits),)
    return (
        KeyState.VALID,
        bits,
        (Finding.of("dkim_weak_key", bits=bits),) if bits < _GOOD_BITS else (),
    )


def rsa_bits(der: bytes) -> int | None:
    """Size of an RSA public key as SubjectPublicKeyInfo (RFC 5280) or bare RSAPublicKey (RFC 8017).

    None when the bytes are neither, or are cut short.
    """
    outer = _unwrap(der, _SEQUENCE)
    if outer is None:
        return None
    body, rest = outer
    if rest:
        return None
    if body[:1] == bytes([_SEQUENCE]):
        inner = _subject_key(body)
        unwrapped = None if inner is None else _unwrap(inner, _SEQUENCE)
        if unwrapped is None:
            return None
        body = unwrapped[0]
    modulus = _unwrap(body, _INTEGER)
    if modulus is None or _unwrap(modulus[1], _INTEGER) is None:
        return None
    return int.from_bytes(modulus[0], "big").bit_length()


def _subject_key(body: bytes) -> bytes | None:
    algorithm = _unwrap(body, _SEQUENCE)
    if algorithm is None or not algorithm[0].startswith(_RSA_OID):
        return None
    bit_string = _unwrap(algorithm[1], _BIT_STRING)
    # the first octet counts unused bits, always 0 for a key
    return bit_string[0][1:] if bit_string is not None and bit_string[0][:1] == b"\0" else None


def _unwrap(data: bytes, tag: int) -> tuple[bytes, bytes] | None:
    """Content of the first DER element when it has this tag and is whole, and what follows it."""
    if len(data) < 2 or data[0] != tag:
        return None
    length, start = data[1], 2
    if length & 0x80:
        count = length & 0x7F
        if not 1 <= count <= 4:
            return None
        length, start = int.from_bytes(data[2 : 2 + count], "big"), 2 + count
    end = start + length
    return (data[start:end], data[end:]) if end <= len(data) else None
