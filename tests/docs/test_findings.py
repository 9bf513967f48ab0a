"""docs/findings.md is written from findings.yaml: `python tests/docs/test_findings.py`."""

from __future__ import annotations

from pathlib import Path

from hunter.core.advice import AdviceRow, Language
from hunter.knowledge.findings import load_findings

PAGE = Path(__file__).parents[2] / "docs" / "findings.md"
_HEAD = """\
# Findings

What Hunter can find in a domain's records, how much it matters, and how to put it right.
Each finding has a code that never changes, the section of the standard it rests on, and words in English and Turkish:
`GET /api/v1/leads/{domain}?lang=tr` and `hunter scan --lang tr` tell them in Turkish, `Accept-Language` is heeded too.
A question that nobody answered gives no finding.

`error`: receivers ignore the record, or mail is lost. `warning`: it works, but not as it should. `info`: worth knowing.

This page is written from `hunter/knowledge/data/findings.yaml`, and a test compares them.
"""
_KINDS = {
    "spf": "SPF",
    "dmarc": "DMARC",
    "dkim": "DKIM",
    "mx": "MX",
    "eop": "Exchange Online names",
    "mta": "MTA-STS",
    "tlsrpt": "TLS reporting",
    "bimi": "BIMI",
    "caa": "CAA",
    "dnssec": "DNSSEC",
    "dane": "DANE",
}


def page() -> str:
    """The whole page."""
    parts = [_HEAD]
    kinds: dict[str, list[AdviceRow]] = {}
    for row in load_findings().values():
        kinds.setdefault(row.code.partition("_")[0], []).append(row)
    for kind, rows in kinds.items():
        parts.append(f"## {_KINDS.get(kind, kind.capitalize())}\n")
        parts += map(_row, rows)
    return "\n".join(parts)


def _row(row: AdviceRow) -> str:
    lines = [f"### {row.code}\n", f"{row.severity} · {row.source}\n"]
    for language in Language:
        words = row.words(language)
        lines.append(f"- **{words.title}.** {words.message} *{words.fix}*")
    return "\n".join(lines) + "\n"


def test_the_page_says_what_the_catalogue_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python tests/docs/test_findings.py"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
