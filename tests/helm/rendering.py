"""The chart rendered by two Helms, over a matrix of values; run it to write the golden manifests anew."""

from __future__ import annotations

import functools
import importlib.util
import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Final

import yaml

#: helm-python-sdk, or None: tests are marked and skip then
helm: Any = (
    importlib.import_module("helm_python") if importlib.util.find_spec("helm_python") else None
)

CHART: Final = Path(__file__).parents[2] / "helm" / "hunter"
GOLDEN: Final = Path(__file__).parent / "golden"
#: kinds that come with operators, whose schemas Kubernetes does not know
CUSTOM: Final = frozenset({"ServiceMonitor", "PrometheusRule", "ScaledObject"})

Manifest = dict[str, Any]

SECRET: Final[dict[str, Any]] = {"existingSecret": "hunter"}
VARIANTS: Final[dict[str, dict[str, Any]]] = {
    "default": SECRET,
    "small": SECRET
    | {
        "api": {"replicas": 1, "podDisruptionBudget": {"enabled": False}},
        "worker": {"replicas": 1, "podDisruptionBudget": {"enabled": False}},
        "migration": {"enabled": False},
    },
    "unbound": SECRET
    | {
        "unbound": {
            "enabled": True,
            "image": {"repository": "registry.example/unbound", "tag": "1.17.1"},
            "threads": 2,
            "forwardTo": ["192.0.2.53", "2001:db8::53@5353"],
        }
    },
    "blue_green": SECRET
    | {
        "blueGreen": {"enabled": True, "blue": {"tag": "1.0.0"}, "green": {"tag": "1.1.0"}},
        "postgresql": {"maxConnections": 200},
    },
    "everything": SECRET
    | {
        "image": {"digest": "sha256:" + "0" * 64},
        "imagePullSecrets": [{"name": "registry"}],
        "config": {"HUNTER_DNS_SERVERS": "10.0.0.53", "HUNTER_DNS_MAX_QPS": 5000},
        "rulesConfigMap": "hunter-rules",
        "podLabels": {"team": "sales"},
        "podAnnotations": {"example.com/owner": "sales"},
        "postgresql": {"maxConnections": 300},
        "api": {
            "autoscaling": {"enabled": True},
            "nodeSelector": {"kubernetes.io/os": "linux"},
            "tolerations": [{"key": "web", "operator": "Exists"}],
        },
        "worker": {
            "autoscaling": {
                "enabled": True,
                "prometheusAddress": "http://prometheus.monitoring:9090",
            },
            "affinity": {"nodeAffinity": {}},
        },
        "migration": {"existingSecret": "hunter-owner"},
        "networkPolicy": {
            "enabled": True,
            "apiFrom": [{"namespaceSelector": {"matchLabels": {"name": "ingress"}}}],
            "metricsFrom": [{"namespaceSelector": {"matchLabels": {"name": "monitoring"}}}],
            "postgresqlTo": [{"ipBlock": {"cidr": "10.1.2.3/32"}}],
        },
        "backup": {"enabled": True, "persistence": {"storageClass": "fast"}},
        "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
        "prometheusRule": {"enabled": True, "labels": {"release": "prometheus"}},
        "dashboard": {"enabled": True, "annotations": {"grafana_folder": "Hunter"}},
    },
}


def _in_order(manifests: list[Manifest]) -> list[Manifest]:
    return sorted(manifests, key=lambda each: (each["kind"], each["metadata"]["name"]))


def _documents(text: str) -> list[Manifest]:
    return [manifest for manifest in yaml.safe_load_all(text) if manifest]


def library(values: dict[str, Any], name: str = "hunter") -> list[Manifest]:
    """Rendered by the Helm SDK (Helm 4), for each values once; the caller may change what it gets."""
    manifests: list[Manifest] = json.loads(_rendered(json.dumps(values, sort_keys=True), name))
    return manifests


@functools.cache
def _rendered(values: str, name: str) -> str:
    with helm.Chart.load(str(CHART)) as chart:
        texts = chart.render(json.loads(values), name=name, namespace="leads")
    found = [m for path, text in texts.items() if path.endswith(".yaml") for m in _documents(text)]
    return json.dumps(_in_order(found))


def command_line(values: dict[str, Any], name: str = "hunter", kubernetes: str = "1.30") -> list[Manifest]:  # fmt: skip
    """Rendered by the helm of the path (Helm 3)."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        yaml.safe_dump(values, file)
        file.flush()
        done = subprocess.run(
            [
                "helm",
                "template",
                name,
                str(CHART),
                "--namespace=leads",
                f"--values={file.name}",
                f"--kube-version={kubernetes}",
            ],
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise ValueError(done.stderr)
    return _in_order(_documents(done.stdout))


render = library


class _Dumper(yaml.SafeDumper):
    """Block scalars for what has lines, and no anchors: what people review."""

    def ignore_aliases(self, _data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, data: str) -> yaml.ScalarNode:
    style = "|" if "\n" in data else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", data, style=style)


_Dumper.add_representer(str, _text)


def rendered_text(values: dict[str, Any]) -> str:
    """All manifests, one after the other; long files of the chart as their first line."""
    manifests = render(values)
    for manifest in manifests:
        if manifest["kind"] == "ConfigMap" and manifest["metadata"]["name"] != "hunter":
            manifest["data"] = {k: f"{v.splitlines()[0]} …" for k, v in manifest["data"].items()}
        if manifest["kind"] == "PrometheusRule":
            for group in manifest["spec"]["groups"]:
                group["rules"] = [rule.get("alert") or rule["record"] for rule in group["rules"]]
    parts = [yaml.dump(m, Dumper=_Dumper, sort_keys=True, width=1000, allow_unicode=True) for m in manifests]  # fmt: skip
    return "---\n" + "---\n".join(parts)


def main() -> None:
    """Write every golden manifest."""
    GOLDEN.mkdir(exist_ok=True)
    for name, values in VARIANTS.items():
        (GOLDEN / f"{name}.yaml").write_text(rendered_text(values), encoding="utf-8")


if __name__ == "__main__":
    main()
