"""Judgements that the passing of days changes by itself, without a new record."""

from __future__ import annotations

import datetime as dt

from hunter.core.facts import Rules
from hunter.core.judgement import Judgement
from hunter.core.registration import Registration


def decays(
    judgement: Judgement, rules: Rules, as_of: dt.date, registration: Registration | None = None
) -> bool:
    """True when the same records may be judged otherwise on a later day than `as_of`.

    Dated lines lose points, a move under way is one for so many days only, and the end of a
    product or of a registration comes nearer. Nothing else depends on the day.
    """
    if judgement.urgency or judgement.tenant_state == "migrating_in":
        return True
    expires = registration.expires if registration is not None else None
    return (expires is not None and expires > as_of) or _has_ends(judgement, rules, as_of)


def _has_ends(judgement: Judgement, rules: Rules, as_of: dt.date) -> bool:
    """True when an end is announced, after `as_of`, of something they run."""
    shown = {judgement.mx_operator or "", judgement.provider or ""}
    shown.update(product.id for product in judgement.products)
    return any(event.date > as_of for each in shown for event in rules.events.get(each, ()))
