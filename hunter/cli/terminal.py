"""Text of strangers on its way to a terminal: what would command it stands there as an escape."""

from __future__ import annotations

from typing import Final

#: DEL and C1 (one byte that begins a command), and the marks that turn a line of text around
_MARKS: Final = (*range(0x7F, 0xA0), 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
#: C0 too, which JSON has escaped already
_IN_TEXT: Final = {
    code: f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" for code in (*range(0x20), *_MARKS)
}
_IN_JSON: Final = {code: f"\\u{code:04x}" for code in _MARKS}


def harmless(text: str) -> str:
    r"""One line of text: control characters as \xHH, marks of direction as \uHHHH."""
    return text.translate(_IN_TEXT)


def harmless_json(text: str) -> str:
    """JSON that means the same, with nothing in it that a terminal obeys."""
    return text.translate(_IN_JSON)
