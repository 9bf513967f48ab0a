"""`hunter registration` and `hunter rdap refresh` as their users start them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from hunter.cli.main import Exit
from hunter.knowledge.bootstrap import REFRESHED
from hunter.local.authority import Authority
from hunter.local.https import served
from hunter.local.nameserver import NameServer

if TYPE_CHECKING:
    from tests.cli.conftest import Hunter

ANSWERS: dict[str, dict[str, object]] = {
    "contoso.test": {
        "objectClassName": "domain",
        "ldhName": "contoso.test",
        "status": ["active"],
        "events": [{"eventAction": "expiration", "eventDate": "2027-08-03T04:00:00Z"}],
        "entities": [{"roles": ["registrar"], "vcardArray": ["vcard", [["fn", {}, "text", "Na\u202etro\x1b[31m"]]]}],
        "secureDNS": {"delegationSigned": True},
    },
    "free.test": {"errorCode": 404},
}  # fmt: skip


@asynccontextmanager
async def registry(environ: dict[str, str]) -> AsyncIterator[None]:
    """A registry of .test over plain HTTP, known in the user's data folder."""

    async def domain(request: web.Request) -> web.Response:
        found = ANSWERS.get(request.match_info["name"])
        if found is None:
            return web.Response(status=503, headers={"Retry-After": "60"})
        return web.json_response(found, status=404 if "errorCode" in found else 200)

    async with served({"/domain/{name}": domain}, None) as port:
        folder = Path(environ["HUNTER_DATA_DIR"])
        folder.mkdir()
        document = {
            "version": "1.0",
            "publication": "2099-01-01T00:00:00Z",
            "services": [[["test"], [f"http://127.0.0.1:{port}/"]]],
        }
        (folder / REFRESHED).write_text(json.dumps(document))
        environ["HUNTER_OUTBOUND_LOOPBACK"] = "true"
        yield


async def test_a_registration_is_told_as_lines_and_as_json(
    hunter: Hunter, environ: dict[str, str]
) -> None:
    async with registry(environ):
        told, as_json, free, away = await asyncio.gather(
            hunter("registration", "https://www.contoso.test/about"),
            hunter("registration", "contoso.test", "--json"),
            hunter("registration", "free.test"),
            hunter("registration", "away.test", "--json"),
        )

    assert [each.code for each in (told, as_json, free, away)] == [0, 0, 0, Exit.UNKNOWN], told.err
    assert told.out.splitlines() == [
        "domain      contoso.test",
        "state       registered",
        "registrar   Natro[31m",
        "expires     2027-08-03",
        "statuses    active",
        "delegation  signed",
        "source      rdap 127.0.0.1",
    ]
    found = json.loads(as_json.out)
    assert (found["domain"], found["state"], found["expires"]) == (
        "contoso.test",
        "registered",
        "2027-08-03",
    )
    assert (found["created"], found["delegation_signed"]) == (None, True)
    assert "not registered" in free.out
    assert (json.loads(away.out)["state"], json.loads(away.out)["reason"]) == (
        "unknown",
        "HTTP 503",
    )


async def test_what_is_no_company_domain_is_refused_in_one_line(hunter: Hunter) -> None:
    ended = await hunter("registration", "192.0.2.1")

    assert ended.code == Exit.USAGE
    assert len(ended.err.splitlines()) == 1


@pytest.mark.tool("openssl")
async def test_the_list_of_servers_is_replaced_by_a_fit_one_only(
    hunter: Hunter, environ: dict[str, str], tmp_path: Path
) -> None:
    names = [f"tld{number}" for number in range(1000)]
    lists = {
        "good": {"version": "1.0", "publication": "2099-01-01T00:00:00Z",
                 "services": [[names, ["https://rdap.test/"]]]},
        "bad": {"version": "1.0"},
    }  # fmt: skip

    async def send(request: web.Request) -> web.Response:
        return web.json_response(lists[request.match_info["name"]])

    authority = Authority(tmp_path)
    tls = authority.server_context("data.iana.test")
    zone = "data.iana.test. A 127.0.0.1\n"
    async with NameServer(zone) as server, served({"/{name}": send}, tls) as port:
        environ |= {
            "HUNTER_OUTBOUND_LOOPBACK": "true",
            "HUNTER_OUTBOUND_CA_FILE": str(authority.file),
            "HUNTER_DNS_SERVERS": "{}:{}".format(*server.address),
        }
        url = f"https://data.iana.test:{port}"
        bad = await hunter("rdap", "refresh", HUNTER_RDAP_BOOTSTRAP_URL=f"{url}/bad")
        gone = await hunter("rdap", "refresh", HUNTER_RDAP_BOOTSTRAP_URL=f"{url}/a/b")
        kept = (Path(environ["HUNTER_DATA_DIR"]) / REFRESHED).exists()
        good = await hunter("rdap", "refresh", HUNTER_RDAP_BOOTSTRAP_URL=f"{url}/good")

    assert (bad.code, gone.code, good.code) == (Exit.USAGE, Exit.FAILED, Exit.OK), good.err
    assert "does not say when it was published" in bad.err
    assert "HTTP 404" in gone.err
    assert not kept
    assert good.out.startswith("1000 domains, published 2099-01-01T00:00:00Z")
    assert (Path(environ["HUNTER_DATA_DIR"]) / REFRESHED).exists()


async def test_inside_a_network_no_list_is_fetched(hunter: Hunter) -> None:
    ended = await hunter(
        "rdap", "refresh", HUNTER_RDAP_BOOTSTRAP_URL="https://169.254.169.254/list"
    )

    assert ended.code == Exit.FAILED
    assert "169.254.169.254 is link-local" in ended.err
