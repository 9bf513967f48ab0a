"""Bytes of a file as people save them to rows of text cells with their line numbers."""

from __future__ import annotations

import codecs
import csv
import io
import itertools
import re
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from typing import IO, Final, TypeVar

from hunter.core.errors import InvalidInput
from hunter.pipeline.rows import WAY_OUT, Row, Table, clean_cell
from hunter.pipeline.sheets import is_workbook, open_sheets

T = TypeVar("T", str, bytes)

#: bytes looked at to tell format and encoding; lines looked at to tell the delimiter
HEAD_BYTES: Final = 64 * 1024
HEAD_LINES: Final = 50
#: a line longer than this is not a line of a company list
LINE_MAX_BYTES: Final = 128 * 1024
#: lines one quoted cell may go over; a quote open for longer was never closed
QUOTED_LINES_MAX: Final = 20
#: characters shown of a line that is too long
_SHOWN: Final = 200

_DELIMITERS: Final = ",;\t|"
_SEP_LINE = re.compile(r"\ufeff?sep=([^\w\s\"']|\t)\s*", re.IGNORECASE)
#: white space and byte order marks
_BLANK: Final = b" \t\r\n\xef\xbb\xbf\xff\xfe"
_CONTROLS = re.compile(rb"[\x01-\x08\x0e-\x1f]")

_SIGNATURES: Final[tuple[tuple[bytes, str], ...]] = (
    (b"%PDF", "a PDF"),
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


def open_tables(file: IO[bytes]) -> Iterator[Table]:
    """The tables in a seekable file: one for text, one for each sheet of a spreadsheet.

    Raises InvalidInput that says what the file is instead and what to do.
    """
    file.seek(0)
    head = file.read(HEAD_BYTES)
    file.seek(0)
    if not head.strip(_BLANK):
        raise InvalidInput("The file is empty: send one row per company.")
    if is_workbook(head):
        return open_sheets(file, head)
    start = head.lstrip()[:16].lower()
    for signature, kind in _SIGNATURES:
        if start.startswith(signature.lower()):
            raise InvalidInput(f"The file is {kind}, not a table: {WAY_OUT}.")
    return iter((_text_table(file, head),))


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
    # cells padded with NUL bytes are still text
    if len(_CONTROLS.findall(head)) * 50 > len(head) or head.count(0) * 4 > len(head):
        raise InvalidInput(f"The file is binary, not a table: {WAY_OUT}.")
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return "windows-1254"
    return "utf-8"


def _text_table(file: IO[bytes], head: bytes) -> Table:
    encoding = detect_encoding(head)
    lines = _lines(file, encoding, is_mac=b"\r" in head and b"\n" not in head)
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


class _TooLong(str):
    """The start of a line of more than `LINE_MAX_BYTES`."""

    __slots__ = ()


def _lines(file: IO[bytes], encoding: str, *, is_mac: bool) -> Iterator[str]:
    """Decoded lines with their ends; memory is bounded by the longest line allowed.

    `is_mac` says that lines end in a bare carriage return, as old Macs and Excel for them write.
    """
    if encoding.startswith("utf-16"):
        ending = "\r" if is_mac else ""
        text = io.TextIOWrapper(file, encoding, errors="replace", newline=ending)
        try:
            yield from _whole(text.readline, "\r" if is_mac else "\n", str)
        finally:
            text.detach()
        return
    if encoding == "utf-8-sig":
        file.seek(3)
    if is_mac:
        yield from _mac_lines(file)
    else:
        yield from _whole(file.readline, b"\n", _decode)


def _whole(read: Callable[[int], T], ending: T, decode: Callable[[T], str]) -> Iterator[str]:
    """Lines as they are read; of one that is too long, its start."""
    while line := read(LINE_MAX_BYTES):
        if len(line) < LINE_MAX_BYTES or line.endswith(ending):
            yield decode(line)
            continue
        yield _TooLong(decode(line)[:_SHOWN])
        while (more := read(LINE_MAX_BYTES)) and not more.endswith(ending):
            pass


def _mac_lines(file: IO[bytes]) -> Iterator[str]:
    rest, is_skipping = b"", False
    while block := file.read(LINE_MAX_BYTES):
        *lines, rest = (rest + block).split(b"\r")
        for line in lines:
            if not is_skipping:
                yield _decode(line) + "\n"
            is_skipping = False
        if len(rest) >= LINE_MAX_BYTES or is_skipping:
            if not is_skipping:
                yield _TooLong(_decode(rest)[:_SHOWN])
            rest, is_skipping = b"", True
    if rest:
        yield _decode(rest)


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
        if isinstance(line, _TooLong):
            cells = (clean_cell(line),)
            yield Row(line=number, cells=cells, fault="the line is longer than 128 KiB")
        elif '"' not in line:
            yield Row(
                line=number, cells=tuple(map(clean_cell, line.rstrip("\r\n").split(delimiter)))
            )
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
        if len(text) > LINE_MAX_BYTES:
            break
        if not _is_open(text, delimiter):
            for _ in range(used):
                ahead.popleft()
            return Row(line=number, cells=_cells(text, delimiter))
    raw = clean_cell(line)
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
    return tuple(map(clean_cell, row))
