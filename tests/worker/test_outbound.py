"""A worker that may connect out: what it fetches comes after the scan, and never in its way."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from aiohttp import web

from hunter.config import Config
from hunter.core.answers import Depth
from hunter.knowledge.bootstrap import REFRESHED
from hunter.local.https import served
from hunter.local.nameserver import NameServer


async def test_a_registry_that_hangs_holds_no_job_up_and_its_answer_comes_later(
    case: Any, working: Any, settings: Config, name_server: NameServer
) -> None:
    name_server.load('_mta-sts.d1.example. TXT "v=STSv1; id=1"\nmta-sts.d1.example. A 10.0.0.1\n')
    is_answering = asyncio.Event()

    async def domain(request: web.Request) -> web.Response:
        await is_answering.wait()
        name = request.match_info["name"]
        expiry = {"eventAction": "expiration", "eventDate": "2027-08-03T04:00:00Z"}
        return web.json_response({"objectClassName": "domain", "ldhName": name, "events": [expiry]})

    async with served({"/domain/{name}": domain}, None) as port:
        document = {
            "version": "1.0",
            "publication": "2099-01-01T00:00:00Z",
            "services": [[["example"], [f"http://127.0.0.1:{port}/"]]],
        }
        (settings.data_dir / REFRESHED).write_text(json.dumps(document))
        async with working(
            registration=True, fetch_policies=True, outbound_loopback=True, rdap_max_qps=100
        ):
            job_id = await case.submit("d1.example", "d2.example", depth=Depth.FULL)
            progress = await case.finished(job_id)
            known = await case.ask("SELECT count(*) FROM registration WHERE state <> 'unknown'")
            is_answering.set()
            await case.wait_for("SELECT count(*) = 2 FROM registration WHERE NOT wanted")

    assert (progress.succeeded, progress.failed) == (2, 0)
    assert known == 0
    assert await case.ask("SELECT count(DISTINCT expires) FROM registration") == 1
    # a policy host inside a private network was not asked
    policy = "SELECT evidence #>> '{policy,state}' FROM observation WHERE domain = 'd1.example'"
    assert await case.ask(policy) == "unknown"
    assert await case.ask("SELECT count(*) FROM observation WHERE evidence ? 'policy'") == 1
