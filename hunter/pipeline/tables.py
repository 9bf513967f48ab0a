"""Bytes of a file as people save them to rows of text cells with their line numbers."""

from __future__ import annotations

import codecs
import csv
import io
import itertools
import re
import zipfile
import zlib
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from typing import IO, Final

import msgspec
import python_calamine

from hunter.core.errors import InvalidInput

#: bytes looked at to tell format and encoding; lines looked at to tell the delimiter
HEAD_BYTES: Final = 64 * 1024
HEAD_LINES: Final = 50
#: a line longer than this is not a line of a company list
LINE_MAX_BYTES: Final = 128 * 1024
#: lines one quoted cell may go over; a quote open for longer was never closed
QUOTED_LINES_MAX: Final = 20
#: unpacked size a spreadsheet may have: it is held in memory, and a zip can promise anything
SHEET_MAX_BYTES: Final = 256 * 1024 * 1024
SHEET_MAX_CELLS: Final = 8_000_000

_DELIMITERS: Final = ",;\t|"
_SEP_LINE = re.compile(r"\ufeff?sep=([^\w\s\"']|\t)\s*", re.IGNORECASE)
#: white space and byte order marks
_BLANK: Final = b" \t\r\n\xef\xbb\xbf\xff\xfe"
_CONTROLS = re.compile(rb"[\x00-\x08\x0e-\x1f]")

_SIGNATURES: Final[tuple[tuple[bytes, str], ...]] = (
    (b"%PDF", "a PDF"),
    (b"\xd0\xcf\x11\xe0", "an Office file of before 2007 (.xls, .doc) or with a password"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"GIF8", "a picture"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"Rar!", "a RAR archive"),
    (b"{\\rtf", "an RTF document"),
    (b"<!doctype", "a web page"),
    (b"<html", "a web page"),
)
_CELL_PLACE = re.compile(rb"""\br\s*=\s*["']([A-Za-z]{0,3})(\d{1,9})["']""")
_WAY_OUT: Final = "save the list as CSV or XLSX and send that"


class Row(msgspec.Struct, frozen=True, gc=False):
    """One row: the line (or sheet row) it starts at, counted from 1, and its cells.

    `fault` says why the row could not be read; its one cell is then the raw line.
    """

    line: int
    cells: tuple[str, ...]
    fault: str = ""

    @property
    def is_blank(self) -> bool:
        return not any(self.cells)


class Table(msgspec.Struct, frozen=True):
    """What a file (or one sheet of it) is, and its rows, to be read once and in order."""

    #: csv or xlsx
    format: str
    encoding: str
    delimiter: str
    rows: Iterator[Row]


def open_tables(file: IO[bytes]) -> Iterator[Table]:
    """The tables in a seekable file: one for text, one for each sheet of a spreadsheet.

    Raises InvalidInput that says what the file is instead and what to do.
    """
    file.seek(0)
    head = file.read(HEAD_BYTES)
    file.seek(0)
    if not head.strip(_BLANK):
        raise InvalidInput("The file is empty: send one row per company.")
    if head.startswith(b"PK\x03\x04"):
        return _sheets(file)
    start = head.lstrip()[:16].lower()
    for signature, kind in _SIGNATURES:
        if start.startswith(signature.lower()):
            raise InvalidInput(f"The file is {kind}, not a table: {_WAY_OUT}.")
    return iter((_text_table(file, head),))


# --- text ---------------------------------------------------------------------------------------


def detect_encoding(head: bytes) -> str:
    """The encoding of a text by its first bytes; raises InvalidInput when it is no text.

    Windows-1254 is Latin-1 but for six letters, which in a list without a byte order mark are
    Turkish rather than Icelandic.
    """
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    if head.startswith(b"\xef\xbb\xbf"):
        return "utf-8-sig"
    even, odd = head[0:2000:2].count(0), head[1:2000:2].count(0)
    if max(even, odd) * 5 > len(head[:2000]) and min(even, odd) * 10 < max(even, odd):
        return "utf-16-be" if even > odd else "utf-16-le"
    if len(_CONTROLS.findall(head)) * 50 > len(head) or head.count(0) > 2:
        raise InvalidInput(f"The file is binary, not a table: {_WAY_OUT}.")
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return "windows-1254"
    return "utf-8"


def _text_table(file: IO[bytes], head: bytes) -> Table:
    encoding = detect_encoding(head)
    lines = _lines(file, encoding)
    if b"\r" in head and b"\n" not in head:
        lines = _mac_lines(lines)
    first = list(itertools.islice(lines, HEAD_LINES))
    numbered = enumerate(itertools.chain(first, lines), start=1)
    if said := _SEP_LINE.fullmatch(first[0]):
        # Excel's own way to name the delimiter
        delimiter = said[1]
        next(numbered)
    else:
        delimiter = detect_delimiter(first)
    rows = _records(numbered, delimiter)
    return Table(format="csv", encoding=encoding, delimiter=delimiter, rows=rows)


def _lines(file: IO[bytes], encoding: str) -> Iterator[str]:
    """Decoded lines with their ends; memory is bounded by the longest line allowed."""
    if encoding.startswith("utf-16"):
        text = io.TextIOWrapper(file, encoding, errors="replace", newline="")
        try:
            while line := text.readline(LINE_MAX_BYTES):
                yield line
        finally:
            text.detach()
        return
    if encoding == "utf-8-sig":
        file.seek(3)
    while raw := file.readline(LINE_MAX_BYTES):
        yield _decode(raw)


def _decode(raw: bytes) -> str:
    """A line on its own: files glued from two sources have lines of both encodings."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        pass
    try:
        return raw.decode("windows-1254")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _mac_lines(lines: Iterable[str]) -> Iterator[str]:
    """Lines that end in a bare carriage return, as old Macs and Excel for them write."""
    for line in lines:
        yield from (part + "\n" for part in line.split("\r"))


def detect_delimiter(lines: list[str]) -> str:
    """The delimiter under which most lines have the same number of cells, more than one.

    A comma when no delimiter makes columns: the list then has one column.
    """
    best, best_rank = ",", (0.0, 0)
    filled = [line for line in lines if line.strip()]
    for delimiter in _DELIMITERS:
        widths = Counter(len(_cells(line, delimiter)) for line in filled if delimiter in line)
        if not widths:
            continue
        width, lines_so_wide = max(widths.items(), key=lambda item: (item[1], item[0]))
        rank = (lines_so_wide / len(filled), width)
        if width > 1 and rank > best_rank:
            best, best_rank = delimiter, rank
    return best


def _records(numbered: Iterable[tuple[int, str]], delimiter: str) -> Iterator[Row]:
    """Rows out of lines. A quote that is never closed costs its own line, not the file."""
    source = iter(numbered)
    ahead: deque[tuple[int, str]] = deque()
    while item := (ahead.popleft() if ahead else next(source, None)):
        number, line = item
        if len(line) >= LINE_MAX_BYTES:
            yield Row(line=number, cells=(line[:200],), fault="the line is longer than 128 KiB")
        elif '"' not in line:
            yield Row(line=number, cells=tuple(map(_clean, line.rstrip("\r\n").split(delimiter))))
        elif _is_open(line, delimiter):
            yield _quoted(number, line, delimiter, source, ahead)
        else:
            yield Row(line=number, cells=_cells(line, delimiter))


def _quoted(
    number: int,
    line: str,
    delimiter: str,
    source: Iterator[tuple[int, str]],
    ahead: deque[tuple[int, str]],
) -> Row:
    """A record whose quoted cell goes over several lines, if it ends within reach."""
    while len(ahead) < QUOTED_LINES_MAX and (more := next(source, None)):
        ahead.append(more)
    text = line
    for used, (_, following) in enumerate(list(ahead)[:QUOTED_LINES_MAX], start=1):
        text += following
        if not _is_open(text, delimiter):
            for _ in range(used):
                ahead.popleft()
            return Row(line=number, cells=_cells(text, delimiter))
    raw = _clean(line)
    return Row(line=number, cells=(raw,), fault='a quote (") is opened and never closed')


def _is_open(text: str, delimiter: str) -> bool:
    """True when a cell that starts with a quote has not ended."""
    try:
        next(csv.reader([text], delimiter=delimiter, strict=True), None)
    except csv.Error as error:
        return "unexpected end of data" in str(error)
    return False


def _cells(text: str, delimiter: str) -> tuple[str, ...]:
    try:
        row = next(csv.reader([text], delimiter=delimiter), [])
    except csv.Error:
        # a bare carriage return outside quotes, or a cell beyond the module's limit
        row = text.split(delimiter)
    return tuple(map(_clean, row))


def _clean(cell: str) -> str:
    """The cell without the white space around it and without what PostgreSQL cannot store."""
    return cell.replace("\x00", "").replace("\ufeff", "").strip()


# --- spreadsheets -------------------------------------------------------------------------------


def _sheets(file: IO[bytes]) -> Iterator[Table]:
    _check_archive(file)
    try:
        book = python_calamine.load_workbook(file)
    except (python_calamine.CalamineError, OSError, ValueError) as error:
        raise InvalidInput(f"The spreadsheet cannot be read: {_WAY_OUT}.") from error
    for name in book.sheet_names:
        yield Table(format="xlsx", encoding="", delimiter="", rows=_sheet_rows(book, name))


#: what zipfile raises for damaged, encrypted and exotic archives
_ZIP_ERRORS: Final = (
    zipfile.BadZipFile,
    EOFError,
    OSError,
    RuntimeError,
    ValueError,
    zlib.error,
)


def _check_archive(file: IO[bytes]) -> None:
    """Refuse a zip that is no workbook, or one that would not fit into memory."""
    try:
        with zipfile.ZipFile(file) as archive:
            sizes = {info.filename: info.file_size for info in archive.infolist()}
            if "xl/workbook.xml" not in sizes:
                raise InvalidInput(f"The file is a zip archive, not a spreadsheet: {_WAY_OUT}.")
            if sum(sizes.values()) > SHEET_MAX_BYTES:
                raise InvalidInput("The spreadsheet is too large unpacked: save it as CSV.")
            for name in sizes:
                if name.startswith("xl/worksheets/"):
                    with archive.open(name) as part:
                        _check_extent(part)
    except _ZIP_ERRORS as error:
        raise InvalidInput(f"The file is a damaged zip archive: {_WAY_OUT}.") from error
    file.seek(0)


def _check_extent(part: IO[bytes]) -> None:
    """Refuse a sheet whose farthest cell spans too many: the reader lays out all up to it."""
    rows = columns = 1
    tail = b""
    while piece := part.read(1024 * 1024):
        for letters, digits in _CELL_PLACE.findall(tail + piece):
            rows = max(rows, int(digits))
            columns = max(columns, _column_number(letters))
        tail = piece[-32:]
    if rows * columns > SHEET_MAX_CELLS:
        raise InvalidInput(
            f"A sheet spans {rows:,} rows and {columns:,} columns of cells, mostly empty: "
            "delete what lies far from the list, or save it as CSV."
        )


def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters.upper():
        number = number * 26 + letter - ord("A") + 1
    return number


def _sheet_rows(book: python_calamine.CalamineWorkbook, name: str) -> Iterator[Row]:
    try:
        rows = book.get_sheet_by_name(name).to_python(skip_empty_area=False)
    except python_calamine.CalamineError as error:
        raise InvalidInput(f"The sheet {name!r} cannot be read: {_WAY_OUT}.") from error
    for number, values in enumerate(rows, start=1):
        yield Row(line=number, cells=tuple(_clean(str(value)) for value in values))
