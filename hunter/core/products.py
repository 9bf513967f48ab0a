"""Products whose traces a domain carries; a trace is never proof of a contract."""

from __future__ import annotations

from hunter.core.facts import Rules
from hunter.core.judgement import Evidence, Product
from hunter.core.sender import DmarcView
from hunter.core.signals import PROVES, Seen

#: how strongly a trace speaks for present use; a token in TXT stays after the contract ends
_STRENGTH = {"txt": 0.7, "spf": 0.8, "rua": 0.9, "ns": 0.9, "dkim": 0.9, "cname": 0.9}
#: what is taken off for rows with one source
_PARTIAL = 0.1
#: rows that no public data confirms are hints
_UNVERIFIED = 0.5
#: what a trace proves, weakest first
_ORDER = ("account", "active_sending", "active_use")


def find_products(seen: Seen, dmarc: DmarcView, rules: Rules) -> tuple[Product, ...]:
    """Every product with a trace, by id, each with the records that show it."""
    for domain in dmarc.report_domains:
        row = rules.product_rua.find(domain)
        if row is not None:
            seen.traces.setdefault(row, []).append(("rua", dmarc.evidence[0]))
    return tuple(_product(row, seen.traces[row], rules) for row in sorted(seen.traces))


def _product(row_id: str, traces: list[tuple[str, Evidence]], rules: Rules) -> Product:
    row = rules.products[row_id]
    hows = {how for how, _ in traces}
    confidence = max(_STRENGTH[how] for how in hows)
    if row.verified == "partial":
        confidence -= _PARTIAL
    elif row.verified == "no":
        confidence = min(confidence, _UNVERIFIED)
    evidence = sorted(
        dict.fromkeys(each for _, each in traces), key=lambda each: (each.question, each.record)
    )
    return Product(
        id=row.id,
        name=row.name,
        category=row.category,
        relation=row.relation,
        proves=max((PROVES[how] for how in hows), key=_ORDER.index),
        confidence=round(confidence, 2),
        evidence=tuple(evidence),
    )
