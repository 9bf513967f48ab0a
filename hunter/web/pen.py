"""Text on a page of a PDF, in a font that has the letters of Turkish; lengths are millimetres."""

from __future__ import annotations

import functools
from importlib.resources import files
from typing import Final

from fontTools.ttLib import TTFont
from fpdf import FPDF

#: colours, as red, green and blue
INK: Final = (33, 37, 48)
GREY: Final = (106, 114, 130)
BRAND: Final = (16, 68, 118)
RULE: Final = (214, 220, 229)
TINT: Final = (240, 245, 250)

_FONT: Final = "OpenSans"
_FONTS: Final = files("hunter.web") / "fonts"


@functools.cache
def _letters() -> frozenset[int]:
    """What the font can show."""
    with TTFont(str(_FONTS / f"{_FONT}-Regular.ttf")) as font:
        return frozenset(font.getBestCmap() or ())


def can_show(text: str) -> bool:
    """True when the font has every letter."""
    return all(ord(char) in _letters() for char in text)


def _shown(text: str) -> str:
    """The text with a mark for every letter the font has not."""
    return "".join(char if ord(char) in _letters() else "?" for char in text)


class Pen:
    """Writes on one A4 page; points for sizes of letters."""

    def __init__(self) -> None:
        self.pdf = FPDF(format="A4")
        self.pdf.set_auto_page_break(auto=False)
        self.pdf.c_margin = 0
        for style, name in (("", "Regular"), ("B", "Bold")):
            self.pdf.add_font(_FONT, style, str(_FONTS / f"{_FONT}-{name}.ttf"))
        self.pdf.add_page()

    def fill(
        self, x: float, y: float, width: float, height: float, colour: tuple[int, int, int]
    ) -> None:  # a rectangle
        """A rectangle of one colour."""
        self.pdf.set_fill_color(*colour)
        self.pdf.rect(x, y, width, height, style="F")

    def rule(self, x: float, y: float, width: float) -> None:
        """A thin line."""
        self.pdf.set_draw_color(*RULE)
        self.pdf.line(x, y, x + width, y)

    def heading(self, text: str, x: float, y: float, width: float) -> float:
        """A heading over a rule; where its text begins."""
        self.line(x, y, width, text, 10.5, bold=True, colour=BRAND)
        self.rule(x, y + 6, width)
        return y + 8

    def line(  # place, width, text and size of every line
        self,
        x: float,
        y: float,
        width: float,
        text: str,
        size: float,
        *,
        bold: bool = False,
        colour: tuple[int, int, int] = INK,
    ) -> None:
        """One line; what is too wide is cut."""
        self._take(size, bold=bold, colour=colour)
        shown = _shown(text)
        if self.pdf.get_string_width(shown) > width:
            while shown and self.pdf.get_string_width(shown + "…") > width:
                shown = shown[:-1]
            shown += "…"
        self.pdf.set_xy(x, y)
        self.pdf.cell(width, size * 0.45, shown)

    def text(  # as line
        self,
        x: float,
        y: float,
        width: float,
        text: str,
        size: float,
        *,
        bold: bool = False,
        colour: tuple[int, int, int] = INK,
    ) -> float:
        """As many lines as it takes; where the next begins."""
        self._take(size, bold=bold, colour=colour)
        self.pdf.set_xy(x, y)
        self.pdf.multi_cell(width, size * 0.45, _shown(text), align="L", padding=0)
        return float(self.pdf.get_y())

    def height(self, text: str, width: float, size: float, *, bold: bool = False) -> float:
        """How high the lines of a text would be."""
        self._take(size, bold=bold, colour=INK)
        height = self.pdf.multi_cell(
            width, size * 0.45, _shown(text), align="L", dry_run=True, output="HEIGHT"
        )
        return float(height)  # type: ignore[arg-type]  # by `output`, it is the height alone

    def size(self, text: str, width: float) -> float:
        """The largest size of a figure that fits."""
        for size in (12.0, 11.0, 10.0, 9.0):
            self._take(size, bold=True, colour=INK)
            if self.pdf.get_string_width(_shown(text)) <= width:
                return size
        return 8.0

    def _take(self, size: float, *, bold: bool, colour: tuple[int, int, int]) -> None:
        self.pdf.set_font(_FONT, "B" if bold else "", size)
        self.pdf.set_text_color(*colour)
