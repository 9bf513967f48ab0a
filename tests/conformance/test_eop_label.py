"""Exchange Online labels of 300 real domains, both ways."""

from __future__ import annotations

from typing import Any

from hunter.core.eop_label import decode_label, encode_label

CASES = {"test_label_and_domain_give_each_other": ("eop_label_cases.json", "cases")}


def test_label_and_domain_give_each_other(case: dict[str, Any]) -> None:
    other = decode_label(case["label"])
    assert other is not None
    assert encode_label(other) == case["label"]
    assert (other == case["domain"]) is case["equal"]
    assert (encode_label(case["domain"]) == case["label"]) is case["equal"]
