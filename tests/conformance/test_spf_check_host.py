"""`check_host` against the openspf suite of RFC 7208, every case of every scenario."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any

import pytest
import yaml

from hunter.core.answers import Answer, Outcome, RRType
from hunter.core.spf_check import Sender, check_with
from hunter.core.spf_macro import presentation
from hunter.resolver.records import text_of
from tests.conformance.conftest import ABSENT, FOLDER

_SUITE = FOLDER / "spf" / "pyspf_rfc7208-tests.yml"
_NO_EXPLANATION = "DEFAULT"


class Zone:
    """The data of one scenario, answering as Hunter's resolver does."""

    def __init__(self, data: dict[str, list[Any]]) -> None:
        self._sets = {presentation(str(name).lower()): rows for name, rows in data.items()}

    def __call__(self, name: str, rrtype: RRType) -> Answer:
        chain: list[str] = []
        at = name
        while True:
            rows = self._sets.get(at)
            if rows is None:
                return Answer(name, rrtype, Outcome.NXDOMAIN, chain=tuple(chain))
            found = _records(rows, rrtype)
            if found:
                return Answer(name, rrtype, Outcome.FOUND, found, tuple(chain))
            if any(row == "TIMEOUT" or "TIMEOUT" in row for row in rows):
                return Answer(name, rrtype, Outcome.TIMEOUT)
            alias = _records(rows, RRType.CNAME)
            if not alias:
                return Answer(name, rrtype, Outcome.NODATA, chain=tuple(chain))
            if alias[0] in chain:
                return Answer(name, rrtype, Outcome.CNAME_LOOP)
            chain.append(alias[0])
            at = alias[0]


def _records(rows: list[Any], rrtype: RRType) -> tuple[str, ...]:
    """RDATA of one type. Data of the old type SPF stands for TXT where no TXT is given."""
    typed = [(kind, data) for row in rows if row != "TIMEOUT" for kind, data in row.items()]
    wanted = {str(rrtype)}
    if rrtype is RRType.TXT and all(kind != "TXT" for kind, _ in typed):
        wanted = {"SPF"}
    return tuple(_text(rrtype, data) for kind, data in typed if kind in wanted and data != "NONE")


def _text(rrtype: RRType, data: Any) -> str:
    if rrtype is RRType.TXT:
        parts = data if isinstance(data, list) else [data]
        return text_of("".join(parts).encode("latin-1"))
    if rrtype is RRType.MX:
        preference, host = data
        return f"{preference} {_host(host)}"
    return _host(data) if rrtype in {RRType.CNAME, RRType.PTR} else str(data)


def _host(name: str) -> str:
    return presentation(name.lower().removesuffix(".")) or "."


def _cases() -> Iterator[Any]:
    if not _SUITE.exists():
        yield pytest.param({}, {}, marks=pytest.mark.skip(reason=ABSENT), id="absent")
        return
    for scenario in yaml.safe_load_all(_SUITE.read_text(encoding="utf-8")):
        for name, case in scenario["tests"].items():
            yield pytest.param(case, scenario["zonedata"], id=f"{scenario['description']}-{name}")


@pytest.mark.parametrize(("message", "zonedata"), list(_cases()))
def test_a_case_of_the_suite_has_its_result(
    message: dict[str, Any], zonedata: dict[str, list[Any]]
) -> None:
    sender = Sender(ip_address(message["host"]), message["mailfrom"], message["helo"])

    check = check_with(sender, Zone(zonedata))

    right = message["result"] if isinstance(message["result"], list) else [message["result"]]
    assert check.result in right, check
    if "explanation" in message:
        wanted = message["explanation"]
        assert check.explanation == (None if wanted == _NO_EXPLANATION else wanted)
