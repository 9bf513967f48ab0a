"""DKIM keys: tags, key material, and what the answer at a selector proves."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunter.core.answers import Answer, Outcome, RRType
from hunter.core.dkim import (
    KeyState,
    SelectorState,
    parse_dkim_key,
    read_selector,
    rsa_bits,
    select_dkim_key,
)

NAME = "selector1._domainkey.contoso.com"


def _der(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    if len(body) < 0x80:
        return bytes([tag, len(body)]) + body
    size = len(body).to_bytes(2, "big")
    return bytes([tag, 0x82]) + size + body


def _rsa(bits: int) -> bytes:
    modulus = (1 << (bits - 1)) | 1
    return _der(
        0x30,
        _der(0x02, b"\0" + modulus.to_bytes((bits + 7) // 8, "big")),
        _der(0x02, b"\x01\x00\x01"),
    )


def _spki(key: bytes) -> bytes:
    oid = bytes.fromhex("06092a864886f70d0101010500")
    return _der(0x30, _der(0x30, oid), _der(0x03, b"\0", key))


def _p(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


GOOD = f"v=DKIM1; k=rsa; p={_p(_spki(_rsa(2048)))}"
WEAK = f"v=DKIM1; p={_p(_rsa(1024))}"


def test_a_good_key_has_nothing_to_tell() -> None:
    key = parse_dkim_key(GOOD)

    assert (key.state, key.key, key.bits, key.findings) == (KeyState.VALID, "rsa", 2048, ())
    assert not key.is_weak


def test_a_key_of_1024_bits_is_valid_and_weak() -> None:
    assert parse_dkim_key(WEAK).is_weak


def test_blanks_in_the_key_are_ignored() -> None:
    assert parse_dkim_key(GOOD.replace("p=MII", "p = M\r\n\tI I")).bits == 2048


@pytest.mark.parametrize(
    ("text", "state", "code"),
    [
        ("", KeyState.NOT_DKIM, None),
        ("v=spf1 -all", KeyState.NOT_DKIM, None),
        ("hello", KeyState.NOT_DKIM, None),
        (f'"{GOOD}"', KeyState.NOT_DKIM, "dkim_quoted_record"),
        (GOOD.replace(";", r"\;"), KeyState.NOT_DKIM, "dkim_escaped_semicolon"),
        ("v=DKIM1", KeyState.INVALID, "dkim_missing_p"),
        ("p=; v=DKIM1", KeyState.INVALID, "dkim_version_not_first"),
        (f"{GOOD}; k=rsa", KeyState.INVALID, "dkim_duplicate_tag"),
        (f"{GOOD}; broken", KeyState.INVALID, "dkim_not_a_tag"),
        ("v=DKIM1; p=", KeyState.REVOKED, "dkim_revoked"),
        ("k=dsa; p=AAAA", KeyState.UNUSABLE, "dkim_unknown_key_type"),
        ("p=@@@", KeyState.INVALID, "dkim_bad_base64"),
        ("p=é", KeyState.INVALID, "dkim_bad_base64"),
        ("p=AAAA", KeyState.INVALID, "dkim_bad_key"),
        ("k=ed25519; p=AAAA", KeyState.INVALID, "dkim_bad_key"),
        (f"p={_p(_rsa(512))}", KeyState.INVALID, "dkim_short_key"),
        (WEAK, KeyState.VALID, "dkim_weak_key"),
        (f"{GOOD}; h=sha1", KeyState.UNUSABLE, "dkim_weak_hash"),
        (f"{GOOD}; t=y:s", KeyState.VALID, "dkim_testing"),
        (f"{GOOD}; s=tlsrpt", KeyState.VALID, "dkim_not_for_email"),
        (f"{GOOD}; s=email:other; h=sha1:sha256", KeyState.VALID, None),
        (f"k=ed25519; p={_p(bytes(32))}", KeyState.VALID, None),
    ],
)
def test_a_record_gets_its_state_and_its_finding(
    text: str, state: KeyState, code: str | None
) -> None:
    key = parse_dkim_key(text)

    assert key.state is state
    assert [finding.code for finding in key.findings[:1]] == ([code] if code else [])


def test_several_keys_at_one_selector_are_ambiguous() -> None:
    assert select_dkim_key([GOOD, WEAK]).state is KeyState.AMBIGUOUS
    assert select_dkim_key([GOOD, "v=spf1 -all"]).state is KeyState.VALID
    assert select_dkim_key(["v=spf1 -all"]).state is KeyState.NOT_DKIM
    assert select_dkim_key([]).state is KeyState.NOT_DKIM


OTHER_OID = _der(0x30, bytes.fromhex("06072a8648ce3d0201"))


@pytest.mark.parametrize(
    "der",
    [
        b"",
        b"\x30",
        b"\x31\x00",
        b"\x30\x80",
        b"\x30\x85\x00\x00\x00\x00\x01\x00",
        b"\x30\x05\x02",
        _rsa(1024) + b"\0",
        _rsa(1024)[:60],
        _der(0x30, _der(0x02, b"\x01")),
        _der(0x30, _der(0x04, b"\x01")),
        _der(0x30, OTHER_OID, _der(0x03, b"\0", _rsa(1024))),
        _der(0x30, _der(0x30), _der(0x03, b"\0", _rsa(1024))),
        _spki(_rsa(1024))[:-1] + b"",
        _spki(b"hello"),
        _der(0x30, _der(0x30, bytes.fromhex("06092a864886f70d010101")), _der(0x03, b"\x07x")),
        _der(0x30, _der(0x30, bytes.fromhex("06092a864886f70d010101")), _der(0x04, b"x")),
    ],
)
def test_bytes_that_are_no_whole_rsa_key_have_no_size(der: bytes) -> None:
    assert rsa_bits(der) is None


@pytest.mark.parametrize("bits", [512, 1023, 1024, 2047, 4096])
def test_the_size_is_that_of_the_modulus(bits: int) -> None:
    assert rsa_bits(_rsa(bits)) == rsa_bits(_spki(_rsa(bits))) == bits


def _answer(outcome: Outcome, *records: str, chain: tuple[str, ...] = ()) -> Answer:
    return Answer(NAME, RRType.TXT, outcome, records, chain)


MISSING = _answer(Outcome.NXDOMAIN)
TENANT = "selector1-contoso-com._domainkey.contoso.onmicrosoft.com"


@pytest.mark.parametrize(
    ("answer", "state", "code"),
    [
        (None, SelectorState.UNKNOWN, None),
        (_answer(Outcome.TIMEOUT), SelectorState.UNKNOWN, None),
        (_answer(Outcome.FOUND, GOOD), SelectorState.VALID, None),
        (_answer(Outcome.FOUND, "p="), SelectorState.REVOKED, "dkim_revoked"),
        (_answer(Outcome.FOUND, GOOD, WEAK), SelectorState.AMBIGUOUS, "dkim_several_keys"),
        (MISSING, SelectorState.NOT_FOUND, None),
        (_answer(Outcome.NXDOMAIN, chain=(TENANT,)), SelectorState.PREPARED, "dkim_prepared"),
        (
            _answer(Outcome.NXDOMAIN, chain=(f"{TENANT}.contoso.com",)),
            SelectorState.NOT_FOUND,
            "dkim_cname_missing_trailing_dot",
        ),
    ],
)
def test_an_answer_at_a_selector_proves_what_it_can(
    answer: Answer | None, state: SelectorState, code: str | None
) -> None:
    selector = read_selector(answer, "contoso.com")

    assert selector.state is state
    assert [finding.code for finding in selector.findings] == ([code] if code else [])


def test_a_wildcard_proves_nothing() -> None:
    found = _answer(Outcome.FOUND, GOOD)

    assert read_selector(found, "contoso.com", wildcard=found).state is SelectorState.NOT_FOUND
    assert read_selector(found, "contoso.com", wildcard=MISSING).state is SelectorState.VALID


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        (Outcome.NODATA, SelectorState.UNKNOWN_SELECTORS),
        (Outcome.NXDOMAIN, SelectorState.NOT_FOUND),
        (Outcome.TIMEOUT, SelectorState.NOT_FOUND),
    ],
)
def test_an_empty_domainkey_name_says_that_selectors_exist(
    outcome: Outcome, state: SelectorState
) -> None:
    assert read_selector(MISSING, "contoso.com", parent=_answer(outcome)).state is state


PARTS = st.sampled_from(["v=DKIM1", "p=", "p=AAAA", "k=ed25519", "h=sha1", "t=y:s", "s=x", GOOD])


@given(st.text() | st.lists(PARTS | st.text(max_size=8)).map(";".join), st.binary())
def test_any_text_and_any_key_can_be_parsed(text: str, raw: bytes) -> None:
    key = parse_dkim_key(text)
    other = parse_dkim_key(f"p={_p(raw)}")

    assert SelectorState(key.state.value)
    assert other.state in (KeyState.REVOKED, KeyState.INVALID, KeyState.VALID)


@pytest.mark.parametrize(
    ("record", "state"),
    [
        # RFC 6376 section 3.2: case of tag names matters, an unknown tag is ignored
        ("v=DKIM1; P=AAAA", KeyState.INVALID),
        ("V=DKIM1; p=", KeyState.REVOKED),
        ("p=; P=AAAA", KeyState.REVOKED),
    ],
)
def test_names_of_tags_are_read_in_the_case_they_are_written_in(
    record: str, state: KeyState
) -> None:
    assert parse_dkim_key(record).state is state
