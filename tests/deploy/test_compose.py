"""compose.yaml: it is what Docker takes, what it names exists, and it leaves nothing open."""

from __future__ import annotations

import json
import re
from importlib import resources
from typing import Any
from urllib.parse import urlsplit

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml  # type: ignore[import-untyped]

from penread.server.settings import Settings
from tests.deploy.compose import DEPLOY, compose, environment, variables
from tests.deploy.proxy import TEMPLATE

SERVICES: dict[str, dict[str, Any]] = compose(GRAFANA_PASSWORD="x")["services"]
REPLICAS = ("penread-1", "penread-2")


def test_it_is_as_the_specification_wants_it() -> None:
    schema = json.loads(
        resources.files("check_jsonschema").joinpath("builtin_schemas/vendor/compose-spec.json").read_text()
    )
    jsonschema.validate(compose(GRAFANA_PASSWORD="x"), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"services": {"penread": {"read_onyl": True}}}, schema)


def test_the_password_must_be_chosen() -> None:
    with pytest.raises(LookupError, match=r"GRAFANA_PASSWORD: Set GRAFANA_PASSWORD in \.env"):
        compose()


def test_the_example_has_every_variable_with_its_default() -> None:
    text = (DEPLOY / "compose.yaml").read_text("utf-8")
    used = set(re.findall(r"\$\{(\w+)", text))
    assert set(variables()) == used
    assert compose(**{**variables(), "GRAFANA_PASSWORD": "x"})["services"].keys() == SERVICES.keys()
    for name, default in re.findall(r"\$\{(\w+):-([^}]+)\}", text):
        assert variables()[name] == default


def test_the_variables_are_settings() -> None:
    for name in REPLICAS:
        given = environment(SERVICES[name])
        # That one is Python's own.
        assert {key for key in given if not key.startswith("PENREAD_")} == {"PYTHON_CPU_COUNT"}
        assert {key.removeprefix("PENREAD_").lower() for key in given if key.startswith("PENREAD_")} <= set(
            Settings.model_fields
        )


def test_python_counts_the_processors_that_there_are() -> None:
    given = compose(GRAFANA_PASSWORD="x", PENREAD_CPUS="3")["services"]["penread-1"]
    assert given["cpus"] == 3
    assert environment(given)["PYTHON_CPU_COUNT"] == "3"


def test_there_is_time_to_end_in_order() -> None:
    grace_s = Settings.model_fields["grace_s"].default
    for name in REPLICAS:
        assert int(SERVICES[name]["stop_grace_period"].removesuffix("s")) >= grace_s + 3


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_bounded_and_without_powers(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["cpus"]
    assert service["mem_limit"]
    assert service["restart"] == "unless-stopped"
    assert not service.get("privileged")
    assert set(service.get("cap_add", [])) <= {"CHOWN", "DAC_READ_SEARCH", "NET_BIND_SERVICE", "SETGID", "SETUID"}
    assert ("cap_add" in service) is (name == "proxy")
    for mount in service.get("volumes", []):
        source, _, rest = mount.partition(":")
        assert source in {"prometheus", "grafana"} or rest.endswith(":ro"), mount


def test_only_the_proxy_is_open_to_the_world() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert set(published) == {"proxy", "grafana"}
    assert all(port.startswith("127.0.0.1:") for port in published["grafana"])
    networks = compose(GRAFANA_PASSWORD="x")["networks"]
    for name in (*REPLICAS, "prometheus"):
        assert all(networks[network]["internal"] for network in SERVICES[name]["networks"])
    # Prometheus reaches penread, and not through the proxy, which doesn't give the metrics.
    assert "watching" in SERVICES["prometheus"]["networks"]
    assert "watching" not in SERVICES["proxy"]["networks"]


@pytest.mark.parametrize("name", [name for name in SERVICES if name not in REPLICAS])
def test_images_are_pinned_to_a_version(name: str) -> None:
    assert re.search(r":v?\d+\.\d+\.\d+(-alpine)?$", SERVICES[name]["image"])


def test_what_is_mounted_exists() -> None:
    made_by_the_operator = {"./certs", "./acme"}
    mounts = [mount for service in SERVICES.values() for mount in service.get("volumes", [])]
    sources = {mount.split(":")[0] for mount in mounts if mount.startswith(".")}
    assert sources > made_by_the_operator
    for source in sources - made_by_the_operator:
        assert (DEPLOY / source).exists(), source
    ignored = (DEPLOY / ".gitignore").read_text("utf-8").split()
    assert {"certs/", "acme/", ".env"} <= set(ignored)


def test_the_proxys_variables_are_set() -> None:
    used = set(re.findall(r"\$\{(\w+)\}", TEMPLATE.read_text("utf-8")))
    given = environment(SERVICES["proxy"])
    assert used == set(given) - {"NGINX_ENVSUBST_FILTER"}
    # The variables of nginx itself are no dollar and brace, and the image leaves them.
    assert all(re.search(given["NGINX_ENVSUBST_FILTER"], name) for name in used)
    for number, name in enumerate(REPLICAS, 1):
        assert given[f"PROXY_UPSTREAM_{number}"].split()[0] == f"{name}:8000"


def test_prometheus_asks_every_replica() -> None:
    watching = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text("utf-8"))
    targets = {
        target
        for job in watching["scrape_configs"]
        for static in job.get("static_configs", [])
        for target in static["targets"]
    }
    assert {f"{name}:8000" for name in REPLICAS} <= targets
    for pattern in watching["rule_files"]:
        assert list((DEPLOY / "prometheus").glob(pattern.removeprefix("/etc/prometheus/"))), pattern


def test_grafana_finds_prometheus_and_the_dashboard() -> None:
    provisioning = DEPLOY / "grafana" / "provisioning"
    [provider] = [
        provider
        for path in (provisioning / "dashboards").glob("*.yml")
        for provider in yaml.safe_load(path.read_text("utf-8"))["providers"]
    ]
    [dashboard] = [mount for mount in SERVICES["grafana"]["volumes"] if mount.startswith("./grafana/penread.json:")]
    assert dashboard.split(":")[1].rpartition("/")[0] == provider["options"]["path"]
    for path in (provisioning / "datasources").glob("*.yml"):
        for source in yaml.safe_load(path.read_text("utf-8"))["datasources"]:
            assert urlsplit(source["url"]).hostname in SERVICES
