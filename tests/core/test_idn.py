"""A-labels and U-labels at their edges."""

from __future__ import annotations

import pytest

from hunter.core.errors import InvalidDomain
from hunter.core.idn import is_confusable, to_ascii, to_unicode


def test_a_label_that_does_not_decode_is_shown_as_it_is() -> None:
    assert to_unicode("xn--zzzzzzzz.com") == "xn--zzzzzzzz.com"
    assert to_unicode("contoso.com") == "contoso.com"


def test_a_fake_a_label_is_refused() -> None:
    with pytest.raises(InvalidDomain, match="IDNA"):
        to_ascii("xn---bbk.de")


def test_one_right_to_left_label_puts_all_under_the_bidi_rule() -> None:
    assert to_ascii("אבג.com") == "xn--4dbcd.com"
    with pytest.raises(InvalidDomain) as refused:
        to_ascii("1a.אבג")

    assert refused.value.reason == "bad_idn"


@pytest.mark.parametrize(
    ("name", "confusable"),
    [
        ("contoso.com", False),
        ("şirket.com", False),
        ("россия.com", False),
        ("日本語カタカナabc.jp", False),
        ("раураl.com", True),
        ("аррӏе.com", True),
    ],
)
def test_imitations_are_told_from_ordinary_names(name: str, confusable: bool) -> None:
    assert is_confusable(name) is confusable
