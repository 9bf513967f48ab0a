"""The chart, rendered by Helm itself and checked against Kubernetes' own schemas."""

import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes_validate.utils import validate

from hunter.config import Config

#: helm-python-sdk, or None: the marker below skips then
helm: Any = (
    importlib.import_module("helm_python") if importlib.util.find_spec("helm_python") else None
)

pytestmark = pytest.mark.tool("helm_python")

CHART = Path(__file__).parents[2] / "helm" / "hunter"
SECRET = {"existingSecret": "hunter"}
EVERYTHING = SECRET | {
    "api": {"autoscaling": {"enabled": True}},
    "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
    "config": {"HUNTER_DNS_SERVERS": "10.0.0.53", "HUNTER_DNS_MAX_QPS": 5000},
    "imagePullSecrets": [{"name": "registry"}],
    "image": {"digest": "sha256:" + "0" * 64},
    "rulesConfigMap": "hunter-rules",
}
UNBOUND: dict[str, Any] = SECRET | {
    "unbound": {
        "enabled": True,
        "image": {"repository": "registry.example/unbound", "tag": "1.17.1"},
        "threads": 2,
        "forwardTo": ["192.0.2.53", "2001:db8::53@5353"],
    }
}
VARIANTS = {
    "default": SECRET,
    "unbound": UNBOUND,
    "everything": EVERYTHING,
    "small": SECRET
    | {
        "api": {"replicas": 1, "podDisruptionBudget": {"enabled": False}},
        "worker": {"replicas": 1, "podDisruptionBudget": {"enabled": False}},
        "migration": {"enabled": False},
    },
}

Manifest = dict[str, Any]


def render(values: dict[str, Any], name: str = "hunter") -> list[Manifest]:
    with helm.Chart.load(str(CHART)) as chart:
        texts = chart.render(values, name=name, namespace="leads")
    return [
        manifest
        for path, text in sorted(texts.items())
        if path.endswith(".yaml")
        for manifest in yaml.safe_load_all(text)
        if manifest
    ]


def pick(manifests: list[Manifest], kind: str, name: str) -> Manifest:
    return next(m for m in manifests if m["kind"] == kind and m["metadata"]["name"] == name)


def pods(manifests: list[Manifest]) -> list[Manifest]:
    return [
        m["spec"] if m["kind"] == "Pod" else m["spec"]["template"]["spec"]
        for m in manifests
        if m["kind"] in {"Deployment", "Job", "Pod"}
    ]


@pytest.mark.parametrize("values", VARIANTS.values(), ids=list(VARIANTS))
@pytest.mark.parametrize("version", ["1.25", "1.31", "1.35"])
def test_kubernetes_accepts_every_manifest(values: dict[str, Any], version: str) -> None:
    for manifest in render(values):
        if manifest["kind"] != "ServiceMonitor":
            validate(manifest, version, strict=True)


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
    ],
)
def test_wrong_values_are_refused_with_their_place(values: dict[str, Any], place: str) -> None:
    with pytest.raises(Exception, match=place):
        render(SECRET | values)


@pytest.mark.parametrize("values", VARIANTS.values(), ids=list(VARIANTS))
def test_no_pod_gets_service_links_or_a_token(values: dict[str, Any]) -> None:
    for pod in pods(render(values)):
        assert pod["enableServiceLinks"] is False
        assert pod["automountServiceAccountToken"] is False


@pytest.mark.parametrize("values", VARIANTS.values(), ids=list(VARIANTS))
def test_every_container_satisfies_pod_security_restricted(values: dict[str, Any]) -> None:
    for pod in pods(render(values)):
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert container["resources"]["limits"]["memory"]


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
    assert container["envFrom"] == [{"secretRef": {"name": "hunter"}}]


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


def test_every_value_has_a_place_in_the_schema_and_a_comment() -> None:
    lines = (CHART / "values.yaml").read_text().splitlines()
    tops = [n for n, line in enumerate(lines) if re.match(r"[a-zA-Z]+:", line)]
    structural = {"image", "service", "api", "worker", "migration", "serviceMonitor"}

    for number in tops:
        name = lines[number].split(":")[0]
        assert (
            lines[number - 1].startswith("#") or name in structural or name == "podAnnotations"
        ), name
