"""Which facts can hold together: what excludes what, what implies what, and which facts have a date."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations
from typing import Final

#: where the mail of a domain goes: of these at most one holds
PLACEMENTS: Final = frozenset(
    {
        "domain_missing", "null_mx", "parked", "parked_name", "for_sale", "defensive", "consumer",
        "government", "mail_microsoft", "mail_microsoft_probable", "mail_competitor_suite",
        "mail_hosting", "mail_hosted_exchange", "mail_exchange_onprem", "mail_self_hosted",
        "mail_mixed", "mail_unknown_operator", "mail_gateway_unseen", "mail_faulty",
        "mail_forwarded", "mail_none_likely", "mail_transactional",
    }
)  # fmt: skip
_TENANT: Final = frozenset(
    {"tenant_without_mail", "migrating_in", "migrating_out", "tenant_unanswered", "no_tenant"}
)
_MICROSOFT: Final = ("mail_microsoft", "mail_microsoft_probable")
#: sets of facts of which at most one holds
_ONE_OF: Final = (
    PLACEMENTS,
    _TENANT,
    frozenset({"tenant_set_up", "tenant_claimed"}),
    # who has the mailboxes at Microsoft is past all of these
    *(
        frozenset({each, other})
        for each in _MICROSOFT
        for other in (*sorted(_TENANT), "spf_names_microsoft", "tenant_appeared")
    ),
)
_IMPLIES: Final = {
    "tenant_set_up": "tenant_without_mail",
    "tenant_claimed": "tenant_without_mail",
    "mixed_microsoft_first": "mail_mixed",
    "mixed_since": "mail_mixed",
    "mail_implicit": "mail_none_likely",
    "mx_unanswered": "unanswered",
    "parking_unanswered": "unanswered",
}
#: facts with a day, which rules of axis urgency count from
DATED: Final = frozenset(
    {
        "tenant_appeared", "mixed_since", "microsoft_lost", "product_end", "expires_soon", "mx_moved",
        "dns_host_moved", "gateway_gone",
    }
)  # fmt: skip


def closure(facts: Iterable[str]) -> frozenset[str]:
    """The facts, and those that hold wherever they do."""
    found = set(facts)
    return frozenset(found | {_IMPLIES[each] for each in found if each in _IMPLIES})


def exclusive(facts: Iterable[str]) -> tuple[str, str] | None:
    """Two of these facts that never hold together, None when they may."""
    for one, other in combinations(sorted(closure(facts)), 2):
        if any(one in each and other in each for each in _ONE_OF):
            return one, other
    return None
