"""bluegreen.sh against a kubectl and a helm that record their calls, fail on command and hang on command."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.helm.rendering import CHART

#: both programs: what was called is written down, then it fails, hangs or answers as the folder says
_FAKE = r"""#!/usr/bin/env bash
cd "$STATE" || exit 9
call="${0##*/} $*"
echo "$call" >>calls
trap 'echo "INTERRUPTED $call" >>calls' INT TERM
matches() { [[ -s $1 ]] && grep -qE -f "$1" <<<"$call"; }
if matches hang; then
  touch hanging
  while [[ ! -e go ]]; do sleep 0.05; done
fi
if matches fail; then echo "told to fail" >&2; exit 1; fi
if matches fail_once; then rm fail_once; exit 1; fi
case $call in
  *"get service"*) cat color ;;
  *spec.replicas*) cat wanted ;;
  *status.readyReplicas*) cat ready ;;
  *"get values"*) printf '{"service":{"activeColor":"%s","port":80}}' "$(cat remembered)" ;;
  *service.activeColor=*)
    color=${call##*service.activeColor=}
    echo "$color" >color
    echo "$color" >remembered
    ;;
esac
if matches fail_after; then exit 1; fi
exit 0
"""
TURN = "service.activeColor=green"
TURN_BACK = "service.activeColor=blue"
SMOKE_IDLE = "smoke --url http://hunter-api-green"
SMOKE_SERVICE = "smoke --url http://hunter --domain"


@dataclass
class Cluster:
    """What the two programs know, and what was asked of them."""

    folder: Path
    told: str = ""
    calls: list[str] = field(default_factory=list)

    def set(self, **files: str) -> None:
        for name, text in files.items():
            (self.folder / name).write_text(f"{text}\n")

    @property
    def color(self) -> str:
        return (self.folder / "color").read_text().strip()

    def index(self, part: str) -> int:
        return next(n for n, call in enumerate(self.calls) if part in call)

    def has(self, part: str) -> bool:
        return any(part in call for call in self.calls)

    async def start(self, *arguments: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            "bash",
            str(CHART / "bluegreen.sh"),
            *arguments,
            env=dict(os.environ)
            | {"STATE": str(self.folder), "PATH": f"{self.folder}:{os.environ['PATH']}"},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )

    async def finish(self, process: asyncio.subprocess.Process) -> int:
        async with asyncio.timeout(40):
            told, _ = await process.communicate()
        self.told = told.decode()
        self.calls = (self.folder / "calls").read_text().splitlines()
        return process.returncode or 0

    async def run(self, *arguments: str) -> int:
        return await self.finish(await self.start(*arguments))

    async def hangs(self) -> None:
        async with asyncio.timeout(20):
            while not (self.folder / "hanging").exists():
                await asyncio.sleep(0.02)

    def go_on(self) -> None:
        (self.folder / "hang").unlink()
        (self.folder / "go").touch()


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    """Blue has the traffic, and everything is as it should be."""
    for name in ("kubectl", "helm"):
        program = tmp_path / name
        program.write_text(_FAKE)
        program.chmod(0o755)
    made = Cluster(tmp_path)
    made.set(color="blue", remembered="blue", wanted="3", ready="3")
    (tmp_path / "calls").touch()
    return made


async def test_a_version_is_deployed_awaited_tried_turned_to_and_verified_in_that_order(
    cluster: Cluster,
) -> None:
    code = await cluster.run("deploy", "1.1.0", "--namespace", "leads", "--verify", "2")

    assert code == 0, cluster.told
    steps = [
        "blueGreen.green.tag=1.1.0",
        "rollout status deployment/hunter-api-green",
        "status.readyReplicas",
        SMOKE_IDLE,
        TURN,
        SMOKE_SERVICE,
        "rollout status deployment/hunter-worker",
    ]
    found = [cluster.index(step) for step in steps]
    assert found == sorted(found)
    assert cluster.color == "green"
    deploying = cluster.calls[cluster.index("blueGreen.green.tag")]
    assert "--reuse-values" in deploying
    assert "migration.tag=1.1.0" in deploying
    assert "activeColor" not in deploying
    assert sum(SMOKE_SERVICE in call for call in cluster.calls) == 2
    assert all("--namespace leads" in call for call in cluster.calls)


async def test_the_next_version_goes_to_the_other_colour(cluster: Cluster) -> None:
    cluster.set(color="green", remembered="green")

    assert await cluster.run("deploy", "1.2.0") == 0
    assert cluster.has("blueGreen.blue.tag=1.2.0")
    assert cluster.color == "blue"


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ({"fail": "blueGreen.green.tag"}, "helm could not deploy green"),
        ({"fail": "rollout status deployment/hunter-api-green"}, "green did not become ready"),
        ({"ready": "2"}, "green has 2 ready pods of 3"),
        ({"ready": ""}, "green has 0 ready pods of 3"),
        ({"wanted": "0", "ready": ""}, "green has 0 ready pods of 0"),
        ({"fail": SMOKE_IDLE}, "the smoke test fails on green"),
        ({"fail": "readyReplicas"}, "cannot look at green"),
    ],
)
async def test_it_never_turns_to_a_colour_that_is_not_ready(
    cluster: Cluster, state: dict[str, str], told: str
) -> None:
    cluster.set(**state)

    assert await cluster.run("deploy", "1.1.0") == 1
    assert told in cluster.told
    assert "blue has the traffic" in cluster.told
    assert not cluster.has("activeColor")
    assert cluster.color == "blue"


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ({"fail": TURN}, "helm could not turn the Service"),
        ({"fail_after": TURN}, "helm could not turn the Service"),
        ({"fail": SMOKE_SERVICE}, "the smoke test fails behind the Service"),
        ({"fail": "deployment/hunter-worker"}, "the workers did not become ready"),
    ],
)
async def test_it_turns_back_when_what_it_turned_to_does_not_hold(
    cluster: Cluster, state: dict[str, str], told: str
) -> None:
    cluster.set(**state)

    assert await cluster.run("deploy", "1.1.0") == 1
    assert told in cluster.told
    assert cluster.index(TURN_BACK) > cluster.index(TURN)
    assert cluster.color == "blue"
    assert "blue has the traffic" in cluster.told


async def test_a_way_back_that_is_barred_says_what_to_do_by_hand(cluster: Cluster) -> None:
    cluster.set(fail=f"{SMOKE_SERVICE}|{TURN_BACK}")

    assert await cluster.run("deploy", "1.1.0") == 3
    assert sum(TURN_BACK in call for call in cluster.calls) == 3
    assert "COULD NOT TURN BACK" in cluster.told
    assert f"--reuse-values --set {TURN_BACK}" in cluster.told


async def test_a_way_back_is_tried_again(cluster: Cluster) -> None:
    cluster.set(fail=SMOKE_SERVICE, fail_once=TURN_BACK)

    assert await cluster.run("deploy", "1.1.0") == 1
    assert sum(TURN_BACK in call for call in cluster.calls) == 2
    assert cluster.color == "blue"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("whole_group", [True, False])
@pytest.mark.parametrize(
    "where",
    ["blueGreen.green.tag", "rollout status deployment/hunter-api-green", SMOKE_IDLE],
)
async def test_a_signal_before_the_turn_changes_nothing(
    cluster: Cluster, number: signal.Signals, where: str, whole_group: bool
) -> None:
    cluster.set(hang=where)
    process = await cluster.start("deploy", "1.1.0")
    await cluster.hangs()
    _signal(process, number, whole_group=whole_group)
    cluster.go_on()

    assert await cluster.finish(process) == 130
    assert not cluster.has("activeColor")
    assert cluster.color == "blue"
    assert not cluster.has("INTERRUPTED helm")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("where", [TURN, SMOKE_SERVICE, "rollout status deployment/hunter-worker"])
async def test_a_signal_after_the_turn_turns_back(
    cluster: Cluster, number: signal.Signals, where: str
) -> None:
    cluster.set(hang=where)
    process = await cluster.start("deploy", "1.1.0")
    await cluster.hangs()
    _signal(process, number, whole_group=True)
    cluster.go_on()

    assert await cluster.finish(process) == 130
    assert cluster.index(TURN_BACK) > cluster.index(TURN)
    assert cluster.color == "blue"
    assert not cluster.has("INTERRUPTED helm"), "an interrupted helm locks the release"


async def test_impatience_does_not_stop_the_way_back(cluster: Cluster) -> None:
    cluster.set(fail=SMOKE_SERVICE, hang=TURN_BACK)
    process = await cluster.start("deploy", "1.1.0")
    await cluster.hangs()
    for _ in range(3):
        _signal(process, signal.SIGINT, whole_group=True)
    cluster.go_on()

    assert await cluster.finish(process) == 1
    assert cluster.color == "blue"
    assert not cluster.has("INTERRUPTED helm")


async def test_back_turns_to_the_other_colour_when_that_is_ready(cluster: Cluster) -> None:
    cluster.set(color="green", remembered="green")

    assert await cluster.run("back") == 0
    assert cluster.color == "blue"
    assert not cluster.has("blueGreen."), "nothing is deployed"


async def test_back_does_not_turn_to_pods_that_are_gone(cluster: Cluster) -> None:
    cluster.set(ready="")

    assert await cluster.run("back") == 1
    assert not cluster.has("activeColor")


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ({"color": ""}, "has no colour: set blueGreen.enabled first"),
        ({"remembered": "green"}, "somebody patched it"),
        ({"fail": "get service"}, "there is no Service hunter"),
    ],
)
async def test_what_is_not_as_helm_left_it_is_left_alone(
    cluster: Cluster, state: dict[str, str], told: str
) -> None:
    cluster.set(**state)

    assert await cluster.run("deploy", "1.1.0") == 1
    assert told in cluster.told
    assert not cluster.has("upgrade")


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("deploy",),
        ("deploy", "--release", "x"),
        ("deploy", "not a tag"),
        ("turn",),
        ("back", "--colour", "red"),
        ("back", "--verify", "0"),
        ("back", "--timeout", "soon"),
        ("back", "--release"),
    ],
)
async def test_wrong_arguments_are_one_line_and_code_2(
    cluster: Cluster, arguments: tuple[str, ...]
) -> None:
    assert await cluster.run(*arguments) == 2
    assert len(cluster.told.splitlines()) == 1
    assert cluster.calls == []


async def test_names_are_those_of_the_chart(cluster: Cluster) -> None:
    assert await cluster.run("status", "--release", "sales") == 0
    assert cluster.has("get service sales-hunter ")


@pytest.mark.tool("shellcheck")
def test_shellcheck_finds_nothing(run: Callable[..., object]) -> None:
    done = run("shellcheck", str(CHART / "bluegreen.sh"))

    assert getattr(done, "returncode", 1) == 0, getattr(done, "stdout", "")


def _signal(process: asyncio.subprocess.Process, number: int, *, whole_group: bool) -> None:
    """As a terminal does it, to everybody in the group; or as `kill` does, to the script alone."""
    if whole_group:
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
