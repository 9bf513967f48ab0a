"""Which column of a company list is what: by its heading in Turkish or English, else by content."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final

import msgspec

from hunter.pipeline.rows import Row

#: rows looked at to find the heading and, without one, the columns
SAMPLE_ROWS: Final = 50

_FOLD: Final = str.maketrans("İIıŞşĞğÜüÖöÇçÂâÎîÛû", "iiissgguuooccaaiiuu")
_WORD = re.compile(r"[a-z0-9]+")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_WEB_WORDS: Final = _words(
    "web website websitesi websayfasi webadresi webpage weburl homepage url urls www site sitesi "
    "internet domain domains domainname alanadi"
)
_WEB_PAIRS: Final = frozenset({"alanadi", "alanadlari", "etkialani", "internetadresi"})
#: pages that belong to a network, not to the company
_NOT_WEB: Final = _words(
    "linkedin facebook instagram twitter x youtube logo image resim foto harita map maps"
)
_MAIL_WORDS: Final = _words("email emails mail mails maili mailadresi eposta epostasi")
_COMPANY_WORDS: Final = _words(
    "company companyname firma firmaadi firmaunvani firmaismi sirket sirketadi unvan unvani unvanlari "
    "kurum kurulus isletme organization organisation account accountname business employer musteri "
    "cari bayi"
)
#: words that make a heading with a company word something else: "firma telefonu", "company size"
_NOT_NAME: Final = _words(
    "adres adresi address tel telefon telefonu phone fax faks gsm no numara numarasi kod kodu code id "
    "vergi tax tip tipi tur turu type size buyukluk buyuklugu sektor sektoru sector industry il ilce "
    "sehir city ulke country yetkili yetkilisi sahibi owner tarih tarihi date not notu note"
)
_NAME_WORDS: Final = frozenset({"name", "ad", "adi", "isim", "title"})

_HOST = r"(?:[^\s@/:;,<>()\"]+\.)+[^\s@/:;,<>()\".\d]{2,}"
_MAIL_LIKE = re.compile(rf"[^\s@<>]+@{_HOST}\.?")
_WEB_LIKE = re.compile(
    rf"(?:[a-z][a-z0-9+.-]*://)?(?:{_HOST})\.?(?::\d+)?(?:[/?#]\S*)?", re.IGNORECASE
)


class Columns(msgspec.Struct, frozen=True):
    """Indexes of the columns that count; `header_line` is 0 when the list has no heading."""

    web: tuple[int, ...]
    mail: tuple[int, ...]
    company: int | None
    #: number of cells a full row has
    width: int
    header_line: int = 0
    headings: tuple[str, ...] = ()


def looks_like_mail(text: str) -> bool:
    """An e-mail address by its form."""
    return _MAIL_LIKE.fullmatch(text) is not None


def looks_like_web(text: str) -> bool:
    """A URL or a dotted name by its form; "Ltd." and "3.5" are not."""
    return _WEB_LIKE.fullmatch(text) is not None


def heading_kind(text: str) -> str:
    """web, mail, company, name (a company when nothing better is there) or "" for other headings.

    "Adres" is where the company sits, not its web site.
    """
    words = _WORD.findall(text.translate(_FOLD).lower())
    joined = {a + b for a, b in pairwise(words)} | set(words)
    if joined & _MAIL_WORDS or any(word.startswith("eposta") for word in joined):
        return "mail"
    if (joined & _WEB_WORDS or joined & _WEB_PAIRS) and not joined & _NOT_WEB:
        return "web"
    if joined & _COMPANY_WORDS and not joined & _NOT_NAME:
        return "company"
    return "name" if set(words) & _NAME_WORDS and len(words) == 1 else ""


def find_columns(sample: Sequence[Row]) -> Columns | None:
    """The columns of a list by its first rows; None when nothing in it looks like a domain."""
    for position, row in enumerate(sample):
        if (found := _by_heading(row)) is not None:
            if not found.web and not found.mail:
                found = _add_by_content(found, sample[position + 1 :])
            return found if found.web or found.mail else None
    return _by_content(sample)


def _by_heading(row: Row) -> Columns | None:
    """The columns if this row is a heading: it names what we look for and holds no data itself."""
    kinds = [heading_kind(cell) if len(cell) <= 60 else "" for cell in row.cells]
    useful = {"web", "mail", "company"} & set(kinds)
    if not useful or any(looks_like_mail(cell) or _is_address(cell) for cell in row.cells):
        return None
    # a title such as "Firma listesi" stands alone; a heading has neighbours, or names an address
    if useful == {"company"} and sum(1 for cell in row.cells if cell) < 2:
        return None
    return Columns(
        web=_indexes(kinds, "web"),
        mail=_indexes(kinds, "mail"),
        company=next(iter(_indexes(kinds, "company") + _indexes(kinds, "name")), None),
        width=len(row.cells),
        header_line=row.line,
        headings=row.cells,
    )


def _is_address(cell: str) -> bool:
    """A cell that is data in a column of web sites; "www." alone may be a heading."""
    return looks_like_web(cell) and heading_kind(cell) == ""


def _by_content(sample: Sequence[Row]) -> Columns | None:
    width = max((len(row.cells) for row in sample), default=0)
    found = _add_by_content(Columns(web=(), mail=(), company=None, width=width), sample)
    if not found.web and not found.mail:
        return None
    used = {*found.web, *found.mail}
    texts = [i for i in range(width) if i not in used and _is_mostly_words(_column(sample, i))]
    return msgspec.structs.replace(found, company=texts[0] if texts else None)


def _add_by_content(columns: Columns, sample: Sequence[Row]) -> Columns:
    """Columns in which at least a third of the filled cells have the form of an address."""
    cells = {i: list(_column(sample, i)) for i in range(columns.width)}
    return msgspec.structs.replace(
        columns,
        web=tuple(i for i in cells if _share(map(looks_like_web, cells[i])) * 3 >= 1),
        mail=tuple(i for i in cells if _share(map(looks_like_mail, cells[i])) * 3 >= 1),
    )


def _column(sample: Iterable[Row], index: int) -> Iterable[str]:
    return (r.cells[index] for r in sample if index < len(r.cells) and r.cells[index])


def _is_mostly_words(cells: Iterable[str]) -> bool:
    return _share(any(c.isalpha() for c in cell) for cell in cells) * 2 >= 1


def _share(claims: Iterable[bool]) -> float:
    known = list(claims)
    return sum(known) / len(known) if known else 0.0


def _indexes(kinds: Sequence[str], kind: str) -> tuple[int, ...]:
    return tuple(i for i, each in enumerate(kinds) if each == kind)
