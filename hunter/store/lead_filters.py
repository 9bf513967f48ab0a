"""What a list of leads may ask for, in which orders, and the static statements that answer it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from hashlib import blake2b
from typing import Any, Final

import msgspec

from hunter.store.folding import fold, like_pattern


class Sort(StrEnum):
    """Orders of a list of leads."""

    #: priority, then score, then confidence, best first; never scanned leads last
    CALL = "call"
    #: highest score first, the surer of equals first
    SCORE = "score"
    #: surest first
    CONFIDENCE = "confidence"
    #: by name
    DOMAIN = "domain"
    #: scanned most lately first
    SCANNED = "last_scanned_at"
    #: whose records changed most lately first
    CHANGED = "last_changed_at"


class LeadFilter(msgspec.Struct, frozen=True, kw_only=True):
    """What a search wants; None wants anything, of several values any one will do."""

    segment: tuple[str, ...] | None = None
    provider: tuple[str, ...] | None = None
    mx_operator: tuple[str, ...] | None = None
    gateway: tuple[str, ...] | None = None
    tenant_state: tuple[str, ...] | None = None
    mail_state: tuple[str, ...] | None = None
    posture: tuple[str, ...] | None = None
    dmarc_policy: tuple[str, ...] | None = None
    scan_status: tuple[str, ...] | None = None
    tenant_name: tuple[str, ...] | None = None
    market: tuple[str, ...] | None = None
    mark: tuple[str, ...] | None = None
    priority: tuple[int, ...] | None = None
    min_score: int | None = None
    max_score: int | None = None
    min_fit: int | None = None
    max_fit: int | None = None
    min_urgency: int | None = None
    max_urgency: int | None = None
    min_confidence: float | None = None
    max_confidence: float | None = None
    first_seen_after: datetime | None = None
    first_seen_before: datetime | None = None
    scanned_after: datetime | None = None
    scanned_before: datetime | None = None
    next_scan_before: datetime | None = None
    changed_since: datetime | None = None
    source: str | None = None
    local_provider: bool | None = None
    favourite: bool | None = None
    #: all of them
    tags: tuple[str, ...] | None = None
    #: part of the domain or company name; below three letters, the start of the domain
    q: str | None = None

    def several(self) -> str | None:
        """A column asked for several values that has an index in call order, None without one."""
        for name in _IN_CALL_ORDER:
            if len(getattr(self, name) or ()) > 1:
                return name
        return None

    def pattern(self) -> str | None:
        """What the search column is to be like; None without a search or below three letters."""
        folded = fold(self.q) if self.q else ""
        return like_pattern(folded) if len(folded) >= _TRIGRAM else None

    def digest(self) -> str:
        """What a cursor carries, so that it belongs to its query."""
        return blake2b(msgspec.json.encode(self), digest_size=6).hexdigest()


#: letters of the first trigram; less than that no index can find inside a text
_TRIGRAM: Final = 3
#: columns asked for one value or several of a set
_ONE_OF: Final = (
    "segment", "provider", "mx_operator", "gateway", "tenant_state", "mail_state", "posture",
    "dmarc_policy", "scan_status", "tenant_name", "market", "mark",
)  # fmt: skip
#: those of them that have an index (column, call_rank, domain), the most telling first
_IN_CALL_ORDER: Final = (
    "tenant_name", "gateway", "provider", "mx_operator", "market", "tenant_state", "mail_state",
    "posture", "segment",
)  # fmt: skip
#: field, its condition with % for the parameter, and the parameter's type
_OTHERS: Final = (
    ("priority", "priority = ANY(%)", "smallint[]"),
    ("min_score", "score >= %", "integer"),
    ("max_score", "score <= %", "integer"),
    ("min_fit", "fit >= %", "integer"),
    ("max_fit", "fit <= %", "integer"),
    ("min_urgency", "urgency >= %", "integer"),
    ("max_urgency", "urgency <= %", "integer"),
    ("min_confidence", "coalesce(confidence, -1) >= %", "real"),
    ("max_confidence", "confidence <= %", "real"),
    ("first_seen_after", "first_seen_at >= %", "timestamptz"),
    ("first_seen_before", "first_seen_at < %", "timestamptz"),
    ("scanned_after", "coalesce(last_scanned_at, '-infinity'::timestamptz) >= %", "timestamptz"),
    ("scanned_before", "last_scanned_at < %", "timestamptz"),
    ("next_scan_before", "next_scan_at < %", "timestamptz"),
    ("changed_since", "coalesce(last_changed_at, '-infinity'::timestamptz) >= %", "timestamptz"),
    ("source", "source = %", "text"),
    ("local_provider", "local_provider = %", "boolean"),
    ("tags", "tags <> '{}' AND tags @> %", "text[]"),
)
_ITEM: Final = """
    domain, display_name, company_name, source, notes, first_seen_at, last_seen_at,
    last_scanned_at, next_scan_at, scan_status, provider, mx_operator, gateway, local_provider,
    mail_state, tenant_state, tenant_name, segment, priority, score, fit, urgency, confidence,
    posture, dmarc_policy, reason, rules_version, fingerprint, call_rank, tags, is_favourite, mark,
    last_changed_at, market
"""


def _conditions() -> Iterator[str]:
    """Every condition, true where its parameter is NULL: the planner sees values and drops those."""
    number = 1
    for column in _ONE_OF:
        # one value alone keeps the order of an index that begins with the column
        yield f"(${number}::text IS NULL OR {column} = ${number})"
        yield f"(${number + 1}::text[] IS NULL OR {column} = ANY(${number + 1}))"
        number += 2
    for _, condition, kind in _OTHERS:
        parameter = f"${number}::{kind}"
        yield f"({parameter} IS NULL OR {condition.replace('%', f'${number}')})"
        number += 1
    yield f"(${number}::boolean IS NULL OR ${number} AND is_favourite OR NOT ${number} AND NOT is_favourite)"
    yield (
        f'(${number + 1}::text IS NULL OR domain COLLATE "C" >= ${number + 1}'
        f" AND domain COLLATE \"C\" < ${number + 1} || '~')"
    )
    yield f"(${number + 2}::text IS NULL OR search LIKE ${number + 2})"


#: what a list of leads may ask for, as a condition over the values of `filter_arguments`
WHERE: Final = " AND ".join(_conditions())
#: how many those are
PARAMETERS: Final = 2 * len(_ONE_OF) + len(_OTHERS) + 3
_N: Final = PARAMETERS
_LIMIT: Final = f"${_N + 1}::integer"
#: the judgement is read and sent only to who wants more than the columns
_ROW: Final = f"{_ITEM}, CASE WHEN ${_N + 2}::boolean THEN judgement END AS judgement"
_A, _B, _C, _D = (f"${_N + n}" for n in (3, 4, 5, 6))


def filter_arguments(wanted: LeadFilter, driven: str | None = None) -> list[object]:
    """The values of `WHERE`; those of a column that drives are left to unnest."""
    values: list[object] = []
    for name in _ONE_OF:
        chosen = getattr(wanted, name)
        is_one = chosen is not None and len(chosen) == 1
        values += [chosen[0] if is_one else None]
        values += [list(chosen) if chosen and not is_one and name != driven else None]
    values += [_listed(getattr(wanted, name)) for name, _, _ in _OTHERS]
    folded = fold(wanted.q) if wanted.q else ""
    prefix = folded if 0 < len(folded) < _TRIGRAM else None
    return [*values, wanted.favourite, prefix, wanted.pattern()]


def _listed(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


#: Stretches of call order, each from behind (lo, after) up to hi, merged. A list by score is the
#: same with another last line, since within a priority call order is the order of scores.
def _by_rank(column: str | None, order: str) -> str:
    driver = f"CROSS JOIN unnest({_D}::text[]) AS v(value)" if column else ""
    driven = f"AND {column} = v.value" if column else f"AND {_D}::text[] IS NULL"
    return f"""
        SELECT lead.* FROM unnest({_A}::integer[], {_B}::integer[], {_C}::text[]) AS r(lo, hi, after)
        {driver} CROSS JOIN LATERAL (
            SELECT {_ROW} FROM lead
            WHERE {WHERE} {driven} AND (call_rank, domain) > (r.lo, r.after) AND call_rank <= r.hi
            ORDER BY call_rank, domain LIMIT {_LIMIT}
        ) lead
        ORDER BY {order}, domain LIMIT {_LIMIT}
    """  # noqa: S608  # of constants


_BY_CALL: Final = f"""
    SELECT {_ROW} FROM lead
    WHERE {WHERE} AND ({_A}::integer IS NULL OR (call_rank, domain) > ({_A}, {_B}::text))
    ORDER BY call_rank, domain LIMIT {_LIMIT}
"""  # noqa: S608  # of constants
#: without the priority; the best score of a priority stands at 9,000,000
_SCORE_RANK: Final = "(call_rank - 9000000) % 10000000"
#: where few match they are found once and sorted, instead of once in each stretch
_BY_SCORE: Final = f"""
    SELECT {_ROW} FROM lead
    WHERE {WHERE} AND ({_A}::integer IS NULL OR ({_SCORE_RANK}, domain) > ({_A}, {_B}::text))
    ORDER BY {_SCORE_RANK}, domain LIMIT {_LIMIT}
"""  # noqa: S608  # of constants
#: stretches of one segment each, as the index has them; never scanned leads are a stretch of ''
_BY_CONFIDENCE: Final = f"""
    SELECT lead.* FROM unnest({_C}::text[]) AS s(segment) CROSS JOIN LATERAL (
        SELECT {_ROW} FROM lead
        WHERE {WHERE} AND coalesce(segment, '') = s.segment
          AND ({_A}::real IS NULL OR (coalesce(confidence, -1), domain) < ({_A}, {_B}::text))
        ORDER BY coalesce(confidence, -1) DESC, domain DESC LIMIT {_LIMIT}
    ) lead
    ORDER BY coalesce(confidence, -1) DESC, domain DESC LIMIT {_LIMIT}
"""  # noqa: S608  # of constants
_BY_DOMAIN: Final = f"""
    SELECT {_ROW} FROM lead
    WHERE {WHERE} AND ({_A}::text IS NULL OR domain > {_A}) AND ({_B}::text IS NULL OR true)
    ORDER BY domain LIMIT {_LIMIT}
"""  # noqa: S608  # of constants


def _by_time(column: str) -> str:
    moment = f"coalesce({column}, '-infinity'::timestamptz)"
    return f"""
        SELECT {_ROW} FROM lead
        WHERE {WHERE}
          AND ({_A}::text IS NULL OR ({moment}, domain) < ({_A}::text::timestamptz, {_B}::text))
        ORDER BY {moment} DESC, domain DESC LIMIT {_LIMIT}
    """  # noqa: S608  # of constants


#: by order, and for the orders of rank by the column that drives
STATEMENTS: Final[dict[tuple[Sort, str | None], str]] = {
    (Sort.CONFIDENCE, None): _BY_CONFIDENCE,
    (Sort.DOMAIN, None): _BY_DOMAIN,
    (Sort.SCANNED, None): _by_time("last_scanned_at"),
    (Sort.CHANGED, None): _by_time("last_changed_at"),
    **{(Sort.CALL, column): _by_rank(column, "call_rank") for column in (None, *_IN_CALL_ORDER)},
    **{(Sort.SCORE, column): _by_rank(column, _SCORE_RANK) for column in (None, *_IN_CALL_ORDER)},
}

_SEGMENTS: Final = ("migration", "existing", "cold", "skip", "unknown", "")
_PER_PRIORITY: Final = 10_000_000
_BEST: Final = 9_000_000
#: never scanned leads stand behind priority 6
_NEVER: Final = 7


class Query(msgspec.Struct, frozen=True):
    """A statement; behind the values of the filter, a limit, and whether judgements are wanted."""

    statement: str
    place: tuple[object, ...]
    #: the column whose values are a parameter of `place`
    driven: str | None = None


def query_for(
    wanted: LeadFilter, sort: Sort, key: tuple[Any, str] | None, *, is_few: bool = False
) -> Query | None:
    """The statement for a page behind `key`; None when nothing can be there.

    `is_few` says that the search alone leaves few leads.
    """
    match sort:
        case Sort.CALL | Sort.SCORE if is_few:
            return Query(_BY_CALL if sort is Sort.CALL else _BY_SCORE, key or (None, None))
        case Sort.CALL | Sort.SCORE:
            return _query_by_rank(wanted, sort, key)
        case Sort.CONFIDENCE:
            segments = list(wanted.segment) if wanted.segment else list(_SEGMENTS)
            place = (*(key or (None, None)), segments)
        case _:
            place = key or (None, None)
    # what drives is a matter of rank; elsewhere several values are a condition
    return Query(STATEMENTS[sort, None], place)


def is_merged(wanted: LeadFilter, sort: Sort) -> bool:
    """True when a list is merged out of several stretches of call order."""
    return sort is Sort.SCORE or (
        sort is Sort.CALL and not (_is_plain(wanted) and wanted.several() is None)
    )


def _is_plain(wanted: LeadFilter) -> bool:
    return wanted.priority is None and wanted.min_score is None and wanted.max_score is None


def _query_by_rank(wanted: LeadFilter, sort: Sort, key: tuple[Any, str] | None) -> Query | None:
    column, is_plain = wanted.several(), _is_plain(wanted)
    if not is_merged(wanted, sort):
        return Query(_BY_CALL, key or (None, None))
    whole = [(0, (_NEVER + 2) * _PER_PRIORITY)]
    ranges = (
        whole if sort is Sort.CALL and is_plain else list(_stretches(wanted, is_plain=is_plain))
    )
    cut = [_behind(lo, hi, sort, key) for lo, hi in ranges]
    left = [each for each in cut if each[0] <= each[1]]
    if not left:
        return None
    los, his, afters = (list(each) for each in zip(*left, strict=True))
    values = list(getattr(wanted, column)) if column else None
    return Query(STATEMENTS[sort, column], (los, his, afters, values), column)


def _stretches(wanted: LeadFilter, *, is_plain: bool) -> Iterator[tuple[int, int]]:
    """Of each priority asked for, the ranks of the scores asked for."""
    best = 100 if wanted.max_score is None else wanted.max_score
    least = 0 if wanted.min_score is None else wanted.min_score
    for priority in sorted(set(wanted.priority or range(1, _NEVER))):
        base = priority * _PER_PRIORITY
        yield base + (1000 - best) * 10_000, base + (1000 - least) * 10_000 + 9_999
    if is_plain:
        yield _NEVER * _PER_PRIORITY + _BEST, (_NEVER + 2) * _PER_PRIORITY


def _behind(lo: int, hi: int, sort: Sort, key: tuple[Any, str] | None) -> tuple[int, int, str]:
    """A stretch from behind the cursor on: its first rank, its last, and behind which name."""
    if key is None:
        return lo, hi, ""
    rank, domain = key
    if sort is Sort.SCORE:
        rank = (lo - _BEST) // _PER_PRIORITY * _PER_PRIORITY + _BEST + rank
    return (rank, hi, domain) if rank >= lo else (lo, hi, "")


def score_rank(call_rank: int) -> int:
    """Where a lead stands in a list by score, whatever its priority: what such a cursor carries."""
    return (call_rank - _BEST) % _PER_PRIORITY
