"""What people write about a lead: tags, notes, favourites, marks, and labels where Hunter is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, LiteralString
from uuid import UUID

import msgspec

from hunter.core.errors import InvalidInput, NotFound, PreconditionFailed
from hunter.store.database import Connection
from hunter.store.identifiers import uuid7
from hunter.store.pages import Page, read_cursor, write_cursor

TAGS_MAX: Final = 50


class Edit(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be changed; UNSET and empty leave as it is, None takes away."""

    notes: str | msgspec.UnsetType | None = msgspec.UNSET
    mark: str | msgspec.UnsetType | None = msgspec.UNSET
    favourite: bool | None = None
    #: all tags anew
    tags: Sequence[str] | None = None
    add_tags: Sequence[str] = ()
    remove_tags: Sequence[str] = ()


# Of two edits at once the later sees what the earlier left: tags are added to the row as it is.
_EDIT: Final[LiteralString] = """
    UPDATE lead SET
        notes = CASE WHEN $2 THEN $3::text ELSE notes END,
        mark = CASE WHEN $4 THEN $5::text ELSE mark END,
        is_favourite = coalesce($6, is_favourite),
        tags = (
            SELECT coalesce(array_agg(DISTINCT t ORDER BY t), '{}')
            FROM unnest(coalesce($7::text[], tags) || $8::text[]) AS t
            WHERE NOT t = ANY($9::text[])
        )
    WHERE domain = $1 AND ($10::text IS NULL OR xmin::text = $10)
    RETURNING domain
"""
_TAGGED: Final[LiteralString] = """
    SELECT count(*) FROM (
        SELECT unnest(coalesce($2::text[], tags) || $3::text[]) FROM lead WHERE domain = $1
        EXCEPT SELECT unnest($4::text[])
    ) t
"""
_THERE: Final[LiteralString] = "SELECT domain FROM lead WHERE domain = $1"


async def edit(conn: Connection, domain: str, wanted: Edit, *, version: str | None = None) -> None:
    """Change what people wrote about a lead; with `version`, only while it is still that one.

    Raises NotFound, PreconditionFailed, InvalidInput for more tags than a lead may have.
    """
    tags = None if wanted.tags is None else list(wanted.tags)
    if tags is not None or wanted.add_tags:
        # locked first: of two who add the last one each, the second is told
        await require_version(conn, domain, version)
        given = (tags, list(wanted.add_tags), list(wanted.remove_tags))
        if await conn.fetchval(_TAGGED, domain, *given) > TAGS_MAX:
            raise _too_many()
    row = await conn.fetchval(
        _EDIT,
        domain,
        wanted.notes is not msgspec.UNSET,
        wanted.notes if isinstance(wanted.notes, str) else None,
        wanted.mark is not msgspec.UNSET,
        wanted.mark if isinstance(wanted.mark, str) else None,
        wanted.favourite,
        tags,
        list(wanted.add_tags),
        list(wanted.remove_tags),
        version,
    )
    if row is None:
        await require_version(conn, domain, version)


def _too_many() -> InvalidInput:
    place = ("/tags", f"remove some: a lead has at most {TAGS_MAX}")
    return InvalidInput(f"More than {TAGS_MAX} tags.", errors=(place,))


_VERSION: Final[LiteralString] = "SELECT xmin::text FROM lead WHERE domain = $1 FOR UPDATE"


async def require_version(conn: Connection, domain: str, version: str | None) -> None:
    """Lock a lead and hold it to a version, any with None. Raises NotFound, PreconditionFailed."""
    found = await conn.fetchval(_VERSION, domain)
    if found is None:
        raise NotFound(f"no lead {domain}")
    if version is not None and found != version:
        raise PreconditionFailed(
            "the lead was changed meanwhile: read it again, then send what you want with its new ETag"
        )


class Label(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody who knows says of a lead."""

    label_id: str
    domain: str
    caller: str
    at: datetime
    provider: str | None
    tenant_state: str | None
    segment: str | None
    comment: str
    #: what Hunter said then
    said: dict[str, Any]


_ADD_LABEL: Final[LiteralString] = """
    INSERT INTO lead_label (id, domain, caller, provider, tenant_state, segment, comment, said)
    SELECT $1, domain, $3, $4, $5, $6, $7, jsonb_build_object(
        'provider', provider, 'tenant_state', tenant_state, 'segment', segment,
        'confidence', confidence, 'rules_version', rules_version
    )
    FROM lead WHERE domain = $2
    RETURNING *
"""


async def add_label(
    conn: Connection,
    domain: str,
    *,
    caller: str,
    provider: str | None,
    tenant_state: str | None,
    segment: str | None,
    comment: str,
) -> Label:
    """Keep a label, with what Hunter says of the lead now. Raises NotFound."""
    values = (provider, tenant_state, segment, comment)
    row = await conn.fetchrow(_ADD_LABEL, uuid7(), domain, caller, *values)
    if row is None:
        raise NotFound(f"no lead {domain}")
    return _label(row)


_LABELS: Final[LiteralString] = """
    SELECT * FROM lead_label WHERE domain = $1 AND ($2::uuid IS NULL OR id < $2)
    ORDER BY id DESC LIMIT $3
"""


async def labels(conn: Connection, domain: str, after: str | None, limit: int) -> Page[Label]:
    """Labels of a lead, newest first. Raises NotFound."""
    if await conn.fetchval(_THERE, domain) is None:
        raise NotFound(f"no lead {domain}")
    (key,) = read_cursor(f"labels:{domain}"[:64], after, UUID)
    rows = await conn.fetch(_LABELS, domain, key, limit + 1)
    items = [_label(row) for row in rows[:limit]]
    more = len(rows) > limit
    cursor = write_cursor(f"labels:{domain}"[:64], items[-1].label_id) if more else None
    return Page(items, cursor)


def _label(row: Mapping[str, Any]) -> Label:
    return Label(
        label_id=str(row["id"]),
        said=msgspec.json.decode(row["said"]),
        **{name: row[name] for name in ("domain", "caller", "at", "comment")},
        **{name: row[name] for name in ("provider", "tenant_state", "segment")},
    )


class LabelledRow(msgspec.Struct, frozen=True):
    """A lead with what somebody says of its provider: a row that hunter rules fit reads."""

    domain: str
    #: suite or provider id
    label: str
    #: the observation it is of, as stored
    survey: msgspec.Raw


#: the newest word on a lead counts
_LABELLED: Final[LiteralString] = """
    SELECT DISTINCT ON (n.domain) n.domain, n.provider, o.evidence
    FROM lead_label n JOIN lead l USING (domain) JOIN observation o ON o.id = l.observation_id
    WHERE n.provider IS NOT NULL AND ($1::text IS NULL OR n.domain > $1)
    ORDER BY n.domain, n.id DESC LIMIT $2
"""


async def labelled(conn: Connection, after: str | None, limit: int) -> Page[LabelledRow]:
    """Labelled leads that have an observation, by domain."""
    (domain,) = read_cursor("labelled", after, str)
    rows = await conn.fetch(_LABELLED, domain, limit + 1)
    items = [
        LabelledRow(row["domain"], row["provider"], msgspec.Raw(row["evidence"].encode()))
        for row in rows[:limit]
    ]
    more = len(rows) > limit
    return Page(items, write_cursor("labelled", items[-1].domain) if more else None)
