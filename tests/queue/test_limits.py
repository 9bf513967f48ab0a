"""Rate limits on the real Valkey: exact among processes, and local while it is away or frozen."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator

import pytest
import redis.asyncio

from hunter.config import Config, Secret
from hunter.core.gcra import Limit
from hunter.local.proxy import Proxy
from hunter.queue.limits import Limits, LocalLimits, open_limits

#: what comes back of it within a test is nothing
SLOW = Limit(per_minute=1, burst=5)
PATIENT_S = 10.0


@pytest.fixture
async def limits(config: Config) -> AsyncIterator[Limits]:
    """Limits that wait long for the run's Valkey: the machine may be busy."""
    async with open_limits(config, deadline_s=PATIENT_S) as opened:
        yield opened


async def test_a_burst_passes_and_the_rest_is_told_when_to_come_back(limits: Limits) -> None:
    told = [await limits.take("a", SLOW) for _ in range(6)]

    assert [each.is_allowed for each in told] == [True] * 5 + [False]
    assert [each.remaining for each in told] == [4, 3, 2, 1, 0, 0]
    assert 55 < told[5].retry_s <= 60
    assert not limits.is_local


async def test_callers_have_limits_of_their_own(limits: Limits) -> None:
    for _ in range(6):
        await limits.take("a", SLOW)

    assert (await limits.take("b", SLOW)).is_allowed


async def test_processes_share_a_limit_and_thousands_at_once_pass_no_more(
    limits: Limits, config: Config
) -> None:
    limit = Limit(per_minute=1, burst=700)
    async with open_limits(config, deadline_s=PATIENT_S) as other:
        asked = [each.take("a", limit) for _ in range(1000) for each in (limits, other)]
        told = await asyncio.gather(*asked)

    assert sum(each.is_allowed for each in told) == 700


async def test_a_wiped_redis_forgets_the_script_and_is_given_it_again(
    limits: Limits, redis_url: str
) -> None:
    await limits.take("a", SLOW)
    client = redis.asyncio.Redis.from_url(redis_url)
    await client.flushall()
    await client.script_flush()
    await client.aclose()

    assert (await limits.take("a", SLOW)).remaining == 4
    assert not limits.is_local


async def test_what_is_stored_goes_away_by_itself(limits: Limits, redis_url: str) -> None:
    await limits.take("a", SLOW)

    client = redis.asyncio.Redis.from_url(redis_url)
    left_ms = await client.pttl("hunter:limit:a")
    stored = await client.get("hunter:limit:a")
    await client.aclose()
    assert 0 < left_ms <= 60_000
    assert stored.isdigit(), "a number as Lua writes it would lose its last digits"


async def test_rubbish_under_a_name_is_no_error(limits: Limits, redis_url: str) -> None:
    client = redis.asyncio.Redis.from_url(redis_url)
    await client.set("hunter:limit:a", b"rubbish")
    await client.aclose()

    assert (await limits.take("a", SLOW)).remaining == 4


async def test_a_dead_redis_makes_limits_local_and_they_still_hold(config: Config) -> None:
    dead = dataclasses.replace(config, redis_url=Secret("redis://127.0.0.1:1/0"))
    async with open_limits(dead) as limits:
        told = await asyncio.gather(*[limits.take("a", SLOW) for _ in range(20)])

        assert limits.is_local
        assert sum(each.is_allowed for each in told) == 5


async def test_a_frozen_redis_holds_nobody_up_and_is_used_again_once_it_answers(
    config: Config,
) -> None:
    async with Proxy(str(config.redis_url)) as proxy:
        through = dataclasses.replace(config, redis_url=Secret(proxy.url))
        async with open_limits(through, deadline_s=0.3) as limits:
            await _until_shared(limits)
            proxy.freeze()
            async with asyncio.timeout(PATIENT_S):
                told = await asyncio.gather(*[limits.take("a", SLOW) for _ in range(20)])
                assert limits.is_local
                assert sum(each.is_allowed for each in told) == 5
            proxy.thaw()
            await _until_shared(limits)
            assert (await limits.take("b", SLOW)).remaining == 4


async def _until_shared(limits: Limits) -> None:
    async with asyncio.timeout(30):
        while (
            not (await limits.take("warm", Limit(10_000_000, 10_000))).is_allowed or limits.is_local
        ):
            await asyncio.sleep(0.05)


async def test_whoever_waits_when_limits_close_is_decided(config: Config) -> None:
    async with Proxy(str(config.redis_url)) as proxy:
        through = dataclasses.replace(config, redis_url=Secret(proxy.url))
        async with open_limits(through, deadline_s=PATIENT_S) as limits:
            proxy.freeze()
            waiting = [asyncio.create_task(limits.take("a", SLOW)) for _ in range(3)]
            await asyncio.sleep(0)

        told = await asyncio.gather(*waiting)

    assert all(each.is_allowed for each in told)


def test_local_limits_remember_so_many_callers_and_no_more() -> None:
    local = LocalLimits(remembered=10)
    for number in range(1000):
        local.take(str(number), SLOW)

    assert len(local) == 10
    assert local.look("999", SLOW).remaining == 3
    assert local.look("0", SLOW).remaining == 4
