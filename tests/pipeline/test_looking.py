"""A look at a domain: the policy file is fetched when it is wanted, announced and looked for."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from aiohttp import web

from hunter.config import Config
from hunter.core.answers import Depth, PolicyFile, PolicyState
from hunter.knowledge.load import load_knowledge
from hunter.local.authority import Authority
from hunter.local.https import served
from hunter.local.nameserver import NameServer
from hunter.ops.metrics import Metrics
from hunter.outbound.guard import Failure, NoHost, OutboundError
from hunter.outbound.http import Limits, open_outbound
from hunter.outbound.policies import Policies
from hunter.pipeline.looking import Looker, open_looker, resolver_of
from hunter.resolver.opening import open_engine
from hunter.resolver.tuning import Tuning

QUICK = Tuning(timeouts_s=(0.15, 0.15), tick_s=0.01, tcp_timeout_s=0.3, sockets_min=4)
POLICY = "version: STSv1\nmode: testing\nmx: mx.contoso.example\nmax_age: 86400\n"
ZONE = """
contoso.example. MX 10 mx.contoso.example.
_mta-sts.contoso.example. TXT "v=STSv1; id=20261124"
mta-sts.contoso.example. A 127.0.0.1
plain.example. MX 10 mx.plain.example.
twice.example. MX 10 mx.twice.example.
_mta-sts.twice.example. TXT "v=STSv1; id=1"
_mta-sts.twice.example. TXT "v=STSv1; id=2"
six.example. AAAA ::1
"""


@pytest.mark.tool("openssl")
async def test_a_policy_file_is_fetched_where_a_record_announces_it(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    asked = []

    async def policy(request: web.Request) -> web.Response:
        asked.append(request.host.partition(":")[0])
        return web.Response(text=POLICY)

    tls = authority.server_context("mta-sts.contoso.example")
    metrics = Metrics()
    knowledge = load_knowledge()
    async with (
        NameServer(ZONE) as server,
        served({"/.well-known/mta-sts.txt": policy}, tls) as port,
        open_engine(config := settings(server, authority.file), tuning=QUICK) as engine,
        open_outbound(config, resolver_of(engine)) as http,
    ):
        looker = Looker(engine, Policies(http, port=port), metrics)
        full = await looker.look("contoso.example", Depth.FULL, knowledge)
        quick = await looker.look("contoso.example", Depth.QUICK, knowledge)
        plain = await looker.look("plain.example", Depth.FULL, knowledge)
        # two records are none (RFC 8461 section 3.1)
        twice = await looker.look("twice.example", Depth.FULL, knowledge)

    assert full.policy == PolicyFile(PolicyState.FETCHED, POLICY)
    assert (quick.policy, plain.policy, twice.policy) == (None, None, None)
    assert asked == ["mta-sts.contoso.example"]
    assert b'hunter_policy_fetches_total{state="fetched"} 1' in metrics.render()


def settings(server: NameServer, ca_file: Path | None = None, **more: bool) -> Config:
    return Config(
        dns_servers=(server.address,),
        outbound_loopback=True,
        outbound_ca_file=str(ca_file or ""),
        **more,  # type: ignore[arg-type]
    )


async def test_nothing_is_fetched_unless_it_was_asked_for() -> None:
    async with NameServer(ZONE) as server:
        config = settings(server)
        async with (
            open_engine(config, tuning=QUICK) as engine,
            open_looker(config, engine) as looker,
        ):
            seen = await looker.look("contoso.example", Depth.FULL, load_knowledge())

        assert seen.policy is None
        assert not any(question.startswith("mta-sts.") for question in server.queries)


async def test_with_the_setting_on_the_default_port_is_asked() -> None:
    async with NameServer(ZONE) as server:
        config = settings(server, fetch_policies=True)
        async with (
            open_engine(config, tuning=QUICK) as engine,
            open_looker(config, engine) as looker,
        ):
            seen = await looker.look("contoso.example", Depth.FULL, load_knowledge())

    # nobody listens at port 443 of the test machine, or somebody with another certificate
    assert seen.policy is not None
    assert seen.policy.state in {PolicyState.UNKNOWN, PolicyState.UNUSABLE}


async def test_the_engine_resolves_hosts_for_connections_out() -> None:
    async with (
        NameServer(ZONE + ";! silent.example timeout\nbroken.example. A 127.0.0.9\n") as server,
        open_engine(settings(server), tuning=QUICK) as engine,
    ):
        resolve = resolver_of(engine)

        assert await resolve("mta-sts.contoso.example") == ["127.0.0.1"]
        assert await resolve("six.example") == ["::1"]
        assert await resolve("gone.example") == []
        with pytest.raises(OSError, match="timeout") as silent:
            await resolve("silent.example")
        assert not isinstance(silent.value, NoHost)


async def test_a_name_server_that_rebinds_leads_to_nothing_on_this_machine() -> None:
    visits = 0

    async def canary(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal visits
        visits += 1
        writer.close()

    inwards = ("A 127.0.0.1", "AAAA ::1", "AAAA ::ffff:127.0.0.1", "CNAME localhost.example.")
    async with (
        await asyncio.start_server(canary, "127.0.0.1", 0) as listener,
        NameServer() as server,
        open_engine(config := Config(dns_servers=(server.address,)), tuning=QUICK) as engine,
        open_outbound(config, resolver_of(engine)) as http,
    ):
        port = listener.sockets[0].getsockname()[1]
        failures = []
        for record in inwards:
            server.replace("trap.example. 0 A 8.8.8.8\n")
            # what a check before the request would see
            assert await http.guard.addresses("trap.example") == ["8.8.8.8"]
            server.replace(f"trap.example. 0 {record}\nlocalhost.example. 0 A 127.0.0.1\n")
            with pytest.raises(OutboundError) as refused:
                await http.get(f"https://trap.example:{port}/", Limits(timeout_s=20, body_bytes=9))
            failures.append(refused.value.failure)

    assert failures == [Failure.FORBIDDEN] * len(inwards)
    assert visits == 0
