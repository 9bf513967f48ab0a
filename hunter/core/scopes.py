"""What a key may do, as a closed set; every route names one of them or says that it is public."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, Literal, TypeAlias


class Scope(StrEnum):
    """A right of a key; `admin` includes all others."""

    #: look at scan jobs, their results, and batches of companies
    SCAN_READ = "scan:read"
    #: start, cancel and redrive scans; take companies in
    SCAN_WRITE = "scan:write"
    #: look at leads, the dashboard and changes
    LEADS_READ = "leads:read"
    #: tag, note, favour, label, enrich and delete leads
    LEADS_WRITE = "leads:write"
    #: download all leads as a file
    EXPORT_READ = "export:read"
    #: alert rules and their deliveries
    ALERTS_ADMIN = "alerts:admin"
    #: keys, rules and jobs of the installation, and everything above
    ADMIN = "admin"


#: on a route: anybody, without a key; never a scope of a key
PUBLIC: Final = "public"
Access: TypeAlias = Scope | Literal["public"]


def allows(scopes: frozenset[Scope], wanted: Access) -> bool:
    """True when a key with these scopes may do what `wanted` names."""
    return wanted == PUBLIC or wanted in scopes or Scope.ADMIN in scopes
