"""The price list: told as written, refused with the place of the mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from hunter.core.advice import Language
from hunter.core.errors import Misconfigured
from hunter.knowledge.load import load_knowledge
from hunter.knowledge.prices import load_prices

WORDING = load_knowledge().wording


def test_without_a_list_there_are_no_prices() -> None:
    assert load_prices("", WORDING) == {}


def test_price_is_one_text_for_all_or_one_a_language(tmp_path: Path) -> None:
    file = tmp_path / "prices.yaml"
    file.write_text("offers:\n  copilot: 28 € ab\n  win_back: {tr: Bedava}\n", encoding="utf-8")
    assert load_prices(str(file), WORDING) == {
        "copilot": {Language.EN: "28 € ab", Language.TR: "28 € ab"},
        "win_back": {Language.TR: "Bedava"},
    }


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"offers: {copilots: 28}", "Expected `str | object`, got `int`"),
        (b"offers: {copilots: free}", "offers.copilots: no such offer; did you mean copilot?"),
        (b"offers: {copilot: {de: frei}}", "Invalid enum value 'de'"),
        (b"prices: {}", "contains unknown field `prices`"),
        (b"offers: [", "prices.yaml: not YAML"),
        (b"offers: {copilot: \xff}", "not UTF-8"),
        (None, "HUNTER_PRICE_LIST: prices.yaml: No such file"),
    ],
)
def test_mistake_is_told_in_one_line(tmp_path: Path, text: bytes | None, told: str) -> None:
    file = tmp_path / "prices.yaml"
    if text is not None:
        file.write_bytes(text)
    with pytest.raises(Misconfigured) as error:
        load_prices(str(file), WORDING)
    assert told in str(error.value)
    assert "\n" not in str(error.value)
