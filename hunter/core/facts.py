"""The rows of the fact and rule tables, and all of them together as judging needs them."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Hashable
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

import msgspec

from hunter.core.judgement import Axis, Segment
from hunter.core.tables import FactTable, Memo, SuffixIndex, TokenIndex

if TYPE_CHECKING:
    from hunter.core.identity import Guess, Pillar

#: most that is recalled of one kind
_RECALLED = 4096

#: what rules may speak of, beside the facts named by product relations
FACTS = frozenset(
    {
        # the answers themselves
        "domain_missing", "null_mx", "not_a_company", "unanswered", "mx_unanswered", "parking_unanswered",
        # who receives the mail
        "parked", "parked_name", "for_sale", "defensive", "consumer", "government", "public_body", "gateway", "regional",
        # where the mailboxes are: exactly one of these, or none while that is open
        "mail_microsoft", "mail_microsoft_probable", "mail_competitor_suite", "mail_hosting",
        "mail_hosted_exchange", "mail_exchange_onprem", "mail_self_hosted", "mail_mixed",
        "mail_unknown_operator", "mail_gateway_unseen", "mail_faulty", "mail_forwarded",
        "mail_none_likely", "mail_implicit", "mail_transactional", "mixed_microsoft_first",
        # the Microsoft tenant
        "tenant_without_mail", "tenant_set_up", "tenant_claimed", "tenant_unanswered", "migrating_in", "migrating_out", "no_tenant", "godaddy_tenant",
        "spf_names_microsoft",
        # posture and products
        "dmarc_not_enforced", "spf_gap", "software_breadth", "dynamics_unanswered",
        # dated
        "tenant_appeared", "mixed_since", "microsoft_lost", "product_end", "mx_moved",
        "dns_host_moved", "gateway_gone", "expires_soon",
    }
)  # fmt: skip
#: words in braces that a sentence may use
WORDS = frozenset({"provider", "operator", "what", "date", "days"})


class Kind(StrEnum):
    """What an operator does."""

    SUITE = "suite"
    GATEWAY = "gateway"
    HOSTING = "hosting"
    REGIONAL_ISP = "regional_isp"
    GOVERNMENT = "government_shared"
    SELF_HOSTED = "self_hosted"
    FORWARDING = "forwarding"
    TRANSACTIONAL = "transactional_inbound"
    CONSUMER = "consumer"
    PARKING = "parking"
    NONE = "none"


class Role(StrEnum):
    """What an operator means to a seller."""

    MICROSOFT = "microsoft"
    COMPETITOR = "competitor_suite"
    BASIC = "basic_mail"
    HOSTED_EXCHANGE = "hosted_exchange"
    SELF_HOSTED = "self_hosted"
    GATEWAY = "gateway"
    NO_MAILBOX = "no_mailbox"
    TRANSACTIONAL = "transactional"
    CONSUMER = "consumer"
    GOVERNMENT = "government"
    PARKED = "parked"
    FOR_SALE = "for_sale"
    DEFENSIVE = "defensive"
    BROKEN = "broken"


class Provider(msgspec.Struct, frozen=True):
    """One operator of mail."""

    id: str
    name: str
    kind: Kind
    role: Role
    #: row whose suite this is a variant of; the id itself when it is no variant
    family: str
    #: ISO 3166 code when the operator is at home in one country, else ""
    country: str
    #: yes, partial or no
    verified: str
    #: us_gov, china or germany for a sovereign cloud of Microsoft, else ""
    cloud: str = ""


class ProductRow(msgspec.Struct, frozen=True):
    """One product of the table."""

    id: str
    name: str
    category: str
    relation: str
    verified: str


class SignalRow(msgspec.Struct, frozen=True):
    """One Microsoft 365 or posture signal of the table."""

    id: str
    #: label below the domain ("" is the domain itself), and how the question begins and ends in
    #: the keys of a survey: "autodiscover." and " CNAME"
    ask: tuple[tuple[str, str, str], ...]
    #: True when the record alone proves a Microsoft tenant
    tenant: bool
    #: half a sentence for people
    says: str
    #: CNAME and SRV targets; None when the signal stands in TXT
    targets: SuffixIndex[bool] | None
    #: row of the product table that the token is a trace of as well, else ""
    product: str = ""


class Selector(msgspec.Struct, frozen=True):
    """A DKIM selector worth asking for."""

    name: str
    #: row of the provider or product table, "" when the name hints at nobody
    operator: str
    tier: int


class Event(msgspec.Struct, frozen=True):
    """A dated fact about a product."""

    id: str
    name: str
    date: dt.date
    #: half a sentence with "if", when it holds for some of those who run the product
    condition: str = ""


class Rule(msgspec.Struct, frozen=True):
    """One scoring rule: points when all its facts hold."""

    id: str
    axis: Axis
    group: str
    points: int
    when: tuple[str, ...]
    sentence: str
    #: days after which a dated rule is worth half; 0 for rules without a date
    half_life: float = 0.0


class Group(msgspec.Struct, frozen=True):
    """Rules that speak of the same cause share one limit."""

    id: str
    cap: int
    #: best: only the highest rule counts; sum: all count up to the cap
    pick: Literal["best", "sum"]


class VerdictRow(msgspec.Struct, frozen=True):
    """One row of the table that names segment and reason; the first row whose facts hold wins."""

    id: str
    when: tuple[str, ...]
    segment: Segment
    sentence: str


class PriorityRow(msgspec.Struct, frozen=True):
    """One row of the priority table; the first row that fits wins."""

    priority: int
    segments: frozenset[Segment]
    #: any of these facts; empty: no condition
    any_of: tuple[str, ...] = ()
    #: all of these facts
    all_of: tuple[str, ...] = ()
    score_from: int = 0
    urgency_from: int = 0
    confidence_below: float = 2.0


class Promise(StrEnum):
    """What a sentence about a change says that the judgement would become."""

    #: priority 1
    CALL_FIRST = "call_first"
    #: segment existing
    EXISTING = "existing"
    #: the provider is sure
    CERTAIN = "certain"


class ChangeRow(msgspec.Struct, frozen=True):
    """What would change a judgement, in a sentence, when all facts hold."""

    id: str
    when: tuple[str, ...]
    sentence: str
    #: the row is left out where this holds already, or cannot come
    promise: Promise | None = None


class Suite(msgspec.Struct, frozen=True):
    """Log-odds of one suite: prior by the way the MX looks, weight per feature and MX class."""

    prior: dict[str, float]
    weights: dict[str, dict[str, float]]

    def weight(self, feature: str, mx_class: str) -> float:
        """Log-odds that this feature adds; 0 when the model does not use it."""
        table = self.weights.get(feature)
        if table is None:
            return 0.0
        return table.get(mx_class, table["default"])


class Identity(msgspec.Struct, frozen=True):
    """The identity model."""

    sure: float
    likely: float
    name_from: float
    markets: dict[str, float]
    #: added to Microsoft's prior besides: market → how the MX looks → log-odds
    local: dict[str, dict[str, float]]
    fixed: dict[str, float]
    suites: dict[str, Suite]
    default: Suite


class NameServers(msgspec.Struct, frozen=True):
    """What a set of name servers shows."""

    hosts: tuple[str, ...]
    #: ids of the operators, blanks between
    owners: str
    #: (product, host)
    products: tuple[tuple[str, str], ...]


class Recalled:
    """What was worked out under one version of the rules and is asked for again and again."""

    __slots__ = ("guesses", "name_servers", "points")

    def __init__(self) -> None:
        #: where the mailboxes are and how that is without the strongest sign, by looks, suite, features and market
        self.guesses: Memo[Hashable, tuple[Guess, Pillar | None]] = Memo(_RECALLED)
        #: by the NS records as received
        self.name_servers: Memo[tuple[str, ...], NameServers] = Memo(_RECALLED)
        #: rules that count and their points, by the ids of the rules that hold, none of them dated
        self.points: Memo[tuple[str, ...], tuple[tuple[Rule, int], ...]] = Memo(_RECALLED)


class Rules(msgspec.Struct, frozen=True):
    """Everything `judge` needs to know, precompiled."""

    version: str
    providers: dict[str, Provider]
    mx: SuffixIndex[str]
    mx_pattern: re.Pattern[str]
    #: provider ids in the order of the groups of `mx_pattern`
    mx_pattern_ids: tuple[str, ...]
    spf: SuffixIndex[str]
    autodiscover: SuffixIndex[str]
    dkim: SuffixIndex[str]
    ns: SuffixIndex[str]
    products: dict[str, ProductRow]
    product_spf: SuffixIndex[str]
    product_cname: SuffixIndex[str]
    product_rua: SuffixIndex[str]
    product_ns: SuffixIndex[str]
    product_ns_pattern: re.Pattern[str]
    product_ns_pattern_ids: tuple[str, ...]
    signals: dict[str, SignalRow]
    #: TXT of the domain itself
    tokens: TokenIndex
    #: TXT of other names: label → index
    label_tokens: dict[str, TokenIndex]
    selectors: dict[str, Selector]
    events: dict[str, tuple[Event, ...]]
    identity: Identity
    #: product relation → fact
    relations: dict[str, str]
    rules: FactTable[Rule]
    groups: dict[str, Group]
    axis_caps: dict[Axis, int]
    verdicts: FactTable[VerdictRow]
    priorities: tuple[PriorityRow, ...]
    changes: FactTable[ChangeRow]
    #: days within which a new tenant signal means that a migration is under way
    migrating_days: int
    #: suffixes under which only public bodies register
    public_suffixes: SuffixIndex[str]
    recalled: Recalled = msgspec.field(default_factory=Recalled)

    def __post_init__(self) -> None:
        """Rules made out of others recall nothing of them."""
        msgspec.structs.force_setattr(self, "recalled", Recalled())
