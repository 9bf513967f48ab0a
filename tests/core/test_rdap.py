"""RDAP: which server to ask, and what its answer says."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunter.core.rdap import is_not_found, parse_bootstrap, parse_registration
from hunter.core.registration import Registration, RegistrationState

NOW = dt.datetime(2026, 11, 24, 4, 0, tzinfo=dt.UTC)
DATE = "2026-07-23T02:00:03Z"
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=16,
)


def bootstrap(*services: Any, **fields: Any) -> bytes:
    return json.dumps(
        {"version": "1.0", "publication": DATE, "services": services} | fields
    ).encode()


def read(**fields: Any) -> Registration:
    document = {"objectClassName": "domain", "ldhName": "contoso.com"} | fields
    return parse_registration(
        json.dumps(document).encode(), "contoso.com", server="rdap.test", observed_at=NOW
    )


def test_the_longest_match_by_whole_labels_is_asked_https_first() -> None:
    found = parse_bootstrap(
        bootstrap(
            [["com"], ["http://com.test/", "https://com.test/"]],
            [["SUB.example.com.", "net"], ["https://sub.test/"]],
        )
    )

    assert found.fault == ""
    assert found.publication == DATE
    assert found.servers_for("contoso.com") == ("https://com.test/", "http://com.test/")
    assert found.servers_for("a.sub.example.com") == ("https://sub.test/",)
    assert found.servers_for("xsub.example.com") == ("https://com.test/", "http://com.test/")
    assert found.servers_for("net") == ("https://sub.test/",)
    assert found.servers_for("contoso.org") == ()


def test_the_empty_name_stands_for_every_other() -> None:
    found = parse_bootstrap(
        bootstrap([["com"], ["https://com.test/"]], [[""], ["https://root.test/"]])
    )

    assert found.servers_for("contoso.org") == ("https://root.test/",)
    assert found.servers_for("contoso.com") == ("https://com.test/",)


@pytest.mark.parametrize(
    "url",
    ["", "x", "ftp://a.test/", "https://", "https://a b.test/", "https://a.test/%%", "https://a.test/%zz",
     "https://a.test/?q=", "https://[::1", "https://a.test:99999/", "https://ü.test/", "https://a.test/\n"],
)  # fmt: skip
def test_a_url_that_is_none_is_left_out(url: str) -> None:
    found = parse_bootstrap(bootstrap([["com"], [url, "https://com.test/%20"]], [["net"], [url]]))

    assert found.fault == ""
    assert found.ignored == (url, url)
    assert found.servers_for("contoso.com") == ("https://com.test/%20",)
    assert found.servers_for("contoso.net") == ()


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "no JSON"),
        (b"{", "no JSON"),
        (b"[]", "not a JSON object"),
        (b"[" * 100_000, "not a JSON object"),
        (bootstrap([["com"], ["https://com.test/"]], version="2.0"), "version"),
        (bootstrap([["com"], ["https://com.test/"]], version=None), "version"),
        (bootstrap([["com"], ["https://com.test/"]], publication="yesterday"), "published"),
        (bootstrap(), "no services"),
        (bootstrap(services={}), "no services"),
        (bootstrap([["com"], ["https://com.test/"]], []), "Service 1"),
        (bootstrap([["com"]]), "Service 0"),
        (bootstrap([["com"], ["https://com.test/"], []]), "Service 0"),
        (bootstrap(["com", "https://com.test/"]), "Service 0"),
        (bootstrap([["com", 7], ["https://com.test/"]]), "Service 0"),
        (bootstrap([["com"], [None]]), "Service 0"),
        (bootstrap([["com"], ["ftp://com.test/"]]), "None of its servers"),
    ],
)
def test_a_file_that_breaks_the_format_is_not_used(data: bytes, why: str) -> None:
    found = parse_bootstrap(data)

    assert (
        found.fault.startswith("It is not a JSON object") if "JSON" in why else why in found.fault
    )
    assert found.servers == {}


def test_an_answer_gives_registrar_days_statuses_and_delegation() -> None:
    found = read(
        ldhName="CONTOSO.COM.",
        status=["client transfer prohibited", "active"],
        events=[
            {"eventAction": "registration", "eventDate": "1997-08-04T04:00:00Z"},
            {"eventAction": "Expiration", "eventDate": "2027-08-03T23:30:00-05:00"},
            {"eventAction": "expiration", "eventDate": "2020-01-01"},
            {"eventAction": "last changed", "eventDate": "2026-01-01T00:00:00Z"},
            {"eventAction": "expiration", "eventDate": "never"},
            {"eventAction": 7, "eventDate": "2099-01-01"},
            "expiration",
        ],
        secureDNS={"delegationSigned": True},
        entities=[
            {"roles": ["registrant"], "vcardArray": ["vcard", [["fn", {}, "text", "A Person"]]]},
            {
                "roles": ["Registrar", "sponsor"],
                "vcardArray": ["vcard", [["version", {}, "text", "4.0"], ["fn", {}, "text", "Natro "]]],
                "entities": [{"roles": ["abuse"], "vcardArray": ["vcard", [["fn", {}, "text", "B"]]]}],
            },
        ],
    )  # fmt: skip

    assert found == Registration(
        "contoso.com",
        RegistrationState.REGISTERED,
        registrar="Natro",
        created=dt.date(1997, 8, 4),
        expires=dt.date(2027, 8, 4),
        statuses=("active", "client transfer prohibited"),
        delegation_signed=True,
        source="rdap",
        server="rdap.test",
        observed_at="2026-11-24T04:00:00+00:00",
    )
    assert found.is_known


def test_what_an_answer_leaves_out_is_not_known() -> None:
    found = read()

    assert found.state is RegistrationState.REGISTERED
    assert (found.registrar, found.created, found.expires) == ("", None, None)
    assert (found.statuses, found.delegation_signed) == ((), None)


def test_a_registrars_own_date_counts_where_the_registry_has_none() -> None:
    own = {"eventAction": "registrar expiration", "eventDate": "2028-01-01T00:00:00Z"}
    registry = {"eventAction": "expiration", "eventDate": "2027-01-01T00:00:00Z"}

    assert read(events=[own]).expires == dt.date(2028, 1, 1)
    assert read(events=[own, registry]).expires == dt.date(2027, 1, 1)


@pytest.mark.parametrize(
    ("entity", "name"),
    [
        ({"roles": ["registrar"], "handle": "REG-INTERNET-CZ"}, "REG-INTERNET-CZ"),
        ({"roles": "registrar", "handle": "292"}, "292"),
        ({"roles": ["registrar"], "vcardArray": ["vcard", [["org", {}, "text", ["", "Natro"]]]]}, "Natro"),
        ({"roles": ["registrar"], "vcardArray": ["vcard", [["fn", {}, "text", "\x00 "]]], "handle": "7"}, "7"),
        ({"roles": ["registrar"], "vcardArray": "none"}, ""),
        ({"roles": ["registrar"], "handle": 7}, ""),
        ({"roles": None, "handle": "x"}, ""),
        ({"roles": ["reseller"], "handle": "x"}, ""),
        ("registrar", ""),
    ],
)  # fmt: skip
def test_the_registrar_is_named_as_well_as_the_registry_does(entity: Any, name: str) -> None:
    assert read(entities=[entity]).registrar == name
    assert read(entities=[{"roles": ["registrar"]}, entity]).registrar == name


def test_a_person_is_kept_nowhere() -> None:
    card = ["vcard", [["fn", {}, "text", "Ada Canary"], ["email", {}, "text", "ada@canary.test"]]]
    found = read(
        entities=[
            {"roles": [role], "handle": "ADA-CANARY", "vcardArray": card}
            for role in ("registrant", "administrative", "technical", "billing", "abuse", "proxy")
        ],
        remarks=[{"description": ["Ada Canary"]}],
    )

    assert "canary" not in repr(found).lower()


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[]", b'"domain"', b"null", b"\xff\xfe", b'{"objectClassName": "entity"}', b"{}",
     b'{"objectClassName": "domain", "ldhName": "fabrikam.com"}', b'{"a":' * 5000, b"1" * 10_000],
)  # fmt: skip
def test_an_answer_that_is_none_leaves_the_registration_unknown(data: bytes) -> None:
    found = parse_registration(data, "contoso.com", server="rdap.test", observed_at=NOW)

    assert found.state is RegistrationState.UNKNOWN
    assert found.reason
    assert found.server == "rdap.test"


@pytest.mark.parametrize(
    ("body", "is_answer"),
    [
        (b"", True),
        (b" \r\n", True),
        (b'{"errorCode": 404, "title": "Not Found"}', True),
        (b'{"errorCode": "404"}', True),
        (b'{"rdapConformance": ["rdap_level_0"]}', True),
        (b'{"errorCode": 500}', False),
        (b"{}", False),
        (b'{"message": "no route"}', False),
        (b"<html>Not Found</html>", False),
        (b"[404]", False),
    ],
)
def test_a_404_of_rdap_is_told_from_one_of_a_web_server(body: bytes, is_answer: bool) -> None:
    assert is_not_found(body) is is_answer


@given(
    st.fixed_dictionaries(
        {"objectClassName": st.just("domain")},
        optional=dict.fromkeys(
            ("ldhName", "status", "events", "entities", "secureDNS", "services"), anything
        ),
    )
)
def test_any_json_with_the_right_names_is_read_without_an_exception(document: Any) -> None:
    data = json.dumps(document).encode()

    found = parse_registration(data, "contoso.com", server="rdap.test", observed_at=NOW)
    parse_bootstrap(data)

    assert found.is_known or found.reason


@given(st.binary(max_size=200))
def test_any_bytes_are_read_without_an_exception(data: bytes) -> None:
    found = parse_registration(data, "contoso.com", server="", observed_at=NOW)

    assert not found.is_known
    assert parse_bootstrap(data).fault
