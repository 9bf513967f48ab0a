"""The public suffix list: rules, wildcards, exceptions, the default rule and its date."""

from __future__ import annotations

import pytest

from hunter.core.suffixes import (
    is_known_tld,
    is_public_suffix,
    parse_suffix_list,
    registrable_domain,
    suffix_list,
)

LIST = """// VERSION: 2026-01-02_03-04-05_UTC
// ===BEGIN ICANN DOMAINS===
tr
com.tr
公司.cn
*.ck
!www.ck
// ===END ICANN DOMAINS===
// ===BEGIN PRIVATE DOMAINS===
github.io
// ===END PRIVATE DOMAINS===
"""


def test_the_list_is_read_with_its_date_and_sections() -> None:
    listed = parse_suffix_list(LIST)

    assert listed.version == "2026-01-02_03-04-05_UTC"
    assert listed.icann.exact == {"tr", "com.tr", "xn--55qx5d.cn"}
    assert listed.icann.wild == {"ck"}
    assert listed.icann.exceptions == {"www.ck"}
    assert listed.everything.exact - listed.icann.exact == {"github.io"}


def test_the_packaged_list_is_dated_and_complete() -> None:
    listed = suffix_list()

    assert listed.version[:2] == "20"
    assert len(listed.icann.exact) > 5000
    assert {f"{name}.tr" for name in ("com", "k12", "bel", "gov", "edu")} <= listed.icann.exact


@pytest.mark.parametrize(
    ("name", "held"),
    [
        ("contoso.com", "contoso.com"),
        ("a.b.contoso.com.tr", "contoso.com.tr"),
        ("com.tr", None),
        ("com", None),
        ("a.foo.ck", "a.foo.ck"),
        ("foo.ck", None),
        ("www.ck", "www.ck"),
        ("a.www.ck", "www.ck"),
        ("a.b.nosuchtld", "b.nosuchtld"),
        ("someone.github.io", "github.io"),
    ],
)
def test_the_registrable_part_follows_the_rules(name: str, held: str | None) -> None:
    assert registrable_domain(name) == held
    assert is_public_suffix(name) is (held is None)


def test_a_top_level_domain_is_known_by_a_rule_or_a_wildcard() -> None:
    assert is_known_tld("com")
    assert is_known_tld("ck")
    assert not is_known_tld("nosuchtld")
