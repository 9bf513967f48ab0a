"""The chart, rendered by Helm itself and checked against Kubernetes' own schemas."""

import functools
import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import pytest
import yaml
from kubernetes_validate import utils as kubernetes

from hunter.config import Config, Secret
from tests.helm.rendering import (
    CHART,
    CUSTOM,
    GOLDEN,
    SECRET,
    VARIANTS,
    Manifest,
    command_line,
    helm,
    library,
    render,
    rendered_text,
)

pytestmark = pytest.mark.tool("helm_python")

EVERYTHING = VARIANTS["everything"]
UNBOUND = VARIANTS["unbound"]
BLUE_GREEN = VARIANTS["blue_green"]
#: every minor version Kubernetes has published a schema for since the chart's kubeVersion
KUBERNETES = [f"1.{minor}" for minor in range(27, 38)]

each_variant = pytest.mark.parametrize("values", VARIANTS.values(), ids=list(VARIANTS))


def pick(manifests: list[Manifest], kind: str, name: str) -> Manifest:
    return next(m for m in manifests if m["kind"] == kind and m["metadata"]["name"] == name)


def pods(manifests: list[Manifest]) -> list[Manifest]:
    """Specs of every pod, hooks and what a CronJob starts included."""
    found = []
    for each in manifests:
        spec = each.get("spec", {})
        if each["kind"] == "CronJob":
            spec = spec["jobTemplate"]["spec"]
        if each["kind"] in {"Deployment", "Job", "CronJob"}:
            spec = spec["template"]["spec"]
        if "containers" in spec:
            found.append(spec)
    return found


@pytest.fixture(scope="module")
def different() -> list[Manifest]:
    """Every manifest of every variant, each once."""
    found = [m for values in VARIANTS.values() for m in render(values) if m["kind"] not in CUSTOM]
    return [json.loads(text) for text in sorted({json.dumps(m, sort_keys=True) for m in found})]


@pytest.mark.parametrize("version", KUBERNETES)
def test_kubernetes_accepts_every_manifest(
    version: str, different: list[Manifest], monkeypatch: pytest.MonkeyPatch
) -> None:
    # it would read all definitions of a version anew for each manifest
    monkeypatch.setattr(kubernetes, "schema_contents", functools.cache(kubernetes.schema_contents))
    for manifest in different:
        kubernetes.validate(manifest, version, strict=True)


@pytest.mark.tool("helm")
@each_variant
def test_the_other_helm_renders_the_same(values: dict[str, Any]) -> None:
    mine, other = library(values), command_line(values)

    assert [key(each) for each in mine] == [key(each) for each in other]
    assert mine == other


def key(manifest: Manifest) -> tuple[str, str]:
    return manifest["kind"], manifest["metadata"]["name"]


@each_variant
def test_no_two_objects_have_one_name(values: dict[str, Any]) -> None:
    assert [k for k, n in Counter(map(key, render(values))).items() if n > 1] == []


@each_variant
def test_every_selector_finds_pods_of_its_own(values: dict[str, Any]) -> None:
    manifests = render(values)
    labels = [
        each["spec"]["template"]["metadata"]["labels"]
        for each in manifests
        if each["kind"] == "Deployment"
    ]
    for each in manifests:
        if each["kind"] in {"Service", "PodDisruptionBudget", "Deployment"}:
            selector = each["spec"]["selector"]
            wanted = selector.get("matchLabels", selector)
            assert len([1 for have in labels if wanted.items() <= have.items()]) == 1, key(each)


@pytest.mark.parametrize("name", VARIANTS)
def test_manifests_are_those_that_were_reviewed(name: str) -> None:
    path = GOLDEN / f"{name}.yaml"

    assert path.read_text(encoding="utf-8") == rendered_text(VARIANTS[name]), "run: make chart"


@pytest.mark.tool("yamllint")
def test_yamllint_finds_nothing_in_what_is_rendered(run: Callable[..., Any]) -> None:
    rules = (
        "{extends: default, rules: {line-length: disable, braces: disable, document-start: disable,"
        " indentation: {indent-sequences: whatever}, comments-indentation: disable}}"
    )
    done = run("yamllint", "--strict", "-d", rules, str(GOLDEN), str(CHART / "values.yaml"))

    assert done.returncode == 0, done.stdout


@pytest.mark.tool("helm")
@each_variant
def test_the_other_helm_lints_strictly(
    values: dict[str, Any], run: Callable[..., Any], tmp_path: Any
) -> None:
    file = tmp_path / "values.yaml"
    file.write_text(yaml.safe_dump(values))
    done = run("helm", "lint", "--strict", str(CHART), "--values", str(file))

    assert done.returncode == 0, done.stdout + done.stderr


def test_lint_finds_nothing_worse_than_a_missing_icon() -> None:
    report = helm.lint(str(CHART), values=EVERYTHING, strict=True)

    assert report["errors"] == []
    assert [m["error"] for m in report["messages"] if m["severity"] > 1] == []


def test_without_a_secret_nothing_is_rendered_and_the_message_names_its_keys() -> None:
    with pytest.raises(Exception, match=r"existingSecret: name a Secret with HUNTER_DATABASE_URL"):
        render({})


@pytest.mark.parametrize(
    ("values", "place"),
    [
        ({"replicas": 3}, "replicas"),
        ({"api": {"replicas": -1}}, "replicas"),
        ({"environment": "staging"}, "environment"),
        ({"config": {"PATH": "/bin"}}, "PATH"),
        ({"config": {"HUNTER_ADMIN_KEY": "in the open"}}, "HUNTER_ADMIN_KEY"),
        ({"image": {"digest": "latest"}}, "digest"),
        ({"podSecurityContext": {"runAsNonRoot": False}}, "runAsNonRoot"),
        ({"service": {"activeColor": "red"}}, "activeColor"),
        ({"api": {"podDisruptionBudget": {"maxUnavailable": "many"}}}, "maxUnavailable"),
        ({"api": {"replica": 3}}, "replica"),
        ({"backup": {"schedule": "daily"}}, "schedule"),
        ({"backup": {"keepDays": 0}}, "keepDays"),
        ({"worker": {"autoscaling": {"minReplicas": 0}}}, "minReplicas"),
        ({"worker": {"autoscaling": {"enabled": True}}}, "prometheusAddress: name Prometheus"),
        ({"prometheusRule": {"enabled": True, "disabled": ["NoSuch"]}}, "there is no alert NoSuch"),
        ({"blueGreen": {"enabled": True, "blue": {"enabled": False}}}, "blue has no pods"),
        ({"drainDelaySeconds": 20}, "terminationGracePeriodSeconds: 45 s are not more"),
    ],
)
def test_wrong_values_are_refused_with_their_place(values: dict[str, Any], place: str) -> None:
    with pytest.raises(Exception, match=place):
        render(SECRET | values)


@each_variant
def test_no_pod_gets_service_links_or_a_token(values: dict[str, Any]) -> None:
    for pod in pods(render(values)):
        assert pod["enableServiceLinks"] is False
        assert pod["automountServiceAccountToken"] is False


@each_variant
def test_every_container_satisfies_pod_security_restricted(values: dict[str, Any]) -> None:
    """https://kubernetes.io/docs/concepts/security/pod-security-standards/, control by control."""
    found = pods(render(values))
    assert found
    for pod in found:
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
        assert not [v for v in pod.get("volumes", []) if set(v) & {"hostPath", "nfs", "glusterfs"}]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] > 0
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"sysctls", "seLinuxOptions", "windowsOptions"} & set(pod["securityContext"])
        for container in [*pod["containers"], *pod.get("initContainers", [])]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert not [p for p in container.get("ports", []) if "hostPort" in p]
            assert container["resources"]["limits"]["memory"]
            assert container["resources"]["requests"]["cpu"]


@pytest.mark.parametrize(
    ("component", "port_name", "port", "command"),
    [("api", "http", 8000, "serve"), ("worker", "probes", 8001, "work")],
)
def test_probes_ask_the_right_port_with_the_guides_timings(
    component: str, port_name: str, port: int, command: str
) -> None:
    deployment = pick(render(SECRET), "Deployment", f"hunter-{component}")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]

    assert container["args"] == [command]
    assert container["ports"] == [{"name": port_name, "containerPort": port, "protocol": "TCP"}]
    timings = {
        kind: (
            container[kind]["httpGet"],
            container[kind]["initialDelaySeconds"],
            container[kind]["periodSeconds"],
            container[kind]["timeoutSeconds"],
            container[kind]["failureThreshold"],
        )
        for kind in ("startupProbe", "livenessProbe", "readinessProbe")
    }
    assert timings == {
        "startupProbe": ({"path": "/healthz/startup", "port": port_name}, 0, 5, 3, 30),
        "livenessProbe": ({"path": "/healthz/live", "port": port_name}, 30, 10, 5, 3),
        "readinessProbe": ({"path": "/healthz/ready", "port": port_name}, 10, 5, 3, 3),
    }


def test_the_service_leads_from_80_to_the_apis_port_only() -> None:
    manifests = render(SECRET)
    service = pick(manifests, "Service", "hunter")
    api = pick(manifests, "Deployment", "hunter-api")

    assert service["spec"]["ports"] == [
        {"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}
    ]
    assert (
        service["spec"]["selector"].items() <= api["spec"]["template"]["metadata"]["labels"].items()
    )
    assert service["spec"]["selector"]["app.kubernetes.io/component"] == "api"


def test_migrations_run_before_anything_else_exists() -> None:
    job = pick(render(EVERYTHING), "Job", "hunter-migrate")
    (container,) = job["spec"]["template"]["spec"]["containers"]

    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    assert container["args"] == ["migrate", "up"]
    assert container["envFrom"] == [
        {"secretRef": {"name": "hunter"}},
        {"secretRef": {"name": "hunter-owner"}},
    ]
    assert "configMapRef" not in str(container), "the ConfigMap does not exist yet"


def test_the_autoscaler_owns_the_number_of_pods() -> None:
    manifests = render(EVERYTHING)
    scaler = pick(manifests, "HorizontalPodAutoscaler", "hunter-api")

    assert "replicas" not in pick(manifests, "Deployment", "hunter-api")["spec"]
    assert (scaler["spec"]["minReplicas"], scaler["spec"]["maxReplicas"]) == (3, 10)
    assert scaler["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"] == 70


def test_prometheus_finds_api_and_workers() -> None:
    manifests = render(EVERYTHING)
    monitor = pick(manifests, "ServiceMonitor", "hunter")
    ports = {e["port"] for e in monitor["spec"]["endpoints"]}
    served = {
        port["name"]
        for m in manifests
        if m["kind"] == "Service"
        and monitor["spec"]["selector"]["matchLabels"].items() <= m["metadata"]["labels"].items()
        for port in m["spec"]["ports"]
    }

    assert ports == served == {"http", "probes"}
    jobs = {e["port"]: e["relabelings"][0]["replacement"] for e in monitor["spec"]["endpoints"]}
    assert jobs == {"http": "dyn365hunter-api", "probes": "dyn365hunter-worker"}


def test_a_changed_setting_rolls_the_pods() -> None:
    before = pick(render(SECRET), "Deployment", "hunter-api")
    after = pick(
        render(SECRET | {"config": {"HUNTER_LOG_LEVEL": "error"}}), "Deployment", "hunter-api"
    )

    assert _annotations(before) != _annotations(after)


def _annotations(deployment: Manifest) -> dict[str, str]:
    found: dict[str, str] = deployment["spec"]["template"]["metadata"]["annotations"]
    return found


def test_hunter_itself_accepts_the_settings_of_the_pods() -> None:
    manifests = render(EVERYTHING)
    secret = {
        "HUNTER_DATABASE_URL": "postgresql://hunter@db/hunter",
        "HUNTER_REDIS_URL": "redis://redis/0",
        "HUNTER_ADMIN_KEY": "a" * 24,
        "HUNTER_KEY_PEPPER": "p" * 32,
    }
    job = pick(manifests, "Job", "hunter-migrate")["spec"]["template"]["spec"]["containers"][0]

    config = Config.from_env(pick(manifests, "ConfigMap", "hunter")["data"] | secret)
    Config.from_env({row["name"]: row["value"] for row in job["env"]} | secret)

    assert (config.host, config.port, config.worker_port) == ("0.0.0.0", 8000, 8001)
    assert config.dns_servers == (("10.0.0.53", 53),)
    assert config.drain_delay_s + config.drain_grace_s < 45


@pytest.mark.parametrize("component", ["api", "worker"])
def test_own_rules_are_mounted_where_the_setting_says(component: str) -> None:
    manifests = render(SECRET | {"rulesConfigMap": "our-rules"})
    spec = pick(manifests, "Deployment", f"hunter-{component}")["spec"]["template"]["spec"]
    (mount,) = [m for m in spec["containers"][0]["volumeMounts"] if m["name"] == "rules"]

    assert {"name": "rules", "configMap": {"name": "our-rules"}} in spec["volumes"]
    settings = pick(manifests, "ConfigMap", "hunter")["data"]
    assert mount["mountPath"] == settings["HUNTER_RULES_DIR"]
    assert "subPath" not in mount, "a subPath would not follow a changed ConfigMap"
    assert "HUNTER_RULES_DIR" not in pick(render(SECRET), "ConfigMap", "hunter")["data"]


def test_every_setting_named_in_the_chart_exists() -> None:
    known = {row[0] for row in Config().table()}
    text = "\n".join(p.read_text() for p in CHART.rglob("*") if p.is_file())

    assert set(re.findall(r"HUNTER_[A-Z][A-Z_]+", text)) <= known


def test_every_value_has_a_comment_of_its_own() -> None:
    """Of each key and each part of one; what stands below a commented group of its kind may go without."""
    lines = (CHART / "values.yaml").read_text(encoding="utf-8").splitlines()
    same = {"pullPolicy", "tag", "podAnnotations", "image", "blue", "green", "enabled", "runAsNonRoot",
            "runAsUser", "runAsGroup", "fsGroup", "seccompProfile", "type", "requests", "limits",
            "podDisruptionBudget", "autoscaling", "persistence", "nodeSelector", "annotations"}  # fmt: skip
    bare = [
        line.strip()
        for before, line in zip(["", *lines], lines, strict=False)
        if (key := re.match(r" *([a-zA-Z]+):", line))
        and not before.strip().startswith("#")
        and key[1] not in same
    ]

    assert bare == []


def test_every_value_has_a_place_in_the_schema_and_the_other_way_round() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))

    def compare(here: dict[str, Any], there: dict[str, Any], path: str) -> None:
        if there.get("additionalProperties") is not False:
            return
        assert set(here) == set(there["properties"]) - {"global", "claims"}, path
        for name, value in here.items():
            if isinstance(value, dict):
                compare(value, there["properties"][name], f"{path}.{name}")

    compare(values, schema, "values")


def test_no_secret_setting_may_be_written_into_the_values() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    refused = set(schema["properties"]["config"]["propertyNames"]["not"]["enum"])
    secrets = {f"HUNTER_{f.name.upper()}" for f in fields(Config) if isinstance(f.default, Secret)}

    assert secrets <= refused


@pytest.mark.parametrize("setting", [row[0] for row in Config().table()])
def test_every_other_setting_may_be_given(setting: str) -> None:
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))

    assert re.search(schema["properties"]["config"]["propertyNames"]["pattern"], setting)


def test_the_values_of_a_release_from_before_these_existed_still_render() -> None:
    # helm upgrade --reuse-values leaves out what the old chart did not know
    new = (
        "blueGreen",
        "postgresql",
        "backup",
        "networkPolicy",
        "prometheusRule",
        "dashboard",
        "smoke",
    )
    before = SECRET | dict.fromkeys(new) | {"worker": {"autoscaling": None}}

    assert {key(each) for each in render(before)} == {key(each) for each in render(SECRET)}


# ── connections ──


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        # (3 + 1 + 2 + 1) pods of 10, and the migration's two
        ({}, 72),
        ({"config": {"HUNTER_DB_POOL_SIZE": 4}}, 30),
        ({"api": {"autoscaling": {"enabled": True}}}, (11 + 3) * 10 + 2),
        ({"backup": {"enabled": True}}, 74),
        ({"migration": {"enabled": False}}, 70),
        ({"blueGreen": {"enabled": True}}, (2 * 4 + 3) * 10 + 2),
        ({"blueGreen": {"enabled": True, "green": {"enabled": False}}}, 72),
        ({"worker": {"autoscaling": {"enabled": True, "prometheusAddress": "http://p"}}}, (4 + 9) * 10 + 2),
    ],
    ids=["default", "pool", "autoscaled", "backup", "unmigrated", "colours", "one-colour", "keda"],
)  # fmt: skip
def test_connections_are_counted_to_the_last_one(values: dict[str, Any], wanted: int) -> None:
    limit = {"maxConnections": wanted, "reservedConnections": 0}
    render(SECRET | values | {"postgresql": limit})

    with pytest.raises(Exception, match=f"want {wanted} connections, and {wanted - 1} are left"):
        render(SECRET | values | {"postgresql": limit | {"maxConnections": wanted - 1}})
    render(SECRET | values | {"postgresql": {"maxConnections": 0}})


def test_the_pool_that_is_counted_is_the_one_hunter_opens() -> None:
    text = (CHART / "templates" / "_limits.tpl").read_text(encoding="utf-8")

    assert f'"HUNTER_DB_POOL_SIZE" | default {Config().db_pool_size} |' in text
    assert f'"HUNTER_DRAIN_GRACE_S" | default {Config().drain_grace_s:g} |' in text


# ── blue and green ──


@pytest.mark.parametrize("active", ["blue", "green"])
def test_the_service_leads_to_the_active_colour_alone(active: str) -> None:
    values = BLUE_GREEN | {"service": {"activeColor": active}}
    manifests = render(values)
    service = pick(manifests, "Service", "hunter")

    assert service["spec"]["selector"]["version"] == active
    for color in ("blue", "green"):
        pod = pick(manifests, "Deployment", f"hunter-api-{color}")["spec"]["template"]
        assert pod["metadata"]["labels"]["version"] == color
        assert pick(manifests, "Service", f"hunter-api-{color}")["spec"]["selector"]["version"] == color  # fmt: skip
        assert pick(manifests, "PodDisruptionBudget", f"hunter-api-{color}")
    images = BLUE_GREEN["blueGreen"]
    worker = pick(manifests, "Deployment", "hunter-worker")["spec"]["template"]["spec"]
    assert worker["containers"][0]["image"] == f"hunter:{images[active]['tag']}"
    assert pick(manifests, "Pod", "hunter-test")["spec"]["containers"][0]["image"].endswith(images[active]["tag"])  # fmt: skip


def test_turning_to_the_other_colour_touches_no_pod_of_the_api() -> None:
    blue, green = (render(BLUE_GREEN | {"service": {"activeColor": c}}) for c in ("blue", "green"))

    for color in ("blue", "green"):
        name = f"hunter-api-{color}"
        assert pick(blue, "Deployment", name) == pick(green, "Deployment", name)


def test_the_migration_of_a_new_version_comes_from_its_image() -> None:
    values = BLUE_GREEN | {"migration": {"tag": "2.0.0"}}
    job = pick(render(values), "Job", "hunter-migrate")["spec"]["template"]["spec"]

    assert job["containers"][0]["image"] == "hunter:2.0.0"


def test_prometheus_looks_at_each_pod_once_with_colours() -> None:
    manifests = render(BLUE_GREEN | {"serviceMonitor": {"enabled": True}})
    monitor = pick(manifests, "ServiceMonitor", "hunter")
    (expression,) = monitor["spec"]["selector"]["matchExpressions"]
    seen = [
        m["metadata"]["name"]
        for m in manifests
        if m["kind"] == "Service"
        and m["metadata"]["labels"][expression["key"]] in expression["values"]
    ]

    assert sorted(seen) == ["hunter-api-blue", "hunter-api-green", "hunter-worker"]


# ── the rest ──


def test_rolling_updates_never_take_a_pod_away_first() -> None:
    for manifest in render(EVERYTHING):
        if manifest["kind"] == "Deployment":
            assert manifest["spec"]["strategy"]["rollingUpdate"] == {
                "maxSurge": 1,
                "maxUnavailable": 0,
            }
            assert manifest["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] == 45


def test_keda_owns_the_number_of_workers() -> None:
    manifests = render(EVERYTHING)
    scaled = pick(manifests, "ScaledObject", "hunter-worker")["spec"]

    assert "replicas" not in pick(manifests, "Deployment", "hunter-worker")["spec"]
    assert scaled["minReplicaCount"] >= 1, "workers count what waits: without one nobody does"
    query = scaled["triggers"][0]["metadata"]["query"]
    assert query == 'max(hunter_chunks{state="ready",namespace="leads"})'


def test_the_backup_runs_the_scripts_of_the_chart_under_a_role_of_its_own() -> None:
    manifests = render(SECRET | {"backup": {"enabled": True, "existingSecret": "backup-role"}})
    (container,) = pick(manifests, "CronJob", "hunter-backup")["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]  # fmt: skip
    env = {each["name"]: each for each in container["env"]}
    data = pick(manifests, "ConfigMap", "hunter-backup")["data"]

    assert container["image"].startswith("postgres:")
    assert env["DATABASE_URL"]["valueFrom"]["secretKeyRef"]["name"] == "backup-role"
    assert container["command"][-1].endswith("/backup.sh")
    for name, text in data.items():
        assert text.strip() == (CHART / "files" / name).read_text(encoding="utf-8").strip()


def test_the_alert_rules_arrive_unchanged_but_for_their_links_and_the_disabled() -> None:
    own = {"runbookUrl": "https://wiki.example/hunter", "disabled": ["BackupTooOld"]}
    manifests = render(SECRET | {"prometheusRule": {"enabled": True, **own}})
    text = (CHART / "files" / "hunter.rules.yaml").read_text(encoding="utf-8")
    wanted = yaml.safe_load(text.replace("docs/runbook.md#", "https://wiki.example/hunter#"))
    for group in wanted["groups"]:
        group["rules"] = [r for r in group["rules"] if r.get("alert") != "BackupTooOld"]

    assert pick(manifests, "PrometheusRule", "hunter")["spec"] == wanted


def test_the_dashboard_arrives_whole() -> None:
    manifests = render(SECRET | {"dashboard": {"enabled": True}})
    data = pick(manifests, "ConfigMap", "hunter-dashboard")["data"]

    assert json.loads(data["hunter.json"]) == json.loads((CHART / "files" / "dashboard.json").read_text())  # fmt: skip


def test_network_policies_cover_every_pod_and_let_it_do_its_work() -> None:
    manifests = render(EVERYTHING)
    covered = {
        m["spec"]["podSelector"]["matchLabels"]["app.kubernetes.io/component"]: m["spec"]
        for m in manifests
        if m["kind"] == "NetworkPolicy"
    }
    ports = {
        name: {p["port"] for rule in spec["egress"] for p in rule["ports"]}
        for name, spec in covered.items()
    }

    assert set(covered) == {"api", "worker", "migrate", "backup", "test"}
    assert ports["api"] >= {53, 5432, 6379}
    assert ports["worker"] >= {53, 5432, 6379, 443}
    assert ports["migrate"] == ports["backup"] == {53, 5432}
    assert ports["test"] == {53, 8000}
    for name in ("migrate", "backup", "test"):
        assert "ingress" not in covered[name], "nobody calls it"


def test_helm_test_runs_the_smoke_test_with_the_key_against_the_service() -> None:
    pod = pick(render(SECRET), "Pod", "hunter-test")
    (container,) = pod["spec"]["containers"]

    assert pod["metadata"]["annotations"]["helm.sh/hook"] == "test"
    assert container["args"][:3] == ["smoke", "--url", "http://hunter:80"]
    assert container["envFrom"] == [{"secretRef": {"name": "hunter"}}]
