"""unbound in the worker pods: rendered, accepted by unbound itself, started, probed and stopped."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from hunter.config import Config
from hunter.local.nameserver import NameServer
from hunter.local.servers import free_port
from hunter.resolver.checkup import examine
from hunter.resolver.findings import Verdict
from tests.helm.rendering import SECRET, VARIANTS, Manifest, render
from tests.helm.test_chart import pick

UNBOUND = VARIANTS["unbound"]

pytestmark = pytest.mark.tool("helm_python")


def changed(**unbound: Any) -> dict[str, Any]:
    values: dict[str, Any] = UNBOUND | {"unbound": {**UNBOUND["unbound"], **unbound}}
    return values


def containers(manifests: list[Manifest], component: str) -> dict[str, Manifest]:
    pod = pick(manifests, "Deployment", f"hunter-{component}")["spec"]["template"]["spec"]
    return {each["name"]: each for each in pod["containers"]}


def configuration(manifests: list[Manifest]) -> str:
    text: str = pick(manifests, "ConfigMap", "hunter-unbound")["data"]["unbound.conf"]
    return text


def test_without_the_switch_there_is_no_trace_of_it() -> None:
    assert not [each for each in render(SECRET) if "unbound" in str(each)]


def test_the_values_of_a_release_from_before_it_existed_still_render() -> None:
    # helm upgrade --reuse-values leaves out what the old chart did not know
    assert render(SECRET | {"unbound": None}) == render(SECRET)


def test_every_worker_pod_has_one_and_no_other_pod() -> None:
    manifests = render(UNBOUND)

    assert list(containers(manifests, "worker")) == ["worker", "unbound"]
    assert list(containers(manifests, "api")) == ["api"]
    assert containers(manifests, "worker")["unbound"]["image"] == "registry.example/unbound:1.17.1"


def test_the_worker_asks_it_and_no_more_at_once_than_it_works_on() -> None:
    manifests = render(UNBOUND)
    env = {each["name"]: each["value"] for each in containers(manifests, "worker")["worker"]["env"]}
    ((_, per_thread),) = re.findall(r"^ +(num-queries-per-thread): (\d+)", configuration(manifests), re.MULTILINE)  # fmt: skip
    (port,) = re.findall(r"^ +port: (\d+)", configuration(manifests), re.MULTILINE)

    config = Config.from_env(env)

    assert config.dns_servers == (("127.0.0.1", int(port)),)
    assert config.dns_window == 2 * int(per_thread)


def test_a_window_of_ones_own_is_kept() -> None:
    manifests = render(UNBOUND | {"config": {"HUNTER_DNS_WINDOW": 1000}})

    env = containers(manifests, "worker")["worker"]["env"]
    assert [each["name"] for each in env] == ["HUNTER_DNS_SERVERS", "HUNTER_DNS_TRUST_AD"]


@pytest.mark.parametrize(
    ("more", "trusted"),
    [({}, "true"), ({"validate": False}, None)],
)
def test_its_ad_bit_is_believed_while_it_validates(
    more: dict[str, bool], trusted: str | None
) -> None:
    manifests = render(changed(**more))

    env = {each["name"]: each["value"] for each in containers(manifests, "worker")["worker"]["env"]}
    assert env.get("HUNTER_DNS_TRUST_AD") == trusted


def test_whether_to_believe_its_ad_bit_can_be_said() -> None:
    manifests = render(UNBOUND | {"config": {"HUNTER_DNS_TRUST_AD": "false"}})

    env = containers(manifests, "worker")["worker"]["env"]
    assert "HUNTER_DNS_TRUST_AD" not in [each["name"] for each in env]


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (UNBOUND | {"config": {"HUNTER_DNS_SERVERS": "192.0.2.1"}}, "unbound.forwardTo"),
        (changed(image={"repository": ""}), "unbound.image.repository: name an image"),
        (changed(image={"repository": "unbound"}), "unbound.image.tag: name a tag"),
        (changed(forwardTo=["dns.example"]), "forwardTo"),
        (changed(threads=0), "threads"),
        (changed(thread=1), "thread"),
    ],
)
def test_wrong_values_are_refused_with_their_place(values: dict[str, Any], told: str) -> None:
    with pytest.raises(Exception, match=told):
        render(values)


def test_a_changed_configuration_rolls_the_workers_only() -> None:
    before, after = render(UNBOUND), render(changed(threads=3))

    def annotations(manifests: list[Manifest], component: str) -> Any:
        deployment = pick(manifests, "Deployment", f"hunter-{component}")
        return deployment["spec"]["template"]["metadata"]["annotations"]

    assert annotations(before, "worker") != annotations(after, "worker")
    assert annotations(before, "api") == annotations(after, "api")


@pytest.mark.tool("unbound-checkconf")
@pytest.mark.parametrize(
    "values",
    [
        UNBOUND,
        changed(validate=False, forwardTo=[]),
        changed(extraConfig="server:\n  verbosity: 1"),
    ],
    ids=["forwarding", "recursing", "more"],
)
async def test_unbound_accepts_the_rendered_configuration(
    values: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / "unbound.conf"
    path.write_text(configuration(render(values)))

    code, told = await _run("unbound-checkconf", str(path))

    assert code == 0, told


@pytest.mark.tool("unbound")
@pytest.mark.tool("unbound-control")
async def test_the_container_starts_answers_its_probes_and_resolves(tmp_path: Path) -> None:
    zone = "contoso.test 300 A 20.1.1.1\ncontoso.test 300 MX 10 mail.contoso.test"
    async with NameServer(zone) as upstream:
        host, port = upstream.address
        values = changed(
            validate=False,
            forwardTo=[f"{host}@{port}"],
            extraConfig="server:\n  do-not-query-localhost: no\n  local-zone: test. nodefault\n",
        )
        async with _running(render(values), tmp_path) as (container, address):
            probes = {
                kind: await _run(*container[kind]["exec"]["command"])
                for kind in ("startupProbe", "livenessProbe", "readinessProbe")
            }
            report = await examine([address], ["contoso.test"])

    assert {kind: code for kind, (code, _) in probes.items()} == dict.fromkeys(probes, 0)
    assert report.verdict is Verdict.FINE


@pytest.mark.tool("bash")
async def test_it_stops_only_when_the_worker_has_closed_its_port(unused_tcp_port: int) -> None:
    container = containers(render(UNBOUND), "worker")["unbound"]
    shell, option, script = container["lifecycle"]["preStop"]["exec"]["command"]
    knocks = asyncio.Queue[None]()

    def knock(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        knocks.put_nowait(None)
        writer.close()

    worker = await asyncio.start_server(knock, "127.0.0.1", unused_tcp_port)
    hook = await asyncio.create_subprocess_exec(
        shell, option, script.replace("/8001", f"/{unused_tcp_port}")
    )

    async with asyncio.timeout(10):
        await knocks.get()
        await knocks.get()
        assert hook.returncode is None
        worker.close()
        # bash ends with what its last command said; the kubelet only waits for the end
        await hook.wait()


@asynccontextmanager
async def _running(
    manifests: list[Manifest], folder: Path
) -> AsyncIterator[tuple[Manifest, tuple[str, int]]]:
    """The container's command over its ConfigMap, with folders and port of the test's own."""
    port = free_port()
    config = folder / "unbound.conf"
    text = configuration(manifests).replace("/run/unbound/", f"{folder}/")
    config.write_text(f"{text}\nserver:\n  port: {port}\n  verbosity: 1\n")
    container = containers(manifests, "worker")["unbound"]
    for part in (container, *(container[f"{kind}Probe"]["exec"] for kind in ("startup", "liveness", "readiness"))):  # fmt: skip
        part["command"] = [
            str(config) if word == "/etc/unbound/unbound.conf" else word for word in part["command"]
        ]
    process = await asyncio.create_subprocess_exec(
        *container["command"], stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr is not None
    told = b""
    while b"start of service" not in told:
        line = await process.stderr.readline()
        assert line, told.decode()
        told += line
    try:
        yield container, ("127.0.0.1", port)
    finally:
        process.terminate()
        await process.communicate()


async def _run(*command: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    told, _ = await process.communicate()
    return process.returncode or 0, told.decode()
