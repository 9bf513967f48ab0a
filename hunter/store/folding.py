"""Text as search sees it: small, without marks, Turkish letters beside their plain ones."""

from __future__ import annotations

import unicodedata

#: letters whose marks do not come off by decomposition
_PLAIN = str.maketrans({"ı": "i", "ł": "l", "ø": "o", "đ": "d", "ß": "ss", "æ": "ae", "œ": "oe"})


def fold(text: str) -> str:
    """`text` in small letters without marks: "İŞ Bankası" and "is bankasi" fold to the same."""
    if text.isascii():
        return " ".join(text.replace("\0", " ").lower().split())
    decomposed = unicodedata.normalize("NFKD", text.replace("\0", " ").casefold())
    bare = "".join(each for each in decomposed if not unicodedata.combining(each))
    return " ".join(bare.translate(_PLAIN).split())


def like_pattern(text: str) -> str:
    """A LIKE pattern for `text` anywhere, its own wildcards taken literally."""
    escaped = text.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_")
    return f"%{escaped}%"
