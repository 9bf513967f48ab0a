"""What autodiscover says of suites other than Microsoft's cloud: another suite, an own Exchange server."""

from __future__ import annotations

import re

import msgspec

from hunter.core.answers import Answer, RRType, Survey
from hunter.core.facts import Rules
from hunter.core.identity import EXCHANGE, MICROSOFT, WORKMAIL
from hunter.core.judgement import State
from hunter.core.seen import Seen, is_silent, proof, signal_of, targets_of
from hunter.core.wildcard import WILDCARD

#: who receives where the MX is WorkMail's and no mailbox is
_SES = "amazon_ses_inbound"
#: hosting panels spell the qualifier out
_PANEL_SPF = re.compile(r" \+(?:a|mx)(?: |:|$)", re.IGNORECASE)
#: read once: at each use Python 3.11 takes longer for Enum.MEMBER than for a dictionary
_A, _CNAME, _SRV = RRType.A, RRType.CNAME, RRType.SRV
_ABSENT, _PRESENT = State.ABSENT, State.PRESENT


def read_autodiscover(seen: Seen, rules: Rules) -> None:
    """What autodiscover says of suites other than Microsoft's cloud: another suite, an own Exchange."""
    survey = seen.survey
    cname = survey.get(_CNAME, "autodiscover")
    if cname is None:
        return
    for target in targets_of(cname):
        owner = rules.autodiscover.find(target)
        if owner is not None:
            seen.prove_owner(owner, "autodiscover", proof(cname, target), rules)
    if is_silent(cname):
        seen.doubt(MICROSOFT, "autodiscover")
        seen.doubt(EXCHANGE, "autodiscover")
    _tell_workmail(seen, cname)
    _read_own_autodiscover(seen)


def _tell_workmail(seen: Seen, cname: Answer) -> None:
    """WorkMail and SES receiving share their MX; only mailboxes need an autodiscover."""
    if seen.mail is None or seen.mail.operator != WORKMAIL:
        return
    if is_silent(cname):
        seen.doubt(WORKMAIL, "autodiscover")
    elif "autodiscover" not in seen.proved.get(WORKMAIL, {}):
        hosts = tuple(
            msgspec.structs.replace(host, operator=_SES) if host.operator == WORKMAIL else host
            for host in seen.mail.hosts
        )
        seen.mail = msgspec.structs.replace(seen.mail, hosts=hosts, operator=_SES, mailboxes=())


def _read_own_autodiscover(seen: Seen) -> None:
    """An autodiscover address of the company's own: an Exchange server, unless the web site is there.

    Hosting panels give autodiscover the address of the web site. Where that is elsewhere, the
    signs they write into SPF, which nobody writes by hand, tell them.
    """
    survey = seen.survey
    addresses = _autodiscover_addresses(survey)
    if not addresses:
        return
    web = survey.get(_A)
    others = [web, survey.get(_A, WILDCARD), survey.get(_CNAME, WILDCARD)]
    shared = {record for each in others if each is not None for record in each.records}
    # whose address it is shows only beside the web site's and a wildcard's
    mute = next((each for each in others if each is not None and is_silent(each)), None)
    for address in addresses:
        silent = address if is_silent(address) else mute
        if silent is not None:
            seen.doubt(EXCHANGE, "autodiscover")
        own = "" if silent is not None else next(iter(sorted({*address.records} - shared)), "")
        if _PANEL_SPF.search(seen.spf.record) or (web is None and own not in seen.spf.addresses):
            own = ""
        found = signal_of(silent or address, own, own)
        before = seen.signals.get("autodiscover_own")
        if before is None or before.state is _ABSENT or found.state is _PRESENT:
            seen.signals["autodiscover_own"] = found
        if own:
            seen.prove(EXCHANGE, "autodiscover", (proof(address, own),))
    service = survey.get(_SRV, "_autodiscover._tcp")
    if service is not None and is_silent(service):
        known = seen.signals.get("autodiscover_own")
        if known is None or known.state is _ABSENT:
            seen.signals["autodiscover_own"] = signal_of(service)


def _autodiscover_addresses(survey: Survey) -> list[Answer]:
    """Address answers of autodiscover, by name and by SRV, that do not leave the domain."""
    suffix = "." + survey.domain
    names = ["autodiscover" + suffix]
    service = survey.get(_SRV, "_autodiscover._tcp")
    names += targets_of(service) if service is not None else ()
    found = []
    for name in dict.fromkeys(names):
        answer = survey.lookup(name, _A)
        if answer is not None and all(each.endswith(suffix) for each in (name, *answer.chain)):
            found.append(answer)
    return found
