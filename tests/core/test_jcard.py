"""jCards: the well-formed parts are read, and every fault is named."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunter.core.jcard import parse_jcard

VERSION = ["version", {}, "text", "4.0"]
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.just("vcard"),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=20,
)


def test_a_card_is_read_property_by_property() -> None:
    card = parse_jcard(
        ["vcard", [VERSION, ["FN", {"type": ["work"]}, "text", "Natro", "second"],
                   ["adr", {}, "text", ["", "Street 1", ["Floor 2", "Room 3"]]], ["n", {}, "x", 7]]]
    )  # fmt: skip

    assert card.valid
    assert card.texts("fn") == ("Natro", "second")
    assert card.texts("adr") == ("", "Street 1", "Floor 2", "Room 3")
    assert card.texts("n") == ()
    assert card.texts("tel") == ()


@pytest.mark.parametrize(
    "row",
    [
        "fn",
        [],
        ["fn", {}, "text"],
        [7, {}, "text", "x"],
        ["fn", [], "text", "x"],
        ["fn", {"type": 7}, "text", "x"],
        ["fn", {"type": ["work", 7]}, "text", "x"],
        ["fn", {}, None, "x"],
        ["fn", {}, "text", {"x": 1}],
        ["fn", {}, "text", [{"x": 1}]],
        ["fn", {}, "text", ["a", ["b", ["c"]]]],
    ],
)
def test_a_bad_property_is_left_out_and_the_others_are_read(row: Any) -> None:
    card = parse_jcard(["vcard", [VERSION, row, ["org", {}, "text", "Natro"]]])

    assert not card.valid
    assert len(card.faults) == 1
    assert "Property 1" in card.faults[0]
    assert card.texts("org") == ("Natro",)


@pytest.mark.parametrize("value", [None, "vcard", [], ["vcard"], ["vcardX", []], ["vcard", False], ["vcard", "x"], {}])  # fmt: skip
def test_what_is_no_card_has_a_fault_and_no_property(value: Any) -> None:
    card = parse_jcard(value)

    assert not card.valid
    assert card.properties == ()


def test_a_card_without_a_version_and_one_without_an_end_are_faulty() -> None:
    assert not parse_jcard(["vcard", []]).valid
    endless = parse_jcard(["vcard", [VERSION] * 5000])
    assert not endless.valid
    assert len(endless.properties) == 500


@given(anything | st.builds(lambda rows: ["vcard", rows], st.lists(anything, max_size=5)))
def test_any_json_at_all_is_read_without_an_exception(value: Any) -> None:
    card = parse_jcard(value)

    assert card.valid is (card.faults == ())
    assert all(isinstance(text, str) for each in card.properties for text in card.texts(each.name))
