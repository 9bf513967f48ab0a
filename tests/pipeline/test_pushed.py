"""JSON as other systems push it: which value is the company's domain, and which its name."""

from __future__ import annotations

from typing import Any

import pytest

from hunter.pipeline.pushed import PushedLead, event_id, pushed_leads

TYPEFORM = {
    "event_id": "LtWXD3crgy",
    "event_type": "form_response",
    "form_response": {
        "form_id": "lT4Z3j",
        "definition": {
            "fields": [
                {"id": "a1", "title": "Firma adınız?", "type": "short_text"},
                {"id": "a2", "title": "Your e-mail", "type": "email"},
            ]
        },
        "answers": [
            {"type": "text", "text": "Işık A.Ş.", "field": {"id": "a1", "type": "short_text"}},
            {"type": "email", "email": "ali@isik.com.tr", "field": {"id": "a2", "type": "email"}},
            {"type": "url", "url": "https://isik.com.tr/", "field": {"id": "a3"}},
            {"type": "number", "number": 7, "field": {"id": "a4"}},
        ],
    },
}


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({"domain": "acme.com", "company": "Acme"}, [("acme.com",), "Acme"]),
        ({"Website": " www.acme.com ", "companyName": "Acme"}, [("www.acme.com",), "Acme"]),
        ({"E-posta": "a@acme.com", "firma_adi": "Acme"}, [("a@acme.com",), "Acme"]),
        ({"domain": "acme.com", "name": "Acme"}, [("acme.com",), "Acme"]),
        # the name beside an address of a person is the person's
        ({"email": "ali@acme.com", "name": "Ali Veli"}, [("ali@acme.com",), ""]),
        ({"email": "a@acme.com", "website": "acme.com"}, [("acme.com", "a@acme.com"), ""]),
        ({"company": {"name": "Acme", "domain": "acme.com"}}, [("acme.com",), "Acme"]),
        # HubSpot: an object of its API, a workflow's properties, a property that changed
        (
            {"id": "1", "properties": {"domain": "acme.com", "name": "Acme"}},
            [("acme.com",), "Acme"],
        ),
        (
            {
                "vid": 3,
                "properties": {"email": {"value": "a@acme.com"}, "company": {"value": "Acme"}},
            },
            [("a@acme.com",), "Acme"],
        ),
        (
            {
                "subscriptionType": "company.propertyChange",
                "propertyName": "domain",
                "propertyValue": "acme.com",
            },
            [("acme.com",), ""],
        ),
        (TYPEFORM, [("https://isik.com.tr/", "ali@isik.com.tr"), "Işık A.Ş."]),
        # whose record it is says nothing about the lead
        ({"owner": {"email": "me@seller.com"}, "domain": "acme.com"}, [("acme.com",), ""]),
        ({"adres": "Atatürk Cad. 5", "url": ["acme.com", 5]}, [("acme.com",), ""]),
        ("acme.com", [("acme.com",), ""]),
        ({}, [(), ""]),
        (5, [(), ""]),
    ],
)
def test_a_lead_is_read_from_what_its_fields_are_called(payload: Any, expected: list[Any]) -> None:
    assert list(pushed_leads(payload)) == [PushedLead(*expected)]


@pytest.mark.parametrize("name", ["leads", "data", "results", "records"])
def test_lists_are_found_where_they_are(name: str) -> None:
    leads = [{"domain": "a.com"}, {"domain": "b.com"}]

    for payload in (leads, {name: leads, "total": 2}):
        assert [each.addresses for each in pushed_leads(payload)] == [("a.com",), ("b.com",)]


def test_depth_and_number_of_values_are_bounded() -> None:
    deep: Any = {"domain": "acme.com"}
    for _ in range(50):
        deep = {"data2": deep}
    wide = {f"website {n}": f"w{n}.com" for n in range(5000)}

    assert list(pushed_leads(deep)) == [PushedLead(())]
    assert len(next(pushed_leads(wide)).addresses) == 2000


def test_events_have_the_id_their_sender_gave_them() -> None:
    assert event_id(TYPEFORM) == "LtWXD3crgy"
    assert event_id({"eventId": 100}) == "100"
    assert event_id([{"eventId": 1}]) == event_id({}) == event_id(None) == ""
