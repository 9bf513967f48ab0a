"""A lead explained: the survey behind its judgement, reasoned about once more under the rules in force."""

from __future__ import annotations

import datetime as dt

from hunter.core.advice import Language
from hunter.core.errors import NotFound
from hunter.core.explain import Explanation, explain
from hunter.knowledge.load import Knowledge
from hunter.store import judged
from hunter.store.database import Connection


async def explain_lead(
    conn: Connection,
    domain: str,
    knowledge: Knowledge,
    *,
    language: Language,
    as_of: dt.date,
) -> Explanation:
    """The chain of reasoning about a stored lead on a day. Raises NotFound before its first scan."""
    standing = await judged.read(conn, domain)
    if standing is None:
        raise NotFound(f"no lead {domain}")
    if standing.previous is None:
        raise NotFound(f"{domain} has not been scanned yet, so there is nothing to explain")
    return explain(
        standing.previous,
        standing.history,
        knowledge.rules,
        as_of,
        standing.registration,
        wording=knowledge.wording,
        language=language,
    )
