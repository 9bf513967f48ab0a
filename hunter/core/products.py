"""Products whose traces a domain carries; a trace is never proof of a contract."""

from __future__ import annotations

from hunter.core.answers import RRType
from hunter.core.case import Case
from hunter.core.facts import Rules
from hunter.core.judgement import MAX_EVIDENCE, Evidence, Product
from hunter.core.score import Fact
from hunter.core.seen import PROVES, Seen, is_silent, proof
from hunter.core.sender import DmarcView
from hunter.core.tenant import TENANT_FACTS, TENANT_MATTERS

#: how strongly a trace speaks for present use; a token in TXT stays after the contract ends
_STRENGTH = {"txt": 0.7, "spf": 0.8, "rua": 0.9, "ns": 0.9, "dkim": 0.9, "cname": 0.9}
#: what is taken off for rows with one source
_PARTIAL = 0.1
#: rows that no public data confirms are hints
_UNVERIFIED = 0.5
#: what a trace proves, weakest first
_ORDER = ("account", "active_sending", "active_use")
#: names at which customers' portals live: their CNAME names the product behind (Power Pages,
#: Zendesk, Salesforce). A short list, never a search
SERVICE_NAMES = ("www", "portal", "support", "partner", "customer")
_CNAME = RRType.CNAME
_DYNAMICS = "existing_dynamics"
#: facts with which a Dynamics customer is called for the move of the mail all the same
_MOVES = frozenset({"migrating_in", "migrating_out"})
_MICROSOFT_SERVICES = "existing_microsoft"
#: this many business products make a company that buys software
_BREADTH = 5
#: relations that say nothing about buying software
_NO_BREADTH = ("neutral", "weak_", "existing_", "gateway_present", "m365_")


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
    confidence = max([_STRENGTH[how] for how in hows])
    if row.verified == "partial":
        confidence -= _PARTIAL
    elif row.verified == "no":
        confidence = min(confidence, _UNVERIFIED)
    evidence = [each for _, each in traces]
    if len(evidence) > 1:  # most products leave one trace
        evidence = sorted(dict.fromkeys(evidence), key=lambda each: (each.question, each.record))
    return Product(
        id=row.id,
        name=row.name,
        category=row.category,
        relation=row.relation,
        proves=max([PROVES[how] for how in hows], key=_ORDER.index),
        confidence=round(confidence, 2),
        evidence=tuple(evidence[:MAX_EVIDENCE]),
    )


def add_products(case: Case) -> None:
    """What else the company runs, by what it means to the seller, and how much of it."""
    facts, products = case.facts, case.products
    by_fact: dict[str, list[Product]] = {}
    for product in products:
        fact = case.rules.relations.get(product.relation)
        if fact is not None:
            by_fact.setdefault(fact, []).append(product)
    # a record that earns points as proof of the tenant earns none as a product, nor while the
    # answer that decides which of the two it is has not come
    counted = {each for name in TENANT_FACTS if name in facts for each in facts[name].evidence}
    if not case.place.fact:
        counted |= {each for _, signal in case.tenant.values() for each in signal.evidence}
    services = [
        each
        for each in by_fact.pop(_MICROSOFT_SERVICES, ())
        if not counted.issuperset(each.evidence)
    ]
    if services:
        by_fact[_MICROSOFT_SERVICES] = services
    for fact, found in by_fact.items():
        facts[fact] = Fact(
            tuple(dict.fromkeys(each for product in found for each in product.evidence)),
            _listed([product.name for product in found]),
        )
    _add_silence(case)
    bought = [each for each in products if not each.relation.startswith(_NO_BREADTH)]
    if len(bought) >= _BREADTH:
        facts["software_breadth"] = Fact(
            tuple(dict.fromkeys(product.evidence[0] for product in bought)), str(len(bought))
        )


def _add_silence(case: Case) -> None:
    """The fact that a portal of Dynamics may be behind a name that nobody answered for.

    Only where it would make another lead of the company: one to look after, not one to move.
    """
    facts, survey = case.facts, case.seen.survey
    if _DYNAMICS in facts or case.place.fact not in TENANT_MATTERS or _MOVES & facts.keys():
        return
    asked = [survey.get(_CNAME, label) for label in SERVICE_NAMES]
    silent = [proof(each) for each in asked if each is not None and is_silent(each)]
    if silent:
        facts["dynamics_unanswered"] = Fact(tuple(dict.fromkeys(silent)))


def _listed(names: list[str]) -> str:
    """A, B and C."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
