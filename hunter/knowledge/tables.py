"""The fact tables: providers, products, selectors, signals and events, as indexes that judging looks into."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, Final

from hunter.core.facts import Event, ProductRow, Provider, Selector, SignalRow
from hunter.core.tables import Meaning, SuffixIndex, TokenIndex
from hunter.knowledge.check import Checker, Entry, words
from hunter.knowledge.problems import nearest
from hunter.knowledge.rows import (
    EventLine,
    ProductLine,
    ProviderLine,
    SelectorLine,
    SignalLine,
)
from hunter.knowledge.source import Path

_SHORTEST_TOKEN: Final = 3
_ASK: Final = re.compile(r"(CNAME|SRV|TXT) \S+")
#: file, row id, token, place, meaning
_Token = tuple[str, str, Path, Meaning]


def fact_tables(check: Checker) -> dict[str, Any]:
    """The fields of Rules that come out of the fact tables; problems are kept in `check`."""
    providers = check.rows("providers", "providers", ProviderLine)
    products = check.rows("products", "products", ProductLine)
    signals = check.rows("signals", "signals", SignalLine)
    selectors = check.rows("selectors", "selectors", SelectorLine)
    events = check.rows("events", "events", EventLine)
    _check_references(check, providers, signals, selectors, events)

    def of_providers(field: str, *, unique: bool = False) -> SuffixIndex[str]:
        return check.suffixes("providers", _suffixes(providers, field), unique=unique)

    def of_products(*fields: str) -> SuffixIndex[str]:
        pairs = [pair for field in fields for pair in _suffixes(products, field)]
        return check.suffixes("products", pairs, unique=False)

    mx_patterns = _patterns(check, "providers", providers, "mx_regex")
    ns_patterns = _patterns(check, "products", products, "ns_regex")
    apex, labels = _tokens(check, providers, products, signals)
    return {
        "providers": {each.row.id: _provider(each.row) for each in providers},
        "mx": of_providers("mx", unique=True),
        "mx_pattern": _joined(mx_patterns),
        "mx_pattern_ids": tuple(row for _, row in mx_patterns),
        "spf": of_providers("spf"),
        "autodiscover": of_providers("autodiscover"),
        "dkim": of_providers("dkim"),
        "ns": of_providers("ns"),
        "products": {each.row.id: _product(each.row) for each in products},
        "product_spf": of_products("spf"),
        "product_cname": _product_cnames(check, products, selectors),
        "product_rua": of_products("rua"),
        "product_ns": of_products("ns"),
        "product_ns_pattern": _joined(ns_patterns),
        "product_ns_pattern_ids": tuple(row for _, row in ns_patterns),
        "signals": {each.row.id: _signal(check, each) for each in signals},
        "tokens": apex,
        "label_tokens": labels,
        "selectors": _selectors(providers, selectors),
        "events": _events(events),
    }


def _check_references(
    check: Checker,
    providers: list[Entry[ProviderLine]],
    signals: list[Entry[SignalLine]],
    selectors: list[Entry[SelectorLine]],
    events: list[Entry[EventLine]],
) -> None:
    operators, products = check.ids("providers", "providers"), check.ids("products", "products")
    ids = operators | products
    for each in providers:
        family = each.row.family
        if family and family not in operators:
            fix = nearest(family, operators, "name a row of providers.yaml")
            check.add("providers", (*each.path, "family"), f"no provider {family}", fix)
    rows: list[tuple[str, Path, str, frozenset[str]]] = [
        ("selectors", (*each.path, "operator"), each.row.operator, ids | {"self_hosted", ""})
        for each in selectors
    ]
    rows += [
        ("events", (*each.path, "applies_to"), each.row.applies_to, ids | {"all"})
        for each in events
    ]
    rows += [
        ("signals", (*each.path, "product"), each.row.product, products | {""}) for each in signals
    ]
    for name, path, wanted, known in rows:
        if wanted not in known:
            fix = nearest(wanted, known, "name a row of providers.yaml or products.yaml")
            check.add(name, path, f"no such row: {wanted}", fix)


def _suffixes(rows: Iterable[Entry[Any]], field: str) -> list[tuple[str, str, Path]]:
    return [
        (suffix, each.row.id, (*each.path, field))
        for each in rows
        for suffix in words(getattr(each.row, field))
    ]


def _product_cnames(
    check: Checker, products: list[Entry[ProductLine]], selectors: list[Entry[SelectorLine]]
) -> SuffixIndex[str]:
    """CNAME targets of products, those of their DKIM selectors too."""
    pairs = _suffixes(products, "cname") + _suffixes(products, "dkim")
    known = check.ids("products", "products")
    # problems of a selector's target would be told of the wrong file: its own suffixes are checked
    targets = [
        (target, each.row.operator, (*each.path, "target"))
        for each in selectors
        if each.row.operator in known
        for target in words(each.row.target)
    ]
    check.suffixes("selectors", targets, unique=False)
    return SuffixIndex(
        {suffix: row for suffix, row, _ in reversed(pairs + targets)}  # the first row wins
    )


def _patterns(
    check: Checker, name: str, rows: Iterable[Entry[Any]], field: str
) -> list[tuple[str, str]]:
    """(expression, row id) of the rows that have a sound one."""
    return [
        (text, each.row.id)
        for each in rows
        if (text := getattr(each.row, field)) and check.regex(name, (*each.path, field), text)
    ]


def _joined(rows: list[tuple[str, str]]) -> re.Pattern[str]:
    """One expression whose n-th group is the n-th row; without rows it matches nothing."""
    return re.compile("|".join(f"({text})" for text, _ in rows) or r"(?!)")


def _tokens(
    check: Checker,
    providers: list[Entry[ProviderLine]],
    products: list[Entry[ProductLine]],
    signals: list[Entry[SignalLine]],
) -> tuple[TokenIndex, dict[str, TokenIndex]]:
    """TXT tokens of the domain itself, and of the labels below it that signals ask for."""

    def of(
        name: str, rows: Iterable[Entry[Any]], meaning: Callable[[str], Meaning]
    ) -> list[_Token]:
        return [
            (name, token, (*each.path, "txt"), meaning(each.row.id))
            for each in rows
            for token in words(each.row.txt)
        ]

    found = of("providers", providers, lambda row: ("provider", row))
    found += of("products", products, lambda row: ("product", row))
    at_labels: dict[str, list[_Token]] = {}
    for each in signals:
        for number, token in enumerate(each.row.txt):
            for _, label in _asks(each.row):
                rows = found if not label else at_labels.setdefault(label, [])
                place = (*each.path, "txt", number)
                rows.append(("signals", token, place, ("signal", each.row.id)))
    return _token_index(check, found), {
        label: _token_index(check, rows) for label, rows in at_labels.items()
    }


def _token_index(check: Checker, rows: Iterable[_Token]) -> TokenIndex:
    literals: dict[str, Meaning] = {}
    patterns: list[tuple[str, Meaning]] = []
    for name, token, path, meaning in rows:
        expression = _regex_of(token)
        if expression is not None:
            if check.regex(name, path, expression):
                patterns.append((expression, meaning))
        elif len(token) < _SHORTEST_TOKEN or token != token.lower():
            fix = "write it lower-case, with three characters at least"
            check.add(name, path, f"{token} matches no record, or too many", fix)
        # a signal says more than a product or a provider with the same token
        elif token not in literals or meaning[0] == "signal":
            literals[token] = meaning
    return TokenIndex(literals, patterns)


def _regex_of(token: str) -> str | None:
    """The expression of a /…/ token, None for a literal."""
    if len(token) > 2 and token.startswith("/") and token.endswith("/"):
        return token[1:-1].replace("\\/", "/")
    return None


def _asks(row: SignalLine) -> tuple[tuple[str, str], ...]:
    pairs = []
    for ask in row.ask:
        rrtype, _, label = ask.partition(" ")
        pairs.append((rrtype, "" if label == "@" else label))
    return tuple(pairs)


def _signal(check: Checker, entry: Entry[SignalLine]) -> SignalRow:
    row = entry.row
    for number, ask in enumerate(row.ask):
        if not _ASK.fullmatch(ask):
            fix = "write 'CNAME label', 'SRV label' or 'TXT @'"
            check.add("signals", (*entry.path, "ask", number), f"{ask} is no question", fix)
    if bool(row.targets) == bool(row.txt):
        fix = "give one of the two"
        check.add("signals", (*entry.path, "targets"), "either targets or txt", fix)
    elif any(ask.startswith("TXT ") == bool(row.targets) for ask in row.ask):
        fix = "TXT has txt, CNAME and SRV have targets"
        check.add("signals", (*entry.path, "ask"), "the question cannot show that", fix)
    return SignalRow(
        id=row.id,
        ask=tuple(
            (label, f"{label}." if label else "", f" {rrtype}") for rrtype, label in _asks(row)
        ),
        tenant=row.tenant,
        says=row.says,
        targets=SuffixIndex(dict.fromkeys(words(row.targets), True)) if row.targets else None,
        product=row.product,
    )


def _provider(row: ProviderLine) -> Provider:
    return Provider(
        id=row.id,
        name=row.name,
        kind=row.kind,
        role=row.role,
        family=row.family or row.id,
        country=row.country,
        verified=row.verified,
        cloud=row.cloud,
    )


def _product(row: ProductLine) -> ProductRow:
    return ProductRow(
        id=row.id,
        name=row.name,
        category=row.category,
        relation=row.relation,
        verified=row.verified,
    )


def _selectors(
    providers: list[Entry[ProviderLine]], rows: list[Entry[SelectorLine]]
) -> dict[str, Selector]:
    """Selector → row; the provider table adds selectors that have no row of their own (tier 2)."""
    lines = [each.row for each in rows]
    found = {row.selector: Selector(row.selector, row.operator, row.tier) for row in lines}
    for provider in providers:
        for name in words(provider.row.selectors):
            found.setdefault(name, Selector(name, provider.row.id, 2))
    return found


def _events(rows: list[Entry[EventLine]]) -> dict[str, tuple[Event, ...]]:
    found: dict[str, list[Event]] = {}
    for row in (each.row for each in rows):
        if row.kind == "end":
            event = Event(row.id, row.name, row.date, row.condition)
            found.setdefault(row.applies_to, []).append(event)
    return {row: tuple(sorted(events, key=lambda event: event.id)) for row, events in found.items()}
