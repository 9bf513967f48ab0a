"""Judgements that the passing of days changes by itself, without a new record."""

from __future__ import annotations

import datetime as dt

from hunter.core.facts import Rules
from hunter.core.judgement import Judgement


def decays(judgement: Judgement, rules: Rules, as_of: dt.date) -> bool:
    """True when the same records may be judged otherwise on a later day than `as_of`.

    Dated lines lose points, a move under way is one for so many days only, and an announced end
    comes nearer. Nothing else depends on the day.
    """
    if judgement.urgency or judgement.tenant_state == "migrating_in":
        return True
    shown = {judgement.mx_operator or "", judgement.provider or ""}
    shown.update(product.id for product in judgement.products)
    return any(event.date > as_of for each in shown for event in rules.events.get(each, ()))
