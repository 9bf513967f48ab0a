"""`hunter migrate`: up, status, history, rollback."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hunter.cli.main import Exit

if TYPE_CHECKING:
    from tests.cli.conftest import Hunter


async def test_up_status_history_rollback_and_up_again(
    hunter: Hunter, empty_database_url: str
) -> None:
    setting = {"HUNTER_DATABASE_URL": empty_database_url}

    before = await hunter("migrate", "status", **setting)
    first = await hunter("migrate", "up", **setting)
    again = await hunter("migrate", "up", **setting)
    history = await hunter("migrate", "history", **setting)
    back = await hunter("migrate", "rollback", "-n", "2", **setting)
    behind = await hunter("migrate", "status", **setting)
    last = await hunter("migrate", "up", **setting)
    current = await hunter("migrate", "status", **setting)

    applied = [line.split()[1] for line in first.out.splitlines()]
    assert before.code == Exit.FAILED
    assert "run `hunter migrate up`" in before.out
    assert applied
    assert again.out == "the schema is up to date\n"
    assert [line.split()[-1] for line in history.out.splitlines()] == applied
    assert back.out.splitlines() == [f"taken back  {name}" for name in applied[:-3:-1]]
    assert behind.code == Exit.FAILED
    assert last.out.splitlines() == [f"applied  {name}" for name in applied[-2:]]
    assert (current.code, current.out.count("pending")) == (Exit.OK, 0)


async def test_a_database_that_is_away_is_one_line_and_code_1(hunter: Hunter) -> None:
    ended = await hunter("migrate", "up", HUNTER_DATABASE_URL="postgresql://u:canary@127.0.0.1:1/d")

    assert (ended.code, ended.err) == (Exit.FAILED, "hunter: the database does not answer\n")
