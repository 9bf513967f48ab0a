"""People at a company: what makes an entry one that may be kept, and who is the same person."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final

import msgspec

from hunter.core.domain import parse_domain
from hunter.core.errors import InvalidDomain

TEXT_MAX: Final = 200
#: longest address of RFC 5321 section 4.5.3.1
EMAIL_MAX: Final = 254

_LOCAL: Final = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}")
_PHONE: Final = re.compile(r"\+?[0-9 ()./-]{5,40}")
#: digits of a number (E.164 has at most 15)
_DIGITS: Final = range(7, 16)


class Purpose(StrEnum):
    """What a contact is kept for."""

    #: to offer something
    SALES = "sales"
    #: to look after a customer
    CUSTOMER_CARE = "customer_care"
    #: to follow up a meeting
    EVENT = "event"


class NewContact(msgspec.Struct, frozen=True, kw_only=True):
    """A contact that may be kept."""

    #: who it is within a lead
    identity: str
    name: str | None
    role: str | None
    email: str | None
    phone: str | None
    source: str
    purpose: Purpose


class Flaw(msgspec.Struct, frozen=True):
    """Why an entry is not kept; `detail` says what to do."""

    #: name of the field
    field: str
    reason: str
    detail: str


#: code → what to do
FLAWS: Final = {
    "unreachable": "give an e-mail address or a phone number",
    "email_invalid": "give one address such as ayse@firma.com.tr, without a name around it",
    "phone_invalid": "give one number of 7 to 15 digits, such as +90 212 000 00 00",
    "too_long": f"give at most {TEXT_MAX} characters",
    "unprintable": "remove line breaks and control characters",
    "source_missing": "say where the contact is from, such as 'fair 2026'; the person may ask",
}


def check_contact(  # the fields of an entry
    *, name: str, role: str, email: str, phone: str, source: str, purpose: Purpose
) -> NewContact | Flaw:
    """The contact as it is kept, or the first thing that is wrong with the entry."""
    values = {"name": name, "role": role, "email": email, "phone": phone, "source": source}
    values = {field: " ".join(text.split(" ")).strip() for field, text in values.items()}
    for field, text in values.items():
        if not text.isprintable():
            return _flaw(field, "unprintable")
        if len(text) > (EMAIL_MAX if field == "email" else TEXT_MAX):
            return _flaw(field, "too_long")
    if not values["source"]:
        return _flaw("source", "source_missing")
    if not values["email"] and not values["phone"]:
        return _flaw("email", "unreachable")
    if values["email"] and not (address := _address(values["email"])):
        return _flaw("email", "email_invalid")
    if values["phone"] and not _is_phone(values["phone"]):
        return _flaw("phone", "phone_invalid")
    if values["email"]:
        values["email"] = address
    return NewContact(
        identity=_identity(values),
        name=values["name"] or None,
        role=values["role"] or None,
        email=values["email"] or None,
        phone=values["phone"] or None,
        source=values["source"],
        purpose=purpose,
    )


def _flaw(field: str, reason: str) -> Flaw:
    return Flaw(field, reason, FLAWS[reason])


def _address(text: str) -> str:
    """The address with its domain in lower case A-labels; "" when it is none."""
    local, at, host = text.rpartition("@")
    if (
        not at
        or not _LOCAL.fullmatch(local)
        or ".." in local
        or local[0] == "."
        or local[-1] == "."
    ):
        return ""
    if not re.fullmatch(r"[^\s@/:?#<>()\[\]\",;]+", host):
        return ""
    try:
        return f"{local}@{parse_domain(host, registrable=False, allow_test_names=True).name}"
    except InvalidDomain:
        # free mail is no company, and still an address
        plain = host.lower().rstrip(".")
        return f"{local}@{plain}" if re.fullmatch(r"(?:[a-z0-9-]+\.)+[a-z]{2,}", plain) else ""


def _is_phone(text: str) -> bool:
    return bool(_PHONE.fullmatch(text)) and len(re.sub(r"\D", "", text)) in _DIGITS


def _identity(values: dict[str, str]) -> str:
    if values["email"]:
        return values["email"].casefold()
    return f"{values['name'].casefold()} {re.sub(r'[^0-9]', '', values['phone'])}"
