"""Golden zones, served by a name server and scanned: the survey that the cases assume is the one that comes home."""

from __future__ import annotations

from typing import Any

import pytest

from hunter.config import Config
from hunter.core.answers import Depth, RRType
from hunter.core.judge import judge
from hunter.core.judgement import NO_HISTORY, Judgement
from hunter.knowledge.load import load_knowledge
from hunter.local.nameserver import NameServer
from hunter.resolver.opening import open_engine
from hunter.resolver.survey import survey
from hunter.resolver.tuning import Tuning
from tests.golden.cases import Case, judged, load_cases
from tests.golden.zone_text import Zone

#: no try ends before its answer, however busy the machine
PATIENT = Tuning(timeouts_s=(5.0, 5.0), tick_s=0.01, tcp_timeout_s=5.0, sockets_min=4)
KNOWLEDGE = load_knowledge()


def _is_plain(case: Case) -> bool:
    """True for a zone that an honest server can serve, looked at for the first time."""
    zone = Zone(case.domain, case.zone)
    return not (case.before or case.registration or zone.outcomes or zone.rest or "{" in case.zone)


#: two of each theme
SCANNED = {
    case.name: case
    for cases in load_cases().values()
    for case in [each for each in cases if _is_plain(each)][:2]
}


def _served(zone: Zone) -> str:
    """The zone for the name server; hosts that receive mail have an address."""
    lines = []
    for (name, kind), records in zone.records.items():
        for record in records:
            data = record
            if kind is RRType.TXT:
                quoted = record.replace("\\", "\\\\").replace('"', '\\"')
                data = " ".join(f'"{quoted[at : at + 200]}"' for at in range(0, len(quoted), 200))
            lines.append(f"{name} 300 {kind} {data}")
            host = record.rpartition(" ")[2]
            if kind is RRType.MX and host not in zone.names and "." in host[1:]:
                lines.append(f"{host} 300 A 198.51.100.25")
    return "\n".join(dict.fromkeys(lines))


def _core(found: Judgement) -> dict[str, Any]:
    names = ("provider", "mx_operator", "gateway", "mail_state", "tenant_state", "tenant_name")
    return {name: getattr(found, name) for name in names} | {
        "segment": found.segment,
        "priority": found.priority,
        "posture": found.posture,
        "products": [each.id for each in found.products],
        "lines": [(line.code, line.points) for line in found.lines],
    }


@pytest.mark.parametrize("case", SCANNED.values(), ids=SCANNED)
async def test_scan_of_a_golden_zone_is_judged_as_the_case(case: Case) -> None:
    zone = Zone(case.domain, case.zone)
    async with NameServer(_served(zone)) as server:
        config = Config(dns_servers=(server.address,))
        async with open_engine(config, tuning=PATIENT) as engine:
            seen = await survey(engine, case.domain, case.depth, KNOWLEDGE)

    found = judge(seen, NO_HISTORY, KNOWLEDGE.rules, case.as_of)

    assert _core(found) == _core(judged(case))
    assert case.depth is Depth.FULL or seen.depth is Depth.QUICK
