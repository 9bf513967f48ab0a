"""Probes: the answers of the customer's guide, pings that are few and short."""

import asyncio
from typing import Any

import pytest

from hunter.core.errors import Unavailable
from hunter.ops import health as health_module
from hunter.ops.health import Health


async def _up() -> None:
    return None


async def _refused() -> None:
    cause = ConnectionRefusedError(111, "Connect call failed ('10.0.0.5', 5432)")
    raise RuntimeError("could not connect to postgresql://hunter:secret@10.0.0.5") from cause


def _health(**checks: Any) -> Health:
    return Health(checks or {"database": _up, "redis": _up}, environment="production")


async def test_live_touches_no_dependency() -> None:
    assert _health(database=_refused).live() == (200, {"status": "alive"})


async def test_ready_names_environment_and_checks() -> None:
    assert await _health().ready() == (
        200,
        {
            "status": "ready",
            "checks": {"database": True, "redis": True},
            "environment": "production",
        },
    )


async def test_not_ready_says_what_is_away_and_leaks_no_host_user_or_secret() -> None:
    status, body = await _health(database=_refused, redis=_up).ready()

    assert status == 503
    assert body["detail"] == "Database unavailable: connection refused"
    assert body["checks"] == {"database": False, "redis": True}
    assert "10.0.0.5" not in repr(body)


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (TimeoutError(), "no answer within 1 s"),
        (ConnectionResetError(), "connection lost"),
        (OSError("no route to 10.0.0.5"), "connection failed"),
        (ValueError("password of hunter is wrong"), "it answers with an error"),
        (Unavailable("schema 3 is older than 5: run `hunter migrate up`"), None),
    ],
)
async def test_every_failure_has_fixed_words(error: Exception, word: str | None) -> None:
    async def fails() -> None:
        raise error

    _, body = await _health(database=fails).ready()

    assert body["detail"] == f"Database unavailable: {word or error}"


async def test_a_hanging_dependency_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health_module, "CHECK_LIMIT_S", 0.01)

    async def hangs() -> None:
        await asyncio.Event().wait()

    status, body = await _health(redis=hangs).ready()

    assert status == 503
    assert body["checks"] == {"redis": False}


async def test_an_optional_dependency_only_degrades() -> None:
    health = Health(
        {"database": _up, "redis": _refused},
        environment="production",
        optional=frozenset({"redis"}),
    )

    status, body = await health.ready()

    assert (status, body["status"]) == (200, "degraded")
    assert body["checks"] == {"database": True, "redis": False}


async def test_ten_thousand_probes_cost_one_ping() -> None:
    pings = 0

    async def ping() -> None:
        nonlocal pings
        pings += 1
        await asyncio.sleep(0)

    health = _health(database=ping)

    answers = await asyncio.gather(*(health.ready() for _ in range(10_000)))

    assert {status for status, _ in answers} == {200}
    assert pings == 1


async def test_a_probe_that_hangs_up_does_not_take_the_others_with_it() -> None:
    entered, release = asyncio.Event(), asyncio.Event()

    async def ping() -> None:
        entered.set()
        await release.wait()

    health = _health(database=ping)
    impatient = asyncio.create_task(health.ready())
    patient = asyncio.create_task(health.ready())
    await entered.wait()

    impatient.cancel()
    release.set()

    assert (await patient)[0] == 200


async def test_draining_is_not_ready_at_once() -> None:
    health = _health()
    assert (await health.ready())[0] == 200

    health.draining = True

    status, body = await health.ready()
    assert status == 503
    assert "stopping" in str(body["detail"])


async def test_startup_is_red_until_everything_was_there_once_and_then_green_for_good() -> None:
    current = False

    async def schema() -> None:
        if not current:
            raise Unavailable("the schema is not at the version this build needs")

    health = Health({"database": _up}, environment="production", startup={"schema": schema})
    status, body = await health.startup()
    assert status == 503
    assert "Schema unavailable: the schema is not at the version" in str(body["detail"])

    current = True
    assert (await health.startup())[0] == 200
    current = False
    assert (await health.startup())[0] == 200


async def test_legacy_is_always_200_with_the_true_words() -> None:
    assert await _health(database=_refused, redis=_up).legacy() == (
        200,
        {
            "status": "ok",
            "database": "disconnected",
            "redis": "connected",
            "environment": "production",
        },
    )
