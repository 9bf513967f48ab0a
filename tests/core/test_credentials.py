"""Keys: their text, and the digest that is stored of it."""

from __future__ import annotations

import pytest

from hunter.core.credentials import (
    ID_BYTES,
    SECRET_BYTES,
    digest_of,
    id_from,
    id_in,
    is_key_id,
    is_same,
    write_key,
)

ID = id_from(bytes(range(ID_BYTES)))
KEY = write_key(ID, bytes(range(SECRET_BYTES)))


def test_a_key_holds_its_id_and_256_bits() -> None:
    assert f"hk_{ID}_{bytes(range(32)).hex()}" == KEY
    assert id_in(KEY) == ID
    assert is_key_id(ID)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hk_",
        KEY[:-1],
        KEY + "0",
        KEY.upper(),
        " " + KEY,
        KEY + "\n",
        f"hk_{ID}",
        "hk_ı" + KEY[4:],
    ],
)
def test_what_has_not_the_form_of_a_key_has_no_id(text: str) -> None:
    assert id_in(text) is None


@pytest.mark.parametrize("caller", ["admin", "anonymous", "cli", "system", ID + "a", ID.upper()])
def test_no_built_in_caller_is_the_id_of_a_key(caller: str) -> None:
    assert not is_key_id(caller)


def test_a_digest_hangs_on_pepper_id_and_secret() -> None:
    other_id = write_key(id_from(bytes(ID_BYTES)), bytes(range(SECRET_BYTES)))
    digests = {
        digest_of("pepper", KEY),
        digest_of("salt", KEY),
        digest_of("pepper", other_id),
        digest_of("pepper", KEY[:-1] + "0"),
    }

    assert len(digests) == 4
    assert is_same(digest_of("pepper", KEY), digest_of("pepper", KEY))
    assert {len(each) for each in digests} == {32}


def test_any_text_of_a_header_has_a_digest() -> None:
    assert len(digest_of("pepper", "\udcff\0ş" * 1000)) == 32
