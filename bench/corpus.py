"""The main job on real rows: a labelled corpus served as zones, ingested as CSV, scanned, ranked.

`python bench/corpus.py ROWS.json.gz`: rows `{domain, mx, spf?, provider, signals?}`; what `signals`
tells of autodiscover, DKIM and verification records is served too. The file stays outside the
repository.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import gzip
import io
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from harness import Row, Running, running_hunter, write_results

from hunter.core.answers import RRType
from hunter.core.corpus import StudyRow, study_label, survey_from
from hunter.core.domain import parse_domain
from hunter.core.errors import InvalidDomain
from hunter.core.identity import MICROSOFT
from hunter.knowledge.load import load_knowledge


def read_rows(path: Path) -> list[StudyRow]:
    """The rows of a corpus that can be asked for; the others are told and left out."""
    raw = msgspec.json.decode(gzip.decompress(path.read_bytes()), type=list[StudyRow])
    rows = []
    for number, row in enumerate(raw, 1):
        try:
            parse_domain(row.domain, registrable=False)
            study_label(row.provider, load_knowledge().rules)
        except (InvalidDomain, ValueError) as error:
            print(f"row {number} left out: {error}", file=sys.stderr)
        else:
            rows.append(row)
    return rows


def zone_of(rows: list[StudyRow]) -> str:
    """Zone text of the corpus: what each row says was seen, and nothing else."""
    lines: dict[str, None] = {}
    for row in rows:
        survey = survey_from(row)
        domain = survey.domain
        lines[f"{domain}. SOA ns.{domain}. hostmaster.{domain}. 1 7200 900 1209600 300"] = None
        lines[f"{domain}. NS ns.{domain}."] = None
        for answer in survey.answers.values():
            for target in answer.chain:
                lines[f"{answer.name}. CNAME {target}."] = None
            for record in answer.records:
                data = _quoted(record) if answer.rrtype is RRType.TXT else f"{record}."
                lines[f"{answer.name}. {answer.rrtype} {data}"] = None
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    parts = [text[i : i + 200] for i in range(0, len(text), 200)]
    return " ".join('"' + p.replace("\\", "\\\\").replace('"', '\\"') + '"' for p in parts)


def company_list(rows: list[StudyRow]) -> bytes:
    """The corpus as a company list: a Turkish header, semicolons, e-mails and web sites mixed."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=";")
    writer.writerow(["Firma Adı", "Web Sitesi", "E-posta"])
    for number, row in enumerate(rows):
        domain = row.domain
        site = f"https://www.{domain}/kontakt" if number % 3 else ""
        writer.writerow([f"Gemeinde {domain}", site, f"gemeinde@{domain}"])
    return text.getvalue().encode()


async def pages(hunter: Running, path: str) -> list[dict[str, Any]]:
    """Every item of a list, page by page."""
    items: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = await hunter.get(path, limit="200", **({"cursor": cursor} if cursor else {}))
        items += page["items"]
        cursor = page["next_cursor"] or ""
        if not cursor:
            return items


async def scanned(hunter: Running, names: list[str]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Progress and results of one bulk of names, taken as they are: no reduction to companies."""
    async with hunter.http.post(
        hunter.url + "/api/v1/scan/bulk", json={"domains": names}
    ) as answer:
        job = await answer.json()
    progress = await hunter.finished(job["job_id"], timeout_s=120)
    return progress, await pages(hunter, f"/api/v1/scan/bulk/{job['job_id']}/results")


async def run(path: Path) -> int:
    """Serve, ingest, scan, rank; print what came out and what it cost."""
    rows = read_rows(path)
    with tempfile.TemporaryDirectory() as folder:
        zone = Path(folder) / "corpus.zone"
        zone.write_text(zone_of(rows))
        async with running_hunter(zone) as hunter:
            begin = time.perf_counter()
            form = aiohttp.FormData()
            form.add_field(
                "file", company_list(rows), filename="gemeinden.csv", content_type="text/csv"
            )
            async with hunter.http.post(hunter.url + "/api/v1/ingest/csv", data=form) as answer:
                batch = await answer.json()
                if answer.status != 202:
                    print(batch, file=sys.stderr)
                    return 1
            accepted_s = time.perf_counter() - begin
            progress = await hunter.finished(batch["job_id"], timeout_s=120)
            ingest_s = time.perf_counter() - begin
            ranking = await pages(hunter, "/api/v1/leads")
            begin = time.perf_counter()
            job, results = await scanned(hunter, list(dict.fromkeys(r.domain for r in rows)))
            bulk_s = time.perf_counter() - begin
            memory = hunter.memory()
    report(rows, batch, progress, ranking)
    figures = [
        Row("ingest as a company list", "rows", len(rows), "rows"),
        Row("ingest as a company list", "companies", progress["total"], "domains"),
        Row("ingest as a company list", "accept", round(accepted_s, 3), "s"),
        Row("ingest as a company list", "accept_to_last_result", round(ingest_s, 3), "s"),
        Row("bulk of every name", "domains", job["total"], "domains"),
        Row("bulk of every name", "unknown", job["unknown"], "domains"),
        Row("bulk of every name", "accept_to_last_result", round(bulk_s, 3), "s"),
        *[Row(kind, "memory", round(size, 1), "MiB") for kind, size in sorted(memory.items())],
        *accuracy(rows, results),
    ]
    for row in figures:
        print(f"{row.row:28} {row.metric:24} {row.value:>12} {row.unit}")
    print(f"written: {write_results('corpus', figures)}")
    return 0


def accuracy(rows: list[StudyRow], results: list[dict[str, Any]]) -> list[Row]:
    """How often the corpus' label and Hunter agree about Microsoft mailboxes."""
    said = {
        lead["domain"]: str(lead["provider"] or "").startswith("microsoft365") for lead in results
    }
    groups: dict[str, list[bool]] = {"visible": [], "hidden": [], "negative": []}
    rules = load_knowledge().rules
    for row in {r.domain: r for r in rows}.values():
        name = row.domain
        if name not in said:
            continue
        by_mx = any(rules.mx.find(h.rstrip(".").lower()) == MICROSOFT for h in row.mx or ())
        is_microsoft = study_label(row.provider, rules) == MICROSOFT
        kind = "negative" if not is_microsoft else "visible" if by_mx else "hidden"
        groups[kind].append(said[name])
    return [
        Row(
            f"microsoft_{kind}",
            "called_microsoft",
            round(sum(found) / len(found), 4),
            f"of {len(found)}",
        )
        for kind, found in groups.items()
        if found
    ]


def report(
    rows: list[StudyRow],
    batch: dict[str, Any],
    progress: dict[str, Any],
    leads: list[dict[str, Any]],
) -> None:
    """The outcome in words a person reads."""
    print(
        f"{len(rows)} rows: {batch['accepted']} companies accepted, {batch['rejected_count']} rows refused"
    )
    print({k: progress[k] for k in ("total", "succeeded", "failed", "unknown")})
    for field in ("segment", "priority", "provider", "tenant_state"):
        print(field, dict(Counter(str(lead[field]) for lead in leads).most_common(12)))
    print("The first five to call:")
    for lead in leads[:5]:
        print(f"  P{lead['priority']} {lead['score']:3} {lead['domain']:32} {lead['reason']}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", type=Path)
    sys.exit(asyncio.run(run(parser.parse_args().rows)))
