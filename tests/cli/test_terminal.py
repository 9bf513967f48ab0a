"""What would command a terminal stands there as an escape, and nothing else is touched."""

from __future__ import annotations

import json

import pytest

from hunter.cli.terminal import harmless, harmless_json

CONTROLS = "".join(map(chr, [*range(0x20), *range(0x7F, 0xA0), 0x202E, 0x2066, 0x200F]))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred", r"\x1b[31mred"),
        ("\x9b2J", r"\x9b2J"),
        ("a\nb\rc", r"a\x0ab\x0dc"),
        ("moc\u202eelpmaxe", r"moc\u202eelpmaxe"),
        ("Şirket İSTANBUL, ß – 中文 – 🙂 <b>[red]", "Şirket İSTANBUL, ß – 中文 – 🙂 <b>[red]"),
    ],
)
def test_text_of_strangers_is_one_harmless_line(text: str, shown: str) -> None:
    assert harmless(text) == shown


def test_json_means_the_same_and_commands_nothing() -> None:
    line = json.dumps({"x": CONTROLS}, ensure_ascii=False)

    shown = harmless_json(line)

    assert json.loads(shown) == {"x": CONTROLS}
    assert all(" " <= each <= "~" for each in shown)
