"""Entries of people: what may be kept, why not, and who is the same person."""

from __future__ import annotations

import pytest

from hunter.core.contacts import Flaw, NewContact, Purpose, check_contact


def _check(**given: str) -> NewContact | Flaw:
    values = {"name": "", "role": "", "email": "", "phone": "", "source": "fair"} | given
    return check_contact(**values, purpose=Purpose.SALES)


@pytest.mark.parametrize(
    ("given", "field", "reason"),
    [
        ({"name": "Ayşe"}, "email", "unreachable"),
        ({"email": "ayse@x.com", "source": " "}, "source", "source_missing"),
        ({"email": "ayse"}, "email", "email_invalid"),
        ({"email": "Ayşe <ayse@x.com>"}, "email", "email_invalid"),
        ({"email": "a..b@x.com"}, "email", "email_invalid"),
        ({"email": "a@http://x.com"}, "email", "email_invalid"),
        ({"email": "a@x.com/path"}, "email", "email_invalid"),
        ({"email": "a@localhost"}, "email", "email_invalid"),
        ({"phone": "123"}, "phone", "phone_invalid"),
        ({"phone": "+90 212 CALL ME"}, "phone", "phone_invalid"),
        ({"phone": "1" * 16}, "phone", "phone_invalid"),
        ({"email": "a@x.com", "name": "x" * 201}, "name", "too_long"),
        ({"email": "a@x.com", "role": "CEO\r\nBcc: all"}, "role", "unprintable"),
        ({"email": "a@x.com", "name": "A\0"}, "name", "unprintable"),
    ],
)
def test_an_entry_that_cannot_be_kept_says_why(
    given: dict[str, str], field: str, reason: str
) -> None:
    found = _check(**given)

    assert isinstance(found, Flaw)
    assert (found.field, found.reason) == (field, reason)
    assert found.detail


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("Ayse.Yilmaz@FIRMA.com.tr", "Ayse.Yilmaz@firma.com.tr"),
        ("ayse@şirket.com.tr", "ayse@xn--irket-idb.com.tr"),
        ("ayse+fair@gmail.com", "ayse+fair@gmail.com"),
    ],
)
def test_addresses_are_kept_in_one_form(given: str, kept: str) -> None:
    found = _check(email=given)

    assert isinstance(found, NewContact)
    assert found.email == kept


def test_the_same_address_or_name_and_phone_is_the_same_person() -> None:
    pairs = [
        ({"email": "A@x.com", "name": "Ali"}, {"email": "a@X.com", "name": "Veli"}),
        (
            {"name": "Ali", "phone": "+90 212 000 00 00"},
            {"name": "ALI", "phone": "+90-212-0000000"},
        ),
    ]
    for one, other in pairs:
        first, second = _check(**one), _check(**other)
        assert isinstance(first, NewContact)
        assert isinstance(second, NewContact)
        assert first.identity == second.identity
