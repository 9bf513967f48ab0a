"""Reads the data files, checks every row, and compiles them into the rules that judging uses."""

from __future__ import annotations

import datetime as dt
import re
import string
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from importlib import resources
from typing import Any, Literal, TypeVar

import msgspec
import yaml

from hunter.core.answers import Depth
from hunter.core.errors import Misconfigured
from hunter.core.facts import (
    FACTS,
    WORDS,
    ChangeRow,
    Event,
    Group,
    Identity,
    Kind,
    PriorityRow,
    ProductRow,
    Provider,
    Role,
    Rule,
    Rules,
    Selector,
    SignalRow,
    Suite,
    VerdictRow,
)
from hunter.core.judgement import Axis, Segment
from hunter.core.provider import hides_mailboxes, selectors_for
from hunter.core.tables import FactTable, Meaning, SuffixIndex, TokenIndex

FILES = (
    "providers",
    "products",
    "selectors",
    "signals",
    "identity",
    "rules",
    "events",
)

_Row = TypeVar("_Row", bound="_Checked")


class _Checked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A row of a data file; a field nobody knows is a mistake."""


class _Source(_Checked, frozen=True, kw_only=True):
    """Where a fact comes from, and how sure it is."""

    verified: Literal["yes", "partial", "no"]
    sources: str
    unconfirmed: str = ""
    notes: str = ""


class _Provider(_Source, frozen=True, kw_only=True):
    id: str
    name: str
    kind: Kind
    role: Role
    about: str = ""
    family: str = ""
    country: str = ""
    mx: str = ""
    mx_regex: str = ""
    spf: str = ""
    selectors: str = ""
    dkim: str = ""
    autodiscover: str = ""
    ns: str = ""
    txt: str = ""
    domains_2020: int = 0
    hosts_ch_at_2026: int = 0


class _Product(_Source, frozen=True, kw_only=True):
    id: str
    name: str
    category: str
    relation: str
    about: str = ""
    country: str = ""
    txt: str = ""
    spf: str = ""
    cname: str = ""
    dkim: str = ""
    rua: str = ""
    ns: str = ""
    ns_regex: str = ""
    shapes: str = ""
    spf_2020: int = 0
    txt_2019: int = 0


class _Selector(_Checked, frozen=True, kw_only=True):
    selector: str
    tier: Literal[0, 1, 2]
    record: Literal["CNAME", "TXT", "TXT/CNAME", "CNAME/TXT"]
    sources: str
    operator: str = ""
    target: str = ""
    note: str = ""


class _Signal(_Checked, frozen=True, kw_only=True):
    id: str
    ask: list[str]
    tenant: bool
    says: str
    targets: str = ""
    txt: list[str] = []
    seen: str = ""
    notes: str = ""


class _Event(_Checked, frozen=True, kw_only=True):
    id: str
    name: str
    date: dt.date
    kind: Literal["end", "change"]
    applies_to: str
    condition: str = ""
    notes: str = ""


class _Suite(_Checked, frozen=True, kw_only=True):
    prior: dict[str, float]
    weights: dict[str, dict[str, float]]


class _Identity(_Checked, frozen=True, kw_only=True):
    version: str
    words: dict[Literal["sure", "likely"], float]
    name_from: float
    markets: dict[str, float]
    fixed: dict[str, float]
    suites: dict[str, _Suite]


class _Group(_Checked, frozen=True, kw_only=True):
    id: str
    cap: int
    pick: Literal["best", "sum"]


class _Rule(_Checked, frozen=True, kw_only=True):
    id: str
    axis: Axis
    group: str
    points: int
    when: list[str]
    sentence: str
    half_life: float = 0.0


class _Verdict(_Checked, frozen=True, kw_only=True):
    id: str
    when: list[str]
    segment: Segment
    sentence: str


class _Priority(_Checked, frozen=True, kw_only=True):
    priority: Literal[1, 2, 3, 4, 5, 6]
    segments: list[Segment]
    any_of: list[str] = []
    all_of: list[str] = []
    score_from: int = 0
    urgency_from: int = 0
    confidence_below: float = 2.0


class _Change(_Checked, frozen=True, kw_only=True):
    when: list[str]
    sentence: str


class Knowledge(msgspec.Struct, frozen=True):
    """The fact tables and the seller's policy, checked and compiled."""

    #: of rules and fact tables together: stored with every judgement
    version: str
    rules: Rules

    def selectors_for(self, hosts: Iterable[str], depth: Depth) -> tuple[str, ...]:
        """The DKIM selectors worth asking for, see `hunter.core.provider.selectors_for`."""
        return selectors_for(hosts, depth, self.rules)

    def hides_mailboxes(self, hosts: Sequence[str], domain: str) -> bool:
        """True when these MX hosts, the best first, do not say where the mailboxes are."""
        return hides_mailboxes(hosts, domain, self.rules)


@lru_cache(maxsize=1)
def load_knowledge() -> Knowledge:
    """The packaged knowledge, read once per process; raises Misconfigured naming file, row and field."""
    folder = resources.files("hunter.knowledge") / "data"
    return build_knowledge(
        {name: (folder / f"{name}.yaml").read_text(encoding="utf-8") for name in FILES}
    )


def build_knowledge(texts: Mapping[str, str]) -> Knowledge:
    """Knowledge out of the text of each file; raises Misconfigured naming file, row and field."""
    files = {name: _parse(name, texts[name]) for name in FILES}
    return _Builder(files).build()


def _parse(name: str, text: str) -> dict[str, Any]:
    try:
        # CSafeLoader is libyaml: ten times the speed of the Python one, the same safety
        content = yaml.load(text, Loader=yaml.CSafeLoader)
    except yaml.YAMLError as error:
        raise Misconfigured(f"{name}.yaml: not YAML: {error}") from error
    if not isinstance(content, dict):
        raise Misconfigured(f"{name}.yaml: wants named sections at the top level")
    return content


def _fault(name: str, row: str, field: str, what: str) -> Misconfigured:
    return Misconfigured(f"{name}.yaml: {row}: {field}: {what}")


def _words(text: str) -> list[str]:
    return text.split()


def _regex_of(token: str) -> str | None:
    """The expression of a /…/ token, None for a literal."""
    if len(token) > 2 and token.startswith("/") and token.endswith("/"):
        return token[1:-1].replace("\\/", "/")
    return None


class _Builder:
    """Checks rows against each other and compiles them."""

    def __init__(self, files: Mapping[str, dict[str, Any]]) -> None:
        self._files = files

    def rows(self, name: str, section: str, kind: type[_Row]) -> Iterator[_Row]:
        """The rows of one section, checked; ids must be unique."""
        raw = self._files[name].get(section)
        if not isinstance(raw, list):
            raise Misconfigured(f"{name}.yaml: section {section}: wants a list of rows")
        seen: set[str] = set()
        for number, item in enumerate(raw, 1):
            row = self.checked(name, f"{section} row {number}", item, kind)
            rid = getattr(row, "id", "")
            if rid in seen:
                raise _fault(name, f"{section} row {number} ({rid})", "id", "used twice")
            if rid:
                seen.add(rid)
            yield row

    def checked(self, name: str, place: str, item: object, kind: type[_Row]) -> _Row:
        """One row as its type, or Misconfigured with file, row and field."""
        rid = item.get("id") or item.get("selector") if isinstance(item, dict) else None
        place = f"{place} ({rid})" if rid else place
        try:
            return msgspec.convert(item, kind)
        except msgspec.ValidationError as error:
            what, _, field = str(error).partition(" - at `$.")
            raise _fault(name, place, field.rstrip("`") or "row", what) from error

    def regex(self, name: str, row: str, field: str, text: str) -> str:
        """A regular expression that compiles and captures nothing (they are joined into one)."""
        try:
            compiled = re.compile(text)
        except re.error as error:
            raise _fault(name, row, field, f"not a regular expression: {error}") from error
        if compiled.groups:
            raise _fault(name, row, field, "groups must be (?:…): expressions are joined into one")
        return text

    def suffixes(
        self, name: str, field: str, pairs: Iterable[tuple[str, str]], *, unique: bool
    ) -> SuffixIndex[str]:
        """Suffix → row id; the first row wins unless `unique` forbids a second one."""
        found: dict[str, str] = {}
        for suffix, row in pairs:
            if suffix != suffix.lower() or suffix.endswith("."):
                raise _fault(
                    name, row, field, f"{suffix}: write it lower-case, without the last dot"
                )
            if unique and found.get(suffix, row) != row:
                raise _fault(name, row, field, f"{suffix} stands in row {found[suffix]} too")
            found.setdefault(suffix, row)
        return SuffixIndex(found)

    def build(self) -> Knowledge:
        """All tables together."""
        providers = list(self.rows("providers", "providers", _Provider))
        products = list(self.rows("products", "products", _Product))
        signals = list(self.rows("signals", "signals", _Signal))
        selectors = list(self.rows("selectors", "selectors", _Selector))
        events = list(self.rows("events", "events", _Event))
        self._provider_ids = {row.id for row in providers}
        self._product_ids = {row.id for row in products}
        self._check_references(providers, selectors, events)
        policy = self._policy()
        version = self._version()
        patterns = [(row.mx_regex, row.id) for row in providers if row.mx_regex]
        ns_patterns = [(row.ns_regex, row.id) for row in products if row.ns_regex]
        signal_rows = {row.id: self._signal(row) for row in signals}
        apex, labels = self._tokens(providers, products, signals)
        rules = Rules(
            version=version,
            providers={row.id: _provider(row) for row in providers},
            mx=self._provider_index(providers, "mx", unique=True),
            mx_pattern=self._pattern("providers", "mx_regex", patterns),
            mx_pattern_ids=tuple(row for _, row in patterns),
            spf=self._provider_index(providers, "spf", unique=False),
            autodiscover=self._provider_index(providers, "autodiscover", unique=False),
            dkim=self._provider_index(providers, "dkim", unique=False),
            ns=self._provider_index(providers, "ns", unique=False),
            products={row.id: _product(row) for row in products},
            product_spf=self._product_index(products, ("spf",)),
            product_cname=self._product_index(products, ("cname", "dkim"), selectors),
            product_rua=self._product_index(products, ("rua",)),
            product_ns=self._product_index(products, ("ns",)),
            product_ns_pattern=self._pattern("products", "ns_regex", ns_patterns),
            product_ns_pattern_ids=tuple(row for _, row in ns_patterns),
            signals=signal_rows,
            tokens=apex,
            label_tokens=labels,
            selectors=_selectors(providers, selectors),
            events=_events(events),
            identity=self._identity(),
            **policy,
        )
        return Knowledge(version=version, rules=rules)

    def _version(self) -> str:
        """Version of the policy and of the newest fact table."""
        found: list[str] = []
        for name in FILES:
            version = self._files[name].get("version")
            if not isinstance(version, str):
                raise Misconfigured(f"{name}.yaml: version: wants a quoted text such as '2026.11'")
            found.append(version)
        policy = found.pop(FILES.index("rules"))
        return f"{policy}+facts.{max(found)}"

    def _check_references(
        self, providers: list[_Provider], selectors: list[_Selector], events: list[_Event]
    ) -> None:
        ids = self._provider_ids | self._product_ids
        for row in providers:
            if row.family and row.family not in self._provider_ids:
                raise _fault("providers", row.id, "family", f"no provider {row.family}")
        for choice in selectors:
            if choice.operator and choice.operator not in ids | {"self_hosted"}:
                raise _fault(
                    "selectors", choice.selector, "operator", f"no such row: {choice.operator}"
                )
        for event in events:
            if event.applies_to not in ids | {"all"}:
                raise _fault("events", event.id, "applies_to", f"no such row: {event.applies_to}")

    def _provider_index(
        self, providers: list[_Provider], field: str, *, unique: bool
    ) -> SuffixIndex[str]:
        pairs = [(suffix, row.id) for row in providers for suffix in _words(getattr(row, field))]
        return self.suffixes("providers", field, pairs, unique=unique)

    def _product_index(
        self,
        products: list[_Product],
        fields: tuple[str, ...],
        selectors: Iterable[_Selector] = (),
    ) -> SuffixIndex[str]:
        pairs = [
            (suffix, row.id)
            for field in fields
            for row in products
            for suffix in _words(getattr(row, field))
        ]
        pairs += [
            (target, row.operator)
            for row in selectors
            if row.operator in self._product_ids
            for target in _words(row.target)
        ]
        return self.suffixes("products", "/".join(fields), pairs, unique=False)

    def _pattern(self, name: str, field: str, rows: list[tuple[str, str]]) -> re.Pattern[str]:
        """One expression whose n-th group is the n-th row; without rows it matches nothing."""
        parts = [f"({self.regex(name, row, field, text)})" for text, row in rows]
        return re.compile("|".join(parts) or r"(?!)")

    def _tokens(
        self, providers: list[_Provider], products: list[_Product], signals: list[_Signal]
    ) -> tuple[TokenIndex, dict[str, TokenIndex]]:
        """TXT tokens of the domain itself, and of the labels below it that signals ask for."""
        found: list[tuple[str, str, str, Meaning]] = []
        found += [
            ("providers", row.id, token, ("provider", row.id))
            for row in providers
            for token in _words(row.txt)
        ]
        found += [
            ("products", row.id, token, ("product", row.id))
            for row in products
            for token in _words(row.txt)
        ]
        at_labels: dict[str, list[tuple[str, str, str, Meaning]]] = {}
        for row in signals:
            for token in row.txt:
                for _, label in _asks(row):
                    rows = found if not label else at_labels.setdefault(label, [])
                    rows.append(("signals", row.id, token, ("signal", row.id)))
        return self._token_index(found), {
            label: self._token_index(rows) for label, rows in at_labels.items()
        }

    def _token_index(self, rows: Iterable[tuple[str, str, str, Meaning]]) -> TokenIndex:
        literals: dict[str, Meaning] = {}
        patterns: list[tuple[str, Meaning]] = []
        for name, row, token, meaning in rows:
            expression = _regex_of(token)
            if expression is not None:
                patterns.append((self.regex(name, row, "txt", expression), meaning))
            elif len(token) < 3 or token != token.lower():
                raise _fault(name, row, "txt", f"{token}: lower-case, three characters at least")
            # a signal says more than a product or a provider with the same token
            elif token not in literals or meaning[0] == "signal":
                literals[token] = meaning
        return TokenIndex(literals, patterns)

    def _signal(self, row: _Signal) -> SignalRow:
        for ask in row.ask:
            if not re.fullmatch(r"(CNAME|SRV|TXT) \S+", ask):
                raise _fault("signals", row.id, "ask", f"{ask}: wants 'CNAME label', 'TXT @'")
        if bool(row.targets) == bool(row.txt):
            raise _fault("signals", row.id, "targets", "either targets or txt")
        if any(ask.startswith("TXT ") == bool(row.targets) for ask in row.ask):
            raise _fault("signals", row.id, "ask", "TXT has txt, CNAME and SRV have targets")
        targets = SuffixIndex(dict.fromkeys(_words(row.targets), True)) if row.targets else None
        return SignalRow(
            id=row.id,
            ask=tuple(
                (label, f"{label}." if label else "", f" {rrtype}") for rrtype, label in _asks(row)
            ),
            tenant=row.tenant,
            says=row.says,
            targets=targets,
        )

    def _identity(self) -> Identity:
        raw = self.checked("identity", "file", self._files["identity"], _Identity)
        suites: dict[str, Suite] = {}
        for name, suite in raw.suites.items():
            if name != "default" and name not in self._provider_ids:
                raise _fault("identity", name, "suites", "no such provider")
            missing = MX_CLASSES - set(suite.prior)
            if missing:
                raise _fault("identity", name, "prior", f"without {', '.join(sorted(missing))}")
            for feature, weights in suite.weights.items():
                if "default" not in weights:
                    raise _fault("identity", name, f"weights.{feature}", "without default")
                if min(weights.values()) < 0:
                    raise _fault("identity", name, f"weights.{feature}", "must not be negative")
            suites[name] = Suite(prior=suite.prior, weights=suite.weights)
        if "default" not in suites:
            raise _fault("identity", "file", "suites", "without default")
        missing_fixed = FIXED - set(raw.fixed)
        if missing_fixed:
            raise _fault("identity", "file", "fixed", f"without {', '.join(sorted(missing_fixed))}")
        return Identity(
            sure=raw.words["sure"],
            likely=raw.words["likely"],
            name_from=raw.name_from,
            markets=raw.markets,
            fixed=raw.fixed,
            default=suites.pop("default"),
            suites=suites,
        )

    def _policy(self) -> dict[str, Any]:
        """The fields of Rules that come out of rules.yaml."""
        top = self._files["rules"]
        groups = {
            row.id: Group(row.id, row.cap, row.pick) for row in self.rows("rules", "groups", _Group)
        }
        relations = self._relations(top.get("relations"))
        known = FACTS | set(relations.values())
        rules = tuple(self._rule(row, groups, known) for row in self.rows("rules", "rules", _Rule))
        verdicts = []
        for row in self.rows("rules", "verdicts", _Verdict):
            self._check_facts("verdicts", row.id, row.when, known)
            self._check_sentence("verdicts", row.id, row.sentence, known)
            verdicts.append(VerdictRow(row.id, tuple(row.when), row.segment, row.sentence))
        if not verdicts or verdicts[-1].when:
            raise Misconfigured("rules.yaml: verdicts: the last row must have no condition")
        priorities = []
        for number, choice in enumerate(self.rows("rules", "priorities", _Priority), 1):
            self._check_facts("priorities", f"row {number}", choice.any_of, known)
            self._check_facts("priorities", f"row {number}", choice.all_of, known)
            priorities.append(
                PriorityRow(
                    priority=choice.priority,
                    segments=frozenset(choice.segments),
                    any_of=tuple(choice.any_of),
                    all_of=tuple(choice.all_of),
                    score_from=choice.score_from,
                    urgency_from=choice.urgency_from,
                    confidence_below=choice.confidence_below,
                )
            )
        changes = []
        for number, change in enumerate(self.rows("rules", "changes", _Change), 1):
            self._check_facts("changes", f"row {number}", change.when, known)
            self._check_sentence("changes", f"row {number}", change.sentence, known)
            changes.append(ChangeRow(tuple(change.when), change.sentence))
        days = top.get("migrating_days")
        if not isinstance(days, int) or days < 1:
            raise _fault("rules", "file", "migrating_days", "wants a number of days")
        return {
            "relations": relations,
            "groups": groups,
            "rules": FactTable(rules),
            "axis_caps": self._caps(top.get("axes")),
            "verdicts": FactTable(verdicts),
            "priorities": tuple(priorities),
            "changes": FactTable(changes),
            "migrating_days": days,
            "public_suffixes": self._names(top, "public_suffixes"),
        }

    def _names(self, top: Mapping[str, Any], field: str) -> SuffixIndex[str]:
        """A list of suffixes of rules.yaml; what is found is the suffix itself."""
        text = top.get(field)
        if not isinstance(text, str):
            raise _fault("rules", "file", field, "wants names with a blank between them")
        return self.suffixes("rules", field, [(name, name) for name in _words(text)], unique=True)

    def _relations(self, raw: object) -> dict[str, str]:
        try:
            return msgspec.convert(raw, dict[str, str])
        except msgspec.ValidationError as error:
            raise _fault("rules", "file", "relations", str(error)) from error

    def _caps(self, raw: object) -> dict[Axis, int]:
        try:
            caps = msgspec.convert(raw, dict[Axis, int])
        except msgspec.ValidationError as error:
            raise _fault("rules", "file", "axes", str(error)) from error
        if set(caps) != set(Axis) or sum(caps.values()) > 100 or min(caps.values()) < 0:
            raise _fault("rules", "file", "axes", "wants fit and urgency, together at most 100")
        return caps

    def _rule(self, row: _Rule, groups: dict[str, Group], known: frozenset[str]) -> Rule:
        if row.group not in groups:
            raise _fault("rules", f"rules ({row.id})", "group", f"no group {row.group}")
        if not row.when:
            raise _fault("rules", f"rules ({row.id})", "when", "wants at least one fact")
        if row.half_life < 0 or (row.axis is Axis.URGENCY) != (row.half_life > 0):
            raise _fault(
                "rules", f"rules ({row.id})", "half_life", "days, for urgency and only there"
            )
        self._check_facts("rules", row.id, row.when, known)
        self._check_sentence("rules", row.id, row.sentence, frozenset())
        return Rule(
            id=row.id,
            axis=row.axis,
            group=row.group,
            points=row.points,
            when=tuple(row.when),
            sentence=row.sentence,
            half_life=row.half_life,
        )

    def _check_facts(self, section: str, row: str, when: list[str], known: frozenset[str]) -> None:
        for fact in when:
            if fact not in known:
                raise _fault("rules", f"{section} ({row})", "when", f"no such fact: {fact}")

    def _check_sentence(self, section: str, row: str, text: str, facts: frozenset[str]) -> None:
        """Every word in braces must be one that judging can fill."""
        try:
            names = [name for _, name, _, _ in string.Formatter().parse(text) if name is not None]
        except ValueError as error:
            raise _fault("rules", f"{section} ({row})", "sentence", str(error)) from error
        for name in names:
            base, _, fact = name.partition("_")
            if name not in WORDS and not (base in {"what", "days"} and fact in facts):
                raise _fault("rules", f"{section} ({row})", "sentence", f"nothing fills {{{name}}}")


MX_CLASSES = frozenset({"suite", "other_suite", "gateway", "own", "unknown", "hoster", "forwarder"})
FIXED = frozenset(
    {"mixed", "parked", "consumer", "null_mx", "no_mx", "domain_missing", "government", "broken"}
)


def _asks(row: _Signal) -> tuple[tuple[str, str], ...]:
    pairs = []
    for ask in row.ask:
        rrtype, _, label = ask.partition(" ")
        pairs.append((rrtype, "" if label == "@" else label))
    return tuple(pairs)


def _provider(row: _Provider) -> Provider:
    return Provider(
        id=row.id,
        name=row.name,
        kind=row.kind,
        role=row.role,
        family=row.family or row.id,
        country=row.country,
        verified=row.verified,
    )


def _product(row: _Product) -> ProductRow:
    return ProductRow(
        id=row.id,
        name=row.name,
        category=row.category,
        relation=row.relation,
        verified=row.verified,
    )


def _selectors(providers: list[_Provider], rows: list[_Selector]) -> dict[str, Selector]:
    """Selector → row; the provider table adds selectors that have no row of their own (tier 2)."""
    found = {row.selector: Selector(row.selector, row.operator, row.tier) for row in rows}
    for provider in providers:
        for name in _words(provider.selectors):
            found.setdefault(name, Selector(name, provider.id, 2))
    return found


def _events(rows: list[_Event]) -> dict[str, tuple[Event, ...]]:
    found: dict[str, list[Event]] = {}
    for row in rows:
        if row.kind == "end":
            found.setdefault(row.applies_to, []).append(
                Event(row.id, row.name, row.date, row.condition)
            )
    return {row: tuple(sorted(events, key=lambda event: event.id)) for row, events in found.items()}
