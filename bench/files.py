"""Files in and out: how fast lists are read and exports written, and what that costs in memory.

`python bench/files.py [rows]` writes bench/results/files.json. No server and no database: this is
the work of the reader process and of the writers, which bounds what a server can do.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from hunter.core.advice import Language
from hunter.pipeline.reading import Readers
from hunter.store.exports import FlatLead
from hunter.web.flat import lead_layout, lead_row
from hunter.web.streams import csv_rows
from hunter.web.workbook import Workbook

RESULTS = Path(__file__).parent / "results" / "files.json"
_PAGE = 500
_HEADINGS = ("Firma", "Adres", "Web Sitesi", "E-posta")


def _companies(rows: int) -> Iterable[list[object]]:
    for n in range(rows):
        yield [f"Firma {n} A.Ş.", "İstanbul", f"www.firma{n}.com.tr", f"info@firma{n}.com.tr"]


def _pages(rows: int) -> Iterable[list[list[object]]]:
    page: list[list[object]] = []
    for row in _companies(rows):
        page.append(row)
        if len(page) == _PAGE:
            yield page
            page = []
    yield page


def _write_list(file: IO[bytes], kind: str, rows: int) -> None:
    book = Workbook("Firmalar", _HEADINGS, [10] * len(_HEADINGS))
    if kind == "csv":
        file.write(csv_rows([_HEADINGS], ";"))
    for page in _pages(rows):
        file.write(book.write(page) if kind == "xlsx" else csv_rows(page, ";"))
    if kind == "xlsx":
        file.write(book.end())


async def _read(kind: str, rows: int) -> dict[str, float]:
    readers = Readers(memory_bytes=2 * 1024**3, slots=1)
    with TemporaryFile() as file:
        _write_list(file, kind, rows)
        before = _own_rss_mib()
        start = time.perf_counter()
        companies = 0
        async with readers.open(file, allow_test_names=False) as found:
            async for batch in found.batches():
                companies += len(batch.companies)
        seconds = time.perf_counter() - start
    if companies != rows:
        raise SystemExit(f"{kind}: {companies} companies of {rows} rows")
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return {"s": seconds, "reader MiB": children, "server growth MiB": _own_rss_mib() - before}


def _export(kind: str, rows: int) -> dict[str, float]:
    layout = lead_layout(Language.EN)
    lead = FlatLead(
        domain="firma.com.tr", display_name="firma.com.tr", company_name="Firma A.Ş.", score=70,
        priority=1, segment="migration", provider="natro", provider_name="Natro", confidence=0.93,
        reason="Mail at Natro, but a Microsoft tenant is there.", products="SAP, Salesforce",
    )  # fmt: skip
    page = [lead_row(lead)] * _PAGE
    book = Workbook("Leads", layout.headings, layout.widths)
    before, start, size = _own_rss_mib(), time.perf_counter(), 0
    for _ in range(rows // _PAGE):
        size += len(book.write(page) if kind == "xlsx" else csv_rows(page, ","))
    size += len(book.end()) if kind == "xlsx" else 0
    seconds = time.perf_counter() - start
    return {"s": seconds, "MB": size / 1e6, "server growth MiB": _own_rss_mib() - before}


def _own_rss_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(arguments: list[str]) -> None:
    """Measure, print and write down."""
    rows = int(arguments[0]) if arguments else 1_000_000
    small = min(rows, 50_000)
    found = {
        f"read xlsx {small}": asyncio.run(_read("xlsx", small)),
        f"read csv {rows}": asyncio.run(_read("csv", rows)),
        f"read xlsx {rows}": asyncio.run(_read("xlsx", rows)),
        f"export csv {rows}": _export("csv", rows),
        f"export xlsx {rows}": _export("xlsx", rows),
    }
    lines = [
        {
            "row": row,
            "metric": "time" if unit == "s" else "size",
            "value": round(value, 2),
            "unit": unit,
        }
        for row, values in found.items()
        for unit, value in values.items()
    ]
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(lines, indent=1) + "\n", encoding="utf-8")
    for line in lines:
        print(f"{line['row']:<24}{line['value']:>10} {line['unit']}")


if __name__ == "__main__":
    main(sys.argv[1:])
