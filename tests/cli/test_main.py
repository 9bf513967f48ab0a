"""The command table: help, version, and one line for every wrong use."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import pytest

from hunter import __version__
from hunter.cli.main import COMMANDS, Exit

if TYPE_CHECKING:
    from tests.cli.conftest import Hunter


async def test_without_a_command_it_explains_itself(hunter: Hunter) -> None:
    ended = await hunter()

    assert ended.code == Exit.OK
    for name, about in COMMANDS.items():
        assert name in ended.out
        assert about in ended.out


async def test_it_knows_its_version(hunter: Hunter) -> None:
    ended = await hunter("--version")

    assert (ended.code, ended.out.strip()) == (Exit.OK, f"hunter {__version__}")


@pytest.mark.parametrize("name", COMMANDS)
async def test_every_command_has_help_without_any_setting(hunter: Hunter, name: str) -> None:
    ended = await hunter(name, "--help")

    assert ended.code == Exit.OK
    assert f"hunter {name}" in ended.out
    assert ended.err == ""


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["scna"], "hunter: argument COMMAND: invalid choice: 'scna'"),
        (["config", "--colour"], "hunter config: unrecognized arguments: --colour"),
        (["migrate"], "hunter migrate: the following arguments are required: ACTION"),
        (["migrate", "rollback", "-n", "all"], "'all' is not a number of migrations"),
        (["migrate", "up"], "hunter: HUNTER_DATABASE_URL: `hunter migrate` needs it"),
        (["serve"], "hunter: HUNTER_DATABASE_URL: `hunter serve` needs it"),
        (["work"], "hunter: HUNTER_REDIS_URL: `hunter work` needs it"),
        (["scan"], "hunter: nothing to scan: give domains, or -f FILE"),
        (["scan", "--depth", "deep", "a.test"], "hunter scan: argument --depth: invalid"),
        (["scan", "--dns", "resolver", "a.test"], "hunter: --dns: 'resolver' is not an IP address"),
        (["scan", "--top", "0", "a.test"], "--top: '0' is not a whole number above 0"),
        (["scan", "--array", "a.test"], "hunter: --array goes with --json"),
        (["scan", "-f", "absent.csv"], "hunter: absent.csv: No such file or directory"),
        (["scan", "-f", "."], "hunter: .: Is a directory"),
        (["ingest"], "hunter ingest: the following arguments are required: FILE"),
        (["ingest", "absent.csv"], "hunter: absent.csv: no such file"),
        (["ingest", "."], "hunter: .: a folder, not a file"),
        (["ingest", ".", "--top", "2000"], "--top wants a number from 1 to 1000"),
    ],
)
async def test_wrong_use_is_told_on_stderr_with_code_2(
    hunter: Hunter, arguments: list[str], told: str
) -> None:
    ended = await hunter(*arguments)

    assert ended.code == Exit.USAGE
    assert told in ended.err
    assert ended.out == ""
    assert "Traceback" not in ended.err


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "demo"])
async def test_every_command_reports_all_wrong_settings_at_once(hunter: Hunter, name: str) -> None:
    needed = {
        "ingest": ["x.csv"],
        "scan": ["a.test"],
        "brief": ["a.test"],
        "explain": ["a.test"],
        "registration": ["a.test"],
        "rdap": ["refresh"],
        "migrate": ["up"],
        "doctor": ["dns"],
        "jobs": ["list"],
        "alerts": ["rules"],
        "keys": ["list"],
        "history": ["a.test"],
        "rules": ["fit", "x.json"],
        "spf": ["a.test", "192.0.2.1"],
    }
    more = needed.get(name, [])

    ended = await hunter(name, *more, HUNTER_PROT="1", HUNTER_DB_POOL_SIZE="many")

    assert ended.code == Exit.USAGE
    assert ended.err.splitlines() == [
        "hunter: HUNTER_DB_POOL_SIZE='many': wants a whole number from 2 to 500",
        "hunter: HUNTER_PROT: no such setting; did you mean HUNTER_PORT?",
    ]


async def test_a_reader_that_goes_away_is_no_error(environ: dict[str, str]) -> None:
    process = await asyncio.create_subprocess_shell(
        f"set -o pipefail; {sys.executable} -m hunter config | true",
        executable="/bin/bash",
        stderr=asyncio.subprocess.PIPE,
        env=environ,
    )
    _, err = await process.communicate()

    assert err == b""
