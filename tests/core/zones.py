"""Records and histories that the tests of judging have in common."""

from __future__ import annotations

import datetime as dt

from hunter.core.judgement import History, Judgement, SignalDates
from hunter.knowledge.load import load_knowledge

RULES = load_knowledge().rules
AS_OF = dt.date(2026, 11, 23)
OLD = dt.date(2026, 9, 1)
RECENT = dt.date(2026, 11, 3)

MICROSOFT_MX = ["0 contoso-com.mail.protection.outlook.com"]
NATRO_MX = ["10 mx-in01.natrohost.com"]
OWN_MX = ["10 mail.contoso.com"]
FILTER_MX = ["10 eu-smtp-inbound-1.mimecast.com"]
MICROSOFT_SPF = "v=spf1 include:spf.protection.outlook.com -all"
TENANT = "MS=ms12345678"
AUTODISCOVER = ["autodiscover.outlook.com"]
DKIM_MICROSOFT = ["→ selector1-contoso-com._domainkey.contoso.onmicrosoft.com"]
APPEARED = SignalDates(first_absent=OLD, first_present=RECENT, last_present=RECENT)


def codes(judgement: Judgement) -> set[str]:
    """The rules that made a line."""
    return {line.code for line in judgement.lines}


def seen(**dates: SignalDates) -> History:
    """A history of these signals: `mx__self_hosted` is "mx:self_hosted"."""
    return History(seen={name.replace("__", ":"): each for name, each in dates.items()})
