"""Spreadsheets to rows: XLSX, XLSM, XLSB, XLS and ODS, with what would not fit into memory refused first."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

import python_calamine

from hunter.core.errors import InvalidInput
from hunter.pipeline.rows import WAY_OUT, Row, Table, clean_cell

#: unpacked size a spreadsheet may have: it is held in memory, and a zip can promise anything
SHEET_MAX_BYTES: Final = 1024 * 1024 * 1024
SHEET_MAX_CELLS: Final = 16_000_000
#: parts of an archive; a workbook has some for each sheet, picture and table
ENTRIES_MAX: Final = 5_000
#: how many times its packed size a part of more than `RATIO_FROM_BYTES` may have
RATIO_MAX: Final = 200
RATIO_FROM_BYTES: Final = 16 * 1024 * 1024
SHEETS_MAX: Final = 255
#: bytes of an old Office file that are searched for what it is
_DIRECTORY_BYTES: Final = 64 * 1024 * 1024

_ZIP: Final = b"PK\x03\x04"
_OLE: Final = b"\xd0\xcf\x11\xe0"
_CELL_PLACE = re.compile(rb"""\br\s*=\s*["']([A-Za-z]{0,3})(\d{1,9})["']""")
#: which part of an archive makes it a spreadsheet of which format
_FORMATS: Final = {"xl/workbook.xml": "xlsx", "xl/workbook.bin": "xlsb", "content.xml": "ods"}
#: what zipfile raises for damaged, encrypted and exotic archives
_ZIP_ERRORS: Final = (
    zipfile.BadZipFile,
    EOFError,
    OSError,
    RuntimeError,
    ValueError,
    zlib.error,
)
_CRYPTED: Final = 0x1
_LOCKED: Final = "The spreadsheet has a password: take it off (File, Info, Protect Workbook), or save the list as CSV."


def is_workbook(head: bytes) -> bool:
    """True when a file that starts so may be a spreadsheet."""
    return head.startswith((_ZIP, _OLE))


def open_sheets(file: IO[bytes], head: bytes) -> Iterator[Table]:
    """A table for each sheet that is shown. Raises InvalidInput that says what the file is instead.

    Macros are never run: nothing but values of cells is read.
    """
    kind = _check_archive(file) if head.startswith(_ZIP) else _check_ole(file)
    try:
        book = python_calamine.load_workbook(_source(file))
        names = book.sheet_names[:SHEETS_MAX]
    except python_calamine.PasswordError as error:
        raise InvalidInput(_LOCKED) from error
    except (python_calamine.CalamineError, OSError, ValueError) as error:
        what = "Office file of before 2007" if kind == "xls" else "spreadsheet"
        raise InvalidInput(f"The {what} cannot be read: {WAY_OUT}.") from error
    except BaseException as error:
        raise _broken(error, f"The spreadsheet is damaged: {WAY_OUT}.") from error
    for name in names:
        rows = _sheet_rows(book, name)
        yield Table(format=kind, encoding="", delimiter="", rows=rows, sheet=name)


def _broken(error: BaseException, told: str) -> BaseException:
    """The reader's panics are no Exceptions; what else is none goes on as it is."""
    return InvalidInput(told) if type(error).__name__ == "PanicException" else error


def _source(file: IO[bytes]) -> IO[bytes] | str:
    """The file by a path where it has one: handed over as an object, it is copied into memory."""
    try:
        path = Path(f"/proc/self/fd/{file.fileno()}")
    except OSError:
        return file
    return str(path) if path.exists() else file


def _check_ole(file: IO[bytes]) -> str:
    """Refuse an Office file of before 2007 that is no workbook, or one that is locked."""
    file.seek(0)
    data = file.read(_DIRECTORY_BYTES)
    file.seek(0)
    if _utf16("EncryptedPackage") in data:
        raise InvalidInput(_LOCKED)
    if _utf16("WordDocument") in data or _utf16("PowerPoint Document") in data:
        raise InvalidInput(f"The file is a document, not a spreadsheet: {WAY_OUT}.")
    return "xls"


def _utf16(name: str) -> bytes:
    return name.encode("utf-16-le")


def _check_archive(file: IO[bytes]) -> str:
    """Refuse a zip that is no workbook, or one that would not fit into memory; its format."""
    try:
        with zipfile.ZipFile(file) as archive:
            parts = archive.infolist()
            names = {part.filename for part in parts}
            kind = next((kind for part, kind in _FORMATS.items() if part in names), None)
            if kind is None:
                raise InvalidInput(f"The file is a zip archive, not a spreadsheet: {WAY_OUT}.")
            _check_parts(parts)
            for part in parts:
                if part.filename.startswith("xl/worksheets/") and kind == "xlsx":
                    with archive.open(part) as opened:
                        _check_extent(opened)
    except _ZIP_ERRORS as error:
        raise InvalidInput(f"The file is a damaged zip archive: {WAY_OUT}.") from error
    file.seek(0)
    return kind


def _check_parts(parts: list[zipfile.ZipInfo]) -> None:
    if any(part.flag_bits & _CRYPTED for part in parts):
        raise InvalidInput(_LOCKED)
    if len(parts) > ENTRIES_MAX:
        raise InvalidInput(f"The spreadsheet has more than {ENTRIES_MAX:,} parts: {WAY_OUT}.")
    if sum(part.file_size for part in parts) > SHEET_MAX_BYTES:
        raise InvalidInput("The spreadsheet is too large unpacked: save it as CSV.")
    for part in parts:
        packed = max(1, part.compress_size)
        if part.file_size > RATIO_FROM_BYTES and part.file_size > packed * RATIO_MAX:
            raise InvalidInput(
                f"A part of the spreadsheet unpacks to more than {RATIO_MAX} times its size, as no "
                "list of companies does: save it as CSV."
            )


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
    shown = clean_cell(name)[:60]
    try:
        sheet = book.get_sheet_by_name(name)
        # empty columns before the first cell are left out, empty rows are not
        before = ("",) * (sheet.start[1] if sheet.start else 0)
        rows = sheet.iter_rows()
    except (python_calamine.CalamineError, ValueError) as error:
        raise InvalidInput(f"The sheet {shown!r} cannot be read: {WAY_OUT}.") from error
    except BaseException as error:
        raise _broken(error, f"The sheet {shown!r} is damaged: {WAY_OUT}.") from error
    for number, values in enumerate(rows, start=1):
        yield Row(line=number, cells=(*before, *map(_cell_text, values)))


def _cell_text(value: object) -> str:
    return clean_cell(value if isinstance(value, str) else str(value))
