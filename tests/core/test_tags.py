"""Tag lists and what panels break in them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunter.core.tags import Tag, first_of_each, panel_fault, parse_tags


def test_a_tag_list_is_split_into_pairs_and_the_rest() -> None:
    tags, broken = parse_tags(" V = DMARC1 ;p=none;; rest ; =x;a=b=c")

    assert tags == (Tag("v", "DMARC1", "V"), Tag("p", "none", "p"), Tag("a", "b=c", "a"))
    assert broken == ("rest", "=x")


def test_the_first_of_equal_tags_counts() -> None:
    tags, _ = parse_tags("p=none; P=reject; p=quarantine")

    assert first_of_each(tags) == ({"p": "none"}, ("p",))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('"v=DMARC1"', "quoted_record"),
        (r"v=DMARC1\; p=none", "escaped_semicolon"),
        ("v=DMARC1; p=none", None),
    ],
)
def test_a_panel_fault_is_named(text: str, fault: str | None) -> None:
    assert panel_fault(text) == fault


@given(st.text())
def test_any_text_is_a_tag_list(text: str) -> None:
    tags, broken = parse_tags(text)

    assert len(tags) + len(broken) <= text.count(";") + 1
