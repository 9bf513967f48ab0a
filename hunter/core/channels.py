"""Channels by which people are told of changes, the kinds they are told of, and what becomes of a try."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Channel(StrEnum):
    """How a message travels."""

    #: signed JSON for a program (Standard Webhooks)
    WEBHOOK = "webhook"
    #: a mail to one address
    EMAIL = "email"
    #: an incoming webhook of Slack, or of what understands its format
    SLACK = "slack"
    #: a workflow of Microsoft Teams that takes an Adaptive Card
    TEAMS = "teams"


class Cadence(StrEnum):
    """When a rule tells what it matched."""

    #: each change by itself, at once
    IMMEDIATE = "immediate"
    #: all of a day together, at an hour of the rule's own time zone
    DAILY = "daily"


class Outcome(StrEnum):
    """What became of one try to deliver."""

    #: taken
    OK = "ok"
    #: DNS proves that the host has no address
    NO_HOST = "no_host"
    #: DNS did not say
    UNRESOLVED = "unresolved"
    #: the guard lets nobody connect there
    FORBIDDEN = "forbidden"
    #: nobody took the connection
    UNREACHABLE = "unreachable"
    #: the certificate is not valid for the name
    CERTIFICATE = "certificate"
    #: no answer in time
    TIMEOUT = "timeout"
    #: not the protocol that was expected, or cut off in the middle
    PROTOCOL = "protocol"
    #: sent elsewhere; that is not followed
    REDIRECT = "redirect"
    #: an HTTP status that is no success
    STATUS = "status"
    #: asked to come later (HTTP 429 or 503)
    THROTTLED = "throttled"
    #: HTTP 410: never again
    GONE = "gone"
    #: the mail server refuses for good (5xx)
    REFUSED = "refused"
    #: the mail server refuses for now (4xx)
    DEFERRED = "deferred"
    #: its address or secret was sealed under another HUNTER_KEY_PEPPER
    UNSEALABLE = "unsealable"
    #: HUNTER_SMTP_URL is not set
    UNSET = "unset"
    #: a mistake of Hunter's
    INTERNAL = "internal"


#: reasons to give a message up that are no outcome of a try
EXPIRED: Final = "expired"
RULE_DELETED: Final = "rule_deleted"

#: trying again changes nothing
FINAL: Final = frozenset({Outcome.GONE, Outcome.REFUSED})
#: not the endpoint's doing: its breaker does not count them
NOT_ITS_FAULT: Final = frozenset(
    {
        Outcome.OK,
        Outcome.THROTTLED,
        Outcome.REFUSED,
        Outcome.UNSEALABLE,
        Outcome.UNSET,
        Outcome.INTERNAL,
    }
)


class Kind(StrEnum):
    """Changes that may notify a customer: those of hunter.core.changes that are not internal."""

    MX_CHANGED = "mx_changed"
    PROVIDER_CHANGED = "provider_changed"
    GATEWAY_CHANGED = "gateway_changed"
    GATEWAY_REMOVED = "gateway_removed"
    SPF_CHANGED = "spf_changed"
    DKIM_CHANGED = "dkim_changed"
    DKIM_KEY_ROTATED = "dkim_key_rotated"
    DMARC_ADDED = "dmarc_added"
    DMARC_REMOVED = "dmarc_removed"
    DMARC_STRENGTHENED = "dmarc_strengthened"
    DMARC_WEAKENED = "dmarc_weakened"
    PRODUCT_ADDED = "product_added"
    PRODUCT_REMOVED = "product_removed"
    SCORE_CHANGED = "score_changed"
    SEGMENT_CHANGED = "segment_changed"
    TENANT_STATE_CHANGED = "tenant_state_changed"
    NAMESERVER_CHANGED = "nameserver_changed"
    EXPIRE_SOON = "expire_soon"
    EXPIRED = "expired"
    DOMAIN_GONE = "domain_gone"
    DANE_READY = "dane_ready"


#: matched by rules that name them only: they are news to few
QUIET: Final = frozenset({Kind.DKIM_KEY_ROTATED, Kind.DANE_READY})
