"""Exchange Online labels and the domains they stand for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunter.core.eop_label import decode_label, encode_label

_LABEL = st.from_regex(r"[a-z]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
_DOMAIN = st.builds(
    lambda names, tld: ".".join([*names, tld]),
    st.lists(_LABEL, min_size=1, max_size=3),
    st.from_regex(r"[a-z]{2,6}", fullmatch=True),
)


@pytest.mark.parametrize(
    ("domain", "label"),
    [
        ("contoso.com", "contoso-com"),
        ("buchs-zh.ch", "buchszh-ch01c"),
        ("wil-zh.ch", "wilzh-ch0i"),
        ("saint-martin-fr.ch", "saintmartinfr-ch01c1b"),
        ("hall-in-tirol.at", "hallintirol-at01j"),
    ],
)
def test_label_of_a_domain(domain: str, label: str) -> None:
    assert encode_label(domain) == label
    assert decode_label(label) == domain


@pytest.mark.parametrize("label", ["contoso", "şirket-com", "a0b", "", "-", "x-y0bb", "0-com0zz"])
def test_text_that_is_no_label_gives_no_domain_or_one_that_fits(label: str) -> None:
    domain = decode_label(label)
    assert domain is None or encode_label(domain) == label


@given(_DOMAIN)
def test_every_domain_comes_back_from_its_label(domain: str) -> None:
    decoded = decode_label(encode_label(domain))
    assert decoded is not None
    assert encode_label(decoded) == encode_label(domain)


@given(st.text(max_size=80))
def test_decoding_never_raises(text: str) -> None:
    decode_label(text)
