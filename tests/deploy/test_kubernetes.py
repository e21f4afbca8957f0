"""The manifests: Kubernetes takes them, and they fit each other and the server."""

from __future__ import annotations

import re
from typing import Any

import httpx2
import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml  # type: ignore[import-untyped]

import penread
from penread.bundle import Bundle
from penread.server.settings import Settings
from penread.site import page_files
from tests.conftest import serving
from tests.deploy.compose import DEPLOY, compose

FOLDER = DEPLOY / "kubernetes"
KUSTOMIZATION = yaml.safe_load((FOLDER / "kustomization.yaml").read_text("utf-8"))
OBJECTS: dict[str, dict[str, Any]] = {
    loaded["kind"]: loaded
    for name in KUSTOMIZATION["resources"]
    for loaded in yaml.safe_load_all((FOLDER / name).read_text("utf-8"))
}
POD: dict[str, Any] = OBJECTS["Deployment"]["spec"]["template"]
CONTAINER: dict[str, Any] = POD["spec"]["containers"][0]
PROBES = ("startupProbe", "readinessProbe", "livenessProbe")


def config() -> dict[str, str]:
    """The settings that the pods are given."""
    [generated] = KUSTOMIZATION["configMapGenerator"]
    return dict(literal.split("=", 1) for literal in generated["literals"])


@pytest.mark.parametrize("kind", OBJECTS)
@pytest.mark.parametrize("version", ["1.30", "1.37"])
def test_kubernetes_takes_them(kind: str, version: str) -> None:
    kubernetes_validate.validate(OBJECTS[kind], version, strict=True)


def test_the_validation_knows_a_mistake() -> None:
    wrong = {**OBJECTS["Service"], "spec": {**OBJECTS["Service"]["spec"], "selektor": {}}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, "1.37", strict=True)


def test_every_file_is_applied() -> None:
    assert sorted(KUSTOMIZATION["resources"]) == sorted(
        path.name for path in FOLDER.iterdir() if path.name != "kustomization.yaml"
    )
    assert set(OBJECTS) == {"Deployment", "Service", "HorizontalPodAutoscaler", "PodDisruptionBudget", "Ingress"}


def test_they_fit_each_other() -> None:
    labels = POD["metadata"]["labels"]
    deployment = OBJECTS["Deployment"]
    for selector in (
        deployment["spec"]["selector"]["matchLabels"],
        OBJECTS["Service"]["spec"]["selector"],
        OBJECTS["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
        POD["spec"]["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"],
    ):
        assert selector.items() <= labels.items()
    target = OBJECTS["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]
    assert {key: target[key] for key in ("apiVersion", "kind")} == {
        key: deployment[key] for key in ("apiVersion", "kind")
    }
    assert target["name"] == deployment["metadata"]["name"]
    assert "replicas" not in deployment["spec"], "would undo what the autoscaler did"
    [port] = CONTAINER["ports"]
    assert OBJECTS["Service"]["spec"]["ports"][0]["targetPort"] == port["name"]
    assert all(CONTAINER[probe]["httpGet"]["port"] == port["name"] for probe in PROBES)
    assert POD["metadata"]["annotations"]["prometheus.io/port"] == str(port["containerPort"])
    assert CONTAINER["envFrom"] == [{"configMapRef": {"name": KUSTOMIZATION["configMapGenerator"][0]["name"]}}]
    assert KUSTOMIZATION["images"][0]["name"] == CONTAINER["image"]
    assert KUSTOMIZATION["images"][0]["newTag"] == penread.__version__


def test_a_pod_has_no_powers() -> None:
    pod, own = POD["spec"]["securityContext"], CONTAINER["securityContext"]
    assert pod["runAsNonRoot"] is True
    assert pod["seccompProfile"] == {"type": "RuntimeDefault"}
    assert own == {
        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
    }  # fmt: skip
    assert [mount["mountPath"] for mount in CONTAINER["volumeMounts"]] == ["/tmp"]
    assert POD["spec"]["automountServiceAccountToken"] is False
    # Else a service named penread would set PENREAD_PORT.
    assert POD["spec"]["enableServiceLinks"] is False
    user = str(pod["runAsUser"])
    assert user == compose(GRAFANA_PASSWORD="x")["services"]["penread-1"]["user"]
    dockerfile = (DEPLOY.parent / "Dockerfile").read_text("utf-8")
    assert re.findall(r"^USER (.+)$", dockerfile, re.MULTILINE) == [user]


def test_there_is_time_to_end_in_order() -> None:
    sleep_s = CONTAINER["lifecycle"]["preStop"]["sleep"]["seconds"]
    grace_s = Settings.model_fields["grace_s"].default
    assert POD["spec"]["terminationGracePeriodSeconds"] >= sleep_s + grace_s + 3


def test_a_pod_is_as_large_as_penread_believes() -> None:
    limits = CONTAINER["resources"]["limits"]
    assert config()["PYTHON_CPU_COUNT"] == limits["cpu"]
    assert (
        limits["memory"].removesuffix("i").lower()
        == compose(GRAFANA_PASSWORD="x")["services"]["penread-1"]["mem_limit"]
    )
    assert {key.removeprefix("PENREAD_").lower() for key in config() if key.startswith("PENREAD_")} <= set(
        Settings.model_fields
    )


def test_the_probes_are_answered_also_where_the_api_wants_a_key() -> None:
    with serving(env={**config(), "PENREAD_API_KEYS": "a-key, another"}) as (address, _):
        for probe in PROBES:
            response = httpx2.get(address + CONTAINER[probe]["httpGet"]["path"])
            assert response.status_code == 200, (probe, response.text)
        assert httpx2.post(f"{address}/api/v1/predict", json={"strokes": []}).status_code == 401
        described = httpx2.get(f"{address}/openapi.json").json()["paths"]
        files = page_files(Bundle.load(), server=True).files
    # What the ingress lets through: the page with its files, the API, and no metrics.
    for path in ["/", *(f"/{name}" for name in files if name != "index.html"), "/docs", "/openapi.json"]:
        assert is_routed(path), path
    for path in described:
        assert is_routed(path.replace("{", "").replace("}", "")) is path.startswith(("/api/", "/v2")), path
    for path in ("/metrics", "/metrics/", "/healthz", "/statics", "/apis"):
        assert not is_routed(path), path


def is_routed(path: str) -> bool:
    """Whether the ingress passes a path on, by the rules of Kubernetes: whole segments."""
    [rule] = OBJECTS["Ingress"]["spec"]["rules"]
    return any(
        path == each["path"] or (each["pathType"] == "Prefix" and path.startswith(each["path"] + "/"))
        for each in rule["http"]["paths"]
    )
