"""Domains with a label that says where the mailboxes are, read from files that people and studies keep."""

from __future__ import annotations

import csv
import difflib
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from hunter.core.answers import Answer, Depth, Outcome, RRType, Survey, survey_of
from hunter.core.domain import parse_domain
from hunter.core.errors import InvalidDomain, InvalidInput
from hunter.core.facts import Kind, Rules
from hunter.core.identity import EXCHANGE, GOOGLE, MICROSOFT, WORKMAIL

#: the label of a domain whose mailboxes are at none of the suites
REST = ""
#: words of studies and of people → suite; None: whoever labelled did not know
_WORDS = {
    "microsoft": MICROSOFT,
    "microsoft 365": MICROSOFT,
    "ms365": MICROSOFT,
    "office 365": MICROSOFT,
    "google": GOOGLE,
    "google workspace": GOOGLE,
    "aws": WORKMAIL,
    "exchange": EXCHANGE,
    "domestic": REST,
    "foreign": REST,
    "self_hosted": REST,
    "other": REST,
    "unknown": None,
    "": None,
}
#: a word this like one of those is a slip, and not another provider's name
_SLIP = 0.8
_AUTODISCOVER = re.compile(
    r"autodiscover: .*(?P<rrtype>CNAME|SRV) → (?:\d+ \d+ \d+ )?(?P<target>\S+)"
)
_DKIM = re.compile(r"dkim: DKIM (\S+) CNAME → (\S+)")
_TOKEN_SEEN = "txt_verification: TXT verification matches ms365"  # noqa: S105
#: what such a token looks like: studies tell that one is there, and not its number
_TOKEN = "MS=ms12345678"  # noqa: S105
_MAX_TOLD = 60


class Labelled(msgspec.Struct, frozen=True):
    """One domain, what DNS said of it, and where its mailboxes are."""

    domain: str
    #: suite id, "" for none of the suites, None when whoever labelled did not know
    label: str | None
    survey: Survey
    #: True when rules over the same records gave the label, False when a person did
    by_rule: bool


class Refusal(msgspec.Struct, frozen=True):
    """A row that cannot be used, and why."""

    #: "row 12", "line 3"
    place: str
    detail: str


class Corpus(msgspec.Struct, frozen=True):
    """The rows of a file, and those refused; a bad row never sinks the file."""

    rows: tuple[Labelled, ...]
    refused: tuple[Refusal, ...]


class StudyRow(msgspec.Struct, frozen=True):
    """A row of a study: MX and SPF as found, what else it saw in words, and its label."""

    domain: str
    provider: str | None
    mx: list[str] | None = None
    spf: str | None = None
    signals: list[str] | None = None


class _UserRow(msgspec.Struct, frozen=True):
    """A row of a user: a domain and a label, perhaps with a stored observation."""

    domain: str
    label: str
    survey: Survey | None = None


def read_corpus(text: str, rules: Rules, stored: Mapping[str, Survey] | None = None) -> Corpus:
    """The labelled domains of a file: a JSON array, one JSON object a line, or CSV with a header.

    A row has `domain` and either `provider` with `mx`, `spf`, `signals` (a study's) or `label` with
    `survey`; without `survey` the observation is taken from `stored`, by domain. Raises
    InvalidInput when the text is none of the three.
    """
    rows: list[Labelled] = []
    refused: list[Refusal] = []
    for place, raw in _raw_rows(text):
        try:
            rows.append(_labelled(raw, rules, stored or {}))
        except (InvalidDomain, msgspec.ValidationError, _Unusable) as error:
            refused.append(Refusal(place, _one_line(str(error))))
    return Corpus(tuple(rows), tuple(refused))


class _Unusable(ValueError):
    """A row that says too little."""


def _one_line(text: str) -> str:
    """A message without control characters: rows may hold anything."""
    return "".join(char if char.isprintable() else "?" for char in " ".join(text.split()))


def _raw_rows(text: str) -> Iterator[tuple[str, Any]]:
    head = text.lstrip("\ufeff \t\r\n")[:1]
    if head == "[":
        try:
            rows = msgspec.json.decode(text.lstrip("\ufeff").encode(), type=list[Any])
        except msgspec.DecodeError as error:
            raise InvalidInput(f"The corpus is no JSON: {error}.") from error
        yield from ((f"row {number}", row) for number, row in enumerate(rows, 1))
    elif head == "{":
        for number, line in enumerate(text.lstrip("\ufeff").splitlines(), 1):
            if line.strip():
                yield f"line {number}", line
    else:
        yield from _csv_rows(text.lstrip("\ufeff"))


def _csv_rows(text: str) -> Iterator[tuple[str, Any]]:
    lines = csv.reader(io.StringIO(text))
    header = [cell.strip().lower() for cell in next(lines, [])]
    if not {"domain", "label"} <= set(header):
        raise InvalidInput(
            "The corpus is neither JSON nor a CSV whose first line names the columns domain and label."
        )
    for cells in lines:
        if any(cell.strip() for cell in cells):
            yield f"line {lines.line_num}", dict(zip(header, cells, strict=False))


def _labelled(raw: Any, rules: Rules, stored: Mapping[str, Survey]) -> Labelled:
    if isinstance(raw, str):
        try:
            raw = msgspec.json.decode(raw)
        except msgspec.DecodeError as error:
            raise _Unusable(f"no JSON object: {error}") from error
    if isinstance(raw, dict) and "provider" in raw:
        study = msgspec.convert(raw, StudyRow)
        domain = _name(study.domain)
        survey = survey_from(msgspec.structs.replace(study, domain=domain))
        return Labelled(domain, study_label(study.provider, rules), survey, by_rule=True)
    user = msgspec.convert(raw, _UserRow)
    domain = _name(user.domain)
    observed = user.survey or stored.get(domain)
    if observed is None:
        raise _Unusable(
            f"domain: no stored observation of {domain}; scan it, or add the row's survey"
        )
    if observed.domain != domain:
        raise _Unusable(f"survey: is of another domain, {observed.domain[:_MAX_TOLD]}")
    return Labelled(domain, label_of(user.label, rules), observed, by_rule=False)


def _name(text: str) -> str:
    return parse_domain(text, registrable=False, allow_test_names=True).name


def label_of(word: str, rules: Rules) -> str | None:
    """A label as the model has it: a suite id, "" for none of the suites, None when not known.

    `word` is a word of `_WORDS` or the id of a provider; operators that host mailboxes without
    being a suite are none of the suites.
    """
    wanted = word.strip().lower()
    if wanted in _WORDS:
        return _WORDS[wanted]
    row = rules.providers.get(wanted)
    if row is None:
        raise _Unusable(
            f"label: {word[:_MAX_TOLD]!r} is no provider; use microsoft, google, other, unknown or an id of providers.yaml"
        )
    return row.family if row.kind is Kind.SUITE or row.id == EXCHANGE else REST


def study_label(word: str | None, rules: Rules) -> str | None:
    """The label of a study's row: a provider that nobody here has heard of is none of the suites."""
    wanted = (word or "").strip().lower()
    if wanted in _WORDS or wanted in rules.providers:
        return label_of(wanted, rules)
    near = difflib.get_close_matches(wanted, list(_WORDS), n=1, cutoff=_SLIP)
    if near:
        raise _Unusable(f"provider: {wanted[:_MAX_TOLD]!r} is a slip; did you mean {near[0]}?")
    return REST


def survey_from(row: StudyRow, *, with_signals: bool = True) -> Survey:
    """What quick depth would have seen of a study's row; what it does not name is proved absent."""
    domain = _host(row.domain)
    txt = [row.spf] if row.spf else []
    autodiscover: dict[str, str] = {}
    keys: dict[str, str] = {}
    for signal in (row.signals or ()) if with_signals else ():
        if signal == _TOKEN_SEEN:
            txt.append(_TOKEN)
        elif found := _AUTODISCOVER.fullmatch(signal):
            autodiscover[found["rrtype"]] = _host(found["target"])
        elif key := _DKIM.fullmatch(signal):
            keys[_host(key[1]).removesuffix("." + domain)] = _host(key[2])
    mx = [f"10 {_host(host)}" for host in row.mx or () if host.strip()]
    answers = [
        _answer(domain, RRType.MX, mx),
        _answer(domain, RRType.TXT, txt),
        _answer(f"autodiscover.{domain}", RRType.CNAME, filter(None, [autodiscover.get("CNAME")])),
        _answer(f"enterpriseregistration.{domain}", RRType.CNAME, ()),
        _answer(f"_dmarc.{domain}", RRType.TXT, ()),
    ]
    if "SRV" in autodiscover:
        service = f"0 0 443 {autodiscover['SRV']}"
        answers.append(_answer(f"_autodiscover._tcp.{domain}", RRType.SRV, [service]))
    answers += [
        # what a server says to the TXT question about an alias whose target has no key
        Answer(f"{label}.{domain}", RRType.TXT, Outcome.NXDOMAIN, (), (target,))
        for label, target in sorted(keys.items())
    ]
    return survey_of(domain, Depth.QUICK, answers)


def _host(text: str) -> str:
    return text.strip().rstrip(".").lower()


def _answer(name: str, rrtype: RRType, records: Iterable[str]) -> Answer:
    found = tuple(records)
    return Answer(name, rrtype, Outcome.FOUND if found else Outcome.NODATA, found)
