"""A lead's sales brief: the survey behind its judgement, reasoned about on the day of the call."""

from __future__ import annotations

import datetime as dt

from hunter.core.advice import Language
from hunter.core.brief import Brief, brief
from hunter.core.errors import NotFound
from hunter.core.judge import reason
from hunter.core.wording import Prices
from hunter.knowledge.load import Knowledge
from hunter.store import judged
from hunter.store.database import Connection


async def brief_lead(
    conn: Connection,
    domain: str,
    knowledge: Knowledge,
    prices: Prices,
    *,
    language: Language,
    as_of: dt.date,
) -> Brief:
    """The brief of a stored lead, under the rules in force. Raises NotFound before its first scan."""
    standing = await judged.read(conn, domain)
    if standing is None:
        raise NotFound(f"no lead {domain}")
    if standing.previous is None:
        raise NotFound(f"{domain} has not been scanned yet, so there is nothing to tell")
    why = reason(standing.previous, standing.history, knowledge.rules, as_of, standing.registration)
    return brief(why, knowledge.wording, language, prices)
