"""Hints and news on the real Valkey: harmless twice, harmless lost, and silent when it is away."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator

import pytest

from hunter.config import Config, Secret
from hunter.core.errors import Unavailable
from hunter.local.proxy import Proxy
from hunter.queue.hints import Generation, Hints, decode_job, encode_job, open_queue, queue_name
from hunter.store.identifiers import uuid7


@pytest.fixture
async def dead_hints(config: Config) -> AsyncIterator[Hints]:
    """Hints over a port where nobody listens."""
    away = dataclasses.replace(config, redis_url=Secret("redis://127.0.0.1:1/0"))
    async with open_queue(away) as queue:
        yield queue


async def _queued(hints: Hints, lane: str) -> list[bytes]:
    queued: list[bytes] = await hints._redis.zrange(queue_name(lane), 0, -1)
    return queued


async def test_a_hint_carries_the_chunk_and_nothing_else(hints: Hints) -> None:
    assert await hints.give("bulk", [(7, 1)])

    (job,) = await hints._redis.queued_jobs(queue_name=queue_name("bulk"))
    assert (job.function, list(job.args), job.kwargs) == ("look_at_chunk", [7], {})


async def test_the_same_hint_twice_is_one(hints: Hints) -> None:
    await hints.give("bulk", [(7, 1), (7, 1)])
    await hints.give("bulk", [(7, 1)])
    await hints.give("bulk", [(7, 2)])

    assert sorted(await _queued(hints, "bulk")) == [b"c7-1", b"c7-2"]


async def test_lanes_have_queues_of_their_own(hints: Hints) -> None:
    await hints.give("interactive", [(1, 1)])
    await hints.give("bulk", [(2, 1)])

    assert await _queued(hints, "interactive") == [b"c1-1"]
    assert await _queued(hints, "bulk") == [b"c2-1"]


async def test_a_hint_expires(hints: Hints) -> None:
    await hints.give("bulk", [(7, 1)])

    assert 0 < await hints._redis.pttl("arq:job:c7-1") <= 30_000


def test_jobs_are_json_whatever_is_in_them() -> None:
    encoded = encode_job({"f": "look_at_chunk", "a": (7,), "r": ValueError("no")})

    assert decode_job(encoded) == {"f": "look_at_chunk", "a": [7], "r": "ValueError('no')"}


async def test_a_wiped_redis_is_noticed_once(hints: Hints) -> None:
    assert await hints.generation() is Generation.WIPED
    await hints.set_generation()
    assert await hints.generation() is Generation.SAME

    await hints._redis.flushall()

    assert await hints.generation() is Generation.WIPED


async def test_news_wake_who_waits_for_that_job(hints: Hints) -> None:
    job_id = uuid7()
    async with hints.listen(job_id) as news:
        waiting = asyncio.create_task(news.wait(10))
        await asyncio.sleep(0.05)
        await hints.announce(uuid7())
        await hints.announce(job_id)

        assert await waiting is True
        assert await news.wait(0.01) is False


async def test_a_thousand_who_wait_leave_connections_for_hints_and_pings(hints: Hints) -> None:
    job_id = uuid7()
    async with contextlib.AsyncExitStack() as stack:
        everybody = [await stack.enter_async_context(hints.listen(job_id)) for _ in range(1000)]
        waiting = [asyncio.create_task(news.wait(10)) for news in everybody]
        await asyncio.sleep(0.05)

        await hints.ping()
        assert hints.connections_in_use == 1
        assert await hints.give("interactive", [(7, 1)])
        await hints.announce(job_id)

        assert all(await asyncio.gather(*waiting))
    assert hints._listeners == {}


async def test_nothing_raises_while_redis_is_away_but_the_ping(dead_hints: Hints) -> None:
    assert not await dead_hints.give("bulk", [(7, 1)])
    assert await dead_hints.generation() is Generation.AWAY
    await dead_hints.set_generation()
    await dead_hints.announce(uuid7())
    async with dead_hints.listen(uuid7()) as news:
        assert await news.wait(0.01) is False
    with pytest.raises(Unavailable):
        await dead_hints.ping()


async def test_the_pool_is_counted(hints: Hints) -> None:
    await hints.ping()

    assert (hints.connections_in_use, hints.connections_max) == (0, 16)


async def test_hints_of_chunks_begun_before_are_taken_first(hints: Hints) -> None:
    await hints.give("bulk", [(1, 1), (2, 1)])
    await hints.give("bulk", [(3, 2)], ahead=True)

    waiting = await hints._redis.zrange(queue_name("bulk"), 0, -1)

    assert waiting[0] == b"c3-2"
    assert await hints._redis.zscore(queue_name("bulk"), "c3-2"), "arq starts no job of score 0"
    assert 0 < await hints._redis.pttl("arq:job:c3-2") <= 30_000


@pytest.mark.parametrize("message", [b"ZADD", b"EXISTS"])
async def test_outages_in_the_middle_of_a_command_use_up_no_connection(
    config: Config, message: bytes
) -> None:
    async with (
        Proxy(str(config.redis_url)) as proxy,
        open_queue(dataclasses.replace(config, redis_url=Secret(proxy.url))) as hints,
    ):
        await hints.ping()
        proxy.lose_answer(message)
        silence = asyncio.create_task(_freeze_when_lost(proxy))
        await asyncio.gather(hints.give("bulk", [(7, 1)]), hints.generation())
        await silence
        proxy.thaw()

        assert hints.connections_in_use == 0
        assert await hints.give("bulk", [(7, 2)])


async def _freeze_when_lost(proxy: Proxy) -> None:
    """The answer is lost, and whoever connects anew then gets none either."""
    await proxy.lost.wait()
    proxy.freeze()
