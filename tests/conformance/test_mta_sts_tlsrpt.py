"""MTA-STS and TLS reporting records against the shared cases."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest
from aiohttp import web

from hunter.config import Config
from hunter.core.answers import PolicyState
from hunter.core.mta_sts import (
    MAX_AGE_S,
    MAX_POLICY_CHARS,
    matches_mx,
    parse_sts_policy,
    parse_sts_record,
)
from hunter.core.tlsrpt import parse_tlsrpt
from hunter.local.authority import Authority
from hunter.local.https import served
from hunter.outbound.http import open_outbound
from hunter.outbound.policies import Policies

_FILE = "mta_sts_tlsrpt/cases.yml"
CASES = {
    "test_sts_record": (_FILE, "mta_sts_records"),
    "test_sts_policy": (_FILE, "mta_sts_policies"),
    "test_sts_mx_pattern": (_FILE, "mx_match"),
    "test_sts_over_http": (_FILE, "http_behaviour"),
    "test_tlsrpt_record": (_FILE, "tlsrpt_records"),
}
_HOST = "mta-sts.contoso.com"
_PATH = "/.well-known/mta-sts.txt"
_POLICY = "version: STSv1\nmode: none\nmax_age: {}\n"


class Behaviour(NamedTuple):
    """What the policy host of a case does; one that nothing is said about is served right."""

    body: str = _POLICY.format(86400)
    status: int = 200
    location: str = ""
    #: name in the certificate, and days until it expires
    name: str = _HOST
    days: int = 2


_HTTP = {
    "cert_name_mismatch": Behaviour(name="contoso.com"),
    "cert_expired": Behaviour(days=-1),
    "policy_over_64k": Behaviour(_POLICY.format(1) + "#" * MAX_POLICY_CHARS),
    "max_age_over_31557600": Behaviour(_POLICY.format(MAX_AGE_S + 1)),
}


def _behaviour(name: str) -> Behaviour:
    """What a case's id asks of the server: a status, a redirection, or one of the table."""
    kind, _, status = name.rpartition("_")
    if status.isdigit() and kind in {"", "status", "http"}:
        return Behaviour(status=int(status))
    if status.isdigit() and kind == "redirect":
        return Behaviour(status=int(status), location=f"https://{_HOST}{_PATH}?2")
    return _HTTP[name]


_STATES = {
    PolicyState.ABSENT: "missing_policy",
    PolicyState.UNUSABLE: "invalid",
    PolicyState.UNKNOWN: "unknown",
}


def test_sts_record(case: dict[str, Any]) -> None:
    assert parse_sts_record(case["record"]).valid is case["valid"]


def test_sts_policy(case: dict[str, Any]) -> None:
    policy = parse_sts_policy(case["policy"])

    got = {"mode": policy.mode, "mx": list(policy.mx), "max_age": policy.max_age}
    assert policy.valid is case.get("valid", True)
    assert "expect" not in case or got == case["expect"]


def test_sts_mx_pattern(case: dict[str, Any]) -> None:
    assert matches_mx(case["pattern"], case["mx"]) is case["match"]


@pytest.mark.tool("openssl")
async def test_sts_over_http(case: dict[str, Any], tmp_path: Path) -> None:
    told = _behaviour(case["id"])
    authority = Authority(tmp_path)

    async def policy(_request: web.Request) -> web.Response:
        headers = {"Location": told.location} if told.location else {}
        return web.Response(status=told.status, text=told.body, headers=headers)

    async def here(_name: str) -> list[str]:
        return ["127.0.0.1"]

    config = Config(outbound_loopback=True, outbound_ca_file=str(authority.file))
    tls = authority.server_context(told.name, days=told.days)
    async with served({_PATH: policy}, tls) as port, open_outbound(config, here) as http:
        found = await Policies(http, port=port).fetch("contoso.com")

    is_valid = parse_sts_policy(found.text).valid
    assert _STATES.get(found.state, "valid" if is_valid else "invalid") == case["policy_state"]


def test_tlsrpt_record(case: dict[str, Any]) -> None:
    assert parse_tlsrpt(case["record"]).valid is case["valid"]
